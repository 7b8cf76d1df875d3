"""The opening handshake, RFC 6455 section 4.2, and as much of HTTP/1.1 as it takes. Pure: bytes
in, bytes out.
"""

import binascii
import hashlib

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3

# One string takes a fraction of the heap of a dict.
_REASONS = (
    "101 Switching Protocols|200 OK|400 Bad Request|403 Forbidden|404 Not Found|"
    "405 Method Not Allowed|426 Upgrade Required|431 Request Header Fields Too Large|"
    "503 Service Unavailable|505 HTTP Version Not Supported|"
)

_TOKEN = "!#$%&'*+-.^_`|~"  # beside letters and digits (RFC 9110, section 5.6.2)
_HOST = "!$%&'()*+-.;=_~"  # (RFC 3986, section 3.2.2)
_BASE64 = "+/"


class HTTPError(Exception):
    """A request is refused: `status`, a sentence for whoever reads the answer, and header lines to
    go with it.
    """

    def __init__(self, status: int, text: str, *headers):
        super().__init__(text)
        self.status = status
        self.text = text
        self.headers = headers

    def response(self) -> bytes:
        """The whole response."""
        body = self.text.encode() + b"\n"
        headers = self.headers + ("Content-Type: text/plain", "Connection: close")
        return response_head(self.status, headers, len(body)) + body


class Request:
    """A parsed request head: `method`, `path`, `query` (behind the "?", raw) and `headers` (names
    in lower case).
    """

    def __init__(self, method, path, query, headers):
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers

    def tokens(self, name: str) -> list:
        """The comma-separated elements of a header, stripped."""
        return [token.strip() for token in self.headers.get(name, "").split(",")]


def response_head(status: int, headers, length=None) -> bytes:
    """Status line and header lines, with Content-Length when a length is given."""
    start = _REASONS.find(str(status))
    lines = ["HTTP/1.1 " + _REASONS[start : _REASONS.find("|", start)]]
    lines.extend(headers)
    if length is not None:
        lines.append("Content-Length: %d" % length)
    lines.append("\r\n")
    return "\r\n".join(lines).encode()


def parse_request(head: bytes) -> Request:
    """Parse a request head, without the empty line that ends it (RFC 9112, sections 3 and 5).
    HTTPError: 400 or 505.
    """
    try:
        lines = str(head, "utf-8").split("\r\n")
    except UnicodeError:
        raise HTTPError(400, "The head is not UTF-8.") from None
    parts = lines.pop(0).split(" ")
    if (
        len(parts) != 3
        or not _is_all(parts[0], _TOKEN)
        or parts[1][:1] != "/"
        or parts[2][:5] != "HTTP/"
    ):
        raise HTTPError(400, "The request line is malformed.")
    if parts[2] != "HTTP/1.1":
        raise HTTPError(505, "This server speaks HTTP/1.1.")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        name = name.lower()
        value = value.strip()
        if not _is_all(name, _TOKEN) or min(value.replace("\t", " ") or " ") < " ":
            raise HTTPError(400, "A header line is malformed.")
        # The same header on several lines is one list (RFC 9110, section 5.3); where there may be
        # only one, the comma makes it malformed, as it should be.
        headers[name] = headers[name] + ", " + value if name in headers else value
    if not _is_host(headers.get("host", "")):
        raise HTTPError(400, "Host is missing or malformed.")
    path, _, query = parts[1].partition("?")
    return Request(parts[0], path, query, headers)


def _is_all(text, others):
    """Whether `text` is not empty and of nothing but ASCII letters, digits and `others`."""
    for char in text:
        if not ("a" <= char.lower() <= "z" or "0" <= char <= "9" or char in others):
            return False
    return bool(text)


def _is_host(text):
    name, _, port = text.partition(":")
    if text[:1] == "[":  # IPv6, as in "[fe80::1]:80"
        name, bracket, port = text[1:].partition("]")
        name = bracket and name.replace(":", "")
        port = port[1:] if port[:1] == ":" else port
    return _is_all(name, _HOST) and (not port or port.isdigit())


def accept_key(key: str) -> str:
    """The value of Sec-WebSocket-Accept that answers a Sec-WebSocket-Key (section 4.2.2, step
    5.4).
    """
    digest = hashlib.sha1(key.encode() + _GUID).digest()
    return str(binascii.b2a_base64(digest), "utf-8").strip()


def check_upgrade(request: Request, origins=None) -> None:
    """Check that a request opens a WebSocket connection (section 4.2.1). HTTPError: 400, 403, 405
    or 426.

    `origins`: None, or the acceptable values of Origin; None among them accepts its absence.
    """
    if request.method != "GET":
        raise HTTPError(405, "WebSocket connections are opened with GET.", "Allow: GET")
    headers = request.headers
    key = headers.get("sec-websocket-key", "")
    if not key and "upgrade" not in headers:
        raise HTTPError(426, "This is a WebSocket endpoint.", "Upgrade: websocket")
    for name, token in (("upgrade", "websocket"), ("connection", "upgrade")):
        if token not in [element.lower() for element in request.tokens(name)]:
            raise HTTPError(400, "'%s: %s' is missing." % (name, token))
    if headers.get("sec-websocket-version") != "13":
        raise HTTPError(
            426,
            "This server speaks version 13.",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
        )
    # 16 bytes in base64: 22 characters and two that fill up.
    if len(key) != 24 or key[22:] != "==" or not _is_all(key[:22], _BASE64):
        raise HTTPError(400, "Sec-WebSocket-Key is missing or malformed.")
    if origins is not None and headers.get("origin") not in origins:
        raise HTTPError(403, "Pages of this origin may not connect.")


def choose_subprotocol(request: Request, supported):
    """The first subprotocol that the client offers and the endpoint supports, or None (section
    4.2.2, step 5.5).
    """
    for offer in request.tokens("sec-websocket-protocol"):
        if offer in supported:
            return offer
    return None


def accept_response(request: Request, subprotocol=None) -> bytes:
    """The 101 response that accepts a checked request."""
    key = accept_key(request.headers["sec-websocket-key"])
    headers = ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Accept: " + key]
    if subprotocol:
        headers.append("Sec-WebSocket-Protocol: " + subprotocol)
    return response_head(101, headers)
