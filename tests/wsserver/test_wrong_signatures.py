"""Callbacks with the wrong number of parameters: the log names the callback, its file and path."""

import pytest

from tests.wsserver.web import Web
from tools.wsclient import TEXT, frame

APP = """
from wsserver import Server


class Message:
    def on_message(self, message):
        pass


class Async:
    async def on_message(self, message):
        pass


class Chunk:
    def on_chunk(self, client, chunk):
        pass


class Open:
    def on_open(self):
        pass

    def on_message(self, client, message):
        client.send(message)


class Close(Open):
    def on_open(self, client):
        pass

    def on_close(self, client):
        pass


class Ask(Close):
    def on_request(self):
        pass


class Inner:
    def on_message(self, client, message):
        self.show()

    def show(self, text):
        pass


def tick(now):
    pass


server = Server()
for one in (Message, Async, Chunk, Open, Close, Ask, Inner):
    server.websocket("/" + one.__name__.lower(), one())


@server.route("/items/<int:id>")
def item(request):
    return "item"


@server.route("/timer")
def timer(request):
    server.after(1, tick)


server.listen(80)
server.run()
"""


@pytest.fixture(scope="module")
def board(make_board):
    return make_board(files={"main.py": APP}, heap="256k")


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("message", "/message: on_message() must accept (client, message){file}"),
        ("async", "/async: on_message() must accept (client, message){file}"),
        ("chunk", "/chunk: on_chunk() must accept (client, chunk, final){file}"),
        ("open", "/open: on_open() must accept (client){file}"),
        ("close", "/close: on_close() must accept (client, code, reason){file}"),
        ("ask", "/ask: on_request() must accept (request){file}"),
        ("items/7", "/items/7: item() must accept (request, id){file}"),
        ("timer", "tick() does not accept what it is called with{file}"),
    ],
)
def test_a_wrong_signature_is_reported_with_its_place(raw, board, word, path, line):
    position = board.log_position
    if path in ("items/7", "timer", "ask"):
        Web(board).ask("/" + path, **({"Upgrade": "websocket"} if path == "ask" else {}))
        if path == "ask":
            with pytest.raises(Exception, match=" 500 "):
                raw(board).open("/ask")
    else:
        raw(board).open("/" + path).send(frame(TEXT, b"x")).send(frame(8, b"\x03\xe8"))
    file = r" \[main\.py\]"
    file = f"({file})?" if word == 32 else file  # MicroPython 1.25 may not tell
    line = line.replace("(", r"\(").replace(")", r"\)").format(file=file)
    board.wait_for_log(line, since=position)


def test_the_file_of_a_module_is_named(raw, make_board, word):
    files = {"main.py": "import mine\n", "mine.py": APP}
    board = make_board(files=files, heap="256k")
    raw(board).open("/message").send(frame(TEXT, b"x"))
    file = r"( \[.*mine\.py\])?" if word == 32 else r" \[.*mine\.py\]"
    board.wait_for_log(r"on_message\(\) must accept \(client, message\)" + file)


def test_a_wrong_call_of_the_application_itself_is_no_wrong_callback(raw, board):
    position = board.log_position
    raw(board).open("/inner").send(frame(TEXT, b"x"))
    found = board.wait_for_log(r"in on_message\s+TypeError: .*\n(.*\n)?", since=position)
    assert "must accept" not in found[0]
