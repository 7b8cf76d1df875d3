"""The load generator: a process of its own that reads orders, one JSON object a line, and answers.

Frames are built beforehand, every byte that comes back is compared with what must come, and a
wrong one ends the run. Run as `python -m tools.bench.generator`.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import ssl
import struct
import sys
import time

from tools.wsclient import TEXT, frame, request

BROADCAST = b"\x81\x64" + b"b" * 100  # what the programs send to all
EVENT = b"data: " + b"b" * 100 + b"\n\n"
KINDS_OF_FRAME = 5
BUFFER = 65536
IN, OUT = select.EPOLLIN, select.EPOLLOUT
PAUSE = 0.005  # seconds between an echo and the next message, beside a transfer
PIECE = bytes(16384)  # that a transfer sends or receives at once
ENOUGH = 20  # echoes for a percentile
NO_DELAY = 20000  # nanoseconds for a processor that do not matter
MUCH = 1 << 20  # bytes a second that a transfer moves at least
PATIENCE = 5  # seconds without a byte before a peer counts as stuck
# On a core of its own it never sleeps: waking up takes longer than many an answer, and no server
# is to wait for that.
CORES = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
ALONE = len(CORES) > 1


class WrongAnswerError(Exception):
    """A peer sent what it should not, closed the connection, or fell silent."""


def frames(opcode: int, size: int, bare: bool) -> tuple[bytes, bytes]:
    """Some masked frames with `size` bytes of printable ASCII each, no two alike, and what an echo
    answers to them: one that is lost, sent twice or overtaken is noticed.
    """
    sent, expected = b"", b""
    for number in range(KINDS_OF_FRAME):
        payload = bytes(33 + (index * 7 + number * 11) % 90 for index in range(size))
        masked = frame(opcode, payload)
        sent += masked
        expected += masked if bare else frame(opcode, payload, masked=False)
    return sent, expected


class Peer:
    """One connection, on which messages are under way."""

    def __init__(self, port: int, path: str | None, authority: str | None = None):
        self.sock = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if authority:
            context = ssl.create_default_context(cafile=authority)
            self.sock = context.wrap_socket(self.sock, server_hostname="127.0.0.1")
        if path:
            self.upgrade(path)

    def upgrade(self, path: str) -> None:
        """Do the opening handshake."""
        self.sock.sendall(request(path))
        head = self.until(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 101"):
            raise WrongAnswerError(f"the handshake was answered with {head[:100]!r}")

    def until(self, end: bytes) -> bytes:
        """Read until what was read ends with `end`."""
        data = b""
        while not data.endswith(end):
            part = self.sock.recv(BUFFER)
            if not part:
                raise WrongAnswerError(f"the connection was closed after {data[:100]!r}")
            data += part
        return data

    def welcome(self) -> None:
        """Wait for the first message, which says that the connection is accepted: bare TCP has no
        handshake that would.
        """
        missing = len(BROADCAST)
        while missing:
            data = self.sock.recv(missing)
            if not data:
                raise WrongAnswerError("the connection was closed before anything came")
            missing -= len(data)

    def prepare(self, sent: bytes, expected: bytes, in_flight: int, kinds: int = 1) -> None:
        """Take what will be sent and what must come back, `kinds` messages each, in a circle."""
        self.sock.setblocking(False)
        self.frame, self.reply = len(sent) // kinds, len(expected) // kinds
        self.burst = memoryview(sent * (in_flight // kinds + 2))
        self.pattern = expected * (BUFFER // len(expected) + 2)
        self.wrap, self.rewrap = len(sent), len(expected)
        self.to_send = 0  # bytes that TCP has not taken yet
        self.at = 0  # where in burst they begin
        self.got = 0  # where in pattern the next byte is
        self.started = 0.0  # when its latest messages were sent

    def send(self, messages: int) -> None:
        """Send `messages` more, as far as TCP takes them now."""
        to_send = self.to_send + messages * self.frame
        try:
            count = self.sock.send(self.burst[self.at : self.at + to_send])
        except (BlockingIOError, ssl.SSLWantWriteError):
            count = 0
        self.to_send = to_send - count
        self.at = (self.at + count) % self.wrap

    def receive(self, buffer: memoryview) -> int:
        """Read, compare, and return how many replies are complete now."""
        if isinstance(self.sock, ssl.SSLSocket):
            return self.receive_all(buffer)
        return self.compare(buffer, self.sock.recv_into(buffer))

    def receive_all(self, buffer: memoryview) -> int:
        """The same with TLS, where epoll knows nothing of what is decrypted already."""
        whole = 0
        while True:
            try:
                whole += self.compare(buffer, self.sock.recv_into(buffer))
            except ssl.SSLWantReadError:
                return whole

    def compare(self, buffer: memoryview, count: int) -> int:
        """Hold what was read against what must come."""
        if not count:
            raise WrongAnswerError("the connection was closed")
        got = self.got
        if not self.pattern.startswith(buffer[:count], got):  # many times as fast as !=
            raise WrongAnswerError(f"a wrong byte among {count} after {got}")
        self.got = (got + count) % self.rewrap
        return (got + count) // self.reply - got // self.reply


class Blocking(Peer):
    """One connection whose client sleeps in the system call until an answer arrives."""

    def __enter__(self) -> Blocking:
        # The kernel's own timeout: Python's would poll before each recv.
        self.sock.settimeout(None)
        patience = struct.pack("ll", PATIENCE, 0)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, patience)
        return self

    def __exit__(self, *_) -> None:
        self.sock.close()

    def exchange(self, data: bytes, answer: bytes) -> None:
        """Send `data` and wait for `answer`.

        Raises WrongAnswerError if anything else comes.
        """
        self.sock.sendall(data)
        got = self.sock.recv(BUFFER)
        while len(got) < len(answer):
            more = self.sock.recv(BUFFER)
            if not more:
                raise WrongAnswerError("the connection was closed")
            got += more
        if got != answer:
            raise WrongAnswerError(f"a wrong byte among {len(got)}")


@contextlib.contextmanager
def on_core(choose):
    """Run on one core, min or max of those there are, where the system can do that."""
    if not ALONE:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {choose(CORES)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Crowd:
    """All connections of one order, and the means to wait for them."""

    def __init__(self, clients: int, port: int, path: str | None, authority: str | None = None):
        self.epoll = select.epoll()
        self.peers: dict[int, Peer] = {}
        self.buffer = memoryview(bytearray(BUFFER))
        for _ in range(clients):
            peer = Peer(port, path, authority)
            self.peers[peer.sock.fileno()] = peer
            self.epoll.register(peer.sock, IN)

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        self.epoll.close()
        for peer in self.peers.values():
            peer.sock.close()

    def send(self, number: int, messages: int) -> None:
        """Have peer `number` send more; what TCP does not take now goes when it does."""
        peer = self.peers[number]
        waited = peer.to_send
        peer.send(messages)
        if bool(waited) != bool(peer.to_send):
            self.epoll.modify(number, IN | OUT if peer.to_send else IN)

    def renew(self, number: int, port: int) -> Peer:
        """Replace a connection of bare TCP by a new one."""
        self.epoll.unregister(number)
        self.peers.pop(number).sock.close()
        peer = Peer(port, None)
        self.peers[peer.sock.fileno()] = peer
        self.epoll.register(peer.sock, IN)
        return peer

    def wait(self) -> list[tuple[int, int]]:
        """Return what epoll reports: (file descriptor, events)."""
        end = time.perf_counter() + PATIENCE
        while True:
            events = self.epoll.poll(0 if ALONE else PATIENCE)
            if events:
                return events
            if time.perf_counter() >= end:
                raise WrongAnswerError(f"no byte came for {PATIENCE} s")


def echo(order: dict) -> dict:
    """Keep messages under way for some seconds: how many came back, and how long each took."""
    sent, expected = frames(order["opcode"], order["size"], order["path"] is None)
    times: list[float] = []
    clock = time.perf_counter
    authority = order.get("authority")
    with Crowd(order["clients"], order["port"], order["path"], authority) as crowd:
        for number, peer in crowd.peers.items():
            peer.prepare(sent, expected, order["in_flight"], KINDS_OF_FRAME)
            peer.started = clock()
            crowd.send(number, order["in_flight"])
        begin = clock() + order["warm_up"]
        end = begin + order["seconds"]
        count, now = 0, 0.0
        while now < end:
            for number, event in crowd.wait():
                peer = crowd.peers[number]
                replies = peer.receive(crowd.buffer) if event & ~OUT else 0
                if replies or event & OUT:
                    crowd.send(number, replies)
                if replies:
                    now = clock()
                    if now >= begin:
                        count += replies
                        times.append(now - peer.started)
                    peer.started = now
    return {"per_second": count / (now - begin), **percentiles(times)}


def sleeping(order: dict) -> dict:
    """Send one message and sleep in recv until its echo is complete, on the server's core.

    A client and a server that share a core cannot hide any work from each other.
    """
    sent, expected = frames(order["opcode"], order["size"], order["path"] is None)
    size, reply = len(sent) // KINDS_OF_FRAME, len(expected) // KINDS_OF_FRAME
    pairs = [
        (sent[at * size : (at + 1) * size], expected[at * reply : (at + 1) * reply])
        for at in range(KINDS_OF_FRAME)
    ]
    times: list[float] = []
    clock = time.perf_counter
    with on_core(min), Blocking(order["port"], order["path"]) as peer:
        begin = clock() + order["warm_up"]
        end = begin + order["seconds"]
        now = clock()
        while now < end:
            for data, answer in pairs:
                start = clock()
                peer.exchange(data, answer)
                now = clock()
                if start >= begin:
                    times.append(now - start)
    return {"per_second": len(times) / (now - begin), **percentiles(times)}


def broadcast(order: dict) -> dict:
    """Ask for a message to all, wait until all have it, ask again: deliveries per second."""
    trigger = frame(TEXT, b"go")
    with Crowd(order["clients"], order["port"], order["path"]) as crowd:
        for peer in crowd.peers.values():
            if order["path"] is None:
                peer.welcome()
            peer.prepare(trigger, BROADCAST, 1)
        asking = next(iter(crowd.peers))
        begin = time.perf_counter() + order["warm_up"]
        end = begin + order["seconds"]
        count, now = 0, 0.0
        while now < end:
            crowd.send(asking, 1)
            missing = len(crowd.peers)
            while missing:
                for number, _ in crowd.wait():
                    missing -= crowd.peers[number].receive(crowd.buffer)
            now = time.perf_counter()
            if now >= begin:
                count += len(crowd.peers)
    return {"per_second": count / (now - begin)}


def handshakes(order: dict) -> dict:
    """Connect, upgrade, leave, again and again."""
    handshake = request(order["path"] or "/")
    begin = time.perf_counter() + order["warm_up"]
    end = begin + order["seconds"]
    count, now = 0, 0.0
    while now < end:
        peer = Peer(order["port"], order["path"])
        if order["path"] is None:
            peer.sock.settimeout(PATIENCE)
            peer.sock.sendall(handshake)
            back = b""
            while len(back) < len(handshake):
                back += peer.sock.recv(4096) or b"closed" * 100
            if back != handshake:
                raise WrongAnswerError("a wrong byte in the echo of a request")
        peer.sock.close()
        now = time.perf_counter()
        count += now >= begin
    return {"per_second": count / (now - begin)}


def requests(order: dict) -> dict:
    """Send HTTP requests on some connections at once, one after the other on each.

    A connection that the server closes is opened again.
    """
    size = order["size"]
    method = f"POST {order['path']} HTTP/1.1\r\nContent-Length: {size}" if size else ""
    method = method or f"GET {order['path']} HTTP/1.1"
    head = f"{method}\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n"
    data = head.encode() + b"x" * size
    begin = time.perf_counter() + order["warm_up"]
    end = begin + order["seconds"]
    count, now = 0, 0.0
    with Crowd(order["clients"], order["port"], None) as crowd:
        for peer in crowd.peers.values():
            peer.sock.sendall(data)
        back = dict.fromkeys(crowd.peers, b"")  # of each response so far
        while now < end:
            for number, _ in crowd.wait():
                peer = crowd.peers[number]
                part = peer.sock.recv(BUFFER)
                if not part:
                    raise WrongAnswerError("the connection was closed within a response")
                back[number] += part
                whole, is_last = complete(back[number])
                if not whole:
                    continue
                now = time.perf_counter()
                count += now >= begin
                del back[number]
                if is_last:
                    peer = crowd.renew(number, order["port"])
                back[peer.sock.fileno()] = b""
                peer.sock.sendall(data)
    return {"per_second": count / (now - begin)}


def events(order: dict) -> dict:
    """Ask for an event to all, wait until all have it, ask again: deliveries per second."""
    ask = b"GET /publish HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with Crowd(order["clients"], order["port"], None) as crowd:
        for peer in crowd.peers.values():
            peer.sock.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            peer.until(b"\r\n\r\n")
        begin = time.perf_counter() + order["warm_up"]
        end = begin + order["seconds"]
        count, now = 0, 0.0
        asking = None
        while now < end:
            asking = asking or Peer(order["port"], None)
            asking.sock.sendall(ask)
            missing = len(crowd.peers)
            while missing:
                for number, _ in crowd.wait():
                    missing -= crowd.peers[number].sock.recv(BUFFER).count(EVENT)
            back = asking.until(b"\r\n\r\nsent")
            if complete(back)[1]:
                asking.sock.close()
                asking = None
            now = time.perf_counter()
            if now >= begin:
                count += len(crowd.peers)
        if asking:
            asking.sock.close()
    return {"per_second": count / (now - begin)}


def late(order: dict) -> dict:
    """Return by how many seconds a task of the server wakes up late during `echo`."""
    peer = Peer(order["port"], "/late")
    ask_number(peer)  # begins anew
    found = echo(order)
    times = ask_number(peer)
    peer.sock.close()
    return {"per_second": found["per_second"], **dict(zip(("p50", "p99"), times, strict=True))}


class Transfer:
    """A connection on which bytes flow without end: to /receive, or from any other path."""

    def __init__(self, port: int, path: str):
        self.peer = Peer(port, None)
        sock = self.sock = self.peer.sock
        self.sends = path == "/receive"
        if self.sends:
            length = f"Content-Length: {1 << 40}\r\n"
            sock.sendall(f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{length}\r\n".encode())
        elif path == "/stream":
            sock.sendall(request(path))
        else:
            sock.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        sock.setblocking(False)
        self.moved = 0

    def move(self, buffer: memoryview) -> None:
        """Send or receive what TCP takes or has now."""
        try:
            if self.sends:
                self.moved += self.sock.send(PIECE)
            else:
                count = self.sock.recv_into(buffer, len(PIECE))
                if not count:
                    raise WrongAnswerError("the transfer has ended")
                self.moved += count
        except BlockingIOError:
            pass


class Delays:
    """How long two processes have waited for a processor, where the system tells."""

    def __init__(self, pid: int):
        self.files = []
        for name in (str(pid), "self"):
            with contextlib.suppress(OSError):
                self.files.append(os.open(f"/proc/{name}/schedstat", os.O_RDONLY))

    def __enter__(self) -> Delays:
        return self

    def __exit__(self, *_) -> None:
        for file in self.files:
            os.close(file)

    def total(self) -> int:
        """Return the nanoseconds so far."""
        return sum(int(os.pread(file, 100, 0).split()[1]) for file in self.files)


class Beside(Crowd):
    """Clients that send a message now and then, and count how long its echo takes.

    An echo during which the server or this process waited for a processor does not count.
    """

    def __init__(self, order: dict, delays: Delays):
        super().__init__(order["clients"], order["port"], order["path"])
        sent, expected = frames(order["opcode"], order["size"], False)
        self.delays = delays
        self.delayed: dict[int, int] = {}  # what `delays` said when each client sent
        self.due: dict[int, float] = {}  # when each client sends its next message
        self.times: list[float] = []
        self.disturbed = 0  # echoes that do not count
        now = time.perf_counter()
        for number, peer in self.peers.items():
            peer.prepare(sent, expected, 1, KINDS_OF_FRAME)
            self.due[number] = peer.started = now + PAUSE * len(self.due) / order["clients"]

    def send_due(self, now: float) -> None:
        """Let the clients send whose time has come."""
        for number, at in self.due.items():
            if at <= now:
                self.due[number] = float("inf")
                self.delayed[number] = self.delays.total()
                self.peers[number].started = time.perf_counter()
                self.send(number, 1)
            elif now - self.peers[number].started > PATIENCE:
                raise WrongAnswerError(f"no echo came for {PATIENCE} s")

    def take(self, number: int, begin: float) -> None:
        """Receive an echo; it counts from `begin` on."""
        if self.peers[number].receive(self.buffer):
            now = time.perf_counter()
            self.due[number] = now + PAUSE
            if now < begin:
                return
            if self.delays.total() - self.delayed[number] <= NO_DELAY:
                self.times.append(now - self.peers[number].started)
            else:
                self.disturbed += 1


def beside(order: dict) -> dict:
    """Return how long echoes take beside a transfer.

    order["transfer"]: the path of the transfer; "": without one.
    """
    with Delays(order["pid"]) as delays, Beside(order, delays) as crowd:
        transfer = Transfer(order["port"], order["transfer"]) if order["transfer"] else None
        if transfer:
            crowd.epoll.register(transfer.sock, OUT if transfer.sends else IN)
        begin = time.perf_counter() + order["warm_up"]
        end = begin + order["seconds"]
        while (now := time.perf_counter()) < end:
            crowd.send_due(now)
            for number, _ in crowd.epoll.poll(0 if ALONE else 0.001):
                if number in crowd.peers:
                    crowd.take(number, begin)
                elif transfer:
                    transfer.move(crowd.buffer)
        if transfer:
            transfer.sock.close()
            if transfer.moved < MUCH * order["seconds"]:
                raise WrongAnswerError(f"the transfer moved {transfer.moved} bytes only")
    count = len(crowd.times)
    if count < ENOUGH:
        total = count + crowd.disturbed
        raise WrongAnswerError(f"other programs disturbed {crowd.disturbed} of {total} echoes")
    return {"per_second": count / order["seconds"], **percentiles(crowd.times)}


def heap(order: dict) -> dict:
    """Return the bytes of the server's heap in use after a collection."""
    peer = Peer(order["port"], "/heap")
    found = ask_number(peer)[0]
    peer.sock.close()
    return {"heap": found}


def ask_number(peer: Peer) -> list[float]:
    """Send a message, and return the numbers in the reply."""
    peer.sock.sendall(frame(TEXT, b"?"))
    size = peer.sock.recv(2, socket.MSG_WAITALL)[1]
    return [float(number) for number in peer.sock.recv(size, socket.MSG_WAITALL).split()]


def complete(response: bytes) -> tuple[bool, bool]:
    """Return whether a response is complete, and whether it is the connection's last one.

    Raises WrongAnswerError if its status is not 200, or if it is longer than it says.
    """
    head, blank, body = response.partition(b"\r\n\r\n")
    if not blank:
        return False, False
    lines = head.lower().split(b"\r\n")
    fields = dict(line.split(b": ", 1) for line in lines[1:])
    missing = int(fields.get(b"content-length", -1)) - len(body)
    if b" 200 " not in lines[0] or missing < 0:
        raise WrongAnswerError(f"a request was answered with {head[:100]!r}")
    is_last = fields.get(b"connection") == b"close" or lines[0].startswith(b"http/1.0")
    return not missing, is_last


def percentiles(times: list[float]) -> dict:
    """Return the median and the 99th percentile of some times, in seconds."""
    if not times:
        raise WrongAnswerError("no message came back in time")
    times.sort()
    return {"p50": times[len(times) // 2], "p99": times[len(times) * 99 // 100]}


KINDS = {
    "echo": echo,
    "round trip": echo,
    "sleeping": sleeping,
    "broadcast": broadcast,
    "handshakes": handshakes,
    "requests": requests,
    "events": events,
    "late": late,
    "beside": beside,
    "heap": heap,
}


def main() -> None:
    """Obey until standard input ends."""
    if ALONE:
        os.sched_setaffinity(0, {max(CORES)})
    for line in sys.stdin:
        order = json.loads(line)
        try:
            answer = KINDS[order["kind"]](order)
        except (WrongAnswerError, OSError) as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
