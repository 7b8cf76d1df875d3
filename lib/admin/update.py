"""/update: receive an OTA update, sent by `make deploy HOST=...`.

Each message gets one answer, so at most one is on its way. A command is a JSON list, its answer a
JSON value: {"error": "..."} if it is refused. File contents are binary messages.

["hash", path] -> hex SHA-256, "" if there is no such file    ["read", path, start] -> binary
["begin"] -> free bytes, or -1: files of the last update remain, repeat the command
["nonce"] -> 32 hex digits, once after "begin"; a second one discards the update
["file", path, size, hash] -> 0, (content) -> bytes that are missing    ["remove", path] -> 0
["commit", seconds, hmac] -> 0; the board restarts, and the update must serve within that time
["confirm"] -> 0 if the update on trial is confirmed, else the seconds until it can be
["dismiss"] -> 0; the state after a rollback, "undone", ends

A nonce is good for one "commit": a wrong HMAC discards the update.

The running version is not changed: all files go to /update/new, and `failsafe.rollback` installs
them at the next start. An update that is not confirmed is rolled back.

hmac: HMAC-SHA-256 as hex, with the admin's password as the key. It covers the nonce and the
commands that were accepted since, in their order, as lines that end with a newline:

esp32-ws update 1 NONCE
file SIZE HASH PATH
remove PATH
commit SECONDS
"""

import binascii
import gc
import hashlib
import json
import os
import sys
from time import ticks_diff, ticks_ms

import machine
from micropython import const

from config import atomic
from wsserver import WARNING, __version__, lazy
from wsserver.log import describe

from .names import MODULES, PACKAGES, is_taken

_LAYOUT = const(2)  # version of the file layout; make deploy HOST= needs the same one
_HMAC = const(1)  # version of the lines that the HMAC covers
_BLOCK = const(64)  # bytes of a block of SHA-256 (RFC 2104)
_PIECE = const(512)  # bytes of content in a message
_MAX_BRACKETS = const(400)  # of a command: its parser's stack is allocated in one piece
_SPARE = const(32768)  # bytes of flash that stay free, for folders and settings
_DELAY = const(100)  # ms until the restart: the answer goes first
_CLEANING = const(200)  # ms in which "begin" removes old files, because the flash is slow
_PROVEN = const(10000)  # ms from the first "confirm" to the confirmation
_TAKEN_OVER = const(1008)  # close code: policy violation

_COMMANDS = const(
    'the commands are ["hash", path], ["read", path, start], ["begin"], ["nonce"],'
    ' ["file", path, size, hash], ["remove", path], ["commit", seconds, hmac], ["confirm"] and'
    ' ["dismiss"]'
)
_NEW = const("/update/new")
_RECORD = const("/deployed.json")


class UpdateEndpoint:
    """Receive an update from one client at a time."""

    def __init__(self, server, access, password: str):
        self._server = server
        self._access = access
        self._password = password
        self._owner = None
        self._signed: Anything = None  # the SHA-256 of what the HMAC covers
        self._committed = False
        self._confirming = None  # ticks_ms of the first "confirm"
        self._file = None
        self._incomplete = []  # paths of files whose content has not arrived
        self._removed = []  # what _remove writes

    def on_open(self, client):
        """Describe the board."""
        implementation = sys.implementation
        about = {
            "layout": _LAYOUT,
            "firmware": __version__,
            "hmac": _HMAC,
            "version": implementation.version[:3],
            "machine": os.uname().machine,
            "mpy": getattr(implementation, "_mpy", 0),
            "id": binascii.hexlify(machine.unique_id()).decode(),
            "heap": gc.mem_free() + gc.mem_alloc(),
            "free": max(0, _free() - _SPARE),
            "piece": min(_PIECE, self._server.max_size),
            "state": _state(),
            "in_place": lazy.call("admin.inplace", "in_place"),
        }
        client.send(json.dumps(about))

    def on_message(self, client, message):
        """Execute a command or store content."""
        try:
            if isinstance(message, str):
                answer = self._execute(client, *_parsed(message))
            else:
                answer = self._take(client, message)
            if not isinstance(answer, bytes):
                answer = json.dumps(answer)
        except TypeError:  # another number of arguments, or a path that is no str
            answer = json.dumps({"error": _COMMANDS})
        except (OSError, ValueError) as error:
            answer = json.dumps({"error": str(error) and describe(error) or _COMMANDS})
        except MemoryError:
            answer = '{"error": "out of memory"}'
        client.send(answer)

    def on_close(self, client, code, reason):
        """End an incomplete update. The next one removes its files from /update/new."""
        if client is self._owner:
            self._discard()
        self._access.leave(self._server, client)

    # Long: one branch a command: a table of methods would take memory for every open page.
    def _execute(self, client, command, *arguments):
        if command == "hash":
            return _hash(_checked(*arguments))
        if command == "read":
            return _read(*arguments)
        if command == "confirm":
            return self._confirm()
        if command == "dismiss":
            return _dismiss()
        if self._committed:
            raise ValueError("the update is complete, and the board restarts")
        if command == "begin":
            return self._begin(client)
        if client is not self._owner:
            raise ValueError("'begin' comes first")
        if command == "nonce":
            return self._sign()
        if not self._signed:
            raise ValueError("this board needs updates with an HMAC: use newer tools")
        if command == "file":
            return self._begin_file(*arguments)
        if command == "remove":
            return self._remove(*arguments)
        if command == "commit":
            return self._commit(*arguments)
        raise ValueError

    def _begin(self, client):
        """Begin an update; end another client's update, whose connection may be dead."""
        state = _state()
        if state == "todo" or state.startswith("trial"):
            raise ValueError("the last update is still on trial: confirm it first")
        if self._owner not in (None, client):
            self._owner.close(_TAKEN_OVER, "another client has taken over the update")
        self._discard()
        if state:  # first: without it, the remaining files are useless
            os.remove("/update/" + state)
        begun = ticks_ms()
        while _remove_one("/update"):
            if ticks_diff(ticks_ms(), begun) >= _CLEANING:
                return -1
        self._owner = client  # not before: all files in /update/new are part of the update
        return max(0, _free() - _SPARE)

    def _sign(self):
        """Return a new nonce, and begin the HMAC with it: only once, or it would not cover all."""
        if self._signed:
            self._discard()
            raise ValueError("a second nonce: the update is discarded")
        nonce = str(binascii.hexlify(os.urandom(16)), "ascii")
        self._signed = hashlib.sha256(self._key(0x36))
        self._signed.update(("esp32-ws update %d %s\n" % (_HMAC, nonce)).encode())
        return nonce

    def _key(self, mask):
        """Return the password as a block of SHA-256, with all bytes changed (RFC 2104)."""
        key = self._password.encode()
        return bytes([byte ^ mask for byte in key + bytes(_BLOCK - len(key))])

    def _begin_file(self, path, size, digest):
        _replaceable(path)
        if type(size) is not int or size < 0:
            raise ValueError("size: must be a whole number, 0 or more")
        # strip() leaves every other character.
        if not isinstance(digest, str) or len(digest) != 64 or digest.strip("0123456789abcdef"):
            raise ValueError("hash: must be 64 hex digits in lower case")
        self._close_file()
        if path not in self._incomplete:
            self._incomplete.append(path)
        if _free() - _SPARE < size:
            raise ValueError("the flash is full")
        _make_folders(_NEW + path)
        self._file = open(_NEW + path, "wb")
        self._path = path
        self._digest = digest
        self._left = size
        # Last: if memory runs out before, the command may be repeated.
        self._signed.update(("file %d %s %s\n" % (size, digest, path)).encode())
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
        self._incomplete.remove(path)
        return 0

    def _remove(self, path):
        _removable(path)
        if self._file and self._path == path:
            self._close_file()
        if path in self._incomplete:
            self._incomplete.remove(path)
        if _exists(_NEW + path):
            os.remove(_NEW + path)
        # Lines in small buffers: a list of 140 paths would take 14 KB on a 64-bit board, 1.1 KB of
        # it in one piece.
        line = ("\n%s\n" % path).encode()
        for removed in self._removed:
            if removed.find(line) >= 0:
                break
        else:
            if not self._removed or len(self._removed[-1]) + len(line) > _PIECE:
                self._removed.append(bytearray())
            self._removed[-1].extend(line)
        self._signed.update(("remove %s\n" % path).encode())
        return 0

    def _paths(self, kind):
        """Yield the paths of the files that are "new", "changed" or "gone"."""
        if kind != "gone":
            for path in _files(_NEW):
                if _exists(path) == (kind == "changed"):
                    yield path
            return
        for removed in self._removed:
            start = 1
            while start < len(removed):
                end = removed.find(b"\n", start)
                path = str(removed[start:end], "utf-8")
                if not _exists(_NEW + path):  # else it was sent later
                    yield path
                start = end + 2

    def _discard(self):
        """Forget the update: its files in /update/new are not installed."""
        self._owner = self._signed = None
        self._incomplete = []
        self._removed = []
        self._close_file()

    def _close_file(self):
        if self._file:
            self._file.close()
            self._file = None

    def _commit(self, seconds, mac=None):
        if self._incomplete:
            raise ValueError("%s is not complete" % self._incomplete[0])
        if type(seconds) is not int or not 1 <= seconds <= 900:
            raise ValueError("seconds: must be a whole number from 1 to 900")
        self._check(seconds, mac)
        _make_folders(_NEW)
        atomic.write("/update/todo", lambda: self._todo(seconds))
        self._committed = True
        self._server.after(_DELAY, self._restart)
        return 0

    def _check(self, seconds, mac):
        """End the update unless its HMAC is right. Raises ValueError if it is not."""
        self._owner = None  # each nonce is good for one attempt
        inner = self._signed
        inner.update(("commit %d\n" % seconds).encode())
        outer = hashlib.sha256(self._key(0x5C))
        outer.update(inner.digest())
        if mac != str(binascii.hexlify(outer.digest()), "ascii"):
            self._discard()
            self._server.log(WARNING, "update: refused, its HMAC is wrong")
            raise ValueError("the HMAC is wrong: the update was changed on its way")

    def _todo(self, seconds):
        """Yield the JSON for `failsafe.rollback` in pieces, which need no large block."""
        yield b'{"seconds": %d' % seconds
        for kind in ("new", "changed", "gone"):
            yield (', "%s": [' % kind).encode()
            separator = b""
            for path in self._paths(kind):
                yield separator
                yield json.dumps(path).encode()
                separator = b","
            yield b"]"
        yield b"}"

    def _restart(self):
        lazy.load("admin.restart").soon(self._server)

    def _confirm(self):
        """Confirm the update on trial, after it has served this client for a while."""
        if not _state().startswith("trial"):
            raise ValueError("no update is on trial")
        if self._confirming is None:
            self._confirming = ticks_ms()
        left = _PROVEN - ticks_diff(ticks_ms(), self._confirming)
        if left > 0:
            return left // 1000 + 1
        lazy.call("admin.confirm", "confirm_update")
        return 0


endpoint = UpdateEndpoint  # LazyEndpoint calls this


def _parsed(message):
    """Return a command as a list. Raises ValueError without a text."""
    try:
        if message.count("{") + message.count("[") > _MAX_BRACKETS:
            raise ValueError
        command = json.loads(message)
    except ValueError:
        command = None
    if not isinstance(command, list) or not command:
        raise ValueError
    return command


def _dismiss():
    """End the state after a rollback: an admin has seen it."""
    if _state() == "undone":
        os.remove("/update/undone")
    return 0


def _state():
    """Return failsafe.rollback.state(): that module would take 4 KB."""
    if _exists("/update"):
        for name in os.listdir("/update"):
            if name in ("todo", "undo", "undone") or name.startswith("trial-"):
                return name
    return ""


def _exists(path):
    try:
        os.stat(path)
        return True
    except OSError:
        return False


def _make_folders(path):
    at = path.find("/", 1)
    while at > 0:
        if not _exists(path[:at]):
            os.mkdir(path[:at])
        at = path.find("/", at + 1)


def _free():
    values = os.statvfs("/")
    return values[0] * values[3]


def _files(folder):
    """Yield the paths of all files below a folder, relative to /update/new."""
    if _exists(folder):
        for entry in os.ilistdir(folder):
            path = folder + "/" + entry[0]
            if entry[1] & 0x4000:
                yield from _files(path)
            else:
                yield path[len(_NEW) :]


def _remove_one(folder):
    """Remove one file or empty folder below a folder. Return whether there was one.

    Not recursive: folders may be deep, and memory is short.
    """
    path = folder
    while True:
        try:
            names = os.listdir(path)
        except OSError:  # there is no folder
            return False
        if not names:
            if path == folder:
                return False
            os.rmdir(path)
            return True
        path += "/" + names[0]
        if not os.stat(path)[0] & 0x4000:
            os.remove(path)
            return True


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
    except (OSError, OverflowError):
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
        raise ValueError("%s would hide a module of the firmware, or is not one of them" % path)


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
        raise ValueError("%s cannot be part of an update" % path)
    # No control characters, no backslash, nothing that the flash cannot store.
    if len(path) > 200 or any(byte < 32 or byte == 92 for byte in path.encode()):
        raise ValueError("invalid file name")
    return path
