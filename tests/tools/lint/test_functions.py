"""`make lint` finds long functions that do not state a reason."""

import pytest

from tools.lint import functions

pytestmark = pytest.mark.host

LONG = "    a = 1\n" * functions.LINES


def check(root, source, name="lib/a.py"):
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(source)
    return functions.check(root)


def branches(count):
    return "def f(a):\n" + "    if a:\n        a = 1\n" * count


def test_a_function_with_one_line_too_many_is_found(tmp_path):
    assert check(tmp_path, "def f():\n" + LONG[: -len("    a = 1\n")]) == []
    (finding,) = check(tmp_path, "\n\ndef f():\n" + LONG)
    assert finding.startswith("lib/a.py:3: f: 41 lines, 0 branches: split it")


def test_a_function_with_eleven_branches_is_found(tmp_path):
    assert check(tmp_path, branches(10)) == []
    (finding,) = check(tmp_path, branches(11))
    assert "f: 23 lines, 11 branches" in finding


@pytest.mark.parametrize(
    "statement", ["for b in a: c()", "while a: c()", "try: c()\n    except E: d()"]
)
def test_loops_and_handlers_are_branches(tmp_path, statement):
    assert len(check(tmp_path, branches(10) + f"    {statement}\n")) == 1


def test_the_docstring_does_not_count(tmp_path):
    text = '    """' + "text\n" * 40 + '    """\n'
    assert check(tmp_path, f"def f():\n{text}    a = 1\n") == []


def test_the_branches_of_a_function_inside_another_are_its_own(tmp_path):
    inner = "    def g(a):\n" + "        if a: b()\n" * 6
    assert check(tmp_path, branches(6) + inner) == []


@pytest.mark.parametrize("above", ["", "@decorator\n", "# and more\n@decorator\n"])
def test_a_reason_above_the_function_is_enough(tmp_path, above):
    assert check(tmp_path, f"# Long: a reason.\n{above}def f():\n{LONG}") == []


def test_a_comment_without_a_reason_is_not_enough(tmp_path):
    assert len(check(tmp_path, f"# Longer.\ndef f():\n{LONG}")) == 1
    assert len(check(tmp_path, f"# Long: another's.\n\ndef f():\n{LONG}")) == 2


def test_a_reason_that_nothing_needs_is_found(tmp_path):
    found = check(tmp_path, "a = 1\n# Long: a reason.\ndef f():\n    pass\n")
    assert found == ["lib/a.py:2: no long function follows this reason"]


def test_the_hot_path_needs_no_reason(tmp_path):
    assert check(tmp_path, "def f():\n" + LONG, "lib/wsserver/core/a.py") == []
    assert len(check(tmp_path, "def f():\n" + LONG, "lib/wsserver/a.py")) == 1
