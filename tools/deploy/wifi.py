"""Deploy over Wi-Fi, through the server's /update (lib/admin/update.py).

The board stores the new files aside, installs them at its next start, and rolls back if that start
fails (lib/failsafe/rollback.py).
"""

from __future__ import annotations

import contextlib
import getpass
import hashlib
import json
import os
import socket
import ssl
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import websocket

from tools import HOME
from tools.board.target import described
from tools.failure import Failure

from . import plan
from .files import CERTIFICATES
from .plan import Found, Plan, check_space, read_record
from .progress import Progress

PATH = "/update"
_PATIENCE = 30  # seconds of silence until a board counts as gone
_CONNECT = 5  # seconds until an address counts as unused
_STARTS = 3  # starts of a new version until the board rolls back
_PROOF = 15  # seconds of serving until a new version can be confirmed, with some reserve
_CLOSED = (
    "the board closed the connection: it may be out of memory for updates; disconnect its other "
    "clients and try again, or deploy over USB"
)
_OLD_LAYOUT = (
    "the board has firmware from before lib/ was divided into packages, which cannot install this "
    "one over Wi-Fi. Nothing was sent. Deploy once over USB: make deploy PORT=...; its "
    "config.json and certificates are kept"
)


class Unreachable(Failure):
    """The board does not answer, or no longer."""


class WifiTransport:
    """Change a board's files through its server. See deployment.Transport."""

    sends_missing = False
    # A rollback needs them.
    fixed: tuple[str, ...] = ("/boot.py", "/lib/failsafe/")

    def __init__(self, host: str, ca: Path | None = None):
        self._ca = ca or HOME / CERTIFICATES / "ca.pem"
        self.name = address(host, self._ca)
        self._password = _password(self.name)
        self._committed = False

    def __enter__(self) -> WifiTransport:
        self._board = Update(self.name, self._password, self._ca)
        about = self._board.about
        if "layout" not in about:
            self._board.close()
            raise Failure(_OLD_LAYOUT)
        if about["state"].startswith("trial"):  # of an earlier deployment that did not wait
            self._board.confirm()
        self.target = described(
            *(about["version"], about["machine"], about["mpy"], bytes.fromhex(about["id"])),
            *(0, about["heap"], about["free"]),
        )
        return self

    def __exit__(self, *_) -> None:
        self._board.close()

    def look(self, wanted: dict[str, bytes]) -> Found:
        """Return the hashes of the wanted files, their twins, and what was deployed before."""
        deployed = read_record(self._board.read(plan.RECORD).decode(errors="replace"))
        hashes = {
            path: self._board.ask("hash", path)
            for path in sorted({*wanted, *plan.twins(wanted), *deployed})
        }
        return Found({path: digest for path, digest in hashes.items() if digest}, deployed)

    def send(self, todo: Plan, wait: float) -> None:
        """Send the new files. The board installs them when it restarts."""
        if not todo.copy and not todo.remove:
            return  # a new list of deployed files alone is no reason to restart
        copy = dict(todo.copy)
        if not todo.recorded:
            copy[plan.RECORD] = json.dumps(todo.record).encode()
        while (free := self._board.ask("begin")) < 0:
            pass  # it removes the remains of an earlier update, one file at a time
        check_space(Plan(copy, [], [], [], True), free)
        progress = Progress(list(todo.copy))
        for path, content in copy.items():
            self._board.send(path, content, progress)
        for path in todo.remove:
            print(f"  removing {path}", flush=True)
            self._board.ask("remove", path)
        self._board.ask("commit", min(900, max(1, int(wait or 60))))
        self._committed = True

    def start(self, wait: float, show: Callable[[str], None]) -> None:
        """Wait until the board serves, and confirm its update. Raises Failure if it rolls back."""
        self._board.close()
        if not self._committed:
            return
        print("restarting", flush=True)
        if wait:
            self._wait_until_confirmed((_STARTS + 1) * (wait + _PROOF), show)
        else:
            print(
                "the board rolls back if nothing confirms the new version within three minutes: "
                "run this again to confirm it"
            )

    def _wait_until_confirmed(self, seconds: float, show: Callable[[str], None]) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(0.5)
            try:
                with Update(self.name, self._password, self._ca, patience=5) as board:
                    state = board.about["state"]
                    if state.startswith("trial"):
                        print("it serves; 10 seconds until it can be confirmed", flush=True)
                        board.confirm()
                        state = ""
                    log = board.read("/crash.log") if state == "undone" else b""
            except Unreachable:
                continue
            if not state:
                print("ready: the new version serves")
                return
            if state == "undone":
                print("/crash.log ends with:")
                for line in log.decode().splitlines()[-20:]:
                    show(line)
                raise Failure("the new version did not start: the board rolled back")
        raise Failure(
            "the board does not answer: join its Wi-Fi again and open its page; if that fails, "
            "its log shows why (make monitor)"
        )


def address(host: str, ca: Path) -> str:
    """Return the URL of a board's /update for HOST, HOST:PORT, ws://... or wss://...

    HOST alone means wss:// if the file `ca` exists and the board listens for TLS, else ws://.
    Raises Failure if it is no address.
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
        socket.create_connection((name, port), _CONNECT).close()
    except OSError:
        return False
    return True


def _password(url: str) -> str:
    given = os.environ.get("ADMIN_PASSWORD")
    if given:
        return given
    if not sys.stdin.isatty():
        raise Failure("the admin password is needed: set ADMIN_PASSWORD")
    how = "" if url.startswith("wss") else ", which is sent unencrypted"
    return getpass.getpass(f"admin password for {url}{how}: ")


class Update:
    """A connection to /update. Use it as a context manager. Every method may raise Failure.

    about: the board's first message (lib/admin/update.py).
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
                f"{url}: {error.verify_message}: the board's certificate is not signed by {ca}; "
                "--ca names another authority, HOST=ws://... sends the password unencrypted"
            ) from None
        except (ConnectionResetError, websocket.WebSocketConnectionClosedException):
            raise Unreachable(f"{url}: {_CLOSED}") from None
        except (OSError, ValueError, websocket.WebSocketException) as error:
            raise Unreachable(f"{url}: no board answers there ({error})") from None
        self.about = self._answer()

    def __enter__(self) -> Update:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        with contextlib.suppress(OSError, websocket.WebSocketException):
            self._socket.close(timeout=1)

    def ask(self, *command):
        """Send a command and return its answer. Raises Failure if the board refuses it."""
        self._send(json.dumps(command))
        return self._answer()

    def read(self, path: str) -> bytes:
        """Return one of the files that may be read."""
        content = b""
        while piece := self.ask("read", path, len(content)):
            content += piece
        return content

    def confirm(self) -> None:
        """Confirm the update on trial. The board requires to serve this connection for a while."""
        while left := self.ask("confirm"):
            time.sleep(min(left, 1))

    def send(self, path: str, content: bytes, progress: Progress) -> None:
        """Add a file to the update that has begun."""
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
            raise Unreachable(f"{self._url}: the board closed the connection: {code} {reason}")
        if opcode == websocket.ABNF.OPCODE_BINARY:
            return data
        answer = json.loads(data)
        if isinstance(answer, dict) and "error" in answer:
            raise Failure(f"the board refuses it: {answer['error']}")
        return answer


def _refusal(url: str, status: int) -> str:
    reasons = {
        401: "the admin password is wrong",
        404: "it takes no updates: its `admin` is disabled, or it is too old; deploy over USB",
        421: "it does not accept this host name: use its address, or set access.hosts",
        429: "too many wrong passwords: wait a minute",
        503: "all slots are taken: try again",
    }
    return f"{url}: {reasons.get(status, f'HTTP status {status}')}"
