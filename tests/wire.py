"""Client frames for the tests, written as bytes by hand so that broken ones can be made too."""

from __future__ import annotations

TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10
KEY = b"\x37\xfa\x21\x3d"  # RFC 6455, section 5.7


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    final: bool = True,
    reserved: int = 0,
    masked: bool = True,
    length_bytes: int | None = None,
    key: bytes = KEY,
) -> bytes:
    """A client's frame. length_bytes: 0, 2 or 8 to force that form of the length field."""
    length = len(payload)
    if length_bytes is None:
        length_bytes = 0 if length < 126 else 2 if length < 0x10000 else 8
    short = {0: length, 2: 126, 8: 127}[length_bytes]
    head = bytes([final << 7 | reserved << 4 | opcode, masked << 7 | short])
    head += length.to_bytes(length_bytes, "big") if length_bytes else b""
    if not masked:
        return head + payload
    return head + key + bytes(byte ^ key[i % 4] for i, byte in enumerate(payload))


def close(code: int | None = None, reason: bytes = b"") -> bytes:
    """A client's Close frame."""
    return frame(CLOSE, b"" if code is None else code.to_bytes(2, "big") + reason)


def parse_server(data: bytes) -> list[tuple[int, bytes]]:
    """The (opcode, payload) of a server's frames; asserts that each is whole, final, unmasked and
    of minimal length.
    """
    frames = []
    while data:
        assert data[0] & 0xF0 == 0x80, "a frame of the server is fragmented or has reserved bits"
        assert data[1] < 0x80, "a frame of the server is masked"
        length, start = data[1], 2
        if length == 126:
            length, start = int.from_bytes(data[2:4], "big"), 4
            assert length > 125
        elif length == 127:
            length, start = int.from_bytes(data[2:10], "big"), 10
            assert length > 0xFFFF
        assert len(data) >= start + length, "a frame of the server is cut off"
        frames.append((data[0] & 15, data[start : start + length]))
        data = data[start + length :]
    return frames
