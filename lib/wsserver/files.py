"""Static files from flash over plain HTTP: just enough for a page that the board itself serves."""

import binascii
import gc
import os
import sys

from .answers import response_head
from .frames import const
from .handshake import HTTPError, Request, host_name
from .percent import unquote
from .room import load

# Bytes of heap: with as much, decompressing for who may want it takes nothing from others; with as
# little, this code does not stay for the next file.
_PLENTY = const(40000)
_LITTLE = const(12000)
_TYPES = (
    ".html=text/html; charset=utf-8|.css=text/css|.js=text/javascript; charset=utf-8|"
    ".json=application/json|.svg=image/svg+xml|.png=image/png|.ico=image/x-icon|"
    ".txt=text/plain; charset=utf-8|=application/octet-stream|"
)


def open_file(request: Request, prefix: str, directory: str, https=None):
    """The response head for a request, and an open file with the body, or None if there is none.

    The path behind `prefix` ("/", or with a slash at its end) is looked for in `directory`; that
    of a folder is its index.html. Where NAME.gz is there, it is sent as NAME's gzip coding, with
    an ETag; who refuses gzip gets NAME, or what NAME.gz contains, and so does who does not say
    what they take, where there is plenty of memory. https: the port to which the request is sent
    on instead. HTTPError: 302, 400, 404, 405, or 406: there is no memory to decompress what the
    client does not take as it is.
    """
    if https:
        raise HTTPError(302, "use https", "Location: " + _location(request, https))
    if request.method not in ("GET", "HEAD"):
        raise HTTPError(405, "use GET", "Allow: GET, HEAD")
    path = unquote(request.path)[len(prefix) - 1 :]
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
    try:
        status, size, file = _open(name, request, headers)
    except OSError:
        raise HTTPError(404, "no such file") from None
    if gc.mem_free() < _LITTLE:
        del sys.modules[__name__], sys.modules["wsserver"].files
    if file and request.method == "HEAD":
        file.close()
        file = None
    return response_head(status, headers, size), file


def _open(name, request, headers):
    """(status, size, file) of a file; `headers` get what its coding adds to them."""
    # Who says nothing takes anything (RFC 9110, section 12.5.3), but is often curl in a terminal.
    unsaid = "" if gc.mem_free() >= _PLENTY else "gzip"
    accepted = request.headers.get("accept-encoding", unsaid).lower().replace(" ", "")
    takes_gzip = "gzip" in accepted and "gzip;q=0" not in accepted
    packed = name + ".gz"
    path = packed if _is_file(packed) and (takes_gzip or not _is_file(name)) else name
    if not _is_file(path):
        raise OSError
    file = open(path, "rb")
    if path is name:
        return 200, os.stat(name)[6], file
    size = file.seek(-8, 2) + 8
    # gzip ends with the content's CRC-32 and length (RFC 1952, section 2.3.1): as good as a hash
    # of the file, and for free.
    end = file.read(8)
    file.seek(0)
    headers.append("Vary: Accept-Encoding")
    if not takes_gzip:
        # Seldom: every browser takes gzip.
        return 200, int.from_bytes(end[4:], "little"), load("inflate").inflated(file)
    tag = '"%s"' % str(binascii.hexlify(end), "utf-8")
    headers += ("Content-Encoding: gzip", "ETag: " + tag)
    if tag in request.headers.get("if-none-match", ""):
        file.close()
        return 304, None, None
    return 200, size, file


def _is_file(name):
    try:
        return not os.stat(name)[0] & 0x4000  # else a folder, without the slash
    except OSError:
        return False


def _location(request, port):
    """The same place by https."""
    host = host_name(request.headers["host"])
    query = "?" + request.query if request.query else ""
    return "https://%s%s%s%s" % (host, "" if port == 443 else ":%d" % port, request.path, query)
