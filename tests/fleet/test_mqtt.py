"""The board's MQTT client against a broker that a test plays: faults, outages, hostile packets."""

import socket
import time

import pytest

from tests.wsserver.programs import Peer
from tools.fleet.engines import free_ports
from tools.wsclient import TEXT, frame

from .conftest import ROOT


@pytest.fixture
def control(request):
    """control(board) -> a local client of /control: order(text) returns the reply."""

    def connect(board):
        peer = Peer(board).open("/control")
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
    assert b"boards/v1/board/in/#" in broker.packet()[1]
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
        listener.settimeout(5)
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
    board = make_member(broker.port, wait_connected=False)
    broker.welcome()
    order = control(board)
    order("count 0 3")
    first = [broker.message("all/ws/text") for _ in range(3)]
    assert [payload for _, _, payload in first] == [b"0", b"1", b"2"]
    broker.sock.sendall(bytes((0x40, 2)) + first[0][1].to_bytes(2, "big"))
    order("memory")  # the acknowledgement has been read, too
    order("memory")
    broker.hang_up()
    order("count 3 5")
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
    assert b'"dropped": 0' not in broker.message("/state")[2]
    payloads = [broker.message("all/ws/text")[2] for _ in range(5)]
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
