"""`python -m tools client ws://192.168.4.1/ws`: talk to a board from a terminal.

It sends each line that is typed and prints each message. With --stats, it shows the board's status
as a table until Ctrl-C. docs/protocol.md lists the commands of /demo.
"""

from __future__ import annotations

import json
import re
import ssl
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import urlsplit

import websocket

from tools import HOME
from tools.deploy.files import CERTIFICATES
from tools.failure import Failure

AUTHORITY = HOME / CERTIFICATES / "ca.pem"
# If the URL has no path: an endpoint of the demo, and of the template of an application.
_TALK, _STATS = "/ws", "/demo"
# Whatever http_proxy says: a proxy does not reach boards. The library looks at the list of
# exceptions only if it is also given a proxy.
DIRECT: dict[str, Any] = {"http_proxy_host": "none.invalid", "http_no_proxy": ["*"]}
_PATHS = re.compile(rb"WebSocket paths: (.*)")  # in the body of a 404
TIMEOUT = 10  # s for connecting; a TLS handshake takes two on a chip
_STATUSES = {
    401: "the secret is missing or wrong: add ?token=SECRET to the address if it takes a token",
    403: "only its own pages are allowed: omit --origin",
    404: "the board has no WebSocket there",
    421: "the board does not accept this host name: use its address, or set access.hosts",
    429: "too many requests from this address: wait a minute",
    503: "all slots are taken, or the board is out of memory: wait until a client disconnects",
}


def connect(
    url: str, ca: str | None = None, origin: str | None = None, path: str = _TALK
) -> websocket.WebSocket:
    """Return an open connection. path: that of a URL without one.

    Raises Failure, with a remedy, if there is no connection.
    """
    parts = urlsplit(url if "://" in url else f"ws://{url}")
    if parts.scheme not in ("ws", "wss") or not parts.hostname:
        raise Failure(f"{url} is not a WebSocket URL such as ws://192.168.4.1/ws")
    if parts.path in ("", "/"):
        parts = parts._replace(path=path)
    ca = ca or (str(AUTHORITY) if AUTHORITY.exists() else None)
    if ca and not Path(ca).is_file():
        raise Failure(f"{ca} does not exist: `make certs` makes certs/ca.pem")
    options = {"cert_reqs": ssl.CERT_REQUIRED, **({"ca_certs": ca} if ca else {})}
    try:
        return websocket.create_connection(
            parts.geturl(),
            timeout=TIMEOUT,
            sslopt=options,
            origin=origin,
            suppress_origin=not origin,
            **DIRECT,
        )
    except websocket.WebSocketBadStatusException as error:
        reason = _STATUSES.get(error.status_code, f"HTTP status {error.status_code}")
        listed = _PATHS.search(error.resp_body or b"") if error.status_code == 404 else None
        if listed:
            reason += f"; its paths are {printable(listed[1].decode(errors='replace'))}"
        raise Failure(f"{parts.netloc} refused the connection to {parts.path}: {reason}") from None
    except (OSError, ValueError, websocket.WebSocketException) as error:
        raise Failure(f"{parts.netloc} {_problem(error)}") from None


def _problem(error: Exception) -> str:
    """Return why there is no connection, and what to do."""
    if isinstance(error, ssl.SSLCertVerificationError):
        why = f"is not trusted: {error.verify_message}"
        return f"{why}; --ca names the certificate of its authority"
    if isinstance(error, (TimeoutError, websocket.WebSocketTimeoutException)):
        return "does not answer: is this computer in its Wi-Fi?"
    if isinstance(error, ssl.SSLError):
        return f"does not speak TLS as it should: {error.reason}; is it the port for wss://?"
    if isinstance(error, websocket.WebSocketException) and not isinstance(
        error, websocket.WebSocketAddressException
    ):
        return f"does not speak WebSocket: {_text(error)}"
    return f"cannot be reached: {_text(error)}"


def _text(error: Exception) -> str:
    """Return an error's text as a part of a sentence: some end with a full stop."""
    return (getattr(error, "strerror", None) or str(error)).rstrip(".")


def messages(connection: websocket.WebSocket) -> Iterator[str | bytes]:
    """Yield messages until the board closes the connection.

    Raises Failure if it closes with an error, or if the connection is lost.
    """
    connection.settimeout(None)
    while True:
        try:
            opcode, data = connection.recv_data()
        except (OSError, websocket.WebSocketException) as error:
            raise Failure(f"the connection is lost: {_text(error)}") from None
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            code, reason = int.from_bytes(data[:2], "big"), data[2:].decode(errors="replace")
            if code not in (0, 1000):
                raise Failure(f"the board closed the connection: {code} {printable(reason)}")
            return
        yield data.decode() if opcode == websocket.ABNF.OPCODE_TEXT else data


def printable(message: str | bytes) -> str:
    """Return a message for a terminal, without its control characters."""
    if isinstance(message, bytes):
        more = " ..." if len(message) > 64 else ""
        return f"({len(message)} bytes) {message[:64].hex(' ')}{more}"
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in message)


def talk(connection: websocket.WebSocket, lines: TextIO) -> None:
    """Send each of `lines` and print each message until one side ends it."""
    failures: list[Failure] = []
    leaving = threading.Event()

    def listen():
        try:
            for message in messages(connection):
                print(printable(message), flush=True)
        except Failure as failure:
            if leaving.is_set():
                return
            failures.append(failure)
            print(f"{failure}; press Return", file=sys.stderr, flush=True)

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    try:
        for line in lines:
            if not listener.is_alive():
                break
            connection.send(line.rstrip("\n"))
        if listener.is_alive():
            leaving.set()
            connection.send_close()  # the board answers the messages before it first
            listener.join(TIMEOUT)
    except (OSError, websocket.WebSocketException):
        listener.join(TIMEOUT)  # which reports the reason
    if failures:
        raise Failure("the connection has ended")


def watch(connection: websocket.WebSocket, seconds: int) -> None:
    """Show a table of each report; in a terminal, always at the same place."""
    connection.send(json.dumps({"stats": seconds}))
    is_terminal = sys.stdout.isatty()
    about = ""
    for message in messages(connection):
        try:
            report = json.loads(message)
            kind = report["type"]
        except (ValueError, TypeError, KeyError):
            raise Failure(
                "this path sends no reports: --stats needs /demo, which a board has unless an "
                "application replaces the demo"
            ) from None
        if kind == "error":
            raise Failure(printable(report["error"]))
        if kind == "welcome":
            about = f"{report['board']}, {report['version']}"
        elif kind == "stats":
            print("\x1b[H\x1b[J" if is_terminal else "", printable(about), sep="")
            print(table(report), flush=True)


def table(report: dict[str, Any]) -> str:
    """Return a report of /demo (docs/protocol.md) as a table."""
    heap, system, wifi = report["heap"], report["idf"], report["wifi"]
    share = round(100 * report["cpu"])
    if wifi["mode"] == "ap":
        air = "access point, joined by " + (
            ", ".join(one["mac"] for one in wifi["stations"]) or "no station"
        )
    else:
        air = "not connected" if wifi["rssi"] is None else f"connected, {wifi['rssi']} dBm"
    degrees = report["temperature"]
    rows = [
        ("running for", duration(report["uptime"])),
        ("CPU", f"{share:3} % {'#' * (share // 4)}"),
        ("heap", f"{kilo(heap['used'])} used, {kilo(heap['free'])} free"),
        ("IDF heap", f"{kilo(system['free'])} free, "
                     f"{kilo(system['largest'])} largest free block"),
        ("traffic", f"{report['messages_per_second']} messages, "
                    f"{kilo(report['bytes_per_second'])} a second"),
        ("temperature", "unknown" if degrees is None else f"{degrees} °C"),
        ("Wi-Fi", air),
    ]  # fmt: skip
    lines = [f"{name:12} {value}" for name, value in rows]
    titles = ("name", "path", "messages", "bytes", "queue")
    lines.append("\n  id  {:20} {:12} {:>9} {:>10} {:>7}".format(*titles))
    for client in report["clients"]:
        lines.append(
            f"{client['id']:4}  {printable(client['name'] or '-')[:20]:20} "
            f"{printable(client['path'])[:12]:12} {client['messages']:9} {client['bytes']:10} "
            f"{client['queue']:7}"
        )
    return "\n".join(lines)


def kilo(count: float) -> str:
    """Return a number of bytes as text, in KB from 1000 bytes on."""
    return f"{count} B" if count < 1000 else f"{count / 1024:.1f} KB"


def duration(seconds: int) -> str:
    """Return seconds as text in days, hours and minutes."""
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if not minutes:
        return f"{seconds} s"
    if not hours:
        return f"{minutes} min {seconds % 60} s"
    return f"{days} d {hours % 24} h" if days else f"{hours} h {minutes % 60} min"


def run(url: str, stats: int | None, ca: str | None, origin: str | None) -> None:
    """Connect and talk until one side ends it. stats: show the status at this interval instead.

    Raises Failure if there is no connection, or if it ends with an error.
    """
    connection = connect(url, ca, origin, _TALK if stats is None else _STATS)
    try:
        if stats is not None:
            watch(connection, stats)
            return
        if sys.stdin.isatty():
            print("connected; each line that you type is sent, Ctrl-D ends it", file=sys.stderr)
        talk(connection, sys.stdin)
    finally:
        connection.shutdown()
