"""Register the admin's endpoints with a server. Loaded when `access` has admitted a request."""

from micropython import const

from wsserver import lazy

from .access import ORIGINS

_NEED = const(18000)  # bytes that the settings page needs on a chip while it reads the file


def serve(server, secret, access) -> None:
    """Register the endpoints. The arguments are those that access.admit() returns."""
    # A full board stays reachable (reserved), and only for pages of its own (origins).
    options = {"origins": ORIGINS, "access": access, "reserved": True}
    # Without memory, the admin comes first.
    need = lazy.call("wsserver.inplace", "need", _NEED, __file__)
    need = {"need": need, "urgent": True}
    settings = lazy.LazyEndpoint(server, "admin.settings", access, **need)
    server.websocket("/settings", settings, ("settings",), **options)
    update = lazy.LazyEndpoint(server, "admin.update", access, secret, **need)
    server.websocket("/update", update, ("update",), **options)
    lazy.unload(__name__)  # all routes are registered
