"""Parse the same bytes with an independent WebSocket parser, wsproto's."""

from __future__ import annotations

from typing import Any

from wsproto.frame_protocol import Frame, FrameProtocol, Opcode, ParseFailed

# wsproto refuses this code, which was registered after RFC 6455: "bad gateway".
_BAD_GATEWAY = (1014).to_bytes(2, "big")
_TRY_AGAIN_LATER = (1013).to_bytes(2, "big")


class _Parser(FrameProtocol):
    """Parse frames as wsproto does, with one more close code."""

    def _process_close(self, frame: Frame) -> Frame:
        payload: Any = frame.payload  # bytes; what is returned holds a tuple
        if payload[:2] != _BAD_GATEWAY:
            return super()._process_close(frame)
        payload = (
            super()
            ._process_close(frame._replace(payload=_TRY_AGAIN_LATER + bytes(payload[2:])))
            .payload
        )
        return frame._replace(payload=(1014, payload[1]))


def verdict(data: bytes) -> tuple[list[tuple], int | None]:
    """Return (the events of a connection, the code with which it fails or None).

    Events are ("text", bytes), ("binary", bytes), ("ping", bytes), ("pong", bytes) and ("close",
    code, reason). Bytes after a Close frame are ignored.
    """
    parser = _Parser(client=False, extensions=[])
    events: list[tuple] = []
    parts: list = []
    parser.receive_bytes(data)
    try:
        for frame in parser.received_frames():
            payload: Any = frame.payload  # what it is depends on the opcode
            if frame.opcode is Opcode.CLOSE:
                events.append(("close", int(payload[0]), payload[1]))
                return events, None
            if frame.opcode is Opcode.PING or frame.opcode is Opcode.PONG:
                events.append((frame.opcode.name.lower(), bytes(payload)))
                continue
            parts.append(payload.encode() if isinstance(payload, str) else bytes(payload))
            if frame.message_finished:
                events.append((frame.opcode.name.lower(), b"".join(parts)))
                parts = []
    except ParseFailed as error:
        return events, int(error.code)
    return events, None


def agrees(data: bytes, events: list[tuple], failure: int | None, closed: bool) -> bool:
    """Return whether a connection that received `data` behaved like the oracle.

    It may fail earlier, at bytes of which the oracle needs more; it may then report another fault
    that comes before that of an invalid text. It may fail with 1009, which the oracle does not
    know.
    """
    wanted, wanted_failure = verdict(data)
    last = wanted[-1][1] if wanted and wanted[-1][0] == "close" else None
    if failure is None:
        return wanted_failure is None and events == wanted and closed == (last is not None)
    if failure == wanted_failure and failure != 1007:
        return events == wanted
    if events != wanted[: len(events)]:
        return False
    if failure == 1007:  # whatever comes behind the bad byte, its message never comes whole
        return _messages(events) == _messages(wanted)
    return failure == 1009 or wanted_failure is None and last is None


def _messages(events):
    return [event for event in events if event[0] in ("text", "binary")]
