"""The content of a flash, which is kept between boards as long as no file has changed."""

from __future__ import annotations

import pytest

from tools.virtualboard import flash

CHANGES = {
    "a changed module": lambda root: (root / "lib/one.py").write_text("ONE = 10\n"),
    "a new module": lambda root: (root / "lib/two.py").write_text("TWO = 2\n"),
    "a removed module": lambda root: (root / "lib/one.py").unlink(),
    "a changed page": lambda root: (root / "www/index.html").write_text("<p>new</p>"),
    "a changed program": lambda root: (root / "main.py").write_text("print(1)\n"),
    "a removed program": lambda root: (root / "main.py").unlink(),
}


def content(root, folder):
    flash.fill(folder, root, source=True)
    return flash.gather(folder)


@pytest.fixture
def root(tmp_path):
    """A small firmware."""
    root = tmp_path / "root"
    for name in ("lib", "www"):
        (root / name).mkdir(parents=True)
    (root / "lib/one.py").write_text("ONE = 1\n")
    (root / "www/index.html").write_text("<p>old</p>")
    (root / "main.py").write_text("")
    return root


@pytest.mark.parametrize("change", CHANGES)
def test_the_next_board_has(root, tmp_path, change):
    before = content(root, tmp_path / "first")
    CHANGES[change](root)
    after = content(root, tmp_path / "second")
    assert after != before
    assert after == content(root, tmp_path / "third")


def test_what_a_board_changes_on_its_flash_no_other_one_gets(root, tmp_path):
    before = content(root, tmp_path / "first")
    (tmp_path / "first/lib/one.py").write_text("ONE = 'changed'\n")
    assert content(root, tmp_path / "second") == before


@pytest.mark.skipif(not flash.can_compile(), reason="no compiler for this machine")
def test_each_form_of_lib_is_kept_by_itself(root, tmp_path):
    names = []
    for number, options in enumerate(({}, {"source": True}, {"native": False}, {})):
        flash.fill(tmp_path / str(number), root, **options)
        names.append([path.name for path in (tmp_path / str(number) / "lib").iterdir()])
    assert names == [["one.mpy"], ["one.py"], ["one.mpy"], ["one.mpy"]]
