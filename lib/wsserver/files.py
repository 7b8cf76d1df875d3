"""Static files from flash over plain HTTP: just enough for a page that the board itself serves."""

import os

from .handshake import HTTPError, Request, response_head

_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "json": "application/json",
    "svg": "image/svg+xml",
    "png": "image/png",
    "ico": "image/x-icon",
    "txt": "text/plain; charset=utf-8",
}


class Files:
    """The files below `directory`, at the paths below `prefix`; a folder's is its index.html."""

    def __init__(self, prefix: str, directory: str):
        self.prefix = prefix if prefix.endswith("/") else prefix + "/"
        self.directory = directory.rstrip("/")

    def open(self, request: Request):
        """The response head for a request and an open file with the body. HTTPError: 400, 404 or
        405.
        """
        name = self._name(request.path)
        if request.method != "GET":
            raise HTTPError(405, "Files are read with GET.", "Allow: GET")
        try:
            size = os.stat(name)[6]
            file = open(name, "rb")
        except OSError:
            raise HTTPError(404, "There is nothing at this path.") from None
        kind = _TYPES.get(name.rsplit(".", 1)[-1], "application/octet-stream")
        headers = ("Content-Type: " + kind, "Cache-Control: no-cache", "Connection: close")
        return response_head(200, headers, size), file

    def _name(self, path):
        if not path.startswith(self.prefix):
            raise HTTPError(404, "There is nothing at this path.")
        path = _unquote(path[len(self.prefix) - 1 :])
        parts = path.split("/")
        if (
            ".." in parts
            or "\\" in path
            or "\0" in path
            or any(part.startswith(".") for part in parts)
        ):
            raise HTTPError(404, "There is nothing at this path.")
        if path.endswith("/"):
            path += "index.html"
        return self.directory + path


def _unquote(path):
    """Percent-decoding (RFC 3986, section 2.1)."""
    if "%" not in path:
        return path
    parts = path.encode().split(b"%")
    try:
        data = parts[0] + b"".join(bytes((int(part[:2], 16),)) + part[2:] for part in parts[1:])
        return str(data, "utf-8")
    except (ValueError, UnicodeError):
        raise HTTPError(400, "The path is not well percent-encoded.") from None
