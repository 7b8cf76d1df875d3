"""The loop on a live board: timers, calls from threads, and sockets of one's own."""

import re
import socket

from tools.wsclient import TEXT, frame


def order(connection, text):
    return connection.send(frame(TEXT, text)).frame()[1]


def test_a_repeating_timer_ticks_until_it_is_cancelled(raw, lab):
    connection = raw(lab).open("/control")
    assert order(connection, b"every 20") == b"tick 1"
    assert [connection.frame()[1] for _ in range(2)] == [b"tick 2", b"tick 3"]
    assert int(order(connection, b"after 100")) >= 100  # and no tick 4 before it


def test_a_single_timer_waits_as_long_as_it_should(raw, lab):
    connection = raw(lab).open("/control")
    assert 50 <= int(order(connection, b"after 50")) < 2000


def test_an_error_in_a_timer_is_logged_and_the_timer_goes_on(raw, lab):
    position = lab.log_position
    connection = raw(lab).open("/control")
    assert order(connection, b"broken_timer") == b"called 1"
    assert connection.frame()[1] == b"called 2"
    lab.wait_for_log("RuntimeError: on purpose in timer", since=position)


def test_a_thread_hands_work_to_the_loop(raw, lab):
    connection = raw(lab).open("/control")
    assert order(connection, b"call_soon from a thread") == b"from a thread"


def test_the_queue_of_calls_is_bounded(raw, lab):
    connection = raw(lab).open("/control")
    taken, given = re.match(rb"(\d+) of (\d+)", order(connection, b"fill_queue 40")).groups()
    assert (taken, given) == (b"16", b"40")
    assert order(connection, b"fill_queue 3") == b"3 of 3"


STEPS = """
import asyncio
from wsserver import Server

class Echo:
    def on_message(self, client, message):
        client.send(message + " %d" % turns)

turns = 0
server = Server()
server.websocket("/ws", Echo())
server.listen(80)

async def serve():
    while True:
        server.step(0)
        await asyncio.sleep_ms(2)

async def count():
    global turns
    while True:
        turns += 1
        await asyncio.sleep_ms(10)

async def main():
    await asyncio.gather(serve(), count())

asyncio.run(main())
"""


def test_step_runs_beside_asyncio(raw, make_board):
    board = make_board(files={"main.py": STEPS})
    connection = raw(board).open()
    first = int(order(connection, b"x").split()[1])
    while int(order(connection, b"x").split()[1]) <= first:
        pass  # the counting task goes on between the answers


WATCHES = """
import socket
from wsserver import Server

class Control:
    def on_message(self, client, message):
        if message == "stop":
            server.stop()
        client.send(message)

def answer(sock):
    try:
        data, sender = sock.recvfrom(100)
    except OSError:
        return
    if data == b"break":
        raise RuntimeError("on purpose while watching")
    sock.sendto(data.upper(), sender)

def bound():
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setblocking(False)
    sock.bind(("0.0.0.0", 53))
    return sock

server = Server()
server.websocket("/ws", Control())
server.listen(80)
server.add_reader(bound(), answer)
server.run()
bound()
print("free again")
"""


def test_a_socket_of_ones_own_is_watched_beside_the_clients_and_closed_with_them(raw, make_board):
    board = make_board(files={"main.py": WATCHES})
    connection = raw(board).open()
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.connect((board.address, board.dns_port))
        sock.settimeout(10)
        for _ in range(3):
            sock.send(b"hello")
            assert sock.recv(100) == b"HELLO"
            assert connection.send(frame(TEXT, b"hi")).frame() == (TEXT, b"hi")
        sock.send(b"break")
        board.wait_for_log("RuntimeError: on purpose while watching")
        sock.send(b"again")
        assert sock.recv(100) == b"AGAIN"
    connection.send(frame(TEXT, b"stop"))
    board.wait_for_log("free again")
