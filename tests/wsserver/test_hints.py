"""Hints below a traceback: misspelled names, forgotten `await`, values that have to be called."""

import ast

import pytest

from tests.wsserver.programs import run_script
from tests.wsserver.web import Web
from tools import ROOT
from tools.wsclient import TEXT, frame

APP = """
from wsserver import Server


async def reading():
    return 5


def five():
    return 5


class Tries:
    '''Executes what a client sends.'''

    def on_message(self, client, message):
        exec(message, globals(), {"client": client, "self": self})


class Awaits:
    async def on_message(self, client, message):
        await client.send(message)


server = Server()
server.websocket("/ws", Tries())
server.websocket("/awaits", Awaits())
server.route("/jsno")(lambda request: request.jsno())
server.route("/json")(lambda request: request.json["x"])
server.route("/status")(lambda request: (404, "not here"))


@server.route("/dict")
def dictionary(request):
    return {"x": reading()}


server.listen(80)
server.run()
"""


@pytest.fixture(scope="module")
def board(make_board):
    return make_board(files={"main.py": APP}, heap="256k")


def lines_after(board, position, count):
    """The last lines of a traceback that a board has printed, once it has."""
    board.wait_for_log(r"Traceback(.*\n)*?(\w+(Error|Exception): .*\n)" + "(.+\n)" * count,
                       since=position)  # fmt: skip
    return board.log[position:]


MISTAKES = {
    "client.sned('x')": "Client has no sned: did you mean send?",
    "client.sendText('x')": "Client has no sendText: did you mean send?",
    "client.Send('x')": "Client has no Send: did you mean send?",
    "client.colour": "Client has no colour. It has send, close, ping, pong, join, leave,",
    "server.brodcast('x')": "Server has no brodcast: did you mean broadcast?",
    "server.broadcast('x', grup='a')": "grup: did you mean group?",
    "five + five": "unsupported type",
    "five[0]": "a function is not its result: call it",
    "'speed ' + 5": "str(value) makes a text of another value",
    "reading() + 1": "a coroutine is not its result: put `await` before the call",
    "reading().value": "a coroutine is not its result: put `await` before the call",
    "client.send(reading())": "send() takes str or bytes, not a coroutine: put `await`",
    "client.send({'x': 5})": "not dict: json.dumps() makes a text of it",
    "client.send(five)": "function: call it, as in f()",
    "server.client(99).send('x')": "server.client() returns None when the client has left",
    "{'t': 5}.t": 'a dict has no attributes of its own: write ["t"]',
    "board.server": "setup(board) gets the board",
    "raise OSError(-202)": "the host name could not be resolved: is there a network? (-202)",
    "raise ValueError('the sensor')": "ValueError: the sensor",
}


@pytest.mark.parametrize("call", MISTAKES)
def test_a_mistake_in_a_callback_is_explained(raw, board, call):
    position = board.log_position
    raw(board).open("/ws").send(frame(TEXT, call.encode()))
    board.wait_for_log("Traceback", since=position)
    board.wait_for_log(r"\w+Error: ", since=position)
    text = MISTAKES[call].replace("(", r"\(").replace(")", r"\)").replace("?", r"\?")
    text = text.replace("[", r"\[")
    board.wait_for_log(text.replace("`", "."), since=position)


def test_a_needless_await_is_explained(raw, board):
    position = board.log_position
    raw(board).open("/awaits").send(frame(TEXT, b"x"))
    board.wait_for_log("is this an `await` too many", since=position)


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("/jsno", "Request has no jsno: did you mean json"),
        ("/json", "a function is not its result: call it"),
        ("/status", r"status must be an int, not 'not here'\r?\n/status: .* has returned it"),
        ("/dict", r"/dict: (dictionary|the function)\(\) has returned it"),
    ],
)
def test_a_mistake_in_a_route_is_explained(board, path, line):
    position = board.log_position
    assert Web(board).ask(path).status == 500
    board.wait_for_log(line, since=position)


def test_a_peers_text_in_a_hint_is_escaped(raw, board):
    position = board.log_position
    raw(board).open("/ws").send(frame(TEXT, b"getattr(client, 'sned\\n\\x1b[2J')"))
    found = board.wait_for_log(r"Client has no sned.*", since=position)[0]
    assert r"\x0a\x1b[2J" in found


def test_an_attribute_that_is_missing_loads_no_hints_by_itself(lib, tmp_path):
    """Programs ask for optional attributes of their own: that must stay cheap."""
    program = """
import sys
from wsserver import Server, lazy

load, loaded = lazy.load, []
lazy.load = lambda name: loaded.append(name) or load(name)
server = Server()
before = len(loaded)
print(hasattr(server, "websockets"), getattr(server, "mine", 5), loaded[before:])
"""
    assert run_script(lib, program, tmp_path) == "False 5 []\n"


def public_names(tree, name):
    """The public attributes of a class in a stub."""
    body = next(node.body for node in tree.body if getattr(node, "name", "") == name)
    names = {node.target.id for node in body if isinstance(node, ast.AnnAssign)}
    names |= {
        node.name for node in body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    }
    return {name for name in names if not name.startswith("_")}


@pytest.mark.host
@pytest.mark.parametrize(
    ("stub", "kind"),
    [
        ("wsserver/__init__.pyi", "Server"),
        ("wsserver/__init__.pyi", "Client"),
        ("wsserver/__init__.pyi", "Request"),
        ("wsserver/__init__.pyi", "Response"),
        ("wsserver/__init__.pyi", "Part"),
        ("wsserver/__init__.pyi", "Events"),
        ("wsserver/__init__.pyi", "Timer"),
        ("application.pyi", "Board"),
        ("panel.pyi", "Panel"),
    ],
)
def test_the_hints_know_the_names_of_each_class(stub, kind):
    source = (ROOT / "lib" / "wsserver" / "errorhints.py").read_text()
    known = next(
        ast.literal_eval(node.value)
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_NAMES"
    )
    tree = ast.parse((ROOT / "typings" / stub).read_text())
    assert set(known[kind].split()) == public_names(tree, kind)
