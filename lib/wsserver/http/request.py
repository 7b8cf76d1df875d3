"""HTTP request heads (RFC 9112, sections 3 and 5), and the names in them."""

from ..core.frames import const

# More lines take more memory than a head of max_head bytes is expected to.
_MAX_HEADERS = const(64)
_TLS_HANDSHAKE = const(22)  # the first byte of a TLS connection (RFC 8446, section 5.1)
_MAX_EMPTY_LINES = const(8)
_END = b"\r\n\r\n"
AROUND_HEAD = const(20)  # bytes of the empty lines before a head, and of the one behind it
ALLOW = "Allow: GET, HEAD, OPTIONS"

# Characters beside letters and digits:
_TOKEN = b"!#$%&'*+-.^_`|~"  # RFC 9110, section 5.6.2
_HOST = b"!$%&'()*+-.;=_~"  # RFC 3986, section 3.2.2


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

    method; path; query: what follows "?", not decoded; headers: by name in lower case. is_1_0:
    whether it is HTTP/1.0.
    """

    def __init__(self, method: str, target: str, headers: dict, is_1_0: bool = False):
        self.method = method
        self.path, _, self.query = target.partition("?")
        self.headers = headers
        self.is_1_0 = is_1_0

    def wants_websocket(self) -> bool:
        """Return whether this seems to be a handshake, however incomplete."""
        return "upgrade" in self.headers or "sec-websocket-key" in self.headers

    def tokens(self, name: str) -> list:
        """Return the comma-separated elements of a header, stripped."""
        return [token.strip() for token in self.headers.get(name, "").split(",")]


def malformed(what: str) -> HTTPError:
    """Return the error for a part of a request that is missing or malformed."""
    return HTTPError(400, what + " is missing or malformed")


def find_head(data: bytes, limit: int) -> tuple:
    """Find the request head in the received bytes: return its start, its end, and the end of the
    empty line behind it. Its end is -1 if it is incomplete.

    Raises HTTPError as soon as the bytes cannot become a request: 400, or 431 if the head is
    longer than `limit`.
    """
    start = 0
    # RFC 9112, section 2.2: "a server [...] SHOULD ignore at least one empty line (CRLF) received
    # prior to the request-line".
    while data[start : start + 2] == b"\r\n" and start < 2 * _MAX_EMPTY_LINES:
        start += 2
    end = data.find(_END, start)
    head = data[start:end] if end >= 0 else data[start:]
    first = head[:1]
    if first == bytes((_TLS_HANDSHAKE,)):
        raise HTTPError(400, "TLS on a port without TLS: use http:// or ws:// here")
    if head.count(b"\n") != head.count(b"\r\n"):
        raise HTTPError(400, "lines must end with CRLF, not with LF")
    if head != b"\r" and first and not consists_of(first, _TOKEN):
        raise malformed("request line")
    if len(head) > limit + (len(_END) - 1 if end < 0 else 0):
        raise HTTPError(431, "the head is over %d bytes (server.max_head)" % limit)
    return start, end, end + len(_END)


def parse_request(head: bytes) -> Request:
    """Parse a request head, without the empty line that ends it.

    Raises HTTPError 400, 431 or 505.
    """
    if head.count(b"\r\n") > _MAX_HEADERS:
        raise HTTPError(431, "over %d headers" % _MAX_HEADERS)
    lines = head.split(b"\r\n")
    start = lines.pop(0).split(b" ")
    if len(start) != 3 or not consists_of(start[0], _TOKEN):
        raise malformed("request line")
    method, target, version = start
    major, minor = version[5:6], version[7:]
    if version[:5] != b"HTTP/" or version[6:7] != b"." or len(minor) != 1 or not (
        major.isdigit() and minor.isdigit()
    ):
        raise malformed("request line")
    if major != b"1":
        raise HTTPError(505, "use HTTP/1.1")
    headers = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not consists_of(name, _TOKEN):
            raise malformed("a header")
        if min(value.replace(b"\t", b" ") or b" ") < 32:
            raise malformed("a header")
        name = str(name, "utf-8").lower()
        value = _field_value(value.strip())
        # Several lines with the same name are one list (RFC 9110, section 5.3). Where only one
        # value is allowed, the comma makes it malformed, as it should be.
        headers[name] = headers[name] + ", " + value if name in headers else value
    # RFC 9112, section 3.2: "A server MUST respond with a 400 status code to any HTTP/1.1 request
    # message that lacks a Host header field and to any request message that contains more than
    # one".
    if (minor != b"0" or "host" in headers) and not _is_host(headers.get("host", "")):
        raise malformed("Host")
    return Request(
        str(method, "utf-8"), _path_of(method, target, headers), headers, minor == b"0"
    )


def _field_value(data):
    """Return a header's value as a str. RFC 9110, section 5.5: other bytes are opaque data."""
    try:
        return str(data, "utf-8")
    except UnicodeError:  # ISO-8859-1, by hand because MicroPython knows UTF-8 only
        out = bytearray()
        for byte in data:
            out += bytes((byte,)) if byte < 128 else bytes((0xC0 | byte >> 6, 0x80 | byte & 0x3F))
        return str(out, "utf-8")


def _path_of(method, target, headers):
    """Return the path and query of a request target (RFC 9112, section 3.2)."""
    if not target or min(target) < 33 or b"\x7f" in target:
        raise malformed("request line")
    try:
        target = str(target, "utf-8")
    except UnicodeError:
        raise malformed("request line") from None
    if target[0] == "/" or target == "*" and method == b"OPTIONS":
        return target
    scheme, mark, rest = target.partition("://")
    if not mark or scheme.lower() not in ("http", "https", "ws", "wss"):
        raise malformed("request line")
    slash = min(rest.find(end) % (len(rest) + 1) for end in "/?")
    host = rest[:slash]
    if not _is_host(host):
        raise malformed("request line")
    # Section 3.2.2: "the origin server MUST ignore the received Host header field (if any) and
    # instead replace it with the host information of the request-target".
    headers["host"] = host
    rest = rest[slash:]
    return rest if rest[:1] == "/" else "/" + rest


def consists_of(data: bytes, others: bytes) -> bool:
    """Return whether `data` has only ASCII letters, digits and `others`, and is not empty."""
    for byte in data:
        if not (97 <= byte | 32 <= 122 or 48 <= byte <= 57 or byte in others):
            return False
    return bool(data)


def _is_host(text):
    name, _, port = text.partition(":")
    if text[:1] == "[":  # IPv6, as in "[fe80::1]:80"
        name, bracket, port = text[1:].partition("]")
        name = bracket and name.replace(":", "")
        port = port[1:] if port[:1] == ":" else port
    return consists_of(name.encode(), _HOST) and (not port or port.isdigit())


def host_name(host: str) -> str:
    """Return the name in a Host header, or in what follows "//" in an Origin.

    It is without the port, and without the dot that may end a complete domain name.
    """
    colon = host.rfind(":")
    name = (host[:colon] if colon > host.rfind("]") else host).lower()
    return name[:-1] if name[-1:] == "." else name


def _is_one_of(name, names):
    if name in names or "*" in names:
        return True
    for pattern in names:
        if pattern[:2] == "*." and name.endswith(pattern[1:]) and name[0] != ".":
            return True
    return False


def check_host(request: Request, names, portal=None, trusted: bool = False) -> None:
    """Check that a request is for one of `names` (lower case), or for an IP address.

    "*.lan" among them stands for all names below "lan", and "*" for all names. This prevents DNS
    rebinding, in which a page on the internet lets its own name point to this server. portal: the
    URL to which a plain request for another name is redirected, as a captive portal does. trusted:
    whether a request without Host is accepted (only HTTP/1.0 has such). Raises HTTPError 302, 400
    or 421.
    """
    host = request.headers.get("host")
    if host is None:
        if trusted:
            return
    else:
        host = host_name(host)
        if host[:1] == "[" or host.replace(".", "").isdigit() or _is_one_of(host, names):
            return
    if portal and request.method in ("GET", "HEAD") and not request.wants_websocket():
        raise HTTPError(302, portal, "Location: " + portal)
    if host is None:
        raise malformed("Host")
    raise HTTPError(421, "%s is not a name of this server (access.hosts)" % host)


def unquote(text: str) -> str:
    """Decode %XX in a part of a URL (RFC 3986, section 2.1).

    Raises HTTPError 400.
    """
    parts = text.encode().split(b"%")
    try:
        data = parts[0]
        for part in parts[1:]:
            data += bytes((int(part[:2], 16),)) + part[2:]
        return str(data, "utf-8")
    except (ValueError, UnicodeError):
        raise malformed("percent-encoding") from None
