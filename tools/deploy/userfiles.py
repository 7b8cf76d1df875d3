"""The user's files, config.json and certificates: a board keeps its own unless told otherwise."""

from __future__ import annotations

from pathlib import Path

from tools import ROOT, home
from tools.certs import find_problem
from tools.failure import Failure
from tools.settings import explain, parse, rules

from .files import CERTIFICATES, CONFIG, certificates
from .plan import Found

_MAX_BYTES = 4096  # the board reads no larger config.json


def read_config(path: Path, root: Path = ROOT) -> bytes:
    """Return the content of a config.json.

    Raises Failure if it cannot be read or the board would not accept it.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Failure(f"CONFIG={path} cannot be read: {error.strerror}") from None
    try:
        _, problems = rules(root).validate(parse(data))
    except (ValueError, RecursionError) as error:
        raise Failure(f"{path} is not JSON: {error}") from None
    if len(data) > _MAX_BYTES:
        problems = [f"is over {_MAX_BYTES} bytes long"]
    if problems:
        raise Failure(
            f"{path}: {explain(problems[0])}: correct it, or make a new one with `make config`"
        )
    return data


def read_certificates(folder: Path, needed: bool) -> dict[str, bytes]:
    """Return {path on the board: content} of the certificates in a folder.

    needed: raise Failure if there are none, or if one is bad. Otherwise return none if one is bad.
    """
    ours = {path: file.read_bytes() for path, file in certificates(folder).items()}
    if needed and not ours:
        raise Failure(f"CERTS=1: there are no certificates in {folder}: make certs makes them")
    problem = find_problem(folder) if ours else ""  # the board loads them unchecked
    if problem and needed:
        raise Failure(f"CERTS=1: {problem}")
    return {} if problem else ours


def requested(config: Path | None, certs: bool, root: Path = ROOT) -> dict[str, bytes]:
    """Return {path on the board: content} of the files that the user asked to replace."""
    files = {f"/{CONFIG}": read_config(config, root)} if config else {}
    return {**files, **(read_certificates(home(root) / CERTIFICATES, True) if certs else {})}


def here(config: Path | None, root: Path = ROOT) -> dict[str, bytes]:
    """Return {path on the board: content} of all the user's files on this computer."""
    file = config or home(root) / CONFIG
    files = {f"/{CONFIG}": file.read_bytes()} if file.is_file() else {}
    return {**files, **read_certificates(home(root) / CERTIFICATES, False)}


def to_send(
    found: Found, config: Path | None, certs: bool, missing: bool, root: Path = ROOT
) -> tuple[dict[str, bytes], list[str]]:
    """Return ({path on the board: content} of the user's files to send, notes about the others).

    config: send this file as config.json. certs: send certs/. missing: send also what the board
    does not have.
    """
    files, notes = requested(config, certs, root), []
    ours = here(config, root)
    settings = {path: data for path, data in ours.items() if path == f"/{CONFIG}"}
    keys = {path: data for path, data in ours.items() if path != f"/{CONFIG}"}
    has_keys = any(path.startswith(f"/{CERTIFICATES}/") for path in found.hashes)
    if not config and settings and missing and f"/{CONFIG}" not in found.hashes:
        files[f"/{CONFIG}"] = read_config(home(root) / CONFIG, root)
    elif not config and found.differ(settings):
        notes.append(f"the board's {CONFIG} is kept; CONFIG={CONFIG} replaces it by yours")
    if not certs and certificates(home(root) / CERTIFICATES) and not keys:
        notes.append(f"your certificates are not sent: {find_problem(home(root) / CERTIFICATES)}")
    elif not certs and missing and not has_keys:
        files.update(keys)
    elif not certs and has_keys and found.lacks(keys):
        notes.append("the board's certificates are kept; CERTS=1 replaces them by yours")
    return files, notes
