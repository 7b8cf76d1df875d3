"""Hatchling's hook: the wheel's dependencies are those of requirements.txt that are needed to run.

They are pinned there and nowhere else.
"""

from pathlib import Path

from hatchling.metadata.plugin.interface import MetadataHookInterface

_BEGIN, _END = "# --- to run", "# --- to test"


def dependencies(root: Path) -> list[str]:
    """Return the lines of requirements.txt that are needed to run the tools."""
    text = (root / "requirements.txt").read_text(encoding="utf-8")
    block = text.partition(_BEGIN)[2].partition(_END)[0]
    return [line for line in block.splitlines() if line and not line.startswith("#")]


class Dependencies(MetadataHookInterface):
    """Add the dependencies to the metadata."""

    def update(self, metadata: dict) -> None:
        """Set the dynamic field."""
        metadata["dependencies"] = dependencies(Path(self.root))
