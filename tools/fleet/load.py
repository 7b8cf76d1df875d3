"""Thousands of viewers in one process: plain WebSocket clients that measure what arrives.

A message is "NUMBER MICROSECONDS": a counter of the board, and the time at which it was sent, on
the clock that all processes of this machine share.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from dataclasses import asdict, dataclass, field

from tools.wsclient import request

_AT_ONCE = 50  # handshakes


@dataclass
class Result:
    """What the viewers of one process have seen.

    connected, lost: viewers. messages: how many arrived; missed: numbers that were skipped;
    disordered: numbers that were not greater than the one before. latencies: ms, sorted.
    silence: the longest time without a message that a viewer has seen, in s.
    """

    connected: int = 0
    lost: int = 0
    messages: int = 0
    missed: int = 0
    disordered: int = 0
    latencies: list[float] = field(default_factory=list)
    silence: float = 0.0


class _Viewer(asyncio.Protocol):
    """One connection. It understands text frames of up to 125 bytes, and ignores the others."""

    def __init__(self, path, load):
        self._path = path
        self._load = load
        self._data = b""
        self.opened = asyncio.get_running_loop().create_future()
        self._is_open = False
        self._number = -1

    def connection_made(self, transport):
        self.transport = transport
        transport.write(request(self._path))

    def data_received(self, data):
        data = self._data + data
        if not self._is_open:
            end = data.find(b"\r\n\r\n")
            if end < 0:
                self._data = data
                return
            self._is_open = data.startswith(b"HTTP/1.1 101")
            if not self.opened.done():
                self.opened.set_result(self._is_open)
            data = data[end + 4 :]
        at = 0
        while len(data) - at >= 2:
            length = data[at + 1]
            if length == 126:
                length = int.from_bytes(data[at + 2 : at + 4], "big") + 2
            if len(data) - at < 2 + length:
                break
            if data[at] == 0x81:
                self._message(data[at + 2 : at + 2 + length])
            elif data[at] == 0x89:  # Ping
                self.transport.write(b"\x8a\x84\0\0\0\0" + data[at + 2 : at + 2 + length][:4])
            at += 2 + length
        self._data = data[at:]

    def _message(self, text):
        number, _, sent = text.partition(b" ")
        if not sent.isdigit():
            return
        self._load.message(self, int(number), int(sent))

    def connection_lost(self, error):
        if not self.opened.done():
            self.opened.set_result(False)
        self._load.lost(self, self._is_open)


class Load:
    """Connect viewers, keep them connected, and collect what they see."""

    def __init__(self, targets: list[tuple[int, str]], count: int):
        self._targets = targets
        self._count = count
        self.result = Result()
        self._numbers: dict[_Viewer, int] = {}
        self._measuring = False
        self._heard: dict[int, float] = {}
        self._index: dict[_Viewer, int] = {}
        self._tasks: set[asyncio.Task] = set()

    async def run(self, seconds: float) -> Result:
        """Connect all viewers, tell that on stdout, and measure when stdin says so."""
        for first in range(0, self._count, _AT_ONCE):
            last = min(first + _AT_ONCE, self._count)
            await asyncio.gather(*(self._connect(index) for index in range(first, last)))
        print("connected", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
        self._measuring = True
        await asyncio.sleep(seconds)
        self._measuring = False
        self.result.connected = len(self._numbers)
        self.result.latencies.sort()
        return self.result

    async def _connect(self, index):
        port, path = self._targets[index % len(self._targets)]
        loop = asyncio.get_running_loop()
        delay = 0.25
        while True:
            try:
                _, viewer = await loop.create_connection(
                    lambda: _Viewer(path, self), "127.0.0.1", port
                )
                if await viewer.opened:
                    self._index[viewer] = index
                    self._numbers[viewer] = -1
                    return
            except OSError:
                pass
            await asyncio.sleep(delay)
            delay = min(1.0, 2 * delay)

    def message(self, viewer, number, sent):
        """Note a message of a viewer."""
        result = self.result
        before = self._numbers.get(viewer, -1)
        self._numbers[viewer] = number
        index, now = self._index.get(viewer, -1), time.monotonic()
        if self._measuring and index in self._heard:
            result.silence = max(result.silence, now - self._heard[index])
        self._heard[index] = now
        if not self._measuring or before < 0:
            return
        result.messages += 1
        if number <= before:
            result.disordered += 1
        elif number > before + 1:
            result.missed += number - before - 1
        result.latencies.append((time.time_ns() // 1000 - sent) / 1000)

    def lost(self, viewer, was_open):
        """Connect again."""
        self._numbers.pop(viewer, None)
        index = self._index.pop(viewer, None)
        if index is None or not was_open:
            return
        self.result.lost += 1
        task = asyncio.get_running_loop().create_task(self._connect(index))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def main(arguments: list[str]) -> None:
    """Run as a process of its own: COUNT SECONDS PORT:PATH..."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    count, seconds, *targets = arguments
    pairs = [(int(port), path) for port, _, path in (text.partition(":") for text in targets)]
    result = asyncio.run(Load(pairs, int(count)).run(float(seconds)))
    print(json.dumps(asdict(result)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
