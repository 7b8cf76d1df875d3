"""The corpus: good first inputs, and every find, as hex text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

CORPUS = Path(__file__).with_name("corpus")


def load(target: str) -> Iterator[tuple[str, bytes]]:
    """Yield the (name, input) of each file for a target. Lines that begin with # are remarks."""
    for path in sorted((CORPUS / target).glob("*.hex")):
        lines = path.read_text(encoding="ascii").splitlines()
        yield path.stem, bytes.fromhex("".join(line for line in lines if line[:1] != "#"))


def save(target: str, name: str, data: bytes, remark: str) -> Path:
    """Add an input to the corpus."""
    text = data.hex()
    lines = [f"# {remark}", *(text[at : at + 96] for at in range(0, len(text), 96))]
    path = CORPUS / target / f"{name}.hex"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="ascii")
    return path
