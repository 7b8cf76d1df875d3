"""The server: its clients, the poll loop, broadcast.

One loop does everything; nothing in it waits for one peer. All times inside are milliseconds of
time.ticks_ms. Only this module and `reception` touch sockets.
"""

import gc
import select
import sys
from time import ticks_add, ticks_diff, ticks_ms

from micropython import const

from .log import ERROR, INFO, log, traceback
from .outbox import CLOSED, OPEN, Stock
from .room import load
from .timers import Timer, Timers

# Module globals are found much faster than built-ins, of which there are a hundred.
id = id
len = len

_GOING_AWAY = const(1001)

_TICK = const(20)  # ms that run() sleeps at most: how long a call from a thread may have to wait
_LARGE = const(300000)  # bytes of heap: a chip with PSRAM
_SWEEP = const(100)  # ms between two looks at the clients' deadlines
_SLOW = const(200)  # ms in a callback of which a warning tells
_GOODBYE = const(1000)  # ms that stop() gives the clients to say goodbye
_IN = select.POLLIN
_OUT = select.POLLOUT


class Server:
    """A WebSocket server. Times are in seconds, and None turns one off; sizes are in bytes.

    max_clients: beyond it handshakes get 503; with purge="lru" the client idle longest makes room.
    max_size: the longest message that an on_message endpoint gets; 1009 refuses a longer one.
    ping_interval: the silence after which a client is pinged; ping_timeout: its time to answer.
    open_timeout, close_timeout: the longest that an opening and a closing handshake may take.
    write_limit: the most that waits for one client to take it; None: what an echo needs.
    read_size: the most that is read at once; None: 4128, or less where the heap is small.
    max_head: the longest HTTP request head.
    max_tls: TLS connections at the same time; a chip without PSRAM has memory for two.
    log: a function(level, text) instead of the one that prints warnings and errors.

    More may be set as attributes. hosts: the names, in lower case, that the server answers to
    beside its addresses, or None for any; portal: a URL to which a browser that asks for another
    name is sent. limits: a Limits of wsserver.limits, how much one address may do. routes[path]:
    (module, arguments...), where module.serve(server, arguments...) is to serve the path, when
    somebody first asks for it.
    """

    hosts = portal = limits = None
    filling = None  # of the heap: see heap.tune

    def __init__(
        self,
        max_clients: int = 5,
        max_size: int = 4096,
        ping_interval=20,
        ping_timeout=20,
        close_timeout=5,
        open_timeout=10,
        purge=None,
        write_limit=None,
        read_size=None,
        max_head: int = 2048,
        max_tls: int = 2,
        log=log,
    ):
        from .options import check, ms, sizes  # not needed again, so that it shall not stay

        del sys.modules["wsserver.options"], sys.modules["wsserver"].options
        read_size, write_limit = sizes(max_size, read_size, write_limit)
        check(max_clients, max_size, max_head, max_tls, read_size, write_limit, purge)
        self.max_clients = max_clients
        self.max_head = max_head
        self.max_tls = max_tls
        self.purge = purge
        self.ping_interval = ms("ping_interval", ping_interval)  # from here on in ms
        self.ping_timeout = ms("ping_timeout", ping_timeout)
        self.close_timeout = ms("close_timeout", close_timeout or 86400)
        self.open_timeout = ms("open_timeout", open_timeout or 86400)
        self.log = log
        self.clients = []
        self.routes = {}
        self.folders = []
        self.connections = {}  # id of a socket -> its Client or Visitor
        self.poll = select.poll()
        self._ipoll = self.poll.ipoll
        self._reception = self._deadlines = None  # there are none before it listens
        self._stopping = self._stepping = False
        self._told = 0  # ms of the present turn of which a warning has told
        self._buffer = memoryview(bytearray(read_size))
        self.stock = Stock(max_size, write_limit, log)
        self.stock.flush = self._write
        self.stock.timed = self._timed
        self.stock.read_size = read_size
        self._start_timers()

    # --- what the application says before it runs

    def websocket(
        self,
        path: str,
        endpoint,
        subprotocols=(),
        origins=None,
        overflow: str = "close",
        access=None,
    ) -> None:
        """Serve WebSocket connections at `path` with `endpoint`, an object with on_ methods.

        subprotocols: those it speaks. origins: the Origin headers that are accepted, by default
        (None, "self"): none, or the server's own host. overflow: what happens when a client's send
        buffer is full: "close" the client, or "drop" the message. access: None, or who may open a
        connection: a Token or Basic of wsserver.access.
        """
        from .route import route_to  # not needed again: see __init__

        del sys.modules["wsserver.route"], sys.modules["wsserver"].route
        self.routes[path] = route_to(endpoint, subprotocols, origins, overflow, access)

    def files(self, prefix: str, directory: str, https=None) -> None:
        """Serve the files in `directory` of the flash to plain GET requests below `prefix`.

        https: a port that listens with TLS, to which requests without it are sent on.
        """
        self.folders.append((prefix.rstrip("/") + "/", directory.rstrip("/"), https))

    def listen(self, port: int = 80, host: str = "0.0.0.0", tls=None) -> None:
        """Listen on one more port; with `tls`, an SSLContext, for wss:// and https://.

        OSError: the port is taken, or there is no socket left.
        """
        from .listening import listener, load_reception  # not needed again: see __init__

        try:
            if self._reception is None:
                self._reception, self._deadlines = load_reception(self)
                self.every(_SWEEP, self._deadlines.sweep)
            self._stopping = False
            self._reception.add(listener(host, port, self.log), tls)
        finally:
            del sys.modules["wsserver.listening"], sys.modules["wsserver"].listening

    def every(self, ms: int, function) -> Timer:
        """Call function() every `ms` milliseconds; returns a Timer that can be cancelled."""
        return self._timers.add(ms, function, True)

    def after(self, ms: int, function) -> Timer:
        """Call function() once, in `ms` milliseconds; returns a Timer that can be cancelled."""
        return self._timers.add(ms, function, False)

    # --- what it says at any time

    def call_soon(self, function, argument=None) -> bool:
        """Have the loop call function(argument). For other threads and interrupt handlers.

        False when 16 such calls wait already, and this one is lost.
        """
        return self._timers.call_soon(function, argument)

    def client(self, id: int):
        """The connected client with this id, or None."""
        for client in self.clients:
            if client.id == id:
                return client
        return None

    def broadcast(self, message, path=None) -> int:
        """Send a message to every open client, or to those at `path`; returns to how many.

        It is handed to TCP at once, for those who have nothing waiting: no buffer is needed.
        """
        from .frames import encode  # not loaded before it listens

        frame = encode(message)
        length = len(frame)
        count = 0
        for client in self.clients:
            if client.state == OPEN and (path is None or client.path == path):
                if client.out or client.secure or length > self.stock.write_limit:
                    count += client.send_frame(frame)
                    continue
                try:
                    sent = client.sock.write(frame) or 0
                except OSError:
                    continue  # poll will tell the loop
                if sent < length:
                    self._send_rest(client, frame, sent)
                count += client.state == OPEN
        return count

    def _send_rest(self, client, frame, sent):
        if client.room(len(frame) - sent, self.stock.write_limit):
            client.put(memoryview(frame)[sent:])
        elif sent:
            client.state = CLOSED  # no memory for the rest of a frame that it has begun to get
            self.stock.ready.append(client)

    def stop(self) -> None:
        """Close every client with 1001, and free all sockets and timers. It may listen again."""
        self._stopping = True
        if not self._stepping:
            self._shut_down()

    def run(self) -> None:
        """Serve until stop() is called. Whatever ends it, Ctrl-C included, sockets are closed.

        Where the heap is large, and nobody has set gc.threshold, garbage is collected more often.
        """
        if not self.filling and gc.mem_free() + gc.mem_alloc() > _LARGE:
            self.filling = load("heap").tune()
        try:
            while not self._stopping:
                self._step(_TICK, False)
        finally:
            self._stopping = True
            self._shut_down()

    def step(self, timeout_ms: int = 0) -> None:
        """One turn of the loop: wait at most `timeout_ms` for something to do, and do it."""
        self._step(timeout_ms, True)
        if self._stopping:
            self._shut_down()

    def _step(self, timeout_ms, once):
        self._stepping = True
        try:
            self._loop(timeout_ms, once)
        except MemoryError as error:  # where it cannot be laid at one client's door
            self._report(error)
            self._shed()
        finally:
            self._stepping = False

    def _shed(self):
        """A turn was cut short by want of memory: the latest to come goes, the others go on."""
        latest = self._reception and self._reception.visitors or self.clients
        if latest:
            self.drop(latest[-1], "no memory")
        gc.collect()
        ready = self.stock.ready
        for connection in self.connections.values():
            if connection.out and connection not in ready:
                ready.append(connection)

    def _start_timers(self):
        self._timers = Timers(self._report, self._timed)
        if self._deadlines:
            self.every(_SWEEP, self._deadlines.sweep)

    # --- the loop

    def _loop(self, timeout_ms, once):
        """Turn after turn until stop() is called, or just one."""
        connections = self.connections
        ready = self.stock.ready
        timers = self._timers
        while True:
            knock = False
            for sock, event in self._ipoll(0 if ready else timers.wait(timeout_ms)):
                connection = connections.get(id(sock))
                if connection is None:
                    knock = True  # a listener; accepting now would change what is being iterated
                else:
                    if event != _OUT:
                        self._read(connection, sock)
                    if event & _OUT:
                        self.flush(connection)
            if knock:
                self._reception.accept(ticks_ms())
            timers.run()
            # Callbacks on the way may fill more outboxes: those are for the next turn.
            for _ in range(len(ready)):
                self.flush(ready.pop(0))
            if once or self._stopping:
                return

    def _read(self, connection, sock):
        inbox = connection.inbox
        pos = end = 0
        try:
            if inbox is None:
                inbox = self._buffer
                if connection.tail:
                    end = len(connection.tail)
                    inbox[:end] = connection.tail
                    count = sock.readinto(inbox[end:])
                else:
                    count = sock.readinto(inbox)
            else:
                pos = connection.in_start
                end = connection.in_end
                count = sock.readinto(inbox[end : self.stock.in_size])
        except OSError as error:
            self.drop(connection, error)
            return
        except MemoryError:  # for a view of the buffer
            self.drop(connection, "no memory")
            return
        if count is None:
            return
        if not count:
            if connection.hear_end():
                self._watch(connection)  # it waits for the answer
            else:
                self.drop(connection, "closed by the peer")
            return
        connection.heard = now = ticks_ms()
        self._told = 0
        try:
            connection.bytes = (connection.bytes + count) & 0x3FFFFFFF
            if connection.tail:
                connection.tail = b""
            connection.receive(inbox, pos, end + count)
        except Exception as error:  # no memory for a client or a note of it; a fault in here
            self._report(error)
            self.drop(connection, "internal error")
            return
        took = ticks_diff(ticks_ms(), now) - self._told
        if took >= _SLOW:
            self._tell_slow(took, "message", connection)
        if connection.pongs:
            connection.pongs = 0  # an answer to our own ping is no use of the connection
        else:
            connection.used = now
        if connection.state == CLOSED and not connection.out:
            self.drop(connection)

    def _write(self, connection):
        """Write what the network takes of an outbox. Returns an OSError: _flush meets it again."""
        start = connection.out_start
        waiting = connection.owed or connection.out_end - start
        if waiting:
            try:
                count = connection.sock.write(connection.out, start, waiting) or 0
            except OSError as error:
                return error
            connection.out_start = start + count
            if connection.secure:
                connection.owed = waiting - count

    def flush(self, connection) -> None:
        """Write what waits, and do what follows when all is written, or the connection is lost."""
        if connection.sock is None:
            return
        start = connection.out_start
        error = self._write(connection)
        if error:
            self.drop(connection, error)
        elif connection.out_start < connection.out_end:
            if connection.events & _OUT and connection.out_start > start:
                connection.heard = ticks_ms()  # the peer takes what we send: it is alive
            self._watch(connection)
        else:
            connection.discard()
            if connection.events != _IN:
                self._watch(connection)
            if connection.state == CLOSED:
                self.drop(connection)
            else:
                connection.drained()

    def _watch(self, connection):
        """Poll a connection for what matters now: who does not take answers is not read."""
        waiting = connection.out_end - connection.out_start
        events = 0 if connection.deaf else _IN
        if waiting:
            # All that is read at once, with what waits in the inbox, could be echoed.
            stock = self.stock
            full = waiting + max(len(self._buffer), stock.in_size) > stock.write_limit
            events = _OUT if full else events | _OUT
        if events != connection.events:
            connection.events = events
            self.poll.modify(connection.sock, events)

    def drop(self, connection, reason="") -> None:
        """Close a connection's socket and forget it. reason: a str, or the OSError that it met."""
        sock = connection.sock
        if sock is None:
            return
        connection.sock = None
        self.poll.unregister(sock)
        del self.connections[id(sock)]
        visitor = connection in self._reception.visitors
        if visitor:
            self._reception.leave(connection)
        else:
            self.clients.remove(connection)
        try:
            sock.close()
            if connection.secure:
                connection.raw.close()  # after a failed handshake the TLS stream has let go of it
            if not visitor:
                self._say_goodbye(connection, reason)
        except MemoryError:
            pass  # nobody else is to pay for it; what is not closed, the collector closes

    def _say_goodbye(self, client, reason):
        client.lost(reason if isinstance(reason, str) else "connection lost (%s)" % reason)
        code, reason = client.close_code, client.close_reason
        if reason:
            reason = " " + reason
        self.note(INFO, "client %d disconnected: %d%s (%d connected)", client, code, reason)

    def note(self, level: int, text: str, client, *values) -> None:
        """Log `text` % (the client's id, values, the number of clients)."""
        try:
            self.log(level, text % ((client.id,) + values + (len(self.clients),)))
        except MemoryError:
            pass

    def _shut_down(self):
        try:
            self._stepping = True
            self._start_timers()
            if self._reception:
                self._reception.close()
            for client in self.clients:
                client.close(_GOING_AWAY, "the server stops")
            end = ticks_add(ticks_ms(), min(self.close_timeout, _GOODBYE))
            while self.clients and ticks_diff(end, ticks_ms()) > 0:
                self._loop(_TICK, True)
        finally:
            while self.clients:
                self.drop(self.clients[-1], "the server stopped")
            self._stepping = False

    def _timed(self, callback, name, client, args):
        start = ticks_ms()
        callback(client, *args) if client else callback(*args)
        took = ticks_diff(ticks_ms(), start)
        if took >= _SLOW:
            self._tell_slow(took, name, client)

    def _tell_slow(self, took, name, client):
        self._told += took
        try:
            load("slow").tell(self.log, took, name, client)
        except MemoryError:
            pass

    def _report(self, error):
        try:
            self.log(ERROR, traceback(error))
        except MemoryError:
            pass  # nothing can be said
