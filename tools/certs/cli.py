"""Make certificates: `python -m tools certs`, `make certs`."""

from __future__ import annotations

import contextlib
import datetime
import re
import secrets
import string
import tempfile
from collections.abc import Iterator
from pathlib import Path

from cryptography.hazmat.primitives import hashes

from tools.failure import Failure

from .authority import Authority, KeyKind, make_authority
from .check import find_problem
from .names import Name, board_names, parse_name
from .store import Store, StoreError

_CLIENT = r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}"
_READABLE = "".join(set(string.ascii_lowercase + string.digits) - set("il1o0"))


@contextlib.contextmanager
def temporary() -> Iterator[Path]:
    """Yield a folder with an authority and a board's certificate, which is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="certs-") as name:
        folder = Path(name, "certs")
        with contextlib.redirect_stdout(None):
            main(["--folder", str(folder)])
        yield folder


def main(arguments: list[str] | None = None, now: datetime.datetime | None = None) -> int:
    """Run `python -m tools certs` and return its exit status. now: the time to assume."""
    from tools import cli

    return cli.main(["certs", *(arguments or [])], obj=now)


def make(
    folder: Path,
    key: KeyKind,
    names: str,
    client: str,
    config: Path,
    now: datetime.datetime | None = None,
) -> None:
    """Make the missing certificates in `folder` and print what to do with them.

    names: more names of the board, separated by spaces. client: the name of a client that gets a
    certificate instead. config: the board's config.json, which has names of its own.

    Raises Failure if a name is invalid or a file cannot be used.
    """
    now = now or datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    try:
        more = [parse_name(name) for name in names.split()]
        every = list(dict.fromkeys(board_names(config) + more))
        _make(Store(_from_here(folder)), every, key, client, now)
    except (StoreError, ValueError) as error:
        raise Failure(str(error)) from None
    except OSError as error:
        raise Failure(f"{error.filename}: {error.strerror}") from None


def _from_here(folder: Path) -> Path:
    """Return the folder relative to the current one, if it is inside."""
    here = Path.cwd()
    return folder.relative_to(here) if folder.is_relative_to(here) else folder


def _make(
    store: Store, names: list[Name], kind: KeyKind, client: str, now: datetime.datetime
) -> None:
    if client and not re.fullmatch(_CLIENT, client):
        raise ValueError(f"{client!r}: a client's name has up to 40 letters, digits, - and _")
    authority = store.load_authority()
    if authority is None:
        authority = make_authority(now, kind, names)
        store.save_authority(authority)
        _tell_new_authority(store, authority)
    _check_age(store, authority, now)
    if not client or not store.has_server():
        _make_server(store, authority, names, kind, now)
    if client:
        _make_client(store, authority, client, kind, now)


def _check_age(store: Store, authority: Authority, now: datetime.datetime) -> None:
    end = authority.identity.certificate.not_valid_after_utc
    if end <= now:
        raise StoreError(
            f"{store.folder / 'ca.pem'} has expired on {end:%Y-%m-%d}. Move it and ca.key away to "
            "have a new authority made, which then has to be installed on every device again"
        )


def _tell_new_authority(store: Store, authority: Authority) -> None:
    fingerprint = authority.identity.certificate.fingerprint(hashes.SHA256()).hex(":").upper()
    print(f"new authority: {store.folder / 'ca.pem'} (for phones and Windows: ca.crt)")
    print(f"  SHA-256 {fingerprint}")
    print(
        "  Install it on each device whose browser should trust the board (docs/tls.md says how)."
    )
    print(f"  {store.folder / 'ca.key'} can sign certificates in its name: keep it secret.")


def _make_server(
    store: Store,
    authority: Authority,
    names: list[Name],
    kind: KeyKind,
    now: datetime.datetime,
) -> None:
    try:
        server = authority.make_server(now, names, kind)
    except ValueError as error:
        raise StoreError(
            f"{error}: it was made before you asked for that name. Move ca.pem and ca.key in "
            f"{store.folder} away to have a new one made, which then has to be installed on every "
            "device again"
        ) from None
    store.save_server(server, authority.make_anchor())
    problem = find_problem(store.folder, now)
    if problem:
        raise StoreError(problem)
    end = server.certificate.not_valid_after_utc
    print(f"board's certificate: {store.folder / 'server.pem'}, valid until {end:%Y-%m-%d}")
    print("  for " + ", ".join(str(name.value) for name in names))
    print(f"  The board needs the *.der files in {store.folder}. Copy no other file to it.")


def _make_client(
    store: Store, authority: Authority, name: str, kind: KeyKind, now: datetime.datetime
) -> None:
    password = "".join(secrets.choice(_READABLE) for _ in range(20))
    client = authority.make_client(now, name, kind)
    store.save_client(name, client, authority, password)
    end = client.certificate.not_valid_after_utc
    print(
        f"client's certificate: {store.folder / 'clients' / name}.pem, .key, valid until "
        f"{end:%Y-%m-%d}"
    )
    print(f"  for browsers and phones: {name}.p12, password {password} (it is kept nowhere)")
