"""The types in typings/: they find mistakes of applications, and agree with the code."""

import ast
import re

import pytest

from tools import ROOT
from tools.deploy import template
from tools.lint.applications import annotated, check_applications, examples

pytestmark = pytest.mark.host

APPLICATION = """\
import machine


class Chat:
    def __init__(self, server):
        self.server = server

    def on_message(self, client, message):
        client.send(message)


def setup(board):
    board.server.websocket("/chat", Chat(board.server))
"""


@pytest.fixture(scope="module")
def findings(tmp_path_factory):
    """{name: the findings of an application that has one mistake}, all checked at once."""
    folder = tmp_path_factory.mktemp("applications")
    mistakes = {
        "none": ("", ""),
        "class": ("Chat(board.server)", "Chat"),
        "method": ("client.send", "client.sned"),
        "type": ("client.send(message)", "client.send(5)"),
        "signature": ("def on_message(self, client, message)", "def on_message(self, message)"),
        "option": ("(board.server))", "(board.server), overflow='wait')"),
        "module": ("import machine", "import machine, os; os.getenv('HOME')"),
        "stream": ("client.send(message)", "client.send_stream(5)"),
        "switch": ("(board.server))", "(board.server)); board.panel.switch('Lamp')"),
        "slider": ("(board.server))", "(board.server)); board.panel.slider('Fan', float)"),
        "answer": ("def setup", "def bad(request) -> float:\n    return 0.5\n\n\ndef setup"),
        "later": ("def setup", "async def bad(request) -> set:\n    return {5}\n\n\ndef setup"),
        "event": ("(board.server))", "(board.server)); board.server.events('/e').send(5)"),
    }
    files = []
    for name, (old, new) in mistakes.items():
        files.append(folder / f"{name}.py")
        text = APPLICATION.replace(old, new)
        if "def bad" in new:
            text += "    board.server.route('/bad')(bad)\n"
        files[-1].write_text(text)
    files.append(folder / "template.py")
    files[-1].write_text(template.TEXT.format(name="template.py"))
    lines = check_applications(files)
    return {
        file.stem: "\n".join(line for line in lines if line.startswith(f"{file}:"))
        for file in files
    }


@pytest.mark.parametrize(
    ("name", "finding"),
    [
        ("class", r'class\.py:13: .*websocket.*incompatible type "type\[Chat\]"'),
        ("method", r'method\.py:9: .*"Client" has no attribute "sned"'),
        ("type", r'type\.py:9: .*"send".* incompatible type "int"'),
        ("signature", r"signature\.py:13: .*websocket.*incompatible type"),
        ("option", r"option\.py:13: .*incompatible type"),
        ("stream", r'stream\.py:9: .*"send_stream".* incompatible type "int"'),
        ("switch", r'switch\.py:13: .*No overload variant of "switch" of "Panel"'),
        ("slider", r'slider\.py:13: .*No overload variant of "slider" of "Panel"'),
        ("answer", r"answer\.py:18: .*_Handler.* cannot be"),
        ("later", r"later\.py:18: .*_Handler.* cannot be"),
        ("event", r'event\.py:13: .*"send" of "Events".* incompatible type "int"'),
        ("module", r'module\.py:1: .*has no attribute "getenv"'),
    ],
)
def test_mypy_finds_a_mistake_in_an_application(findings, name, finding):
    assert re.search(finding, findings[name]), findings[name]


def test_correct_applications_have_no_findings(findings):
    assert (findings["none"], findings["template"]) == ("", "")


TYPED = """\
import asyncio

from wsserver import Client, Request, Response, Server


class Pieces:
    def __aiter__(self):
        return self

    async def __anext__(self) -> str:
        raise StopAsyncIteration


class Files:
    def on_message(self, client: Client, message: str) -> None:
        client.send_stream(open("a", "rb"))
        client.send_stream("%d" % number for number in range(9))
        client.send_stream(b"bytes")
        client.send_stream(Pieces(), text=True)
        asyncio.create_task(client.drain())


server = Server()
server.websocket("/files", Files())
for number, result in enumerate((None, 204, "a", b"b", bytearray(3), {"a": 1}, [1], ("a", 201))):
    server.route("/%d" % number)(lambda request: result)


@server.route("/async")
async def later(request: Request) -> tuple[str, int]:
    return "a", 201


@server.route("/response")
def response(request: Request) -> Response:
    return Response("a")


events = server.events("/events")
events.send({"a": 1}, id=5)
events.send("text", event="kind", id="five")
asyncio.run(server.serve())
"""


def test_mypy_accepts_all_sources_of_streams_and_the_coroutines(tmp_path):
    (tmp_path / "typed.py").write_text(TYPED)
    assert check_applications([tmp_path / "typed.py"]) == []


def test_mypy_accepts_the_examples():
    assert check_applications(examples()) == []


def test_types_that_are_filled_in_keep_the_numbers_of_lines():
    text = annotated(APPLICATION)
    assert text.count("\n") == APPLICATION.count("\n")
    assert 'client: "wsserver.Client", message' in text
    assert 'def setup(board: "application.Board"):' in text


# --- the stubs and the code

STUBS = {
    "wsserver/__init__.pyi": {
        "Server": ("wsserver/server.py", "wsserver/servermethods.py"),
        "Client": (
            *("wsserver/core/protocol.py", "wsserver/core/buffers.py"),
            "wsserver/clientmethods.py",
        ),
        "Request": "wsserver/http/request.py",
        "Response": "wsserver/http/response.py",
    },
    "wsserver/http/auth.pyi": {"Token": "wsserver/http/auth.py", "Basic": "wsserver/http/auth.py"},
    "wsserver/http/ratelimit.pyi": {"Limits": "wsserver/http/ratelimit.py"},
    "application.pyi": {"Board": "application.py"},
    "panel.pyi": {"Panel": "panel/panel.py"},
}
PAIRS = [
    (stub, name, [files] if isinstance(files, str) else files)
    for stub, classes in STUBS.items()
    for name, files in classes.items()
]


def methods(file, names=None):
    """{name: [arguments]} of the public methods of the classes `names` in a file, or of all.

    A function with a first argument `server` or `client` becomes a method on first use.
    """
    found = {}
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and file.stem.endswith("methods"):
            found[node.name] = ["self", *(argument.arg for argument in node.args.args[1:])]
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef) and (names is None or node.name in names):
            for one in node.body:
                is_method = isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef))
                if is_method and (one.name == "__init__" or not one.name.startswith("_")):
                    found[one.name] = [argument.arg for argument in one.args.args]
    return found


@pytest.mark.parametrize(("stub", "name", "files"), PAIRS, ids=[name for _, name, _ in PAIRS])
def test_the_stubs_have_the_methods_of_the_code(stub, name, files):
    files = [ROOT / "lib" / file for file in files]
    files = [file for file in files if file.exists()]
    if not files:
        pytest.skip(f"{name} does not exist yet")
    code = {}
    for file in reversed(files):
        code.update(methods(file, {name} if name != "Client" else None))
    typed = methods(ROOT / "typings" / stub, {name})
    undocumented = {"Panel": {"__init__", "close"}, "Board": {"__init__"}}
    for method, arguments in typed.items():
        if method in code:
            assert arguments == code[method], method
    if name in ("Server", "Board", "Panel"):
        missing = set(code) - set(typed) - undocumented.get(name, set())
        assert missing == set()
        assert set(typed) - set(code) == set()
