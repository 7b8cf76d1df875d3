"""Who may open a connection: endpoints that ask for a secret. Loaded by those who use it."""

import binascii
from time import ticks_diff, ticks_ms

from .frames import const
from .handshake import HTTPError
from .percent import unquote

_TRIES = const(5)  # wrong secrets from one address until it has to wait
_WAIT = const(60000)  # ms without a try after which an address has its tries again
_MOST = const(16)  # addresses that are remembered; the one that tried longest ago goes

_OFFER = "bearer."  # begins the subprotocol by which a browser sends a secret


class Token:
    """Access for requests that carry a secret text.

    It is looked for as `Authorization: Bearer SECRET` (RFC 6750), as `?token=SECRET` in the URL,
    and, for browsers, which can send neither headers nor hide a URL from their history, as an
    offered subprotocol "bearer." + base64url(SECRET), beside the one that is really spoken.
    """

    challenge = "Bearer"

    def __init__(self, secret: str):
        if not secret:
            raise ValueError("an empty secret would let everybody in")
        self._secret = secret.encode()
        self._failures = {}  # IP -> [how many, when last]

    def check(self, request, ip: str) -> None:
        """Let a request pass. HTTPError: 401, or 429 after too many wrong secrets of one address.

        A right secret does not help during the wait: else guessing could go on.
        """
        now = ticks_ms()
        failures = self._failures.get(ip)
        if failures and ticks_diff(now, failures[1]) >= _WAIT:
            del self._failures[ip]
            failures = None
        if failures and failures[0] >= _TRIES:
            raise HTTPError(429, "too many wrong passwords", "Retry-After: 60")
        for given in self._given(request):
            if _same(given, self._secret):
                self._failures.pop(ip, None)
                return
            self._count(ip, now)
        raise HTTPError(401, "password, please", "WWW-Authenticate: " + self.challenge)

    def _given(self, request):
        """The secrets in a request, as bytes: none, or the first that is found."""
        kind, _, value = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            return (value.strip().encode(),)
        for offer in request.tokens("sec-websocket-protocol"):
            if offer.startswith(_OFFER):
                return (_decode(offer[len(_OFFER) :].replace("-", "+").replace("_", "/")),)
        for field in request.query.split("&"):
            if field.startswith("token="):
                return (unquote(field[6:]).encode(),)
        return ()

    def _count(self, ip, now):
        failures = self._failures
        if ip not in failures and len(failures) >= _MOST:
            failures.pop(max(failures, key=lambda other: ticks_diff(now, failures[other][1])))
        failures[ip] = (failures.get(ip, (0,))[0] + 1, now)


class Basic(Token):
    """Access with a name and a password, for which browsers ask by themselves (RFC 7617)."""

    challenge = 'Basic realm="board", charset="UTF-8"'

    def __init__(self, user: str, password: str):
        if not password:
            raise ValueError("an empty password would let everybody in")
        super().__init__(user + ":" + password)

    def _given(self, request):
        kind, _, value = request.headers.get("authorization", "").partition(" ")
        return (_decode(value.strip()),) if kind.lower() == "basic" else ()


def _decode(text):
    """Base64, with or without its padding; nothing that is right by accident if it is none."""
    try:
        return binascii.a2b_base64(text + "=" * (-len(text) % 4))
    except ValueError:
        return b""


def _same(given, secret):
    """Compare in a time that says nothing about where they differ."""
    different = len(given) ^ len(secret)
    for index in range(len(given)):
        different |= given[index] ^ secret[index % len(secret)]
    return not different
