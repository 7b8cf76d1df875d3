"""`make join`: how to join a board's Wi-Fi, open its page and change its settings."""

from __future__ import annotations

import argparse
import sys

from tools import codes
from tools.deploy import join
from tools.failure import Failure, run
from tools.serialport import ports
from tools.serialport.session import BoardError, Session

# As deploy/join.py; of an admin that is switched off there is no password.
_ASK = """
from config import loader, secrets
_quiet = lambda text: None
_a = loader.load(log=_quiet)["admin"]
print(repr(_a["enabled"] and (_a["password"] or secrets.get("admin_password", log=_quiet))))
"""


def show(port: str, seconds: float = 60) -> None:
    """Ask the board, restart it and show what it takes. Failure: what stood in the way."""
    port = ports.choose(port)
    with Session(port) as session:
        network = join.ask(session)
        try:
            password = session.value(_ASK)
        except BoardError:
            raise Failure(
                f"{port}: this project is not on the board: make deploy PORT={port}"
            ) from None
        session.restart()
        print(f"{port}: the board restarts", flush=True)
        url = next(filter(None, map(codes.page, session.lines(seconds))), None)
    if not url:
        raise Failure(f"the board does not serve: `make monitor PORT={port}` shows why")
    draw = codes.can_be_shown()
    if network:
        ssid, secret, hidden = network
        print(f"join its Wi-Fi: {ssid!r}, {f'password {secret}' if secret else 'open'}")
        if draw:
            print(codes.wifi(ssid, secret, hidden))
    print(f"open its page: {url}")
    if draw:
        print(codes.text(url))
    if password:
        print(f"change its settings: {url}settings.html, the admin's password is {password}")


if __name__ == "__main__":
    _parser = argparse.ArgumentParser(prog="python -m tools.join", description=__doc__)
    _parser.add_argument("--port", default="", help="device, COM port or pyserial URL")
    _options = _parser.parse_args()
    sys.exit(run("make join", lambda: show(_options.port)))
