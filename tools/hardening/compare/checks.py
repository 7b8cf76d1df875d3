"""The checks of `make compare`. A check gets a board and returns its result in a few words."""

from __future__ import annotations

import contextlib
import random
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable

from tools.hardening import badinput, slowclients
from tools.hardening.fuzz import network
from tools.virtualboard import VirtualBoard
from tools.wsclient import CLOSE, CONTINUATION, PING, PONG, TEXT, RawClient, request
from tools.wsclient import random_frame as frame

PATIENCE = 8.0  # s that something is waited for
FUZZ_INPUTS = 2000
CHURN = 1000
ROUND_TRIPS = 300  # for a percentile

# Not those about what is at a path: that is the application's.
_PATHS = (b"GET /nothing", b"GET /.", b"GET /%")
REQUESTS = [bad for bad in badinput.REQUESTS if not bad.data.startswith(_PATHS)]

Check = Callable[[VirtualBoard], str]


def serves(board: VirtualBoard) -> bool:
    """Return whether a new client is served in time."""
    return _until(lambda: _echoes(board), PATIENCE) is not None


def _until(found, seconds):
    """Return the seconds until `found()` is true, or None."""
    started = time.monotonic()
    while time.monotonic() - started < seconds:
        with contextlib.suppress(OSError):
            if found():
                return time.monotonic() - started
        time.sleep(0.05)
    return None


def _echoes(board):
    with RawClient(board.http_port, timeout=1).open("/ws") as peer:
        peer.send(frame(TEXT, b"still here"))
        return peer.message() == b"still here"


def _heap(board):
    """Return the bytes in use after a collection, or None."""
    found = []

    def ask():
        with RawClient(board.http_port, timeout=2).open("/heap") as peer:
            peer.send(frame(TEXT, b"?"))
            found.append(int(peer.message()))
        return True

    return found[0] if _until(ask, PATIENCE) is not None else None


def _is_closed(peer):
    """Return whether the server has closed the connection, after skipping what it sent."""
    peer.sock.settimeout(0.01)
    try:
        while peer.sock.recv(4096):
            pass
    except TimeoutError:
        return False
    except OSError:
        pass
    return True


def _closed_after(peer):
    took = _until(lambda: _is_closed(peer), PATIENCE)
    return f"closed after {took:.1f} s" if took else f"open after {PATIENCE:.0f} s"


def half_a_request(board):
    """Send half of a request, and wait."""
    with RawClient(board.http_port) as peer:
        peer.send(request("/ws")[:60])
        return _closed_after(peer)


def many_halves(board):
    """Take all sockets by half requests, and connect a client."""
    peers = []
    try:
        for _ in range(9):
            with contextlib.suppress(OSError):
                peers.append(RawClient(board.http_port))
                peers[-1].send(request("/ws")[:60])
        took = _until(lambda: _echoes(board), PATIENCE)
        return f"served after {took:.1f} s" if took else f"not within {PATIENCE:.0f} s"
    finally:
        for peer in peers:
            peer.sock.close()


def hung(board):
    """Connect, and answer no Ping."""
    with RawClient(board.http_port).open("/ws") as peer:
        return _closed_after(peer)


def half_closed(board):
    """Close one direction, and wait."""
    with RawClient(board.http_port).open("/ws") as peer:
        peer.sock.shutdown(socket.SHUT_WR)
        return _closed_after(peer)


def _p99(peer):
    times = []
    for number in range(ROUND_TRIPS):
        text = b"%d" % number
        started = time.perf_counter()
        peer.send(frame(TEXT, text))
        while True:
            opcode, payload = peer.frame()
            if opcode == PING:
                peer.send(frame(PONG, payload))
            elif opcode == TEXT:
                break
        if payload != text:
            raise OSError("another answer")
        times.append(time.perf_counter() - started)
        time.sleep(0.002)
    return sorted(times)[int(ROUND_TRIPS * 0.99)] * 1000


def _others(board, fault):
    """Return another client's p99 without and with three clients that misbehave."""
    ended = threading.Event()
    with RawClient(board.http_port, timeout=PATIENCE).open("/ws") as peer:
        usual = min(_p99(peer) for _ in range(3))
        arguments = (board, fault, ended)
        threads = [
            threading.Thread(target=slowclients.misbehave, args=arguments) for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        try:
            time.sleep(0.3)
            found = min(_p99(peer) for _ in range(3))
            return f"{found:.1f} ms ({usual:.1f} before)"
        except OSError:
            return f"no answer, or lost, within {PATIENCE:.0f} s ({usual:.1f} ms before)"
        finally:
            ended.set()
            for thread in threads:
                thread.join()


def slowloris(board):
    """Send requests byte after byte."""
    return _others(board, slowclients.slowloris)


def drip(board):
    """Send a frame byte after byte."""
    return _others(board, slowclients.drip)


def deaf(board):
    """Send without end, and read nothing."""
    return _others(board, slowclients.deaf_echo)


def _close_code(peer):
    """Return the code of the Close frame, 0 for a close without one, None for neither."""
    peer.sock.settimeout(1)
    try:
        while True:
            opcode, payload = peer.frame()
            if opcode == CLOSE:
                return int.from_bytes(payload[:2], "big")
    except TimeoutError:
        return None
    except OSError:
        return 0


def bad_frames(board):
    """Send each bad frame."""
    found: Counter[str] = Counter()
    for bad in badinput.FRAMES:
        if not serves(board):
            return f"{_counted(found)}; no longer serves after: {bad.what}"
        with contextlib.suppress(OSError), RawClient(board.http_port).open("/ws") as peer:
            peer.send(bad.data)
            code = _close_code(peer)
            what = "closed, with another code or none" if code is not None else "not closed"
            found["closed with the right code" if code == bad.answer else what] += 1
    return _counted(found)


def bad_requests(board):
    """Send each bad request."""
    found: Counter[str] = Counter()
    for bad in REQUESTS:
        if not serves(board):
            return f"{_counted(found)}; no longer serves after: {bad.what}"
        with contextlib.suppress(OSError), RawClient(board.http_port, timeout=1.5) as peer:
            peer.send(bad.data)
            try:
                answer = peer.read(12)
            except OSError:
                found["closed or left without an answer"] += 1
                continue
            status = answer[9:12]
            found["accepted" if status == b"101" else "refused"] += 1
    return _counted(found)


def _counted(found):
    return ", ".join(f"{count} {what}" for what, count in sorted(found.items()))


def fragments(board):
    """Send a message in fragments with a Ping between them."""
    with RawClient(board.http_port, timeout=2).open("/ws") as peer:
        peer.send(
            frame(TEXT, b"one ", final=False) + frame(PING, b"?") + frame(CONTINUATION, b"two")
        )
        try:
            seen = [peer.frame() for _ in range(2)]
        except OSError:
            return "closed"
    return "echoed" if seen == [(PONG, b"?"), (TEXT, b"one two")] else f"answered {seen}"


def foreign_page(board):
    """Send the Origin of another site."""
    data = request("/ws").replace(b"Upgrade: w", b"Origin: http://evil.example\r\nUpgrade: w")
    with RawClient(board.http_port, timeout=2) as peer:
        peer.send(data)
        return {b"101": "accepted", b"403": "403"}.get(
            status := peer.read(12)[9:], status.decode()
        )


def failing_callback(board):
    """Make a callback raise."""
    with RawClient(board.http_port).open("/ws") as other:
        with RawClient(board.http_port, timeout=2).open("/fails") as peer:
            peer.send(frame(TEXT, b"x"))
            code = _close_code(peer)
        what = "stays open" if code is None else f"closed with {code}" if code else "closed"
        try:
            other.send(frame(TEXT, b"not me"))
            stays = other.message() == b"not me"
        except OSError:
            stays = False
    return f"{what}; the others {'are served' if stays else 'are lost'}"


def slow_callback(board):
    """Make a callback take 300 ms."""
    with RawClient(board.http_port).open("/slow") as peer:
        peer.send(frame(TEXT, b"x"))
        answered = peer.message() == b"x"
    named = _until(lambda: re.search("slow: on_message", board.log), 1)  # it takes a moment
    return (
        f"{'answered' if answered else 'lost'}; {'a warning names it' if named else 'no log line'}"
    )


def full_house(board):
    """Connect more clients than there are sockets."""
    peers = []
    try:
        with RawClient(board.http_port, timeout=3).open("/ws") as first:
            for _ in range(14):
                with contextlib.suppress(OSError):
                    peers.append(RawClient(board.http_port, timeout=0.3))
                    peers[-1].open("/ws")
            first.send(frame(TEXT, b"not me"))
            try:
                stays = first.message() == b"not me"
            except OSError:
                stays = False
        what = "connected clients are served" if stays else "connected clients are lost"
    finally:
        for peer in peers:
            peer.sock.close()
    return what + (", and new ones afterwards" if serves(board) else ", and none afterwards")


def churn(board):
    """Connect and disconnect many clients."""
    _come_and_go(board, 100, 1)
    before = _heap(board)
    workers = [
        threading.Thread(target=_come_and_go, args=(board, CHURN // 2, seed)) for seed in (2, 3)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return _grown(board, before)


def _come_and_go(board, count, seed):
    chance = random.Random(seed)
    life = request("/ws") + frame(TEXT, bytes(200)) + frame(PING, b"?") + frame(CLOSE, b"\x03\xe8")
    for _ in range(count):
        with contextlib.suppress(OSError), RawClient(board.http_port, timeout=0.3) as peer:
            peer.send(life[: chance.randrange(len(life) + 1)])
            if chance.random() < 0.5:
                peer.sock.settimeout(0.02)
                peer.sock.recv(1024)
            if chance.random() < 0.7:
                peer.reset()


def _grown(board, before):
    if not serves(board):
        return "no client is served any more"
    after = _heap(board)
    if before is None or after is None:
        return "serves"
    ended = board.log.count("went on after")
    restarts = f"; its loop ended {ended} times" if ended else ""
    return f"serves; heap in use {before:,}, then {after:,} bytes{restarts}"


def fuzz(board):
    """Run the network fuzzer."""
    kinds = [kind for kind in network.KINDS if "tls" not in kind.__name__]
    for seed in (1, 2, 3):
        _feed(board, kinds, 100, seed)
        before = _heap(board)
    workers = [
        threading.Thread(target=_feed, args=(board, kinds, FUZZ_INPUTS // 2, seed))
        for seed in (4, 5)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return _grown(board, before)


def _feed(board, kinds, count, seed):
    chance = random.Random(seed)
    end = time.monotonic() + 60
    for _ in range(count):
        if time.monotonic() > end:
            return
        with contextlib.suppress(OSError, network.FindError):
            chance.choice(kinds)(board, chance)


CHECKS: tuple[tuple[str, Check], ...] = (
    ("a request that stops in the middle", half_a_request),
    ("a new client, while nine such requests hold all sockets", many_halves),
    ("a client that answers no Ping", hung),
    ("a half-closed connection", half_closed),
    ("p99 of other clients while three send a handshake byte by byte", slowloris),
    ("p99 of other clients while three send a frame byte by byte", drip),
    ("p99 of other clients while three send and never read", deaf),
    (f"{len(REQUESTS)} bad requests", bad_requests),
    (f"{len(badinput.FRAMES)} bad frames", bad_frames),
    ("a message in fragments, with a Ping between them", fragments),
    ("a foreign page opens a WebSocket", foreign_page),
    ("an error in a callback", failing_callback),
    ("a callback of 300 ms", slow_callback),
    ("15 clients for the chip's 10 sockets", full_house),
    (f"{CHURN:,} connections, most without a closing handshake", churn),
    (f"{FUZZ_INPUTS:,} inputs of the network fuzzer", fuzz),
)
