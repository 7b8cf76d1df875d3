"""QR codes for a phone's camera: join a board's Wi-Fi, open its page."""

from __future__ import annotations

import ast
import io
import re
import sys

import segno
from segno.helpers import make_wifi

_WIFI = re.compile(r"wifi: access point (?P<ssid>(['\"]).*\2), password (?P<password>\S+)$")
SERVING = re.compile(r"serving (wss?)://([\d.]+):(\d+)")


def wifi(ssid: str, password: str, hidden: bool = False) -> str:
    """Draw the code that joins a Wi-Fi. An open Wi-Fi has the password ""."""
    return _draw(make_wifi(ssid, password or None, "WPA" if password else None, hidden))


def text(content: str) -> str:
    """Draw the code of a text, such as a URL."""
    return _draw(segno.make_qr(content))


def page(line: str) -> str | None:
    """Return the URL of the page if a board's log line announces it, else None."""
    found = SERVING.search(line)
    if not found:
        return None
    scheme, address, port = found.groups()
    standard = port == {"ws": "80", "wss": "443"}[scheme]
    return f"http{scheme[2:]}://{address}{'' if standard else f':{port}'}/"


def of_line(line: str) -> str:
    """Return the code that belongs to a board's log line and its explanation, or ""."""
    joins = _WIFI.search(line)
    if joins:
        code = wifi(ast.literal_eval(joins["ssid"]), joins["password"])
        return f"scan this with a phone to join its Wi-Fi:\n{code}"
    url = page(line)
    return f"scan this to open {url}:\n{text(url)}" if url else ""


def can_be_shown() -> bool:
    """Return whether the terminal has the characters that a code is drawn with."""
    return (sys.stdout.encoding or "").lower().startswith("utf")


def show_wifi(ssid: str, password: str, hidden: bool) -> None:
    """Print a Wi-Fi's name and password, and the code if the terminal can show it."""
    print(f"join its Wi-Fi: {ssid!r}, {f'password {password}' if password else 'open'}")
    if can_be_shown():
        print(wifi(ssid, password, hidden))


def _draw(code: segno.QRCode) -> str:
    drawn = io.StringIO()
    code.terminal(drawn, compact=True)
    return drawn.getvalue()
