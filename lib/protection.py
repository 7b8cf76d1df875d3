"""The settings for who gets in -> what a server has to look at. Needed at start only."""

import network


def rules(config: dict) -> tuple:
    """(hosts, portal, limits), the attributes of a Server; `config` holds all settings."""
    wifi = config["wifi"]
    name = wifi["hostname"].lower()
    hosts = [name, name + ".local", "localhost"]
    hosts.extend(host.lower() for host in config["access"]["hosts"])
    limits = config["limits"]
    if not any(limits.values()):
        return hosts, _portal(wifi, config["server"]["port"]), None
    from wsserver.http.ratelimit import Limits

    return hosts, _portal(wifi, config["server"]["port"]), Limits(**limits)


def _portal(wifi, port):
    """Where a captive portal sends everybody; None: there is none."""
    ap = network.WLAN(network.AP_IF)
    if wifi["captive_portal"] and ap.active():
        return "http://%s%s/" % (ap.ifconfig()[0], "" if port == 80 else ":%d" % port)
