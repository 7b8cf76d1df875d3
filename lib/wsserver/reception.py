"""From a TCP connection to a client: accepting, the HTTP request, the upgrade.

Loaded when a server begins to listen.
"""

import errno
import gc
import select
import sys
from time import ticks_diff, ticks_ms

from .client import Client
from .frames import const
from .handshake import (
    HTTPError,
    accept_response,
    check_host,
    check_upgrade,
    choose_subprotocol,
    parse_request,
)
from .log import INFO, WARNING
from .outbox import OPEN
from .room import load
from .visitor import LINGERING, READING, Visitor

_TRY_AGAIN_LATER = const(1013)
_LINGER = const(500)  # ms of silence after which a visitor that was told to go is left
# HTTP exchanges at the same time: with 5 clients and 2 listeners the chip's 10 sockets. Each
# socket that is watched takes the place of one.
_VISITORS = const(3)
_PROBE = const(512)
# Bytes of heap that it takes to load what serves files, and what it imports; objects of 64-bit
# machines are twice as large.
_FILES = const(3400)
_ANSWERS = const(1100)
_IN = select.POLLIN


class Reception:
    """Takes connections in until they are clients of `server`, or gone."""

    def __init__(self, server):
        self.server = server
        self.listeners = []
        self.doors = {}  # id of a listener with TLS -> its Door
        self.visitors = []
        self.most = _VISITORS
        self.watched = []  # [(socket, function)]: see `watch`
        self.accepting = False
        self.last_id = 0

    def add(self, listener, tls) -> None:
        """Accept connections of a listening socket; `tls` is its SSLContext, or None."""
        self.listeners.append(listener)
        if tls:
            from .door import Door  # not loaded where there is no TLS

            self.doors[id(listener)] = Door(self.server, tls)
        self.server.poll.register(listener, _IN)
        self.accepting = True

    def close(self) -> None:
        """Stop listening, and see the visitors off."""
        self.watch(False)
        while self.listeners:
            listener = self.listeners.pop()
            self.server.poll.unregister(listener)
            listener.close()
        while self.watched:
            sock = self.watched.pop()[0]
            self.server.poll.unregister(sock)
            sock.close()
        while self.visitors:
            self.server.drop(self.visitors[-1])

    def watch(self, accepting: bool) -> None:
        """Have poll tell of new connections, or leave them in TCP's backlog."""
        if accepting != self.accepting:
            self.accepting = accepting
            for listener in self.listeners:
                self.server.poll.modify(listener, _IN if accepting else 0)

    def places(self) -> int:
        """How many more connections may come in now.

        A client that is being seen off has its socket still, when another has its place already.
        """
        server = self.server
        return self.most - len(self.visitors) - max(0, len(server.clients) - server.max_clients)

    def accept(self, now: int) -> None:
        """Take one connection from each listener, while there are places, and call who watches."""
        for sock, function in self.watched:
            self.server.call_soon(function, sock)
        if not self.accepting:
            return
        for listener in self.listeners:
            if self.places() > 0:
                self._accept_one(listener, now)
        if self.places() < 1:
            self.watch(False)  # the next ones wait in TCP's backlog

    def _accept_one(self, listener, now):
        server = self.server
        try:
            # If register() below ran out of memory, poll would crash the next time. There is
            # enough for it if this much is to be had.
            bytearray(_PROBE)
            sock, address = listener.accept()
        except MemoryError:
            self.watch(False)
            return
        except OSError as error:
            if error.errno != errno.EAGAIN:
                server.log(WARNING, "cannot accept a connection: %s" % error)
                self.watch(False)  # until the next sweep
            return
        if server.limits and not server.limits.admits(address[0], server.connections.values()):
            sock.close()
            return
        door = self.doors.get(id(listener))
        raw = sock
        try:
            sock.setblocking(False)
            sock.setsockopt(6, 1, 1)  # IPPROTO_TCP, TCP_NODELAY: older releases lack the names
            if door:
                sock = door.wrap(sock)
            visitor = Visitor(server.stock, sock, address, self._serve, server.max_head, now)
            visitor.events = _IN
            if door:
                visitor.secure = True
                visitor.raw = raw
                visitor.owed = 0  # so that there is a place to note it when there is no memory
            server.connections[id(sock)] = visitor
            self.visitors.append(visitor)
            server.poll.register(sock, _IN)
        except (OSError, MemoryError) as error:  # it is gone already, or there is no room for it
            server.connections.pop(id(sock), None)
            if self.visitors and self.visitors[-1].sock is sock:
                self.visitors.pop()
            raw.close()
            try:
                server.log(WARNING, "cannot take a connection: %s" % error)
            except MemoryError:
                pass  # nothing can be said, and nobody else is to pay for it

    def leave(self, visitor) -> None:
        """A visitor has gone, or is a client now."""
        self.visitors.remove(visitor)
        visitor.lost()
        self.watch(True)

    def sweep(self, now: int) -> list:
        """The visitors whose time is up."""
        if self.places() > 0:
            self.watch(True)
        return [visitor for visitor in self.visitors if self._is_late(visitor, now)]

    def _is_late(self, visitor, now):
        open_timeout = self.server.open_timeout
        if visitor.state == READING:
            # A full house: those who hold a place without asking for anything do not keep it for
            # long.
            most = min(1000, open_timeout) if self.places() < 1 else open_timeout
            return ticks_diff(now, visitor.since) >= most
        most = _LINGER if visitor.state == LINGERING else open_timeout
        return ticks_diff(now, visitor.heard) >= most

    def _serve(self, visitor, head, buf, pos, end):
        request = parse_request(head)
        server, ip = self.server, visitor.address[0]
        if server.hosts:
            check_host(request, server.hosts, server.portal)
        if server.limits:
            server.limits.check_handshake(ip)
        route = server.routes.get(request.path)
        if isinstance(route, tuple):
            route = load("late").load(server, request.path)
        if route and route.access:
            route.access.check(request, ip)
        if route is None:
            visitor.answer(*self._open_file(request, visitor.secure))
        else:
            check_upgrade(request, route.origins)
            self._make_room()
            self._upgrade(visitor, request, route, buf, pos, end)

    def _open_file(self, request, secure):
        for prefix, directory, https in self.server.folders:
            if request.path.startswith(prefix):
                gc.collect()  # else there may be no room in one piece for what is loaded now
                open_file = self._load_files().open_file
                return open_file(request, prefix, directory, None if secure else https)
        raise HTTPError(404, "nothing is here")

    def _load_files(self):
        modules = sys.modules
        need = _FILES if "wsserver.answers" in modules else _FILES + _ANSWERS
        # What is loaded in vain leaves its names for ever, so that is not tried.
        if "wsserver.files" in modules or gc.mem_free() >= need << (sys.maxsize >> 62):
            try:
                return load("files")
            except MemoryError:
                pass
        raise HTTPError(503, "no memory for pages", "Retry-After: 5")

    def _make_room(self):
        """See to it that there is a place for one more client. HTTPError 503: there is none."""
        server = self.server
        staying = [client for client in server.clients if client.state == OPEN]
        if len(staying) < server.max_clients:
            return
        if not server.purge:
            raise HTTPError(503, "try again later", "Retry-After: 5")
        now = ticks_ms()
        idlest = max(staying, key=lambda client: ticks_diff(now, client.used))
        idlest.fail(_TRY_AGAIN_LATER, "making room for another client")

    def _upgrade(self, visitor, request, route, buf, pos, end):
        server = self.server
        subprotocol = choose_subprotocol(request, route.subprotocols)
        response = accept_response(request, subprotocol)
        if not server.filling:  # else the heap is large, and collecting takes long
            gc.collect()  # what stays is not to lie behind garbage, where it splits the heap
        self.last_id += 1
        client = Client(route, server.stock, self.last_id, visitor.address, request, subprotocol)
        if not client.room(len(response), server.stock.write_limit):
            raise MemoryError
        client.put(response)
        client.heard = client.used = visitor.heard
        client.events = visitor.events
        if visitor.secure:
            client.secure = True
            client.raw = visitor.raw
            client.owed = 0  # see _accept_one
        server.clients.append(client)
        # Up to here there may be no memory, and the visitor goes. From here on it is the client's.
        client.sock, visitor.sock = visitor.sock, None
        server.connections[id(client.sock)] = client
        self.leave(visitor)
        text = "client %d connected from %s to %s (%d connected)"
        server.note(INFO, text, client, client.address[0], client.path)
        client.call("open")
        client.receive(buf, pos, end)
