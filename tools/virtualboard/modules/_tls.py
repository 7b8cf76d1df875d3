"""The chip's tls module: Mbed TLS is the host's own, its memory is the chip's.

The launcher replaces the built-in module by it: a file alone would not be found before that.
"""

import io as _io
import socket as _socket

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
_CONTEXT = 3000  # bytes of the IDF heap, as measured: with an RSA certificate; 1,500 with EC


class _stream(_io.IOBase):
    """A stream that is no socket, below a session, whose memory counts until that is closed."""

    def __init__(self, stream):
        if not _esp32._take(_socket._SESSION):
            raise OSError(_ENOMEM)
        self._stream = stream

    def readinto(self, buf):
        return self._stream.readinto(buf)

    def write(self, buf):
        return self._stream.write(buf)

    def ioctl(self, request, argument):
        if request == 4 and self._stream:  # MP_STREAM_CLOSE; the collector closes it as well
            self._stream = None
            _esp32._take(-_socket._SESSION)
        return 0 if request == 4 else -22


class SSLContext:
    def __init__(self, protocol):
        if not _esp32._take(_CONTEXT):
            raise OSError(_ENOMEM)
        self._context = _SSLContext(protocol)

    def __del__(self):
        _esp32._take(-_CONTEXT)

    def load_cert_chain(self, *args):
        return self._context.load_cert_chain(*args)

    def load_verify_locations(self, *args):
        return self._context.load_verify_locations(*args)

    def get_ciphers(self):
        return self._context.get_ciphers()

    def set_ciphers(self, *args):
        return self._context.set_ciphers(*args)

    @property
    def verify_mode(self):
        return self._context.verify_mode

    @verify_mode.setter
    def verify_mode(self, mode):
        self._context.verify_mode = mode

    def wrap_socket(self, sock, **options):
        if not isinstance(sock, _socket.socket):
            return self._context.wrap_socket(_stream(sock), **options)
        if not _socket._take_session(sock):
            raise OSError(_ENOMEM)
        try:
            return self._context.wrap_socket(sock, **options)
        except Exception:
            _socket._give_session_back(sock)
            raise
