"""/update: receive an OTA update, sent by `make deploy HOST=...`.

Each message gets one answer, so at most one is on its way. A command is a JSON list, its answer a
JSON value: {"error": "..."} if it is refused. File contents are binary messages.

["hash", path] -> hex SHA-256, "" if there is no such file    ["read", path, start] -> binary
["begin"] -> free bytes, or -1: files of the last update remain, repeat the command
["file", path, size, hash] -> 0, (content) -> bytes that are missing    ["remove", path] -> 0
["commit", seconds] -> 0; the board restarts, and the update must serve within that time
["confirm"] -> 0 if the update on trial is confirmed, else the seconds until it can be

The running version is not changed: all files go to /update/new, and `failsafe.rollback` installs
them at the next start. An update that is not confirmed is rolled back.
"""

import binascii
import gc
import hashlib
import json
import os
import sys
from time import ticks_diff, ticks_ms

import machine
from failsafe import rollback
from micropython import const

from config import atomic
from wsserver import lazy

from .names import MODULES, PACKAGES, is_taken

_LAYOUT = const(2)  # version of the file layout; make deploy HOST= needs the same one
_PIECE = const(1024)  # bytes of content in a message
_SPARE = const(32768)  # bytes of flash that stay free, for folders and settings
_DELAY = const(100)  # ms until the restart: the answer goes first
_PROVEN = const(10000)  # ms from the first "confirm" to the confirmation
_TAKEN_OVER = const(1008)  # close code: policy violation

_NEW = const("/update/new")
_RECORD = const("/deployed.json")


class UpdateEndpoint:
    """Receive an update from one client at a time."""

    def __init__(self, server):
        self._server = server
        self._owner = None
        self._committed = False
        self._confirming = None  # ticks_ms of the first "confirm"
        self._file = None
        self._paths = {}  # path -> "new", "changed" or "gone", by its last complete transfer

    def on_open(self, client):
        """Describe the board."""
        implementation = sys.implementation
        about = {
            "layout": _LAYOUT,
            "version": implementation.version[:3],
            "machine": getattr(implementation, "_machine", sys.platform),
            "mpy": getattr(implementation, "_mpy", 0),
            "id": binascii.hexlify(machine.unique_id()).decode(),
            "heap": gc.mem_free() + gc.mem_alloc(),
            "free": max(0, _free() - _SPARE),
            "piece": min(_PIECE, self._server.max_size),
            "state": rollback.state(),
        }
        client.send(json.dumps(about))

    def on_message(self, client, message):
        """Execute a command or store content."""
        try:
            if isinstance(message, str):
                answer = self._execute(client, *json.loads(message))
            else:
                answer = self._take(client, message)
            if not isinstance(answer, bytes):
                answer = json.dumps(answer)
        except (OSError, ValueError, TypeError) as error:
            answer = json.dumps({"error": str(error) or "unknown command"})
        except MemoryError:
            answer = '{"error": "out of memory"}'
        client.send(answer)

    def on_close(self, client, code, reason):
        """End an incomplete update. The next one removes its files from /update/new."""
        if client is self._owner:
            self._owner = None
            self._close_file()

    def _execute(self, client, command, *arguments):
        if command == "hash":
            return _hash(_checked(*arguments))
        if command == "read":
            return _read(*arguments)
        if command == "confirm":
            return self._confirm()
        if self._committed:
            raise ValueError("the update is complete, and the board restarts")
        if command == "begin":
            return self._begin(client)
        if client is not self._owner:
            raise ValueError("'begin' comes first")
        if command == "file":
            return self._begin_file(*arguments)
        if command == "remove":
            return self._remove(*arguments)
        if command == "commit":
            return self._commit(*arguments)
        raise ValueError

    def _begin(self, client):
        """Begin an update; end another client's update, whose connection may be dead."""
        state = rollback.state()
        if state == "todo" or state.startswith("trial"):
            raise ValueError("the last update is still on trial: confirm it first")
        if self._owner not in (None, client):
            self._owner.close(_TAKEN_OVER, "another client has taken over the update")
        self._owner = client
        self._paths = {}
        self._close_file()
        if state:  # first: without it, the remaining files are useless
            os.remove("/update/" + state)
        return -1 if _remove_one("/update") else max(0, _free() - _SPARE)

    def _begin_file(self, path, size, digest):
        _replaceable(path)
        self._close_file()
        self._paths.pop(path, None)
        if _free() - _SPARE < size:
            raise ValueError("the flash is full")
        rollback.make_folders(_NEW + path)
        self._file = open(_NEW + path, "wb")
        self._path = path
        self._digest = digest
        self._left = size
        return 0 if size else self._finish()

    def _take(self, client, content):
        if client is not self._owner or not self._file or len(content) > self._left:
            raise ValueError("unexpected content")
        self._file.write(content)
        self._left -= len(content)
        return self._left or self._finish()

    def _finish(self):
        self._close_file()
        path = self._path
        if _hash(_NEW + path) != self._digest:
            raise ValueError("%s was damaged in transit" % path)
        self._paths[path] = "changed" if rollback.exists(path) else "new"
        return 0

    def _remove(self, path):
        _removable(path)
        if self._file and self._path == path:
            self._close_file()
        self._paths[path] = "gone"
        return 0

    def _close_file(self):
        if self._file:
            self._file.close()
            self._file = None

    def _commit(self, seconds):
        if self._file:
            raise ValueError("%s is not complete" % self._path)
        if not 1 <= seconds <= 900:
            raise ValueError("seconds: must be 1 to 900")
        rollback.make_folders(_NEW)
        atomic.write("/update/todo", lambda: self._todo(seconds))
        self._committed = True
        self._server.after(_DELAY, self._restart)
        return 0

    def _todo(self, seconds):
        """Yield the JSON for `failsafe.rollback` in pieces, which need no large block."""
        yield b'{"seconds": %d' % seconds
        for kind in ("new", "changed", "gone"):
            yield (', "%s": [' % kind).encode()
            separator = b""
            for path in self._paths:
                if self._paths[path] == kind:
                    yield separator
                    yield json.dumps(path).encode()
                    separator = b","
            yield b"]"
        yield b"}"

    def _restart(self):
        lazy.load("admin.restart").soon(self._server)

    def _confirm(self):
        """Confirm the update on trial, after it has served this client for a while."""
        if not rollback.state().startswith("trial"):
            raise ValueError("no update is on trial")
        if self._confirming is None:
            self._confirming = ticks_ms()
        left = _PROVEN - ticks_diff(ticks_ms(), self._confirming)
        if left > 0:
            return left // 1000 + 1
        lazy.call("admin.confirm", "confirm_update")
        return 0


endpoint = UpdateEndpoint  # LazyEndpoint calls this


def _free():
    values = os.statvfs("/")
    return values[0] * values[3]


def _remove_one(folder):
    """Remove one file or empty folder below a folder. Return whether there was one.

    One at a time, because the flash is slow.
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
    """Return the SHA-256 of a file as hex, or "" if there is no such file."""
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
    """Return a piece of a file that may be read."""
    if path not in (_RECORD, "/crash.log"):
        raise ValueError("this file cannot be read")
    try:
        with open(path, "rb") as file:
            file.seek(start)
            return file.read(_PIECE)
    except OSError:
        return b""


def _replaceable(path):
    """Check that an OTA update may contain this file. Raises ValueError if not."""
    parts = _removable(path)[1:].split("/")
    stem, _, suffix = parts[-1].rpartition(".")
    allowed = True
    if parts[0] == "lib":
        is_module = len(parts) == 2 and stem in MODULES and suffix in ("py", "mpy")
        allowed = is_module or len(parts) > 2 and parts[1] in PACKAGES
    elif parts[0] == "app":
        allowed = not is_taken(path[len("/app/") :])
    if not allowed:
        raise ValueError("%s hides, or is not, a module of the firmware" % path)


def _removable(path):
    """Return the path. Raises ValueError if a rollback needs the file."""
    # Some file systems ignore the case of names.
    if _checked(path) == "/boot.py" or path.lower().startswith(
        ("/lib/failsafe/", "/lib/failsafe.")
    ):
        raise ValueError("%s is only replaced over USB" % path)
    return path


def _checked(path):
    """Return the path. Raises ValueError if it cannot be deployed."""
    if not isinstance(path, str):
        raise TypeError
    folder, _, rest = path[1:].partition("/")
    if rest:
        certificate = folder == "certs" and "/" not in rest and rest.endswith(".der")
        fits = certificate or folder in ("lib", "www", "app")
    else:
        fits = folder in ("boot.py", "main.py", "config.json", "deployed.json")
    if not fits or path[0] != "/" or path[-1] == "/" or "//" in path or "/." in path:
        raise ValueError("%s cannot be deployed" % path)
    # No control characters, no backslash, nothing that the flash cannot store.
    if len(path) > 200 or any(byte < 32 or byte == 92 for byte in path.encode()):
        raise ValueError("invalid file name")
    return path
