"""Every code block of the documents is run by a test, or marked."""

import pytest

from tests.docs.blocks import DOCS, blocks
from tools import ROOT
from tools.lint.applications import check_applications

# Blocks of these languages, without a title, are run by tests/tools/test_documents.py.
GENERIC = {"python"}
TESTS = "".join(
    path.read_text(encoding="utf-8") for path in (ROOT / "tests/docs").glob("test_*.py")
)


@pytest.mark.parametrize("document", ["tutorial.md", "cookbook.md", "migration.md", "esp-idf.md"])
def test_every_block_is_run_or_marked(document):
    missed = [
        block.place
        for block in blocks(document)
        if block.runs
        and not (block.language in GENERIC and not block.title)
        and f'"{block.title}"' not in TESTS
    ]
    assert missed == []


def test_no_document_has_a_block_without_a_language():
    for path in DOCS.glob("*.md"):
        fences = [line for line in path.read_text().splitlines() if line.startswith("```")]
        assert all(fence != "```" for fence in fences[::2]), path.name


def test_mypy_accepts_the_applications_of_the_documents(tmp_path):
    files = []
    for path in sorted(DOCS.glob("*.md")):
        for number, block in enumerate(blocks(path.name)):
            if block.language == "python" and "def setup(board)" in block.code:
                files.append(tmp_path / f"{path.stem.replace('-', '_')}_{number}.py")
                files[-1].write_text(block.code)
    assert len(files) > 10
    assert check_applications(files) == []
