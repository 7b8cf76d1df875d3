"""HTTP responses other than 101."""

from ..core.frames import const, text_bytes

# One string takes a fraction of the memory of a dict.
_REASONS = const(
    "200 OK|302 Found|304 Not Modified|400 Bad Request|401 Unauthorized|403 Forbidden|"
    "404 Not Found|405 Method Not Allowed|406 Not Acceptable|421 Misdirected Request|"
    "426 Upgrade Required|429 Too Many Requests|431 Request Header Fields Too Large|"
    "500 Internal Server Error|"
    "503 Service Unavailable|505 HTTP Version Not Supported|"
)


def _reason(status):
    start = _REASONS.find(str(status))
    return _REASONS[start : _REASONS.find("|", start)]


def response_head(status: int, headers, length=None) -> bytes:
    """Return status line and header lines, with Content-Length if `length` is given."""
    lines = ["HTTP/1.1 " + _reason(status)]
    lines.extend(headers)
    if length is not None:
        lines.append("Content-Length: %d" % length)
    lines.append("\r\n")
    return "\r\n".join(lines).encode()


def error_response(error) -> bytes:
    """Return the whole response for an HTTPError."""
    body = "%s: %s%s\n" % (
        _reason(error.status)[4:],
        error.detail,
        " is missing or malformed" if error.status == 400 else "",
    )
    body = text_bytes(body)
    headers = error.headers + ("Content-Type: text/plain", "Connection: close")
    return response_head(error.status, headers, len(body)) + body
