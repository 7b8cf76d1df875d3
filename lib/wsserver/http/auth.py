"""Authentication: endpoints that require a secret."""

import binascii
from time import ticks_diff, ticks_ms

from ..core.frames import const
from ..lazy import call
from .request import HTTPError, unquote

# Against brute force: after so many wrong secrets an address must wait.
_MAX_FAILURES = const(5)
_WAIT = const(60000)  # ms without an attempt
_MAX_ADDRESSES = const(16)  # that are remembered; the one that failed longest ago is evicted

_OFFER = const("bearer.")  # the prefix of the subprotocol in which a browser sends a secret


class Token:
    """Access with a secret text.

    It is accepted as `Authorization: Bearer SECRET` (RFC 6750) and as `?token=SECRET` in the URL.
    Browsers cannot send headers, and keep URLs in their history. They can offer a subprotocol
    "bearer." + base64url(SECRET), beside the one that is spoken.
    """

    challenge = "Bearer"

    def __init__(self, secret: str):
        call("wsserver.http.checks", "check_secret", "secret", secret)
        self._secret = secret.encode()
        self._failures = {}  # IP -> (count, time of the last one)

    def check(self, request, ip: str) -> None:
        """Accept a request, or raise HTTPError 401, or 429 after too many wrong secrets.

        During the wait even the right secret gets 429, otherwise guessing could continue.
        """
        now = ticks_ms()
        failures = self._failures.get(ip)
        if failures and ticks_diff(now, failures[1]) >= _WAIT:
            del self._failures[ip]
            failures = None
        if failures and failures[0] >= _MAX_FAILURES:
            raise HTTPError(429, "too many wrong passwords", "Retry-After: 60")
        for given in self._given(request):
            if _same(given, self._secret):
                self._failures.pop(ip, None)
                return
            self._count(ip, now)
        raise HTTPError(401, "authentication required", "WWW-Authenticate: " + self.challenge)

    def _given(self, request):
        """Return a tuple with the first secret in a request, as bytes, or an empty tuple."""
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
        if ip not in failures and len(failures) >= _MAX_ADDRESSES:
            failures.pop(max(failures, key=lambda other: ticks_diff(now, failures[other][1])))
        failures[ip] = (failures.get(ip, (0,))[0] + 1, now)


class Basic(Token):
    """Access with a user name and a password; browsers show a dialog for them (RFC 7617)."""

    challenge = 'Basic realm="board", charset="UTF-8"'

    def __init__(self, user: str, password: str):
        call("wsserver.http.checks", "check_secret", "user", user)
        call("wsserver.http.checks", "check_secret", "password", password)
        super().__init__(user + ":" + password)

    def _given(self, request):
        kind, _, value = request.headers.get("authorization", "").partition(" ")
        return (_decode(value.strip()),) if kind.lower() == "basic" else ()


def _decode(text):
    """Decode base64, padded or not; return b"" if invalid."""
    try:
        return binascii.a2b_base64(text + "=" * (-len(text) % 4))
    except ValueError:
        return b""


def _same(given, secret):
    """Compare in a time that does not depend on where the two differ."""
    different = len(given) ^ len(secret)
    for index in range(len(given)):
        different |= given[index] ^ secret[index % len(secret)]
    return not different
