"""The chip's ten sockets, all of which the firmware may need at once."""

import contextlib
import threading
import time
import urllib.error
import urllib.request

import pytest

from tests.wifi.test_captive_portal import ask
from tests.wsserver.conftest import REQUEST, Raw, echo
from tools.wsclient import close

QUIET = {"broadcast": {"interval": 0}}
HANDSHAKE = REQUEST.format(path="/ws").encode()


@pytest.fixture
def make_full_board(make_board, certs):
    """make_full_board(server=...) -> the firmware with all that takes sockets: two listeners,
    the captive portal's names, five clients; two HTTP exchanges are left.
    """

    def make(server):
        sections = {**QUIET, "tls": {"max_clients": 3}, "server": server}
        board = make_board(config=sections, certs=certs, heap="256k")
        board.wait_for_log("serving ws://.* and wss://")
        return board

    return make


@pytest.fixture
def five(trust):
    """five(board) -> its five clients, two of them over TLS. They are closed in the end."""
    opened = contextlib.ExitStack()

    def connect(board):
        clients = []
        for tls in (trust, trust, None, None, None):
            client = Raw(board, board.https_port if tls else board.http_port)
            opened.callback(client.close)
            if tls:
                client.sock = tls.wrap_socket(client.sock, server_hostname=board.address)
                opened.callback(client.close)
            clients.append(client.open())
        return clients

    with opened:
        yield connect


def fetch(url, context, times, statuses):
    """Load a page several times, each time until it arrives, at most 20 s long.

    When all slots are taken, the board drops a connection without a request after a second. Beside
    load, the request of a thread may come later. The one TLS slot is free as soon as the board has
    read that the last connection was closed.
    """
    for _ in range(times):
        deadline = time.monotonic() + 20
        while True:
            try:
                statuses.append(status_of(url, context))
                break
            except urllib.error.HTTPError:
                raise
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)


def status_of(url, context):
    with urllib.request.urlopen(url, context=context, timeout=20) as answer:
        answer.read()
        return answer.status


def crowd(board, context, statuses):
    """Threads of people who all want the page at once, one of them over TLS."""
    places = [(board.https_url, context), *[(board.http_url, None)] * 5]
    people = [threading.Thread(target=fetch, args=(*place, 5, statuses)) for place in places]
    for person in people:
        person.start()
    return people


def complaints(board):
    """The lines of the log that tell of something that was missing."""
    words = ("cannot", "Error", "Traceback")
    return [line for line in board.log.splitlines() if any(word in line for word in words)]


def complaints_of_crowd(board):
    """The same, without the line about a TLS connection for a page that came before the board had
    read that the last one was closed: fetch() has come again.
    """
    return [
        line for line in complaints(board) if not line.endswith("max_tls is 3 (tls.max_clients)")
    ]


def test_five_clients_pages_and_names_fit_a_chips_ten_sockets(make_full_board, five, trust, raw):
    board = make_full_board({})
    clients = five(board)
    stalling = [raw(board).send(b"GET ") for _ in range(4)]  # more than there are places
    statuses = []
    people = crowd(board, trust, statuses)
    while any(person.is_alive() for person in people):
        assert ask(board, "www.google.com").answer
        for client in clients:
            echo(client)
    assert statuses == [200] * 30
    sixth = raw(board).send(HANDSHAKE)
    assert sixth.until(b"\r\n") == b"HTTP/1.1 503 Service Unavailable\r\n"
    assert complaints_of_crowd(board) == []
    for client in (*stalling, sixth):
        client.close()
    for client in clients[1:4]:
        client.send(close(1000))
        assert client.close_code() == 1000
    for client in (clients[0], clients[4]):
        client.reset()
    board.wait_for_log(r"\(0 connected\)")
    for client in five(board):
        echo(client)
    fetch(board.https_url, trust, 1, statuses)
    assert statuses[-1] == 200
    assert ask(board, "www.google.com").answer
    assert complaints_of_crowd(board) == []


def test_clients_that_are_slow_to_leave_do_not_cost_others_their_connections(
    make_full_board, five, raw
):
    """Each newcomer has one of those before it sent away, who does not answer."""
    board = make_full_board({"purge": "lru"})
    clients = five(board)
    for _ in range(6):
        client = raw(board).send(HANDSHAKE)
        assert client.until(b"\r\n") == b"HTTP/1.1 101 Switching Protocols\r\n"
        clients.append(client)
    clients[-1].until(b"\r\n\r\n")
    echo(clients[-1])
    assert ask(board, "www.google.com").answer
    assert complaints(board) == []
