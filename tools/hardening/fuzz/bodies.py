"""Check the parsers of request bodies on CPython: lengths, chunks and multipart forms."""

from __future__ import annotations

import re
import types

from . import core  # noqa: F401 - makes the library importable

from wsserver.http import bodies, fields, multipart, percent  # isort: skip
from wsserver.http.request import HTTPError  # isort: skip

_LIMIT = 300  # bytes of content
_BOUNDARY = b"x"
_TYPE = "multipart/form-data; boundary=x"

assert percent  # loaded: lazy.load() cannot import on CPython


def _request(**headers) -> types.SimpleNamespace:
    return types.SimpleNamespace(
        is_1_0=False,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
        tokens=lambda name: [headers[name.replace("-", "_")].strip()],
    )


def _decode(request, data: bytes, step: int, most: int) -> tuple:
    """Return (content, bytes used, whether it is complete, status) of a body in pieces."""
    try:
        body = bodies.Body(request, _LIMIT)
    except HTTPError as error:
        return b"", 0, False, error.status
    content, used = b"", 0
    try:
        for start in range(0, len(data), step):
            piece = data[start : start + step]
            pos = 0
            while pos < len(piece) and not body.done:
                first, last, after = body.next(piece, pos, len(piece), most)
                assert pos <= first <= last <= after <= len(piece) and last - first <= most
                assert after > pos, "nothing was used"
                content += piece[first:last]
                used += after - pos
                pos = after
    except HTTPError as error:
        return content, 0, False, error.status
    assert body.size == len(content) <= _LIMIT
    return content, used, body.done, 0


# A chunk as RFC 9112, section 7.1 defines it, with the limits of `bodies`.
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})(;[^\x00-\x08\x0a-\x1f]{0,511})?\r\n", re.DOTALL)
_TRAILER = re.compile(rb"(?:[^\x00-\x20][^\x00-\x08\x0a-\x1f]*\r\n)*\r\n")


def _verdict(data: bytes):
    """Return (content, bytes used) of a complete chunked body, or None, as another parser."""
    content, pos = b"", 0
    while match := _CHUNK.match(data, pos):
        pos = match.end()
        size = int(match[1], 16)
        if not size:
            trailer = _TRAILER.match(data, pos)
            if not trailer or trailer.end() - pos > 510:
                return None
            return content, trailer.end()
        content += data[pos : pos + size]
        pos += size
        if len(content) > _LIMIT or data[pos : pos + 2] != b"\r\n":
            return None
        pos += 2
    return None


def check_body(data: bytes) -> None:
    """Decode a body: two bytes say how to cut it, the third whether it has chunks or a length."""
    if len(data) < 4:
        return
    step, most, kind = data[0] + 1, data[1] + 1, data[2]
    data = data[3:]
    if kind & 1:
        length, _, data = data.partition(b"\n")
        if not length.isascii():
            return  # CPython's str.isdigit() knows other digits, MicroPython's does not
        request = _request(content_length=length.decode("latin-1"))
    else:
        request = _request(transfer_encoding="chunked")
    whole = _decode(request, data, len(data) + 1, 1 << 20)
    assert whole == _decode(request, data, step, most), "the cuts matter"
    content, used, done, status = whole
    if kind & 1:
        if done:
            assert content == data[: int(length)] and used == len(content)
        return
    assert status in (0, 400, 413)
    expected = _verdict(data)
    # Trailers of 510 to 512 bytes are left to the limit of one of the two.
    near_limit = len(data) > 500
    assert near_limit or ((content, used) if done else None) == expected, expected


def _run(coroutine):
    """Return what a coroutine returns that never has to wait."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("it waits for more than there is")


def _stream(data: bytes, step: int, most: int) -> tuple:
    """Return (the parts as (name, file name, content), status) of a streamed form."""
    rest = [data]

    async def read(n):
        piece, rest[0] = rest[0][: min(n, step)], rest[0][min(n, step) :]
        return piece

    async def collect(found):
        async for part in multipart.Parts(request):
            content = b""
            while piece := await part.read(most):
                assert len(piece) <= most
                content += piece
            found.append((part.name, part.filename, content))

    request = _request(content_type=_TYPE)
    request.read = read
    found: list[tuple] = []
    try:
        _run(collect(found))
    except HTTPError as error:
        assert error.status == 400
        return found, 400
    return found, 0


def check_multipart(data: bytes) -> None:
    """Parse a form with the boundary "x": two bytes say how to cut it."""
    if len(data) < 3:
        return
    step, most = data[0] + 1, data[1] + 1
    body = data[2:]
    parts, status = _stream(body, len(body) + 1, 1 << 20)
    cut, cut_status = _stream(body, step, most)
    assert (cut, cut_status) == (parts, status), "the cuts matter"
    delimiter = b"\r\n--" + _BOUNDARY
    for _, _, content in parts:
        assert delimiter not in content and content in body
    request = _request(content_type=_TYPE)
    request.body = body
    try:
        form = fields.get(request, "form")
    except HTTPError:
        return
    if not status and (b"\r\n" + body).count(delimiter) == len(parts) + 1:
        names = {name for name, _, _ in parts}
        assert form.keys() == names, "read as a whole it has other fields"


def check_query(data: bytes) -> None:
    """Parse a query and a form."""
    text = data.decode("latin-1")
    request = _request(content_type="application/x-www-form-urlencoded")
    request.body, request.query = data, text
    for name in ("args", "form", "json"):
        try:
            found = fields.get(request, name)
            if name == "json":
                found()
        except (HTTPError, RecursionError):
            continue
        assert name == "json" or len(found) <= text.count("&") + 1


CHECKS = {"body": check_body, "multipart": check_multipart, "query": check_query}
