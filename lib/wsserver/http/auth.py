"""Authentication: endpoints that require a secret."""

import binascii
from time import time

from wsserver.core.frames import const

from ..lazy import call, load
from .request import HTTPError, unquote

# Against brute force: after so many wrong secrets an address must wait. All addresses together
# have a limit as well, except those that have given the right secret before.
_MAX_FAILURES = const(5)
_MAX_ALL_FAILURES = const(20)
_WAIT = const(60)  # seconds without a wrong secret
_MAX_KNOWN = const(16)  # addresses that have given the right secret; the oldest is evicted

_OFFER = const("bearer.")  # the prefix of the subprotocol in which a browser sends a secret


class Token:
    """Access with a secret text.

    It is accepted as `Authorization: Bearer SECRET` (RFC 6750) and as `?token=SECRET` in the URL.
    Pages cannot add headers to a WebSocket, and browsers keep URLs in their history. So a page can
    offer the subprotocol "bearer." + base64url(SECRET), in addition to the one that it uses.
    """

    challenge = "Bearer"

    def __init__(self, secret: str):
        call(".http.arguments", "check_secret", "secret", secret)
        self._secret = secret.encode()
        # IP -> (count, time of the last one). The limit of all failures bounds it: nothing has to
        # be evicted.
        self._failures = {}
        self._known = []

    def check(self, request, ip: str) -> None:
        """Accept a request, or raise HTTPError 401, or 429 after too many wrong secrets.

        During the wait even the right secret gets 429, otherwise guessing could continue.
        """
        if ":" in ip:
            ip = load(".ipv6").network(ip)
        # Not ticks_ms: it begins again after twelve days. If the clock is set, the wait ends.
        now = int(time())
        failures = self._failures
        for other in list(failures):
            if abs(now - failures[other][1]) >= _WAIT:
                del failures[other]
        count = failures.get(ip, (0,))[0]
        if count >= _MAX_FAILURES or ip not in self._known and self._is_attacked():
            raise HTTPError(429, "too many wrong passwords", "Retry-After: 60")
        for given in self._given(request):
            if _same(given, self._secret):
                failures.pop(ip, None)
                self._remember(ip)
                return
            failures[ip] = (count + 1, now)
        raise HTTPError(401, "authentication required", "WWW-Authenticate: " + self.challenge)

    def _is_attacked(self):
        """Return whether unknown addresses have no more attempts."""
        failures = self._failures
        count = sum(failures[ip][0] for ip in failures if ip not in self._known)
        return count >= _MAX_ALL_FAILURES

    def _remember(self, ip):
        if ip not in self._known:
            if len(self._known) >= _MAX_KNOWN:
                self._known.pop(0)
            self._known.append(ip)

    def _given(self, request):
        """Return a tuple with the first secret in a request, as bytes, or an empty tuple."""
        kind, _, value = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            return (value.strip().encode(),)
        for offer in request.tokens("sec-websocket-protocol"):
            if offer.startswith(_OFFER):
                return (_decode(offer[len(_OFFER) :].replace("-", "+").replace("_", "/")),)
        _, mark, rest = ("&" + request.query).partition("&token=")
        return (unquote(rest.partition("&")[0]).encode(),) if mark else ()


class Basic(Token):
    """Access with a user name and a password; browsers show a dialog for them (RFC 7617)."""

    challenge = 'Basic realm="board", charset="UTF-8"'

    def __init__(self, user: str, password: str):
        call(".http.arguments", "check_secret", "user", user)
        call(".http.arguments", "check_secret", "password", password)
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
