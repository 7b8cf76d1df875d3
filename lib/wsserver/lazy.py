"""Lazy loading: import code when it is needed, and unload it afterwards.

This is the only module, apart from boot.py and main.py, that uses sys.modules, gc.threshold and
__import__.
"""

import gc
import sys


def has_large_heap() -> bool:
    """Return whether the heap is large, as on a board with PSRAM.

    On a chip gc.mem_free() includes what the heap could grow by. Without PSRAM that is too little
    to make a difference here. CPython, which runs `core`, cannot tell, and has enough.
    """
    return not hasattr(gc, "mem_free") or gc.mem_free() + gc.mem_alloc() > 300000


def free_heap() -> int:
    """Collect garbage, and return the bytes that are free without growing the heap.

    On a chip, gc.mem_free() also counts the largest free block of the system's heap, by which the
    GC heap could grow: TLS needs that memory.
    """
    gc.collect()
    free = gc.mem_free()
    if not sys.maxsize >> 62 and not has_large_heap():  # no chip has 64 bits
        try:
            from esp32 import HEAP_DATA, idf_heap_info

            growth = max([region[2] for region in idf_heap_info(HEAP_DATA)])
            return free - growth if free > growth else free
        except ImportError:  # another port, whose heap does not grow
            pass
    return free


def collect_every(size: int) -> bool:
    """Collect garbage after every `size` bytes, unless the program has set gc.threshold itself.

    Return whether it was set.
    """
    if gc.threshold() >= 0:
        return False
    gc.threshold(size)
    return True


def collecting(function, *args):
    """Call a function, and collect garbage often meanwhile, unless gc.threshold is set.

    Without that, what stays would come to lie among garbage, and leave the heap fragmented.
    """
    begins = collect_every(1024)  # not if boot.py, the program or a large heap has set it
    try:
        return function(*args)
    finally:
        if begins:
            gc.threshold(-1)


def load(name: str):
    """Import a module by its dotted name and return it. ".tls" stands for "wsserver.tls".

    An import that runs out of memory can leave a name without a module in sys.modules. MicroPython
    crashes when that name is imported again, so such entries are removed first. On a small heap,
    garbage is collected often during the import, to avoid fragmentation.
    """
    modules = sys.modules
    name = _full(name)
    module = modules.get(name)
    if module is None:
        for other in list(modules):
            if modules.get(other) is None:
                modules.pop(other, None)
        gc.collect()
        if has_large_heap():
            __import__(name)
        else:
            collecting(__import__, name)
        module = modules[name]
    return module


def _full(name):
    # Short names take less memory: each is a constant of the module that uses it. Not name[0]:
    # MicroPython keeps each character that an index has returned.
    return "wsserver" + name if name.startswith(".") else name


def unload(*names: str) -> None:
    """Remove modules from sys.modules and from their packages, so that they can be freed."""
    modules = sys.modules
    for name in names:
        name = _full(name)
        modules.pop(name, None)
        package, _, attribute = name.rpartition(".")
        package = modules.get(package)
        if package and hasattr(package, attribute):
            delattr(package, attribute)


def call(name: str, function: str, *args, **kwargs):
    """Load a module, call one of its functions, and unload every module that this has loaded."""
    before = loaded()
    try:
        return getattr(load(name), function)(*args, **kwargs)
    finally:
        unload(*loaded(before))


def loaded(others=()) -> list:
    """Return the names of all loaded modules, or of those that are not in `others`."""
    return [name for name in sys.modules if name not in others]


def route(server, path: str, module: str, *args, guard=None) -> None:
    """Register a path whose module is imported on the first request.

    `module.serve(server, *args)` must register the real route with server.websocket(). guard: a
    module that is imported first. Its admit(server, request, loaded, *args) raises HTTPError, or
    returns the arguments for serve(). `loaded` has the names of the modules loaded before.
    """
    server.routes[path] = (module, args, guard)  # see `resolve`


def __getattr__(name):
    # LazyEndpoint is loaded when a program uses it, which saves 1.5 KB on a 32-bit board.
    if name != "LazyEndpoint":
        raise AttributeError(name)
    return load(".lazyroutes").LazyEndpoint
