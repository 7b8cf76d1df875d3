"""Clients behind trusted reverse proxies: X-Forwarded-For, and Forwarded (RFC 7239)."""


def identify(connection, request) -> None:
    """Give a connection from a trusted proxy the address of its client.

    Raises HTTPError 429 if this address has too many connections.
    """
    server = connection._server
    proxy, port = connection._address
    ip, connection._https = _find_client(request, proxy, server.proxies)
    connection._trusted = True
    if ip != proxy:
        if server.limits:
            server.limits.check_connection(ip, server._connections.values(), False)
        connection._address = (ip, port)


def _find_client(request, proxy, proxies):
    """Return (IP address of the client, whether it has used https) for a request of a proxy.

    The client is the last address that does not belong to a trusted proxy. Without a valid one, or
    if the two headers disagree, it is the proxy itself: a client can send either header, and not
    every proxy removes the one that it does not use.
    """
    headers = request.headers
    found = None
    secure = headers.get("x-forwarded-proto", "").lower() == "https"
    for name, read in (("x-forwarded-for", _plain), ("forwarded", _for)):
        if name in headers:
            elements = request.tokens(name)
            ip = _last_untrusted([read(element) for element in elements], proxies)
            if found not in (None, ip):
                return proxy, False
            found = ip
    last = request.tokens("forwarded")[-1].lower().replace(" ", "")
    return found or proxy, secure or "proto=https" in last.replace('"', "").split(";")


def _last_untrusted(addresses, proxies):
    """Return the last address that is not a proxy's; "" if there is none, or an invalid one."""
    for ip in reversed(addresses):
        if ip not in proxies:
            return ip
    return ""


def _for(element):
    for part in element.split(";"):
        name, _, value = part.strip().partition("=")
        if name.lower() == "for":
            return _plain(value.strip('"'))
    return ""


def _plain(text):
    """Return an IP address without brackets and port, or "" if it is not valid."""
    if text[:1] == "[":
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    digits = b"0123456789abcdef:." if ":" in text else b"0123456789."
    text = text.lower()
    if not 2 <= len(text) <= 45 or (":" not in text and text.count(".") != 3):
        return ""
    return text if all(byte in digits for byte in text.encode()) else ""
