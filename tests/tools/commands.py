"""Run `python -m tools COMMAND` in a process of its own."""

import subprocess
import sys

from tools import ROOT


def start(*arguments, prefix=(), **options):
    """Return the process of a command. prefix: what starts it. options: of Popen."""
    command = [*prefix, sys.executable, "-u", "-m", "tools", *map(str, arguments)]
    return subprocess.Popen(command, **{"cwd": ROOT, "text": True, **options})


def run(*arguments, typed="", **options):
    """Return (exit status, what it printed, its errors) of a command. typed: its input.

    options: of start().
    """
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with start(*arguments, **pipes, **options) as process:
        try:
            output, errors = process.communicate(typed, timeout=200)
        except BaseException:
            process.kill()
            raise
    return process.returncode, output, errors
