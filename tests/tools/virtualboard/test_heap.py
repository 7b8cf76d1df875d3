"""HEAP=chip: the two heaps of an ESP32, on the interpreter of WORD=32."""

import ast
import shlex
import struct
import sys
from pathlib import Path

import pytest

from tests.conftest import need_chip_heap
from tools.virtualboard import VirtualBoard, chipheap
from tools.virtualboard.board import choose_heap
from tools.virtualboard.interpreter import interpreter

MEASURE = """
import gc, esp32, socket
def measure():
    gc.collect()
    return gc.mem_alloc(), gc.mem_free(), esp32.idf_heap_info(esp32.HEAP_DATA)[-1][1:]
"""


@pytest.fixture
def chip(virtual_only):
    """chip(**arguments) -> a board with HEAP=chip, at its prompt unless wait=False."""
    need_chip_heap()
    boards = []

    def make(wait=True, **arguments):
        files = {"boot.py": "", "main.py": "", **arguments.pop("files", {})}
        board = VirtualBoard(heap="chip", files=files, **arguments)
        boards.append(board)
        board.start()
        if wait:
            board.wait_for_log(">>> $")
        return board

    yield make
    for board in boards:
        board.stop()


def command():
    return Path(interpreter().command[-1])


def value_of(board, code, expression):
    return ast.literal_eval(board.exec(f"{MEASURE}{code}\nprint(repr({expression}))").strip())


# --- how large it is


def test_the_heap_begins_as_on_the_chip(chip):
    boot = (
        "import gc\ngc.collect()\nprint('in use', gc.mem_alloc(), 'of',"
        " gc.mem_alloc() + gc.mem_free())\n"
    )
    board = chip(files={"boot.py": boot})
    used, total = map(int, board.wait_for_log(r"in use (\d+) of (\d+)").groups())
    assert 3500 <= used <= 4500
    assert total == 56000 + 94176  # the other heap counts as free
    heap = board.heap
    assert (heap.grown, heap.failed, heap.size, heap.pool) == (0, 0, 56000, 94176)


def test_the_free_part_is_in_one_piece(chip):
    board = chip(files={"boot.py": "import gc\ngc.collect()\nblock = bytearray(50000)\n"})
    assert board.heap.grown == 0
    assert board.heap.largest < 3000


def test_the_supervisor_sees_what_the_board_sees(chip):
    board = chip()
    used, _, _ = value_of(board, "block = bytearray(20000)", "measure()")
    heap = board.heap
    assert abs(heap.used - used) < 3000  # garbage since
    assert heap.free + heap.used == heap.size == 56000


def test_mem_alloc_changes_by_what_is_allocated(chip):
    code = "a = measure()[0]\nblock = bytearray(1600)\nb = measure()[0]"
    assert 1600 <= value_of(chip(), code, "b - a") <= 1700


def test_names_of_the_firmware_take_tables_as_small_as_a_chips(chip):
    """The first is for 20 names, not for twice as many as the stand-ins have."""
    code = "a = measure()[0]\nfor i in range(8): hasattr(gc, 'fresh%d' % i)\nb = measure()[0]"
    assert value_of(chip(), code, "b - a") < 1500


# --- how it grows


def test_a_request_that_cannot_be_met_doubles_the_heap(chip):
    board = chip()
    used, free, pool = value_of(board, "a, b = bytearray(40000), bytearray(30000)", "measure()")
    heap = board.heap
    assert (heap.grown, heap.request, heap.failed) == (1, 30000, 0)
    assert 111500 <= heap.size <= 112100
    assert pool == (94176 - 57344,) * 3 and heap.pool == pool[0]
    assert used > 70000
    assert free == pytest.approx(heap.size - used + heap.pool, abs=200)


def test_garbage_is_collected_before_the_heap_grows(chip):
    board = chip()
    board.exec("for _ in range(100): block = bytearray(20000)")
    assert board.heap.grown == 0


def test_the_heap_never_shrinks(chip):
    board = chip()
    board.exec("import gc\na, b = bytearray(40000), bytearray(30000)\na = b = None\ngc.collect()")
    assert board.heap.size > 111000
    assert board.heap.used < 12000


def test_it_grows_by_no_more_than_the_pool_has(chip):
    board = chip()
    code = "blocks = [bytearray(30000) for _ in range(4)]"
    pool = value_of(board, code, "measure()[2]")
    heap = board.heap
    assert heap.grown == 2
    assert pool == (0, 0, 0)
    assert heap.size == pytest.approx(56000 + 94176 * 128 / 131, abs=200)


def test_the_heap_never_grows_past_the_interpreters_own(chip, monkeypatch):
    """It did where the path of the project was long: the interpreter crashed when all was used."""
    monkeypatch.setattr("tools.virtualboard.board.PATHS_COST", -8192)
    chip(wait=False).wait_for_log("OSError: the interpreter's heap is too small for HEAP=chip")


def test_a_request_for_more_than_the_pool_is_a_memory_error(chip):
    board = chip()
    with pytest.raises(RuntimeError, match="MemoryError: memory allocation failed, allocating 95"):
        board.exec("bytearray(95000)")
    heap = board.heap
    assert (heap.grown, heap.failed, heap.request, heap.size) == (0, 1, 95000, 56000)


def test_a_locked_heap_does_not_grow(chip):
    board = chip()
    with pytest.raises(
        RuntimeError, match="MemoryError: memory allocation failed, heap is locked"
    ):
        board.exec(
            "import micropython\nmicropython.heap_lock()\n"
            "try:\n    bytearray(60000)\nfinally:\n    micropython.heap_unlock()"
        )
    assert (board.heap.grown, board.heap.failed) == (0, 0)


def test_a_grown_heap_has_no_block_in_both_of_its_parts(chip):
    board = chip()
    with pytest.raises(RuntimeError, match="MemoryError"):
        board.exec("a, b = bytearray(49000), bytearray(30000)\na = b = None\nbytearray(70000)")
    assert board.heap.grown == 1


def test_the_board_says_on_serial_that_its_heap_has_grown(chip):
    main = "import time\na, b = bytearray(40000), bytearray(30000)\ntime.sleep(0.2)\n"
    board = chip(files={"main.py": main})
    board.wait_for_log(
        r"E virtual board: the heap has grown to 11\d{4} bytes, for a request of 30000"
    )


@pytest.mark.parametrize("rest", ["print(' a line')", ""])
def test_the_news_of_a_grown_heap_begins_a_line_of_its_own(chip, rest):
    main = "import time\nprint('half', end='')\na, b = bytearray(40000), bytearray(30000)\n"
    board = chip(files={"main.py": main + f"time.sleep(0.2)\n{rest}\ntime.sleep(9)\n"}, wait=False)
    found = board.wait_for_log(r"half(.*)\n+E virtual board: the heap has grown")
    assert found.group(1) in (" a line", "")


def test_a_tool_at_the_raw_repl_is_not_told_that_the_heap_has_grown(chip):
    board = chip()
    code = "import time\na, b = bytearray(40000), bytearray(30000)\ntime.sleep(0.2)\nprint(1)"
    assert board.exec(code) == "1\n"
    assert board.heap.grown == 1


def test_a_reset_gives_the_memory_back(chip):
    board = chip()
    board.exec("a, b = bytearray(40000), bytearray(30000)")
    start = board.log_position
    board.soft_reset()
    board.wait_for_log(r"soft reboot\n(.*\n)*>>> $", since=start)
    assert (board.heap.grown, board.heap.size, board.heap.pool) == (0, 56000, 94176)


# --- what else takes the pool


def test_three_tls_connections_fit_and_a_fourth_does_not(chip):
    code = """
import tls
context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
context.verify_mode = tls.CERT_NONE
taken = [94176 - measure()[2][0]]
made, streams = [], []
try:
    for _ in range(4):
        made.append(socket.socket())
        streams.append(context.wrap_socket(made[-1], do_handshake_on_connect=False))
        taken.append(94176 - measure()[2][0])
except OSError as error:
    taken.append(str(error))
for sock in made:
    sock.close()
taken.append(94176 - measure()[2][0])
"""
    expected = [3000, 26800, 50600, 74400, "[Errno 12] ENOMEM", 3000]
    assert value_of(chip(), code, "taken") == expected


def test_tls_of_a_forgotten_socket_gives_its_memory_back(chip):
    code = """
import tls
def forget():
    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    context.verify_mode = tls.CERT_NONE
    for _ in range(3):
        context.wrap_socket(socket.socket(), do_handshake_on_connect=False)
forget()
measure()
others = [socket.socket() for _ in range(9)]
"""
    assert value_of(chip(), code, "measure()[2][0]") >= 94176 - 3000


def test_a_thread_takes_its_stack_of_the_pool_until_it_ends(chip):
    code = """
import _thread, time
lock = _thread.allocate_lock()
lock.acquire()
_thread.stack_size(60000)
_thread.start_new_thread(lock.acquire, ())
taken = [94176 - measure()[2][0]]
try:
    _thread.start_new_thread(lock.acquire, ())
except OSError as error:
    taken.append(str(error))
lock.release()
time.sleep_ms(50)
taken.append(94176 - measure()[2][0])
"""
    assert value_of(chip(), code, "taken") == [60400, "can't create thread", 0]


def test_a_heap_that_grows_beside_a_thread_leaves_its_stack_to_tls(chip):
    code = """
from wsserver import lazy
sessions = lazy.call("wsserver.gcgrowth", "grow", 52000)
"""
    board = chip()
    assert value_of(board, code, "sessions") == 2
    assert board.heap.grown == 1
    assert board.heap.pool == pytest.approx(52000, abs=1000)
    assert board.heap.size == pytest.approx(56000 + 42000, abs=1000)


def test_setting_up_an_application_leaves_all_tls_sessions_but_one(chip):
    code = """
from wsserver import lazy
esp32._take(3000)
before = measure()[2][0]
lock, size = lazy.call("wsserver.gcsetup", "hold")
taken = [before - measure()[2][0], size]
lock.release()
"""
    assert value_of(chip(), code, "taken") == [2 * 23800 + 400, 2 * 23800]


def test_a_session_without_a_socket_takes_its_memory_until_it_is_closed_or_collected(chip):
    code = """
import io, tls
context = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
def wrap():
    stream = context.wrap_socket(io.BytesIO(), server_side=True, do_handshake_on_connect=False)
    return stream, before - measure()[2][0]
before = measure()[2][0]
stream, size = wrap()
taken = [size]
stream.close()
stream.close()
taken.append(before - measure()[2][0])
stream, size = wrap()
taken.append(size)
stream = None
gc.collect()
[bytearray(100) for _ in range(10)]
gc.collect()
taken.append(before - measure()[2][0])
made = [wrap()[0] for _ in range(3)]
try:
    wrap()
except OSError as error:
    taken.append(error.errno)
"""
    assert value_of(chip(), code, "taken") == [23800, 0, 23800, 0, 12]


def test_without_the_pool_another_block_counts_as_free(chip):
    code = """
gc.collect()
free = gc.mem_free() - 94176
esp32._take(94176)
gc.collect()
other = gc.mem_free() - free
"""
    assert value_of(chip(), code, "other") == pytest.approx(13312, abs=500)


def test_listen_has_no_buffers_when_the_pool_is_low(chip):
    code = """
esp32._take(94176 - 21000)
try:
    socket.socket().listen(1)
except OSError as error:
    number = error.errno
"""
    assert value_of(chip(), code, "number") == 105


def test_a_grown_heap_leaves_memory_for_one_tls_connection(chip):
    code = """
import tls
a, b = bytearray(40000), bytearray(30000)
context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
context.verify_mode = tls.CERT_NONE
made = 0
try:
    socks = [socket.socket() for _ in range(2)]
    streams = []
    for sock in socks:
        streams.append(context.wrap_socket(sock, do_handshake_on_connect=False))
        made += 1
except OSError:
    pass
"""
    assert value_of(chip(), code, "made") == 1


# --- the stand-ins


def test_a_socket_takes_as_much_as_a_chips(chip):
    code = """
made = [None] * 9
def make():
    for index in range(9):
        made[index] = socket.socket()
def drop():
    for index in range(9):
        made[index].close()
        made[index] = None
before = measure()[0]
make()
taken = [(measure()[0] - before) // 9]
drop()
taken.append(measure()[0] - before)
make()
taken.append((measure()[0] - before) // 9)
"""
    first, left, again = value_of(chip(), code, "taken")
    assert 30 <= first <= 50 and 30 <= again <= 50
    assert -50 <= left <= 150


# --- choosing it


def test_chip_is_the_default_of_32_bits_alone():
    assert choose_heap(None, 32) is None
    assert choose_heap("chip", 32) is None
    assert choose_heap("64k", 32) == 65536
    assert choose_heap(None, 64) == 192 * 1024
    with pytest.raises(ValueError, match="use WORD=32"):
        choose_heap("chip", 64)


def test_memory_is_told_only_of_a_chips_heap(make_board):
    board = make_board(heap="128k", files={"boot.py": "", "main.py": ""}, wait=False)
    with pytest.raises(ValueError, match="only HEAP=chip"):
        _ = board.heap


def elf(notes):
    """A file with these notes: [(kind, name, description)]."""
    content = b""
    for kind, name, description in notes:
        content += struct.pack("<III", len(name), len(description), kind)
        content += name.ljust(len(name) + 3 & ~3, b"\0")
        content += description.ljust(len(description) + 3 & ~3, b"\0")
    head = b"\x7fELF\x01".ljust(28, b"\0") + struct.pack("<I", 52)
    head = head.ljust(42, b"\0") + struct.pack("<HH", 32, 2)
    segments = struct.pack("<IIIII", 1, 0, 0, 0, 0).ljust(32, b"\0")
    segments += struct.pack("<IIIII", 4, 116, 0, 0, len(content)).ljust(32, b"\0")
    return head.ljust(52, b"\0") + segments + content


def test_a_build_is_known_by_its_elf_build_id(tmp_path):
    known = next(iter(chipheap.BUILDS))
    path = tmp_path / "micropython"
    path.write_bytes(elf([(1, b"GNU\0", b"abi"), (3, b"GNU\0", bytes.fromhex(known))]))
    assert chipheap.build_of(path) == {**chipheap.BUILDS[known], "file": str(path)}
    path.write_bytes(elf([(3, b"GNU\0", b"other")]))
    assert chipheap.build_of(path) is None
    assert chipheap.build_of(Path(sys.executable)) is None
    assert chipheap.build_of(tmp_path / "missing") is None


def with_symbols(code, symbols):
    """A program for 32-bit x86: code at 0x1000, and symbols, {name: (address, size)}."""
    texts, table = b"\0", b""
    for name, (address, size) in symbols.items():
        table += struct.pack("<IIIHH", len(texts), address, size, 0, 1)
        texts += name.encode() + b"\0"
    parts, offsets = [code, table, texts], []
    content = b"\0" * 116  # the head, and a segment for each of two
    for part in parts:
        offsets.append(len(content))
        content += part
    head = b"\x7fELF\x01".ljust(18, b"\0") + struct.pack("<H", 3)
    head = head.ljust(28, b"\0") + struct.pack("<II", 52, len(content))
    head = head.ljust(42, b"\0") + struct.pack("<HHHH", 32, 2, 40, 2)
    segments = struct.pack("<8I", 1, offsets[0], 0x1000, 0, len(code), 0, 5, 0)
    segments += struct.pack("<8I", 1, 0, 0x400, 0, 52, 0, 4, 0)  # the lowest, not executable
    sections = struct.pack("<10I", 0, 2, 0, 0, offsets[1], len(table), 1, 0, 0, 16)
    sections += struct.pack("<10I", 0, 3, 0, 0, offsets[2], len(texts), 0, 0, 0, 0)
    return (head.ljust(52, b"\0") + segments).ljust(116, b"\0") + content[116:] + sections


def test_addresses_are_read_from_the_symbols_of_a_build(tmp_path):
    call = b"\xe8" + struct.pack("<i", 0x1000 - 0x1015)  # at 0x1010
    jump = b"\xe9" + struct.pack("<i", 0x1000 - 0x101A)  # at 0x1015
    other = b"\xe8" + struct.pack("<i", 0x1004 - 0x101F)
    code = b"\x90" * 16 + call + jump + other + b"\x90" * 8
    symbols = {
        "not_gc_alloc": (0x1004, 4),
        "gc_alloc": (0x1000, 4),
        "gc_is_locked": (0x1008, 4),
        "mp_state_ctx": (0x2000, 400),
    }
    path = tmp_path / "micropython"
    path.write_bytes(with_symbols(code, symbols))
    assert chipheap.build_of(path) == {
        "alloc": 0xC00,
        "locked": 0xC08,
        "calls": [0xC10, 0xC15],
        "context": [0x1C00, 400],
        "file": str(path),
    }
    del symbols["mp_state_ctx"]
    path.write_bytes(with_symbols(code, symbols))
    assert chipheap.build_of(path) is None


def test_another_32_bit_interpreter_gets_a_heap_that_never_grows(chip, monkeypatch):
    chip()  # skips elsewhere
    monkeypatch.setattr(chipheap, "build_of", lambda path: None)
    files = {"boot.py": "", "main.py": ""}
    with VirtualBoard(heap="chip", files=files) as board:
        board.wait_for_log(">>> $")
        used, free, _ = value_of(board, "", "measure()")
        assert used + free == pytest.approx(56000 + 94176, abs=1500)
        with pytest.raises(RuntimeError, match="MemoryError"):
            board.exec("a, b = bytearray(40000), bytearray(30000)")


def test_another_32_bit_interpreter_serves_without_a_choice_of_heap(chip, tmp_path, monkeypatch):
    """Its heap cannot grow as a chip's does, and 56,000 bytes are too few for the firmware."""
    wrapper = tmp_path / "micropython"
    wrapper.write_text(f'#!/bin/sh\nexec {shlex.join(interpreter().command)} "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("MICROPYTHON", str(wrapper))
    with VirtualBoard() as board:
        board.wait_ready()
        assert "MemoryError" not in board.log and "memory allocation failed" not in board.log
