"""Static files from flash: the page that the board itself serves."""

import binascii
import os

from wsserver.core.frames import const

from ..lazy import call, free_heap, has_large_heap
from ..log import WARNING, describe
from .request import HTTPError, Request, host_name, malformed, unquote
from .responses import can_keep, response_head

# Bytes: for each text that it makes, MicroPython searches its table of names.
_TYPES = const(
    b".html=text/html; charset=utf-8|.css=text/css|.js=text/javascript; charset=utf-8|"
    b".json=application/json|.svg=image/svg+xml|.png=image/png|.ico=image/x-icon|"
    b".jpg=image/jpeg|.woff2=font/woff2|.txt=text/plain; charset=utf-8|"
)
_ALLOW = const("Allow: GET, HEAD, OPTIONS")
_MAX_PATH = const(765)  # bytes: 255, with each of them percent-encoded
_FOLDER = const(0x4000)  # in the mode of os.stat

# Windows for decompression, as powers of 2: the largest ones with and without PSRAM.
_GZIP_WINDOW = const(15)
_SMALL_WINDOW = const(12)
_MIN_GZIP = const(18)  # bytes: header and trailer (RFC 1952, section 2.3)
_MAX_RATIO = const(1032)  # of Deflate: 258 bytes of content for two bits
_TABLES = const(1200)  # bytes that decompression takes in addition to its window
# Bytes that must stay free then: if the GC heap grew, TLS would lose its memory.
_SPARE = const(6000)
# The header field in which `make deploy` stores a file's window size (RFC 1952, 2.3.1.1).
_WINDOW_FIELD = const(b"\x05\x00WB\x01\x00")


def find_file(connection, request: Request):
    """Return what open_file() returns for the first folder of the server that has the file.

    Raises what open_file() raises.
    """
    for prefix, directory, https_port in connection._server._folders:
        # A longer path is no file's, and each of its copies would take as much memory again.
        if request.path.startswith(prefix) and len(request.path) <= _MAX_PATH:
            port = None if connection._tls or connection._https else https_port
            try:
                return open_file(request, prefix, directory, port, connection)
            except HTTPError as error:
                if error.status != 404:  # else the next folder may have the file
                    raise
    raise HTTPError(404, "not found")


# Long: loaded anew for each file on a small heap, where each function would take more of it.
def open_file(request: Request, prefix: str, directory: str, https_port, connection):
    """Return (response head, keeps, open file or None, bytes to send of it) for a request.

    The path after `prefix` ("/", or with a slash at its end) is searched in `directory`. A path
    that ends with a slash stands for its index.html. If there is a NAME.gz, it is sent as the gzip
    coding of NAME, with an ETag. A client that does not accept gzip gets NAME, or the decompressed
    NAME.gz. https_port: redirect to this port instead. keeps: see HTTPConnection. Raises HTTPError
    302, 400, 404, 405, or 406 if decompressing takes too much memory.
    """
    if https_port:
        raise HTTPError(302, "use https", "Location: " + _https_url(request, https_port))
    if request.method not in ("GET", "HEAD"):
        raise HTTPError(405, "use GET", _ALLOW)
    path = unquote(request.path)[len(prefix) - 1 :]
    # "/." excludes hidden files, and parent folders as well.
    if "/." in path or "\\" in path or "\0" in path:
        raise HTTPError(404, "not found")
    name = directory + path + ("index.html" if path.endswith("/") else "")
    headers = [
        b"Content-Type: " + _content_type(name.encode()),
        "Cache-Control: no-cache",  # may be cached, but must be revalidated: there is an ETag
        "X-Content-Type-Options: nosniff",
    ]
    # On a small heap the connection ends, so that this module is unloaded. Clients that do not ask
    # for more, as browsers do, may wait for the end.
    body = "content-length" in request.headers or "transfer-encoding" in request.headers
    keeps = can_keep(connection, request, not body)
    if keeps and not (
        connection._server._filler
        and "keep-alive" in request.headers.get("connection", "").lower()
    ):
        keeps = None
    if not keeps:
        headers.append("Connection: close")
    origins = connection._server.origins
    if origins:
        headers += call(".http.cors", "allow_origin", request, origins)
    try:
        status, size, file = _open(name, request, headers, connection._server)
    except OSError:
        raise HTTPError(404, "not found") from None
    if status == 200 and "range" in request.headers and hasattr(file, "seek"):
        headers[0] = str(headers[0], "utf-8")  # select() compares texts
        try:
            ranged = call(".http.ranges", "select", request, headers, size)
        except HTTPError:
            file.close()
            raise
        status, first, size = ranged
        file.seek(first)
    if file and request.method == "HEAD":
        file.close()
        file = None
    return response_head(status, headers, size), keeps, file, size


def read_part(connection) -> int:
    """Append a part of a connection's file to its send buffer, and return its size."""
    start = connection._out_end
    stop = min(start + connection._left, connection._pool.write_limit)
    try:
        count = connection._file.readinto(connection._out[start:stop])
    except Exception as error:  # the flash is defective, or the file is damaged
        text = "cannot read %s: %s" % (connection._path, describe(error))
        connection._server._log(WARNING, text)
        return 0
    connection._out_end = start + count
    connection._left -= count
    return count


def _content_type(name):
    dot = name.rfind(b".")
    extension = name[dot:].lower() + b"="
    start = _TYPES.find(extension)
    if start < 0 or dot < 0:
        return b"application/octet-stream"
    return _TYPES[start + len(extension) : _TYPES.find(b"|", start)]


def _open(name, request, headers, server):
    """Return (status, size, file); add the headers of the file's coding."""
    packed = name + ".gz"
    size = _size_of(packed)
    if size < 0:
        return _open_plain(name)
    # Without Accept-Encoding any coding is acceptable (RFC 9110, section 12.5.3), but such clients
    # are often curl, which does not decompress by default.
    accepts_gzip = _accepts_gzip(request)
    if not accepts_gzip and _size_of(name) >= 0:
        return _open_plain(name)
    if size < _MIN_GZIP:
        raise OSError
    file = open(packed, "rb")
    file.seek(-8, 2)
    # gzip ends with the CRC-32 and the length of the content (RFC 1952, section 2.3.1), which
    # serve as a hash of the file.
    trailer = file.read(8)
    file.seek(0)
    headers.append("Vary: Accept-Encoding")
    content = None if accepts_gzip else _decompressed(file, server)
    if content:
        length = int.from_bytes(trailer[4:], "little")
        if length > size * _MAX_RATIO:
            # MicroPython can read without end beyond the end of a damaged file.
            file.close()
            raise HTTPError(500, "the file is damaged")
        return 200, length, content
    if not accepts_gzip and "accept-encoding" in request.headers:
        file.close()
        raise HTTPError(406, "use Accept-Encoding: gzip")
    tag = '"%s"' % str(binascii.hexlify(trailer), "utf-8")
    headers += ("Content-Encoding: gzip", "ETag: " + tag)
    if tag in request.headers.get("if-none-match", ""):
        file.close()
        return 304, None, None
    return 200, size, file


def _accepts_gzip(request):
    """Return whether Accept-Encoding has gzip, or "*", with a weight over 0 (RFC 9110, 12.5.3)."""
    accepted = False
    for element in request.tokens("accept-encoding"):
        coding, _, weight = element.lower().replace(" ", "").partition(";")
        refused = weight[:2] == "q=" and not weight[2:].strip("0.")
        if coding in ("gzip", "x-gzip"):
            return not refused
        if coding == "*":
            accepted = not refused
    return accepted


def _open_plain(name):
    size = _size_of(name)
    if size < 0:
        raise OSError
    return 200, size, open(name, "rb")


def _size_of(name):
    """Return the size of a file, or -1 if there is none."""
    try:
        stat = os.stat(name)
        return -1 if stat[0] & _FOLDER else stat[6]
    except OSError:
        return -1


def _decompressed(file, server):
    """Return a file with the content of a gzip file, or None if that takes too much memory."""
    # One at a time: for a second window the GC heap could grow into the memory of TLS.
    if server._acceptor.tls and not has_large_heap():
        for other in server._acceptor.http_connections:
            if other._file and not hasattr(other._file, "seek"):
                return None
    head = file.read(17)
    file.seek(0)
    bits = head[16] if head[10:16] == _WINDOW_FIELD else _GZIP_WINDOW
    if not 8 <= bits <= (_GZIP_WINDOW if has_large_heap() else _SMALL_WINDOW):
        return None
    if free_heap() < (1 << bits) + _TABLES + _SPARE:
        return None
    try:
        # The first read allocates the window and its tables, when it is too late for an error.
        bytearray(1 << bits), bytearray(_TABLES)
    except MemoryError:
        return None
    from deflate import GZIP, DeflateIO

    return DeflateIO(file, GZIP, bits, True)


def _https_url(request, port):
    """Return the URL of the same resource with https."""
    host = host_name(request.headers.get("host", ""))
    if not host:
        raise malformed("Host")
    query = "?" + request.query if request.query else ""
    return "https://%s%s%s%s" % (host, "" if port == 443 else ":%d" % port, request.path, query)
