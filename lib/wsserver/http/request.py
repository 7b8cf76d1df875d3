"""HTTP request heads (RFC 9112, sections 3 and 5), and the WebSocket opening handshake (RFC 6455,
section 4.2).
"""

import binascii
import hashlib

from wsserver.core.frames import const, make, parse_headers

from ..lazy import call, load

_UNUSUAL = const(".http.unusual")  # 1.5 KB on a 32-bit board
_END = const(b"\r\n\r\n")
_AROUND_HEAD = const(20)  # bytes of the empty lines before a head, and of the one behind it
_MAX_TOKENS = const(32)  # elements of a header that are separated, without the last
_SPACE = const(32)
_SLASH = const(47)
_DELETE = const(127)

# Characters beside letters and digits:
TOKEN = b"!#$%&'*+-.^_`|~"  # RFC 9110, section 5.6.2
_HOST = const(b"!$%&'()*+-.;=_~")  # RFC 3986, section 3.2.2

# The handshake:
_GUID = const(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11")  # RFC 6455, section 1.3
_BASE64 = const(b"+/")
_SEC = const("sec-websocket-")
_SWITCHING = const(
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: "
)


class HTTPError(Exception):
    """A request is refused with an HTTP status.

    detail: the reason in a few words, for the body and the log, with the setting that controls it
    in parentheses. headers: header lines of the response.
    """

    def __init__(self, status: int, detail: str = "", *headers):
        self.status = status
        self.detail = detail
        self.headers = headers


class Request:
    """A parsed request head.

    method, path. query: the text after "?", not decoded. headers: a dict with names in lower case.
    is_1_0: whether it is HTTP/1.0. address: (ip, port) of the client. secure: whether it uses TLS.
    params: the parameters of the path, a dict. context: free for the application. `fields` has the
    other attributes.
    """

    address: "Anything" = ("", 0)
    secure = False
    params: "Anything" = None
    context: "Anything" = None

    def __init__(self, method: str, target: str, headers: dict, is_1_0: bool = False):
        self.method = method
        self.path = target
        self.query = ""
        if "?" in target:
            self.path, _, self.query = target.partition("?")
        self.headers = headers
        self.is_1_0 = is_1_0

    def __getattr__(self, name):
        return load(".http.fields").get(self, name)

    def wants_websocket(self) -> bool:
        """Return whether this seems to be a handshake, however incomplete."""
        return "upgrade" in self.headers or "sec-websocket-key" in self.headers

    def tokens(self, name: str) -> list:
        """Return the comma-separated elements of a header, stripped.

        If there are many, the last holds all further ones: each takes more memory than its text.
        """
        return [token.strip() for token in self.headers.get(name, "").split(",", _MAX_TOKENS)]


def malformed(name: str) -> HTTPError:
    """Return the error for a part of a request that is missing or malformed."""
    return HTTPError(400, name + " is missing or malformed")


def find_head(data: bytes, limit: int) -> tuple:
    """Find the request head in the received bytes: return its start, its end, and the end of the
    empty line behind it. The end of the head is -1 if it is incomplete.

    Raises HTTPError as soon as the bytes cannot become a request: 400, or 431 if the head is
    longer than `limit`.
    """
    start = 0
    # RFC 9112, section 2.2: "a server [...] SHOULD ignore at least one empty line (CRLF) received
    # prior to the request-line".
    while data[start : start + 2] == b"\r\n" and start < _AROUND_HEAD - len(_END):
        start += 2
    end = data.find(_END, start)
    # The lines of a complete head are checked when it is parsed.
    first = data[start : start + 1]
    if (
        end > start + limit
        or end < 0
        and (
            len(data) >= start + limit + len(_END)
            or data.count(b"\n", start) != data.count(b"\r\n", start)
        )
        or not (first.isalpha() or not first or consists_of(first, TOKEN))
        and data[start:] != b"\r"
    ):
        head = data[start:end] if end >= 0 else data[start:]
        raise call(_UNUSUAL, "find_head", head, limit)
    return start, end, end + len(_END)


def parse_request(head: bytes) -> Request:
    """Parse a request head, without the empty line that ends it.

    Raises HTTPError 400, 431 or 505.
    """
    end = head.find(b"\r\n")
    if end < 0:
        end = len(head)
    start = head[:end].split(b" ", 3)
    if len(start) != 3 or not (start[0].isalpha() or consists_of(start[0], TOKEN)):
        raise malformed("request line")
    method, target, version = start
    is_1_0 = version != b"HTTP/1.1" and call(_UNUSUAL, "is_1_0", version)
    headers = {}
    if not parse_headers(head, end + 2, len(head), headers):
        headers = call(_UNUSUAL, "parse_headers", head[end + 2 :])
    # RFC 9112, section 3.2: "A server MUST respond with a 400 status code to any HTTP/1.1 request
    # message that lacks a Host header field and to any request message that contains more than
    # one".
    host = headers.get("host", "")
    if not (host.isalpha() or is_1_0 and "host" not in headers or is_host(host)):
        raise malformed("Host")
    if not target or target[0] != _SLASH or min(target) <= _SPACE or _DELETE in target:
        target = call(_UNUSUAL, "target_of", method, target, headers)
    path = make(1, target, 0, len(target), 0)
    if path is None:
        try:
            path = str(target, "utf-8")
        except UnicodeError:
            raise malformed("request line") from None
    method = "GET" if method == b"GET" else str(method, "utf-8")
    return Request(method, path, headers, is_1_0)


def consists_of(data: bytes, others: bytes) -> bool:
    """Return whether `data` has only ASCII letters, digits and `others`, and is not empty."""
    if data.isalpha():  # most often
        return True
    for byte in data:
        if not (97 <= byte | 32 <= 122 or 48 <= byte <= 57 or byte in others):
            return False
    return bool(data)


def is_host(text):
    name, _, port = text.partition(":")
    if consists_of(name.encode(), _HOST):
        return not port or port.isdigit()
    return text[:1] == "[" and call(_UNUSUAL, "is_ipv6", text)


def host_name(host: str) -> str:
    """Return the name in a Host header, or in what follows "//" in an Origin.

    It is without the port, and without the dot that may end a complete domain name.
    """
    colon = host.rfind(":")
    name = (host[:colon] if colon > host.rfind("]") else host).lower()
    return name[:-1] if name[-1:] == "." else name


def check_host(request: Request, hosts, portal=None, trusted: bool = False) -> None:
    """Check that a request is for one of `hosts` (lower case), or for an IP address.

    "*.lan" among them stands for all names below "lan", and "*" for all names. This prevents DNS
    rebinding, in which a page on the internet lets its own name point to this server. portal: the
    URL to which a plain request for another name is redirected, as a captive portal does. trusted:
    whether a request without Host is accepted (only HTTP/1.0 has such). Raises HTTPError 302, 400
    or 421.
    """
    name = host_name(request.headers.get("host", ""))
    if name[:1] == "[" or name.replace(".", "").isdigit() or name in hosts:
        return
    call(_UNUSUAL, "check_host", request, name, hosts, portal, trusted)


def unquote(text: str) -> str:
    """Decode %XX in a part of a URL (RFC 3986, section 2.1).

    Raises HTTPError 400.
    """
    return call(".http.percent", "unquote", text) if "%" in text else text


# --- the handshake


def check_upgrade(request: Request) -> None:
    """Check that a request opens a WebSocket connection (section 4.2.1).

    Raises HTTPError 400, 405 or 426.
    """
    headers = request.headers
    valid = request.method == "GET" and not request.is_1_0
    for name, token in (("upgrade", "websocket"), ("connection", "Upgrade")):
        if headers.get(name) != token:  # most clients send these
            tokens = [element.lower() for element in request.tokens(name)]
            valid = valid and token.lower() in tokens
    # 16 bytes in base64: 22 characters and two of padding.
    key = headers.get("sec-websocket-key", "").encode()
    valid = valid and len(key) == 24 and key[22:] == b"=="
    valid = valid and headers.get(_SEC + "version") == "13" and consists_of(key[:22], _BASE64)
    if not valid or "content-length" in headers or "transfer-encoding" in headers:
        call(_UNUSUAL, "check_upgrade", request, valid)


def check_origin(request: Request, origins=None, others=()) -> None:
    """Check the Origin header: a page that sends it must be allowed to connect.

    origins: the accepted values of Origin. None stands for no such header (only browsers send
    it), "self" for pages of the requested host, on any port, and "*" for all. By default these are
    None, "self" and `others`. Raises HTTPError 403.
    """
    if origins is None:
        origins = (None, "self")
    else:
        others = ()
    origin = request.headers.get("origin")
    if origin in origins or origin in others or "*" in origins or "*" in others:
        return
    own = "self" in origins and origin
    host = host_name(request.headers.get("host", ""))
    if not own or host_name(own[own.find("//") + 2 :]) != host:
        raise call(_UNUSUAL, "check_origin", origin)


def choose_subprotocol(request: Request, subprotocols):
    """Return the first offered subprotocol that is supported, or None (4.2.2, step 5.5)."""
    if subprotocols:
        for offer in request.tokens(_SEC + "protocol"):
            if offer in subprotocols:
                return offer


def accept_response(request: Request, subprotocol=None) -> bytearray:
    """Return the 101 response to a checked request (section 4.2.2, step 5)."""
    # Section 4.2.2, step 5.4
    digest = hashlib.sha1(request.headers["sec-websocket-key"].encode() + _GUID).digest()
    # Not as a text: for each text that it makes, MicroPython searches its table of names.
    head = bytearray(_SWITCHING)
    head += binascii.b2a_base64(digest)[:-1]
    if subprotocol:
        head += b"\r\nSec-WebSocket-Protocol: "
        head += subprotocol.encode()
    head += b"\r\n\r\n"
    return head
