"""Bodies of the type multipart/form-data (RFC 7578). Loaded with the first one."""

from wsserver.core.frames import const

from .request import HTTPError, malformed

_MAX_BOUNDARY = const(70)  # RFC 2046, section 5.1.1
_MAX_HEAD = const(512)  # bytes of the header lines of one part
_READ = const(512)  # bytes read at once


class Part:
    """A field of a form, or a file.

    name; filename: None for a field; headers: by name in lower case.
    """

    def __init__(self, parts, head: str):
        self.headers = {}
        for line in head.split("\r\n"):
            name, colon, value = line.partition(":")
            if line and not colon:
                raise malformed("a part of the body")
            self.headers[name.strip().lower()] = value.strip()
        disposition = self.headers.get("content-disposition", "")
        if not disposition.lower().startswith("form-data"):
            raise malformed("Content-Disposition")
        self.name = parameter(disposition, "name")
        self.filename = parameter(disposition, "filename")
        if self.name is None:
            raise malformed("Content-Disposition")
        self._parts = parts

    async def read(self, n: int) -> bytes:
        """Return up to `n` bytes of the content, b"" at its end. Raises HTTPError 400 or 413."""
        return await self._parts.read(n) if self._parts.current is self else b""


class Parts:
    """The parts of a body: an asynchronous iterator. What is not read of a part is skipped."""

    def __init__(self, request):
        self._delimiter = b"\r\n--" + _boundary(request)
        self._read = request.read
        self._data = b"\r\n"  # received, not yet used; the first delimiter needs no CRLF
        self._ended = False  # the current part
        self.current: Anything = None

    def __aiter__(self):
        return self

    async def __anext__(self) -> Part:
        while await self.read(_READ):  # the rest of the part before, or a preamble
            pass
        while len(self._data) < 2:
            await self._more()
        if self._data[:2] == b"--":
            while await self._read(_READ):  # an epilogue
                pass
            self.current = None
            raise StopAsyncIteration
        while b"\r\n\r\n" not in self._data:
            if len(self._data) > _MAX_HEAD:
                raise HTTPError(400, "the head of a part is over %d bytes" % _MAX_HEAD)
            await self._more()
        head, _, self._data = self._data.partition(b"\r\n\r\n")
        if head[:2] != b"\r\n":
            raise malformed("a delimiter")
        self._ended = False
        self.current = Part(self, _text(head[2:]))
        return self.current

    async def _more(self):
        data = await self._read(_READ)
        if not data:
            raise HTTPError(400, "the body ends within a part")
        self._data += data

    async def read(self, n: int) -> bytes:
        """Return up to `n` bytes of the current part; b"" behind its last one."""
        delimiter = self._delimiter
        while not self._ended:
            found = self._data.find(delimiter)
            # The last bytes may be the beginning of a delimiter.
            ready = len(self._data) - len(delimiter) + 1 if found < 0 else found
            if ready > 0:
                ready = min(ready, n)
                data, self._data = self._data[:ready], self._data[ready:]
                return data
            if found == 0:
                self._data = self._data[len(delimiter) :]
                self._ended = True
            else:
                await self._more()
        return b""


def parse_form(request) -> dict:
    """Return the fields of a body that was read as a whole; the content of files is bytes.

    Raises HTTPError 400.
    """
    delimiter = b"\r\n--" + _boundary(request)
    parts = (b"\r\n" + request.body).split(delimiter)
    if len(parts) < 2 or parts[-1][:2] != b"--":
        raise malformed("the body")
    fields = {}
    for data in parts[1:-1]:
        head, end, content = data.partition(b"\r\n\r\n")
        if not end or head[:2] != b"\r\n":
            raise malformed("a part of the body")
        part = Part(None, _text(head[2:]))
        if part.name not in fields:
            fields[part.name] = content if part.filename is not None else _text(content)
    return fields


def parameter(value: str, name: str):
    """Return a parameter of a header, such as `name="x"`, or None. Browsers escape a quote as %22.

    Raises HTTPError 400.
    """
    rest = value
    while True:
        _, semicolon, rest = rest.partition(";")
        if not semicolon:
            return None
        key, _, rest = rest.partition("=")
        if rest[:1] == '"':
            found, quote, rest = rest[1:].partition('"')
            if not quote:
                raise malformed("a quoted text")
        else:
            found = rest.partition(";")[0].strip()
        if key.strip().lower() == name:
            return found.replace("%22", '"')


def _boundary(request):
    kind = request.headers.get("content-type", "")
    boundary = parameter(kind, "boundary")
    if not kind.lower().startswith("multipart/form-data") or not boundary:
        raise HTTPError(415, "use Content-Type: multipart/form-data with a boundary")
    if len(boundary) > _MAX_BOUNDARY:
        raise malformed("the boundary")
    return boundary.encode()


def _text(data):
    try:
        return str(data, "utf-8")
    except UnicodeError:
        raise malformed("the text of a part") from None
