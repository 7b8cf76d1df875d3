"""Create the server's TLS context from the files that the settings name.

Files in DER, as `make certs` writes them, go to Mbed TLS unparsed: `make certs` and `make deploy`
check them on the host. In all other cases `files` is loaded and checks them.
"""

import errno
import gc
import os
import time

from micropython import const

from certificates import TLSError

try:
    import tls
except ImportError:  # MicroPython 1.22 has the older name
    import ssl as tls  # type: ignore[no-redef]

# Bytes of the IDF heap that a context and one connection need, measured on an ESP32, and the
# largest single block among them: the buffer for a TLS record of 16 KB.
_REQUIRED = const(27 * 1024)
_REQUIRED_BLOCK = const(17 * 1024)
_MAX_DER = const(4096)  # bytes of one certificate or key
_FIRST_YEAR = const(2025)  # an earlier year: the clock is not set, chips start at 2000

# Cipher suites with forward secrecy and authenticated encryption (AEAD). A Mbed TLS that supports
# TLS 1.3 selects it if the client does; without a suite of 1.3, each of these handshakes fails.
_SUITES = const(
    (
        "TLS1-3-AES-256-GCM-SHA384",
        "TLS1-3-AES-128-GCM-SHA256",
        "TLS1-3-CHACHA20-POLY1305-SHA256",
        "TLS-ECDHE-ECDSA-WITH-AES-256-GCM-SHA384",
        "TLS-ECDHE-RSA-WITH-AES-256-GCM-SHA384",
        "TLS-ECDHE-ECDSA-WITH-AES-128-GCM-SHA256",
        "TLS-ECDHE-RSA-WITH-AES-128-GCM-SHA256",
        "TLS-ECDHE-ECDSA-WITH-CHACHA20-POLY1305-SHA256",
        "TLS-ECDHE-RSA-WITH-CHACHA20-POLY1305-SHA256",
    )
)


def from_settings(settings: dict, log=print):
    """Return the SSLContext for the section "tls", or None. log(text) gets the reason for None."""
    context = None
    try:
        if settings["enabled"]:
            context = server_context(settings["cert"], settings["key"], settings["client_ca"])
    except Exception as error:  # TLSError; or MemoryError while loading `files`
        log("TLS is disabled: %s (docs/tls.md)" % error)
    return context


def server_context(cert: str, key: str, client_ca: str = ""):
    """Return an SSLContext for a server. The arguments are paths of files in PEM or DER.

    cert: the server certificate; in PEM, intermediate certificates may follow. key: its private
    key. client_ca: accept only clients with a certificate of this authority; "" accepts all.
    Raises TLSError if a file is missing or unusable, or if there is not enough memory.
    """
    context = None
    try:
        context = _create(cert, key, client_ca)
    except MemoryError:
        pass
    gc.collect()
    if context is None:  # raised here, where the files' content is no longer referenced
        text = "%s: not enough memory for TLS, which needs about %d KB: lower server.max_clients "
        text += "and server.max_size, or compile lib/ (docs/install.md)"
        raise TLSError(text % (cert, _REQUIRED // 1024))
    return context


def _create(cert, key, client_ca):
    _check_exists(cert)
    if not has_memory():
        raise MemoryError
    if not client_ca:
        context = _from_der(cert, key)
        if context:
            return context
    from . import files

    chain, private, authorities = files.load(cert, key, client_ca)
    gc.collect()
    context = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
    try:
        _load(context, chain, private)
    except ValueError as error:
        raise TLSError(files.unsupported(key if "key" in str(error) else cert)) from None
    try:
        for authority in authorities:
            context.load_verify_locations(authority)
    except ValueError:
        raise TLSError(files.unsupported(client_ca)) from None
    if authorities:
        context.verify_mode = tls.CERT_REQUIRED
    return context


def _from_der(cert, key):
    """Return the context if both files are DER and nothing suggests a problem, else None."""
    cert, key = _read(cert), _read(key)
    if not cert or not key or time.gmtime()[0] >= _FIRST_YEAR:
        return None
    # Whether they match, without parsing them; `files` decides precisely. An EC key of P-256 ends
    # with its public point, which the certificate contains. An RSA key, of over 1,000 bytes,
    # contains the modulus of the certificate, an INTEGER of 2048 bits.
    if len(key) < 256:
        match = key[-65] != 4 or key[-65:] in cert
    else:
        at = cert.find(b"\x02\x82\x01\x01\x00")
        match = at >= 0 and cert[at + 5 : at + 261] in key
    if not match:
        return None
    context = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
    try:
        _load(context, (cert,), key)
    except ValueError:
        return None
    return context


def _load(context, certs, key):
    try:
        # Mbed TLS takes one certificate in DER at a time and appends it to the chain. Loading
        # the same key again has no effect.
        for cert in certs:
            context.load_cert_chain(cert, key)
    except OSError:  # Mbed TLS reports a failed allocation like this
        raise MemoryError from None
    if not hasattr(context, "set_ciphers"):
        return
    # Enable those of _SUITES that this Mbed TLS supports. They are tried one by one, because
    # get_ciphers() would allocate up to 170 names.
    supported = []
    for name in _SUITES:
        try:
            context.set_ciphers((name,))
            supported.append(name)
        except (OSError, ValueError):  # unknown
            pass
    context.set_ciphers(supported)


def _read(path):
    """Return the content of a DER file, or None if it is something else or cannot be read."""
    try:
        size = os.stat(path)[6]
        if not 100 < size <= _MAX_DER:
            return None
        with open(path, "rb") as file:
            data = file.read(size)  # read() without a size allocates in steps
    except OSError:
        return None
    return data if data[0] == 0x30 else None


def _check_exists(cert):
    try:
        os.stat(cert)
    except OSError as error:
        if error.errno == errno.ENOENT:
            text = "%s not found: make one with 'make certs' or 'esp32-ws certs'"
            text += " and copy it to the board"
            raise TLSError(text % cert) from None


def has_memory() -> bool:
    """Return whether the IDF heap has memory for the context and one connection."""
    try:
        import esp32

        regions = esp32.idf_heap_info(esp32.HEAP_DATA)
    except (ImportError, AttributeError):  # not an ESP32
        return True
    free = sum(region[1] for region in regions)
    return free >= _REQUIRED and max(region[2] for region in regions) >= _REQUIRED_BLOCK
