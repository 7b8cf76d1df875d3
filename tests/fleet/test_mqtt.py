"""The board's MQTT client against a broker that a test plays: faults, outages, hostile packets."""

import contextlib
import socket
import time

import pytest

from tests.wsserver.conftest import Raw
from tools.fleet.engines import free_ports
from tools.wsclient import TEXT, frame

from .conftest import ROOT


@pytest.fixture
def control(request):
    """control(board) -> a local client of /control: order(text) returns the reply."""

    def connect(board):
        peer = Raw(board).open("/control")
        request.addfinalizer(peer.close)

        def order(text):
            peer.send(frame(TEXT, text.encode()))
            return peer.frame()[1]

        return order

    return connect


def test_it_announces_itself_with_a_will_and_a_retained_state(make_member, broker):
    make_member(broker.port, wait_connected=False)
    kind, body = broker.accept()
    assert kind == 0x10 and body[:7] == b"\0\4MQTT\4"
    assert body[7] == 0x2E, "clean session, retained will of QoS 1"
    assert body.endswith(b"/presence\0\7offline")
    broker.sock.sendall(broker.CONNACK)
    assert broker.packet()[1].endswith(b"board/in/#\0\0\x18boards/v1/board/presence\0")
    broker.sock.sendall(broker.SUBACK)
    assert broker.message("/state")[0] == 0x31
    assert broker.message("/presence")[0::2] == (0x31, b"online")


def test_packets_that_arrive_byte_by_byte_are_understood(make_member, broker):
    make_member(broker.port, wait_connected=False)
    broker.accept()
    message = broker.publish(ROOT + "in/g/1/ws/text/1", b"hello")
    for byte in broker.CONNACK + broker.SUBACK + message:
        broker.sock.sendall(bytes((byte,)))
        time.sleep(0.002)
    assert broker.message("to/g/1/ws/text")[2] == b"hello"


HOSTILE = {
    "a length without an end": b"\x30\xff\xff\xff\xff\xff",
    "a packet that is too long": b"\x30\xff\xff\x03",
    "a topic beyond the packet": b"\x30\x04\x00\x99ab",
    "a topic that is not UTF-8": b"\x30\x04\x00\x02\xff\xfe",
    "QoS 2": b"\x34\x07\x00\x02ab\x00\x01x",
    "id 0": b"\x32\x06\x00\x02ab\x00\x00",
    "a server's packet": b"\xc0\x00",
    "a second CONNACK": b"\x20\x02\x00\x00",
    "a foreign topic": b"\x30\x05\x00\x03a/b",
    "another board's topic": b"\x30\x19\x00\x17boards/v1/other/in/g/1/",
    "a refused subscription": b"\x90\x04\x00\x01\x80\x80",
}


def test_malformed_and_foreign_packets_are_closed_and_logged(make_member, broker, control):
    board = make_member(broker.port, wait_connected=False)
    for what, data in HOSTILE.items():
        broker.welcome()
        position = board.log_position
        broker.sock.sendall(data)
        broker.wait_closed()
        board.wait_for_log(r"\[30\] fleet: 127.0.0.1: .*; trying again", since=position), what
    assert control(board)("memory").isdigit(), "local service is not affected"


def test_a_connection_that_ends_at_any_byte_is_made_again(make_member, broker, control):
    board = make_member(broker.port, wait_connected=False, backoff=0.05)
    text = broker.publish(ROOT + "in/g/1/ws/text/1", b"hi")
    data = broker.CONNACK + broker.SUBACK + text + b"\x40\2\0\1\xd0\0"
    for size in range(len(data)):
        broker.accept()
        with contextlib.suppress(OSError):
            broker.sock.sendall(data[:size])
    assert control(board)("memory").isdigit()
    broker.welcome()
    broker.sock.sendall(broker.publish(ROOT + "in/g/2/ws/text/1", b"hi"))
    assert broker.message("to/g/2/ws/text")[2] == b"hi"
    assert "Traceback" not in board.log


def test_wrong_topics_and_retained_messages_reach_no_endpoint(make_member, broker, control):
    board = make_member(broker.port, wait_connected=False)
    broker.welcome()
    broker.message("/presence")
    endings = ("", "//", "g", "g/1/ws/text/x", "g/1/ws/text/-5", "g/1/ws/kind/1", "g/1/_zz/text",
               "g/1/_ff/text", "g/1/admin/text", "g/1/_all/text", "g/1/ws/text/1/2/3",
               "panel", "panel/x/y", "g/1/rooms_2f/text", "g/1/ws/close/1")  # fmt: skip
    for ending in endings:
        for kind in (0x30, 0x31, 0x38):
            broker.sock.sendall(broker.publish(ROOT + "in/" + ending, b"\xff", kind))
    broker.sock.sendall(broker.publish(ROOT + "in/g/1/ws/text/1", b"stale", 0x31))
    broker.sock.sendall(broker.publish(ROOT + "in/g/2/ws/text/1", b"hi"))
    kind, _, payload = broker.message("/ws/text")
    assert payload == b"hi"
    assert "Traceback" not in board.log and "trying again" not in board.log
    assert control(board)("memory").isdigit()


def unacknowledged(make_member, broker):
    """A board whose messages are not acknowledged."""
    broker.acknowledges = False
    board = make_member(broker.port, wait_connected=False)
    broker.welcome()
    broker.message("/presence")
    return board


def test_repeated_and_unknown_acknowledgements_free_nothing_else(make_member, broker, control):
    board = unacknowledged(make_member, broker)
    control(board)("count 0 4")
    ids = [broker.message("all/ws/text")[1] for _ in range(4)]
    for id in (ids[0], ids[0], 0, 65535, ids[2]):
        broker.sock.sendall(b"\x40\2" + id.to_bytes(2, "big"))
    assert control(board)("memory").isdigit()
    broker.welcome()
    again = [broker.message("all/ws/text") for _ in range(1)]
    broker.sock.sendall(b"\x40\2" + again[0][1].to_bytes(2, "big"))
    again.append(broker.message("all/ws/text"))
    assert [payload for _, _, payload in again] == [b"1", b"3"]


def test_a_flood_of_messages_does_not_hold_up_local_clients(make_member, broker, control):
    board = make_member(broker.port, wait_connected=False)
    broker.welcome()
    flood = broker.publish(ROOT + "presence", b"x") * 5000
    broker.sock.setblocking(False)
    order = control(board)
    worst = 0.0
    for _ in range(30):
        for _ in range(3):
            try:
                broker.sock.send(flood)
            except BlockingIOError:
                break
        start = time.monotonic()
        order("memory")
        worst = max(worst, time.monotonic() - start)
    assert worst < 1


def test_the_qos_of_the_subscription_is_a_setting(make_member, broker):
    make_member(broker.port, wait_connected=False, qos=1)
    broker.accept()
    broker.sock.sendall(broker.CONNACK)
    assert b"board/in/#\1" in broker.packet()[1]


def test_all_hosts_are_tried_before_the_delay_grows(make_member, broker):
    dead = ",".join(f"127.0.0.1:{port}" for port in free_ports(6))
    start = time.monotonic()
    make_member(broker.port, wait_connected=False, host=dead + ",127.0.0.1", backoff=60)
    assert broker.accept()[0] == 0x10
    assert time.monotonic() - start < 12, "six delays of at most 0.2 s; doubled, they exceed 15 s"


def test_a_silent_node_of_several_is_soon_given_up(make_member, broker):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = f"127.0.0.1:{silent.getsockname()[1]},127.0.0.1"
        make_member(broker.port, wait_connected=False, host=host, backoff=60)
        silent.settimeout(15)
        with silent.accept()[0] as sock:
            start = time.monotonic()
            kind, body = broker.accept()
            assert kind == 0x10 and time.monotonic() - start < 4.5
            first = sock.recv(1000)
    # NATS refuses a second session with the id of a CONNECT that it has not answered yet.
    assert b"boards-v1-board-0" in first and b"boards-v1-board-1" in body


def test_a_refused_subscription_is_soon_tried_again(make_member, broker):
    make_member(broker.port, wait_connected=False, backoff=60)
    broker.accept()
    broker.sock.sendall(broker.CONNACK)
    broker.packet()
    start = time.monotonic()
    broker.sock.sendall(b"\x90\x04\0\1\x80\x80")
    broker.wait_closed()
    assert broker.accept()[0] == 0x10
    assert time.monotonic() - start < 15, "the backoff is 60 s"


def test_messages_that_waited_come_before_the_state(make_member, broker, control):
    board = make_member(broker.port, wait_connected=False)
    broker.welcome()
    broker.message("/presence")
    broker.hang_up()
    assert control(board)("count 7 8") == b"counted"
    broker.acknowledges = False
    broker.welcome()
    kind, id, payload = broker.message("all/ws/text")
    assert payload == b"7"
    broker.sock.settimeout(0.5)
    with pytest.raises(TimeoutError):
        broker.packet()
    broker.sock.sendall(b"\x40\x02" + id.to_bytes(2, "big"))
    assert broker.packet()[1].startswith(b"\0\x15" + ROOT.encode() + b"state")


def test_few_messages_wait_for_an_acknowledgement_at_a_time(make_member, broker, control):
    """NATS without a leader takes 4 s for each, and passes on none of those that it has read."""
    board = unacknowledged(make_member, broker)
    control(board)("count 0 9")
    sent = [broker.message("all/ws/text") for _ in range(4)]
    broker.sock.settimeout(0.5)
    with pytest.raises(TimeoutError):
        broker.packet()
    for _, id, _ in sent[:2]:
        broker.sock.sendall(b"\x40\x02" + id.to_bytes(2, "big"))
    assert [broker.message("all/ws/text")[2] for _ in range(2)] == [b"4", b"5"]


def test_a_silent_broker_is_given_up_after_its_keepalive(make_member, broker):
    make_member(broker.port, wait_connected=False, keepalive=5)
    broker.welcome()
    broker.message("/presence")
    start = time.monotonic()
    assert broker.packet()[0] == 0xC0, "PINGREQ"
    assert broker.packet()[0] == 0xC0
    broker.wait_closed()
    assert 5 < time.monotonic() - start < 14


@pytest.mark.parametrize("code, words", [(1, "MQTT 3.1.1"), (5, "wrong user or password")])
def test_a_refusal_is_logged_once_and_not_repeated_quickly(make_member, broker, code, words):
    board = make_member(broker.port, wait_connected=False, backoff=3)
    broker.accept()
    broker.sock.sendall(bytes((0x20, 2, 0, code)))
    start = time.monotonic()
    broker.accept()
    assert time.monotonic() - start > 1.4, "the longest backoff, less its jitter"
    broker.sock.sendall(bytes((0x20, 2, 0, code)))
    broker.wait_closed()
    assert board.log.count(words) == 1


def test_it_connects_when_a_broker_that_refused_appears(make_member, broker, control):
    port = free_ports(1)[0]
    board = make_member(port, wait_connected=False)
    board.wait_for_log(r"fleet: 127.0.0.1: ECONN")
    assert control(board)("memory").isdigit()
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen()
        listener.settimeout(15)
        listener.accept()[0].close()
    assert len(board.log.split("ECONN")) <= 3, "the same reason is logged once"


def test_a_broker_that_never_answers_does_not_slow_local_clients(make_member, broker, control):
    board = make_member(broker.port, wait_connected=False)
    broker.accept()  # no CONNACK follows
    order = control(board)
    times = []
    for _ in range(100):
        start = time.monotonic()
        order("broadcast x")
        times.append(time.monotonic() - start)
    assert sorted(times)[50] < 0.05


def test_unacknowledged_messages_are_repeated_in_order(make_member, broker, control):
    order = control(unacknowledged(make_member, broker))
    order("count 0 3")
    first = [broker.message("all/ws/text") for _ in range(3)]
    assert [payload for _, _, payload in first] == [b"0", b"1", b"2"]
    broker.sock.sendall(bytes((0x40, 2)) + first[0][1].to_bytes(2, "big"))
    order("memory")  # the acknowledgement has been read, too
    order("memory")
    broker.hang_up()
    order("count 3 5")
    broker.acknowledges = True
    broker.welcome()
    again = [broker.message("all/ws/text") for _ in range(4)]
    assert [payload for _, _, payload in again][-4:] == [b"1", b"2", b"3", b"4"]
    assert again[0][0] & 8 and again[0][1] == first[1][1], "a duplicate with the same id"


@pytest.mark.parametrize("policy, kept", [("oldest", b"99"), ("newest", b"0")])
def test_a_full_queue_drops_by_its_policy_and_counts(make_member, broker, control, policy, kept):
    port = free_ports(1)[0]
    board = make_member(port, wait_connected=False, queue=512, overflow=policy, backoff=0.3)
    control(board)("count 0 100")
    broker.listener.close()
    broker.listener = socket.create_server(("127.0.0.1", port))
    broker.listener.settimeout(10)
    broker.welcome()
    payloads = [broker.message("all/ws/text")[2]]
    assert b'"dropped": 0' not in broker.message("/state")[2]
    if policy == "newest":
        assert payloads[0] == kept
    else:
        while payloads[-1] != kept:
            payloads.append(broker.message("all/ws/text")[2])


def test_the_heap_stays_flat_over_many_outages(make_member, broker, control):
    board = make_member(broker.port, wait_connected=False, backoff=0.05, queue=512)
    order = control(board)

    def outages(count):
        for _ in range(count):
            broker.welcome()
            order("count 0 2")
            broker.hang_up()
        return int(order("memory"))

    outages(3)
    start = outages(5)
    assert outages(15) - start < 1500


def test_a_broker_that_stops_reading_does_not_stop_the_board(make_member, broker, control):
    board = make_member(broker.port, wait_connected=False)
    broker.welcome()
    order = control(board)
    for _ in range(20):
        assert order("count 0 50") == b"counted"
