"""Fuzz a live virtual board over real sockets.

After each batch a well-behaved client must get its echo, the log must contain no traceback and no
restart, and the heap in use after a collection must be unchanged.
"""

from __future__ import annotations

import contextlib
import json
import random
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable

from tools.certs import cli as certs
from tools.hardening.soak import board as boards
from tools.virtualboard import VirtualBoard
from tools.wsclient import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, RawClient, request
from tools.wsclient import random_frame as frame

from . import guided, seeds

SERVER = {"max_clients": 6, "ping_interval": 2, "ping_timeout": 2, "open_timeout": 1}
HEAP = "288k"  # TLS takes its memory from it here, and asyncio runs for uploads
# Bytes of heap that may have come to stay since the first batch: two transfers at once leave a
# second spare buffer behind.
GROWTH = 700 + 4600
WORKERS = 4
PATIENCE = 30  # s for what is left over to go
BATCH = 100  # inputs of each worker between two looks at the board


Kind = Callable[[VirtualBoard, random.Random], None]  # sends an input of a kind


class FindError(Exception):
    """The board did something that it must not do."""


class Fuzzer:
    """Send inputs to one board. counts: how many of each kind it got."""

    growth = GROWTH

    def __init__(
        self, board: VirtualBoard, seed: int, counts: Counter[str], kinds: list[Kind] | None = None
    ):
        self._board = board
        self._seed = seed
        self._kinds = kinds or KINDS
        self._position = board.log_position
        self._finds: list[str] = []
        self.counts = counts
        self._heap = 0
        self._lock = threading.Lock()

    def batch(self, each: int) -> None:
        """Send `each` inputs by each of several clients at once. Raises FindError if something is
        wrong.
        """
        workers = [
            threading.Thread(target=self._work, args=(self._seed + number, each))
            for number in range(WORKERS)
        ]
        self._seed += WORKERS
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        try:
            self._check()
        finally:
            self._look_through_log()
        if self._finds:
            raise FindError(self._finds.pop())

    def _look_through_log(self):
        # The log takes a moment to arrive: what comes after this is looked at the next time.
        log = self._board.log[self._position :]
        self._position += len(log)
        for sign in ("Traceback", "the interpreter died", "MemoryError"):
            if sign in log:
                seen = log[max(0, log.find(sign) - 100) :][:1500]
                raise FindError(f"{sign} after seeds up to {self._seed}:\n{seen}")

    def forget_heap(self) -> None:
        """Make the heap in use after the next batch the normal value."""
        self._heap = 0

    def _work(self, seed, each):
        chance = random.Random(seed)
        for _ in range(each):
            kind = chance.choice(self._kinds)
            try:
                kind(self._board, chance)
            except OSError:
                pass  # refused, closed, no answer: as may be
            except FindError as find:
                self._finds.append(f"{kind.__name__} with seed {seed}: {find}")
            with self._lock:
                self.counts[kind.__name__[1:].replace("_", " ")] += 1

    def _check(self):
        """Check that a well-behaved client gets its echo, and that nothing is left over."""
        end = time.monotonic() + PATIENCE
        while True:
            try:
                with RawClient(self._board.http_port).open("/ws") as peer:
                    peer.send(frame(TEXT, b"still here"))
                    if peer.message() != b"still here":
                        raise FindError("the echo is another text")
                health = self._health()
                if health["clients"] == 1 and health["visitors"] == 0:
                    break
            except OSError as error:
                if time.monotonic() > end:
                    raise FindError(f"a well-behaved client is not served: {error}") from None
            if time.monotonic() > end:
                raise FindError(f"clients are left over: {health}")
            time.sleep(0.05)
        self._heap = self._heap or health["heap"]
        if health["heap"] > self._heap + self.growth:
            raise FindError(f"the heap grows: {self._heap} bytes in use, now {health['heap']}")

    def _health(self) -> dict:
        """Return the numbers of `clients` (this one included) and `visitors` (HTTP connections),
        and the bytes of `heap` in use.
        """
        with RawClient(self._board.http_port).open("/health") as peer:
            peer.send(frame(TEXT, b"?"))
            return json.loads(peer.message())


def deliver(peer: RawClient, data: bytes, chance: random.Random) -> None:
    """Send data in pieces, sometimes read the answers, sometimes reset the connection."""
    step = chance.choice((1, 7, 100, 1500, 100000))
    if len(data) > 3000:
        step = max(step, 100)
    for start in range(0, len(data), step):
        peer.send(data[start : start + step])
    if chance.random() < 0.5:
        peer.sock.settimeout(0.02)
        with contextlib.suppress(OSError):
            while peer.sock.recv(4096):
                pass
    if chance.random() < 0.5:
        peer.reset()


def _random_bytes(board, chance):
    with RawClient(board.http_port) as peer:
        deliver(peer, chance.randbytes(chance.randrange(1, 600)), chance)


def _random_after_handshake(board, chance):
    with RawClient(board.http_port).open("/ws") as peer:
        deliver(peer, chance.randbytes(chance.randrange(1, 600)), chance)


def _frame(chance):
    size = chance.choice((0, 1, 5, 124, 125, 126, 127, 200, 1000, 4095, 4096, 4097, 5000))
    opcodes = (TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG, TEXT, BINARY, CONTINUATION, 3, 11)
    payload = chance.randbytes(size) if chance.random() < 0.3 else b"a" * size
    final = chance.random() < 0.8
    reserved = chance.choice((1, 2, 4)) if chance.random() < 0.05 else 0
    data = bytearray(frame(chance.choice(opcodes), payload, final=final, reserved=reserved))
    if chance.random() < 0.1:
        data[chance.randrange(min(10, len(data)))] = chance.randrange(256)
    if chance.random() < 0.05:
        del data[chance.randrange(len(data)) :]
    return bytes(data)


def _session(board, chance):
    data = b"".join(_frame(chance) for _ in range(chance.randrange(1, 12)))
    path = chance.choice(("/ws", "/ws", "/chunks", "/room", "/flood", "/health"))
    with RawClient(board.http_port) as peer:
        deliver(peer, request(path) + data, chance)


def _mutated_session(board, chance):
    corpus = [data[3:] for _, data in seeds.load("session")]
    data = guided.mutate(chance, request("/ws") + chance.choice(corpus), corpus)
    with RawClient(board.http_port) as peer:
        deliver(peer, data, chance)


def _mutated_request(board, chance):
    corpus = [data[2:] for _, data in seeds.load("request")]
    with RawClient(board.http_port) as peer:
        deliver(peer, guided.mutate(chance, chance.choice(corpus), corpus), chance)


def _long_fields(board, chance):
    """Send a request with one field at its limit."""
    size = chance.choice((0, 1, 100, 1900, 2030, 2047, 2048, 2049, 5000))
    field = chance.choice(("/%s", "/?%s", "/%%%s", "Host: %s", "Cookie: %s", "Origin: %s"))
    target, header = (field % ("a" * size), "X: y") if field[0] == "/" else ("/", field)
    if header != "X: y":
        header = header % ("b" * size)
    text = f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n{header}\r\n\r\n"
    with RawClient(board.http_port) as peer:
        deliver(peer, text.encode(), chance)


def _mutated_body(board, chance):
    """Send a request with a body to a route."""
    target, kind = chance.choice((("body", ""), ("multipart", "multipart/form-data; boundary=x")))
    corpus = [data[3 if target == "body" else 2 :] for _, data in seeds.load(target)]
    body = guided.mutate(chance, chance.choice(corpus) * chance.choice((1, 1, 20)), corpus)
    path = chance.choice(("/body", "/upload", "/parts"))
    framing = chance.choice((b"Transfer-Encoding: chunked", b"Content-Length: %d" % len(body)))
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\n".encode()
    with RawClient(board.http_port) as peer:
        deliver(peer, head + framing + b"\r\n\r\n" + body, chance)


def _split_everywhere(board, chance):
    """Send a session that is cut in two at one place, with a pause."""
    data = request("/ws") + frame(TEXT, b"one") + frame(PING, b"two") + frame(CLOSE, b"\x03\xe8")
    cut = chance.randrange(1, len(data))
    with RawClient(board.http_port) as peer:
        peer.send(data[:cut])
        time.sleep(0.002)
        peer.send(data[cut:])
        try:
            while peer.data.count(b"one") == 0:
                peer.receive()
        except TimeoutError:
            raise FindError(f"no echo when cut at {cut}") from None


def _tls_cut(board, chance):
    """Send a ClientHello with bytes flipped, missing or added."""
    with RawClient(board.https_port, timeout=0.2) as peer:
        hello = bytearray(_client_hello())
        for _ in range(chance.randrange(4)):
            hello[chance.randrange(len(hello))] ^= 1 << chance.randrange(8)
        if chance.random() < 0.5:
            del hello[chance.randrange(len(hello)) :]
        deliver(peer, bytes(hello) + chance.randbytes(chance.randrange(50)), chance)


def _tls_flipped_within(board, chance):
    """Send one flight of a TLS client with bytes flipped, missing, doubled or added."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    talk = context.wrap_bio(incoming, outgoing)
    broken = chance.randrange(6)
    session = request("/ws") + frame(TEXT, b"fine")
    with RawClient(board.https_port, timeout=0.5) as peer:
        for flight in range(6):
            with contextlib.suppress(ssl.SSLWantReadError):
                talk.do_handshake()
                talk.write(session)
                session = frame(BINARY, chance.randbytes(chance.choice((0, 5, 400, 3000))))
                talk.read()
            data = outgoing.read()
            if flight == broken:
                deliver(peer, _broken(data, chance), chance)
            else:
                peer.send(data)
            incoming.write(peer.sock.recv(16384))


def _broken(data, chance):
    """Return records that no TLS library would send."""
    kind = chance.randrange(4)
    flipped = bytearray(data or b"\x17\x03\x03\0\5hello")
    if kind == 0:
        for _ in range(chance.randrange(1, 4)):
            flipped[chance.randrange(len(flipped))] ^= 1 << chance.randrange(8)
    elif kind == 1:
        del flipped[chance.randrange(len(flipped)) :]
    elif kind == 2:
        flipped *= 2
    else:
        length = chance.randrange(600).to_bytes(2, "big")
        flipped += b"\x17\x03\x03" + length + chance.randbytes(chance.randrange(600))
    return bytes(flipped)


def _client_hello():
    """Return a ClientHello."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    outgoing = ssl.MemoryBIO()
    talk = context.wrap_bio(ssl.MemoryBIO(), outgoing)
    with contextlib.suppress(ssl.SSLWantReadError):
        talk.do_handshake()
    return outgoing.read()


KINDS: list[Kind] = [
    *(_random_bytes, _random_after_handshake, _session, _session, _mutated_session),
    *(
        _mutated_session,
        _mutated_request,
        _mutated_body,
        _mutated_body,
        _long_fields,
        _split_everywhere,
        _tls_cut,
    ),
    _tls_flipped_within,
]


def run(
    seconds: float, counts: Counter[str], most: int | None = None, seed: int | None = None
) -> None:
    """Fuzz a board of its own for so long, or with about `most` inputs, and add to `counts`.

    Raises FindError, with the seed in its message, if the board misbehaves.
    """
    with certs.temporary() as keys:
        files = boards.files(tls=True, routes=True, **SERVER)
        with VirtualBoard(files=files, heap=HEAP, certs=keys) as board:
            board.wait_ready(30)
            with RawClient(board.http_port) as peer:  # has loaded what is loaded on demand
                peer.send(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
                while peer.sock.recv(4096):
                    pass
            seed = random.randrange(1 << 30) if seed is None else seed
            feed(Fuzzer(board, seed, counts), seconds, most)


def feed(fuzzer: Fuzzer, seconds: float, most: int | None = None) -> None:
    """Send one batch after the other."""
    each = BATCH if most is None else min(BATCH, most // (2 * WORKERS))
    fuzzer.batch(each)
    fuzzer.forget_heap()  # the first batch fills what is kept for good
    end = time.monotonic() + seconds
    while time.monotonic() < end and (most is None or fuzzer.counts.total() < most):
        fuzzer.batch(each)
