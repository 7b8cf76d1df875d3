"""Applications may give their clients attributes of any name that does not begin with "_"."""

import re
from pathlib import Path

import pytest

from tools.wsclient import PING, TEXT, frame

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import wsserver

NAMES = %r
ERRORS = []

def log(level, text):
    print(text)
    if level >= wsserver.WARNING:
        ERRORS.append(text)

class Echo:
    def on_open(self, client):
        for name in NAMES:
            setattr(client, name, "kitchen")

    def on_message(self, client, message):
        type(client).send(client, message)

server = wsserver.Server(ping_interval=0.2, ping_timeout=2, log=log)
if %r:
    from wsserver.http.ratelimit import Limits
    server.limits = Limits(connections=5, messages=1000, bytes=100000)
server.websocket("/ws", Echo())
server.listen(80)
server.every(150, lambda: server.broadcast("hello", path="/ws"))
server.after(1500, server.stop)
server.run()
print("stopped with", ERRORS)
"""
# The documented attributes and methods, and what the library's own names once were.
NAMES = """
id address path query subprotocol context messages bytes buffered is_open text
secure send ping pong close room put call control fail drained lost state route
plain stock inbox out out_start out_end out_limit deaf raw owed reader tail
pongs in_start in_end close_code close_reason receive store free_inbox
send_other send_frame make_room make_space crash hear_end discard sock events heard used
deadline closing_since counted_messages counted_bytes pool decoder name user
data log server connection
""".split()  # noqa: SIM905


@pytest.mark.parametrize("limits", [False, True])
def test_no_attribute_of_an_application_breaks_a_connection(raw, make_board, limits):
    board = make_board(files={"main.py": PROGRAM % (NAMES, limits)})
    connection = raw(board).open()
    pings = 0
    seen = set()
    connection.send(frame(TEXT, b"x" * 10) + frame(TEXT, b"y" * 500))
    while pings < 2 or len(seen) < 3:
        opcode, payload = connection.frame()
        if opcode == PING:
            connection.send(frame(10, payload))
            pings += 1
        else:
            seen.add(payload)
    assert seen == {b"x" * 10, b"y" * 500, b"hello"}
    assert connection.close_code() == 1001
    connection.send(frame(8, b"\x03\xe9"))
    board.wait_for_log(r"stopped with \[\]")


def test_no_attribute_of_a_client_or_server_is_undocumented(make_board):
    program = """
import wsserver
client = dir(wsserver.Client)
server = wsserver.Server()
print("client: %s" % [name for name in client if name[0] != "_"])
print("server: %s" % [name for name in dir(server) if name[0] != "_"])
"""
    board = make_board(files={"main.py": program}, wait=False)
    client = board.wait_for_log(r"client: (\[.*?\])")[1]
    server = board.wait_for_log(r"server: (\[.*?\])")[1]
    reference = (ROOT / "docs" / "api.md").read_text()
    documented = set(re.findall(r"`(?:server\.|client\.)?(\w+)", reference))
    assert {"send", "close"} <= set(eval(client)) <= documented
    assert {"run", "websocket"} <= set(eval(server)) <= documented
