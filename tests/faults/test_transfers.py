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
HEAP = 5 * 1024  # bytes that each transfer may take


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


def echo(port, seconds, times):
    """Send messages for so long, and add the time of each echo."""
    with RawClient(port).open("/ws") as peer:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            start = time.monotonic()
            assert peer.send(frame(TEXT, b"x" * 32)).message() == b"x" * 32
            times.append(time.monotonic() - start)
            time.sleep(0.02)


@pytest.mark.faults
@pytest.mark.timeout(600)
def test_100_mb_up_and_down_arrive_whole_in_little_heap(make_board):
    files = {**FILES, "program.json": json.dumps({"max_clients": 6})}
    web = Web(make_board(files=files, heap="256k"))
    web.ask("/upload", "POST", b"x")
    web.ask("/download/5000")
    time.sleep(0.2)
    quiet = int(web.ask("/peak").body)
    results: dict[str, bool] = {}
    times: list[float] = []
    workers = [threading.Thread(target=work, args=(web, results)) for work in (upload, download)]
    workers += [
        threading.Thread(target=echo, args=(web.board.http_port, 5, times)) for _ in range(4)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert results == {"upload": True, "download": True}
    times.sort()
    print("p99 of echoes beside transfers:", times[len(times) * 99 // 100])
    assert int(web.ask("/peak").body) - quiet < 2 * HEAP + 4 * 1024  # and four clients
