"""Try every header of a frame, and every text of up to three bytes: a minute or more."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import product

from . import core  # puts the library within reach

_SHORT = (0, 1, 125, 126, 127, 255, 256, 65535)
_LONG = (0, 125, 126, 65535, 65536, 1 << 31, 1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)
_ORDINARY = bytes((0x81, 0x80, 0, 0, 0, 0))  # an empty text
_PART = bytes((0x01, 0x81, 0, 0, 0, 0, 0x78))  # the beginning of a message


def headers() -> Iterator[bytes]:
    """Yield inputs for core.check_session: each pair of first bytes, with lengths at their limits,
    by itself and within a message.
    """
    for first, second in product(range(256), repeat=2):
        kind = second & 0x7F
        lengths = {126: _SHORT, 127: _LONG}.get(kind, (0,))
        for before, length in product((b"", _PART), lengths):
            size = {126: 2, 127: 8}.get(kind, 0)
            head = bytes((first, second)) + (length.to_bytes(8, "big")[-size:] if size else b"")
            key = b"\1\2\3\4" if second & 0x80 else b""
            yield bytes((3, 1, 0)) + before + head + key + b"x" * min(kind, 20) + _ORDINARY


def texts() -> int:
    """Compare the library's UTF-8 decoder with CPython's; returns how many texts there were."""
    from wsserver.core.portable import validate_utf8

    count = 0
    buffer = bytearray(3)
    for first in range(256):
        state1 = _compare(validate_utf8, buffer, 0, first, 0)
        for second in range(256):
            state2 = _compare(validate_utf8, buffer, 1, second, state1)
            for third in range(256):
                _compare(validate_utf8, buffer, 2, third, state2)
        count += 1 + 256 + 65536
    return count


def _compare(validate_utf8, buffer, at, byte, state):
    """Put a byte at the end of a text, check it, and return the new state of the decoder."""
    buffer[at] = byte
    if state >= 0:
        state = validate_utf8(buffer, at, at + 1, state, 0)
    text = bytes(buffer[: at + 1])
    if state == 0:
        text.decode()  # raises if it is none
        return 0
    try:
        text.decode()
    except UnicodeDecodeError as error:
        begun = error.reason == "unexpected end of data"
        assert begun == (state > 0), f"{text.hex()}: {state} for {error.reason}"
        return state
    raise AssertionError(f"{text.hex()} is UTF-8, and was refused")


def main() -> None:
    """Run everything. The last line on stderr has the number of inputs."""
    count = texts()
    for data in headers():
        core.check_session(data)
        count += 1
    print(f"Done {count} runs", file=sys.stderr)


if __name__ == "__main__":
    main()
