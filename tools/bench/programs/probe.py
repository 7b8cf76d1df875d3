# --- the probe: appended to the virtual board's select module, outside of the firmware's heap

import builtins as _builtins
import gc as _gc
import sys as _sys

import micropython as _micropython
import uos as _os
import usocket as _usocket

_SHOW_IMPORTS = False
_depth = 0


class _Probe:
    """Stand in for the server's poll object and answer questions about the heap between its waits.

    total: bytes allocated between waits so far; excluded: those that stand-ins have allocated.
    """

    def __init__(self):
        import uselect

        self.total = self.excluded = self.last = 0
        self.native = None
        self.port = _usocket.socket(2, 2)
        address = _usocket.getaddrinfo("127.0.0.1", int(_os.getenv("BENCH_PROBE")))[0][-1]
        self.port.bind(address)
        self.questions = uselect.poll()
        self.questions.register(self.port, POLLIN)

    def watch(self, native):
        """Use `native` from now on."""
        self.native = native
        self.register = native.register
        self.modify = native.modify
        self.unregister = native.unregister
        self.poll = native.poll
        return self

    def ipoll(self, timeout=-1):
        """As poll.ipoll. Allocates nothing, unless there is a question.

        What is allocated and freed again before the loop waits is no garbage.
        """
        if timeout:  # the loop goes on at once if there is something to send
            grown = _gc.mem_alloc() - self.last
            if grown > 0:
                self.total += grown
            for _ in self.questions.ipoll(0):
                self.answer()
            self.last = _gc.mem_alloc()
        return self.native.ipoll(timeout)

    def answer(self):
        """g: collect garbage first; z: count garbage from now on; m: print a map of the heap;
        q: print all names and modules; t: print how many more names the present table holds.
        """
        question, sender = self.port.recvfrom(8)
        total, excluded = self.total, self.excluded
        if question == b"z":
            self.total = self.excluded = 0
        elif question != b"n":
            _gc.collect()
        if question == b"m":
            _micropython.mem_info(1)
            print("<end of map>")
        if question == b"q":
            _micropython.qstr_info(1)
            print("<end of names>", sorted(_sys.modules))
        if question == b"t":
            print("<names left>", _names_left())
        numbers = (_gc.mem_alloc(), _gc.mem_free(), total, excluded)
        self.port.sendto(b"%d %d %d %d" % numbers, sender)


def _names_left():
    """Add names until MicroPython allocates the next table for them. Return how many it took."""
    count = 0
    while True:
        before = _gc.mem_alloc()
        hasattr(_gc, "name number %d" % count)  # makes a name of the text
        if _gc.mem_alloc() - before > 1000:
            return count
        count += 1


def _exclude_stand_ins():
    """Replace what allocates in the stand-ins and does not on a chip, or count it apart."""
    import socket

    import esp32
    import network

    def readinto(self, buf, size=None):
        if size is None:
            return self._sock.readinto(buf)
        return self._sock.readinto(buf, size)

    def write(self, buf, start=0, size=None):
        if size is None:
            return self._sock.write(buf)
        return self._sock.write(buf, start, size)

    def ifconfig(self, addresses=None):
        # The last step of bringing Wi-Fi up: from now on the largest request counts.
        if hasattr(esp32._page, "biggest"):
            esp32._page.biggest = 0
        return old_ifconfig(self, addresses)

    old_ifconfig = network.WLAN.ifconfig
    network.WLAN.ifconfig = ifconfig
    socket.socket.readinto = _translated(readinto, socket)
    socket.socket.write = _translated(write, socket)
    for name in ("status", "isconnected"):
        setattr(network.WLAN, name, _counted(getattr(network.WLAN, name)))
    network._get_wlan = _counted(network._get_wlan)


def _translated(function, socket):
    """The same, with lwIP's error numbers."""

    def call(self, buf, start=None, size=None):
        try:
            if start is None:
                return function(self, buf)
            if size is None:
                return function(self, buf, start)
            return function(self, buf, start, size)
        except OSError as error:
            raise socket._error(error) from None

    return call


def _counted(function):
    """The same, with what it allocates counted apart."""

    def call(first, second=None):
        before = _gc.mem_alloc()
        try:
            return function(first) if second is None else function(first, second)
        finally:
            grown = _gc.mem_alloc() - before
            if grown > 0:
                _probe.excluded += grown

    return call


def _importing(name, names=None, more=None, chosen=None, level=0):
    """Import, and print what it takes."""
    global _depth
    if "/lib" not in _sys.path:  # the board has not started
        return _import(name, names, more, chosen, level)
    if level:
        # MicroPython looks for a relative name beside the module whose function this is.
        name = _absolute(name, chosen, level)
        if not chosen:
            chosen = ("__name__",)
    known = set(_sys.modules)
    _gc.collect()
    before = _gc.mem_alloc()
    _depth += 1
    try:
        return _import(name, names, more, chosen, 0)
    finally:
        _depth -= 1
        new = [module for module in _sys.modules if module not in known]
        if new:
            known = None
            _gc.collect()
            print("<import>", _depth, before, _gc.mem_alloc(), _gc.mem_free(), name)
            _micropython.qstr_info()


def _absolute(name, chosen, level):
    """The full name of a relative one: in the package below which there is such a file.

    The importing module is not known here. One name in two packages could be mistaken.
    """
    for package in sorted(_sys.modules, key=len):
        if "__path__" not in _sys.modules[package].__dict__:  # not hasattr: see wsserver.lazy
            continue
        for wanted in (name,) if name else chosen:
            path = package + "." + wanted
            file = "/lib/" + path.replace(".", "/")
            for ending in (".mpy", ".py", ""):
                try:
                    _os.stat(file + ending)
                    return path if name else package
                except OSError:
                    pass
    raise ImportError("relative import of " + name)


_real_poll = poll
_probe = _Probe()
_exclude_stand_ins()


def poll():
    """Return the probe, which uses a new poll object."""
    return _probe.watch(_real_poll())


if _SHOW_IMPORTS:
    _import = _builtins.__import__
    _builtins.__import__ = _importing
