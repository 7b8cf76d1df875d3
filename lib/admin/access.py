"""Access to the admin's paths with the password, and over https only (access.maintenance_tls).

Loaded before `register`, and unloaded when the last client of these paths has left.
"""

import sys

import admin
from wsserver import lazy
from wsserver.http.auth import Token
from wsserver.http.request import HTTPError, check_origin

ORIGINS = (None, "self")
_PATHS = ("/settings", "/update")


def admit(server, request, loaded, password, https, access=None) -> tuple:
    """Check a request to one of the paths, and return the arguments for register.serve.

    Other clients have not been closed for it yet: a request that is refused closes none. If
    `resolve` had to free memory for this check, the Access stays: the owner must find it.
    password: None for the board's generated one. https: the port for TLS if it is required, or
    None. Raises HTTPError if the request is refused.
    """
    check_origin(request, ORIGINS, server.origins)
    if not access:
        routes = server.routes
        args = list(routes[_PATHS[0]][1])  # for later requests
        password = args[0] = password or _generated()
        access = Access(password, server, https)
        access.modules = lazy.loaded(loaded)
        for path in _PATHS:
            before = routes[path]
            access.paths[path] = (before[0], args) + before[2:3]
            routes[path] = (before[0], (password, https, access)) + before[2:]
    try:
        access.check(request, request.address[0])
    except HTTPError:
        if not any(len(server.routes[path]) > 3 for path in _PATHS):
            access.leave(server, None)
        raise
    return password, access


def _generated():
    password = lazy.call("config.secrets", "get", "admin_password")
    # If the flash cannot store it, this is a different one from the one that boot.py printed.
    # Not print(), whose text the live log keeps.
    sys.stdout.write("admin: password %s\n" % password)
    return password


class Access(Token):
    """A Token that answers the settings page's question whether it may connect: GET with ?ask.

    The answer has status 200, so that it is not logged as a refusal. A wrong password is refused.
    """

    def __init__(self, secret: str, server, https):
        """https: the port for TLS if it is required, or None."""
        super().__init__(secret)
        self._where = https and (server, https)
        self.paths = {}  # {path: what server.routes had before}
        self.modules = []  # those that were loaded with this one

    def leave(self, server, client) -> None:
        """Unload this code until the next request, if this was the last client of the paths.

        client: None if it is another request that ends. Wrong passwords are not forgotten: then it
        stays.
        """
        for other in server.clients:
            if other is not client and other.path in self.paths:
                return
        if not self._failures:
            server.routes.update(self.paths)
            if admin.log_state and "admin" in self.modules:
                self.modules.remove("admin")  # it stays: a later live log continues there
            lazy.unload(*self.modules)

    def check(self, request, ip: str) -> None:
        """Raise HTTPError 403 with the https address, what Token.check raises, or the answer.

        Without TLS where it is required, the secret is not looked at.
        """
        plain = self._where and not request.secure
        if plain:
            lazy.call("admin.tlsrequired", "refuse", request, *self._where)
        asks = request.query == "ask" and not request.wants_websocket()
        if not asks or self._given(request):
            super().check(request, ip)
            if plain:
                lazy.call("admin.tlsrequired", "warn", self._where[0], self.paths[_PATHS[0]][1])
        if asks:
            raise HTTPError(200, "use a WebSocket client")
