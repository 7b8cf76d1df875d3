"""Endpoints that see the request before the handshake, paths with parameters, and groups."""

import json

import pytest

from tests.wsserver.web import Web
from tools.wsclient import TEXT, frame, request

PROGRAM = """
import asyncio
import json
import wsserver
from wsserver import Server


def decide(request):
    what = request.query
    print("asked about", what)
    if what == "forbid":
        return 403
    if what == "unavailable":
        return 503
    if what == "response":
        return wsserver.Response({"reason": "no seat"}, 409, {"X-Seat": "none"})
    if what in ("true", "200", "text"):
        return {"true": True, "200": 200, "text": "no"}[what]
    if what == "raise":
        raise ValueError("on purpose before the handshake")
    request.context = {"user": request.headers.get("x-user"), "address": request.address[0]}


class Door:
    def on_request(self, request):
        return decide(request)

    def on_open(self, client):
        print("opened with", client.context)

    def on_message(self, client, message):
        client.send(json.dumps([client.params, client.context, client.path]))


class AsyncDoor(Door):
    async def on_request(self, request):
        print("deciding about", request.query)
        try:
            await asyncio.sleep_ms({"slow": 20000, "later": 300}.get(request.query, 20))
        except asyncio.CancelledError:
            print("decision cancelled")
            raise
        return decide(request)


class Groups:
    def on_message(self, client, message):
        order, _, group = message.partition(" ")
        if order == "join":
            client.join(group)
            client.send("joined")
        elif order == "leave":
            client.leave(group)
            client.send("left")
        elif order == "tell":
            count = server.broadcast("told " + group, group=group)
            client.send("%d got it" % count)
        elif order == "wrong":
            try:
                client.join(5)
            except TypeError as error:
                client.send(str(error))
        elif order == "relay":
            server._relay = lambda *args: client.send("relayed %r" % (args,))
            server.broadcast("x", "/nowhere", "some")
            server._relay = None


server = Server(max_clients=4, open_timeout=1)
server.websocket("/door", Door())
server.websocket("/async", AsyncDoor())
server.websocket("/rooms/<name>", Door())
server.websocket("/rooms/<name>/seats/<int:seat>", AsyncDoor())
server.websocket("/files/<path:name>", Door())
server.websocket("/strict", Door(), subprotocols=("chat", "v2"), require_subprotocol=True)
server.websocket("/groups", Groups())
server.websocket("/friends", Door(), origins=("http://friend",))
server.route("/rooms/<name>")(lambda request, name: "page of " + name)
server.listen(80)
server.run()
"""


@pytest.fixture(scope="module")
def door(make_board):
    return make_board(files={"main.py": PROGRAM}, heap="256k")


WAYS = ["/door", "/async"]


@pytest.mark.parametrize("path", WAYS)
def test_an_accepted_request_passes_its_context_to_the_client(raw, door, path):
    connection = raw(door).open(path, "X-User: eva", then=frame(TEXT, b"early"))
    params, context, found = json.loads(connection.message())
    assert (params, context["user"], found) == (None, "eva", path)
    assert connection.send(frame(TEXT, b"later")).message().startswith(b"[")


STATUSES = [("forbid", 403), ("unavailable", 503)]


@pytest.mark.parametrize("path", WAYS)
@pytest.mark.parametrize(("query", "status"), STATUSES)
def test_a_status_refuses_the_handshake(door, path, query, status):
    got = Web(door).raw(request(f"{path}?{query}"))
    assert got.status == status
    assert got.body.endswith(b"refused by on_request\n")


def test_a_refused_handshake_is_logged(make_board):
    """On a board of its own: eight refusals in ten seconds have a line each."""
    door = make_board(files={"main.py": PROGRAM}, heap="256k")
    for path in WAYS:
        for query, status in STATUSES:
            position = door.log_position
            Web(door).raw(request(f"{path}?{query}"))
            door.wait_for_log(f"refused.* {path}: {status}: refused by", since=position)


@pytest.mark.parametrize("path", WAYS)
def test_a_response_refuses_the_handshake(door, path):
    got = Web(door).raw(request(path + "?response"))
    assert (got.status, got.headers["x-seat"]) == (409, "none")
    assert got.json == {"reason": "no seat"}


def test_a_page_that_may_connect_may_read_why_it_is_refused(door):
    got = Web(door).raw(request("/friends?response", "Origin: http://friend"))
    assert got.headers["access-control-allow-origin"] == "http://friend"


@pytest.mark.parametrize("path", WAYS)
@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("true", "TypeError: on_request must return"),
        ("200", "ValueError: on_request must return"),
        ("text", "TypeError: on_request must return"),
        ("raise", "ValueError: on purpose before the handshake"),
    ],
)
def test_an_error_in_on_request_is_answered_with_500(door, path, query, error):
    position = door.log_position
    assert Web(door).raw(request(f"{path}?{query}")).status == 500
    door.wait_for_log(error, since=position)


def test_a_message_that_comes_during_a_decision_is_answered(raw, door):
    position = door.log_position
    connection = raw(door).send(request("/async?later"))
    door.wait_for_log("deciding about later", since=position)
    connection.send(frame(TEXT, b"early"))
    assert connection.until(b"\r\n\r\n").startswith(b"HTTP/1.1 101 ")
    assert connection.message().startswith(b"[")


def test_a_slow_decision_ends_with_the_open_timeout(raw, door):
    position = door.log_position
    assert raw(door).send(request("/async?slow")).rest() == b""
    door.wait_for_log("decision cancelled", since=position)


def test_a_refused_request_evicts_no_client_and_opens_nothing(door):
    position = door.log_position
    Web(door).raw(request("/door?forbid"))
    door.wait_for_log("asked about forbid", since=position)
    assert "opened with" not in door.log[position:]


def test_a_foreign_page_is_refused_before_the_endpoint_is_asked(door):
    position = door.log_position
    assert Web(door).raw(request("/door?x", "Origin: http://evil.example")).status == 403
    assert "asked about" not in door.log[position:]


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("/rooms/kitchen", {"name": "kitchen"}),
        ("/rooms/living%20room", {"name": "living room"}),
        ("/rooms/kitchen/seats/12", {"name": "kitchen", "seat": 12}),
        ("/files/a/b/c.txt", {"name": "a/b/c.txt"}),
    ],
)
def test_a_path_has_parameters(raw, door, path, params):
    connection = raw(door).open(path)
    found = json.loads(connection.send(frame(TEXT, b"x")).message())
    assert found[0] == params
    assert found[2] == path


@pytest.mark.parametrize("path", ["/rooms", "/rooms/", "/rooms/a/b", "/rooms/a/seats/x"])
def test_another_path_is_not_found(door, path):
    assert Web(door).raw(request(path)).status == 404


def test_a_page_and_an_endpoint_may_share_a_path(raw, door):
    assert Web(door).ask("/rooms/hall").body == b"page of hall"
    assert raw(door).open("/rooms/hall").send(frame(TEXT, b"x")).message()


def test_a_required_subprotocol_must_be_offered(door):
    got = Web(door).raw(request("/strict"))
    assert (got.status, "subprotocol must be chat or v2" in got.text) == (400, True)
    for offer, status in (("other", 400), ("v2, chat", 101)):
        offered = request("/strict", "Sec-WebSocket-Protocol: " + offer)
        assert Web(door).raw(offered).status == status


def ask(connection, text):
    return connection.send(frame(TEXT, text)).message()


def test_a_broadcast_reaches_only_its_group(raw, door):
    first, second, third = [raw(door).open("/groups") for _ in range(3)]
    assert ask(first, b"join kitchen") == b"joined"
    assert ask(second, b"join kitchen") == b"joined"
    assert ask(second, b"join hall") == b"joined"
    assert ask(third, b"tell kitchen") == b"2 got it"
    assert [first.message(), second.message()] == [b"told kitchen"] * 2
    assert ask(second, b"leave kitchen") == b"left"
    assert ask(second, b"leave kitchen") == b"left"
    assert ask(third, b"tell kitchen") == b"1 got it"
    assert first.message() == b"told kitchen"
    assert ask(third, b"tell hall") == b"1 got it"
    assert second.message() == b"told hall"
    assert ask(third, b"wrong") == b"group must be a str, not 5"


def test_a_broadcast_is_relayed_once(raw, door):
    connection = raw(door).open("/groups")
    assert ask(connection, b"relay") == b"relayed ('x', '/nowhere', 'some')"
