"""Static files from flash over plain HTTP: just enough for a page that the board itself serves."""

import binascii
import os

from .handshake import HTTPError, Request, response_head

_TYPES = (
    ".html=text/html; charset=utf-8|.css=text/css|.js=text/javascript; charset=utf-8|"
    ".json=application/json|.svg=image/svg+xml|.png=image/png|.ico=image/x-icon|"
    ".txt=text/plain; charset=utf-8|=application/octet-stream|"
)


def open_file(request: Request, prefix: str, directory: str, https=None):
    """The response head for a request, and an open file with the body, or None if there is none.

    The path behind `prefix` ("/", or with a slash at its end) is looked for in `directory`; that
    of a folder is its index.html. Where there is a file of that name with ".gz" at its end, it is
    sent as the file's gzip coding, with an ETag. https: the port to which the request is sent on
    instead. HTTPError: 302, 400, 404, 405, or 406: the client refuses gzip, and there is no other.
    """
    if https:
        raise HTTPError(302, "use https", "Location: " + _location(request, https))
    if request.method not in ("GET", "HEAD"):
        raise HTTPError(405, "use GET", "Allow: GET, HEAD")
    path = _unquote(request.path)[len(prefix) - 1 :]
    # "/." hides what starts with a dot, and parent folders with it.
    if "/." in path or "\\" in path or "\0" in path:
        raise HTTPError(404, "no such file")
    name = directory + path + ("index.html" if path[-1:] == "/" else "")
    start = _TYPES.find("." + name.rsplit(".", 1)[-1] + "=")
    kind = _TYPES[_TYPES.find("=", start) + 1 : _TYPES.find("|", start)]
    headers = [
        "Content-Type: " + kind,
        "Cache-Control: no-cache",  # to be kept, and asked for again each time: there is an ETag
        "X-Content-Type-Options: nosniff",
        "Connection: close",
    ]
    file, size, tag = _open(name, _takes_gzip(request), headers)
    if tag and tag in request.headers.get("if-none-match", ""):
        status, size = 304, None
    else:
        status = 200
    if status == 304 or request.method == "HEAD":
        file.close()
        file = None
    return response_head(status, headers, size), file


def _open(name, takes_gzip, headers):
    """(file, size, ETag or None); the coding's `headers` are added to those given."""
    packed = name + ".gz"
    size = _size(packed)
    if size is not None and takes_gzip:
        file = open(packed, "rb")
        # gzip ends with the content's CRC-32 and length (RFC 1952, section 2.3.1): as good as a
        # hash of the file, and for free.
        file.seek(-8, 2)
        tag = '"%s"' % str(binascii.hexlify(file.read(8)), "utf-8")
        file.seek(0)
        headers += ["Content-Encoding: gzip", "Vary: Accept-Encoding", "ETag: " + tag]
        return file, size, tag
    plain = _size(name)
    if plain is not None:
        return open(name, "rb"), plain, None
    if size is None:
        raise HTTPError(404, "no such file")
    raise HTTPError(406, "it is kept compressed: say Accept-Encoding: gzip")


def _size(name):
    """The bytes in a file, or None: there is none of that name."""
    try:
        stat = os.stat(name)
    except OSError:
        return None
    return None if stat[0] & 0x4000 else stat[6]  # a folder without the slash is no file


def _takes_gzip(request):
    """Whether the client takes gzip. Who says nothing takes anything (RFC 9110, section 12.5.3)."""
    if "accept-encoding" not in request.headers:
        return True
    for element in request.tokens("accept-encoding"):
        coding, _, weight = element.lower().partition(";")
        if coding.strip() in ("gzip", "x-gzip", "*"):
            return not weight or bool(weight.strip("q=0. "))  # "q=0" is a refusal
    return False


def _location(request, port):
    """The same place by https."""
    host = request.headers["host"]
    colon = host.rfind(":")
    if colon > host.rfind("]"):  # else it belongs to an IPv6 address
        host = host[:colon]
    query = "?" + request.query if request.query else ""
    return "https://%s%s%s%s" % (host, "" if port == 443 else ":%d" % port, request.path, query)


def _unquote(path):
    """Percent-decoding (RFC 3986, section 2.1)."""
    parts = path.encode().split(b"%")
    try:
        data = parts[0]
        for part in parts[1:]:
            data += bytes((int(part[:2], 16),)) + part[2:]
        return str(data, "utf-8")
    except (ValueError, UnicodeError):
        raise HTTPError(400, "percent-encoding") from None
