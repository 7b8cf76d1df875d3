"""Reset the passwords and the Wi-Fi after BOOT was held. Loaded for a call.

The board then opens its own network. The passwords of the network and of the admin are one word,
which is documented, because a user without a computer cannot read generated ones. The file
/reset-600 limits this to ten minutes, after which the passwords are generated anew.
"""

import json
import os

import network
from failsafe import UNDO_SETTINGS
from micropython import const

from config import atomic, configfile
from wsserver import INFO, lazy
from wsserver.log import describe

from .settings import PATH

PASSWORD = const("boot-reset")
_MARK = const("/reset-600")
_SECRETS = const("/secrets.json")
_LONGEST = const(120)  # ticks of a quarter of a second
_LIMIT = const(600000)  # ms of serving
_KEPT = ("hostname", "country")  # of the section wifi


def hold(server, ticks: int, is_first: bool, led) -> int:
    """Show that the button was held for long enough. Return `ticks`, or -1: it is too long."""
    if is_first:
        server.log(INFO, "BOOT: release it to reset the passwords and the Wi-Fi")
    if ticks >= _LONGEST:
        server.log(INFO, "BOOT is held for too long: nothing is reset")
        return -1
    light = lazy.call(led[0], "find", led[1], server.log) if led else None
    if light:
        light.switch("toggle")
    return ticks


def reset(server) -> None:
    """Reset the passwords and the Wi-Fi, and nothing else, and restart the board."""
    try:
        open(_MARK, "w").close()  # first: a power cut must not make the known word permanent
        secrets = json.dumps({"wifi_password": PASSWORD, "admin_password": PASSWORD}).encode()
        atomic.write(_SECRETS, lambda: (secrets,))
        _reset_settings()
    except OSError as error:
        server.log(INFO, "BOOT: the flash cannot be written: %s" % describe(error))
        return
    server.log(INFO, "BOOT was held: the passwords and the Wi-Fi are reset; restarting")
    lazy.load("admin.restart").soon(server)


def resume(server) -> None:
    """End the ten minutes at once if the settings have other passwords, or start them."""
    # No log: boot.py has reported the problems.
    settings = lazy.call("config.loader", "load", log=[].append)
    wifi = settings["wifi"]
    is_done = wifi["password"] is not None or wifi["mode"] == "station"
    if is_done and settings["admin"]["password"] is not None:
        _forget()
    else:
        server.after(_LIMIT, lambda: lazy.call("admin.passwordreset", "expire", server))


def expire(server) -> None:
    """Replace the known word by generated passwords, and restart the board."""
    _forget()
    server.log(INFO, "BOOT: no new passwords were set within ten minutes; restarting")
    lazy.load("admin.restart").soon(server)


def _reset_settings():
    raw, problem = configfile.read_raw(PATH)
    if problem:
        try:
            os.rename(PATH, PATH + ".broken")  # the user may want to repair it
        except OSError:
            pass
    _remove(raw, "admin", ("password",))
    wifi = raw.get("wifi")
    if isinstance(wifi, dict):
        raw["wifi"] = {name: wifi[name] for name in _KEPT if name in wifi}
    if hasattr(network, "WLAN"):  # else Ethernet or PPP is the only way to the board
        _remove(raw, "network", ("order", "wifi"))
    for name in os.listdir("/"):
        if name.startswith(UNDO_SETTINGS):  # it has the old passwords
            os.remove("/" + name)
    pieces = lazy.call("admin.settingsfile", "pieces", raw)
    atomic.write(PATH, lambda: pieces)


def _remove(raw, section, names):
    if isinstance(raw.get(section), dict):
        for name in names:
            raw[section].pop(name, None)


def _forget():
    """Remove the known word: passwords that are needed are generated again."""
    for path in (_SECRETS, _MARK):
        try:
            os.remove(path)
        except OSError:  # it does not exist
            pass
