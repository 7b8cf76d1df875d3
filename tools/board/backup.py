"""`make backup`: copy every file of a board to this computer."""

from __future__ import annotations

import ast
import time
from pathlib import Path

from tools.failure import Failure

from . import ports
from .session import Session
from .target import ask

# mpremote's own listing does not tell a mounted file system, such as an SD card, from a folder.
_LIST = """
import os
def _walk(folder):
    for entry in os.ilistdir(folder or "/"):
        path = folder + "/" + entry[0]
        if not entry[1] & 0x4000:
            print(repr(path))
        elif len(entry) > 3 or entry[2]:  # else another file system is mounted there
            _walk(path)
_walk("")
"""


def backup(port: str, folder: Path) -> Path:
    """Copy a board's files to a new folder in `folder` and return its path.

    The new folder has the board's MAC and the time in its name. Only its owner may read it: it
    holds passwords and keys.

    Raises Failure if the folder cannot be written or the board does not answer.
    """
    with Session(ports.choose(port)) as session:
        name = f"{ask(session).mac.replace(':', '')}-{time.strftime('%Y%m%d-%H%M%S')}"
        target = folder / name
        try:
            target.mkdir(parents=True, mode=0o700)
            for line in session.run(_LIST).splitlines():
                path = ast.literal_eval(line)
                print(f"  {path}", flush=True)
                _write(target, path, session.file("readfile", path, 768))
        except OSError as error:
            raise Failure(f"{error.filename or error}: {error.strerror}") from None
        session.restart()
    return target


def _write(folder: Path, path: str, content: bytes) -> None:
    file = folder / path.lstrip("/")
    if not file.resolve().is_relative_to(folder.resolve()):
        raise Failure(f"the board has a file with the impossible name {path}")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
