"""A network that loses, delays, reorders and doubles packets, and phones that leave it."""

import socket
import threading
import time

import pytest

from tests.faults.conftest import Probe, bearable, ms, round_trips
from tests.wsserver.conftest import Raw
from tools.wsclient import PONG, TEXT, frame


class Phone(Raw):
    """A client at the far end of a link."""

    def __init__(self, namespace, board):
        self.ignored = None
        self.sock = namespace.socket()
        self.sock.settimeout(60)
        self.sock.connect((board.address, board.http_port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.data = b""

    def message(self):
        """The next text."""
        opcode, payload = self.frame()
        while opcode != TEXT:
            opcode, payload = self.frame()
        return payload


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
                phone.send(frame(PONG, answer[1]))
                answer = phone.frame()
            assert answer == (TEXT, b"%d" % received * 20)
    except (AssertionError, OSError) as error:
        failures.append(error)


# What a network does to packets: probabilities, and seconds each way.
NETWORKS = {
    "10 % loss": {"loss": 0.1},
    "200 ms delay, plus or minus 50": {"delay": 0.2, "jitter": 0.05},
    "10 % reordered": {"delay": 0.02, "reorder": 0.1},
    "10 % duplicated": {"duplicate": 0.1},
    "all combined": {
        "loss": 0.1,
        "delay": 0.2,
        "jitter": 0.05,
        "reorder": 0.1,
        "duplicate": 0.1,
    },
}


def ordeal(link, board, name, count, figures):
    between, _, far = link
    phones = [Phone(far, board).open() for _ in range(3)]
    failures = []
    before = between.carried, between.lost, between.doubled
    try:
        for field, value in NETWORKS[name].items():
            setattr(between, field, value)
        threads = [threading.Thread(target=chat, args=(one, count, failures)) for one in phones]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        between.loss = between.delay = between.jitter = between.reorder = between.duplicate = 0
    after = between.carried, between.lost, between.doubled
    carried, lost, doubled = (now - then for now, then in zip(after, before, strict=True))
    counts = f"{3 * count:,}", f"{carried:,}", f"{lost:,}", f"{doubled:,}"
    figures("network", name, *counts, "; ".join(map(repr, failures)) or "nothing")
    assert failures == []
    assert bool(lost) == ("loss" in NETWORKS[name])
    assert bool(doubled) == ("duplicate" in NETWORKS[name])
    for phone in phones:
        phone.close()
    assert "Traceback" not in board.log


def test_over_a_bad_network_every_message_arrives_once_and_in_order(link, patient_board, figures):
    ordeal(link, patient_board, "all combined", 8, figures)


@pytest.mark.faults
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", NETWORKS)
def test_over_a_bad_network_hundreds_of_messages_arrive_once_and_in_order(
    link, patient_board, name, figures
):
    ordeal(link, patient_board, name, 500, figures)


# ping_interval + ping_timeout of this board, what ten looks a second may miss, and to ask.
IN_TIME = 1 + 1 + 0.2 + 0.2


def watch_them_go(opened, listener, left, gone):
    """Look how many clients there are until the three phones are none, and note when that is."""
    while not gone and time.monotonic() - left < 8:
        opened.send(frame(TEXT, b"?"))
        listener.send(frame(PONG))
        if b'"clients": 3' in opened.message():
            gone.append(time.monotonic() - left)
        time.sleep(0.05)


def phones_leave(link, board, quiet, count):
    """Seconds until the phones are gone, and what `bearable` says of the others."""
    between, near, far = link
    probe = Neighbour(near, board)
    listener = Phone(near, board).open("/room")
    opened = Phone(near, board).open("/health")
    phones = [Phone(far, board).open("/room") for _ in range(3)]
    between.cut = True  # no FIN, no RST
    left = time.monotonic()
    gone = []
    watcher = threading.Thread(target=watch_them_go, args=(opened, listener, left, gone))
    try:
        listener.send(frame(TEXT, b"does anybody hear?"))  # what is sent to them is lost, too
        watcher.start()
        others = bearable(lambda: round_trips((probe, quiet), count))
        watcher.join()
    finally:
        between.cut = False
    for connection in (probe, listener, opened, *phones):
        connection.close()
    assert gone, "the phones are still clients"
    return gone[0], others


def phones_leave_unnoticed(link, board, quiet, count, figures):
    for _ in range(3):  # twice may be the machine's other work
        gone, (found, usual, passed) = phones_leave(link, board, quiet, count)
        if gone <= IN_TIME and passed:
            break
    figures("dead", "Leave the Wi-Fi without FIN or RST", f"{gone:.2f}", f"{IN_TIME:.1f}")
    row = ms(found), ms(usual), f"{count:,}"
    figures("slow", "Leave the Wi-Fi without FIN or RST, during a broadcast", *row)
    assert gone <= IN_TIME
    assert passed, f"median, p99: {ms(found)} ms instead of {ms(usual)}"


def test_phones_that_leave_the_wifi_are_gone_in_time_and_nobody_else_notices(
    link, board_elsewhere, quiet, figures
):
    phones_leave_unnoticed(link, board_elsewhere, quiet, 200, figures)


@pytest.mark.faults
def test_phones_that_leave_the_wifi_are_gone_in_time_and_nobody_else_notices_for_long(
    link, board_elsewhere, quiet, figures
):
    phones_leave_unnoticed(link, board_elsewhere, quiet, 1000, figures)
