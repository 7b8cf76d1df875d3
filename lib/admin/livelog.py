"""The live log: {"do": "log", "from": N} is answered with the lines from byte N of the log on.

Loaded while a page reads the log. docs/joining.md describes the answer.
"""

import json
from time import time

from micropython import const

import admin
from wsserver import lazy

_PIECE = const(600)  # bytes in a message: JSON can make them six times longer
_SIZE = const(1024)  # bytes of the ring if the board keeps none
_SURROGATE = const(0xED)  # first byte of a surrogate in UTF-8, which no message may have


class Tool:
    """The log for one client. Without log.buffer, lines are kept only while it is read."""

    readers = 0
    is_ours = False  # whether the ring was made for the readers

    def __init__(self, server, client):
        self._client = client
        self._log = lazy.load("admin.logring")
        Tool.readers += 1

    def execute(self, command: dict) -> None:
        """Send the next piece. Raises ValueError."""
        start = command.get("from", 0)
        if type(start) is not int or start < 0:
            raise ValueError("from: must be an integer, 0 or more")
        log = self._log
        if not log.ring:
            Tool.is_ours = True
            log.start(_SIZE, admin.log_state)
        oldest = max(log.first, log.total - len(log.ring))
        begin = start if start <= log.total else 0  # of an earlier start
        if begin < oldest:
            begin = self._next_record(oldest)
        end = min(log.total, begin + _PIECE)
        while end < log.total and log.ring[end % len(log.ring)] & 0xC0 == 0x80:
            end -= 1  # do not cut a character
        answer = {"type": "log", "text": self._text(begin, end), "next": end, "run": log.run}
        answer["more"] = end < log.total
        answer["now"] = int(time())
        answer["lost"] = begin > start
        answer["kept"] = not Tool.is_ours
        self._client.send(json.dumps(answer))

    def close(self) -> None:
        """End a ring that was made for the readers with the last one."""
        Tool.readers -= 1
        if Tool.is_ours and not Tool.readers:
            Tool.is_ours = False
            admin.log_state = (self._log.run, self._log.total)
            self._log.stop()
            lazy.unload("admin.logring")

    def _next_record(self, at):
        """Return where the first whole record begins, from byte `at` of the log on."""
        ring, total = self._log.ring, self._log.total
        while at < total and ring[at % len(ring)] != 0x1E:
            at += 1
        return at

    def _text(self, begin, end):
        ring = self._log.ring
        at = begin % len(ring)
        data = ring[at : at + end - begin]
        data += ring[: end - begin - len(data)]
        for index in range(len(data) - 2):
            if data[index] == _SURROGATE and data[index + 1] >= 0xA0:
                data[index : index + 3] = b"???"
        try:
            return str(data, "utf-8")
        except UnicodeError:  # such as a position within a character
            return str(bytes([byte if byte < 0x80 else 0x3F for byte in data]), "utf-8")
