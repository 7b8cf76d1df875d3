"""What there is to say of Wi-Fi when something has changed. Loaded by `stations` then."""


def tell(before, now, log) -> None:
    """Log a change from `before` to `now`: lists of MACs, or whether the network is there."""
    if isinstance(now, bool):
        log("wifi: connected again" if now else "wifi: connection lost, trying again")
        return
    before = before if isinstance(before, list) else []
    for mac in sorted(now):
        if mac not in before:
            log("wifi: station %s joined" % _mac(mac))
    for mac in sorted(before):
        if mac not in now:
            log("wifi: station %s left" % _mac(mac))


def _mac(mac):
    return ":".join("%02x" % byte for byte in mac)
