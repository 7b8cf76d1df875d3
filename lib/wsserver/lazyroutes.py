"""Endpoints whose code is loaded on demand: `lazy.LazyEndpoint`. For routes see `resolve`."""

import gc

from wsserver.core.frames import const

from .lazy import call, collecting, free_heap, load, loaded, unload
from .log import WARNING

_endpoints = []  # those whose module is loaded
_TRY_AGAIN_LATER = const(1013)  # RFC 6455, section 7.4.1, and the IANA registry


class LazyEndpoint:
    """An endpoint whose module is loaded only while it has clients.

    `module.endpoint(server, *args)` makes the real endpoint when the first client connects. When
    the last one has left, the module is unloaded, with all modules that it has loaded. Without
    enough memory the client is closed with 1013. need: the bytes that must be free, otherwise
    loading is not tried. urgent: if they are not free, unload the other endpoints, close their
    clients with 1013, and load nevertheless. Until it is unloaded, the others need these bytes in
    addition to their own.
    """

    def __init__(self, server, module: str, *args, need: int = 0, urgent: bool = False):
        self._server = server
        self._module = module
        self._args = args
        self._need = need
        self._urgent = urgent
        self._endpoint: Anything = None
        self._clients = []
        self._loaded = ()

    def on_open(self, client) -> None:
        """Load the endpoint if this is its first client, and pass the client on."""
        try:
            endpoint = self._endpoint or self._load(client)
            self._clients.append(client)
            return collecting(endpoint.on_open, client)
        except MemoryError:
            endpoint = None
        self._refuse(client, "not enough memory for %s" % self._module)

    def _refuse(self, client, text):
        self._server._log(WARNING, "%s: %s" % (client.path, text))
        client.close(_TRY_AGAIN_LATER, text)
        self.on_close(client, _TRY_AGAIN_LATER, text)

    def on_message(self, client, message) -> None:
        """Pass a message on, unless its client was refused."""
        if client in self._clients:
            result = collecting(self._endpoint.on_message, client, message)
            if result is not None and hasattr(result, "throw"):  # it is async
                load(".workers").worker_of(client).run(result)

    def on_close(self, client, code: int, reason: str) -> None:
        """Pass the event on, and unload the endpoint with its last client."""
        if client in self._clients:
            self._clients.remove(client)
            try:
                return self._endpoint.on_close(client, code, reason)
            finally:
                if not self._clients:
                    self._unload()

    def _load(self, client):
        need = self._need
        for other in _endpoints:
            if other._urgent and not self._urgent:
                need += other._need
        if self._urgent:
            call(".resolve", "free_up", self._server, need, self._module, client)
        elif free_heap() < need:
            raise MemoryError
        before = loaded()
        try:
            self._endpoint = load(self._module).endpoint(self._server, *self._args)
            _endpoints.append(self)
        finally:
            self._loaded = loaded(before)
            if not self._endpoint:
                self._unload()
        return self._endpoint

    def _unload(self):
        self._endpoint = None
        if self in _endpoints:
            _endpoints.remove(self)
        unload(*self._loaded)
        self._loaded = ()
        gc.collect()
