"""A complete RFC 6455 WebSocket server in pure MicroPython: see docs/api.md.

`import wsserver` loads `server`, `acceptor`, `keepalive`, `timers`, `log`, `lazy`, `core` and most
of `http`; they stay loaded. These are loaded on first use, and stay: `tls` for a listener with
TLS, `heap` for boards with PSRAM, and parts of `http` (see there). `setup` is loaded while
it runs, `ondemand` when a lazy route or `lazy.LazyEndpoint` is used.
"""

from .lazy import load

load("wsserver.server")

from .core.protocol import Client
from .log import DEBUG, ERROR, INFO, WARNING
from .server import Server

__version__ = "1.0.0"
__all__ = ("DEBUG", "ERROR", "INFO", "WARNING", "Client", "Server")
