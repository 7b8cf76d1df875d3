"""Run tests again and again, each time in a fork of a process that has loaded pytest already.

The runner starts it in a copy of the repository, and sends one order for each run: a line of JSON.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from pathlib import Path

import hypothesis.strategies
import pytest

# What most tests import, so that each run need not. Nothing here may import a file of lib/.
import tests.wsserver.peer
import tests.wsserver.programs  # noqa: F401
import tools.certs.cli  # noqa: F401

_GRACE = 15  # s for pytest to stop its boards
_SLOWER = 5  # times as long as in its clean run a test may take, and then
_PATIENCE = 10  # as many seconds more, in which a board may have to start


class _Plugin:
    """Chooses and orders the tests of one run, and writes down their results.

    durations: seconds of each test in a clean run; others are left out. earlier: names of tests
    that have noticed changes of the same file before, which run first. A test that takes far
    longer than in its clean run fails, and is among `slow`.
    """

    def __init__(self, order: dict):
        self._durations = order.get("durations")
        self._earlier = order.get("earlier", [])
        self._seconds: dict[str, float] = {}
        self._failed: list[str] = []
        self._slow: list[str] = []
        self._result = Path(order["result"])

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items):
        """Keep the tests that passed without a change, and run the quickest of a file first."""
        known = self._durations
        kept = [item for item in items if known is None or item.nodeid in known]
        if known is not None:
            files = list(dict.fromkeys(item.path for item in kept))
            early = {name: at for at, name in enumerate(self._earlier)}
            for item in kept:
                limit = int(known[item.nodeid] * _SLOWER) + _PATIENCE
                item.add_marker(pytest.mark.timeout(limit))
            kept.sort(
                key=lambda item: (
                    early.get(item.nodeid, len(early)),
                    "[CPython" not in item.nodeid,  # these need no board
                    files.index(item.path),
                    known[item.nodeid],
                )
            )
        items[:] = kept

    def pytest_runtest_logreport(self, report):
        """Add the time that a test took, its fixtures included."""
        name = report.nodeid
        self._seconds[name] = self._seconds.get(name, 0.0) + report.duration
        if not report.passed:  # skipped tests notice nothing
            self._failed.append(name)
            if "Timeout (>" in str(report.longrepr):  # of pytest-timeout
                self._slow.append(name)

    def pytest_sessionfinish(self):
        """Write the results."""
        result = {"seconds": self._seconds, "failed": self._failed, "slow": self._slow}
        self._result.write_text(json.dumps(result), encoding="utf-8")


def _run(order: dict) -> int:
    """Run the tests of an order in this process."""
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    arguments = ["-q", "-p", "no:cacheprovider", "-n0", "--hypothesis-profile=mutants"]
    arguments += [*order["options"], *order["tests"]]
    return int(pytest.main(arguments, plugins=[_Plugin(order)]))


def _wait(pid: int, seconds: float) -> int | None:
    """Return the exit status of a process, or None if it does not end in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if os.getppid() == 1:
            raise SystemExit("the runner has ended")
        time.sleep(0.02)
    return None


def _obey(order: dict) -> int | None:
    """Return the exit status of pytest, or None after the order's time."""
    pid = os.fork()
    if not pid:
        failed = 3
        try:
            failed = _run(order)
        finally:
            os._exit(failed)
    try:
        status = _wait(pid, order["limit"])
        if status is None:
            os.kill(pid, signal.SIGINT)
            _wait(pid, _GRACE)
    finally:
        # What hangs in a changed loop remains, even if pytest has ended. Boards end with pytest.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)
    return status


def main() -> None:
    """Obey until the end of the orders."""
    # The first example that fails is enough, and each run tries the same ones.
    phases = [hypothesis.Phase.explicit, hypothesis.Phase.generate]
    hypothesis.settings.register_profile("mutants", phases=phases, derandomize=True, database=None)
    for line in sys.stdin:
        print(json.dumps(_obey(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
