"""Brings Wi-Fi up: the board's own access point, or a station of somebody else's network.

For MicroPython 1.22 and later. Only boot.py needs it: `stations` is what goes on.
"""

import time

import network

_SECOND = 1000

# What WLAN.status() says of a station that failed, beside the names that `network` has for it.
_REASONS = {
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
        address = _join(wifi, log)
        if address:
            return address
        log("wifi: starting the access point instead")
    return _open_access_point(wifi, get_secret, log)


def _try(log, function, *args, **kwargs):
    """Call what may be missing in an older release, or refuse its argument."""
    try:
        return function(*args, **kwargs)
    except (OSError, ValueError, TypeError) as error:
        log("wifi: %s" % error)


def _open_access_point(wifi, get_secret, log):
    network.WLAN(network.STA_IF).active(False)
    ap = network.WLAN(network.AP_IF)
    password = wifi["password"]
    generated = password is None
    if generated:
        password = get_secret("wifi_password")
    try:
        ap.active(True)  # first: config() raises "Wifi Invalid Mode" before
        ap.config(
            ssid=wifi["ssid"],
            password=password,
            authmode=network.AUTH_WPA2_PSK if password else network.AUTH_OPEN,
            channel=wifi["channel"],
            hidden=wifi["hidden"],
            max_clients=wifi["max_stations"],
        )
        ip = wifi["ip"]
        ap.ifconfig((ip, "255.255.255.0", ip, ip))
    except (OSError, ValueError) as error:
        log("wifi: the access point does not start: %s" % error)
        return ""
    log(
        "wifi: access point %r, %s"
        % (wifi["ssid"], "password %s" % password if generated else _kind(password))
    )
    return ip


def _kind(password):
    return "password as in config.json" if password else "open to everybody"


def _join(wifi, log):
    """Join a network. The board's address, or None after station_timeout seconds."""
    network.WLAN(network.AP_IF).active(False)
    station = network.WLAN(network.STA_IF)
    deadline = time.ticks_add(time.ticks_ms(), int(wifi["station_timeout"] * _SECOND))
    try:
        station.active(True)
        station.config(
            reconnects=0
        )  # so that status() tells why, instead of "connecting" for ever
        reason = None
        while time.ticks_diff(deadline, time.ticks_ms()) > 0:
            station.connect(wifi["station_ssid"], wifi["station_password"])
            reason = _wait(station, deadline)
            if station.isconnected():
                station.config(reconnects=-1)  # from now on, the driver comes back by itself
                address = station.ifconfig()[0]
                log("wifi: joined %r as %s" % (wifi["station_ssid"], address))
                return address
            time.sleep_ms(200)
        log(
            "wifi: cannot join %r: %s"
            % (wifi["station_ssid"], _REASONS.get(reason, "no answer in time"))
        )
        station.active(False)
    except (OSError, ValueError) as error:
        log("wifi: cannot join %r: %s" % (wifi["station_ssid"], error))


def _wait(station, deadline):
    while time.ticks_diff(deadline, time.ticks_ms()) > 0:
        status = station.status()
        if status != network.STAT_CONNECTING:
            return status
        time.sleep_ms(50)
