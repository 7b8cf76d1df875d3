"""An endpoint whose code is on the heap only while somebody uses it."""

import gc
import sys

from wsserver import WARNING
from wsserver.room import load

_TRY_AGAIN_LATER = 1013


class OnDemand:
    """Stands in for the endpoint that `module.endpoint(server, *arguments)` makes.

    The module is imported when the first client comes, and dropped when the last one has left,
    with those modules that it imported itself. Without memory for it the client is closed with
    1013. room: bytes that must be free before that is tried: names, for one, stay even if it
    fails.
    """

    def __init__(self, server, module: str, *arguments, room=0):
        self._server = server
        self._room = room
        self._module = module
        self._arguments = arguments
        self._endpoint = None
        self._clients = []
        self._modules = ()  # those that were there before

    def on_open(self, client) -> None:
        """Load the code if this is the first client, and hand it on."""
        try:
            endpoint = self._endpoint or self._load()
            self._clients.append(client)
            endpoint.on_open(client)
            return
        except MemoryError:
            endpoint = None
        text = "no memory for %s" % self._module
        self._server.log(WARNING, "%s: %s" % (client.path, text))
        client.close(_TRY_AGAIN_LATER, text)
        if client in self._clients:
            self.on_close(client, _TRY_AGAIN_LATER, text)

    def on_message(self, client, message) -> None:
        """Hand a message on, but for clients that were turned away."""
        if client in self._clients:
            self._endpoint.on_message(client, message)

    def on_close(self, client, code: int, reason: str) -> None:
        """Hand it on, and drop the code with the last client."""
        if client in self._clients:
            self._clients.remove(client)
            try:
                self._endpoint.on_close(client, code, reason)
            finally:
                if not self._clients:
                    self._unload()

    def _load(self):
        gc.collect()
        if gc.mem_free() < self._room:
            raise MemoryError
        before = set(sys.modules)
        threshold = gc.threshold()
        gc.threshold(1024)  # see main.py
        try:
            self._endpoint = load(self._module, "").endpoint(self._server, *self._arguments)
        finally:
            gc.threshold(threshold)
            self._modules = [name for name in sys.modules if name not in before]
            if not self._endpoint:  # it could not be loaded
                self._unload()
        return self._endpoint

    def _unload(self):
        self._endpoint = None
        for name in self._modules:
            sys.modules.pop(name, None)
        self._modules = ()
        gc.collect()
