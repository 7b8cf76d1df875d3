"""The chip's ten sockets, all of which the firmware may need at once."""

import contextlib
import ssl
import threading
import urllib.request

import pytest

from tests.wifi.test_captive_portal import ask
from tests.wsserver.conftest import REQUEST, Raw
from tools.wsclient import TEXT, close, frame

QUIET = {"broadcast": {"interval": 0}}
HANDSHAKE = REQUEST.format(path="/ws").encode()


@pytest.fixture(scope="module")
def context(certs):
    return ssl.create_default_context(cafile=certs / "ca.pem")


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
def five(context):
    """five(board) -> its five clients, two of them over TLS. They are closed in the end."""
    opened = contextlib.ExitStack()

    def connect(board):
        clients = []
        for tls in (context, context, None, None, None):
            client = Raw(board, board.https_port if tls else board.http_port)
            opened.callback(client.close)
            if tls:
                client.sock = tls.wrap_socket(client.sock, server_hostname=board.address)
                opened.callback(client.close)
            clients.append(client.open())
        return clients

    with opened:
        yield connect


def echo(client, text=b"hello"):
    assert client.send(frame(TEXT, text)).frame() == (TEXT, text)


def fetch(url, context, times, statuses):
    """Ask for a page; once more where this machine was so busy that the board gave up on us, which
    it does after a second in a full house.
    """
    for _ in range(times):
        try:
            statuses.append(status_of(url, context))
        except OSError:
            statuses.append(status_of(url, context))


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


def nothing_was_short(board):
    return not any(word in board.log for word in ("cannot", "Error", "Traceback"))


def test_five_clients_pages_and_names_fit_a_chips_ten_sockets(make_full_board, five, context, raw):
    board = make_full_board({})
    clients = five(board)
    stalling = [raw(board).send(b"GET ") for _ in range(4)]  # more than there are places
    statuses = []
    people = crowd(board, context, statuses)
    while any(person.is_alive() for person in people):
        assert ask(board, "www.google.com").answer
        for client in clients:
            echo(client)
    assert statuses == [200] * 30
    sixth = raw(board).send(HANDSHAKE)
    assert sixth.until(b"\r\n") == b"HTTP/1.1 503 Service Unavailable\r\n"
    assert nothing_was_short(board)
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
    fetch(board.https_url, context, 1, statuses)
    assert statuses[-1] == 200
    assert ask(board, "www.google.com").answer
    assert nothing_was_short(board)


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
    assert nothing_was_short(board)
