"""The core, on both interpreters: the `core` fixture takes an order (see agent.py) and gives the
answer.
"""

import json
import subprocess
from pathlib import Path

import pytest

import tools.hardening.fuzz.core  # noqa: F401 - makes the core known to CPython
from tools.virtualboard import find_micropython

ROOT = Path(__file__).resolve().parents[3]
LIB = ROOT / "lib"
AGENT = Path(__file__).with_name("agent.py")


class MicroPythonCore:
    """A MicroPython process that runs agent.py and obeys orders over its standard input and
    output.
    """

    def __init__(self, lib):
        command = [*find_micropython(), "-X", "heapsize=16m", str(AGENT), str(lib)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        ready = self._process.stdout.readline().split()
        assert ready[:1] == ["ready"], "the agent did not start"
        self.codes = ["portable", "native"] if ready[1] == "True" else ["portable"]

    def __call__(self, **order):
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the agent died of %r" % order
        return json.loads(answer)

    def stop(self):
        self._process.stdin.close()
        self._process.wait(10)


class CPythonCore:
    """The same orders, in this process."""

    codes = ["portable"]

    def __call__(self, **order):
        from . import agent

        return agent.obey(order)

    def stop(self):
        pass


@pytest.fixture(scope="session", params=["CPython", "MicroPython"])
def core(request, lib):
    """The core on one interpreter: core(do="session", ...) -> answer; core.codes: the inner loops
    that it has. MicroPython runs it in the form that boards have (--lib).
    """
    core = CPythonCore() if request.param == "CPython" else MicroPythonCore(lib)
    yield core
    core.stop()
