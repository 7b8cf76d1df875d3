"""The core, on both interpreters: the `core` fixture takes an order (see agent.py) and gives the
answer.
"""

import json
from pathlib import Path

import pytest

import tools.hardening.fuzz.core  # noqa: F401 - makes the core known to CPython
from tests.linewise import Linewise

ROOT = Path(__file__).resolve().parents[3]
LIB = ROOT / "lib"
AGENT = Path(__file__).with_name("agent.py")


class MicroPythonCore:
    """A MicroPython process that runs agent.py and obeys orders."""

    def __init__(self, process):
        self._process = process
        self.codes = ["portable", "native"] if "True" in process.greeting else ["portable"]

    def __call__(self, **order):
        return json.loads(self._process.ask(json.dumps(order)))


class CPythonCore:
    """The same orders, in this process."""

    codes = ["portable"]

    def __call__(self, **order):
        from . import agent

        return agent.obey(order)


@pytest.fixture(scope="session", params=["CPython", "MicroPython"])
def core(request, lib):
    """The core on one interpreter: core(do="session", ...) -> answer; core.codes: the inner loops
    that it has. MicroPython runs it in the form that boards have (--lib).
    """
    if request.param == "CPython":
        yield CPythonCore()
        return
    with Linewise(AGENT, lib, heap="16m") as process:
        yield MicroPythonCore(process)
