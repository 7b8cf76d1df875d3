"""The opening handshake (RFC 6455, section 4.2)."""

import binascii
import hashlib

from ..core.frames import const
from .request import HTTPError, Request, consists_of, host_name

_GUID = const(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11")  # RFC 6455, section 1.3
_BASE64 = const(b"+/")
_SEC = const("sec-websocket-")


def accept_key(key: str) -> str:
    """Return the Sec-WebSocket-Accept for a Sec-WebSocket-Key (section 4.2.2, step 5.4)."""
    digest = hashlib.sha1(key.encode() + _GUID).digest()
    return str(binascii.b2a_base64(digest), "utf-8").strip()


def check_upgrade(request: Request, origins=(None, "self")) -> None:
    """Check that a request opens a WebSocket connection (section 4.2.1).

    origins: the accepted values of Origin. None stands for no such header (only browsers send
    it), "self" for pages of the requested host, on any port, and "*" for all. Raises HTTPError
    400, 403, 405 or 426.
    """
    if request.method != "GET":
        raise HTTPError(405, "use GET", "Allow: GET")
    headers = request.headers
    key = headers.get(_SEC + "key", "")
    upgrade = "Upgrade: websocket"
    if not key and "upgrade" not in headers:
        raise HTTPError(426, "use a WebSocket client", upgrade)
    for name, token in (("Upgrade", "websocket"), ("Connection", "upgrade")):
        if token not in [element.lower() for element in request.tokens(name.lower())]:
            raise HTTPError(400, name)
    if headers.get(_SEC + "version") != "13":
        # Section 4.4: the server answers with the versions that it supports.
        raise HTTPError(426, "use version 13", upgrade, "Sec-WebSocket-Version: 13")
    # 16 bytes in base64: 22 characters and two of padding.
    if len(key) != 24 or key[22:] != "==" or not consists_of(key[:22], _BASE64):
        raise HTTPError(400, _SEC + "key")
    _check_origin(headers, origins)


def _check_origin(headers, origins):
    origin = headers.get("origin")
    if origin in origins or "*" in origins:
        return
    own = "self" in origins and origin
    if not own or host_name(own[own.find("//") + 2 :]) != host_name(headers["host"]):
        raise HTTPError(403, "Origin")


def choose_subprotocol(request: Request, supported):
    """Return the first offered subprotocol that is supported, or None (4.2.2, step 5.5)."""
    for offer in request.tokens(_SEC + "protocol"):
        if offer in supported:
            return offer


def accept_response(request: Request, subprotocol=None) -> bytes:
    """Return the 101 response to a checked request (section 4.2.2, step 5)."""
    key = accept_key(request.headers[_SEC + "key"])
    head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    head += "Sec-WebSocket-Accept: %s\r\n" % key
    if subprotocol:
        head += "Sec-WebSocket-Protocol: %s\r\n" % subprotocol
    return (head + "\r\n").encode()
