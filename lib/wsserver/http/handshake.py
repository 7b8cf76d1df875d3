"""The opening handshake (RFC 6455, section 4.2)."""

import binascii
import hashlib

from ..core.frames import const
from ..lazy import call
from .request import HTTPError, Request, consists_of, host_name

_GUID = const(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11")  # RFC 6455, section 1.3
_BASE64 = const(b"+/")
_SEC = const("sec-websocket-")


def check_upgrade(request: Request) -> None:
    """Check that a request opens a WebSocket connection (section 4.2.1).

    Raises HTTPError 400, 405 or 426.
    """
    headers = request.headers
    valid = request.method == "GET" and not request.is_1_0
    for name, token in (("upgrade", "websocket"), ("connection", "upgrade")):
        valid = valid and token in [element.lower() for element in request.tokens(name)]
    # 16 bytes in base64: 22 characters and two of padding.
    key = headers.get(_SEC + "key", "")
    valid = valid and len(key) == 24 and key[22:] == "=="
    if (
        not valid
        or headers.get(_SEC + "version") != "13"
        or not consists_of(key[:22].encode(), _BASE64)
    ):
        raise call("wsserver.http.unusual", "upgrade_error", request)


def check_origin(request: Request, origins=None, others=()) -> None:
    """Check the Origin header: a page that sends it must be allowed to connect.

    origins: the accepted values of Origin. None stands for no such header (only browsers send
    it), "self" for pages of the requested host, on any port, and "*" for all. By default these are
    None, "self" and `others`. Raises HTTPError 403.
    """
    if origins is None:
        origins = (None, "self")
    else:
        others = ()
    origin = request.headers.get("origin")
    if origin in origins or origin in others or "*" in origins or "*" in others:
        return
    own = "self" in origins and origin
    host = host_name(request.headers.get("host", ""))
    if not own or host_name(own[own.find("//") + 2 :]) != host:
        raise HTTPError(403, "Origin %s is not allowed (access.origins)" % (origin or "(none)"))


def choose_subprotocol(request: Request, subprotocols):
    """Return the first offered subprotocol that is supported, or None (4.2.2, step 5.5)."""
    for offer in request.tokens(_SEC + "protocol"):
        if offer in subprotocols:
            return offer


def accept_response(request: Request, subprotocol=None) -> bytes:
    """Return the 101 response to a checked request (section 4.2.2, step 5)."""
    # Section 4.2.2, step 5.4
    digest = hashlib.sha1(request.headers[_SEC + "key"].encode() + _GUID).digest()
    key = str(binascii.b2a_base64(digest), "utf-8").strip()
    head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    head += "Sec-WebSocket-Accept: %s\r\n" % key
    if subprotocol:
        head += "Sec-WebSocket-Protocol: %s\r\n" % subprotocol
    return (head + "\r\n").encode()
