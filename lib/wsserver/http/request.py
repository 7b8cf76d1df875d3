"""HTTP request heads (RFC 9112, sections 3 and 5), and the names in them."""

from ..core.frames import const

# Characters beside letters and digits:
_TOKEN = const(b"!#$%&'*+-.^_`|~")  # RFC 9110, section 5.6.2
_HOST = const(b"!$%&'()*+-.;=_~")  # RFC 3986, section 3.2.2


class HTTPError(Exception):
    """A request is refused with an HTTP status.

    detail: the reason in a few words, for the body; for 400, the part of the request that is
    missing or malformed. headers: header lines of the response.
    """

    def __init__(self, status: int, detail: str = "", *headers):
        self.status = status
        self.detail = detail
        self.headers = headers


class Request:
    """A parsed request head.

    method; path; query: what follows "?", not decoded; headers: by name in lower case.
    """

    def __init__(self, method: str, target: str, headers: dict):
        self.method = method
        self.path, _, self.query = target.partition("?")
        self.headers = headers

    def tokens(self, name: str) -> list:
        """Return the comma-separated elements of a header, stripped."""
        return [token.strip() for token in self.headers.get(name, "").split(",")]


def parse_request(head: bytes) -> Request:
    """Parse a request head, without the empty line that ends it.

    Raises HTTPError 400 or 505.
    """
    try:
        lines = str(head, "utf-8").split("\r\n")
    except UnicodeError:
        lines = [""]
    start = lines.pop(0).split(" ")
    if (
        len(start) != 3
        or not consists_of(start[0], _TOKEN)
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
        if not consists_of(name, _TOKEN) or min(value.replace("\t", " ").encode() or b" ") < 32:
            raise HTTPError(400, "a header")
        # Several lines with the same name are one list (RFC 9110, section 5.3). Where only one
        # value is allowed, the comma makes it malformed, as it should be.
        headers[name] = headers[name] + ", " + value if name in headers else value
    # RFC 9112, section 3.2: "A server MUST respond with a 400 status code to any request message
    # that lacks a Host header field and to any request message that contains more than one".
    if not _is_host(headers.get("host", "")):
        raise HTTPError(400, "Host")
    return Request(start[0], start[1], headers)


def consists_of(text: str, others: bytes) -> bool:
    """Return whether `text` has only ASCII letters, digits and `others`, and is not empty."""
    # Bytes, because MicroPython interns every character of a str that is iterated, for ever.
    for byte in text.encode():
        if not (97 <= byte | 32 <= 122 or 48 <= byte <= 57 or byte in others):
            return False
    return bool(text)


def _is_host(text):
    name, _, port = text.partition(":")
    if text[:1] == "[":  # IPv6, as in "[fe80::1]:80"
        name, bracket, port = text[1:].partition("]")
        name = bracket and name.replace(":", "")
        if port[:1] == ":":
            port = port[1:]
        elif port:
            return False
    return consists_of(name, _HOST) and (not port or port.isdigit())


def host_name(host: str) -> str:
    """Return the name in a Host header, or in what follows "//" in an Origin, without the port."""
    colon = host.rfind(":")
    return (host[:colon] if colon > host.rfind("]") else host).lower()


def check_host(request: Request, names, portal=None) -> None:
    """Check that a request is for one of `names` (lower case), or for an IP address.

    This prevents DNS rebinding, in which a page on the internet lets its own name point to this
    server. portal: the URL to which a plain GET for another name is redirected, as a captive
    portal does. Raises HTTPError 302 or 421.
    """
    name = host_name(request.headers["host"])
    if name in names or name[:1] == "[" or name.replace(".", "").isdigit():
        return
    if portal and request.method == "GET" and "upgrade" not in request.headers:
        raise HTTPError(302, portal, "Location: " + portal)
    raise HTTPError(421, name)


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
        raise HTTPError(400, "percent-encoding") from None
