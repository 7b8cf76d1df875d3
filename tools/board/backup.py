"""`make backup`: copy every file of a board to this computer."""

from __future__ import annotations

import ast
import contextlib
import time
from pathlib import Path

from tools.failure import Failure, Interrupted

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

    The new folder has the board's MAC and the time in its name, and "incomplete" until it has all
    files. Only its owner may read it: it holds passwords and keys. The board restarts in any case.

    Raises Failure if the folder cannot be written or the board does not answer.
    """
    with Session(ports.choose(port)) as session:
        try:
            name = f"{ask(session).mac.replace(':', '')}-{time.strftime('%Y%m%d-%H%M%S')}"
            fresh = folder / f"{name}-incomplete"
            fresh.mkdir(parents=True, mode=0o700)
            for line in session.run(_LIST).splitlines():
                path = ast.literal_eval(line)
                print(f"  {path}", flush=True)
                _write(fresh, path, session.file("readfile", path, 768))
            fresh.rename(folder / name)
        except OSError as error:
            raise Failure(f"{error.filename or error}: {error.strerror}") from None
        except KeyboardInterrupt:
            raise Interrupted(
                "interrupted: the backup is incomplete, the board restarts"
            ) from None
        finally:
            with contextlib.suppress(Failure):
                session.restart()
    return folder / name


def _write(folder: Path, path: str, content: bytes) -> None:
    file = folder / path.lstrip("/")
    if not file.resolve().is_relative_to(folder.resolve()):
        raise Failure(f"the board has a file with the impossible name {path}")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
