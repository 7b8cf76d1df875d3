"""make monitor shows text that a board's clients may have chosen."""

import pytest

from tools.board import monitor
from tools.board.sources import source_of


@pytest.mark.parametrize("text", ["\x1b[2J", "\x07", "\x9b31m", "\u202e", "\u2028", "\x7f", "\0"])
def test_terminal_codes_are_escaped(text):
    shown = monitor.printable(f"a{text}b\tc\nd\u00fc")
    assert text not in shown
    assert shown.isprintable() or shown.replace("\n", "").replace("\t", "").isprintable()
    assert shown.endswith("b\tc\nd\u00fc")


@pytest.mark.parametrize(
    "line",
    [
        '  File "lib/startup.py", line ' + "9" * 5000 + ", in x",
        "wifi: access point '\\x', password x",
        "wifi: access point '" + "(" * 500 + "', password " + "x" * 5000,
        "serving ws://1.1.1.1:" + "9" * 5000 + "/ws",
        '  File "' + "a" * 5000 + '.py", line 1, in x',
        '  File "a\0b.py", line 1, in x',
    ],
)
def test_a_line_that_only_looks_like_the_firmwares_ends_nothing(capsys, line):
    assert monitor._show(line + "\nnext", 0) == "next"
    assert line in capsys.readouterr().out


def test_a_file_outside_the_repository_is_not_shown(tmp_path):
    (tmp_path / "secret.py").write_text("secret = 1")
    (tmp_path / "root").mkdir()
    line = '  File "../secret.py", line 1, in x'
    assert source_of(line, tmp_path / "root") is None


@pytest.mark.parametrize("name", ["main.py", "boot.py", "/main.py"])
def test_main_py_of_the_repository_is_not_shown_for_another_program(capsys, name):
    text = f'  File "{name}", line 3, in <module>\n  File "startup.py", line 1, in x\n'
    monitor._show(text, 0)
    out = capsys.readouterr().out
    assert "-> main.py" not in out and "-> boot.py" not in out
    assert "-> lib/startup.py:1: " in out


def test_a_line_without_an_end_is_not_kept(capsys):
    text = ""
    for _ in range(300):
        text = monitor._show(text + "x" * 100, len(text))
    assert len(text) <= 11000
    assert capsys.readouterr().out.replace("\n", "") == "x" * 30000
