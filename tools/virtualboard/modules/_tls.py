"""The chip's tls module: Mbed TLS is the host's own, its memory is the chip's.

The launcher puts it in the place of the built-in one, which no file can be found instead of.
"""

import esp32 as _esp32
from tls import (
    CERT_NONE,
    CERT_OPTIONAL,
    CERT_REQUIRED,
    MBEDTLS_VERSION,
    PROTOCOL_TLS_CLIENT,
    PROTOCOL_TLS_SERVER,
)
from tls import SSLContext as _SSLContext

_ENOMEM = 12
# Bytes of the IDF heap, as measured: of a connection from wrap_socket() on, and of a context, which
# takes most with an RSA certificate.
_SESSION = 23800
_CONTEXT = 3000


class SSLContext:
    def __init__(self, protocol):
        if not _esp32._take(_CONTEXT):
            raise OSError(_ENOMEM)
        self._context = _SSLContext(protocol)
        self.load_cert_chain = self._context.load_cert_chain
        self.load_verify_locations = self._context.load_verify_locations
        self.get_ciphers = self._context.get_ciphers
        self.set_ciphers = self._context.set_ciphers

    def __del__(self):
        _esp32._take(-_CONTEXT)

    @property
    def verify_mode(self):
        return self._context.verify_mode

    @verify_mode.setter
    def verify_mode(self, mode):
        self._context.verify_mode = mode

    def wrap_socket(self, sock, **options):
        if not _esp32._take(_SESSION):
            raise OSError(_ENOMEM)
        try:
            stream = self._context.wrap_socket(sock, **options)
        except Exception:
            _esp32._take(-_SESSION)
            raise
        sock._on_close = lambda: _esp32._take(-_SESSION)
        return stream
