"""The clients of a soak test: steady ones, whose every byte is checked, and troublemakers."""

from __future__ import annotations

import collections
import contextlib
import json
import random
import threading
import time
from collections.abc import Callable

from tools.wsclient import BINARY, CLOSE, CONTINUATION, PING, TEXT, RawClient, request
from tools.wsclient import random_frame as frame

PAUSE = 0.05  # s between two round trips of the probe


class MistakeError(Exception):
    """The board did something that it must not do."""


class Soak:
    """Run all clients, each in a thread of its own, and record their results."""

    def __init__(self, http_port: int, https_port: int):
        self.http_port = http_port
        self.https_port = https_port
        self.messages = 0  # that came back, each compared with what it should be
        self.troubles: collections.Counter[str] = collections.Counter()
        self.problems: list[str] = []
        self.latencies: list[float] = []  # of the probe since the last look, s
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._calm = threading.Event()
        self._threads: list[threading.Thread] = []
        self._trouble_threads: list[threading.Thread] = []

    def start(self) -> None:
        """Connect the steady clients, then start the troublemakers."""
        steady: list[Callable[[], None]] = [self._probe, self._echo, self._secure_echo, self._room]
        for work in steady:
            self._threads.append(self._run(work, self._stopped))
        for seed in range(4):
            self._trouble_threads.append(self._run(self._trouble(seed), self._calm))

    def stop_trouble(self) -> None:
        """Stop the troublemakers; the steady clients stay."""
        self._calm.set()
        for thread in self._trouble_threads:
            thread.join(60)

    def stop(self) -> None:
        """Stop all clients."""
        self._calm.set()
        self._stopped.set()
        for thread in (*self._threads, *self._trouble_threads):
            thread.join(60)

    def health(self) -> dict:
        """Return the board's health, over a connection of its own."""
        end = time.monotonic() + 30
        while True:
            try:
                with RawClient(self.http_port) as peer:
                    peer.open("/health").send(frame(TEXT, b"?"))
                    return json.loads(peer.message())
            except OSError as error:  # no place: the troublemakers have them all
                if time.monotonic() > end:
                    return {"error": str(error)}
                time.sleep(0.02)

    def take_latencies(self) -> list[float]:
        """Return the latencies since the last call, sorted."""
        found, self.latencies = self.latencies, []
        return sorted(found)

    def _run(self, work, ended):
        def again():
            while not ended.is_set():
                try:
                    work()
                except Exception as error:
                    if not ended.is_set():
                        self.problems.append(f"{work.__name__}: {error!r}")
                        time.sleep(1)

        thread = threading.Thread(target=again, daemon=True)
        thread.start()
        return thread

    def _count(self, messages):
        with self._lock:
            self.messages += messages

    # --- steady clients: to lose one of them is a problem

    def _enter(self, port, tls, path):
        """Return a connection for a steady client, however many attempts it takes."""
        while True:
            try:
                return RawClient(port, tls=tls).open(path)
            except OSError:
                if self._stopped.wait(0.05):
                    raise

    def _probe(self):
        """Send one small message after the other and measure the round trips."""
        with self._enter(self.http_port, False, "/ws") as peer:
            while not self._stopped.wait(PAUSE):
                text = b"%032d" % random.randrange(1 << 60)
                data = frame(TEXT, text)
                started = time.perf_counter()
                peer.send(data)
                expect(peer.message(), text)
                self.latencies.append(time.perf_counter() - started)
                self._count(1)

    def _echo(self):
        self._echo_at(self.http_port, False, 25, 0.05)

    def _secure_echo(self):
        self._echo_at(self.https_port, True, 10, 0.1)

    def _echo_at(self, port, tls, count, pause):
        with self._enter(port, tls, "/ws") as peer:
            while not self._stopped.wait(pause):
                sizes = random.choices((0, 1, 32, 125, 126, 300), k=count)
                payloads = [random.randbytes(size) for size in sizes]
                peer.send(b"".join(frame(BINARY, payload) for payload in payloads))
                for payload in payloads:
                    expect(peer.message(), payload)
                self._count(count)

    def _room(self):
        """Broadcast, and receive every broadcast; guests of the room receive it, too."""
        with self._enter(self.http_port, False, "/room") as peer:
            while not self._stopped.wait(0.05):
                texts = [b"%d" % random.randrange(1 << 60) for _ in range(5)]
                for text in texts:
                    peer.send(frame(TEXT, text))
                for text in texts:
                    expect(peer.message(), text)
                self._count(5)

    # --- hostile clients, which expect to be closed or refused

    def _trouble(self, seed):
        chance = random.Random(seed)
        kinds = [
            *(self._fragments, self._big, self._slow, self._guest, self._upload, self._page),
            *(self._vanish, self._garbage, self._half_request, self._broken_frame, self._leave),
            *(self._broken_tls, self._tls_vanish, self._idle),
        ]

        def trouble():
            kind = chance.choice(kinds)
            name = kind.__name__[1:].replace("_", " ")
            with self._lock:
                self.troubles[name] += 1
            with contextlib.suppress(OSError):  # refused, closed, no answer: as may be
                kind(chance)
            self._calm.wait(chance.random() * 0.1)

        return trouble

    def _fragments(self, chance):
        with RawClient(self.http_port).open("/ws") as peer:
            parts = [b"x" * chance.randrange(400) for _ in range(chance.randrange(2, 9))]
            for index, part in enumerate(parts):
                last = index == len(parts) - 1
                peer.send(frame(CONTINUATION if index else TEXT, part, final=last))
                if chance.random() < 0.3 and not last:
                    peer.send(frame(PING, b"between"))
                    if peer.frame()[1] != b"between":
                        raise MistakeError("the Ping between fragments was not answered")
            expect(peer.message(), b"".join(parts))
            self._count(1)

    def _big(self, chance):
        with RawClient(self.http_port).open("/ws") as peer:
            for _ in range(chance.randrange(1, 20)):
                payload = chance.randbytes(chance.randrange(2000, 4097))
                peer.send(frame(BINARY, payload))
                expect(peer.message(), payload)
                self._count(1)

    def _slow(self, chance):
        """Request more than it reads. The server closes with 1013, or the client reads late."""
        with RawClient(self.http_port).open("/flood") as peer:
            peer.send(frame(TEXT, b"%d" % chance.randrange(1, 4000)))
            self._calm.wait(chance.random() * 5)
            for _ in range(20):
                peer.message()

    def _guest(self, chance):
        with RawClient(self.http_port).open("/room") as peer:
            for _ in range(chance.randrange(1, 100)):
                peer.message()
                self._count(1)

    def _upload(self, chance):
        payload = bytes(chance.randrange(60000))
        with RawClient(self.http_port).open("/chunks") as peer:
            peer.send(frame(BINARY, payload))
            expect(peer.message(), b"%d" % len(payload))
            self._count(1)

    def _page(self, chance):
        with RawClient(self.http_port) as peer:
            peer.send(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            while peer.sock.recv(4096):
                pass

    def _vanish(self, chance):
        """Reset the connection at any byte of a handshake, a frame and what follows."""
        data = (
            request("/ws") + frame(TEXT, bytes(200), final=False) + frame(CONTINUATION, bytes(600))
        )
        with RawClient(self.http_port) as peer:
            peer.send(data[: chance.randrange(len(data))])
            self._calm.wait(chance.random() * 0.02)
            peer.reset()

    def _garbage(self, chance):
        with RawClient(self.http_port, timeout=0.2) as peer:
            peer.send(chance.randbytes(chance.randrange(3000)))
            peer.sock.recv(4096)

    def _half_request(self, chance):
        """Send half of a request, and then nothing."""
        data = request("/ws")
        with RawClient(self.http_port) as peer:
            peer.send(data[: chance.randrange(1, len(data) - 1)])
            self._calm.wait(chance.random() * 4)

    def _broken_frame(self, chance):
        data = bytearray(frame(TEXT, bytes(chance.randrange(300))))
        for _ in range(3):
            data[chance.randrange(min(20, len(data)))] = chance.randrange(256)
        with RawClient(self.http_port, timeout=0.5).open("/ws") as peer:
            peer.send(bytes(data))
            peer.frame()

    def _leave(self, chance):
        with RawClient(self.http_port).open("/ws") as peer:
            peer.send(frame(CLOSE, b"\x03\xe8"))
            if peer.frame()[0] != CLOSE:
                raise MistakeError("a Close was not answered")

    def _broken_tls(self, chance):
        with RawClient(self.https_port, timeout=0.5) as peer:
            peer.send(b"\x16\x03\x01" + chance.randbytes(chance.randrange(600)))
            peer.sock.recv(4096)

    def _tls_vanish(self, chance):
        with RawClient(self.https_port, tls=True).open("/ws") as peer:
            peer.send(frame(TEXT, bytes(300))[: chance.randrange(300)])
            peer.reset()

    def _idle(self, chance):
        """Send nothing, not even a Pong, and be dropped for it."""
        with RawClient(self.http_port).open("/ws") as peer:
            end = time.monotonic() + 20
            while not self._calm.is_set() and time.monotonic() < end:
                if not peer.sock.recv(4096):
                    return
            if not self._calm.is_set():
                raise MistakeError("a client that answers no Ping was not dropped")


def expect(found: bytes, wanted: bytes) -> None:
    """Raise MistakeError if they differ."""
    if found != wanted:
        raise MistakeError(f"{found[:40]!r} came instead of {wanted[:40]!r}")
