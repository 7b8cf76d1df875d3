"""How to join a board's Wi-Fi: its name and password."""

from __future__ import annotations

from tools.serialport.session import BoardError, Session

# The board's own modules know its settings; its password may be one that it makes for itself.
_ASK = """
from config import loader, secrets
_quiet = lambda text: None
_w = loader.load(log=_quiet)["wifi"]
_p = _w["password"]
if _w["mode"] == "ap" and _p is None:
    _p = secrets.get("wifi_password", log=_quiet)
print(repr((_w["mode"], _w["ssid"], _p, _w["hidden"])))
"""


def ask(session: Session) -> tuple[str, str, bool] | None:
    """(name, password, whether it is hidden) of the board's own Wi-Fi; the password is "" when it
    is open. None: it joins somebody else's, or runs something else than this project.
    """
    try:
        mode, ssid, password, hidden = session.value(_ASK)
    except BoardError:
        return None
    return (ssid, password, hidden) if mode == "ap" else None
