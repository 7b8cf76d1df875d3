"""What only the admin may do, over WebSocket: whoever connects gives the admin's password.

Loaded when one of its paths is first asked for (wsserver.late); what is behind a path, while
somebody is there.
"""

import sys

from ondemand import OnDemand

from wsserver.access import Token


def serve(server, password) -> None:
    """Put the admin's paths onto a server. password: None is the one that the board has made."""
    access = Token(password or _generated())
    server.websocket("/settings", OnDemand(server, "desk"), ("settings",), access=access)
    server.websocket("/update", OnDemand(server, "updates"), access=access)


def _generated():
    from config import secrets

    password = secrets.get("admin_password")
    for name in ("config.secrets", "config.atomic", "config"):
        sys.modules.pop(name, None)
    # Once more: where the flash cannot keep it, it is another one than boot.py has printed.
    print("admin: password " + password)
    return password
