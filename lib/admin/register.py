"""Register the admin's endpoints with a server. Loaded on the first request for one of them."""

import sys

from micropython import const

from wsserver import lazy
from wsserver.http.auth import Token

_ROOM = const(18000)  # bytes that the settings page needs on a chip while it reads the file


def serve(server, password) -> None:
    """Register the endpoints. Without a password, the board's generated one is used."""
    access = Token(password or _generated())
    # A full board stays reachable (reserved), and only for pages of its own (origins).
    options = {"origins": (None, "self"), "access": access, "reserved": True}
    # Without memory, the admin comes first. Objects of 64-bit machines are twice as large.
    need = {"room": _ROOM << (sys.maxsize >> 62), "urgent": True}
    settings = lazy.LazyEndpoint(server, "admin.settings", **need)
    server.websocket("/settings", settings, ("settings",), **options)
    update = lazy.LazyEndpoint(server, "admin.update", **need)
    server.websocket("/update", update, **options)


def _generated():
    password = lazy.call("config.secrets", "get", "admin_password")
    # If the flash cannot store it, this is a different one from the one that boot.py printed.
    print("admin: password " + password)
    return password
