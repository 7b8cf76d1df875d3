"""A complete RFC 6455 WebSocket server in pure MicroPython: see docs/api.md."""

import gc

_threshold = gc.threshold()
if gc.mem_free() < 300000:  # what stays is not to lie scattered among the garbage of loading
    gc.threshold(1024)

from .log import DEBUG, ERROR, INFO, WARNING
from .server import Server

gc.threshold(_threshold)

__all__ = ("DEBUG", "ERROR", "INFO", "WARNING", "Server")
