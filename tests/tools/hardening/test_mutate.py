"""The changes that `make mutate` tries, what it keeps of them, and its part of the document."""

import json
from pathlib import Path

import pytest

from tools import ROOT
from tools.hardening.mutate import plan, runner
from tools.hardening.mutate.changes import find_mutations

pytestmark = pytest.mark.host

PATH = Path("lib/x.py")
SOURCE = b'''"""Do something, 5 times."""

LIMIT = const(20)


def check(count: int = 3) -> None:
    """Return nothing, 7 times."""
    if not count and LIMIT <= 4:
        print("text", 8)
        self.log(9)
        self.count = count + 1
    gc.collect()
    run("\xc3\xbc", True)
'''


def changes(source=SOURCE):
    return [(change.old, change.new) for change in find_mutations(PATH, source)]


def test_operators_constants_and_statements_are_changed():
    assert sorted(changes()) == sorted(
        [
            ("20", "10"),
            ("3", "4"),
            ("not ", ""),
            ("and", "or"),
            ("<=", "<"),
            ("4", "5"),
            ("self.count = count + 1", "pass"),
            ("+", "-"),
            ("1", "2"),
            ('run("\u00fc", True)', "pass"),
            ("True", "False"),
        ]
    )


def test_a_change_replaces_one_piece_of_the_source():
    for change in find_mutations(PATH, SOURCE):
        changed = change.apply(SOURCE)
        assert changed != SOURCE
        assert len(changed) - len(SOURCE) == len(change.new.encode()) - len(change.old.encode())
        assert SOURCE.splitlines()[change.line - 1].decode().strip() == change.code


def test_a_change_keeps_its_key_while_its_line_stays_as_it_is():
    keys = {change.key for change in find_mutations(PATH, SOURCE)}
    assert len(keys) == len(changes())
    moved = b"import gc\n" + SOURCE.replace(b"LIMIT <= 4", b"LIMIT <= 6")
    assert len(keys & {change.key for change in find_mutations(PATH, moved)}) == len(keys) - 4


def test_equal_lines_have_different_keys():
    assert len({change.key for change in find_mutations(PATH, b"a = 1\na = 1\n")}) == 2


def test_results_are_kept_and_the_latest_of_a_change_counts(tmp_path):
    path = tmp_path / "results.jsonl"
    one, two, *_ = find_mutations(PATH, SOURCE)
    results = runner.Results(path)
    results.add(one, "survived", "", 1)
    results.add(two, "killed", "tests/a.py::test", 1)
    results.add(one, "killed", "tests/a.py::test", 1)
    again = runner.Results(path)
    assert [again.by_key[change.key]["result"] for change in (one, two)] == ["killed", "killed"]
    assert again.killers(PATH) == ["tests/a.py::test"]


def test_an_interrupted_line_of_results_is_ignored(tmp_path):
    path = tmp_path / "results.jsonl"
    one, two, *_ = find_mutations(PATH, SOURCE)
    runner.Results(path).add(one, "killed", "", 1)
    with path.open("a") as file:
        file.write('\n{"key": "')
    runner.Results(path).add(two, "killed", "", 1)
    assert set(runner.Results(path).by_key) == {one.key, two.key}


@pytest.mark.parametrize("one", plan.PLANS, ids=lambda one: one.sources)
def test_the_files_of_a_plan_exist(one):
    for file in plan.tests(f"{one.first} {one.then}"):
        assert (ROOT / file).is_file(), file
    for name in one.sources.split():
        if "*" not in name:
            path = name[1:] if name[0] == "/" else f"wsserver/{name}"
            assert (ROOT / "lib" / path).is_file(), name


def test_each_file_of_core_http_and_failsafe_is_tried():
    expected = {ROOT / "lib/config/atomic.py", ROOT / "lib/admin/access.py"}
    for folder in ("wsserver/core", "wsserver/http", "failsafe"):
        expected |= set((ROOT / "lib" / folder).glob("*.py"))
    assert {ROOT / path for path in plan.sources()} == expected


def test_each_explanation_is_of_a_change_that_still_exists(monkeypatch):
    # The attempt to compile each of thousands takes most of the time.
    monkeypatch.setattr(f"{find_mutations.__module__}._compiles", lambda source: True)
    reasons = runner.explained()
    assert set(reasons.values()) <= set(runner.REASONS)
    found = {
        f"{change.path.as_posix()}: {change.old} -> {change.new} in {change.code}"
        for change, _ in runner.queue()
    }
    assert set(reasons) <= found


def test_a_function_without_a_tried_change_comes_before_second_changes(monkeypatch):
    source = b"def one():\n    return 1 + 2\n\n\ndef two():\n    return 3\n"
    monkeypatch.setattr(runner, "find_mutations", lambda path, _: find_mutations(path, source))
    last = next(c for c, _ in reversed(runner.queue()) if c.function == "one")
    entries = [change for change, _ in runner.queue({last.key}) if change.path == last.path]
    assert entries[0] == last
    assert [change.function for change in entries] == ["one", "two", "one", "one"]


def test_the_figures_of_make_mutate_are_those_that_were_measured():
    document = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    tally = json.loads(runner.TALLY.read_text(encoding="utf-8"))
    assert runner.text(tally) in document
