"""Register the admin's endpoints with a server. Loaded on the first request for one of them."""

from wsserver import lazy
from wsserver.http.auth import Token


def serve(server, password) -> None:
    """Register the endpoints. Without a password, the board's generated one is used."""
    access = Token(password or _generated())
    # A full board stays reachable (reserved), and only for pages of its own (origins).
    options = {"origins": (None, "self"), "access": access, "reserved": True}
    settings = lazy.LazyEndpoint(server, "admin.settings")
    server.websocket("/settings", settings, ("settings",), **options)
    server.websocket("/update", lazy.LazyEndpoint(server, "admin.update"), **options)


def _generated():
    password = lazy.call("config.secrets", "get", "admin_password")
    # If the flash cannot store it, this is a different one from the one that boot.py printed.
    print("admin: password " + password)
    return password
