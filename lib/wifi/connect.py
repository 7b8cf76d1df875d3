"""Start the network: the board's access point, a Wi-Fi to join, or another interface.

For MicroPython 1.22 and later. `fallback` has the interfaces of the settings' `network` section.
"""

import time

import network
from micropython import const

_SECOND = const(1000)
_DEFAULT_SSID = const("ESP32-WS-Server")  # as in config.schema
# `network` raises RuntimeError for "Wifi Unknown Error 0x...", and ValueError or TypeError for
# features that older releases lack.
_ERRORS = (OSError, RuntimeError, ValueError, TypeError)


def start(wifi: dict, secret, log=print, net=None) -> str:
    """Start the network as the settings say; return the board's address.

    wifi, net: the sections "wifi" and "network"; net is None without that section, and then
    wifi.mode decides. secret(name) returns the access point's password if the settings have
    none. A station that cannot join within station_timeout seconds opens the access point instead.
    Errors are logged, not raised; the address is "" if no interface has one.
    """
    if wifi["country"]:
        _try(log, network.country, wifi["country"])
    # Before Wi-Fi is active: mDNS ignores later changes.
    _try(log, network.hostname, wifi["hostname"])
    net = net or wifi.get("network")  # where boot.py is older than this section
    if net and net["order"]:
        from . import fallback

        starters = {
            "station": lambda: join(wifi, log, net),
            "ap": lambda: open_access_point(wifi, secret, log),
        }
        return fallback.start(net, log, starters)
    if not hasattr(network, "WLAN"):
        log("network: this chip has no Wi-Fi: set network.order (docs/settings.md)")
        return ""
    if wifi["mode"] == "station":
        address = join(wifi, log, net)
        if address:
            return address
        log("wifi: opening the access point instead")
    return open_access_point(wifi, secret, log)


def open_access_point(wifi: dict, secret, log) -> str:
    """Open the access point; return its address, or "" if it does not start."""
    # If the driver refuses the name or password, the board must still be reachable.
    for candidate in (wifi, dict(wifi, ssid=_DEFAULT_SSID, password=None)):
        try:
            return _open(candidate, secret, log)
        except _ERRORS as error:
            log("wifi: the access point %r does not start: %s" % (candidate["ssid"], error))
    return ""


def join(wifi: dict, log, net=None):
    """Join a known network. Return the board's address, or None after station_timeout seconds."""
    try:
        network.WLAN(network.AP_IF).active(False)
        station = network.WLAN(network.STA_IF)
        deadline = time.ticks_add(time.ticks_ms(), int(wifi["station_timeout"] * _SECOND))
        station.active(True)
        # Otherwise status() reports "connecting" forever instead of the reason.
        station.config(reconnects=0)
        known = [(wifi["station_ssid"], wifi["station_password"])]
        if net:
            from . import fallback

            known = fallback.known_networks(station, wifi, net, log)
        reason, attempt = None, 0
        while time.ticks_diff(deadline, time.ticks_ms()) > 0:
            ssid, password = known[attempt % len(known)]
            if attempt < len(known):
                log("wifi: joining %r" % ssid)
            attempt += 1
            station.connect(ssid, password)
            status = _wait(station, deadline)
            if station.isconnected():
                station.config(reconnects=-1)  # from now on the driver reconnects by itself
                # Without power saving: a station that sleeps between beacons answers 0.1 s late.
                _try(log, station.config, pm=0)
                address = station.ifconfig()[0]
                log("wifi: joined %r as %s" % (ssid, address))
                return address
            if status not in (None, network.STAT_IDLE):
                reason = status
            time.sleep_ms(200)
        station.active(False)
        names = " or ".join([repr(ssid) for ssid, _ in known])
        log("wifi: cannot join %s: %s" % (names, reason_of(reason)))
    except _ERRORS as error:
        log("wifi: cannot join %r: %s" % (wifi["station_ssid"], error))
    return None


def _try(log, function, *args, **kwargs):
    """Call a function that an older release may lack, or whose argument it may refuse."""
    try:
        return function(*args, **kwargs)
    except _ERRORS as error:
        log("wifi: %s%r: %s" % (getattr(function, "__name__", ""), args or kwargs, error))


def _open(wifi, secret, log):
    network.WLAN(network.STA_IF).active(False)
    ap = network.WLAN(network.AP_IF)
    password = wifi["password"]
    generated = password is None
    if generated:
        password = secret("wifi_password")
    security = network.AUTH_WPA2_PSK if password else network.AUTH_OPEN
    ap.active(True)  # before config(), which otherwise raises "Wifi Invalid Mode"
    required = {"ssid": wifi["ssid"], "key": password, "security": security}
    channel, hidden, most = wifi["channel"], wifi["hidden"], wifi["max_stations"]
    try:
        try:
            ap.config(channel=channel, hidden=hidden, max_clients=most, **required)
        except _ERRORS as error:  # for example a channel that is not allowed in this country
            text = "wifi: channel %d: %s; using channel 1, without hidden and max_stations"
            log(text % (channel, error))
            ap.config(channel=1, **required)
    except _ERRORS:
        ap.active(False)  # an access point without its settings would be an open network
        raise
    described = "password as in config.json" if password else "open network without a password"
    ip = wifi["ip"]
    _try(log, ap.ifconfig, (ip, "255.255.255.0", ip, ip))
    log(
        "wifi: access point %r, %s"
        % (wifi["ssid"], "password %s" % password if generated else described)
    )
    return ap.ifconfig()[0]


def reason_of(status) -> str:
    """Return a text for a value of WLAN.status() after a failure; None: there was none."""
    if status in (None, network.STAT_IDLE, network.STAT_CONNECTING):
        return "timeout"
    # `network` has names for some of the values only.
    reasons = {
        2: "authentication failed: check the password",
        15: "authentication failed: check the password",
        200: "the network's signal is lost",
        201: "network not found",
        202: "wrong password",
        203: "the network refused the association",
        204: "handshake timeout: check the password",
        210: "the network's security type is not supported",
        211: "the network's security is too weak",
        212: "the network's signal is too weak",
    }
    return reasons.get(status) or "driver status %d" % status


def _wait(station, end):
    """Return the status once the driver has joined or given up; None on timeout."""
    while time.ticks_diff(end, time.ticks_ms()) > 0:
        status = station.status()
        if status != network.STAT_CONNECTING:
            return status
        time.sleep_ms(50)
