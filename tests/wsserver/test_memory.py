"""A board with little memory: it drops what does not fit, and continues to serve."""

import contextlib
import threading
import time

import pytest

from tests.wsserver.conftest import REQUEST, echo
from tools.virtualboard.board import heap_bytes
from tools.wsclient import CLOSE, PING, PONG, TEXT, close, frame


def open_in_time(raw, board):
    """A connection to a board that may be out of memory, or still be closing other clients."""
    end = time.monotonic() + 20
    while True:
        try:
            return raw(board).open()
        except (AssertionError, OSError):
            assert time.monotonic() < end, "the board takes no new client"


def serve_in_time(raw, board):
    """Wait until a new client gets its echo. One that is shed before must have been told why."""
    end = time.monotonic() + 20
    answer = None
    while answer != (TEXT, b"x"):
        assert time.monotonic() < end, "the board echoes nothing to new clients"
        connection = open_in_time(raw, board)
        answer = connection.send(frame(TEXT, b"x")).frame()
        assert answer in ((TEXT, b"x"), (CLOSE, b"\x03\xf5out of memory")), board.log
        connection.close()


def test_with_little_heap_the_firmware_starts_echoes_and_broadcasts_to_five_clients(
    raw, make_board, small_heap
):
    config = {"broadcast": {"interval": 0.5}}
    board = make_board(heap=small_heap, config=config)
    clients = [open_in_time(raw, board) for _ in range(5)]
    for client in clients:
        assert client.frame()[1].startswith(b"Server broadcast: Hello #")
    for client in clients:
        client.send(frame(TEXT, b"x" * 500))
    for client in clients:
        opcode, payload = client.frame()
        while payload.startswith(b"Server broadcast"):
            opcode, payload = client.frame()
        assert (opcode, payload) == (TEXT, b"x" * 500)


def test_when_memory_runs_out_some_clients_are_shed_and_the_board_goes_on(
    raw, make_board, small_heap
):
    board = make_board(heap=small_heap, config={"broadcast": {"interval": 0}})

    def demand():
        connection = raw(board)
        try:
            connection.open()
            for _ in range(30):
                connection.send(frame(TEXT, b"x" * 4000, final=False))
                connection.send(frame(0, b"y" * 90) + frame(9, b"z" * 100))
                connection.frame()
                connection.frame()
        except (AssertionError, OSError):
            pass  # shed
        connection.reset()  # at times there is memory for all of them, which would keep all slots

    threads = [threading.Thread(target=demand) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    connection = open_in_time(raw, board)
    for _ in range(100):
        echo(connection, b"still here")
    connection.send(close(1000))
    assert connection.close_code() == 1000


@pytest.mark.parametrize("left", [0, 300, 600, 1200, 3000])
def test_visitors_that_leave_while_there_is_no_memory_do_not_end_accepting(raw, lab, left):
    control = raw(lab).open("/control")
    visitors = [raw(lab).send(b"GET /") for _ in range(3)]  # as many as there may be
    position = lab.log_position
    control.send(frame(TEXT, b"hog 300 %d" % left))
    lab.wait_for_log("hogged", since=position)
    early = [raw(lab).send(REQUEST.format(path="/ws").encode()) for _ in range(5)]
    for connection in (*visitors, *early):
        connection.reset()
    lab.wait_for_log("released", since=position)
    echo(raw(lab).open())


def test_a_frame_for_which_there_is_no_memory_does_not_stop_the_loop(raw, lab):
    control, victim = raw(lab).open("/control"), raw(lab).open()
    position = lab.log_position
    control.send(frame(TEXT, b"hog 300 0"))
    lab.wait_for_log("hogged", since=position)
    victim.send(frame(9, b"needs a Reader"))
    lab.wait_for_log("released", since=position)
    echo(raw(lab).open())


def test_out_of_memory_names_the_client_the_path_and_the_size(raw, make_lab):
    """Also if there is no memory for a traceback."""
    lab = make_lab(max_clients=6, ping_interval=None)
    control, victim = raw(lab).open("/control"), raw(lab).open()
    position = lab.log_position
    control.send(frame(TEXT, b"hog 600 3500"))
    lab.wait_for_log("hogged", since=position)
    assert victim.send(frame(TEXT, b"x" * 4000)).close_code() == 1011
    client = r"client 2 of 127.0.0.1 at /ws: out of memory"
    size = r"memory allocation failed, allocating 4001 bytes"
    lab.wait_for_log(rf"{client}: MemoryError\('{size}", since=position)
    lab.wait_for_log("released", since=position)
    echo(raw(lab).open())


def test_the_traceback_of_out_of_memory_names_the_client(raw, lab):
    position = lab.log_position
    assert raw(lab).open("/raises").send(frame(TEXT, b"memory")).close_code() == 1011
    line = r"MemoryError: memory.*\n.*client \d+ of 127.0.0.1 at /raises: out of memory"
    lab.wait_for_log(line, since=position)


def test_a_client_for_whose_answer_there_is_no_buffer_is_told_so(raw, make_lab):
    lab = make_lab(max_clients=6, ping_interval=None)
    control, victim = raw(lab).open("/control"), raw(lab).open()
    holders = [raw(lab, receive_buffer=4096).open("/drops") for _ in range(2)]
    position = lab.log_position
    for holder in holders:  # each keeps a buffer, because it does not read; two is what are kept
        holder.send(frame(TEXT, b"20 4000") * 300)  # if TCP takes one after all, the next fills it
    before = None
    while lab.log_position != before:
        before = lab.log_position
        time.sleep(0.3)
    control.send(frame(TEXT, b"hog 2000 1500"))
    lab.wait_for_log("hogged", since=position)
    assert victim.send(frame(TEXT, b"x")).frame() == (CLOSE, b"\x03\xf5out of memory")
    assert "released" not in lab.log[position:]
    for holder in holders:
        holder.reset()
    lab.wait_for_log("released", since=position)
    lab.wait_for_log("/ws 1006 out of memory", since=position)
    echo(raw(lab).open())


PAGE = b"GET / HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n"


@pytest.mark.parametrize("more", [-4, 0, 4, 8])
def test_where_there_is_no_memory_for_pages_the_browser_is_told_and_clients_are_served(
    raw, make_board, small_heap, more
):
    heap = str(heap_bytes(small_heap) + more * 1024)
    board = make_board(heap=heap, config={"broadcast": {"interval": 0}})
    for _ in range(8):
        answer = raw(board).send(PAGE).rest()
        assert answer.startswith((b"HTTP/1.1 200 ", b"HTTP/1.1 503 ")), board.log
    serve_in_time(raw, board)
    for _ in range(8):
        request = PAGE.replace(b"Accept-Encoding: gzip\r\n", b"")
        head = raw(board).send(request).until(b"\r\n")
        assert head.split()[1] in (b"200", b"406", b"503"), board.log
    serve_in_time(raw, board)


def test_with_little_memory_a_page_is_served_where_what_serves_it_is_loaded_already(raw, make_lab):
    board = make_lab(files={"site/index.html": "here"})
    request = b"GET / HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n"
    assert raw(board).send(request).rest().endswith(b"here")
    position = board.log_position
    raw(board).open("/control").send(frame(TEXT, b"hog 500 4000"))
    board.wait_for_log("hogged", since=position)
    assert raw(board).send(request).until(b"\r\n") == b"HTTP/1.1 200 OK\r\n"
    board.wait_for_log("released", since=position)
    assert raw(board).send(request).rest().endswith(b"here")


# What MicroPython leaves behind where memory ended in an import: a name in sys.modules, and no
# module. A dictionary there is a type, flags, the number of slots and their place; a slot is a key
# and a value.
EMPTY_ENTRY = """
import sys
import micropython

@micropython.viper
def make_empty(dictionary: int, value: int):
    head = ptr32(dictionary)
    WORDS

def address(one):
    number = id(one)
    return number if number >= 0 else number + (1 << 31)  # with 32 bits it may be cut to 31

for name in ("wsserver.gctuning", "nothing"):
    sys.modules[name] = name + " of its own"
    make_empty(address(sys.modules), address(sys.modules[name]))
"""


FIND_AND_EMPTY = {
    32: """slots = ptr32(head[3])
    at = 0
    while at < 2 * head[2]:
        if slots[at] == value:
            slots[at] = 0
        at += 1
""",
    64: """slots = ptr32(head[6] | head[7] << 32)
    at = 0
    while at < 4 * head[4]:
        if slots[at] | slots[at + 1] << 32 == value:
            slots[at] = slots[at + 1] = 0
        at += 2
""",
}


def test_what_found_no_memory_to_be_loaded_is_loaded_the_next_time(make_board, word):
    board = make_board(files={"boot.py": "", "main.py": ""}, wait=False)
    board.wait_for_log(">>> ")
    board.exec(EMPTY_ENTRY.replace("WORDS", FIND_AND_EMPTY[word]))
    empty = board.exec("print('nothing' in sys.modules, sys.modules.get('nothing'))")
    assert empty.split() == ["True", "None"]
    board.exec("from wsserver.lazy import load")
    assert board.exec("print(load('wsserver.gctuning').tune)").startswith("<function")
    assert board.exec("print('nothing' in sys.modules)").strip() == "False"


@pytest.mark.parametrize("limits", [None, {"messages": 1000, "bytes": 100000}])
def test_whom_the_server_sees_off_goes_even_where_there_is_no_memory_to_note_since_when(
    raw, make_lab, limits
):
    board = make_lab(max_clients=6, close_timeout=1, limits=limits)
    control = raw(board).open("/control")
    for laden in range(0, 10, 5):
        victims = [raw(board).open(f"/laden?{laden + more}") for more in range(5)]
        position = board.log_position
        control.send(frame(TEXT, b"starve 3000"))
        board.wait_for_log("hogged", since=position)
        for victim in victims:
            victim.send(frame(3, b"reserved opcode"))
        for victim in victims:
            with contextlib.suppress(ConnectionResetError):
                victim.rest()
        assert "released" not in board.log[position:]
        board.wait_for_log("released", since=position)
    echo(raw(board).open())


def test_from_source_the_firmware_starts_with_128k(raw, make_board):
    echo(raw(make_board(source=True, config={"broadcast": {"interval": 0}})).open())


COUNTED = """
import gc
from wsserver import Server

class Echo:
    def on_message(self, client, message):
        if message == "?":
            gc.collect()
            message = str(gc.mem_alloc())
        client.send(message)

server = Server()
server.websocket("/ws", Echo())
server.listen(80)
server.run()
"""


def test_a_million_messages_of_five_clients_leave_a_small_heap_as_the_first_thousand_did(
    raw, make_board, small_heap
):
    board = make_board(heap=small_heap, files={"main.py": COUNTED})
    clients = [open_in_time(raw, board) for _ in range(5)]
    position = board.log_position
    batch, echoes = frame(TEXT, b"x" * 32) * 100, b"\x81\x20" + b"x" * 32

    def in_use():
        return int(clients[0].send(frame(TEXT, b"?")).frame()[1])

    def rounds(count):
        for _ in range(count):
            for client in clients:
                client.send(batch)
            for client in clients:
                assert client.read(len(echoes) * 100) == echoes * 100

    # A message in two parts: what reads such exists then for each client, and all buffers do.
    for client in clients:
        client.send(frame(PING, b"") + batch[:20])
        assert client.frame() == (PONG, b"")
        client.send(batch[20:38])
        assert client.frame() == (TEXT, b"x" * 32)
    rounds(2)
    before = in_use()
    rounds(1998)
    assert in_use() <= before + 500
    assert "MemoryError" not in board.log[position:]


LARGE = """
import gc
from wsserver import Server

stays = [(number,) * 25 for number in range(200)]
end = max(id(one) for one in stays)
for number in range(0, 200, 2):
    stays[number] = None  # holes
{then}

def look():
    gc.collect()
    new = [(end,) for _ in range(20)]  # some find what the timer has left
    behind = sum(id(one) > end for one in new)
    place = "behind" if behind > 10 else "in a hole"
    print("threshold", gc.threshold(), "found", place)

server = Server()
server.listen(80)
server.after(1, look)
server.run()
"""


def test_on_a_large_heap_what_is_new_is_not_searched_for_among_what_stays(make_board):
    board = make_board(heap="600k", files={"main.py": LARGE.format(then="")})
    found = board.wait_for_log(r"threshold (\d+) found (.*?)\r?\n")
    assert int(found[1]) >= 131072
    assert found[2] == "behind"


@pytest.mark.parametrize("heap, then", [("128k", ""), ("600k", "gc.threshold(50000)")])
def test_a_small_heap_and_one_that_somebody_takes_care_of_are_left_alone(make_board, heap, then):
    board = make_board(heap=heap, files={"main.py": LARGE.format(then=then)})
    found = board.wait_for_log(r"threshold (-?\d+) found (.*?)\r?\n")
    assert int(found[1]) in (range(49000, 50001) if then else [-1])
    assert found[2] == "in a hole"
