"""Carries a plan out on a board. It may be cut off anywhere: the next one repairs it."""

from __future__ import annotations

import ast
import binascii
import contextlib
import hashlib
import json
from collections.abc import Callable

from tools.failure import Failure
from tools.flashfiles import CERTIFICATES, FOLDERS
from tools.serialport.session import BoardError, Session

from .plan import RECORD, UNFINISHED, Found, Plan, folders, read_record

# What the board does of it. A file is written aside, compared with what was sent, and only then
# given its name. The file systems differ in whether a rename replaces. Folders of the user's own
# (an SD card may be one) are not looked into.
_TOOLS = f"""
import binascii, errno, hashlib, os
def _hash(path):
    digest, buffer = hashlib.sha256(), bytearray(512)
    view = memoryview(buffer)
    with open(path, "rb") as file:
        while True:
            count = file.readinto(buffer)
            if not count:
                return binascii.hexlify(digest.digest()).decode()
            digest.update(view[:count])
def _walk(folder):
    for entry in os.ilistdir(folder or "/"):
        path = folder + "/" + entry[0]
        if not entry[1] & 0x4000:
            print(repr((path, _hash(path))))
        elif folder or entry[0] in {(*FOLDERS, CERTIFICATES)!r}:
            _walk(path)
def _begin():
    global _file
    _file = open({UNFINISHED!r}, "wb")
def _more(text):
    _file.write(binascii.a2b_base64(text))
def _end(path, digest):
    _file.close()
    if _hash({UNFINISHED!r}) != digest:
        print("damaged")
        return
    try:
        os.rename({UNFINISHED!r}, path)
    except OSError:
        os.remove(path)
        os.rename({UNFINISHED!r}, path)
def _forget():
    for folder in ("/update", ""):
        try:
            names = os.listdir(folder or "/")
        except OSError:
            continue
        for name in names:
            if name.split("-")[0] in ("todo", "trial", "undo", "failed"):
                os.remove(folder + "/" + name)
def _remove(path):
    try:
        os.remove(path)
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise
"""
_CHUNK = 1536  # bytes at a time: their base64 takes 2 KB of the board's heap
_BLOCK = 4096  # the flash's unit


class Store:
    """The files of a board."""

    def __init__(self, session: Session):
        self._session = session
        session.run(_TOOLS)

    def look(self) -> Found:
        """What is there."""
        printed = self._session.run("_walk('')")
        hashes = dict(ast.literal_eval(line) for line in printed.splitlines())
        record = self._session.read(RECORD).decode(errors="replace") if RECORD in hashes else ""
        return Found(hashes, read_record(record))

    def carry_out(
        self,
        plan: Plan,
        copying: Callable[[str, int, int], None],
        removing: Callable[[str], None],
    ) -> None:
        """Make the files what the plan wants.

        copying(path, done, size): so many of a file's bytes are on the board. Failure: a file did
        not arrive as it was sent, or the board has gone.
        """
        if not plan.copy and not plan.remove and plan.recorded:
            return
        # An update over Wi-Fi that is not done with would be mixed with this one.
        self._session.run("_forget()")
        self._write(RECORD, json.dumps(plan.record_meanwhile).encode())
        for folder in folders(list(plan.copy)):
            self._try(f"os.mkdir({folder!r})")
        for path, content in plan.copy.items():
            copying(path, 0, len(content))
            self._write(path, content, copying)
        for path in plan.remove:
            removing(path)
            self._session.run(f"_remove({path!r})")
        for folder in reversed(folders(plan.remove)):
            self._try(f"os.rmdir({folder!r})")  # which only takes an empty one
        if plan.record != plan.record_meanwhile:
            self._write(RECORD, json.dumps(plan.record).encode())

    def _write(self, path, content, copying=lambda path, done, size: None):
        orders = "_begin()\n"  # as few as possible: each costs a round trip
        for at in range(0, len(content), _CHUNK):
            piece = content[at : at + _CHUNK]
            orders += f"_more({binascii.b2a_base64(piece, newline=False)!r})\n"
            if at + _CHUNK < len(content):
                self._session.run(orders)
                orders = ""
                copying(path, at + _CHUNK, len(content))
        orders += f"_end({path!r}, {hashlib.sha256(content).hexdigest()!r})"
        if self._session.run(orders):
            raise Failure(f"{path} did not arrive as it was sent: run this again")
        copying(path, len(content), len(content))

    def _try(self, code):
        with contextlib.suppress(BoardError):
            self._session.run(code)


def check_room(plan: Plan, free: int) -> None:
    """Failure: the flash does not hold what is to be copied."""
    needed = sum(len(content) // _BLOCK * _BLOCK + 2 * _BLOCK for content in plan.copy.values())
    if needed > free:
        raise Failure(
            f"the board's flash has {free // 1024} KB free, and up to {needed // 1024} KB are "
            "needed: remove files of your own from it, or erase it (make flash)"
        )
