"""HTTP request heads (RFC 9112, sections 3 and 5), and the names in them."""

from ..core.frames import const
from ..lazy import call, load

_UNUSUAL = const("wsserver.http.unusual")  # 1.5 KB on a 32-bit board
# More lines take more memory than a head of max_head bytes is expected to.
_MAX_HEADERS = const(64)
_END = const(b"\r\n\r\n")
_AROUND_HEAD = const(20)  # bytes of the empty lines before a head, and of the one behind it
ALLOW = "Allow: GET, HEAD, OPTIONS"

# Characters beside letters and digits:
TOKEN = b"!#$%&'*+-.^_`|~"  # RFC 9110, section 5.6.2
_HOST = const(b"!$%&'()*+-.;=_~")  # RFC 3986, section 3.2.2


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
    whether it is HTTP/1.0. address: (ip, port) of the client. secure: whether it uses TLS. params:
    of the path, by name. context: for the application. `fields` has the other attributes.
    """

    address: "Anything" = ("", 0)
    secure = False
    params: "Anything" = None
    context: "Anything" = None

    def __init__(self, method: str, target: str, headers: dict, is_1_0: bool = False):
        self.method = method
        self.path, _, self.query = target.partition("?")
        self.headers = headers
        self.is_1_0 = is_1_0

    def __getattr__(self, name):
        return load("wsserver.http.fields").get(self, name)

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
    head = data[start:end] if end >= 0 else data[start:]
    too_long = len(head) > (limit + len(_END) - 1 if end < 0 else limit)
    wrong_start = head and head != b"\r" and not consists_of(head[:1], TOKEN)
    if too_long or wrong_start or head.count(b"\n") != head.count(b"\r\n"):
        raise call(_UNUSUAL, "head_error", head, limit)
    return start, end, end + len(_END)


def parse_request(head: bytes) -> Request:
    """Parse a request head, without the empty line that ends it.

    Raises HTTPError 400, 431 or 505.
    """
    if head.count(b"\r\n") > _MAX_HEADERS:
        raise HTTPError(431, "over %d headers" % _MAX_HEADERS)
    lines = head.split(b"\r\n")
    start = lines.pop(0).split(b" ")
    if len(start) != 3 or not consists_of(start[0], TOKEN):
        raise malformed("request line")
    method, target, version = start
    is_1_0 = version != b"HTTP/1.1" and call(_UNUSUAL, "is_1_0", version)
    headers = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        value = value.strip(b" \t")
        if (
            not colon
            or not consists_of(name, TOKEN)
            or min(value.replace(b"\t", b" ") or b" ") < 32
        ):
            raise malformed("a header")
        name = str(name, "utf-8").lower()
        try:
            value = str(value, "utf-8")
        except UnicodeError:  # RFC 9110, section 5.5: such bytes are opaque data
            value = call(_UNUSUAL, "latin_1", value)
        # Several lines with the same name are one list (RFC 9110, section 5.3). Where only one
        # value is allowed, the comma makes it malformed, as it should be.
        headers[name] = headers[name] + ", " + value if name in headers else value
    # RFC 9112, section 3.2: "A server MUST respond with a 400 status code to any HTTP/1.1 request
    # message that lacks a Host header field and to any request message that contains more than
    # one".
    if not (is_1_0 and "host" not in headers or is_host(headers.get("host", ""))):
        raise malformed("Host")
    if target[:1] != b"/" or min(target) < 33 or b"\x7f" in target:
        target = call(_UNUSUAL, "parse_target", method, target, headers)
    try:
        target = str(target, "utf-8")
    except UnicodeError:
        raise malformed("request line") from None
    return Request(str(method, "utf-8"), target, headers, is_1_0)


def consists_of(data: bytes, others: bytes) -> bool:
    """Return whether `data` has only ASCII letters, digits and `others`, and is not empty."""
    for byte in data:
        if not (97 <= byte | 32 <= 122 or 48 <= byte <= 57 or byte in others):
            return False
    return bool(data)


def is_host(text):
    name, _, port = text.partition(":")
    if text[:1] == "[":  # IPv6, as in "[fe80::1]:80"
        name, bracket, port = text[1:].partition("]")
        name = bracket and name.replace(":", "")
        if port[:1] == ":":
            port = port[1:]
        elif port:
            return False
    return consists_of(name.encode(), _HOST) and (not port or port.isdigit())


def host_name(host: str) -> str:
    """Return the name in a Host header, or in what follows "//" in an Origin.

    It is without the port, and without the dot that may end a complete domain name.
    """
    colon = host.rfind(":")
    name = (host[:colon] if colon > host.rfind("]") else host).lower()
    return name[:-1] if name[-1:] == "." else name


def check_host(request: Request, names, portal=None, trusted: bool = False) -> None:
    """Check that a request is for one of `names` (lower case), or for an IP address.

    "*.lan" among them stands for all names below "lan", and "*" for all names. This prevents DNS
    rebinding, in which a page on the internet lets its own name point to this server. portal: the
    URL to which a plain request for another name is redirected, as a captive portal does. trusted:
    whether a request without Host is accepted (only HTTP/1.0 has such). Raises HTTPError 302, 400
    or 421.
    """
    name = host_name(request.headers.get("host", ""))
    if name[:1] == "[" or name.replace(".", "").isdigit() or name in names:
        return
    call(_UNUSUAL, "check_other_host", request, name, names, portal, trusted)


def unquote(text: str) -> str:
    """Decode %XX in a part of a URL (RFC 3986, section 2.1).

    Raises HTTPError 400.
    """
    return call("wsserver.http.percent", "unquote", text) if "%" in text else text
