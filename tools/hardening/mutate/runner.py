"""Try changes one after the other, keep the results, and write docs/reliability.md."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
from collections import Counter
from collections.abc import Container
from pathlib import Path

from tools import ROOT
from tools.docs import sections
from tools.failure import Failure

from . import plan as plans
from .changes import Mutation, find_mutations
from .plan import Plan

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FOLDER = ROOT / "build" / "mutants"
EXPLAINED = Path(__file__).with_name("survivors.toml")
TALLY = Path(__file__).with_name("tally.json")
REASONS = {
    "equivalent": "the behaviour is the same",
    "performance": "only the time differs",
    "memory": "only the memory in use differs",
    "defence": "another check behind it refuses the same",
    "text": "only a text for the reader of the serial port differs",
    "word32": "only a 32-bit board runs it: there, a test fails (`make test WORD=32`)",
}
_SLOWER = 3  # times as long as unchanged code a run may take, and then
_PATIENCE = 20  # as many seconds more
_CLEAN_LIMIT = 900  # s for a run without a change
_EARLIER = 12  # tests that have noticed changes of the file before, which run first


class Results:
    """What is known of each change by its key, in a file to which each result is appended.

    tally: the results of other machines, {result: keys}, which are not in the file.
    """

    def __init__(self, path: Path, tally: dict[str, str] | None = None):
        self._path = path
        self.by_key: dict[str, dict] = {
            key: {"result": result, "file": "", "by": ""}
            for result, keys in (tally or {}).items()
            for key in keys.split()
        }
        if path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                with contextlib.suppress(ValueError):  # it was stopped while it wrote
                    record = json.loads(line)
                    self.by_key[record["key"]] = record

    def add(self, change: Mutation, result: str, by: str, seconds: float) -> None:
        """Append a result: "killed", "timeout" (a test did not end) or "survived"."""
        record = {
            "key": change.key,
            "result": result,
            "file": change.path.as_posix(),
            "line": change.line,
            "old": change.old,
            "new": change.new,
            "code": change.code,
            "by": by,
            "seconds": round(seconds, 1),
        }
        self.by_key[change.key] = record
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.write("\n" + json.dumps(record))

    def killers(self, path: Path) -> list[str]:
        """Return the tests that have noticed the most changes of a file."""
        found = Counter(
            record["by"]
            for record in self.by_key.values()
            if record["file"] == path.as_posix() and record["by"]
        )
        return [name for name, _ in found.most_common(_EARLIER)]


class Tree:
    """A copy of the repository, and the process that runs tests in it."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._result = folder / "mutants.json"
        _copy_tree(folder)
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tools.hardening.mutate.worker"],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._clean: dict[str, dict[str, float]] = {}
        self._trusted: set[str] = set()  # tests that have passed alone without a change

    def close(self) -> None:
        """End the process."""
        self._process.terminate()
        self._process.wait()

    def _run(self, tests: list[str], limit: float, **order) -> tuple[int | None, dict]:
        """Return (exit status or None after `limit` seconds, results of the tests)."""
        assert self._process.stdin and self._process.stdout
        self._result.unlink(missing_ok=True)
        order.update(tests=tests, limit=limit, result=str(self._result))
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        status = json.loads(self._process.stdout.readline())
        results = json.loads(self._result.read_text()) if self._result.exists() else {}
        return status, results

    def clean(self, file: str) -> dict[str, float]:
        """Return the seconds of each test of a file that passes without a change."""
        if file not in self._clean:
            content = (self.folder / file).read_bytes()
            kept = (
                FOLDER / f"clean-{hashlib.sha256(file.encode() + content).hexdigest()[:16]}.json"
            )
            if not kept.exists():
                _, results = self._run([file], _CLEAN_LIMIT, options=[])
                if not results.get("seconds"):
                    raise Failure(f"the tests do not run without a change: {file}")
                FOLDER.mkdir(parents=True, exist_ok=True)
                kept.write_text(json.dumps(results))
            results = json.loads(kept.read_text())
            self._clean[file] = {
                name: seconds
                for name, seconds in results["seconds"].items()
                if name not in results["failed"]
            }
        return self._clean[file]

    def _notices(self, names: str, plan: Plan, earlier: list[str]) -> str | None:
        """Run test files on a change. Return the test that failed, "", or None: it took too long.

        One that takes far too long has failed.
        """
        tests = plans.tests(names)
        durations = {
            name: seconds
            for file in tests
            for name, seconds in self.clean(file).items()
            if seconds <= plan.slowest and not (plan.without and plan.without in name)
        }
        limit = sum(durations.values()) * _SLOWER + _PATIENCE
        status, results = self._run(
            tests, limit, options=["-x"], durations=durations, earlier=earlier
        )
        if status is None:
            return None
        failed = [name for name in results.get("failed", []) if name in durations]
        if status and not failed:
            return tests[0]  # for example, nothing can be imported
        return failed[0] if status else ""

    def attempt(self, change: Mutation, plan: Plan, earlier: list[str]) -> tuple[str, str]:
        """Return ("killed", test), ("timeout", test), ("survived", "") or ("busy", test).

        A busy machine must not kill: the test has to fail again, alone, and pass without the
        change. busy: the machine was too busy for this test, so that there is no result.
        """
        path = self.folder / change.path
        source = path.read_bytes()
        for names in filter(None, (plan.first, plan.then)):
            for file in plans.tests(names):
                self.clean(file)
            result = "survived"
            try:
                path.write_bytes(change.apply(source))
                by = self._notices(names, plan, earlier)
                if by:
                    result = self._confirm(by)
            finally:
                path.write_bytes(source)
            if by is None or by and result == "survived":
                return "busy", by or "the tests to end in time"
            if by and not self._is_trusted(by):
                return self.attempt(change, plan, earlier) if "::" in by else ("busy", by)
            if by:
                return result, by
        return "survived", ""

    def _confirm(self, test: str) -> str:
        """Run a test that has failed on a change again. Return "killed", "timeout", "survived"."""
        file = test.split("::")[0]
        durations = {test: self._clean[file].get(test, 1.0)} if "::" in test else self._clean[file]
        status, results = self._run([file], _CLEAN_LIMIT, options=["-x"], durations=durations)
        if not status:
            return "survived"
        return "timeout" if results.get("slow") else "killed"

    def _is_trusted(self, test: str) -> bool:
        """Return whether a test passes alone without a change. If not, it is left out from now.

        The clean run of its file may be of another version of lib/, or its order may matter.
        """
        if test not in self._trusted:
            file = test.split("::")[0]
            if self._confirm(test) != "survived":
                print(f"fails without a change, and is left out: {test}", flush=True)
                self._clean[file].pop(test, None)
                return False
            self._trusted.add(test)
        return True


def _copy_tree(target: Path) -> None:
    """Copy the files of the working tree that belong to the repository, and link .venv."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, names.decode().split("\0")):
        source = ROOT / name
        if source.is_file() and not source.is_symlink():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name)
    for name in (".venv", ".micropython32"):
        if (ROOT / name).exists():
            (target / name).symlink_to((ROOT / name).resolve())


def explained() -> dict[str, str]:
    """Return the reason of each explained survivor by "file: old -> new in code"."""
    rows = tomllib.loads(EXPLAINED.read_text(encoding="utf-8"))["survivor"]
    return {f"{row['file']}: {row['change']} in {row['code']}": row["reason"] for row in rows}


def _name(change: Mutation) -> str:
    """Return how survivors.toml names a change."""
    return f"{change.path.as_posix()}: {change.old} -> {change.new} in {change.code}"


def _known() -> Results:
    """Return the results of this machine, and those that were documented before."""
    tally = json.loads(TALLY.read_text(encoding="utf-8"))
    return Results(FOLDER / "results.jsonl", tally.get("results"))


def queue(known: Container[str] = ()) -> list[tuple[Mutation, Plan]]:
    """Return all changes, at random, but each time in the same order.

    The first ones are one of each function, then comes a second one of each, and so on. Within
    such a round, the files take turns, those with a higher weight more often. known: the keys of
    the changes that were tried; they are the first ones of their functions.
    """
    entries = []
    for number, (path, plan) in enumerate(plans.sources().items()):
        changes = find_mutations(path, (ROOT / path).read_bytes())
        random.Random(path.as_posix()).shuffle(changes)
        changes.sort(key=lambda change: change.key not in known)
        rounds: Counter[str] = Counter()
        tried: Counter[int] = Counter()
        for change in changes:
            turn = rounds[change.function]
            rounds[change.function] += 1
            entries.append((turn, tried[turn] / plan.weight, number, change, plan))
            tried[turn] += 1
    entries.sort(key=lambda entry: entry[:3])
    return [entry[3:] for entry in entries]


def run(seconds: float, only: str, again: bool) -> int:
    """Try changes that were not tried yet for so long; `again`: those that have survived.

    Return 0, or 1 if there are survivors without an explanation.
    """
    end = time.monotonic() + seconds
    results = _known()
    entries = [entry for entry in queue(results.by_key) if only in str(entry[0])]
    if again:
        survivors = {change.key for change in unexplained(results, entries)}
        left = [entry for entry in entries if entry[0].key in survivors]
    else:
        left = [entry for entry in entries if entry[0].key not in results.by_key]
    with tempfile.TemporaryDirectory(prefix="mutants-", ignore_cleanup_errors=True) as folder:
        tree = Tree(Path(folder))
        try:
            for change, plan in left:
                if time.monotonic() > end:
                    break
                started = time.monotonic()
                result, by = tree.attempt(change, plan, results.killers(change.path))
                if result == "busy":
                    print(f"the machine is too busy for {by}, to be tried again: {change}")
                    sys.stdout.flush()
                    continue
                results.add(change, result, by, time.monotonic() - started)
                if result == "survived":
                    print(f"survived: {change}", flush=True)
        finally:
            tree.close()
    return report(results, entries)


def unexplained(results: Results, entries: list[tuple[Mutation, Plan]]) -> list[Mutation]:
    """Return the survivors that have no explanation."""
    reasons = explained()
    return [
        change
        for change, _ in entries
        if results.by_key.get(change.key, {}).get("result") == "survived"
        and _name(change) not in reasons
    ]


def report(results: Results, entries: list[tuple[Mutation, Plan]]) -> int:
    """Print a line for each file with tries, and the survivors that are not explained."""
    for row in rows(results, entries):
        print("{:<32}{:>6} possible{:>6} tried{:>6} killed{:>6} survived".format(*row[:5]))
    survivors = unexplained(results, entries)
    for change in survivors:
        print(f"not explained: {change}")
    return 1 if survivors else 0


def rows(results: Results, entries: list[tuple[Mutation, Plan]]) -> list[tuple]:
    """Return (file, possible, tried, killed, survived, {reason: survivors}) for each file."""
    reasons = explained()
    found: dict[str, list] = {}
    for change, _ in entries:
        name = change.path.relative_to("lib").as_posix()
        row = found.setdefault(name, [name, 0, 0, 0, 0, Counter()])
        row[1] += 1
        record = results.by_key.get(change.key)
        if record:
            row[2] += 1
            if record["result"] == "survived":
                row[4] += 1
                row[5][reasons.get(_name(change), "not explained")] += 1
            else:
                row[3] += 1
    return [tuple(row) for row in found.values()]


def document() -> None:
    """Write the results so far to tally.json and docs/reliability.md."""
    results = _known()
    entries = queue()
    table = [[*row[:5], dict(row[5])] for row in rows(results, entries)]
    known = [(change, results.by_key.get(change.key)) for change, _ in entries]
    tally = {
        **sections.now(),
        "functions": len({(change.path, change.function) for change, _ in known}),
        "functions_tried": len({(change.path, change.function) for change, has in known if has}),
        "endless": sum(1 for _, has in known if has and has["result"] == "timeout"),
        "results": {
            result: " ".join(
                change.key for change, has in known if has and has["result"] == result
            )
            for result in ("killed", "timeout", "survived")
        },
        "files": table,
    }
    TALLY.write_text(json.dumps(tally, indent=1) + "\n", encoding="utf-8")
    sections.put(ROOT / "docs" / "reliability.md", "make mutate", text(tally))


def text(tally: dict) -> str:
    """Return the section of docs/reliability.md."""
    files = tally["files"]
    possible, tried, killed, survived = (sum(row[at] for row in files) for at in range(1, 5))
    reasons: Counter[str] = Counter()
    for row in files:
        reasons.update(row[5])
    about = (
        f"Until {sections.when(tally)}, {tried:,} of {possible:,} possible changes were tried. "
        f"At least one was tried in {tally['functions_tried']} of {tally['functions']} functions. "
        f"{killed:,} made a test fail, {tally['endless']} of these because it did not end; "
        f"{survived:,} did not."
    )
    rows = [(f"`{row[0]}`", row[1], row[2], row[4]) for row in files if row[2]]
    known = {**REASONS, "not explained": "not examined yet"}
    whys = [(reasons[reason], why) for reason, why in known.items() if reasons[reason]]
    tried_files = sections.table(("file in lib/", "possible", "tried", "survived"), rows)
    survivors = sections.table(("survivors", "why no test fails"), whys)
    return f"{textwrap.fill(about, 100)}\n\n{tried_files}\n{survivors}"
