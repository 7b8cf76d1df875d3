"""The files in /www and /app: {"do": "files", ...} lists, reads, writes and deletes them.

Loaded while a page uses them. docs/joining.md describes the messages. Each part of a path must be
the name of a file or folder exactly as the folder lists it: so neither a link nor another spelling
leads elsewhere. A file is written beside the old one, read back, and renamed.
"""

import hashlib
import json
import os
from binascii import hexlify

from micropython import const

from wsserver import INFO, lazy
from wsserver.log import describe

_ROOTS = ("www", "app")
# Pages of the firmware. An application may have its own index.html, but no other settings page.
_OWN = ("settings.html", "join.html", "livelog.js", "files.js", "update.js", "index.html")
_PIECE = const(1024)  # bytes of content in a message
_LISTED = const(600)  # bytes of names in a message
_LONGEST = const(200)  # bytes of a path
_DEEPEST = const(8)  # folders and the name in the path of a new file
_SPARE = const(32768)  # bytes of flash that stay free, for settings and updates
_UPLOAD = const("/.upload")
_FOLDER = const(0x4000)
_FILE = const(0x8000)
_NOT_EMPTY = (39, 66, 13)  # errno of rmdir on Linux, macOS and littlefs, and on FAT
_COMMANDS = const(
    'the commands of files are {"list": folder}, {"read": path, "from": N}, {"delete": path} and'
    ' {"write": path, "size": N}'
)


class Tool:
    """The files for one client."""

    writer = None  # the Tool that writes a file now

    def __init__(self, server, client):
        self._server = server
        self._client = client
        self._file = None
        if not Tool.writer:  # files that a power cut has left
            for root in _ROOTS:
                _remove("/" + root + _UPLOAD)

    def execute(self, command: dict) -> None:
        """Execute a command of _COMMANDS. Raises ValueError."""
        start = command.get("from", 0)  # checked by admin.settings
        if "list" in command:
            self._list(command["list"], start)
        elif "read" in command:
            self._read(command["read"], start)
        elif "write" in command:
            self._begin(command["write"], command.get("size"), command.get("was"))
        elif "delete" in command:
            self._delete(command["delete"])
        else:
            raise ValueError(_COMMANDS)

    def take(self, content) -> None:
        """Write a piece of the file that was announced. Raises ValueError."""
        if not self._file or len(content) > self._left:
            self.close()
            raise ValueError("unexpected content: nothing is changed")
        try:
            self._file.write(content)
            self._digest.update(content)
            self._left -= len(content)
            if self._left:
                self._answer(left=self._left)
            else:
                self._finish()
        except OSError as error:
            self.close()
            text = "the file cannot be written (%s): nothing is changed" % describe(error)
            raise ValueError(text) from None
        finally:
            if not self._left:
                self.close()

    def close(self) -> None:
        """Remove a file that is not complete."""
        if self._file:
            self._file.close()
            self._file = None
            Tool.writer = None
            _remove(self._temporary)

    def _answer(self, **message):
        message["type"] = "files"
        self._client.send(json.dumps(message))

    def _list(self, folder, start):
        """Send [name, size, whether it is the firmware's] for entries; folders have size -1."""
        kind = _find(folder)
        if kind == _FILE:
            raise ValueError("%s is not a folder" % folder)
        entries = []
        index = length = hidden = 0
        for entry in os.ilistdir(folder) if kind else ():
            name, kind = entry[:2]
            # Names that _find() refuses cannot be used here, and some cannot even be sent.
            if kind not in (_FOLDER, _FILE) or not _is_usable(name):
                hidden += 1
                continue
            index += 1
            if index <= start:
                continue
            if length > _LISTED:
                index -= 1
                break
            length += len(name.encode()) + 20
            path = folder + "/" + name
            size = -1 if kind == _FOLDER else os.stat(path)[6]
            entries.append([name, size, _is_own(path)])
        else:
            index = None
        free = max(0, _free())
        self._answer(list=folder, entries=entries, next=index, hidden=hidden, free=free)

    def _read(self, path, start):
        if _find(path) != _FILE:
            raise ValueError("%s: not found" % path)
        with open(path, "rb") as file:
            file.seek(start)
            self._client.send(file.read(_PIECE))

    def _begin(self, path, size, was):
        kind = _find(path)
        _refuse_place(path, kind)
        if type(size) is not int or size < 0:
            raise ValueError("size: must be an integer, 0 or more")
        if size > _free():
            raise ValueError("the flash is full: %d bytes are free" % max(0, _free()))
        self.close()
        if Tool.writer:
            raise ValueError("another page writes a file now: try again")
        # "": the page knows of no such file.
        if was is not None and was != (str(hexlify(_hash(path)), "ascii") if kind else ""):
            self._answer(changed=path)
            return
        root = path[:4]
        if not _find(root):
            os.mkdir(root)
        self._temporary = root + _UPLOAD
        self._file = open(self._temporary, "wb")
        Tool.writer = self
        self._path = path
        self._left = size
        self._digest = hashlib.sha256()
        if size:
            self._answer(left=size)
        else:
            self.take(b"")

    def _finish(self):
        """Replace the file. Raises OSError and ValueError; the old one remains then."""
        path = self._path
        self._file.close()
        if _hash(self._temporary) != self._digest.digest():
            raise ValueError("the flash has not stored the file: nothing is changed")
        at = path.find("/", 5)
        while at > 0:
            if not _find(path[:at]):
                os.mkdir(path[:at])
            at = path.find("/", at + 1)
        os.rename(self._temporary, path)
        # The server would go on to send the compressed file.
        packed = path[:5] == "/www/" or path[:9] == "/app/www/"
        removed = path + ".gz" if packed and _remove(path + ".gz") else None
        self._log(path, "written")
        self._answer(written=path, removed=removed)

    def _delete(self, path):
        kind = _find(path)
        if not kind or path[1:] in _ROOTS:
            raise ValueError("%s: not found, or cannot be deleted" % path)
        if kind == _FILE:
            _refuse_own(path)
        try:
            if kind == _FOLDER:
                os.rmdir(path)
            else:
                os.remove(path)
        except OSError as error:
            if kind == _FOLDER and error.errno in _NOT_EMPTY:
                raise ValueError("the folder %s is not empty" % path) from None
            raise ValueError("%s cannot be deleted (%s)" % (path, describe(error))) from None
        self._log(path, "deleted")
        self._answer(deleted=path)

    def _log(self, path, what):
        self._server.log(INFO, "files: %r %s by %s" % (path, what, self._client.address[0]))


def _refuse_place(path, kind):
    """Raise ValueError if no file may be written at `path`, where `kind` is now."""
    if kind == _FOLDER:
        raise ValueError("%s is a folder" % path)
    _refuse_own(path)
    if not kind and path.count("/") > _DEEPEST:
        raise ValueError("%s: too deep: at most %d folders" % (path, _DEEPEST - 1))
    at = path.find("/", 5)
    while at > 0:  # a folder of that name would be in the way of a page, or of a program
        folder = path[:at]
        _refuse_own(folder)
        if folder[-3:].lower() == ".py" or folder[-4:].lower() == ".mpy":
            raise ValueError("%s: a folder cannot have the name of a program" % folder)
        at = path.find("/", at + 1)
    if path[:5] == "/app/" and lazy.call("admin.names", "is_taken", path[5:]):
        text = "%s would hide a module of the firmware or of MicroPython: use another name"
        raise ValueError(text % path)


def _find(path):
    """Return _FILE, _FOLDER, or 0 if there is no such file. Raises ValueError if it is invalid."""
    if not path or not isinstance(path, str):
        raise ValueError("path: missing, or not a text, such as /app/app.py")
    if len(path.encode()) > _LONGEST:
        raise ValueError("path: too long: at most %d bytes are allowed" % _LONGEST)
    parts = path.split("/")
    if len(parts) < 2 or parts[0] or parts[1] not in _ROOTS:
        raise ValueError("%s: only files in /www and /app can be used" % path)
    folder, kind = "/", _FOLDER
    for part in parts[1:]:
        if kind == _FILE:
            raise ValueError("%s is not a folder" % folder[:-1])
        if not _is_usable(part):
            raise ValueError("%s: invalid file name" % path)
        if kind:
            kind = _kind_of(folder, part)
        folder += part + "/"
    return kind


def _kind_of(folder, name):
    similar = None
    for entry in os.ilistdir(folder):
        if entry[0] == name:
            if entry[1] not in (_FOLDER, _FILE):
                raise ValueError("%s%s is a link" % (folder, name))
            return entry[1]
        if entry[0].lower() == name.lower():
            similar = entry[0]
    if similar:  # some file systems ignore the case of names
        raise ValueError("%s%s exists as %s" % (folder, name, similar))
    return 0


def _is_usable(name):
    # No hidden files, which include "..", and nothing that a file system changes.
    if not name or name[0] == "." or name[-1] in ". ":
        return False
    data = name.encode()
    if not all(byte >= 32 and byte != 127 and byte not in b'\\:*?"<>|' for byte in data):
        return False
    for char in name if len(data) > len(name) else "":
        code = ord(char)
        if 0xD800 <= code < 0xE000 or code in (0x200E, 0x200F):
            return False  # a surrogate cannot be sent, the others change how a name is shown
        if 0x202A <= code <= 0x202E or 0x2066 <= code <= 0x2069:
            return False
    return True


def _is_own(path):
    """Return whether this is a page of the firmware, or would be used instead of one."""
    if path[-3:] == ".gz":
        path = path[:-3]
    name = path.lower()
    if name[:5] == "/www/":
        return name[5:] in _OWN
    return name[:9] == "/app/www/" and name[9:] in _OWN[:-1]


def _refuse_own(path):
    if _is_own(path):
        raise ValueError("%s belongs to the firmware, and cannot be changed here" % path)


def _free():
    values = os.statvfs("/")
    return values[0] * values[3] - _SPARE


def _hash(path):
    digest = hashlib.sha256()
    buffer = bytearray(512)
    view = memoryview(buffer)
    with open(path, "rb") as file:
        while True:
            count = file.readinto(buffer)
            if not count:
                return digest.digest()
            digest.update(view[:count])


def _remove(path):
    """Remove a file. Return whether there was one."""
    try:
        os.remove(path)
        return True
    except OSError:
        return False
