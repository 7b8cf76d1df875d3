"""Deploy over Wi-Fi, through the server's /update (lib/admin/update.py).

The board stores the new files aside, installs them at its next start, and rolls back if that start
fails (lib/failsafe/rollback.py).
"""

from __future__ import annotations

import contextlib
import getpass
import hashlib
import hmac
import http.client
import json
import os
import re
import socket
import ssl
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import websocket

from tools import HOME
from tools.board.client import DIRECT
from tools.board.target import described
from tools.failure import Failure, Interrupted

from . import plan
from .files import CERTIFICATES
from .inplace import InPlace
from .plan import Found, Plan, check_space, read_record
from .progress import Progress

PATH = "/update"
_HMAC = 1  # version of the lines that an update's HMAC covers (lib/admin/update.py)
_PATIENCE = 30  # seconds of silence until a board counts as gone
_CONNECT = 5  # seconds until an address counts as unused
_STARTS = 3  # starts of a new version until the board rolls back
_NO_MEMORY = "out of memory"  # an answer of the board
_REPEATS = 3  # of a command that was answered like this, each after a second
_PROOF = 15  # seconds of serving until a new version can be confirmed, with some reserve
_JOIN = (
    "is it on, and is this computer in its network? `make monitor` shows its address when it "
    "starts"
)
_CLOSED = (
    "the board closed the connection: it may be out of memory for updates; disconnect its other "
    "clients and try again, or deploy over USB"
)
_NO_TLS = (
    "the board closed the connection before TLS began: it has no slot or no memory for another "
    "TLS connection (tls.max_clients; its log says which). Close pages and wss clients and try "
    "again, or deploy over USB"
)
_OLD_LAYOUT = (
    "the board has firmware from before lib/ was divided into packages, which cannot install this "
    "one over Wi-Fi. Nothing was sent. Deploy once over USB: make deploy PORT=...; its "
    "config.json and certificates are kept"
)


_UNCHANGED = "The board keeps its version: run this again"


class Unreachable(Failure):
    """The board does not answer, or no longer."""


class RequiresTLS(Failure):
    """The board takes updates over TLS only (access.maintenance_tls), at `url`."""

    def __init__(self, url: str):
        host = url.removesuffix(PATH)
        super().__init__(
            f"the board requires TLS for updates (access.maintenance_tls): HOST={host}"
        )
        self.url = url


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
        # Firmware from before this field cannot tell.
        self.in_place = InPlace(about.get("in_place", {}), about.get("firmware", ""))
        return self

    def __exit__(self, kind: type[BaseException] | None = None, *_) -> None:
        self._board.close()
        if kind and issubclass(kind, KeyboardInterrupt) and self._committed:
            raise Interrupted(
                "interrupted. The board installs the new version, and rolls back unless it is "
                "confirmed within three minutes: run this again to confirm it"
            ) from None

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
        try:
            self._send(copy, todo)
        except Unreachable as failure:
            raise Failure(f"{failure.message}. {_UNCHANGED}") from None
        except KeyboardInterrupt:
            raise Interrupted(f"interrupted. {_UNCHANGED}") from None
        self._committed = True
        try:
            self._board.commit(min(900, max(1, int(wait or 60))))
        except Unreachable as failure:
            raise Failure(
                f"{failure.message}. The board may have installed the new version: run this again"
            ) from None

    def _send(self, copy: dict[str, bytes], todo: Plan) -> None:
        free = self._board.begin()
        check_space(Plan(copy, [], [], [], True), free)
        progress = Progress(list(todo.copy))
        for path, content in copy.items():
            self._board.send(path, content, progress)
        for path in todo.remove:
            print(f"  removing {path}", flush=True)
            self._board.remove(path)

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
        problem = ""
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
            except Unreachable as failure:
                problem = str(failure)
                continue
            except RequiresTLS as refusal:  # which the new version has enabled
                self.name = _verifiable(refusal.url, self._ca)
                continue
            if not state:
                print("ready: the new version serves")
                return
            if state == "undone":
                print("/crash.log ends with:")
                for line in log.decode().splitlines()[-20:]:
                    show(line)
                raise Failure(
                    "the new version did not start: the board rolled back and serves the "
                    "previous one; its log, above, shows why"
                )
        raise Failure(
            "the board does not answer: join its Wi-Fi again and open its page; if that fails, "
            f"its log shows why (make monitor). The last attempt: {problem}"
        )


def address(host: str, ca: Path) -> str:
    """Return the URL of a board's /update for HOST, HOST:PORT, ws://... or wss://...

    HOST alone means wss:// if the file `ca` exists and the board listens for TLS, else ws://. It
    also means wss://, at the port that the board names, if the board requires TLS. HOST:PORT means
    wss:// if that port speaks TLS.
    Raises Failure if it is no address, or if nothing answers at the port that the board names, and
    RequiresTLS if ws:// is given and the board refuses it.
    """
    scheme, _, rest = host.rpartition("://")
    try:
        parts = urlsplit(f"//{rest.rstrip('/')}")
        name, port = parts.hostname, parts.port
    except ValueError:
        name, port = None, None
    if not name or parts.path or scheme not in ("", "ws", "wss"):
        raise Failure(
            f"HOST={host} is not an address such as 192.168.4.1, name:8080 or wss://name"
        )
    given = scheme
    if not scheme:
        scheme = "wss" if not port and ca.exists() and _listens(name, 443) else "ws"
    host = f"[{name}]" if ":" in name else name
    url = f"{scheme}://{host}{f':{port}' if port else ''}{PATH}"
    if scheme == "wss":
        return url
    try:
        required = _required(name, port or 80)
    except (OSError, http.client.HTTPException):
        if not given and port and _speaks_tls(name, port):
            return "wss" + url.removeprefix("ws")
        return url  # connecting reports it
    if not required:
        return url
    there = urlsplit(required)
    if not _listens(str(there.hostname), there.port or 443):
        raise Failure(
            f"the board requires TLS for updates (access.maintenance_tls) and names {required}, "
            "where nothing answers: its port is mapped to another one, which you must give: "
            f"HOST=wss://{host}:PORT"
        )
    if given:
        raise RequiresTLS(required)
    return _verifiable(required, ca)


def _required(name: str, port: int) -> str | None:
    """Return the address that a board requires instead of ws://. No password is sent.

    Raises OSError or HTTPException if there is no HTTP server.
    """
    connection = http.client.HTTPConnection(name, port, timeout=_CONNECT)
    try:
        connection.request("GET", PATH)
        return _secure_address(connection.getresponse().read(1000))
    finally:
        connection.close()


def _speaks_tls(name: str, port: int) -> bool:
    """Return whether a TLS server answers, with any certificate: connecting verifies it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with socket.create_connection((name, port), _CONNECT) as plain:
            context.wrap_socket(plain, server_hostname=name).close()
    except OSError:
        return False
    return True


def _secure_address(body: bytes | None) -> str | None:
    """Return the address of /update in the board's refusal of a request without TLS, or None."""
    found = re.search(rb"https://(\S+)/settings\.html", body or b"")
    return f"wss://{found[1].decode(errors='replace')}{PATH}" if found else None


def _verifiable(url: str, ca: Path) -> str:
    """Return the URL. Raises Failure if there is no authority to verify the board with."""
    if not ca.exists():
        raise Failure(
            f"{url}: the board requires TLS for updates (access.maintenance_tls), and there is no "
            f"{ca} to verify it: --ca names another authority; its settings page works with a "
            "browser; USB needs no password"
        )
    return url


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
        self._password = password
        self._mac: hmac.HMAC | None = None  # None: the board's firmware is from before it
        options = _tls_options(ca) if url.startswith("wss") else {}
        try:
            self._socket = websocket.create_connection(
                url,
                timeout=patience,
                header=[f"Authorization: Bearer {password}"],
                sslopt=options,
                suppress_origin=True,
                **DIRECT,
            )
        except websocket.WebSocketBadStatusException as error:
            required = _secure_address(error.resp_body)
            raise (
                RequiresTLS(required) if required else Failure(_refusal(url, error.status_code))
            ) from None
        except ssl.SSLCertVerificationError as error:
            raise Failure(
                f"{url}: {error.verify_message}: the board's certificate is not signed by {ca}; "
                "--ca names another authority, HOST=ws://... sends the password unencrypted"
            ) from None
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
            raise Unreachable(f"{url}: {_NO_TLS}") from None
        except (ConnectionResetError, websocket.WebSocketConnectionClosedException) as error:
            # The handshake of TLS is reset, too, if the board closes before it has read all of it.
            is_tls = url.startswith("wss") and isinstance(error, ConnectionResetError)
            raise Unreachable(f"{url}: {_NO_TLS if is_tls else _CLOSED}") from None
        except (OSError, ValueError, websocket.WebSocketException) as error:
            raise Unreachable(f"{url}: no board answers there ({error}): {_JOIN}") from None
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

    def begin(self) -> int:
        """Begin an update, and return the bytes that are free for it."""
        while (free := self.ask("begin")) < 0:
            pass  # it removes the remains of an earlier update
        version = self.about.get("hmac")
        if version == _HMAC:
            self._mac = hmac.new(self._password.encode(), digestmod="sha256")
            self._sign(f"esp32-ws update {_HMAC} {self.ask('nonce')}")
        elif version:
            raise Failure(
                f"{self._url}: the board checks updates in another way ({version}) than these "
                "tools: use those of its firmware, or newer ones"
            )
        return free

    def _sign(self, line: str) -> None:
        if self._mac:
            self._mac.update(f"{line}\n".encode())

    def remove(self, path: str) -> None:
        """Let the update that has begun remove a file."""
        self.ask("remove", path)
        self._sign(f"remove {path}")

    def commit(self, seconds: int) -> None:
        """Complete the update: the board restarts, and must serve within so many seconds."""
        self._sign(f"commit {seconds}")
        self.ask("commit", seconds, *([self._mac.hexdigest()] if self._mac else []))

    def send(self, path: str, content: bytes, progress: Progress) -> None:
        """Add a file to the update that has begun."""
        progress(path, 0, len(content))
        digest = hashlib.sha256(content).hexdigest()
        self._ask_patiently("file", path, len(content), digest)
        self._sign(f"file {len(content)} {digest} {path}")
        piece = self.about["piece"]
        for start in range(0, len(content), piece):
            self._send(content[start : start + piece])
            self._answer()
            progress(path, min(start + piece, len(content)), len(content))

    def _ask_patiently(self, *command):
        """Ask, and repeat a command for which the board has no memory: it collects meanwhile."""
        for _ in range(_REPEATS):
            try:
                return self.ask(*command)
            except Failure as failure:
                if _NO_MEMORY not in str(failure):
                    raise
                time.sleep(1)
        return self.ask(*command)

    def _send(self, message):
        try:
            if isinstance(message, str):
                self._socket.send(message)
            else:
                self._socket.send_binary(message)
        except (OSError, websocket.WebSocketException) as error:
            raise Unreachable(f"{self._url}: the board closed the connection ({error})") from None

    def _answer(self):
        try:
            opcode, data = self._socket.recv_data()
        except (OSError, websocket.WebSocketException) as error:
            raise Unreachable(f"{self._url}: the board closed the connection ({error})") from None
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            code, reason = int.from_bytes(data[:2], "big"), data[2:].decode(errors="replace")
            raise Unreachable(f"{self._url}: the board closed the connection: {code} {reason}")
        if opcode == websocket.ABNF.OPCODE_BINARY:
            return data
        try:
            answer = json.loads(data)
        except ValueError:  # a text that the application broadcasts, on boards before 0.3
            return self._answer()
        if isinstance(answer, dict) and "error" in answer:
            raise Failure(f"the board refuses it: {answer['error']}")
        return answer


def _tls_options(ca: Path) -> dict[str, str]:
    """Return the options for TLS: the authority, and the only client certificate beside it."""
    options = {"ca_certs": str(ca)}
    clients = list((ca.parent / "clients").glob("*.pem"))
    if len(clients) == 1 and clients[0].with_suffix(".key").exists():
        options["certfile"] = str(clients[0])
        options["keyfile"] = str(clients[0].with_suffix(".key"))
    return options


def _refusal(url: str, status: int) -> str:
    reasons = {
        401: "the admin password is wrong",
        404: "it takes no updates: its `admin` is disabled, or it is too old; deploy over USB",
        421: "it does not accept this host name: use its address, or set access.hosts",
        429: "too many wrong passwords: wait a minute",
        503: "all slots are taken, or the board is out of memory: close its pages and try again",
    }
    return f"{url}: {reasons.get(status, f'HTTP status {status}')}"
