"""Static files from flash over plain HTTP: just enough for a page that the board itself serves."""

import os

from .handshake import HTTPError, Request, host_name, response_head
from .percent import unquote

_TYPES = (
    ".html=text/html; charset=utf-8|.css=text/css|.js=text/javascript; charset=utf-8|"
    ".json=application/json|.svg=image/svg+xml|.png=image/png|.ico=image/x-icon|"
    ".txt=text/plain; charset=utf-8|=application/octet-stream|"
)


def open_file(request: Request, prefix: str, directory: str, https=None):
    """The response head for a request, and an open file with the body.

    The path behind `prefix` ("/", or with a slash at its end) is looked for in `directory`; that
    of a folder is its index.html. https: the port to which the request is sent on instead.
    HTTPError: 302, 400, 404 or 405.
    """
    if https:
        raise HTTPError(302, "use https", "Location: " + _location(request, https))
    if request.method != "GET":
        raise HTTPError(405, "use GET", "Allow: GET")
    path = unquote(request.path)[len(prefix) - 1 :]
    # "/." hides what starts with a dot, and parent folders with it.
    if "/." in path or "\\" in path or "\0" in path:
        raise HTTPError(404, "no such file")
    name = directory + path + ("index.html" if path[-1:] == "/" else "")
    try:
        stat = os.stat(name)
        if stat[0] & 0x4000:
            raise OSError  # a folder without the slash
        file = open(name, "rb")
    except OSError:
        raise HTTPError(404, "no such file") from None
    start = _TYPES.find("." + name.rsplit(".", 1)[-1] + "=")
    kind = _TYPES[_TYPES.find("=", start) + 1 : _TYPES.find("|", start)]
    headers = ("Content-Type: " + kind, "Cache-Control: no-cache", "Connection: close")
    return response_head(200, headers, stat[6]), file


def _location(request, port):
    """The same place by https."""
    host = host_name(request.headers["host"])
    query = "?" + request.query if request.query else ""
    return "https://%s%s%s%s" % (host, "" if port == 443 else ":%d" % port, request.path, query)
