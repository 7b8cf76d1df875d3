"""Load the module of a lazy route (`lazy.route`), and free memory for it.

Loaded for one request: resolve() unloads this module, but not what it loads.
"""

from time import ticks_diff, ticks_ms

from wsserver.core.frames import const

from . import lazyroutes
from .http.request import HTTPError
from .lazy import call, free_heap, load, loaded, unload

_REGISTERING = const(13500)  # bytes that registering a route takes on a chip, with access to it
_CHECKING = const(7400)  # bytes that a guard takes
_PAUSE = const(30000)  # ms until a request that is not admitted may close other clients again


def resolve(server, request):
    """Load the module of a lazy route, and return the route that it registers.

    If that raises, the next request tries again. A guard comes first: only a request that it
    admits may close other clients for the memory of the rest.
    Raises HTTPError 503 if there is not even memory for the guard, or what the guard raises.
    """
    unload(".resolve")
    path = request.path
    module, args, guard = server.routes[path][:3]
    if guard:
        args = _admitted(server, request, guard, args)
    free_up(server, _need(_REGISTERING), module)
    before = loaded()
    try:
        load(module).serve(server, *args)
    except Exception:
        unload(*loaded(before))
        raise
    return server.routes[path]


def _need(size):
    return call(".inplace", "need", size, __file__)


def _admitted(server, request, guard, args):
    """Ask the guard about a request, and return the arguments for serve()."""
    before = loaded()
    need = _need(_CHECKING)
    if guard not in before and free_heap() < need:
        path = request.path
        route = server.routes[path]
        now = ticks_ms()
        if len(route) > 3 and 0 <= ticks_diff(now, route[3]) < _PAUSE:
            raise HTTPError(503, "out of memory", "Retry-After: 30")
        server.routes[path] = route[:3] + (now,)
        free_up(server, need, guard)
        before = loaded()
    try:
        return load(guard).admit(server, request, before, *args)
    except MemoryError:
        unload(*loaded(before))
        raise


def free_up(server, need: int, module: str, client=None) -> None:
    """Unless `need` bytes are free, close the clients of all lazy endpoints, which unloads these.

    If that is not enough, drop clients that hold buffers. module: what needs the memory. client:
    the one that waits for it, which stays.
    """
    if free_heap() < need:
        for endpoint in list(lazyroutes._endpoints):
            for other in list(endpoint._clients):
                endpoint._refuse(other, "%s needs the memory" % module)
        try:
            load(".eviction").evict(server, need, module, client)
        finally:
            unload(".eviction")
