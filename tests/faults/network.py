"""Network namespaces, and a link between two of them that loses, delays, doubles and forgets
packets.

The kernels of many machines lack netem (`Specified qdisc kind is unknown`), so the link is two TUN
devices and a thread that carries IP packets from one to the other: what TCP does about it is still
the kernel's. Needs root, iproute2 and /dev/net/tun.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import heapq
import os
import random
import select
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time

from tools.virtualboard import VirtualBoard

_CLONE_NEWNET = 0x40000000
_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 1, 0x1000


def missing() -> str | None:
    """Why there can be no namespaces here, or None."""
    if not sys.platform.startswith("linux"):
        return "network namespaces are Linux's"
    if os.geteuid():
        return "network namespaces need root"
    if not shutil.which("ip"):
        return "network namespaces need iproute2 (the command `ip`)"
    if not os.path.exists("/dev/net/tun"):
        return "a link between network namespaces needs /dev/net/tun"
    try:
        Namespace("wsprobe").remove()
    except (OSError, subprocess.CalledProcessError) as error:
        return f"no network namespace can be made here: {error}"
    return None


class Namespace:
    """A network of its own."""

    def __init__(self, name: str):
        self.name = f"{name}{os.getpid()}"
        self._run("ip", "netns", "add", self.name)
        self.ip("link", "set", "lo", "up")

    def ip(self, *words: str) -> None:
        self._run("ip", "-n", self.name, *words)

    def _run(self, *command):
        subprocess.run(command, check=True, capture_output=True)

    @contextlib.contextmanager
    def entered(self):
        """Have this thread in it: what it opens, and the processes it starts, belong there."""
        libc = ctypes.CDLL(None, use_errno=True)
        with open("/proc/thread-self/ns/net") as home, open(f"/run/netns/{self.name}") as there:
            if libc.setns(there.fileno(), _CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
            try:
                yield
            finally:
                libc.setns(home.fileno(), _CLONE_NEWNET)

    def socket(self) -> socket.socket:
        """A TCP socket in it, for use by any thread."""
        with self.entered():
            return socket.socket()

    def remove(self) -> None:
        self._run("ip", "netns", "del", self.name)


class Link:
    """What two namespaces reach each other by: `near` is 10.83.0.1, `far` is 10.83.0.2.

    loss, duplicate, reorder: probabilities; delay, jitter: s each way. While `cut` is true,
    nothing gets through, and nobody is told.
    """

    NEAR, FAR = "10.83.0.1", "10.83.0.2"

    def __init__(self, near: Namespace, far: Namespace):
        self.loss = self.duplicate = self.reorder = self.delay = self.jitter = 0.0
        self.cut = False
        self.carried = self.lost = self.doubled = 0
        self._chance = random.Random(7)
        ends = [self._open(near, self.NEAR, self.FAR), self._open(far, self.FAR, self.NEAR)]
        self._other = dict(zip(ends, reversed(ends), strict=True))
        self._under_way: list[tuple[float, int, int, bytes]] = []
        self._count = 0
        self._stopped = False
        self._thread = threading.Thread(target=self._carry, daemon=True)
        self._thread.start()

    def _open(self, namespace, address, peer):
        with namespace.entered():
            device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
            fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH", b"wslink", _IFF_TUN | _IFF_NO_PI))
        namespace.ip("address", "add", address, "peer", peer, "dev", "wslink")
        namespace.ip("link", "set", "wslink", "up")
        return device

    def _carry(self):
        while not self._stopped:
            wait = self._under_way[0][0] - time.monotonic() if self._under_way else 0.05
            ready, _, _ = select.select(list(self._other), [], [], max(0, min(wait, 0.05)))
            for device in ready:
                self._take(device, os.read(device, 4096))
            while self._under_way and self._under_way[0][0] <= time.monotonic():
                _, _, device, packet = heapq.heappop(self._under_way)
                with contextlib.suppress(BlockingIOError):
                    os.write(device, packet)

    def _take(self, device, packet):
        chance = self._chance.random
        if self.cut or chance() < self.loss:
            self.lost += 1
            return
        copies = 2 if chance() < self.duplicate else 1
        self.doubled += copies - 1
        for _ in range(copies):
            delay = self.delay + self.jitter * (2 * chance() - 1)
            if chance() < self.reorder:
                delay = 0
            self._count += 1
            self.carried += 1
            entry = time.monotonic() + delay, self._count, self._other[device], packet
            heapq.heappush(self._under_way, entry)

    def close(self) -> None:
        self._stopped = True
        self._thread.join()
        for device in self._other:
            os.close(device)


class BoardElsewhere(VirtualBoard):
    """A virtual board in a namespace, which others reach over a link."""

    address = Link.NEAR

    def __init__(self, namespace: Namespace, **arguments):
        self._namespace = namespace
        super().__init__(**arguments)

    def _loop(self):
        with self._namespace.entered():
            super()._loop()
