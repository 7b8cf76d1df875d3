"""The slow and the dead: what they hold on to, for how long, and what the others notice of it."""

import select
import socket
import threading
import time

import pytest

from tests.faults.conftest import Probe, bearable, health, ms, round_trips, wait_alone
from tests.waiting import wait_until
from tests.wsserver.conftest import REQUEST, Raw
from tools.wsclient import BINARY, CLOSE, TEXT, frame

HANDSHAKE = REQUEST.format(path="/ws").encode()
FLOOD = REQUEST.format(path="/flood").encode()
# ping_interval + ping_timeout of these boards, what ten looks a second may miss, and to ask.
IN_TIME = 1 + 1 + 0.2 + 0.2
PATIENCE = 8  # s


@pytest.fixture(scope="module")
def victim(make_victim):
    """A board with short deadlines, which three at a time may ask for something."""
    return make_victim()


def slowloris(board):
    """Send a handshake byte by byte."""
    connection = Raw(board)
    for byte in HANDSHAKE:
        yield connection
        connection.sock.send(bytes([byte]))
        time.sleep(0.05)


def drip(board):
    """Send a frame byte by byte."""
    connection = Raw(board).open()
    for byte in frame(TEXT, b"x" * 200):
        yield connection
        connection.sock.send(bytes([byte]))
        time.sleep(0.05)


def deaf(board):
    """Request much data and read none of it (zero window)."""
    connection = Raw(board, receive_buffer=2048).open("/flood")
    connection.send(frame(TEXT, b"200"))
    while True:
        yield connection
        time.sleep(0.05)


def deaf_echo(board):
    """Send without end and read no echo."""
    connection = Raw(board, receive_buffer=2048).open()
    connection.sock.settimeout(0.05)
    data = frame(BINARY, bytes(4000)) * 4
    while True:
        yield connection
        try:
            sent = connection.sock.send(data)
            data = data[sent:] + data[:sent]
        except TimeoutError:
            pass


def silence(connection):
    """Send nothing more."""
    while True:
        yield connection
        time.sleep(0.05)


def half_closed(board):
    """Half-close the connection."""
    connection = Raw(board).open()
    connection.sock.shutdown(socket.SHUT_WR)
    yield from silence(connection)


def half_closed_within(board):
    """Half-close the connection within a frame."""
    connection = Raw(board).open().send(frame(TEXT, b"x" * 200)[:50])
    connection.sock.shutdown(socket.SHUT_WR)
    yield from silence(connection)


def half_closed_visitor(board):
    """Half-close the connection within the handshake."""
    connection = Raw(board).send(HANDSHAKE[:40])
    connection.sock.shutdown(socket.SHUT_WR)
    yield from silence(connection)


def silent(board):
    """Connect and send no request."""
    yield from silence(Raw(board))


def no_pong(board):
    """Hang: TCP acknowledges, but no Pong comes."""
    yield from silence(Raw(board).open())


FAULTS = [slowloris, drip, deaf, deaf_echo, half_closed, half_closed_within]
FAULTS += [half_closed_visitor, silent, no_pong]


def misbehave(board, fault, ended):
    """Do it again and again."""
    while not ended.is_set():
        try:
            for connection in fault(board):
                if ended.is_set() or gone(connection):
                    break
            connection.close()
        except (AssertionError, OSError):
            time.sleep(0.02)


def gone(connection):
    """Whether the board has closed the connection."""
    # Not by MSG_DONTWAIT alone: Python waits for a socket that has a timeout all the same.
    poll = select.poll()
    poll.register(connection.sock, select.POLLIN)
    if not poll.poll(0):
        return False
    try:
        return not connection.sock.recv(1, socket.MSG_PEEK)
    except OSError:
        return True


def others_do_not_notice(victim, quiet, fault, count, figures):
    probe = Probe(victim)
    ended = threading.Event()
    threads = [
        threading.Thread(target=misbehave, args=(victim, fault, ended), daemon=True)
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    try:
        found, usual, passed = bearable(lambda: round_trips((probe, quiet), count))
    finally:
        ended.set()
    figures("slow", describe(fault), ms(found), ms(usual), f"{count:,}")
    assert passed, f"median, p99: {ms(found)} ms instead of {ms(usual)}"
    for thread in threads:
        thread.join()
    probe.close()
    wait_alone(victim)


def describe(fault):
    """As a row of docs/reliability.md says it."""
    return fault.__doc__.strip(".").replace("\n   ", "")


@pytest.mark.parametrize("fault", [slowloris, deaf_echo, no_pong])
def test_the_others_do_not_notice_the_slow_and_the_dead(victim, quiet, fault, figures):
    others_do_not_notice(victim, quiet, fault, 200, figures)


@pytest.mark.faults
@pytest.mark.timeout(900)
@pytest.mark.parametrize("fault", FAULTS)
def test_the_others_do_not_notice_the_slow_and_the_dead_for_long(victim, quiet, fault, figures):
    others_do_not_notice(victim, quiet, fault, 5000, figures)


def dead_is_gone_in_time(victim, fault, figures):
    """Twice may be the machine's other work."""
    for _ in range(3):
        connection = next(fault(victim))
        left = time.monotonic()
        wait_until(lambda: health(victim)["clients"] == 1, "the dead to be gone", PATIENCE)
        took = time.monotonic() - left
        connection.close()
        if took <= IN_TIME:
            break
    figures("dead", describe(fault), f"{took:.2f}", f"{IN_TIME:.1f}")
    assert took <= IN_TIME


@pytest.mark.parametrize("fault", [deaf, half_closed_within, no_pong])
def test_a_dead_client_is_gone_within_ping_interval_and_ping_timeout(victim, fault, figures):
    dead_is_gone_in_time(victim, fault, figures)


@pytest.mark.faults
@pytest.mark.parametrize("fault", [deaf, half_closed, half_closed_within, no_pong])
def test_each_kind_of_dead_client_is_gone_within_ping_interval_and_ping_timeout(
    victim, fault, figures
):
    dead_is_gone_in_time(victim, fault, figures)


def test_a_handshake_that_takes_too_long_is_given_up(victim):
    connection = Raw(victim)
    started = time.monotonic()
    with pytest.raises(OSError):
        for byte in HANDSHAKE:
            connection.sock.send(bytes([byte]))
            time.sleep(0.05)
    assert time.monotonic() - started >= 1.9  # open_timeout
    connection.close()


def test_one_byte_a_second_within_a_frame_is_alive_and_its_message_arrives(victim):
    data = frame(TEXT, b"so slow")
    connection = Raw(victim).open()
    for byte in data[:-1]:
        connection.send(bytes([byte]))
    time.sleep(1.1)  # longer than ping_interval
    connection.send(data[-1:])
    opcode, payload = connection.frame()
    while opcode != TEXT:
        opcode, payload = connection.frame()
    assert payload == b"so slow"
    connection.close()


def test_a_reader_that_never_reads_is_told_1013_when_its_buffer_is_full(victim):
    connection = Raw(victim, receive_buffer=2048).open("/flood").send(frame(TEXT, b"4000"))
    time.sleep(0.1)
    assert connection.close_code() == 1013
    connection.send(frame(CLOSE, b"\x03\xf5"))
    connection.close()
