"""A complete RFC 6455 WebSocket server in pure MicroPython: see docs/api.md.

`import wsserver` loads only `log` and `lazy`. The first use of `Server` or `Client` loads the
modules `server`, `acceptor`, `keepalive`, `timers`, `core` and most of `http`; all of these stay
loaded. Other modules are loaded when they are needed, and stay: `tls` for a listener with TLS,
`tlsspare` for an application with TLS, `gctuning` for boards with PSRAM, `lazyroutes` for lazy
endpoints, `servermethods` and `clientmethods` with the first call of one, `coroutines` and
`eventloop` with the first coroutine, `workers` for async endpoints, `streams` with the first
stream, `ipv6` for IPv6 addresses, and parts of `http` (see there). `setup`, `callbacks`,
`resolve`, `eviction`, `readers`, `waits`, `reports`, `errornumbers`, `errorhints`, `nearest`,
`programs`, `gcgrowth`, `gcsetup`, `tlsfits`, `inplace` and `shutdown` are loaded only while they
run.
"""

from . import lazy
from .log import DEBUG, ERROR, INFO, WARNING  # noqa: F401 - part of the API

__version__ = "0.2.0"


def __getattr__(name):
    if name == "Server":
        return lazy.load(".server").Server
    if name == "Client":
        return lazy.load(".core.protocol").Client
    if name == "Request":
        return lazy.load(".http.request").Request
    if name in ("Response", "redirect"):
        return getattr(lazy.load(".http.response"), name)
    raise AttributeError(name)
