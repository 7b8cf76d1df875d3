"""`make join`: how to join a board's Wi-Fi, open its page and change its settings."""

from __future__ import annotations

from typing import NamedTuple

from tools.failure import Failure

from . import ports, qrcodes
from .session import BoardError, Session

_PATIENCE = 60  # seconds until a board that restarts must serve
# Runs on the board: its own modules know the settings, and the passwords that it generated.
_ASK = """
from config import loader, secrets
_quiet = lambda text: None
_s = loader.load(log=_quiet)
_w, _a = _s["wifi"], _s["admin"]
_p = _w["password"]
if _w["mode"] == "ap" and _p is None:
    _p = secrets.get("wifi_password", log=_quiet)
_q = _a["enabled"] and (_a["password"] or secrets.get("admin_password", log=_quiet))
print(repr((_w["mode"] == "ap", _w["ssid"], _p, _w["hidden"], _q)))
"""


class Access(NamedTuple):
    """How to reach a board.

    is_access_point: whether it has a Wi-Fi of its own, with this ssid, password ("" if it is
    open) and hidden flag. admin_password: None or False if the admin is disabled.
    """

    is_access_point: bool
    ssid: str
    password: str
    hidden: bool
    admin_password: str | None


def ask(session: Session) -> Access | None:
    """Return how to reach a board, or None if it runs another program than this project."""
    try:
        return Access(*session.value(_ASK))
    except BoardError:
        return None


def show(port: str) -> None:
    """Restart a board and show how to reach it.

    Raises Failure if another program runs on the board, or if it does not serve in time.
    """
    port = ports.choose(port)
    with Session(port) as session:
        access = ask(session)
        if access is None:
            raise Failure(f"{port}: this project is not on the board: make deploy PORT={port}")
        session.restart()
        print(f"{port}: the board restarts", flush=True)
        url = next(filter(None, map(qrcodes.page, session.lines(_PATIENCE))), None)
    if not url:
        raise Failure(f"the board does not serve: `make monitor PORT={port}` shows why")
    if access.is_access_point:
        qrcodes.show_wifi(access.ssid, access.password, access.hidden)
    print(f"open its page: {url}")
    if qrcodes.can_be_shown():
        print(qrcodes.text(url))
    if access.admin_password:
        print(f"change its settings: {url}settings.html, admin password {access.admin_password}")
