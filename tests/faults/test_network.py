"""A network that loses, delays, reorders and doubles packets, and phones that leave it."""

import socket
import threading
import time

import pytest

from tests.faults.conftest import NOISE, Probe
from tests.server.conftest import Raw
from tests.wire import TEXT, frame


class Phone(Raw):
    """A client at the far end of a link."""

    def __init__(self, namespace, board):
        self.ignored = None
        self.sock = namespace.socket()
        self.sock.settimeout(60)
        self.sock.connect((board.address, board.http_port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.data = b""


class Neighbour(Probe):
    """A probe at the near end, which the link does not concern."""

    def __init__(self, namespace, board):
        self.connection = Phone(namespace, board).open()


def chat(phone, count, failures):
    """Send numbered messages, a few at a time, and check each answer."""
    try:
        sent = 0
        for received in range(count):
            while sent < min(count, received + 8):
                phone.send(frame(TEXT, b"%d" % sent * 20))
                sent += 1
            answer = phone.frame()
            while answer[0] != TEXT:  # the board asks whether somebody is there
                phone.send(frame(10, answer[1]))
                answer = phone.frame()
            assert answer == (TEXT, b"%d" % received * 20)
    except (AssertionError, OSError) as error:
        failures.append(error)


def ordeal(link, board, count):
    between, _, far = link
    between.loss, between.delay, between.jitter = 0.1, 0.2, 0.05
    between.reorder, between.duplicate = 0.1, 0.1
    try:
        phones = [Phone(far, board).open() for _ in range(3)]
        failures = []
        threads = [threading.Thread(target=chat, args=(one, count, failures)) for one in phones]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert between.lost and between.doubled
    finally:
        between.loss = between.delay = between.jitter = between.reorder = between.duplicate = 0
    for phone in phones:
        phone.close()
    assert "Traceback" not in board.log


def test_over_a_bad_network_every_message_arrives_once_and_in_order(link, patient_board):
    ordeal(link, patient_board, 8)


@pytest.mark.faults
@pytest.mark.timeout(600)
def test_over_a_bad_network_hundreds_of_messages_arrive_once_and_in_order(link, patient_board):
    ordeal(link, patient_board, 500)


def test_phones_that_leave_the_wifi_are_gone_in_time_and_nobody_else_notices(
    link, board_elsewhere
):
    between, near, far = link
    board = board_elsewhere
    probe = Neighbour(near, board)
    listener = Phone(near, board).open("/room")
    usual = probe.p99()
    phones = [Phone(far, board).open("/room") for _ in range(3)]
    between.cut = True  # no FIN, no RST
    left = time.monotonic()
    try:
        listener.send(frame(TEXT, b"does anybody hear?"))  # what is sent to them is lost, too
        assert probe.p99() <= 2 * usual + NOISE
        opened = Phone(near, board).open("/health")
        while True:
            opened.send(frame(TEXT, b"?"))
            answer = opened.frame()
            if b'"clients": 3' in answer[1]:
                break
            assert time.monotonic() - left < 2 + 5, "the phones are still clients"
            time.sleep(0.05)
            probe.echo(b"still here")
            listener.send(frame(10))
    finally:
        between.cut = False
    for connection in (probe, listener, opened, *phones):
        connection.close()
