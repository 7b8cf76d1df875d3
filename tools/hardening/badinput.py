"""Bad input: the bytes, what the client sees, and what the log says.

A test sends each row to a live board, `make compare` to other servers, and docs/reliability.md
contains the table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tools.docs import sections
from tools.wsclient import BINARY, CLOSE, CONTINUATION, PING, TEXT, close, frame, request

MAX_SIZE, MAX_HEAD = 4096, 2048  # of the server that gets it


@dataclass(frozen=True)
class Bad:
    """One row of the table.

    answer: the HTTP status, or the code of the Close frame. says: its reason, or the body, up to a
    variable rest. log: the log line without the client's number, or "".
    """

    what: str
    data: bytes
    answer: int
    says: str
    log: str = ""


def _request(what: str, change: Callable[[bytes], bytes], answer: int, says: str) -> Bad:
    return Bad(what, change(request("/ws")), answer, says)


def _swap(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    return lambda data: data.replace(old, new)


def _without(name: bytes) -> Callable[[bytes], bytes]:
    def change(data):
        lines = data.split(b"\r\n")
        return b"\r\n".join(line for line in lines if not line.startswith(name + b":"))

    return change


def _frame(what: str, data: bytes, code: int, reason: str) -> Bad:
    return Bad(what, data, code, reason, f"disconnected: 1006 {reason}")


_HOST = b"Host: localhost\r\n"
_KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
_MALFORMED = "Bad Request: %s is missing or malformed"

REQUESTS = (
    Bad("a line that is not HTTP", b"hello\r\n\r\n", 400, _MALFORMED % "request line"),
    Bad("bytes that are not text", b"\xff\xfe\x00\r\n\r\n", 400, _MALFORMED % "request line"),
    _request("a target without a slash", _swap(b" /ws", b" ws"), 400, _MALFORMED % "request line"),
    _request(
        "HTTP/1.0", _swap(b"/1.1", b"/1.0"), 426, "Upgrade Required: WebSocket needs HTTP/1.1"
    ),
    _request("HTTP/2.0", _swap(b"/1.1", b"/2.0"), 505, "HTTP Version Not Supported: use HTTP/1.1"),
    _request("no Host", _without(b"Host"), 400, _MALFORMED % "Host"),
    _request("two Hosts", _swap(_HOST, _HOST * 2), 400, _MALFORMED % "Host"),
    _request(
        "a Host with a slash in it", _swap(_HOST, b"Host: a/b\r\n"), 400, _MALFORMED % "Host"
    ),
    _request(
        "a header without a colon", _swap(_HOST, _HOST + b"x\r\n"), 400, _MALFORMED % "a header"
    ),
    _request(
        "a header continued on the next line",
        _swap(_HOST, _HOST + b"X: y\r\n z\r\n"),
        400,
        _MALFORMED % "a header",
    ),
    _request(
        "a line feed within a header",
        _swap(_HOST, _HOST + b"X: y\nSet-Cookie: z\r\n"),
        400,
        "Bad Request: lines must end with CRLF, not with LF",
    ),
    _request("no Upgrade, but a key", _without(b"Upgrade"), 400, _MALFORMED % "Upgrade"),
    _request("no Connection", _without(b"Connection"), 400, _MALFORMED % "Connection"),
    _request(
        "another version",
        _swap(b"Version: 13", b"Version: 8"),
        426,
        "Upgrade Required: use version 13",
    ),
    _request("no key", _without(b"Sec-WebSocket-Key"), 400, _MALFORMED % "sec-websocket-key"),
    _request(
        "a key that is too short", _swap(_KEY, b"dGhl"), 400, _MALFORMED % "sec-websocket-key"
    ),
    _request(
        "a key that is not base64",
        _swap(_KEY, b"?" * 22 + b"=="),
        400,
        _MALFORMED % "sec-websocket-key",
    ),
    _request("POST", _swap(b"GET", b"POST"), 405, "Method Not Allowed: use GET"),
    _request(
        "a page of another origin",
        _swap(_HOST, _HOST + b"Origin: http://evil.example\r\n"),
        403,
        "Forbidden: Origin http://evil.example is not allowed (access.origins)",
    ),
    _request(
        "a head that is too long",
        _swap(_HOST, _HOST + b"X: " + b"y" * MAX_HEAD + b"\r\n"),
        431,
        f"Request Header Fields Too Large: the head is over {MAX_HEAD} bytes (server.max_head)",
    ),
    _request("a path without a file or endpoint", _swap(b"/ws", b"/nothing"), 404, "Not Found: "),
    _request("a path outside the folder", _swap(b"/ws", b"/../config.json"), 404, "Not Found: "),
    Bad(
        "a broken percent-encoding",
        b"GET /%zz HTTP/1.1\r\n" + _HOST + b"\r\n",
        400,
        _MALFORMED % "percent-encoding",
    ),
)

_BYTE = frame(TEXT, b"x")
FRAMES = (
    _frame("an unmasked frame", b"\x81\x01x", 1002, "frame is not masked"),
    _frame("a reserved bit", frame(TEXT, b"x", reserved=4), 1002, "reserved bit set"),
    _frame("a data frame with opcode 3", frame(3, b"x"), 1002, "reserved opcode"),
    _frame("a control frame with opcode 11", frame(11), 1002, "reserved opcode"),
    _frame("a fragmented Ping", frame(PING, b"x", final=False), 1002, "fragmented control frame"),
    _frame("a Ping of 126 bytes", frame(PING, bytes(126)), 1002, "control frame over 125 bytes"),
    _frame(
        "a continuation frame without a first fragment",
        frame(CONTINUATION, b"x"),
        1002,
        "nothing to continue",
    ),
    _frame(
        "a new message within a fragmented one",
        frame(TEXT, b"x", final=False) + _BYTE,
        1002,
        "fragment expected",
    ),
    _frame(
        "a length of 100 in two bytes",
        frame(BINARY, bytes(100), length_bytes=2),
        1002,
        "length not in its shortest form",
    ),
    _frame(
        "a length of 200 in eight bytes",
        frame(BINARY, bytes(200), length_bytes=8),
        1002,
        "length not in its shortest form",
    ),
    _frame(
        "a length of more than 63 bits",
        b"\x82\xff\x80" + bytes(7) + b"\1\2\3\4x",
        1002,
        "length over 63 bits",
    ),
    _frame("a Close of one byte", frame(CLOSE, b"\3"), 1002, "invalid close code"),
    _frame("a Close with code 1005", close(1005), 1002, "invalid close code"),
    _frame("a Close with code 2000", close(2000), 1002, "invalid close code"),
    _frame(
        "a Close whose reason is not UTF-8",
        close(1000, b"\xff"),
        1007,
        "close reason is not UTF-8",
    ),
    _frame("a text that is not UTF-8", frame(TEXT, b"a\xffb"), 1007, "text is not UTF-8"),
    _frame("a text with a surrogate", frame(TEXT, b"\xed\xa0\x80"), 1007, "text is not UTF-8"),
    _frame("a text with an overlong slash", frame(TEXT, b"\xc0\xaf"), 1007, "text is not UTF-8"),
    _frame("a text that ends within a character", frame(TEXT, b"\xc3"), 1007, "text is not UTF-8"),
    _frame(
        "a message of max_size + 1 bytes",
        frame(TEXT, bytes(MAX_SIZE + 1)),
        1009,
        f"message over {MAX_SIZE} bytes",
    ),
    _frame(
        "the head of a message of 1 GB",
        b"\x82\xff" + (1 << 30).to_bytes(8, "big") + b"\1\2\3\4",
        1009,
        f"message over {MAX_SIZE} bytes",
    ),
    _frame(
        "fragments with too many bytes in all",
        frame(TEXT, bytes(4000), final=False) + frame(0, bytes(97)),
        1009,
        f"message over {MAX_SIZE} bytes",
    ),
)

ALL = REQUESTS + FRAMES


def text() -> str:
    """Return the tables of docs/reliability.md."""
    requests = sections.table(
        ("instead of a handshake", "answer; then TCP is closed"),
        ((bad.what, f"`{bad.answer}`: {bad.says.strip(': ')}") for bad in REQUESTS),
    )
    frames = sections.table(
        ("instead of a frame", "Close frame"),
        ((bad.what, f"{bad.answer} {bad.says}") for bad in FRAMES),
    )
    note = f"For a bad frame, the log gives the same reason:\n\n    client 1 {FRAMES[0].log}"
    return f"{requests}\n{note} (0 connected)\n\n{frames}"


def document(old: str) -> str:
    """Return docs/reliability.md with the tables replaced."""
    return sections.replace(old, "make format: bad input", text())
