"""Takes an update over WebSocket, for `make deploy HOST=...`: loaded while somebody sends one.

Each message gets one answer, so that no more than one is ever on its way. An order is a JSON list,
its answer a JSON value: {"error": "..."} if it is refused. Content comes in binary messages.

["hash", path] -> hex SHA-256, "" where there is no file    ["read", path, start] -> binary
["begin"] -> the bytes that are free, or -1: something of the last update is left, say it again
["file", path, size, hash] -> 0, (content) -> how much of it is there    ["remove", path] -> 0
["commit", seconds] -> 0; the board restarts, and the update has so long to serve

Nothing that runs is touched: all is put into /update/new, and `recovery` installs it at the next
start.
"""

import binascii
import gc
import hashlib
import json
import os
import sys

import machine
import recovery
import restart
import safefile
from micropython import const

_PIECE = const(1024)  # bytes of content in a message
_SPARE = const(32768)  # bytes of flash that are to stay free, for folders and settings
_LATER = const(100)  # ms until it restarts: the answer goes first

_NEW = "/update/new"
_RECORD = "/deployed.json"


def endpoint(server):
    """What `LazyEndpoint` calls."""
    return Update(server)


class Update:
    """The endpoint. Only one client at a time can send an update."""

    def __init__(self, server):
        self._server = server
        self._owner = None
        self._file = None

    def on_open(self, client):
        """Say what the board is."""
        implementation = sys.implementation
        about = {
            "version": implementation.version[:3],
            "machine": getattr(implementation, "_machine", sys.platform),
            "mpy": getattr(implementation, "_mpy", 0),
            "id": binascii.hexlify(machine.unique_id()).decode(),
            "heap": gc.mem_free() + gc.mem_alloc(),
            "free": max(0, _free() - _SPARE),
            "piece": min(_PIECE, self._server.max_size),
            "state": recovery.state(),
        }
        client.send(json.dumps(about))

    def on_message(self, client, message):
        """Carry an order out, or take content."""
        try:
            if isinstance(message, str):
                answer = self._carry_out(client, *json.loads(message))
            else:
                answer = self._take(client, message)
        except (OSError, ValueError, TypeError, MemoryError) as error:
            answer = {"error": str(error) or "no such order"}
        client.send(answer if isinstance(answer, bytes) else json.dumps(answer))

    def on_close(self, client, code, reason):
        """Who leaves in the middle leaves files in /update/new, which the next one removes."""
        if client is self._owner:
            self._owner = None
            self._close_file()

    def _carry_out(self, client, order, *arguments):
        if order == "hash":
            return _hash(_checked(*arguments))
        if order == "read":
            return _read(*arguments)
        if order == "begin":
            return self._begin(client)
        if client is not self._owner:
            raise ValueError("say 'begin' first")
        if order == "file":
            return self._begin_file(*arguments)
        if order == "remove":
            self._gone.append(_replaceable(*arguments))
            return 0
        if order == "commit":
            return self._commit(*arguments)
        raise ValueError

    def _begin(self, client):
        if self._owner not in (None, client):
            raise ValueError("another update is under way")
        state = recovery.state()
        if state == "todo" or state.startswith("trial"):
            raise ValueError("the last update has still to prove itself: try again in 20 s")
        self._owner = client
        self._new = []
        self._changed = []
        self._gone = []
        self._close_file()
        if state:  # first: what is left without it is of no use
            os.remove("/update/" + state)
        return -1 if _remove_one("/update") else max(0, _free() - _SPARE)

    def _begin_file(self, path, size, digest):
        _replaceable(path)
        self._close_file()
        if _free() - _SPARE < size:
            raise ValueError("the flash is full")
        recovery.make_folders(_NEW + path)
        self._file = open(_NEW + path, "wb")
        self._path = path
        self._digest = digest
        self._left = size
        return 0 if size else self._finish()

    def _take(self, client, content):
        if client is not self._owner or not self._file or len(content) > self._left:
            raise ValueError("not what was announced")
        self._file.write(content)
        self._left -= len(content)
        return self._left or self._finish()

    def _finish(self):
        self._close_file()
        path = self._path
        if _hash(_NEW + path) != self._digest:
            raise ValueError("%s did not arrive as it was sent" % path)
        paths = self._changed if recovery.exists(path) else self._new
        if path not in paths:
            paths.append(path)
        return 0

    def _close_file(self):
        if self._file:
            self._file.close()
            self._file = None

    def _commit(self, seconds):
        if self._file:
            raise ValueError("%s is not complete" % self._path)
        if not 1 <= seconds <= 900:
            raise ValueError("not so many seconds")
        recovery.make_folders(_NEW)
        safefile.write("/update/todo", lambda: self._todo(seconds))
        self._server.after(_LATER, lambda: restart.soon(self._server))
        return 0

    def _todo(self, seconds):
        """What `recovery` is to do, as JSON in small pieces: the paths of many files leave no room
        for a large one.
        """
        yield b'{"seconds": %d' % seconds
        for name, paths in (("new", self._new), ("changed", self._changed), ("gone", self._gone)):
            yield (', "%s": [' % name).encode()
            for at, path in enumerate(paths):
                if at:
                    yield b","
                yield json.dumps(path).encode()
            yield b"]"
        yield b"}"


def _free():
    values = os.statvfs("/")
    return values[0] * values[3]


def _remove_one(folder):
    """Remove one file or empty folder of all that is in a folder; returns whether one was left.

    One at a time: the flash is slow.
    """
    try:
        names = os.listdir(folder)
    except OSError:  # there is no folder
        return False
    for name in names:
        path = folder + "/" + name
        if os.stat(path)[0] & 0x4000:
            if not _remove_one(path):
                os.rmdir(path)
        else:
            os.remove(path)
        return True
    return False


def _hash(path):
    """The SHA-256 of a file as hex; "" where there is none."""
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(512))
    try:
        with open(path, "rb") as file:
            while True:
                count = file.readinto(buffer)
                if not count:
                    return binascii.hexlify(digest.digest()).decode()
                digest.update(buffer[:count])
    except OSError:
        return ""


def _read(path, start):
    """A piece of a file that may be read."""
    if path not in (_RECORD, "/crash.log"):
        raise ValueError("not to be read")
    try:
        with open(path, "rb") as file:
            file.seek(start)
            return file.read(_PIECE)
    except OSError:
        return b""


def _replaceable(path):
    """The path, if an update may replace it: not what is needed to take it back."""
    if _checked(path) == "/boot.py" or path.startswith(("/lib/recovery.", "/lib/watchdog.")):
        raise ValueError("%s is only replaced over USB" % path)
    return path


def _checked(path):
    """The path, if it is one that may be deployed."""
    if not isinstance(path, str):
        raise TypeError
    folder, _, rest = path[1:].partition("/")
    if rest:
        certificate = folder == "certs" and "/" not in rest and rest.endswith(".der")
        fits = certificate or folder in ("lib", "www")
    else:
        fits = folder in ("boot.py", "main.py", "config.json", "deployed.json")
    if not fits or path[0] != "/" or path[-1] == "/" or "//" in path or "/." in path:
        raise ValueError("%s is not to be deployed" % path)
    # No control characters, no backslash, nothing that the flash cannot keep.
    if len(path) > 200 or any(byte < 32 or byte == 92 for byte in path.encode()):
        raise ValueError("a name that no file has")
    return path
