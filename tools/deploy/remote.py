"""A board's /update over Wi-Fi: what lib/admin/update.py answers to."""

from __future__ import annotations

import contextlib
import hashlib
import json
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import websocket

from tools.failure import Failure
from tools.serialport.target import Target, described

PATH = "/update"
_PATIENCE = 30  # seconds of silence until a board counts as gone
_HUNG_UP = (
    "the board hung up: it may have no memory for updates; close what is connected to it and try "
    "again, or deploy over USB"
)
_KNOCK = 5  # seconds until an address counts as nobody's


def address(host: str, ca: Path) -> str:
    """The URL of a board's /update: HOST, HOST:PORT, ws://... or wss://...

    HOST alone is wss:// if the authority `ca` is here and the board listens for TLS, else ws://.
    Failure: it is no address.
    """
    scheme, _, rest = host.rpartition("://")
    try:
        parts = urlsplit(f"//{rest.rstrip('/')}")
        name, port = parts.hostname, parts.port
    except ValueError:
        name, port = None, None
    if not name or parts.path or scheme not in ("", "ws", "wss"):
        raise Failure(f"HOST={host} is no address such as 192.168.4.1, name:8080, wss://name")
    if not scheme:
        scheme = "wss" if not port and ca.exists() and _listens(name, 443) else "ws"
    return f"{scheme}://{name}{f':{port}' if port else ''}{PATH}"


def _listens(name: str, port: int) -> bool:
    try:
        socket.create_connection((name, port), _KNOCK).close()
    except OSError:
        return False
    return True


class Remote:
    """A board that takes updates. Use it as a context manager; every call may raise Failure.

    about: what the board says of itself: lib/admin/update.py's `on_open`.
    """

    def __init__(self, url: str, password: str, ca: Path, patience: float = _PATIENCE):
        self._url = url
        options = {"ca_certs": str(ca)} if url.startswith("wss") else {}
        try:
            self._socket = websocket.create_connection(
                url,
                timeout=patience,
                header=[f"Authorization: Bearer {password}"],
                sslopt=options,
                suppress_origin=True,
            )
        except websocket.WebSocketBadStatusException as error:
            raise Failure(_refusal(url, error.status_code)) from None
        except ssl.SSLCertVerificationError as error:
            raise Failure(
                f"{url}: {error.verify_message}: the board's certificate is not one of {ca}; "
                "--ca names another authority, HOST=ws://... sends the password unencrypted"
            ) from None
        except (ConnectionResetError, websocket.WebSocketConnectionClosedException):
            raise Unreachable(f"{url}: {_HUNG_UP}") from None
        except (OSError, ValueError, websocket.WebSocketException) as error:
            raise Unreachable(f"{url}: no board answers there ({error})") from None
        self.about = self._answer()

    def __enter__(self) -> Remote:
        return self

    def __exit__(self, *_) -> None:
        with contextlib.suppress(OSError, websocket.WebSocketException):
            self._socket.close(timeout=1)

    @property
    def target(self) -> Target:
        """What the board is."""
        about = self.about
        unique = bytes.fromhex(about["id"])
        return described(
            *(about["version"], about["machine"], about["mpy"], unique),
            *(0, about["heap"], about["free"]),
        )

    def ask(self, *order):
        """Give an order; returns the answer. Failure: it is refused."""
        self._send(json.dumps(order))
        return self._answer()

    def read(self, path: str) -> bytes:
        """One of the files that may be read."""
        content = b""
        while piece := self.ask("read", path, len(content)):
            content += piece
        return content

    def send(self, path: str, content: bytes, progress: Callable[[str, int, int], None]) -> None:
        """Put a file into the update that has begun; progress(path, bytes there, bytes in all)."""
        progress(path, 0, len(content))
        self.ask("file", path, len(content), hashlib.sha256(content).hexdigest())
        piece = self.about["piece"]
        for start in range(0, len(content), piece):
            self._send(content[start : start + piece])
            self._answer()
            progress(path, min(start + piece, len(content)), len(content))

    def _send(self, message):
        try:
            if isinstance(message, str):
                self._socket.send(message)
            else:
                self._socket.send_binary(message)
        except (OSError, websocket.WebSocketException) as error:
            raise Unreachable(f"{self._url}: the board has gone ({error})") from None

    def _answer(self):
        try:
            opcode, data = self._socket.recv_data()
        except (OSError, websocket.WebSocketException) as error:
            raise Unreachable(f"{self._url}: the board has gone ({error})") from None
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            code, reason = int.from_bytes(data[:2], "big"), data[2:].decode(errors="replace")
            raise Unreachable(f"{self._url}: the board ended it: {code} {reason}")
        if opcode == websocket.ABNF.OPCODE_BINARY:
            return data
        answer = json.loads(data)
        if isinstance(answer, dict) and "error" in answer:
            raise Failure(f"the board refuses it: {answer['error']}")
        return answer


class Unreachable(Failure):
    """The board does not answer, or no longer."""


def _refusal(url: str, status: int) -> str:
    reasons = {
        401: "the admin's password is wrong",
        404: "it takes no updates: its `admin` is off, or it is too old; deploy over USB",
        421: "it does not know this name: use its address, or see access.hosts",
        429: "too many wrong passwords: wait for a minute",
        503: "it has too many clients: try again",
    }
    return f"{url}: {reasons.get(status, f'it answers with HTTP status {status}')}"
