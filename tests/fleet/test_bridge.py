"""A board and an engine: topics, presence, remote clients, guarantees. Once with each engine."""

import json
import time

import pytest

from tests.wsserver.conftest import Raw
from tools.fleet.engines import Engine, User
from tools.wsclient import TEXT, frame

from .conftest import ROOT

IN = ROOT + "in/gate/"


@pytest.fixture(scope="module")
def member(make_member, engine):
    """A board that is connected to the engine; at most two senders."""
    return make_member(engine.port, max_senders=2, discovery="")


def test_a_new_subscriber_gets_presence_and_state(member, engine, plain):
    plain(engine.port).next("/presence")  # the state has been published before
    observer = plain(engine.port)
    found = {}
    while len(found) < 2:
        topic, payload, retained = observer.messages.get(timeout=10)
        if topic.endswith(("/presence", "/state")):
            found[topic.rpartition("/")[2]] = payload
            assert retained
    state = json.loads(found["state"])
    assert found["presence"] == b"online"
    endpoints = {"/ws": "o", "/control": "", "/token": "ot", "/full": "o"}
    assert state["endpoints"] == {**endpoints, "/rooms/<name>/<int:number>": ""}
    assert state["max_size"] == 4096 and state["dropped"] == 0


def test_a_killed_board_is_offline_and_back_after_its_start(make_member, engine, plain):
    board = make_member(engine.port, prefix="other")
    observer = plain(engine.port, topic="other/#")
    board.power_cycle()
    while observer.next("other/v1/board/presence") != b"offline":
        pass
    assert observer.next("other/v1/board/presence") == b"online"


def test_a_reply_goes_to_its_sender_alone(member, engine, plain):
    observer = plain(engine.port)
    observer.publish(IN + "1/ws/text/1", "Grüße")
    observer.publish(IN + "1/ws/binary/2", b"\0\xff")
    assert observer.next(ROOT + "to/gate/1/ws/text") == "Grüße".encode()
    assert observer.next(ROOT + "to/gate/1/ws/binary") == b"\0\xff"


def test_a_broadcast_is_published_once_for_all(member, engine, plain):
    observer = plain(engine.port)
    local = Raw(member).open("/ws")
    for viewer in ("1", "2"):
        observer.publish(IN + viewer + "/ws/text", "hello")
        observer.next("to/gate/%s/ws/text" % viewer)
    observer.publish(IN + "3/control/text", "broadcast to all")
    assert observer.next("to/gate/3/control/text") == b"reached 1"
    assert local.frame() == (TEXT, b"to all")
    observer.publish(IN + "3/control/text", "everyone end")
    topics = []
    while not topics or not topics[-1].endswith("all/_all/text"):
        topics.append(observer.messages.get(timeout=10)[0])
    assert [topic for topic in topics if "/all/" in topic] == [ROOT + "all/_all/text"]
    local.close()


def test_a_local_broadcast_reaches_the_topic_of_its_endpoint(member, engine, plain):
    observer = plain(engine.port)
    local = Raw(member).open("/control")
    local.send(frame(TEXT, b"broadcast from here"))
    while observer.next(ROOT + "all/ws/text") != b"from here":
        pass
    local.close()
    late = plain(engine.port)
    assert late.next(ROOT + "all/ws/text") == b"from here", "the last broadcast is retained"


def test_the_sender_silent_longest_is_evicted_with_on_close(member, engine, plain):
    observer = plain(engine.port)
    start = member.log_position
    for viewer in ("a", "b", "a", "c"):
        observer.publish(IN + viewer + "/ws/text", "x")
        observer.next("to/gate/%s/ws/text" % viewer)
    member.wait_for_log("closed gate/b 1 1013 evicted", since=start)
    observer.publish(IN + "b/ws/text", "x")
    observer.next("to/gate/b/ws/text")
    member.wait_for_log("(?s)opened gate/b /ws.*opened gate/b /ws", since=start)


def test_repeated_and_retained_messages_are_not_delivered(member, engine, plain):
    observer = plain(engine.port)
    start = member.log_position
    for number, text in ((5, "first"), (5, "again"), (4, "older"), (6, "last")):
        observer.publish(IN + "n/ws/text/%d" % number, text)
    observer.client.publish(IN + "r/ws/text", "old", 1, retain=True)
    assert observer.next("to/gate/n/ws/text") == b"first"
    assert observer.next("to/gate/n/ws/text") == b"last"
    observer.publish(IN + "n/ws/close", "")
    member.wait_for_log("closed gate/n 2 1001", since=start)
    observer.client.publish(IN + "r/ws/text", b"", 1, retain=True).wait_for_publish(5)


def test_a_board_closes_and_groups_its_remote_clients(member, engine, plain):
    observer = plain(engine.port)
    for text, kind, payload in (
        ("join the kitchen", "join", b"the kitchen"),
        ("leave the kitchen", "leave", b"the kitchen"),
        ("close enough", "close", b"4000 enough"),
    ):
        observer.publish(IN + "g/control/text", text)
        assert observer.next("to/gate/g/control/" + kind) == payload


def test_an_error_of_the_application_closes_one_remote_client(member, engine, plain):
    observer = plain(engine.port)
    start = member.log_position
    observer.publish(IN + "e/control/text", "fail now")
    assert observer.next("to/gate/e/control/close") == b"1011 internal error"
    member.wait_for_log("RuntimeError: on purpose", since=start)
    observer.publish(IN + "f/ws/text", "still there")
    assert observer.next("to/gate/f/ws/text") == b"still there"


def test_a_client_that_on_open_closes_costs_no_connection(member, engine, plain):
    observer = plain(engine.port)
    start = member.log_position
    observer.publish(IN + "h/full/text", "hello")
    assert observer.next("to/gate/h/full/close") == b"4001 no room"
    observer.publish(IN + "i/ws/text", "still there")
    assert observer.next("to/gate/i/ws/text") == b"still there"
    assert "trying again" not in member.log[start:]


def test_reserved_endpoints_are_not_mapped(member, engine, plain):
    observer = plain(engine.port)
    observer.publish(IN + "x/admin/text", "anything")
    observer.publish(IN + "x/control/text", "secret broadcast")
    observer.publish(IN + "x/nowhere/text", "anything")
    observer.publish(IN + "x/ws/text", "end")
    topics = []
    while not topics or not topics[-1].endswith("to/gate/x/ws/text"):
        topics.append(observer.messages.get(timeout=10)[0])
    published = [topic for topic in topics if "/in/" not in topic]
    assert not [topic for topic in published if "admin" in topic or "nowhere" in topic]


def test_no_acknowledged_or_queued_message_is_lost(make_member, engine_name, plain, make_board):
    """The engine is killed while a board counts; a durable subscriber sees all, in order."""
    if engine_name is None:
        pytest.skip("needs an engine")
    topic = ROOT + "all/ws/text"
    with Engine(engine_name) as engine:
        board = make_member(engine.port, queue=20000, retain=False)
        plain(engine.port, name="durable", clean=False, topic=topic).close()
        local = Raw(board).open("/control")
        for first in range(0, 150, 50):
            local.send(frame(TEXT, b"count %d %d" % (first, first + 50)))
            assert local.frame()[1] == b"counted"
            if first == 50:
                engine.kill()
                engine.start()
        observer = plain(engine.port, name="durable", clean=False, topic=topic)
        seen: list[int] = []
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and (not seen or seen[-1] != 149):
            number = int(observer.next("all/ws/text", 20))
            if number not in seen:
                seen.append(number)
        local.close()
    missing = [number for number in range(150) if number not in seen]
    if engine_name == "mosquitto":
        missing = [number for number in missing if number >= 100]  # it may lose acknowledged ones
    assert missing == []
    assert seen == sorted(seen)


def test_a_stolen_account_reaches_only_the_topics_of_its_board(engine_name, plain):
    if engine_name is None:
        pytest.skip("needs an engine")
    users = (
        User("board", "board-password", "board"),
        User("other", "other-password", "other"),
        User("gateway", "gateway-password"),
    )
    with Engine(engine_name, users) as engine:
        observer = plain(engine.port, user="gateway", password="gateway-password")
        thief = plain(engine.port, user="board", password="board-password", topic=ROOT + "in/#")
        for topic in ("boards/v1/other/all/ws/text", ROOT + "in/gate/1/ws/text", ROOT + "state"):
            thief.client.publish(topic, "stolen", 0)
        assert observer.messages.get(timeout=10)[0] == ROOT + "state"
        account = {"user": "board", "password": "board-password"}
        listeners = [
            plain(engine.port, **account, topic=topic) for topic in ("boards/#", "$MQTT/sub/#")
        ]
        observer.publish("boards/v1/other/in/gate/1/ws/text", "private")
        observer.publish(ROOT + "in/gate/1/ws/text", "own")
        assert thief.messages.get(timeout=10)[0] == ROOT + "in/gate/1/ws/text"
        for listener in listeners:
            while not listener.messages.empty():
                assert "other" not in listener.messages.get()[0]


def test_a_board_works_with_the_permissions_of_its_account(make_member, engine_name, plain):
    if engine_name is None:
        pytest.skip("needs an engine")
    users = (User("board", "a password", "board"), User("gateway", "another"))
    with Engine(engine_name, users) as engine:
        make_member(engine.port, user="board", password="a password", discovery="")
        observer = plain(engine.port, user="gateway", password="another")
        observer.publish(IN + "1/ws/text", "hello")
        assert observer.next("to/gate/1/ws/text") == b"hello"


def test_the_chat_of_the_demo_lists_remote_and_local_clients(make_board, one_engine, plain):
    fleet = {"enabled": True, "host": "127.0.0.1", "port": one_engine.port, "discovery": ""}
    board = make_board(config={"fleet": fleet, "wifi": {"hostname": "demo"}}, heap="300k")
    board.wait_for_log("fleet: connected")
    observer = plain(one_engine.port, topic="boards/v1/demo/#")
    local = Raw(board).open("/panel")

    def names(count):
        for _ in range(50):
            message = json.loads(observer.next("all/panel/text"))
            if message["type"] == "clients" and message["count"] == count:
                return {client["id"]: client["name"] for client in message["clients"]}
        raise AssertionError(f"no list of {count} clients")

    where = "boards/v1/demo/in/gate/1/panel/"
    observer.publish(where + "open/1", "")
    remote = json.loads(observer.next("to/gate/1/panel/text"))["id"]
    found = names(2)
    assert len(found) == 2 and found[remote] == f"client {remote}"
    local.close()
    assert list(names(1)) == [remote]
    observer.publish(where + "close", "")
