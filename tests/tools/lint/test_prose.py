"""`make lint` counts unwanted actors in prose and finds long Markdown lines."""

import pytest

from tools.lint import prose

pytestmark = pytest.mark.host


def words(count):
    return "word " * count


def write(root, name, text):
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


@pytest.mark.parametrize("word", ["who", "Whom", "somebody", "NOBODY", "everybody"])
def test_an_unwanted_actor_in_a_document_is_found(tmp_path, word):
    write(tmp_path, "docs/a.md", f"one\n{word} says so\n")
    found = prose.check_actors(tmp_path)
    assert found[0] == f"docs/a.md:2: {word!r}"
    assert "at most 0.5" in found[-1]


def test_an_unwanted_actor_in_a_docstring_is_found(tmp_path):
    write(tmp_path, "lib/a.py", 'def f():\n    """Tell nobody."""\n')
    assert prose.check_actors(tmp_path)[0] == "lib/a.py:2: 'nobody'"


def test_one_actor_in_two_thousand_words_is_allowed(tmp_path):
    write(tmp_path, "README.md", f"{words(1999)}who\n")
    assert prose.check_actors(tmp_path) == []
    write(tmp_path, "README.md", f"{words(1997)}who who\n")
    assert len(prose.check_actors(tmp_path)) == 3


def test_code_blocks_and_comments_are_not_prose(tmp_path):
    write(tmp_path, "README.md", "text\n\n```\nwho\n```\n\n    nobody\n")
    write(tmp_path, "lib/a.py", "# who\nnobody = 1\n")
    assert prose.check(tmp_path) == []


def test_parts_of_words_are_not_counted(tmp_path):
    write(tmp_path, "README.md", "the whole, whose\n")
    assert prose.check_actors(tmp_path) == []


def test_a_line_of_prose_over_100_columns_is_found(tmp_path):
    write(tmp_path, "README.md", f"{'x ' * 50}\n{'x ' * 50}y\n")
    assert prose.check_width(tmp_path) == ["README.md:2: 101 columns; 100 are the limit"]


@pytest.mark.parametrize("line", ["| a {} |", "<img {}>", "```\n{}\n```", "    {}"])
def test_tables_code_and_html_may_be_wider(tmp_path, line):
    write(tmp_path, "README.md", line.format("x " * 60) + "\n")
    assert prose.check_width(tmp_path) == []


def test_a_long_link_alone_on_its_line_may_be_wider(tmp_path):
    write(tmp_path, "README.md", f"- [a link](https://example.org/{'x' * 100})\n")
    assert prose.check_width(tmp_path) == []
