"""make deploy HOST=...: the same over Wi-Fi, through the server itself.

Nothing that runs is touched before all is there; the board installs it at its next start, and
takes it back if that does not succeed: lib/failsafe/rollback.py.
"""

from __future__ import annotations

import argparse
import getpass
import json
import os
import sys
import time
from collections.abc import Iterable

from tools.boards import table
from tools.failure import Failure, warn
from tools.flashfiles import firmware

from . import own, plan
from .build import build
from .progress import Progress
from .remote import Remote, Unreachable, address
from .transfer import check_room

# What brings an update back that does not start is not itself replaced by one.
FIXED = ("/boot.py", "/lib/failsafe/")
_STARTS = 3  # that a board tries a new version
_PROOF = 15  # seconds of serving until it counts as good, and some


def deploy(options: argparse.Namespace) -> None:
    """Deploy to the board at options.host. Failure: what stood in the way."""
    own.named(options.config, options.certs, options.root)  # before anything is touched
    url = address(options.host, options.ca)
    password = _password(url)
    with Remote(url, password, options.ca) as board:
        target = board.target
        print(f"{url}: MicroPython {target.version}, {target.machine}", flush=True)
        outdated = table.outdated(target.chip, target.version, table.load())
        if outdated:
            warn(outdated)
        if board.about["state"].startswith("trial"):
            _confirm(board)  # of an earlier deployment that did not wait for it
        todo, kept = _plan(board, options)
        if not todo.copy and not todo.remove:
            print(f"0 files copied, 0 removed, {kept} unchanged", flush=True)
            return
        _send(board, todo)
        board.ask("commit", _seconds(options))
    print(
        f"{len(todo.copy)} files copied, {len(todo.remove)} removed, {kept} unchanged; restarting",
        flush=True,
    )
    if options.wait:
        _wait_until_confirmed(url, password, options)
    else:
        print(
            "the board rolls back if nothing confirms the new version within three minutes: "
            "run this again to confirm it"
        )


def _password(url: str) -> str:
    given = os.environ.get("ADMIN_PASSWORD")
    if given:
        return given
    if not sys.stdin.isatty():
        raise Failure("the admin's password is needed: set ADMIN_PASSWORD")
    how = "" if url.startswith("wss") else ", which goes there unencrypted"
    return getpass.getpass(f"password of the admin at {url}{how}: ")


def _plan(board: Remote, options: argparse.Namespace) -> tuple[plan.Plan, int]:
    """(what is to do, how many files stay as they are)."""
    wanted = build(firmware(options.root), board.target, options.source, warn)
    deployed = plan.read_record(board.read(plan.RECORD).decode(errors="replace"))
    extra = own.named(options.config, options.certs, options.root)
    found = plan.Found(_hashes(board, {*wanted, *extra, *plan.twins(wanted), *deployed}), deployed)
    todo = plan.make(wanted, found)
    fixed = [path for path in (*todo.copy, *todo.remove) if path.startswith(FIXED)]
    if fixed:
        warn(
            f"{', '.join(fixed)}: not as here, and only replaced over USB (make deploy PORT=...); "
            "all else is updated"
        )
    copy = {path: content for path, content in todo.copy.items() if path not in fixed}
    copy.update(found.lacks(extra))
    kept = len(wanted) + len(extra) - len(copy) - len(set(fixed) & set(todo.copy))
    remove = [path for path in todo.remove if path not in fixed]
    if not todo.recorded and (copy or remove):  # by itself, it is no reason to restart
        copy[plan.RECORD] = json.dumps(todo.record).encode()
    return plan.Plan(copy, remove, todo.record, todo.record_meanwhile, todo.recorded), kept


def _hashes(board: Remote, paths: Iterable[str]) -> dict[str, str]:
    found = {path: board.ask("hash", path) for path in sorted(paths)}
    return {path: digest for path, digest in found.items() if digest}


def _send(board: Remote, todo: plan.Plan) -> None:
    while (free := board.ask("begin")) < 0:
        pass  # it removes what is left of the last time
    check_room(todo, free)
    progress = Progress(list(todo.copy))
    for path, content in todo.copy.items():
        board.send(path, content, progress)
    for path in todo.remove:
        print(f"  removing {path}", flush=True)
        board.ask("remove", path)


def _confirm(board: Remote) -> None:
    """Confirm the update on trial: the board needs to serve this connection for a while."""
    while left := board.ask("confirm"):
        time.sleep(min(left, 1))


def _seconds(options: argparse.Namespace) -> int:
    """How long the new version may take until it serves, before the board restarts."""
    return min(900, max(1, int(options.wait or 60)))


def _wait_until_confirmed(url: str, password: str, options: argparse.Namespace) -> None:
    """Wait until the board serves, and confirm the update. Raises Failure if it rolls back."""
    end = time.monotonic() + (_STARTS + 1) * (options.wait + _PROOF)
    while time.monotonic() < end:
        time.sleep(0.5)
        try:
            with Remote(url, password, options.ca, patience=5) as board:
                state = board.about["state"]
                if state.startswith("trial"):
                    print("it serves; 10 seconds until it can be confirmed", flush=True)
                    _confirm(board)
                    state = ""
                log = board.read("/crash.log") if state == "undone" else b""
        except Unreachable:
            continue
        if not state:
            print("ready: the new version serves")
            return
        if state == "undone":
            print("/crash.log ends with:")
            print("\n".join(f"  | {line}" for line in log.decode().splitlines()[-20:]))
            raise Failure("the new version did not start: the board runs the one before it again")
    raise Failure(
        "the board does not answer: join its Wi-Fi again and look at its page; if it is not "
        "there, its log says why (make monitor)"
    )
