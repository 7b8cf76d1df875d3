"""What only the admin may do, over WebSocket: whoever connects gives the admin's password.

Loaded when one of its paths is first asked for (wsserver.lazy); what is behind a path, while
somebody is there.
"""

import sys

from wsserver.http.auth import Token
from wsserver.lazy import LazyEndpoint


def serve(server, password) -> None:
    """Put the admin's paths onto a server. password: None is the one that the board has made."""
    access = Token(password or _generated())
    server.websocket("/settings", LazyEndpoint(server, "desk"), ("settings",), access=access)
    server.websocket("/update", LazyEndpoint(server, "updates"), access=access)


def _generated():
    import secret

    password = secret.get("admin_password")
    del sys.modules["secret"]
    # Once more: where the flash cannot keep it, it is another one than boot.py has printed.
    print("admin: password " + password)
    return password
