"""Register /join, where a user in the board's access point can join a Wi-Fi network.

Loaded on the first request for it; stays.
"""

import network

from wsserver import lazy
from wsserver.http.request import HTTPError, check_origin

_ORIGINS = (None, "self")


def admit(server, request, loaded) -> tuple:
    """Check a request before other clients are closed for the path: see lazy.route.

    Raises HTTPError if it is refused.
    """
    try:
        check_origin(request, _ORIGINS, server.origins)
        Access({}).check(request, request.address[0])
    except HTTPError:
        lazy.unload(__name__)
        raise
    return ()


def serve(server) -> None:
    """Register the path. It needs no password: see Access."""
    state = {}
    endpoint = lazy.LazyEndpoint(server, "admin.join", state)
    options = {"origins": _ORIGINS, "access": Access(state), "reserved": True}
    server.websocket("/join", endpoint, **options)


class Access:
    """Let in a client of the access point, as long as the board has not joined a network.

    The access point's password protects the board then, so an open network is refused. state: a
    dict for all clients; "address" and "name" are set when the board has joined a network.
    """

    def __init__(self, state: dict):
        self._state = state

    def check(self, request, ip: str) -> None:
        """Raise HTTPError 403 unless the request may name the board and join a network."""
        if self._state.get("address"):
            host = request.headers.get("host", "").split(":")[0].lower()
            if host in (self._state["address"], self._state["name"] + ".local"):
                self._state["reached"] = True
            return
        if not hasattr(network, "WLAN"):
            raise HTTPError(403, "this chip has no Wi-Fi")
        ap = network.WLAN(network.AP_IF)
        station = network.WLAN(network.STA_IF)
        if not ap.active() or station.isconnected():
            raise HTTPError(403, "the board has joined a network (wifi.mode)")
        if ap.config("security") == network.AUTH_OPEN:
            raise HTTPError(403, "the access point is open (wifi.password)")
