"""HTTP requests to a board, and its responses, read as strictly as RFC 9112 allows."""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from tools.wsclient import RawClient


class Answer(NamedTuple):
    """An HTTP response. headers: {name in lower case: value, or a list of them}."""

    status: int
    headers: dict
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def text(self):
        return self.body.decode()


class Web:
    """A board, real or virtual, that is asked by HTTP."""

    def __init__(self, board):
        self.board = board

    def connect(self, **options) -> RawClient:
        """A connection that can send anything."""
        return RawClient(self.board.http_port, self.board.address, timeout=10, **options)

    def hold(self, path="/held-async", **headers) -> RawClient:
        """A connection whose request is waiting for `release`."""
        position = self.board.log_position
        connection = self.connect().send(request(path, **headers))
        self.board.wait_for_log("held", since=position)
        return connection

    def raw(self, data: bytes, **options) -> Answer:
        """The answer to the bytes of a request. options: of the connection."""
        with self.connect(**options) as connection:
            connection.send(data)
            return answer(connection, data.startswith(b"HEAD "))

    def ask(self, path, method="GET", body=None, **headers) -> Answer:
        """The answer to a request. headers: X_Name stands for X-Name."""
        return self.raw(request(path, method, body, **headers))


def request(path, method="GET", body=None, version="1.1", **headers) -> bytes:
    """The bytes of a request. A list as body is sent in chunks."""
    lines = [f"{method} {path} HTTP/{version}", "Host: localhost"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    content = b""
    if isinstance(body, list):
        lines.append("Transfer-Encoding: chunked")
        content = chunks(body)
    elif body is not None:
        lines.append(f"Content-Length: {len(body)}")
        content = body
    return "\r\n".join([*lines, "", ""]).encode() + content


def chunks(pieces) -> bytes:
    """A chunked body."""
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in [*pieces, b""])


def head(connection):
    """Read a response head: (status, headers)."""
    first, *lines = connection.until(b"\r\n\r\n").decode().split("\r\n")[:-2]
    assert re.fullmatch(r"HTTP/1\.1 \d{3} [A-Z][\w -]*", first), first
    headers: dict = {}
    for line in lines:
        name, value = line.split(": ", 1)
        name = name.lower()
        headers[name] = [*headers[name], value] if name in headers else value
        if len(headers[name]) and isinstance(headers[name], str) and lines.count(line) > 1:
            headers[name] = [value]
    return int(first.split()[1]), headers


def answer(connection, is_head=False) -> Answer:
    """Read a response as strictly as RFC 9112 allows.

    Raises RefusedError if the response is cut off.
    """
    status, headers = head(connection)
    if status == 101:  # frames follow
        return Answer(status, headers, b"")
    if is_head or status in (204, 304):
        body = b""
    elif headers.get("transfer-encoding") == "chunked":
        assert "content-length" not in headers
        body = b""
        while size := int(connection.until(b"\r\n"), 16):
            body += connection.read(size)
            assert connection.read(2) == b"\r\n"
        assert connection.read(2) == b"\r\n"
    elif "content-length" in headers:
        body = connection.read(int(headers["content-length"]))
    else:
        body = connection.rest()
    assert not connection.data, "there are bytes behind the response"
    return Answer(status, headers, body)
