"""QR codes in a terminal, for a phone's camera: to join a board's Wi-Fi, to open its page."""

from __future__ import annotations

import ast
import io
import re
import sys

import segno

_WIFI = re.compile(r"wifi: access point (?P<ssid>(['\"]).*\2), password (?P<password>\S+)$")
SERVING = re.compile(r"serving (wss?)://([\d.]+):(\d+)")


def wifi(ssid: str, password: str, hidden: bool = False) -> str:
    """The code that joins a Wi-Fi. Its words are those of ZXing's "Wi-Fi Network config"."""
    fields = [("T", "WPA")] if password else []
    fields += [("S", ssid)]
    fields += [("P", password)] if password else []
    fields += [("H", "true")] if hidden else []
    words = "".join(f"{name}:{_escaped(value)};" for name, value in fields)
    return text(f"WIFI:{words};")


def text(content: str) -> str:
    """The code of any text, such as a URL."""
    drawn = io.StringIO()
    segno.make(content, micro=False).terminal(drawn, compact=True)
    return drawn.getvalue()


def page(line: str) -> str | None:
    """The URL of the page of a board that prints this line; None: it says nothing of it."""
    found = SERVING.search(line)
    if not found:
        return None
    scheme, address, port = found.groups()
    standard = port == {"ws": "80", "wss": "443"}[scheme]
    return f"http{scheme[2:]}://{address}{'' if standard else f':{port}'}/"


def of_line(line: str) -> str:
    """The code to what a board prints, with a word about it; "" where there is none."""
    joins = _WIFI.search(line)
    if joins:
        code = wifi(ast.literal_eval(joins["ssid"]), joins["password"])
        return f"a phone's camera joins its Wi-Fi with this:\n{code}"
    url = page(line)
    return f"and opens {url} with this:\n{text(url)}" if url else ""


def can_be_shown() -> bool:
    """Whether the terminal has the characters that a code is drawn with."""
    return (sys.stdout.encoding or "").lower().startswith("utf")


def _escaped(value: str) -> str:
    return re.sub(r'([\\;,:"])', r"\\\1", value)
