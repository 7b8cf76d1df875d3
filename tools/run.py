"""`python -m tools.run MODULE ARGUMENTS...`: as `python -m MODULE ARGUMENTS...`, for make.

Make is a poor parent of a program that runs until it is stopped. A SIGINT sent to make alone is
not passed on, and make waits forever; when make is killed, the program goes on; and Ctrl-C, which
reaches both, has make report an error although the program ended as it should. Here the program

- has the terminal to itself, if there is one: Ctrl-C ends it, and make ends with its exit status;
- is sent SIGTERM when make is gone, or waits to die of a signal, and when the terminal is closed.
"""

from __future__ import annotations

import contextlib
import os
import re
import runpy
import signal
import sys
import threading
import time
from pathlib import Path

_DEADLY = (signal.SIGINT, signal.SIGTERM)


def main() -> None:
    """Run the module that the command line names, in this process."""
    if len(sys.argv) < 2:
        sys.exit("usage: python -m tools.run MODULE [ARGUMENTS...]")
    # Looked at before the program says anything: a signal may follow at once.
    parent = os.getppid()
    threading.Thread(target=_end_with, args=(parent, _caught(parent)), daemon=True).start()
    signal.signal(signal.SIGHUP, lambda number, frame: os.kill(os.getpid(), signal.SIGTERM))
    del sys.argv[0]
    with _terminal():
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


def _end_with(parent: int, before: int) -> None:
    """Send this process SIGTERM once `parent` is gone or dying, and caught `before` no more."""
    while os.getppid() == parent and _caught(parent) & before == before:
        time.sleep(0.1)
    os.kill(os.getpid(), signal.SIGTERM)


def _caught(pid: int) -> int:
    """The deadly signals that a process has a handler for, as bits.

    Make's handler takes itself off before it waits for us. 0 where the system does not tell: only
    Linux does.
    """
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = re.search(r"^SigCgt:\s*([0-9a-f]+)$", status, flags=re.M)
    caught = int(found.group(1), 16) if found else 0
    return caught & sum(1 << number - 1 for number in _DEADLY)


@contextlib.contextmanager
def _terminal():
    """Become the terminal's foreground process group, if make's is: what is typed is then ours."""
    terminal, parent = 0, os.getpgrp()
    if not os.isatty(terminal) or os.tcgetpgrp(terminal) != parent:
        yield
        return
    os.setpgid(0, 0)
    # Ctrl-Z would stop this process but not make, which the shell waits for.
    signal.signal(signal.SIGTSTP, signal.SIG_IGN)
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # else we could not hand the terminal over
    os.tcsetpgrp(terminal, os.getpgrp())
    try:
        yield
    finally:
        os.tcsetpgrp(terminal, parent)


if __name__ == "__main__":
    main()
