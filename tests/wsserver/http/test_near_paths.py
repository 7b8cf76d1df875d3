"""A 404 names the path that may have been meant, if the program has routes."""

import pytest

from tests.wsserver.programs import run_script
from tests.wsserver.web import Web

APP = """
from wsserver import Server
from wsserver.http.request import HTTPError


class Echo:
    def on_message(self, client, message):
        client.send(message)


server = Server()
server.websocket("/chat", Echo())
server.websocket("/rooms/<name>", Echo())
server.route("/api/temperature")(lambda request: {})
server.route("/api/items/<int:id>")(lambda request, id: 404)
server.route("/gone")(lambda request: 404)


@server.route("/raises/<name>")
def raises(request, name):
    raise HTTPError(404, "not found")


server.listen(80)
server.run()
"""
PATHS = "HTTP paths: /api/items/<int:id>, /api/temperature, /gone, /raises/<name>"


@pytest.fixture(scope="module")
def board(make_board):
    return make_board(files={"main.py": APP}, heap="256k")


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("/api/temprature", "/api/temperature"),
        ("/API/Temperature", "/api/temperature"),
        ("/api/temperature/", "/api/temperature"),
        ("/api/item/7", "/api/items/<int:id>"),
        ("/api/items/seven", "/api/items/<int:id>"),
        ("/favicon.ico", None),
        ("/goneeeeee", None),  # its last letter is not counted twice
        ("/" + "a" * 500, None),
    ],
)
def test_a_mistyped_path_gets_the_one_that_is_like_it(board, path, meant):
    response = Web(board).ask(path)
    assert response.status == 404
    body = response.body.decode()
    assert (
        body == (f"Not Found: did you mean {meant}?; " if meant else "Not Found; ") + f"{PATHS}\n"
    )


def test_the_log_names_the_path_that_may_have_been_meant(make_board):
    """On a board of its own: eight refusals in ten seconds have a line each."""
    board = make_board(files={"main.py": APP}, heap="256k")
    Web(board).ask("/api/temprature")
    board.wait_for_log("404: did you mean /api/temperature")


@pytest.mark.parametrize("path", ["/gone", "/api/items/7"])
def test_a_404_of_a_handler_stays_as_it_is(board, path):
    assert Web(board).ask(path).body == b"404 Not Found\n"


def test_a_handlers_error_with_404_stays_as_it_is(board):
    assert Web(board).ask("/raises/x").body == b"Not Found\n"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/cht", "no WebSocket at this path: did you mean /chat?"),
        ("/room/kitchen", "no WebSocket at this path: did you mean /rooms/<name>?"),
        ("/gone", "no WebSocket at this path: this path is for HTTP"),
        ("/nothing", "no WebSocket at this path"),
    ],
)
def test_a_mistyped_websocket_path_gets_the_one_that_is_like_it(board, path, reason):
    response = Web(board).ask(path, Upgrade="websocket", Sec_WebSocket_Key="x")
    assert response.status == 404
    paths = "WebSocket paths: /chat, /rooms/<name>"
    assert response.body.decode() == f"Not Found: {reason}; {paths}\n"


def test_a_404_fits_into_the_smallest_send_buffer(make_board):
    program = """
from wsserver import Server

server = Server(max_size=64, write_limit=512, read_size=64)
server.origins = ["http://" + "o" * 60]
for number in range(20):
    server.route("/" + "ä" * 40 + str(number))(lambda request: 204)
    server.websocket("/" + "ä" * 40 + str(number), type("E", (), {})())
server.listen(80)
server.run()
"""
    board = make_board(files={"main.py": program}, heap="256k")
    for headers in ({}, {"Upgrade": "websocket", "Sec_WebSocket_Key": "x"}):
        response = Web(board).ask("/" + "%C3%A4" * 8, Origin="http://" + "o" * 60, **headers)
        assert response.status == 404
        assert len(response.body) > 150


def test_a_mistyped_path_costs_no_time_that_others_would_notice(lib, tmp_path):
    program = """
import time
from wsserver.http.nearpaths import describe


class Error:
    status = 404
    detail = "not found"


class Server:
    routes = {}
    patterns = None


class Router:
    paths = {"/" + "a" * 58 + chr(98 + number): None for number in range(64)}
    patterns = ()


class Request:
    path = "/" + "b" + "a" * 57 + "z"
    wants_websocket = lambda self: False


Server._router = Router
shortest = 1000000
for _ in range(100):
    started = time.ticks_us()
    describe(Server, Request(), Error())
    shortest = min(shortest, time.ticks_diff(time.ticks_us(), started))
print(shortest)
"""
    # A chip is 50 times slower. The shortest time, because the machine may be busy.
    assert int(run_script(lib, program, tmp_path)) < 1000
