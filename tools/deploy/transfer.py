"""Carries a plan out on a board. It may be cut off anywhere: the next one repairs it."""

from __future__ import annotations

import ast
import contextlib
import hashlib
import json
from collections.abc import Callable

from tools.failure import Failure
from tools.serialport.session import BoardError, Session

from .plan import RECORD, UNFINISHED, Found, Plan, folders, read_record

# Prints (path, SHA-256) of every file of the firmware, its own files among them.
_HASHES = """
import os, hashlib, binascii
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
        if entry[1] & 0x4000:
            _walk(path)
        else:
            print(repr((path, _hash(path))))
"""
_RENAME = """
import os
try:
    os.rename({new!r}, {path!r})
except OSError:
    os.remove({path!r})
    os.rename({new!r}, {path!r})
"""
_REMOVE = """
import os, errno
try:
    os.remove({path!r})
except OSError as error:
    if error.errno != errno.ENOENT:
        raise
"""
_BLOCK = 4096  # the flash's unit


def look(session: Session) -> Found:
    """What is on the board."""
    printed = session.run(_HASHES + "_walk('')")
    hashes = dict(ast.literal_eval(line) for line in printed.splitlines())
    record = session.read(RECORD).decode(errors="replace") if RECORD in hashes else ""
    return Found(hashes, read_record(record))


def check_room(plan: Plan, free: int) -> None:
    """Failure: the flash does not hold what is to be copied."""
    needed = sum(len(content) // _BLOCK * _BLOCK + 2 * _BLOCK for content in plan.copy.values())
    if needed > free:
        raise Failure(
            f"the board's flash has {free // 1024} KB free, and up to {needed // 1024} KB are "
            "needed: remove files of your own from it, or erase it (make flash)"
        )


def carry_out(
    session: Session,
    plan: Plan,
    copying: Callable[[str, int, int], None],
    removing: Callable[[str], None],
) -> None:
    """Make the board's files what the plan wants.

    copying(path, done, size): so many of a file's bytes are on the board. Failure: a file did not
    arrive as it was sent, or the board has gone.
    """
    if not plan.copy and not plan.remove and plan.recorded:
        return
    _write(session, RECORD, json.dumps(plan.record_meanwhile).encode())
    for folder in folders(list(plan.copy)):
        _quietly(session, f"os.mkdir({folder!r})")
    for path, content in plan.copy.items():
        copying(path, 0, len(content))
        _write(session, path, content, copying)
    for path in plan.remove:
        removing(path)
        session.run(_REMOVE.format(path=path))
    for folder in reversed(folders(plan.remove)):
        _quietly(session, f"os.rmdir({folder!r})")  # which only takes an empty one
    if plan.record != plan.record_meanwhile:
        _write(session, RECORD, json.dumps(plan.record).encode())


def _write(session, path, content, copying=lambda path, done, size: None):
    """Write a file aside, compare it with what was sent, and give it its name."""
    for done in session.write(UNFINISHED, content):
        copying(path, done, len(content))
    if session.value(_HASHES + f"print(repr(_hash({UNFINISHED!r})))") != (
        hashlib.sha256(content).hexdigest()
    ):
        raise Failure(f"{path} did not arrive as it was sent: run this again")
    session.run(_RENAME.format(new=UNFINISHED, path=path))


def _quietly(session, code):
    with contextlib.suppress(BoardError):
        session.run(f"import os\n{code}")
