"""`python -m tools.client ws://192.168.4.1/demo`: talk to a board from a terminal.

What is typed is sent, line by line; what comes is shown. With --stats, how the board is doing, as
a table that is renewed until Ctrl-C. What /demo understands is in docs/protocol.md.
"""

from __future__ import annotations

import argparse
import json
import ssl
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import urlsplit

import websocket

from tools.failure import Failure, run
from tools.flashfiles import CERTIFICATES, ROOT

AUTHORITY = ROOT / CERTIFICATES / "ca.pem"
PATH = "/demo"  # where a URL names none
TIMEOUT = 10  # s for connecting; a handshake with TLS takes a chip two
_STATUSES = {
    401: "it wants a password, which this client cannot give",
    403: "it lets only its own pages in there: leave --origin out",
    404: "there is no such path; /ws echoes, and /demo is the demonstration, where it is on",
    421: "it does not know that name of itself: use its address, or name it in access.hosts",
    429: "too many requests from this address: wait a minute",
    503: "it has no place free: wait until somebody leaves",
}


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The command line. SystemExit: it is wrong, and it says how."""
    parser = argparse.ArgumentParser(prog="python -m tools.client", description=__doc__)
    parser.add_argument("url", help="such as ws://192.168.4.1/ws; without a path: /demo")
    parser.add_argument(
        "--stats",
        nargs="?",
        type=int,
        const=2,
        metavar="SECONDS",
        help="show how the board is doing, every so many seconds (2)",
    )
    parser.add_argument("--ca", help="for wss://: the authority's certificate (certs/ca.pem)")
    parser.add_argument("--origin", help="pretend to be a page from there")
    return parser.parse_args(arguments)


def connect(url: str, ca: str | None = None, origin: str | None = None) -> websocket.WebSocket:
    """An open connection. Failure: there is none to be had, and what to do about it."""
    parts = urlsplit(url if "://" in url else f"ws://{url}")
    if parts.scheme not in ("ws", "wss") or not parts.hostname:
        raise Failure(f"{url} is no URL of a WebSocket: ws://192.168.4.1/ws would be one")
    if parts.path in ("", "/"):
        parts = parts._replace(path=PATH)
    ca = ca or (str(AUTHORITY) if AUTHORITY.exists() else None)
    if ca and not Path(ca).is_file():
        raise Failure(f"{ca} is not there: `make certs` makes certs/ca.pem")
    options = {"cert_reqs": ssl.CERT_REQUIRED, **({"ca_certs": ca} if ca else {})}
    try:
        return websocket.create_connection(
            parts.geturl(),
            timeout=TIMEOUT,
            sslopt=options,
            origin=origin,
            suppress_origin=not origin,
        )
    except websocket.WebSocketBadStatusException as error:
        reason = _STATUSES.get(error.status_code, f"it answers {error.status_code}")
        raise Failure(f"{parts.netloc} takes no connection at {parts.path}: {reason}") from None
    except (OSError, ValueError, websocket.WebSocketException) as error:
        raise Failure(f"{parts.netloc} {_problem(error)}") from None


def _problem(error: Exception) -> str:
    """Why there is no connection, and what to do."""
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
        return f"does not speak WebSocket: {error}"
    return f"cannot be reached: {getattr(error, 'strerror', None) or error}"


def messages(connection: websocket.WebSocket) -> Iterator[str | bytes]:
    """What comes, until the board closes the connection. Failure: because of an error, or it was
    lost.
    """
    connection.settimeout(None)
    while True:
        try:
            opcode, data = connection.recv_data()
        except (OSError, websocket.WebSocketException) as error:
            raise Failure(f"the connection is lost: {error}") from None
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            code, reason = int.from_bytes(data[:2], "big"), data[2:].decode(errors="replace")
            if code not in (0, 1000):
                raise Failure(f"the board has closed the connection: {code} {printable(reason)}")
            return
        yield data.decode() if opcode == websocket.ABNF.OPCODE_TEXT else data


def printable(message: str | bytes) -> str:
    """A message for a terminal, which others' control characters must not reach."""
    if isinstance(message, bytes):
        more = " ..." if len(message) > 64 else ""
        return f"({len(message)} bytes) {message[:64].hex(' ')}{more}"
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in message)


def talk(connection: websocket.WebSocket, lines: TextIO) -> None:
    """Send each of `lines` and print what comes, until one side ends it."""
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
            connection.send_close()  # the board answers what came before, and then this
            listener.join(TIMEOUT)
    except (OSError, websocket.WebSocketException):
        listener.join(TIMEOUT)  # it knows why
    if failures:
        raise Failure("the connection has ended")


def watch(connection: websocket.WebSocket, seconds: int) -> None:
    """Show a table of each report, at the same place where there is a terminal."""
    connection.send(json.dumps({"stats": seconds}))
    is_terminal = sys.stdout.isatty()
    about = ""
    for message in messages(connection):
        try:
            report = json.loads(message)
            kind = report["type"]
        except (ValueError, TypeError, KeyError):
            raise Failure("this path knows no reports: use that of /demo") from None
        if kind == "error":
            raise Failure(printable(report["error"]))
        if kind == "welcome":
            about = f"{report['board']}, {report['version']}"
        elif kind == "stats":
            print("\x1b[H\x1b[J" if is_terminal else "", printable(about), sep="")
            print(table(report), flush=True)


def table(report: dict[str, Any]) -> str:
    """A report of /demo (docs/protocol.md) for people."""
    heap, system, wifi = report["heap"], report["idf"], report["wifi"]
    share = round(100 * report["cpu"])
    if wifi["mode"] == "ap":
        air = "access point, joined by " + (
            ", ".join(one["mac"] for one in wifi["stations"]) or "nobody"
        )
    else:
        air = "not connected" if wifi["rssi"] is None else f"connected, {wifi['rssi']} dBm"
    degrees = report["temperature"]
    rows = [
        ("running for", duration(report["uptime"])),
        ("CPU", f"{share:3} % {'#' * (share // 4)}"),
        ("heap", f"{kilo(heap['used'])} used, {kilo(heap['free'])} free, "
                 f"{kilo(heap['largest'])} in one piece"),
        ("system heap", f"{kilo(system['free'])} free, {kilo(system['largest'])} in one piece"),
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
    """Bytes, in KB where there are many."""
    return f"{count} B" if count < 1000 else f"{count / 1024:.1f} KB"


def duration(seconds: int) -> str:
    """Seconds as days, hours, minutes."""
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if not minutes:
        return f"{seconds} s"
    if not hours:
        return f"{minutes} min {seconds % 60} s"
    return f"{days} d {hours % 24} h" if days else f"{hours} h {minutes % 60} min"


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status."""
    options = parse(arguments)

    def work():
        connection = connect(options.url, options.ca, options.origin)
        try:
            if options.stats is not None:
                watch(connection, options.stats)
                return
            if sys.stdin.isatty():
                print("connected; a line that you type is sent, Ctrl-D ends it", file=sys.stderr)
            talk(connection, sys.stdin)
        finally:
            connection.shutdown()

    return run("client", work)


if __name__ == "__main__":
    sys.exit(main())
