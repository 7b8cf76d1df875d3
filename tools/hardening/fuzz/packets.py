"""Check properties of the MQTT parser of lib/fleet on CPython that hold for any bytes.

An AssertionError, or any exception but those that the client handles, is a find.
"""

from __future__ import annotations

import sys
import types

from tools import ROOT

# CPython cannot import what the packages' other modules need.
for _name in ("wsserver", "fleet"):
    if _name not in sys.modules:
        _package = types.ModuleType(_name)
        _package.__path__ = [str(ROOT / "lib" / _name)]
        sys.modules[_name] = _package

from fleet import incoming, packets  # noqa: E402

_LIMITS = (10, 300, 4396)


class Stream:
    """A non-blocking socket that has received some pieces."""

    def __init__(self, pieces: list[bytes]):
        self._pieces = [piece for piece in pieces if piece]

    def readinto(self, buffer) -> int | None:
        """Return how much was read; None at the end of each piece; 0 at the end of all."""
        if not self._pieces:
            return 0
        piece = self._pieces[0]
        if not piece:
            self._pieces.pop(0)
            return None
        count = min(len(buffer), len(piece))
        buffer[:count] = piece[:count]
        self._pieces[0] = piece[count:]
        return count


def read_all(pieces: list[bytes], limit: int) -> list:
    """Return [(first byte, body)] of all packets, and at the end the type of the exception."""
    found: list = []
    try:
        for packet in packets.read(Stream(pieces), limit):
            if packet is not None:
                kind, body = packet
                assert len(body) <= limit, "a body beyond the limit"
                found.append((kind, bytes(body)))
    except (ValueError, EOFError) as error:
        found.append(type(error))
    return found


def check_packets(data: bytes) -> None:
    """Read a stream whole, byte by byte and cut in two; compare with a simpler parser.

    The first two bytes choose the limit and the cut.
    """
    if len(data) < 2:
        return
    limit = _LIMITS[data[0] % len(_LIMITS)]
    cut, data = data[1], data[2:]
    whole = read_all([data], limit)
    assert whole == read_all([bytes((byte,)) for byte in data], limit), "the cuts matter"
    assert whole == read_all([data[:cut], data[cut:]], limit), "the cut matters"
    assert whole == expected(data, limit), "another parser finds other packets"
    for kind, body in whole[:-1]:
        if kind & 0xF0 == 0x30:
            _check_publish(kind, body)


def _check_publish(kind, body):
    """Parse a PUBLISH; what can be parsed must result in the same packet again."""
    try:
        topic, start, id = incoming.read(kind, body)
    except ValueError:  # and UnicodeDecodeError
        return
    assert topic and 0 <= id < 65536 and start <= len(body)
    again = packets.publish(topic, body[start:], id, bool(kind & 1))
    found = read_all([bytes(again)], 1 << 20)[0]
    assert found == (kind & 0xF7, body), "publish() and read() differ"


def expected(data: bytes, limit: int) -> list:
    """Return what read_all() must return, by the text of section 2.2.3."""
    found: list = []
    at = 0
    while at < len(data):
        kind, length, multiplier = data[at], 0, 1
        at += 1
        while True:
            if at == len(data):
                return [*found, EOFError]
            byte = data[at]
            at += 1
            length += (byte & 127) * multiplier
            if length > limit or (byte & 128 and multiplier == 128**3):
                return [*found, ValueError]
            multiplier *= 128
            if not byte & 128:
                break
        if at + length > len(data):
            return [*found, EOFError]
        found.append((kind, data[at : at + length]))
        at += length
    return [*found, EOFError]
