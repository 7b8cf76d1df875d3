"""A complete RFC 6455 WebSocket server in pure MicroPython: see docs/api.md."""

from .log import DEBUG, ERROR, INFO, WARNING
from .server import Server

__all__ = ("DEBUG", "ERROR", "INFO", "WARNING", "Server")
