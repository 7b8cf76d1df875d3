"""docs/reliability.md, and the commands that write it."""

import json

import pytest

from tests.faults import figures
from tools.hardening.compare import checks, servers
from tools.hardening.compare.runner import outcome
from tools.hardening.fuzz import tally

pytestmark = pytest.mark.host

DOCUMENT = figures.DOCUMENT.read_text(encoding="utf-8")


def kept():
    return json.loads(figures.FILE.read_text(encoding="utf-8"))


def test_the_tables_of_make_faults_are_those_that_were_measured():
    for table, content in kept().items():
        assert figures.text(table, content) in DOCUMENT, table


def test_nothing_is_missing_in_what_was_measured():
    assert set(kept()) == set(figures.TABLES)


def test_the_inputs_of_make_fuzz_are_those_that_were_counted():
    assert tally.text(tally.load()) in DOCUMENT


def test_ten_million_inputs_have_been_tried():
    counts = [run["inputs"] for run in tally.load()]
    assert sum(sum(inputs.values()) for inputs in counts) >= 10_000_000


def test_a_row_that_is_measured_again_replaces_the_old_one_only(tmp_path, monkeypatch):
    document = tmp_path / "document.md"
    document.write_text("<!-- begin: make faults: dead -->\n<!-- end: make faults: dead -->\n")
    monkeypatch.setattr(figures, "FILE", tmp_path / "figures.json")
    monkeypatch.setattr(figures, "DOCUMENT", document)
    for rows in ([("hung", 3, 2), ("cut off", 2, 2)], [("hung", 1, 2)]):
        measured = figures.Figures()
        for row in rows:
            measured.add("dead", *row)
        measured.write()
    assert "| hung | 1 | 2 |\n| cut off | 2 | 2 |\n" in document.read_text()
    with pytest.raises(ValueError, match="3 columns"):
        measured.add("dead", "hung")


@pytest.mark.parametrize("server", servers.SERVERS, ids=lambda server: server.name)
def test_each_server_that_is_compared_serves(server):
    assert outcome(server, lambda board: str(checks.serves(board))) == "True"


def test_this_server_does_about_faults_what_the_comparison_says():
    ours = servers.SERVERS[0]
    assert outcome(ours, checks.foreign_page) == "403"
    assert outcome(ours, checks.failing_callback) == "closed with 1011; the others are served"
    assert outcome(ours, checks.slow_callback) == "answered; a warning names it"
