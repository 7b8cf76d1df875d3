"""Certificates on flash -> the context that TLS connections are made with.

It is not called `tls`, since MicroPython's own module of that name always comes first. Only needed
at start: main.py drops it afterwards.
"""

import gc
import sys

from certfiles import TLSError, certificates, private_key, unknown
from micropython import const

try:
    import tls
except ImportError:  # MicroPython 1.22 has it under the older name
    import ssl as tls  # type: ignore[no-redef]

# Bytes. What a context and one connection take outside of MicroPython's heap, as measured on an
# ESP32, and the piece of it that must be in one: the buffer for a record of 16 KB.
_NEEDED = const(27 * 1024)
_NEEDED_IN_ONE = const(17 * 1024)


def server_context(cert: str, key: str, client_ca: str = ""):
    """A tls.SSLContext for a server; the arguments are paths of files in PEM or DER.

    cert: the server's certificate; in PEM, those between it and the authority's may follow. key:
    its private key. client_ca: only clients with a certificate of this authority get in; "" lets
    everybody in. TLSError: something is missing or wrong, or there is not enough memory.
    """
    # From here on, this module alone keeps them: they are gone when it is dropped.
    for name in ("certfiles", "certcheck"):
        sys.modules.pop(name, None)
    context = failed = None
    try:
        context = _build(cert, key, client_ca)
    except MemoryError:
        failed = True
    gc.collect()
    if failed:  # said here, where nothing holds on to what was read any more
        raise TLSError(_no_memory(cert))
    return context


def _build(cert, key, client_ca):
    if _is_short_of_memory():
        raise TLSError(_no_memory(cert))
    chain = certificates(cert)
    private = private_key(key, chain[0], cert)
    authorities = certificates(client_ca, True) if client_ca else ()
    gc.collect()
    try:
        context = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
        # Mbed TLS takes DER one certificate at a time, and adds each to those that it has: the
        # rest of the chain. That the key comes again each time changes nothing.
        for certificate in chain:
            context.load_cert_chain(certificate, private)
    except ValueError as error:
        # It does not tell "no memory" from "unknown": what is damaged has been found before.
        raise TLSError(unknown(key if "key" in str(error) else cert)) from None
    except OSError:
        raise TLSError(_no_memory(cert)) from None
    try:
        for authority in authorities:
            context.load_verify_locations(authority)
    except ValueError:
        raise TLSError(unknown(client_ca)) from None
    if authorities:
        context.verify_mode = tls.CERT_REQUIRED
    # What is left has a key of its own for each connection (ECDHE), and no padding to be guessed.
    context.set_ciphers(
        [name for name in context.get_ciphers() if "-ECDHE-" in name and _is_aead(name)]
    )
    return context


def _is_aead(name):
    """Whether a cipher suite encrypts and authenticates in one (RFC 5116)."""
    return "-GCM-" in name or "-CCM" in name or "-CHACHA20-" in name


def _is_short_of_memory():
    """Whether the chip could not serve a single connection."""
    try:
        import esp32

        regions = esp32.idf_heap_info(esp32.HEAP_DATA)
    except (ImportError, AttributeError):  # not an ESP32
        return False
    free = sum(region[1] for region in regions)
    return free < _NEEDED or max(region[2] for region in regions) < _NEEDED_IN_ONE


def _no_memory(path):
    return (
        "%s: not enough memory for TLS, which takes about %d KB: lower server.max_clients and "
        "server.max_size, or compile lib/ (docs/install.md)" % (path, _NEEDED // 1024)
    )
