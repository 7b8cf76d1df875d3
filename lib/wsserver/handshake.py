"""The opening handshake, RFC 6455 section 4.2, and as much of HTTP/1.1 as it takes.

Pure: bytes in, bytes out.
"""

import binascii
import gc
import hashlib

from .room import load

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3

# Characters beside letters and digits:
_TOKEN = b"!#$%&'*+-.^_`|~"  # RFC 9110, section 5.6.2
_HOST = b"!$%&'()*+-.;=_~"  # RFC 3986, section 3.2.2
_BASE64 = b"+/"

_SEC = "sec-websocket-"


class HTTPError(Exception):
    """A request is refused.

    `status` is HTTP's. `detail` says more to whoever reads the answer: for 400, it names what is
    missing or malformed. `headers` are lines to go with the answer.
    """

    def __init__(self, status: int, detail: str = "", *headers):
        self.status = status
        self.detail = detail
        self.headers = headers

    def response(self) -> bytes:
        """The whole response."""
        gc.collect()  # else there may be no room in one piece for what is loaded now
        return load("answers").refusal(self)


class Request:
    """A parsed request head.

    `method`; `path`; `query`, what is behind the "?", raw; `headers`, with names in lower case.
    """

    def __init__(self, method, target, headers):
        self.method = method
        self.path, _, self.query = target.partition("?")
        self.headers = headers

    def tokens(self, name: str) -> list:
        """The comma-separated elements of a header, stripped."""
        return [token.strip() for token in self.headers.get(name, "").split(",")]


def parse_request(head: bytes) -> Request:
    """Parse a request head, without the empty line that ends it (RFC 9112, sections 3 and 5).

    HTTPError: 400 or 505.
    """
    try:
        lines = str(head, "utf-8").split("\r\n")
    except UnicodeError:
        lines = [""]
    start = lines.pop(0).split(" ")
    if (
        len(start) != 3
        or not _is_all(start[0], _TOKEN)
        or start[1][:1] != "/"
        or start[2][:5] != "HTTP/"
    ):
        raise HTTPError(400, "request line")
    if start[2] != "HTTP/1.1":
        raise HTTPError(505, "use HTTP/1.1")
    headers = {}
    for line in lines:
        name, colon, value = line.partition(":")
        name = colon and name.lower()
        value = value.strip()
        if not _is_all(name, _TOKEN) or min(value.replace("\t", " ").encode() or b" ") < 32:
            raise HTTPError(400, "a header")
        # The same header on several lines is one list (RFC 9110, section 5.3); where there may be
        # only one, the comma makes it malformed, as it should be.
        headers[name] = headers[name] + ", " + value if name in headers else value
    if not _is_host(headers.get("host", "")):
        raise HTTPError(400, "Host")
    return Request(start[0], start[1], headers)


def _is_all(text, others):
    """Whether `text` is not empty and of nothing but ASCII letters, digits and `others`."""
    # Bytes, since MicroPython keeps every character that a loop over a str has met, for ever.
    for byte in text.encode():
        if not (97 <= byte | 32 <= 122 or 48 <= byte <= 57 or byte in others):
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
    """The value of Sec-WebSocket-Accept that answers a Sec-WebSocket-Key (section 4.2.2, 5.4)."""
    digest = hashlib.sha1(key.encode() + _GUID).digest()
    return str(binascii.b2a_base64(digest), "utf-8").strip()


def host_name(host: str) -> str:
    """What stands before the port in a Host header, or behind "//" in an Origin."""
    colon = host.rfind(":")
    return (host[:colon] if colon > host.rfind("]") else host).lower()


def check_host(request: Request, names, portal=None) -> None:
    """Check that a request is for one of `names`, in lower case, or for an address: so no page on
    the internet can have its own name point to this server, and be taken for a page of the
    server's (DNS rebinding).

    portal: a URL to which a plain GET for any other name is sent, as a captive portal does: what a
    phone asks for to find out whether there is internet has such a name. HTTPError: 302 or 421.
    """
    name = host_name(request.headers["host"])
    if name in names or name[:1] == "[" or name.replace(".", "").isdigit():
        return
    if portal and request.method == "GET" and "upgrade" not in request.headers:
        raise HTTPError(302, portal, "Location: " + portal)
    raise HTTPError(421, name)


def check_upgrade(request: Request, origins=(None, "self")) -> None:
    """Check that a request opens a WebSocket connection (section 4.2.1).

    `origins`: the acceptable values of Origin. Among them, None stands for no such header (only
    browsers send it), "self" for pages from the host that the request is sent to, on whatever
    port, "*" for all. HTTPError: 400, 403, 405 or 426.
    """
    if request.method != "GET":
        raise HTTPError(405, "use GET", "Allow: GET")
    headers = request.headers
    key = headers.get(_SEC + "key", "")
    upgrade = "Upgrade: websocket"
    if not key and "upgrade" not in headers:
        raise HTTPError(426, "use a WebSocket client", upgrade)
    for name, token in (("Upgrade", "websocket"), ("Connection", "upgrade")):
        if token not in [element.lower() for element in request.tokens(name.lower())]:
            raise HTTPError(400, name)
    if headers.get(_SEC + "version") != "13":
        raise HTTPError(426, "use version 13", upgrade, "Sec-WebSocket-Version: 13")
    # 16 bytes in base64: 22 characters and two that fill up.
    if len(key) != 24 or key[22:] != "==" or not _is_all(key[:22], _BASE64):
        raise HTTPError(400, _SEC + "key")
    origin = headers.get("origin")
    if origin not in origins and "*" not in origins:
        own = "self" in origins and origin
        if not own or host_name(own[own.find("//") + 2 :]) != host_name(headers["host"]):
            raise HTTPError(403, "Origin")


def choose_subprotocol(request: Request, supported):
    """The first subprotocol that the client offers and the endpoint supports, or None.

    Section 4.2.2, step 5.5.
    """
    for offer in request.tokens(_SEC + "protocol"):
        if offer in supported:
            return offer


def accept_response(request: Request, subprotocol=None) -> bytes:
    """The 101 response that accepts a checked request."""
    key = accept_key(request.headers[_SEC + "key"])
    head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    head += "Sec-WebSocket-Accept: %s\r\n" % key
    if subprotocol:
        head += "Sec-WebSocket-Protocol: %s\r\n" % subprotocol
    return (head + "\r\n").encode()
