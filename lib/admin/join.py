"""/join: name the board and join a Wi-Fi network, for a user in the board's access point.

The messages are JSON, described in docs/joining.md. The access point stays open while the board
joins, and until the board was reached at its new address. If joining fails, nothing is changed.
If nothing reaches the board within ten minutes, the old settings come back.
"""

import json
import os
from time import ticks_add, ticks_diff, ticks_ms

import network
from failsafe import rollback
from micropython import const

from wsserver import INFO, lazy

_REASON = const("/join.reason")  # why the last attempt was reverted
_TICK = const(250)  # ms
_TIMEOUT = const(20000)  # ms to join
_REACH = const(600000)  # ms in which the new address must be used
_RESCAN = const(5000)  # ms for which the networks that were found are sent again
_LONGEST = const(400)  # bytes of a command; brackets take far more memory when they are parsed
_LEAVE = const(3000)  # ms from then to the restart: the page in the access point shows it
_ERRORS = (OSError, RuntimeError, ValueError, TypeError)
_COMMANDS = const('the commands are {"scan": true} and {"join": {"name", "ssid", "password"}}')


class JoinEndpoint:
    """Scan for networks, join one and report what happens to all clients."""

    def __init__(self, server, state: dict):
        self._server = server
        self._state = state
        self._networks = None  # of the last scan
        self._scanned = 0

    def on_open(self, client) -> None:
        """Send the board's name, and where it is if it has joined a network."""
        state = self._state
        message = {"type": "hello", "name": network.hostname(), "reason": _read_reason()}
        # A phone often loses the access point while the board changes to the network's channel.
        for key in ("joining", "failed"):
            if key in state:
                message[key] = state[key]
        if state.get("address"):
            message["address"] = state["address"]
            message["name"] = state["name"]
            message["port"] = state["port"]
        client.send(json.dumps(message))

    def on_message(self, client, message) -> None:
        """Execute a command of _COMMANDS."""
        try:
            if len(message) > _LONGEST:
                raise ValueError
            command = json.loads(message)
            if command.get("scan") is True:
                client.send(json.dumps({"type": "networks", "networks": self._scan()}))
                return
            wanted = command["join"]
            name, ssid, password = wanted["name"], wanted["ssid"], wanted["password"]
        except (ValueError, TypeError, KeyError, AttributeError):
            _send(client, type="error", error=_COMMANDS)
            return
        except _ERRORS as error:
            _send(client, type="error", error="the driver refuses to scan: %s" % error)
            return
        if self._state.get("joining") or self._state.get("address"):
            _send(client, type="error", error="the board is joining a network already")
            return
        wifi = {
            "mode": "station",
            "hostname": name,
            "station_ssid": ssid,
            "station_password": password,
        }
        problems = lazy.call("admin.settingsfile", "check", {"wifi": wifi})
        if problems:
            _send(client, type="problems", problems=problems)
            return
        self._server.log(INFO, "join: %r, asked for by %s" % (ssid, client.address[0]))
        Attempt(self._server, self._state, client.path, wifi)

    def _scan(self):
        """Return the networks in range. Each scan stops the board for two seconds."""
        age = ticks_diff(ticks_ms(), self._scanned)
        if self._networks is None or not 0 <= age < _RESCAN:
            self._networks = _scan()
            self._scanned = ticks_ms()
        return self._networks

    def on_close(self, client, code: int, reason: str) -> None:
        """Do nothing: an attempt continues without its page."""


endpoint = JoinEndpoint  # LazyEndpoint calls this


class Attempt:
    """One attempt to join a network. Its timer keeps it alive when the page has left."""

    def __init__(self, server, state: dict, path: str, wifi: dict):
        self._server = server
        self._state = state
        self._path = path
        self._wifi = wifi
        self._station = network.WLAN(network.STA_IF)
        self._since = ticks_ms()
        state.clear()
        state["joining"] = wifi["station_ssid"]
        self._tell(type="joining", ssid=wifi["station_ssid"])
        try:
            self._station.active(True)
            self._station.config(reconnects=0)
            self._station.connect(wifi["station_ssid"], wifi["station_password"])
        except _ERRORS as error:
            self._fail(str(error))
            return
        self._timer = server.every(_TICK, self._wait)

    def _tell(self, **message):
        self._server.broadcast(json.dumps(message), self._path)

    def _wait(self):
        """Wait until the board has joined."""
        if self._station.isconnected():
            self._timer.cancel()
            self._joined()
            return
        status = self._station.status()
        is_over = ticks_diff(ticks_ms(), self._since) >= _TIMEOUT
        if is_over or status not in (network.STAT_CONNECTING, network.STAT_IDLE):
            self._timer.cancel()
            self._fail(lazy.call("wifi.connect", "reason_of", status))

    def _fail(self, reason):
        try:
            self._station.active(False)
        except _ERRORS:
            pass
        self._state.clear()
        self._state["failed"] = {"ssid": self._wifi["station_ssid"], "reason": reason}
        self._server.log(INFO, "join: failed: %s" % reason)
        self._tell(type="failed", reason=reason)

    def _joined(self):
        wifi, state = self._wifi, self._state
        problems = lazy.call("admin.settingsfile", "save", {"wifi": wifi})
        if problems:
            self._fail(str(problems))
            return
        self._station.config(reconnects=-1)
        name = wifi["hostname"].lower()
        server = self._server
        if server.hosts:
            server.hosts.extend((name, name + ".local"))
        state["address"] = self._station.ifconfig()[0]
        state["name"] = name
        settings = lazy.call("config.loader", "load")
        state["port"] = settings["server"]["port"]
        _write_reason("")
        server.log(INFO, "join: joined %r as %s" % (wifi["station_ssid"], state["address"]))
        self._tell(
            type="joined",
            address=state["address"],
            name=name,
            port=state["port"],
            ssid=wifi["station_ssid"],
            minutes=_REACH // 60000,
        )
        self._deadline = ticks_add(ticks_ms(), _REACH)
        self._timer = server.every(_TICK, self._wait_for_user)

    def _wait_for_user(self):
        """Wait until the board was reached at its new address."""
        if self._state.get("reached") or self._is_reached():
            self._timer.cancel()
            lazy.call("admin.confirm", "confirm_settings")
            self._server.log(INFO, "join: reached at the new address; restarting")
            self._tell(type="reached")
            self._server.after(_LEAVE, self._restart)
        elif ticks_diff(self._deadline, ticks_ms()) <= 0:
            self._timer.cancel()
            reason = "nothing has reached the board at %s" % self._state["address"]
            _write_reason(reason)
            rollback.revert_settings()
            self._server.log(INFO, "join: %s: the settings are reverted; restarting" % reason)
            self._tell(type="reverted", reason=reason)
            self._restart()

    def _is_reached(self):
        """Return whether a client has connected from the new network."""
        ap = network.WLAN(network.AP_IF).ifconfig()[0]
        inside = ap[: ap.rfind(".") + 1]
        for client in self._server.clients:
            address = client.address[0]
            if not address.startswith((inside, "127.")):
                return True
        return False

    def _restart(self):
        lazy.load("admin.restart").soon(self._server)


def _send(client, **message):
    client.send(json.dumps(message))


def _scan():
    """Return the networks in range, the strongest first: [{"ssid", "rssi", "open"}]."""
    station = network.WLAN(network.STA_IF)
    station.active(True)
    found = {}
    for entry in station.scan():  # takes two seconds on a chip
        try:
            ssid = str(entry[0], "utf-8")
        except UnicodeError:
            continue
        if ssid and entry[3] > found.get(ssid, (-999,))[0]:
            found[ssid] = (entry[3], entry[4] == network.AUTH_OPEN)
    names = sorted(found, key=lambda ssid: -found[ssid][0])[:20]
    return [{"ssid": ssid, "rssi": found[ssid][0], "open": found[ssid][1]} for ssid in names]


def _read_reason():
    try:
        with open(_REASON) as file:
            return file.read()
    except OSError:
        return ""


def _write_reason(text):
    try:
        if text:
            with open(_REASON, "w") as file:
                file.write(text)
        else:
            os.remove(_REASON)
    except OSError:
        pass  # it does not exist, or the flash is full
