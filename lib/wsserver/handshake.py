"""The opening handshake, RFC 6455 section 4.2, and as much of HTTP/1.1 as it takes. Pure: bytes in, bytes out."""

import binascii
import hashlib

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3

_REASONS = {
    101: "Switching Protocols",
    200: "OK",
    301: "Moved Permanently",
    304: "Not Modified",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    426: "Upgrade Required",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
    505: "HTTP Version Not Supported",
}


class HTTPError(Exception):
    """A request is refused: `status`, a sentence for whoever reads the answer, and header lines to go with it."""

    def __init__(self, status: int, text: str, *headers):
        super().__init__(text)
        self.status = status
        self.text = text
        self.headers = headers

    def response(self) -> bytes:
        """The whole response."""
        body = self.text.encode() + b"\n"
        head = ("Content-Type: text/plain; charset=utf-8", "Connection: close") + self.headers
        return response_head(self.status, head, len(body)) + body


class Request:
    """A parsed request head: `method`, `path`, `query` (behind the "?", raw) and `headers` (names in lower case)."""

    def __init__(self, method, path, query, headers):
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers

    def tokens(self, name: str) -> list:
        """The comma-separated elements of a header, stripped."""
        return [token.strip() for token in self.headers.get(name, "").split(",") if token.strip()]

    def has_token(self, name: str, token: str) -> bool:
        """Whether a header has `token` (lower case) among its elements, in any case."""
        return token in [element.lower() for element in self.tokens(name)]


def response_head(status: int, headers, length=None) -> bytes:
    """Status line and header lines, with Content-Length when a length is given."""
    lines = ["HTTP/1.1 %d %s" % (status, _REASONS[status])]
    lines.extend(headers)
    if length is not None:
        lines.append("Content-Length: %d" % length)
    lines.append("\r\n")
    return "\r\n".join(lines).encode()


def parse_request(head: bytes) -> Request:
    """Parse a request head, without the empty line that ends it (RFC 9112, sections 3 and 5). HTTPError: 400 or 505."""
    try:
        lines = str(head, "utf-8").split("\r\n")
    except UnicodeError:
        raise HTTPError(400, "The request head is not UTF-8.") from None
    parts = lines[0].split(" ")
    if len(parts) != 3 or not parts[0] or not parts[1].startswith("/"):
        raise HTTPError(400, "The request line is not 'METHOD /path HTTP/1.1'.")
    if parts[2] != "HTTP/1.1":
        raise HTTPError(505 if parts[2].startswith("HTTP/") else 400, "This server speaks HTTP/1.1.")
    path, _, query = parts[1].partition("?")
    request = Request(parts[0], path, query, _parse_headers(lines))
    if not _is_host(request.headers.get("host", "")):
        raise HTTPError(400, "The Host header is missing or malformed.")
    return request


def _parse_headers(lines):
    headers = {}
    for index in range(1, len(lines)):
        name, colon, value = lines[index].partition(":")
        if not colon or not _is_token(name) or not _is_printable(value):
            raise HTTPError(400, "Header line %d is malformed." % index)
        name = name.lower()
        value = value.strip()
        # The same header on several lines is one list (RFC 9110, section 5.3); for those that may come once
        # only, the comma makes the value malformed, as it should be.
        headers[name] = headers[name] + ", " + value if name in headers else value
    return headers


def _is_printable(text):
    return all(char >= " " and char != "\x7f" or char == "\t" for char in text)


def _is_token(text):
    return bool(text) and all("!" <= char <= "~" and char not in '"(),/:;<=>?@[\\]{}' for char in text)


def _is_host(text):
    name, _, port = text.partition("]") if text.startswith("[") else text.partition(":")
    if text.startswith("["):  # IPv6: "[::1]:80"
        name, port = name[1:].replace(":", ""), port[1:] if port.startswith(":") else port
    return (
        bool(name)
        and all("!" <= char <= "~" and char not in '"#,/:<>?@[\\]^`{|}' for char in name)
        and (port == "" or port.isdigit())
    )


def accept_key(key: str) -> str:
    """The value of Sec-WebSocket-Accept that answers a Sec-WebSocket-Key (section 4.2.2, step 5.4)."""
    digest = hashlib.sha1(key.encode() + _GUID).digest()
    return str(binascii.b2a_base64(digest), "utf-8").strip()


def _is_key(key):
    if len(key) != 24 or not key.endswith("=="):
        return False
    return all(char.isalpha() and char < "\x7f" or char.isdigit() or char in "+/" for char in key[:22])


def check_upgrade(request: Request, origins=None) -> None:
    """Check that a request opens a WebSocket connection (section 4.2.1). HTTPError: 400, 403, 405 or 426.

    `origins`: None, or the acceptable values of Origin; None among them accepts its absence.
    """
    headers = request.headers
    if request.method != "GET":
        raise HTTPError(405, "A WebSocket connection is opened with GET.", "Allow: GET")
    if "upgrade" not in headers and "sec-websocket-key" not in headers:
        text = "This is a WebSocket endpoint: open it with a WebSocket client."
        raise HTTPError(426, text, "Upgrade: websocket")
    if not request.has_token("upgrade", "websocket"):
        raise HTTPError(400, "The Upgrade header is missing or does not say 'websocket'.")
    if not request.has_token("connection", "upgrade"):
        raise HTTPError(400, "The Connection header is missing or does not say 'Upgrade'.")
    if headers.get("sec-websocket-version") != "13":
        text = "This server speaks version 13 of the WebSocket protocol."
        raise HTTPError(426, text, "Upgrade: websocket", "Sec-WebSocket-Version: 13")
    if not _is_key(headers.get("sec-websocket-key", "")):
        raise HTTPError(400, "The Sec-WebSocket-Key header is missing or not 16 bytes in base64.")
    if origins is not None and headers.get("origin") not in origins:
        raise HTTPError(403, "Pages of this origin may not connect here.")


def choose_subprotocol(request: Request, supported):
    """The first subprotocol that the client offers and the endpoint supports, or None (section 4.2.2, step 5.5)."""
    for offer in request.tokens("sec-websocket-protocol"):
        if offer in supported:
            return offer
    return None


def accept_response(request: Request, subprotocol=None) -> bytes:
    """The 101 response that accepts a checked request."""
    key = request.headers["sec-websocket-key"]
    headers = ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Accept: " + accept_key(key)]
    if subprotocol:
        headers.append("Sec-WebSocket-Protocol: " + subprotocol)
    return response_head(101, headers)
