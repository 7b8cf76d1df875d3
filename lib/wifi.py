"""Brings Wi-Fi up: the board's own access point, or a station of somebody else's network.

For MicroPython 1.22 and later. Only boot.py needs it: `stations` is what goes on.
"""

import time

import network

_SECOND = 1000
_USUAL_NAME = "ESP32-WS-Server"  # as in `fields`
# What `network` raises: "Wifi Unknown Error 0x..." is a RuntimeError; the last two are for what an
# older release does not have.
_ERRORS = (OSError, RuntimeError, ValueError, TypeError)

# What WLAN.status() says of a station that failed, beside the names that `network` has for it.
_REASONS = {
    2: "the network did not let the board in: is the password right?",
    15: "the network did not let the board in: is the password right?",
    200: "the network's signal is lost",
    201: "there is no network of that name in reach",
    202: "the password is wrong",
    203: "the network refused the board",
    204: "the handshake timed out: is the password right?",
    210: "the network's kind of security does not fit",
    211: "the network's security is too weak",
    212: "the network's signal is too weak",
}


def start(wifi: dict, get_secret, log=print) -> str:
    """Bring Wi-Fi up as the "wifi" section of the settings says; returns the board's address.

    get_secret(name): the password to use where the settings have none. A station that cannot join
    in station_timeout seconds becomes an access point. Nothing of Wi-Fi raises: it is logged.
    """
    if wifi["country"]:
        _try(log, network.country, wifi["country"])
    _try(log, network.hostname, wifi["hostname"])
    if wifi["mode"] == "station":
        try:
            address = _join(wifi, log)
        except _ERRORS as error:
            log("wifi: cannot join %r: %s" % (wifi["station_ssid"], error))
            address = None
        if address:
            return address
        log("wifi: starting the access point instead")
    # A name or password that the driver refuses does not make the board unreachable.
    for chosen in (wifi, dict(wifi, ssid=_USUAL_NAME, password=None)):
        try:
            return _open_access_point(chosen, get_secret, log)
        except _ERRORS as error:
            log("wifi: the access point %r does not start: %s" % (chosen["ssid"], error))
    return ""


def _try(log, function, *args, **kwargs):
    """Call what may be missing in an older release, or refuse its argument."""
    try:
        return function(*args, **kwargs)
    except _ERRORS as error:
        log("wifi: %s%r: %s" % (getattr(function, "__name__", ""), args or kwargs, error))


def _open_access_point(wifi, get_secret, log):
    network.WLAN(network.STA_IF).active(False)
    ap = network.WLAN(network.AP_IF)
    password = wifi["password"]
    generated = password is None
    if generated:
        password = get_secret("wifi_password")
    security = network.AUTH_WPA2_PSK if password else network.AUTH_OPEN
    ap.active(True)  # first: config() raises "Wifi Invalid Mode" before
    try:
        _configure(ap, wifi, log, ssid=wifi["ssid"], key=password, security=security)
    except _ERRORS:
        ap.active(False)  # without its settings, it is a network that is open to everybody
        raise
    ip = wifi["ip"]
    _try(log, ap.ifconfig, (ip, "255.255.255.0", ip, ip))
    log(
        "wifi: access point %r, %s"
        % (wifi["ssid"], "password %s" % password if generated else _kind(password))
    )
    return ap.ifconfig()[0]


def _configure(ap, wifi, log, **needed):
    try:
        ap.config(
            channel=wifi["channel"],
            hidden=wifi["hidden"],
            max_clients=wifi["max_stations"],
            **needed,
        )
    except _ERRORS as error:  # such as a channel that the country does not have
        text = "wifi: channel %d: %s; using channel 1, without hidden and max_stations"
        log(text % (wifi["channel"], error))
        ap.config(channel=1, **needed)


def _kind(password):
    return "password as in config.json" if password else "open to everybody"


def _join(wifi, log):
    """Join a network. The board's address, or None after station_timeout seconds."""
    network.WLAN(network.AP_IF).active(False)
    station = network.WLAN(network.STA_IF)
    deadline = time.ticks_add(time.ticks_ms(), int(wifi["station_timeout"] * _SECOND))
    station.active(True)
    # So that status() tells why, instead of "connecting" for ever.
    station.config(reconnects=0)
    reason = None
    log("wifi: joining %r" % wifi["station_ssid"])
    while time.ticks_diff(deadline, time.ticks_ms()) > 0:
        station.connect(wifi["station_ssid"], wifi["station_password"])
        status = _wait(station, deadline)
        if station.isconnected():
            return _joined(station, wifi["station_ssid"], log)
        if status not in (None, network.STAT_IDLE):
            reason = status
        time.sleep_ms(200)
    station.active(False)
    text = _REASONS.get(reason) or (
        "reason %d of the driver" % reason if reason else "no answer in time"
    )
    log("wifi: cannot join %r: %s" % (wifi["station_ssid"], text))


def _joined(station, ssid, log):
    station.config(reconnects=-1)  # from now on, the driver comes back by itself
    # Awake all the time: a server that sleeps between beacons answers 0.1 s late.
    _try(log, station.config, pm=0)
    address = station.ifconfig()[0]
    log("wifi: joined %r as %s" % (ssid, address))
    return address


def _wait(station, deadline):
    """The status when the driver has given up or joined; None: it is still trying."""
    while time.ticks_diff(deadline, time.ticks_ms()) > 0:
        status = station.status()
        if status != network.STAT_CONNECTING:
            return status
        time.sleep_ms(50)
