"""The board's own files: config.json and certificates. What a board has is kept unless told to."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

from tools.failure import Failure
from tools.flashfiles import CERTIFICATES, CONFIG, ROOT, certificates

from .plan import Found

_MOST_BYTES = 4096  # what lib/config/loader.py reads


def rules(root: Path = ROOT) -> ModuleType:
    """lib/config/schema.py, the board's own rules for config.json, which run here as well."""
    spec = importlib.util.spec_from_file_location("schema", root / "lib" / "config" / "schema.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read_config(path: Path, root: Path = ROOT) -> bytes:
    """A config.json as it is. Failure: it cannot be read, or the board would not take it."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Failure(f"CONFIG={path} cannot be read: {error.strerror}") from None
    try:
        _, problems = rules(root).validate(json.loads(data.decode("utf-8-sig")))
    except (ValueError, RecursionError) as error:
        raise Failure(f"{path} is not JSON: {error}") from None
    if len(data) > _MOST_BYTES:
        problems = [f"is over {_MOST_BYTES} bytes long"]
    if problems:
        raise Failure(f"{path}: {problems[0]}: correct it, or make it anew with `make config`")
    return data


def to_send(
    found: Found, config: Path | None, certs: bool, root: Path = ROOT
) -> tuple[dict[str, bytes], list[str]]:
    """({path on the board: content} of the board's own files that are to be sent, notes).

    Sent is what the board has none of. config: send this file as its config.json in any case;
    certs: send certs/ in any case.
    """
    files, notes = {}, []
    here, there = config or root / CONFIG, f"/{CONFIG}"
    if config or (here.exists() and there not in found.hashes):
        files[there] = read_config(here, root)
    elif here.exists() and found.lacks({there: here.read_bytes()}):
        notes.append(f"the board's {CONFIG} is kept; CONFIG={CONFIG} replaces it by yours")
    ours = read_certificates(root / CERTIFICATES, certs)
    if certs or not any(path.startswith(f"/{CERTIFICATES}/") for path in found.hashes):
        files.update(ours)
    elif found.lacks(ours):
        notes.append("the board's certificates are kept; CERTS=1 replaces them by yours")
    return files, notes


def named(config: Path | None, certs: bool, root: Path = ROOT) -> dict[str, bytes]:
    """{path on the board: content} of the board's own files that somebody asked to replace."""
    files = {f"/{CONFIG}": read_config(config, root)} if config else {}
    return {**files, **(read_certificates(root / CERTIFICATES, True) if certs else {})}


def read_certificates(folder: Path, needed: bool) -> dict[str, bytes]:
    """{path on the board: content} of the certificates in a folder. Failure: there are none, and
    they are needed.
    """
    ours = {path: file.read_bytes() for path, file in certificates(folder).items()}
    if needed and not ours:
        raise Failure(f"CERTS=1: there are no certificates in {folder}: make certs makes them")
    return ours
