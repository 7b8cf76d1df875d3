"""Files with certificates and keys -> what is in them, checked; or one line on what is wrong.

Mbed TLS, which gets them next, says next to nothing of that. Only needed at start: see
`tlscontext`.
"""

import errno
import os
import time

import certcheck
from micropython import const

# A chain of three RSA certificates in PEM is 6 KB long.
_MOST_BYTES = const(12288)
# A clock that shows an earlier year has not been set: a chip's begins with 2000.
_FIRST_YEAR = const(2025)

_MAKE = "make one with 'make certs' and copy it to the board (docs/tls.md)"
_RENEW = "make a new one with 'make certs' and copy it, with its key, to the board"


class TLSError(Exception):
    """There can be no TLS. The text is one line: which file, what is wrong, what to do."""


def certificates(path: str, for_clients: bool = False) -> list:
    """The certificates in a file, as DER, of which the first is valid now.

    for_clients: they are what Mbed TLS checks clients with. It then goes by the clock whether that
    has been set or not, and would let nobody in. TLSError.
    """
    data = _read(path, _MAKE)
    try:
        found = certcheck.objects(data, b"CERTIFICATE")
        first, last = certcheck.validity(found[0])
    except ValueError:
        text = "%s is no certificate in PEM or DER, or it is damaged: copy it to the board again"
        raise TLSError(text % path) from None
    now = time.gmtime()[:6]
    if for_clients or now[0] >= _FIRST_YEAR:
        if now > last:
            raise TLSError("%s has expired on %s: %s" % (path, _date(last), _RENEW))
        if now < first:
            text = "%s is not valid before %s, and the clock shows %s: set the clock, or %s"
            remedy = "use the clients.crt.der that 'make certs' makes" if for_clients else _RENEW
            raise TLSError(text % (path, _date(first), _date(now), remedy))
    return found


def private_key(path: str, certificate: bytes, cert: str) -> bytes:
    """The private key in a file, as DER, that belongs to a certificate; `cert` is that one's file.

    TLSError.
    """
    data = _read(path, "it is made together with %s: copy both to the board" % cert)
    if b"ENCRYPTED" in data:
        text = "%s has a passphrase, which the board does not know: remove it (openssl pkey)"
        raise TLSError(text % path)
    try:
        private = certcheck.objects(data, b"PRIVATE KEY")[0]
    except ValueError:
        text = "%s is no private key in PEM or DER, or it is damaged: copy it to the board again"
        raise TLSError(text % path) from None
    try:
        if certcheck.belong_together(certificate, private):
            return private
    except ValueError:
        raise TLSError(unknown(cert)) from None
    text = "%s is the key of another certificate than %s: copy both to the board again"
    raise TLSError(text % (path, cert))


def unknown(path: str) -> str:
    """What to say of a file that is in good order, and that Mbed TLS refuses all the same."""
    return (
        "%s is of a kind that MicroPython does not know, or memory ran out: use EC P-256 or "
        "RSA-2048, as 'make certs' does" % path
    )


def _read(path, remedy):
    try:
        size = os.stat(path)[6]
        if size <= _MOST_BYTES:
            with open(path, "rb") as file:
                return file.read(size)  # read() sets aside as much as it is asked for
    except OSError as error:
        if error.errno == errno.ENOENT:
            raise TLSError("%s is not there: %s" % (path, remedy)) from None
        raise TLSError("%s cannot be read (%s): %s" % (path, error, remedy)) from None
    text = "%s is over %d bytes long: leave only what the server needs in it"
    raise TLSError(text % (path, _MOST_BYTES))


def _date(moment):
    return "%04d-%02d-%02d" % moment[:3]
