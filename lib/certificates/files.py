"""Read and check certificates and keys in PEM or DER, and explain problems.

Mbed TLS itself gives almost no reasons.
"""

import binascii
import errno
import os
import time

from micropython import const

from certificates import TLSError, der

# Bytes. A chain of three RSA certificates in PEM is 6 KB long.
_MAX_FILE = const(12288)
_MAX_OBJECT = const(4096)  # of one certificate or key, in DER or base64
_FIRST_YEAR = const(2025)  # an earlier year: the clock is not set, chips start at 2000

_MAKE = const("make one with 'make certs' or 'esp32-ws certs' and copy it to the board")
_RENEW = const(
    "make a new one with 'make certs' or 'esp32-ws certs' and copy it, with its key, to the board"
)
_CLIENTS = const("use the clients.crt.der of 'make certs' or 'esp32-ws certs'")


def load(cert: str, key: str, client_ca: str = "") -> tuple:
    """Return (chain, private key, client authorities), all in DER, from files in PEM or DER.

    Raises TLSError if a file is missing or damaged, a certificate is not valid now, or the key
    belongs to another certificate.
    """
    chain = _certificates(cert)
    private = _private_key(key, chain[0], cert)
    # Mbed TLS checks client certificates by the clock, even if it is not set.
    authorities = _certificates(client_ca, for_clients=True) if client_ca else []
    return chain, private, authorities


def unsupported(path: str) -> str:
    """Return the message for a valid file that Mbed TLS refuses."""
    return (
        "%s is of a type that MicroPython does not support, or memory ran out: use EC P-256 or "
        "RSA-2048, as 'make certs' and 'esp32-ws certs' do" % path
    )


def _certificates(path, for_clients=False):
    try:
        found = _read(path, b"CERTIFICATE", _MAKE)
        first, last = der.validity(found[0])
    except ValueError:
        text = "%s is not a certificate in PEM or DER, or is damaged: copy it to the board again"
        raise TLSError(text % path) from None
    now = time.gmtime()[:6]
    if for_clients or now[0] >= _FIRST_YEAR:
        if now > last:
            raise TLSError("%s expired on %s: %s" % (path, _date(last), _RENEW))
        if now < first:
            text = "%s is not valid before %s, and the clock shows %s: set the clock, or %s"
            remedy = _CLIENTS if for_clients else _RENEW
            raise TLSError(text % (path, _date(first), _date(now), remedy))
    return found


def _private_key(path, certificate, cert):
    try:
        private = _read(path, b"PRIVATE KEY", "copy it together with %s to the board" % cert)[0]
    except ValueError:
        text = "%s is not a private key in PEM or DER, or is damaged: copy it to the board again"
        raise TLSError(text % path) from None
    try:
        if der.belong_together(certificate, private):
            return private
    except ValueError:
        raise TLSError(unsupported(cert)) from None
    text = "%s belongs to another certificate than %s: copy both to the board again"
    raise TLSError(text % (path, cert))


def _read(path, label, remedy):
    """Return the DER objects in a file. Raises ValueError if there are none, or one is damaged."""
    try:
        size = os.stat(path)[6]
        if size > _MAX_FILE:
            text = "%s is longer than %d bytes: leave only what the server needs in it"
            raise TLSError(text % (path, _MAX_FILE))
        with open(path, "rb") as file:
            found = objects(file, label)
    except OSError as error:
        if error.errno == errno.ENOENT:
            raise TLSError("%s not found: %s" % (path, remedy)) from None
        raise TLSError("%s cannot be read (%s): %s" % (path, error, remedy)) from None
    if found is None:
        text = "%s has a passphrase, which the board does not know: remove it (openssl pkey)"
        raise TLSError(text % path)
    return found


# Long: the states of one parser of lines, which share name, body and found.
def objects(file, label: bytes):
    """Return the DER objects in a binary file: the PEM blocks with this label, or DER itself.

    A block's label may have a prefix, such as "EC PRIVATE KEY". Returns None if a block is
    encrypted. PEM is read line by line: no buffer is longer than one object.
    Raises ValueError if the file is neither PEM nor DER, or is damaged.
    """
    start = file.read(1)
    if start == b"\x30":
        return [der.whole(start + file.read(_MAX_OBJECT))]
    found = []
    name = body = None
    line = start + file.readline(128)
    while line:
        line = line.strip()
        if b"ENCRYPTED" in line:
            return None
        if line.startswith(b"-----BEGIN "):
            if body is not None:
                raise ValueError
            name, body = line[11:].rstrip(b"-"), b""
        elif line.startswith(b"-----END "):
            if body is None:
                raise ValueError
            if name.endswith(label):
                found.append(der.whole(binascii.a2b_base64(body)))
            body = None
        elif body is not None:
            body += line
            if len(body) > _MAX_OBJECT:
                raise ValueError
        line = file.readline(128)
    if body is not None or not found:
        raise ValueError
    return found


def _date(moment):
    return "%04d-%02d-%02d" % moment[:3]
