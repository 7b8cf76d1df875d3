"""QR codes for a phone's camera: join a board's Wi-Fi, open its page."""

from __future__ import annotations

import ast
import io
import re
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from segno import QRCode

_WIFI = re.compile(r"wifi: access point (?P<ssid>(['\"]).*\2), password (?P<password>\S+)$")
# Scheme, address, port and path. ws and /ws, or http and / without an endpoint at /ws.
SERVING = re.compile(r"serving (wss?|https?)://([\d.]+):(\d+)(/\S*|)")


def wifi(ssid: str, password: str, hidden: bool = False) -> str:
    """Draw the code that joins a Wi-Fi. An open Wi-Fi has the password ""."""
    from segno.helpers import make_wifi  # takes 0.1 s, which most commands need not wait

    return _draw(make_wifi(ssid, password or None, "WPA" if password else None, hidden))


def text(content: str) -> str:
    """Draw the code of a text, such as a URL."""
    from segno import make_qr

    return _draw(make_qr(content))


def page(line: str) -> str | None:
    """Return the URL of the page if a board's log line announces it, else None."""
    found = SERVING.search(line)
    if not found:
        return None
    scheme, address, port, _ = found.groups()
    scheme = scheme.replace("ws", "http")
    standard = port == {"http": "80", "https": "443"}[scheme]
    return f"{scheme}://{address}{'' if standard else f':{port}'}/"


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


def _draw(code: QRCode) -> str:
    drawn = io.StringIO()
    code.terminal(drawn, compact=True)
    return drawn.getvalue()
