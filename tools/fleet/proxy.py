"""A TCP proxy between a board and its engine that interrupts the connection in many ways."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading

_SLOW = 20  # bytes a second


class Proxy:
    """Forward connections to a port. mode: what happens to new connections and their data.

    "pass": forward. "refuse": do not listen. "silent": accept and forward nothing. "cut": forward
    nothing more, and close nothing. "slow": forward few bytes. "reset": close new ones with RST.
    """

    def __init__(self, target: int):
        self._target = target
        self.mode = "pass"
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._pairs: list[tuple[socket.socket, socket.socket | None]] = []
        self._lock = threading.Lock()
        self._is_running = True
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Proxy:
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._is_running = False
        self._thread.join(5)
        self._close(False)
        self._listener.close()

    def interrupt(self) -> None:
        """End what is open if the mode says so; "cut" and "slow" keep the connections."""
        if self.mode not in ("cut", "slow"):
            self._close(True)

    def reset(self) -> None:
        """Close all connections with RST."""
        self._close(True)

    def _close(self, abruptly):
        with self._lock:
            for pair in self._pairs:
                for sock in pair:
                    if sock:
                        with contextlib.suppress(OSError):
                            if abruptly:
                                linger = struct.pack("ii", 1, 0)
                                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                            sock.close()
            self._pairs.clear()

    def _run(self):
        while self._is_running:
            with self._lock:
                pairs = list(self._pairs)
            peers = {}
            for one, other in pairs:
                if other:
                    peers[one], peers[other] = other, one
            watched = [self._listener]
            if self.mode in ("pass", "slow"):
                watched += peers
            try:
                ready, _, _ = select.select(watched, [], [], 0.02)
            except (OSError, ValueError):  # closed meanwhile
                continue
            for sock in ready:
                if sock is self._listener:
                    self._accept()
                else:
                    self._forward(sock, peers[sock])
            if self.mode == "slow":
                threading.Event().wait(1 / _SLOW)

    def _accept(self):
        sock = self._listener.accept()[0]
        if self.mode in ("refuse", "reset"):
            linger = struct.pack("ii", 1, 0)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            sock.close()
            return
        other = None
        if self.mode != "silent":
            with contextlib.suppress(OSError):
                other = socket.create_connection(("127.0.0.1", self._target), 5)
        with self._lock:
            self._pairs.append((sock, other))

    def _forward(self, sock, peer):
        try:
            data = sock.recv(1 if self.mode == "slow" else 65536)
            if data:
                peer.sendall(data)
                return
        except (OSError, ValueError):
            pass
        with self._lock:
            for pair in list(self._pairs):
                if sock in pair:
                    self._pairs.remove(pair)
                    for one in pair:
                        if one:
                            one.close()
