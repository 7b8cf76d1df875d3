"""Those who come and go, politely or not, leave nothing behind."""

import random
import threading

import pytest

from tests.faults.conftest import wait_alone
from tests.wsserver.conftest import REQUEST, Raw
from tools.wsclient import CONTINUATION, PING, TEXT, close, frame

HANDSHAKE = REQUEST.format(path="/ws").encode()
# Every stage of a connection: within the request, behind it, within a header, a payload, a
# message in fragments, behind it, and within a Close.
LIFE = HANDSHAKE + frame(TEXT, b"x" * 200) + frame(TEXT, b"y" * 100, final=False)
LIFE += frame(PING, b"?") + frame(CONTINUATION, b"z" * 300) + close(1000)


def come_and_go(board, chance, count):
    """One after the other: some say goodbye, some vanish with a RST, at any byte."""
    for _ in range(count):
        connection = None
        try:
            connection = Raw(board)
            if chance.random() < 0.3:
                connection.open().send(close(1000))
                connection.frame()
            else:
                cut = chance.randrange(len(LIFE) + 1)
                connection.send(LIFE[:cut])
                if chance.random() < 0.5:
                    connection.sock.settimeout(0.01)
                    connection.sock.recv(1024)
                if chance.random() < 0.7:
                    connection.reset()
        except (AssertionError, OSError):
            pass  # no place just now: that is a way to go, too
        finally:
            if connection:
                connection.close()


def churn(board, count, figures):
    come_and_go(board, random.Random(1), 60)  # fills what is kept for good
    before = wait_alone(board)
    threads = [
        threading.Thread(target=come_and_go, args=(board, random.Random(seed), count // 4))
        for seed in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    after = wait_alone(board)
    left = f"{after['clients'] - 1} and {after['connections'] - 1}"
    figures("churn", f"{count:,}", f"{before['heap']:,}", f"{after['heap']:,}", left)
    assert after["connections"] == before["connections"] == 1
    assert after["heap"] <= before["heap"] + 500
    assert "Traceback" not in board.log


@pytest.fixture(scope="module")
def victim(make_victim):
    return make_victim(ping_interval=20, ping_timeout=20)


def test_a_thousand_who_come_and_go_leave_nothing_behind(victim, figures):
    churn(victim, 1000, figures)


@pytest.mark.faults
@pytest.mark.timeout(3000)
def test_a_hundred_thousand_who_come_and_go_leave_nothing_behind(victim, figures):
    churn(victim, 100000, figures)
