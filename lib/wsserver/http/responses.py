"""HTTP responses other than 101."""

from wsserver.core.frames import const, text_bytes

from ..lazy import call
from ..log import escape

# A few strings take a fraction of the memory of a dict, and none needs a large free block.
_REASONS = const(
    (
        "200 OK|201 Created|202 Accepted|204 No Content|206 Partial Content|301 Moved Permanently|"
        "302 Found|303 See Other|304 Not Modified|307 Temporary Redirect|308 Permanent Redirect|",
        "400 Bad Request|401 Unauthorized|403 Forbidden|404 Not Found|405 Method Not Allowed|"
        "406 Not Acceptable|408 Request Timeout|409 Conflict|410 Gone|411 Length Required|",
        "412 Precondition Failed|413 Content Too Large|415 Unsupported Media Type|"
        "416 Range Not Satisfiable|417 Expectation Failed|421 Misdirected Request|"
        "422 Unprocessable Content|426 Upgrade Required|429 Too Many Requests|",
        "431 Request Header Fields Too Large|500 Internal Server Error|501 Not Implemented|"
        "503 Service Unavailable|505 HTTP Version Not Supported|",
    )
)


def _reason(status):
    if status == 200:  # most often
        return "200 OK"
    for reasons in _REASONS:
        start = reasons.find(str(status))
        if start >= 0:
            return reasons[start : reasons.find("|", start)]
    return "%d Unnamed" % status  # RFC 9112, section 4: clients ignore this text


def response_head(status: int, headers, length=None) -> bytearray:
    """Return status line and header lines, with Content-Length if `length` is given."""
    head = bytearray(b"HTTP/1.1 ")
    head += _reason(status)
    # Not joined as texts: for each text that it makes, MicroPython searches its table of names.
    for line in headers:
        head += b"\r\n"
        head += line
    if length is not None:
        head += b"\r\nContent-Length: %d" % length
    head += b"\r\n\r\n"
    return head


def can_keep(connection, request, received: bool):
    """Return whether a connection may stay open for another request: see HTTPConnection._keeps.

    Not with TLS, whose sessions take much memory, nor if only its own slot is left. received:
    whether the body of the request was received.
    """
    headers = request.headers
    if not connection._keeps or not received:
        return False
    if request.is_1_0 or "sec-websocket-key" in headers:
        return None
    if connection._tls or connection._trusted:
        return None
    option = headers.get("connection", "keep-alive")
    if option != "keep-alive" and "close" in [
        option.lower() for option in request.tokens("connection")
    ]:
        return None
    return connection._server._acceptor.free_slots() > 0 or None


def error_response(error, request=None, server=None) -> bytearray:
    """Return the whole response for an HTTPError. request: None if it is malformed."""
    text = _reason(error.status)[4:]
    more = ""
    status = error.status
    if request and (
        status == 426 or status == 404 and (server._router or request.wants_websocket())
    ):
        try:
            more = call(".http.nearpaths", "describe", server, request, error)
        except MemoryError:
            pass  # the status is more important
    if error.detail != text.lower():  # else it would say "Not Found: not found"
        text += ": " + escape(error.detail, 200)
    body = text_bytes(text + more + "\n")
    headers = error.headers + ("Content-Type: text/plain", "Connection: close")
    if request and server.origins:
        headers += call(".http.cors", "allow_origin", request, server.origins)
    head = response_head(error.status, headers, len(body))
    return head if request and request.method == "HEAD" else head + body
