"""`make deploy`: one procedure for both transports, USB and Wi-Fi."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tools import ROOT
from tools.board import table
from tools.board.sources import source_of
from tools.board.target import Target
from tools.failure import Failure, spelled, warn

from . import application, modules, plan, userfiles
from .application import Application
from .build import build
from .files import PROGRAMS, firmware
from .inplace import InPlace
from .plan import Found, Plan


@dataclass(frozen=True)
class Options:
    """What to deploy, and where.

    port: a serial port, "" for the only one. host: an address, for Wi-Fi. ca: the certificate
    authority for wss://. source: copy lib/ as .py. config: replace the board's config.json by this
    file. certs: replace its certificates. wait: seconds to wait for the start, 0 not to wait.
    root: the folder with boot.py and lib/. app: the application to install, a Path; "demo" removes
    the one on the board, and None keeps it.
    """

    port: str = ""
    host: str = ""
    ca: Path | None = None
    source: bool = False
    config: Path | None = None
    certs: bool = False
    wait: float = 60
    root: Path = ROOT
    app: Path | None = None


class Transport(Protocol):
    """A connection to a board that can change its files. Every method may raise Failure.

    name: the port or URL. sends_missing: whether the user's files are sent to a board that has
    none. fixed: the paths, or folders that end with a slash, that it cannot change. in_place: the
    firmware's packages that no file in /lib can replace.
    """

    name: str
    target: Target
    in_place: InPlace
    sends_missing: bool
    fixed: tuple[str, ...]

    def look(self, wanted: dict[str, bytes]) -> Found:
        """Return the board's files, with hashes of those that are wanted."""

    def send(self, todo: Plan, wait: float) -> None:
        """Change the board's files. wait: seconds that the next start may take."""

    def start(self, wait: float, show: Callable[[str], None]) -> None:
        """Start the new firmware and wait until it serves. show(line): prints its output."""


def deploy(options: Options) -> None:
    """Deploy to the board at options.port, or options.host. Raises Failure if it is impossible."""
    if options.port and options.host:
        raise Failure("PORT is for USB and HOST for Wi-Fi: give one of them")
    # Before anything is changed:
    userfiles.requested(options.config, options.certs, options.root)
    app = application.find(options.app, options.root) if options.app else None
    if app:
        modules.check(app, options.root)
    with _connect(options) as board:
        target = board.target
        print(f"{board.name}: MicroPython {target.version}, {target.machine}", flush=True)
        outdated = table.outdated(target.chip, target.version, table.load())
        if outdated:
            warn(outdated)
        todo, unchanged = _plan(board, options, app)
        board.send(todo, options.wait)
        print(
            f"{len(todo.copy)} files copied, {len(todo.remove)} removed, {unchanged} unchanged",
            flush=True,
        )
        board.start(options.wait, lambda line: _show(line, app))


def _show(line: str, app: Application | None) -> None:
    """Print a line of the board's output, and the source of a line of a traceback."""
    print(f"  | {line}", flush=True)
    source = source_of(line, find=app.source) if app else None
    if source:
        print(f"  |     -> {source}", flush=True)


def _connect(options: Options):
    if options.host:
        from .wifi import WifiTransport

        return WifiTransport(options.host, options.ca)
    from .usb import UsbTransport

    return UsbTransport(options.port)


def _plan(board: Transport, options: Options, app: Application | None) -> tuple[Plan, int]:
    """Return (the changes, the number of files that stay as they are)."""
    files = {**firmware(options.root), **(app.files if app else {})}
    files = {path: file for path, file in files.items() if not board.in_place.has(path)}
    wanted = build(files, board.target, options.source, warn)
    entries = application.ON_BOARD if app else frozenset()
    asked = {**dict.fromkeys(entries, b""), **wanted}
    found = board.look({**asked, **userfiles.here(options.config, options.root)})
    extra, notes = userfiles.to_send(
        found, options.config, options.certs, board.sends_missing, options.root
    )
    for note in (*board.in_place.notes(options.root), *notes):
        print(spelled(note))
    kept = frozenset() if app else found.below(application.FOLDER)
    if kept:
        print(spelled("the application on the board is kept; APP=demo removes it"))
    if board.in_place.differs(options.root):  # they belong to the version of lib/
        programs = {f"/{name}" for name in PROGRAMS} & set(found.hashes)
        kept |= programs & found.deployed
        wanted = {path: data for path, data in wanted.items() if path not in programs}
    # Hidden files in /lib are removed, except those that cannot be.
    kept |= {
        path
        for path in found.below("/lib/")
        if board.in_place.has(path) and _is_fixed(path, board.fixed)
    }
    todo = plan.make(wanted, found, kept, entries)
    fixed = [path for path in (*todo.copy, *todo.remove) if _is_fixed(path, board.fixed)]
    if fixed:
        warn(
            f"{', '.join(fixed)}: different here, but only replaced over USB "
            "(make deploy PORT=...); all other files are updated"
        )
    copy = {path: content for path, content in todo.copy.items() if path not in fixed}
    copy.update(found.lacks(extra))
    remove = [path for path in todo.remove if path not in fixed]
    unchanged = len(wanted) + len(extra) - len(copy) - len(set(fixed) & set(todo.copy))
    return Plan(copy, remove, todo.record, todo.record_meanwhile, todo.recorded), unchanged


def _is_fixed(path: str, fixed: tuple[str, ...]) -> bool:
    return any(path == name or name[-1] == "/" and path.startswith(name) for name in fixed)
