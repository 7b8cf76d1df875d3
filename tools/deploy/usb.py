"""Deploy over USB. A deployment that is cut off anywhere is repaired by the next one."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import re
import stat
from collections.abc import Callable

from tools.board import join, ports, qrcodes
from tools.board.session import BoardError, Session
from tools.board.target import ask
from tools.failure import Failure

from . import inplace
from .files import APPLICATION, CERTIFICATES, CONFIG, FOLDERS
from .inplace import InPlace
from .plan import RECORD, UNFINISHED, Found, Plan, check_space, folders, read_record
from .progress import Progress

_PROMPT = re.compile(r"MicroPython \S+ on \d{4}-")  # the prompt's greeting: main.py has ended
_SAFE_MODE = "application: not started"  # lib/application.py
_CHUNK = 1536  # bytes at a time: their base64 takes 2 KB of the board's heap
_HASHED = 20  # files at a time: their paths take 1 KB of it

# Runs on the board. mpremote's fs_writefile would send the repr of the bytes, which is twice as
# long. File systems differ in whether a rename replaces a file. An update over Wi-Fi that is
# waiting would be mixed with this deployment, so it is cancelled. The settings before an
# unconfirmed change are not restored if starts fail now (lib/failsafe/rollback.py), and not at all
# if this deployment replaces config.json.
_HELPERS = f"""
import binascii, hashlib, os
def _open():
    global _file
    _file = open({UNFINISHED!r}, "wb")
def _write(text):
    _file.write(binascii.a2b_base64(text))
def _rename(path):
    try:
        os.rename({UNFINISHED!r}, path)
    except OSError:
        os.remove(path)
        os.rename({UNFINISHED!r}, path)
def _hash(*paths):
    buffer = memoryview(bytearray(512))
    for path in paths:
        found = hashlib.sha256()
        with open(path, "rb") as file:
            count = 1
            while count:
                count = file.readinto(buffer)
                found.update(buffer[:count])
        print(binascii.hexlify(found.digest()).decode())
def _date_settings(replaces):
    for name in os.listdir("/"):
        if name.startswith("config.undo-"):
            if replaces:
                os.remove("/" + name)
            elif name[12] != "0" and not name.endswith(".new"):
                os.rename("/" + name, "/config.undo-0" + name[12:])
def _cancel_update():
    for folder in ("/update", ""):
        try:
            names = os.listdir(folder or "/")
        except OSError:
            continue
        for name in names:
            if name.split("-")[0] in ("todo", "trial", "undo", "failed"):
                os.remove(folder + "/" + name)
"""


class UsbTransport:
    """Change a board's files at its prompt. See deployment.Transport."""

    sends_missing = True
    fixed: tuple[str, ...] = ()

    def __init__(self, port: str):
        self.name = ports.choose(port)
        self._session = Session(self.name)

    def __enter__(self) -> UsbTransport:
        with contextlib.ExitStack() as stack:
            stack.enter_context(self._session)
            self.target = ask(self._session)
            self.in_place = InPlace(*self._session.value(inplace.ASK % (inplace.packages(),)))
            self._session.run(_HELPERS)
            stack.pop_all()
        return self

    def __exit__(self, *arguments) -> None:
        self._session.__exit__(*arguments)

    def look(self, wanted: dict[str, bytes]) -> Found:
        """Return the board's files. Only a file of the wanted size is hashed."""
        sizes = dict(self._list(""))
        hashes = {path: f"{size} bytes" for path, size in sizes.items()}
        same = [path for path in sizes if path in wanted and len(wanted[path]) == sizes[path]]
        for at in range(0, len(same), _HASHED):
            paths = same[at : at + _HASHED]
            hashes.update(zip(paths, self._hash(paths), strict=True))
        record = self._session.file("readfile", RECORD) if RECORD in hashes else b""
        return Found(hashes, read_record(record.decode(errors="replace")))

    def _list(self, folder: str):
        """Yield (path, size) of each file. Folders of the user, or an SD card, are left out."""
        for entry in self._session.file("listdir", folder or "/"):
            path = f"{folder}/{entry.name}"
            if not stat.S_ISDIR(entry.st_mode):
                yield path, entry.st_size
            elif folder or entry.name in (*FOLDERS, APPLICATION, CERTIFICATES):
                yield from self._list(path)

    def _hash(self, paths: list[str]) -> list[str]:
        """Return the hashes of files. The board counts as gone if it is silent during one."""
        return self._session.run(f"_hash(*{paths!r})").split()

    def send(self, todo: Plan, wait: float) -> None:
        """Change the board's files. Raises Failure if a file does not arrive intact."""
        check_space(todo, self.target.free)
        if not todo.copy and not todo.remove and todo.recorded:
            return
        self._session.run("_cancel_update()")
        self._session.run(f"_date_settings({f'/{CONFIG}' in todo.copy})")
        self._write(RECORD, json.dumps(todo.record_meanwhile).encode())
        for folder in folders(list(todo.copy)):
            with contextlib.suppress(OSError, BoardError):  # it exists
                self._session.file("mkdir", folder)
        progress = Progress(list(todo.copy))
        for path, content in todo.copy.items():
            progress(path, 0, len(content))
            self._write(path, content, progress)
        for path in todo.remove:
            print(f"  removing {path}", flush=True)
            with contextlib.suppress(FileNotFoundError):
                self._session.file("rmfile", path)
        for folder in reversed(folders(todo.remove)):
            with contextlib.suppress(OSError, BoardError):  # it is not empty
                self._session.file("rmdir", folder)
        if todo.record != todo.record_meanwhile:
            self._write(RECORD, json.dumps(todo.record).encode())

    def _write(self, path, content, progress=lambda path, done, size: None):
        """Write a new file, compare its hash, and only then give it its name."""
        code = "_open()\n"
        for at in range(0, len(content), _CHUNK):
            code += f"_write({base64.b64encode(content[at : at + _CHUNK])!r})\n"
            if at + _CHUNK < len(content):
                self._session.run(code)
                code = ""
                progress(path, at + _CHUNK, len(content))
        found = self._session.run(code + f"_file.close()\n_hash({UNFINISHED!r})").strip()
        if found != hashlib.sha256(content).hexdigest():
            raise Failure(f"{path} did not arrive intact: run this again")
        self._session.run(f"_rename({path!r})")
        progress(path, len(content), len(content))

    def start(self, wait: float, show: Callable[[str], None]) -> None:
        """Restart the board, print its output until it serves, and show how to join its Wi-Fi."""
        access = join.ask(self._session) if wait else None
        self._session.restart()
        if not wait:
            return
        print("restarting; the board's output:", flush=True)
        self._wait_until_serving(wait, show)
        if access and access.is_access_point:
            qrcodes.show_wifi(access.ssid, access.password, access.hidden)

    def _wait_until_serving(self, seconds: float, show: Callable[[str], None]) -> None:
        is_safe = False
        for line in self._session.lines(seconds):
            show(line)
            is_safe = is_safe or line.startswith(_SAFE_MODE)
            serving = qrcodes.SERVING.search(line)
            if serving and is_safe:
                raise Failure(
                    "all files are on the board, but the application does not start: its output, "
                    "above, shows why; the settings page and `make deploy` work"
                )
            if serving:
                scheme, address, port, path = serving.groups()
                page = scheme.replace("ws", "http")
                tls = "; the same over TLS" if f" and {scheme}s://" in line else ""
                endpoint = "" if path == "/" else f" and {scheme}://{address}:{port}{path}"
                print(f"ready: {page}://{address}:{port}/{endpoint}{tls}")
                return
            if _PROMPT.match(line):
                break
        raise Failure(
            "all files are on the board, but it does not serve: its output, above, shows why; "
            f"`make monitor PORT={self.name}` shows its further output"
        )
