"""Certificates on flash -> the context that TLS connections are made with.

It is not called `tls`, since MicroPython's own module of that name always comes first. Only needed
at start: main.py drops it afterwards.
"""

import errno
import gc
import os
import sys
import time

try:
    import tls
except ImportError:  # MicroPython 1.22 has it under the older name
    import ssl as tls  # type: ignore[no-redef]

# Bytes. A chain of three RSA certificates in PEM is 6 KB long.
_MOST_BYTES = 12288
# What a context and one connection take outside of MicroPython's heap, as measured on an ESP32,
# and the piece of it that must be in one: the buffer for a record of 16 KB.
_NEEDED = 27 * 1024
_NEEDED_IN_ONE = 17 * 1024
# A clock that shows an earlier year has not been set: a chip's begins with 2000.
_FIRST_YEAR = 2025

_MAKE = "make one with 'make certs' and copy it to the board (docs/tls.md)"
_RENEW = "make a new one with 'make certs' and copy it, with its key, to the board"


class TLSError(Exception):
    """There can be no TLS. The text is one line: which file, what is wrong, what to do."""


def server_context(cert: str, key: str, client_ca: str = ""):
    """A tls.SSLContext for a server; the arguments are paths of files in PEM or DER.

    cert: the server's certificate; in PEM, those between it and the authority's may follow. key:
    its private key. client_ca: only clients with a certificate of this authority get in; "" lets
    everybody in. TLSError: something is missing or wrong, or there is not enough memory.
    """
    context = failed = None
    try:
        context = _build(cert, key, client_ca)
    except MemoryError:
        failed = True
    finally:
        sys.modules.pop("certcheck", None)
        gc.collect()
    if failed:  # said here, where nothing holds on to what was read any more
        raise TLSError(_no_memory(cert))
    return context


def _build(cert, key, client_ca):
    _check_memory(cert)
    certificates = _certificates(cert)
    private = _private_key(key, certificates[0], cert)
    authorities = _certificates(client_ca, True) if client_ca else ()
    gc.collect()
    try:
        context = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
        # Mbed TLS takes DER one certificate at a time, and adds each to those that it has: the
        # rest of the chain. That the key comes again each time changes nothing.
        for certificate in certificates:
            context.load_cert_chain(certificate, private)
    except ValueError as error:
        # It does not tell "no memory" from "unknown": what is damaged has been found before.
        raise TLSError(_unknown(key if "key" in str(error) else cert)) from None
    except OSError:
        raise TLSError(_no_memory(cert)) from None
    try:
        for authority in authorities:
            context.load_verify_locations(authority)
    except ValueError:
        raise TLSError(_unknown(client_ca)) from None
    if authorities:
        context.verify_mode = tls.CERT_REQUIRED
    return context


def _check_memory(path):
    """TLSError: the chip could not serve a single connection."""
    try:
        import esp32

        regions = esp32.idf_heap_info(esp32.HEAP_DATA)
    except (ImportError, AttributeError):  # not an ESP32
        return
    if sum(region[1] for region in regions) < _NEEDED or (
        max(region[2] for region in regions) < _NEEDED_IN_ONE
    ):
        raise TLSError(_no_memory(path))


def _certificates(path, for_clients=False):
    """The certificates in a file as DER, checked.

    for_clients: they are what Mbed TLS checks clients with. It then goes by the clock whether that
    has been set or not, and would let nobody in.
    """
    import certcheck

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


def _private_key(path, certificate, cert):
    """The private key in a file as DER, checked to be that of the certificate."""
    import certcheck

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
        raise TLSError(_unknown(cert)) from None
    text = "%s is the key of another certificate than %s: copy both to the board again"
    raise TLSError(text % (path, cert))


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


def _unknown(path):
    return (
        "%s is of a kind that MicroPython does not know, or memory ran out: use EC P-256 or "
        "RSA-2048, as 'make certs' does" % path
    )


def _no_memory(path):
    return (
        "%s: not enough memory for TLS, which takes about %d KB: lower server.max_clients and "
        "server.max_size, or compile lib/ (docs/install.md)" % (path, _NEEDED // 1024)
    )


def _date(moment):
    return "%04d-%02d-%02d" % moment[:3]
