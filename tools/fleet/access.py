"""Access to the gateway: tokens of boards, host names, origins, and limits of addresses."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import ipaddress
import json
import re
import socket
import time
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from tools.failure import Failure

_OFFER = "bearer."  # the prefix of the subprotocol in which a browser sends a token
_MAX_FAILURES = 5
_WAIT = 60  # seconds
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]*)?")


class Tokens:
    """The tokens that viewers need.

    tokens: {board: token, or {path of an endpoint: token}}; the board "*" stands for all others.
    """

    def __init__(self, tokens: Mapping[str, str | Mapping[str, str]] | None = None):
        self._tokens = tokens or {}
        self._failures: dict[str, tuple[int, float]] = {}

    @classmethod
    def read(cls, path: Path | None) -> Tokens:
        """Read a JSON file. Raises Failure if it is not valid."""
        if path is None:
            return cls()
        try:
            tokens = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise Failure(f"{path} cannot be used: {error}") from None
        if not isinstance(tokens, dict):
            raise Failure(f"{path} must be an object: names of boards and their tokens")
        for board, value in tokens.items():
            texts = value.values() if isinstance(value, dict) else [value]
            if not all(isinstance(text, str) and text for text in texts):
                raise Failure(f"{path}: the tokens of {board!r} must be texts")
        return cls(tokens)

    def required(self, board: str, path: str) -> str | None:
        """Return the token for an endpoint, or None if it needs none."""
        found = self._tokens.get(board, self._tokens.get("*"))
        return found.get(path) if isinstance(found, Mapping) else found

    def page(self, board: str) -> str | None:
        """Return the token for the pages of a board, or None."""
        found = self._tokens.get(board, self._tokens.get("*"))
        return found if isinstance(found, str) else None

    def is_locked_out(self, address: str) -> bool:
        """Return whether an address has given too many wrong tokens."""
        count, last = self._failures.get(address, (0, 0.0))
        return count >= _MAX_FAILURES and time.monotonic() - last < _WAIT

    def check(self, required: str, given: str | None, address: str) -> bool:
        """Compare a token, in constant time, and count wrong ones."""
        if given is not None and hmac.compare_digest(given.encode(), required.encode()):
            self._failures.pop(address, None)
            return True
        if given is not None:
            now = time.monotonic()
            expired = [key for key, (_, last) in self._failures.items() if now - last >= _WAIT]
            for key in expired:
                del self._failures[key]
            count = self._failures.get(address, (0, 0.0))[0]
            self._failures[address] = (count + 1, now)
        return False


def given_token(headers, query: str, board: str) -> str | None:
    """Return the token of a request: header, URL, subprotocol, or the cookie of the page."""
    kind, _, value = headers.get("Authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return value.strip()
    fields = parse_qs(query)
    if fields.get("token"):
        return fields["token"][0]
    for offer in headers.get("Sec-WebSocket-Protocol", "").split(","):
        if offer.strip().startswith(_OFFER):
            text = offer.strip()[len(_OFFER) :]
            try:
                return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
            except (ValueError, binascii.Error):
                return ""
    name = cookie_name(board)
    for part in headers.get("Cookie", "").split(";"):
        key, _, value = part.strip().partition("=")
        if key == name:
            return bytes.fromhex(value).decode() if _is_hex(value) else ""
    return None


def cookie_name(board: str) -> str:
    """Return the name of the cookie that keeps a board's token."""
    return "board-" + hashlib.sha256(board.encode()).hexdigest()[:16]


def cookie(board: str, token: str, is_secure: bool) -> str:
    """Return the Set-Cookie header with which a page keeps its token."""
    value = f"{cookie_name(board)}={token.encode().hex()}; Path=/boards/{board}/; HttpOnly"
    return value + "; SameSite=Strict" + ("; Secure" if is_secure else "")


def _is_hex(text: str) -> bool:
    try:
        bytes.fromhex(text).decode()
        return True
    except ValueError:
        return False


def is_allowed_origin(headers, origins: tuple[str, ...]) -> bool:
    """Return whether the page that opens a connection may do so: of this host, or listed."""
    origin = headers.get("Origin")
    if origin is None or origin in origins or "*" in origins:
        return True
    try:
        name = host_name(urlsplit(origin).netloc)
    except ValueError:
        return False
    return name != "" and name == host_name(headers.get("Host", ""))


def host_name(host: str) -> str:
    """Return the name or address in a Host header, in lower case; "" if it is not valid."""
    match = _HOST.fullmatch(host.strip())
    return match[1].strip("[]").removesuffix(".").lower() if match else ""


def own_names() -> set[str]:
    """Return the names of this machine: localhost, its host name, and that name in .local."""
    name = socket.gethostname().lower()
    label = name.partition(".")[0]
    return {"localhost", name, label, label + ".local"}


def is_known_host(host: str, names: Collection[str]) -> bool:
    """Return whether a Host header has an IP address or one of `names` (lower case).

    This prevents DNS rebinding, in which a page on the internet lets its own name point here.
    """
    name = host_name(host)
    try:
        ipaddress.ip_address(name)
        return True
    except ValueError:
        return name != "" and name in names


class Addresses:
    """Count the connections of each address; `limit` at the same time are allowed."""

    def __init__(self, limit: int):
        self._limit = limit
        self._open: Counter[str] = Counter()

    def has_space(self, address: str) -> bool:
        """Return whether the address may have one more connection."""
        return self._open[address] < self._limit

    def enter(self, address: str) -> bool:
        """Count one more connection, unless the address has too many."""
        if not self.has_space(address):
            return False
        self._open[address] += 1
        return True

    def leave(self, address: str) -> None:
        """Count one connection less."""
        self._open[address] -= 1
        if not self._open[address]:
            del self._open[address]
