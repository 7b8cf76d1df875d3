"""Mistakes in a user's program that MicroPython does not report: warnings with file and line."""

import ast
import re

import pytest

from tests.tools.deploy.test_application import ECHO, write
from tools import ROOT
from tools.deploy import mistakes, modules
from tools.deploy.application import find
from tools.failure import Failure

pytestmark = pytest.mark.host


def found(text, is_main=False):
    return mistakes.find(ast.parse(text), is_main)


IN_ON_MESSAGE = """import asyncio, time
class Endpoint:
    {kind} on_message(self, client, message):
        {line}
    async def measure(self):
        await asyncio.sleep(1)
    def plain(self):
        print()
def setup(board):
    pass
"""


@pytest.mark.parametrize(
    ("kind", "line", "words"),
    [
        ("async def", "asyncio.sleep(1)", "asyncio.sleep() does nothing without `await`"),
        ("async def", "asyncio.gather(1)", "asyncio.gather() does nothing without `await`"),
        ("def", "asyncio.sleep_ms(1)", "`await asyncio.sleep_ms(...)`, in an async function"),
        ("async def", "client.drain()", "client.drain() does not wait without `await`"),
        ("async def", "self.measure()", "self.measure() is async, and does not run"),
        ("async def", "await client.send('x')", "client.send() is not async"),
        ("async def", "await self.server.broadcast('x')", "broadcast() is not async"),
        ("async def", "await self.plain()", "remove `await`, or write `async def plain`"),
        ("async def", "time.sleep(0.2)", "time.sleep() stops the server for all clients"),
        ("def", "time.sleep_ms(200)", "`await asyncio.sleep()` does not, in an async function"),
        ("def", "input()", "input() stops the server"),
        ("def", "client.close", "to call it, write client.close()"),
        ("def", "client.context == 5", "== compares"),
        ("def", "asyncio.create_task(self.measure())", "nothing runs this task"),
        ("async def", "while True: self.plain()", "this loop never waits"),
        ("def", "while True: self.plain()", "on_message() never returns"),
        ("def", "client.contxt = 5", "did you mean client.context?"),
        ("def", "board.server.orgins = []", "did you mean board.server.origins?"),
        ("def", "self.server.max_size = 5", "max_size is read only"),
        ("def", "self.server.every(1000, self.plain())", "pass self.plain, without ()"),
        ("def", "server.call_soon(self.measure())", "pass self.measure, without ()"),
        ("def", "board.panel.switch('x', set=self.plain())", "pass self.plain, without ()"),
        ("def", "yield 'a'", "on_message() cannot yield"),
    ],
)
def test_a_mistake_is_found_at_its_line(kind, line, words):
    findings = found(IN_ON_MESSAGE.format(kind=kind, line=line))
    assert [number for number, _ in findings] == [4]
    assert words in findings[0][1]


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("async def", "await asyncio.sleep(1)"),
        ("async def", "task = asyncio.create_task(self.measure())"),
        ("async def", "await client.drain()"),
        ("async def", "await asyncio.gather(self.measure(), asyncio.sleep(1))"),
        ("async def", "while True: await self.measure()"),
        ("async def", "await self.unknown()"),
        ("async def", "yield from asyncio.sleep(1)"),
        ("def", "time.sleep_ms(20)"),
        ("def", "time.sleep(self.pause)"),
        ("def", "while True: break"),
        ("def", "client.room = 5"),
        ("def", "client.contxt = 5; print(client.contxt)"),  # an attribute of its own
        ("def", "client.context = 5"),
        ("def", "self.server._orgins = 5"),
        ("def", "self.server.every(1000, self.plain)"),
        ("def", "self.server.every(1000, lambda: self.plain())"),
        ("def", "client.send('x') == True or print('x')"),
    ],
)
def test_what_may_be_right_is_no_mistake(kind, line):
    assert found(IN_ON_MESSAGE.format(kind=kind, line=line)) == []


# Correct programs that resemble a mistake.
CORRECT = {
    "asyncio.run() on a computer": """import asyncio
async def main(): await asyncio.sleep(1)
if __name__ == "__main__":
    asyncio.run(main())""",
    "a second server, as a task": """import asyncio
from wsserver import Server
async def setup(board):
    task = asyncio.create_task(Server().serve())""",
    "a second server, in a timer or thread": """from wsserver import Server
import _thread
def setup(board):
    other = Server()
    board.server.every(10, other.step)
    _thread.start_new_thread(other.run, ())""",
    "a Server of another library": """from modbus import Server
class Own:
    def __init__(self):
        self.server = Server(1)
        self.server.max_size = 5
def setup(board): board.server.every(10, Own().server.poll)""",
    "a client of another library": """from mqtt import MQTTClient
class Uplink:
    async def run(self):
        await self.client.ping()
async def setup(board):
    client = MQTTClient()
    client.on_message = print
    await client.close()""",
    "tests for a feature": """import network
def setup(board):
    try: network.LAN
    except AttributeError: print("no Ethernet")""",
    "a property that is read": """class Sensor:
    @property
    def level(self): print("reads")
    def clear(self): self.level""",
    "waits before the server serves": """import time
class Sensor:
    def setup(self): time.sleep(1)
    def on_off(self):
        while True: time.sleep(1)
    def on_cells(self):
        yield 1
def setup(board): time.sleep(0.5)""",
    "a task of a helper": """import asyncio
class Pump:
    def start(self): self.task = asyncio.create_task(self.loop())
    async def loop(self): await asyncio.sleep(1)
async def setup(board): Pump().start()""",
    "a task while setup() runs": """import asyncio
class Endpoint:
    def on_open(self, client): client.context = asyncio.create_task(answer(client))
async def answer(client): await asyncio.sleep(1)
async def setup(board): await asyncio.sleep(5)""",
    "decorators that change a function": """from helpers import background, throttle
@background
async def measure(): print()
@throttle
def tick(): print()
def setup(board):
    measure()
    board.server.every(1000, tick())""",
    "names of other scopes": """from drivers import Base, update
class A(Base):
    def go(self):
        self.refresh()
        update()
    async def work(self): await self.read()
class B:
    async def update(self): print()
    async def refresh(self): print()
    def read(self): print()
    async def callback(self): print()
def each(callback): callback()""",
    "methods of a subclass": """class Device:
    def read(self): raise NotImplementedError
    def wait(self): pass
    async def loop(self):
        await self.read()
        await self.wait()""",
    "loops that end": """import machine
async def consume(values):
    try:
        while True: print(next(values))
    except StopIteration: pass
async def restart():
    while True: machine.deepsleep(1000)""",
    "attributes of its own": """class Endpoint:
    def on_open(self, client):
        client.message = 0
        client.param = None
    def on_message(self, client, message):
        client.message += 1
        print(getattr(client, "param"))""",
    "an input() of its own": """from buttons import input
def on_message(client, message): client.send(input())""",
}


@pytest.mark.parametrize("text", CORRECT.values(), ids=CORRECT)
def test_a_correct_program_is_not_warned_about(text):
    assert found(text) == []


CORRECT_MAIN = {
    "in a thread": """import _thread
from wsserver import Server
server = Server()
_thread.start_new_thread(server.run, ())""",
    "by another module": """from runner import start
from wsserver import Server
server = Server()
start(server)""",
    "by a helper setup()": """from wsserver import Server
server = Server()
def setup():
    while True: server.step(10)
setup()""",
    "in another module": """from web import server
def setup(pins): print(pins)
setup([1])
server.run()""",
}


@pytest.mark.parametrize("text", CORRECT_MAIN.values(), ids=CORRECT_MAIN)
def test_a_server_that_runs_is_not_warned_about(text):
    assert found(text, True) == []


def test_a_module_may_read_the_attributes_that_another_assigns(tmp_path, capsys):
    chat = "def on_open(client):\n    client.message = 0\n"
    folder = write(tmp_path, app_py=ECHO, chat_py=chat)
    modules.check(find(folder))
    assert "nothing reads client.message" in capsys.readouterr().err
    write(tmp_path, log_py="def log(client):\n    print(client.message)\n")
    modules.check(find(folder))
    assert "nothing reads" not in capsys.readouterr().err


ROUTE = """from wsserver import Server
server = Server()
@server.route("/values")
def values(request):
    {line}
server.listen(80)
server.run()
"""


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("yield 'a'", "values() cannot yield: return Response(f())"),
        ("{'a': 1}", "is a `return` missing?"),
        ("x = [1]; x", "is a `return` missing?"),
        ("f'{request}'", "is a `return` missing?"),
    ],
)
def test_a_mistake_in_a_route_is_found(line, words):
    findings = found(ROUTE.replace("{line}", line), True)
    assert [number for number, _ in findings] == [5]
    assert words in findings[0][1]
    assert found(ROUTE.replace("{line}", "return {'a': 1}"), True) == []


def test_a_program_that_serves_nothing_is_found():
    text = "from wsserver import Server\nserver = Server()\nserver.listen(80)\n"
    assert found(text, True) == [
        (2, "no server.run() follows, so the program ends at once and serves nothing")
    ]
    for end in ("server.run()", "await server.serve()", "server.step(5)"):
        assert found(f"{text}async def main():\n    {end}\n", True) == []


def test_a_server_of_its_own_in_an_application_is_found():
    text = "from wsserver import Server\ndef setup(board):\n    Server().listen(81)\n"
    ((line, words),) = found(text)
    assert (line, "use board.server" in words) == (3, True)
    ((line, words),) = found("import asyncio\ndef setup(board):\n    asyncio.run(main())\n")
    assert (line, "make setup() async" in words) == (3, True)


def test_an_application_that_is_run_as_a_program_is_found():
    ((line, words),) = found("def setup(board):\n    pass\n", True)
    assert (line, "APP= runs, not MAIN=" in words) == (1, True)


def test_examples_and_recipes_have_no_mistakes():
    for file in (ROOT / "examples").glob("*.py"):
        assert found(file.read_text()) == [], file
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for block in re.findall(r"```python.*?\n(.*?)```", page.read_text(), re.S):
            findings = found(block, "Server(" in block)
            # Pieces of programs begin before, or go on elsewhere.
            assert [text for _, text in findings if "no server.run()" not in text] == [], page


def test_mistakes_are_warnings_with_file_and_line(tmp_path, capsys):
    file = write(tmp_path, app_py=ECHO + "    board.server.orgins = []\n") / "app.py"
    modules.check(find(tmp_path))
    warning = "nothing reads board.server.orgins; did you mean board.server.origins?"
    assert capsys.readouterr().err == f"warning: {file}:8: {warning}\n"


def test_a_program_is_checked_like_an_application(tmp_path, capsys):
    file = tmp_path / "main.py"
    file.write_text("import sensorz\nfrom wsserver import Server\nserver = Server()\n")
    modules.check_main(file)
    printed = capsys.readouterr().err
    assert f"warning: {file}:1: no module 'sensorz'" in printed
    assert f"warning: {file}:3: no server.run() follows" in printed
    file.write_text("x = (\n")
    with pytest.raises(Failure, match=r"main\.py:1: '\(' was never closed"):
        modules.check_main(file)
