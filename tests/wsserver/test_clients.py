"""The list of clients: how many, which one is replaced, which are dead."""

import time

import pytest

from tests.wsserver.conftest import REQUEST, echo, wait_alone
from tools.wsclient import CLOSE, PING, PONG, TEXT, close, frame


@pytest.fixture(scope="module")
def small(make_lab):
    """A board for two clients."""
    return make_lab(max_clients=2, ping_interval=None, close_timeout=1)


def test_one_client_too_many_gets_503_with_retry_after(raw, small):
    first, second = raw(small).open(), raw(small).open()
    third = raw(small).send(REQUEST.format(path="/ws").encode())
    head = third.until(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503") and b"\r\nRetry-After: 5\r\n" in head
    echo(first)
    second.send(close(1000))
    assert second.rest()
    echo(raw(small).open())


def test_with_purge_lru_the_client_idle_longest_is_replaced(raw, make_lab):
    board = make_lab(max_clients=3, purge="lru", ping_interval=None, close_timeout=1)
    clients = [raw(board).open() for _ in range(3)]
    for index in (1, 2, 0):
        time.sleep(0.03)  # the clock of the board counts milliseconds
        echo(clients[index])
    newcomer = raw(board).open()
    assert clients[1].close_code() == 1013
    for client in (clients[0], clients[2], newcomer):
        echo(client)


def test_ids_are_never_used_again(raw, small):
    ids = []
    for _ in range(3):
        connection = raw(small).open("/control").send(frame(TEXT, b"clients"))
        ids.append(connection.frame()[1])
        connection.send(close(1000))
        connection.rest()
    assert len(set(ids)) == 3


@pytest.fixture(scope="module")
def watchful(make_lab):
    """A board that pings after 0.3 s and waits 2 s for the answer."""
    return make_lab(ping_interval=0.3, ping_timeout=2, close_timeout=1)


def test_a_silent_client_is_pinged_and_stays_while_it_answers(raw, watchful):
    connection = raw(watchful).open()
    for _ in range(4):
        opcode, data = connection.frame()
        assert opcode == PING
        connection.send(frame(PONG, data))
    echo_after_pings(connection)


def echo_after_pings(connection):
    connection.send(frame(TEXT, b"x"))
    while True:
        opcode, data = connection.frame()
        if opcode == TEXT:
            return
        assert opcode == PING


def test_a_client_that_answers_no_ping_is_gone_in_time(raw, watchful):
    position = watchful.log_position
    connection = raw(watchful).open()
    started = time.monotonic()
    assert connection.frame()[0] == PING
    rest = connection.rest()
    assert time.monotonic() - started < 10
    assert rest[:1] in (b"", bytes([0x80 | CLOSE]))
    watchful.wait_for_log("closed .* 1006 no answer to ping", since=position)


def test_a_client_that_talks_is_not_pinged(raw, watchful):
    connection = raw(watchful).open()
    for _ in range(10):
        echo(connection)
        time.sleep(0.08)


def test_a_pong_alone_does_not_keep_a_client_from_being_replaced(raw, make_lab):
    board = make_lab(
        max_clients=2, purge="lru", ping_interval=0.2, ping_timeout=5, close_timeout=1
    )
    idle, busy = raw(board).open(), raw(board).open()
    echo(busy)
    while True:  # the one that only answers pings is heard of last
        opcode, data = idle.frame()
        if opcode == PING:
            idle.send(frame(PONG, data))
            break
    time.sleep(0.05)
    raw(board).open()
    assert idle.close_code() == 1013


def test_clients_that_leave_brutally_leave_nothing_behind(raw, make_lab):
    board = make_lab(max_clients=4, ping_interval=None)
    control = raw(board).open("/control")
    sizes = []
    for count in range(60):
        connection = raw(board).open()
        connection.send(frame(TEXT, b"x" * 200)[: 10 + 3 * count])
        connection.reset()
        if count in (9, 59):
            wait_alone(control)
            sizes.append(int(control.send(frame(TEXT, b"memory")).frame()[1]))
    assert sizes[1] <= sizes[0] + 2000  # fifty clients left behind would be 40,000
