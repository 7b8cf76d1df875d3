"""Calls from outside, readers of the loop, and times that read back as they were given."""

import socket
import time

import pytest

from tests.wsserver.programs import ECHO, run_script
from tools.ports import free_port
from tools.wsclient import TEXT, frame

HEAD = "from wsserver import Server\nserver = Server()\n"


@pytest.mark.parametrize(
    ("call", "printed"),
    [
        ("server.call_soon(print)", "\n"),
        ("server.call_soon(print, 1)", "1\n"),
        ("server.call_soon(print, 1, 2, 3)", "1 2 3\n"),
        ("server.call_soon(print, None)", "None\n"),
        ("server.call_soon(lambda: print('no argument'))", "no argument\n"),
    ],
)
def test_call_soon_hands_on_the_arguments_that_it_gets(lib, tmp_path, call, printed):
    assert run_script(lib, f"{HEAD}{call}\nserver.step()\n", tmp_path) == printed


def test_call_soon_says_whether_there_was_space(lib, tmp_path):
    source = "for _ in range(17):\n    taken = server.call_soon(print, 'called')\nprint(taken)\n"
    output = run_script(lib, HEAD + source + "server.step()\n", tmp_path)
    assert output == "False\n" + 16 * "called\n"


@pytest.mark.parametrize(
    ("given", "read"), [("20", "20"), ("0.5", "0.5"), ("None", "None"), ("86400", "86400")]
)
@pytest.mark.parametrize(
    "name", ["ping_interval", "ping_timeout", "open_timeout", "close_timeout"]
)
def test_a_time_reads_back_as_it_was_given(lib, tmp_path, name, given, read):
    source = f"from wsserver import Server\nprint(Server({name}={given}).{name})\n"
    assert run_script(lib, source, tmp_path) == read + "\n"


APP = (
    ECHO
    + """
import socket


class Pings:
    def on_pong(self, client, data):
        print("pong")


def broken(sock):
    raise RuntimeError("on purpose in a reader")


calls = 0


def recovers(sock):
    global calls
    calls += 1
    data = sock.recvfrom(100)[0]
    if data == b"bad":
        raise ValueError("bad datagram")
    print("got", data)


def listen_to(port, function):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setblocking(False)
    sock.bind(socket.getaddrinfo("127.0.0.1", port)[0][-1])
    server.add_reader(sock, function)


server = Server(log=log)
server.ping_interval = 0.3
server.websocket("/ws", Echo())
server.websocket("/pings", Pings())
listen_to(PORTS[0], broken)
listen_to(PORTS[1], recovers)
server.listen(80)
server.run()
"""
)


@pytest.fixture(scope="module")
def ports():
    """Two UDP ports that are free."""
    return [free_port(socket.SOCK_DGRAM) for _ in range(2)]


@pytest.fixture(scope="module")
def board(make_board, ports):
    return make_board(files={"main.py": APP.replace("PORTS", repr(ports))}, heap="256k")


def test_a_reader_that_raises_neither_fills_the_log_nor_delays_others(raw, board, ports):
    position = board.log_position
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.sendto(b"stays in the socket", ("127.0.0.1", ports[0]))
    board.wait_for_log("on purpose in a reader", since=position)
    peer = raw(board).open()
    started = time.monotonic()
    while time.monotonic() < started + 2:
        assert peer.send(frame(TEXT, b"hello")).frame() == (TEXT, b"hello")
    assert 1 <= board.log[position:].count("on purpose in a reader") <= 4
    sender.close()


def test_a_reader_goes_on_after_one_bad_datagram(board, ports):
    position = board.log_position
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.sendto(b"bad", ("127.0.0.1", ports[1]))
    board.wait_for_log("bad datagram", since=position)
    sender.sendto(b"good", ("127.0.0.1", ports[1]))
    board.wait_for_log("got b'good'", since=position)
    sender.close()


def test_a_ping_interval_set_before_run_is_in_seconds(raw, board):
    peer = raw(board).open("/pings")
    started = time.monotonic()
    assert peer.frame()[0] == 9
    assert 0.25 < time.monotonic() - started < 8
