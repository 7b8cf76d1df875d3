"""Requests that few clients send: other versions, headers, targets, hosts, and no HTTP at all.

A function that has the name of one in `request` does the rest of its work, or returns the error of
what it has refused.
"""

from wsserver.core.frames import const

from .request import TOKEN, HTTPError, consists_of, is_host, malformed

_TLS_HANDSHAKE = const(b"\x16")  # the first byte of a TLS connection (RFC 8446, section 5.1)
# More lines take more memory than a head of max_head bytes is expected to.
_MAX_HEADERS = const(64)
_ALLOW = const("Allow: GET, HEAD, OPTIONS")
_HOST = const(b"!$%&'()*+-.;=_~")  # RFC 3986, section 3.2.2: see http.request
_BARE_LF = const("lines must end with CRLF, not with LF")
_SCHEMES = ("http", "https", "ws", "wss")


def find_head(head: bytes, limit: int) -> HTTPError:
    """Return the error for bytes that cannot become a request head."""
    if head[:1] == _TLS_HANDSHAKE:
        return HTTPError(400, "TLS on a port without TLS: use http:// or ws:// here")
    if _has_bare_lf(head):
        return HTTPError(400, _BARE_LF)
    if not consists_of(head[:1], TOKEN):
        return malformed("request line")
    return HTTPError(431, "the head is over %d bytes (server.max_head)" % limit)


def _has_bare_lf(data):
    return data.count(b"\n") != data.count(b"\r\n")


def is_1_0(version: bytes) -> bool:
    """Return whether a version other than HTTP/1.1 is HTTP/1.0. Higher minor ones count as 1.1.

    Raises HTTPError 400 or 505.
    """
    major, minor = version[5:6], version[7:]
    if version[:5] != b"HTTP/" or version[6:7] != b"." or len(minor) != 1:
        raise malformed("request line")
    if not (major + minor).isdigit():
        raise malformed("request line")
    if major != b"1":
        raise HTTPError(505, "use HTTP/1.1")
    return minor == b"0"


def parse_headers(data: bytes) -> dict:
    """Parse header lines that are not common ones: see portable.parse_headers.

    Raises HTTPError 400.
    """
    if data.count(b"\r\n") >= _MAX_HEADERS:
        raise HTTPError(431, "over %d headers" % _MAX_HEADERS)
    if _has_bare_lf(data):
        raise HTTPError(400, _BARE_LF)
    headers: dict = {}
    for line in data.split(b"\r\n"):
        name, colon, value = line.partition(b":")
        value = value.strip(b" \t")
        if (
            not colon
            or not consists_of(name, TOKEN)
            or value
            and min(value.replace(b"\t", b" ")) < 32
        ):
            raise malformed("a header")
        key = str(name.lower(), "utf-8")
        try:
            text = str(value, "utf-8")
        except UnicodeError:  # RFC 9110, section 5.5: such bytes are opaque data
            text = latin_1(value)
        # Several lines with the same name are one list (RFC 9110, section 5.3). Where only one
        # value is allowed, the comma makes it malformed, as it should be.
        headers[key] = headers[key] + ", " + text if key in headers else text
    return headers


def latin_1(data: bytes) -> str:
    """Decode ISO-8859-1. MicroPython knows UTF-8 only."""
    out = bytearray()
    for byte in data:
        out += bytes((byte,)) if byte < 128 else bytes((0xC0 | byte >> 6, 0x80 | byte & 0x3F))
    return str(out, "utf-8")


def target_of(method: bytes, target: bytes, headers: dict) -> bytes:
    """Return the path and query of a target that does not start with "/".

    RFC 9112, section 3.2.2: "a server MUST accept the absolute-form in requests". Its host
    replaces the one in `headers`. Raises HTTPError 400.
    """
    if target == b"*" and method == b"OPTIONS":
        return target
    scheme, mark, rest = target.partition(b"://")
    if not mark or min(target) < 33 or b"\x7f" in target or not consists_of(scheme, b""):
        raise malformed("request line")
    end = min(rest.find(char) % (len(rest) + 1) for char in (b"/", b"?"))
    host = latin_1(rest[:end])
    if str(scheme, "utf-8").lower() not in _SCHEMES or not is_host(host):
        raise malformed("request line")
    headers["host"] = host
    rest = rest[end:]
    return rest if rest[:1] == b"/" else b"/" + rest


def is_ipv6(host: str) -> bool:
    """Return whether a Host header is an IPv6 address, as in "[fe80::1]:80"."""
    name, bracket, port = host[1:].partition("]")
    if not bracket or port and (port[0] != ":" or port[1:] and not port[1:].isdigit()):
        return False
    return consists_of(name.replace(":", "").encode(), _HOST)


def check_origin(origin) -> HTTPError:
    """Return the error for an Origin that is not accepted."""
    return HTTPError(403, "Origin %s is not allowed (access.origins)" % (origin or "(none)"))


def check_upgrade(request, valid: bool) -> None:
    """Raise HTTPError for a request that is no valid handshake. valid: except for its body."""
    upgrade = "Upgrade: websocket"
    headers = request.headers
    if valid:
        # A proxy would take the first frames for the body, and the server the body for frames.
        if "transfer-encoding" in headers or headers.get("content-length") != "0":
            raise HTTPError(400, "a WebSocket handshake must not have a body")
        return
    if request.method not in ("GET", "HEAD"):
        raise HTTPError(405, "use GET", _ALLOW)
    if request.is_1_0:
        raise HTTPError(426, "WebSocket needs HTTP/1.1", upgrade)
    if request.method == "HEAD" or not request.wants_websocket():
        raise HTTPError(426, "use a WebSocket client", upgrade)
    for name, token in (("Upgrade", "websocket"), ("Connection", "upgrade")):
        if token not in [element.lower() for element in request.tokens(name.lower())]:
            raise malformed(name)
    if headers.get("sec-websocket-version") != "13":
        # RFC 6455, section 4.4: the server answers with the versions that it supports.
        raise HTTPError(426, "use version 13", upgrade, "Sec-WebSocket-Version: 13")
    raise malformed("sec-websocket-key")


def check_host(request, name: str, names, portal, trusted: bool) -> None:
    """Check a host that is neither an address nor in `names`.

    name: "" without Host. Raises HTTPError 302, 400 or 421.
    """
    if trusted and not name or "*" in names:
        return
    for pattern in names:
        if pattern[:2] == "*." and name.endswith(pattern[1:]) and name[0] != ".":
            return
    if portal and request.method in ("GET", "HEAD") and not request.wants_websocket():
        raise HTTPError(302, portal, "Location: " + portal)
    if not name:
        raise malformed("Host")
    raise HTTPError(421, "%s is not a name of this server (access.hosts)" % name)
