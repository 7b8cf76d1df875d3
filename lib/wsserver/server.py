"""The server: its clients, the poll loop, broadcast, timers.

One loop does everything, and never waits for one peer. It owns the life cycle of connections: the
Acceptor adds HTTP connections, _replace() makes one a client, and _drop() ends both. All internal
times are milliseconds of time.ticks_ms.
"""

import gc
import select
from time import ticks_diff, ticks_ms

import micropython
from micropython import const

from .acceptor import Acceptor
from .core.buffers import NO_BUFFER, BufferPool
from .core.frames import encode
from .keepalive import sweep
from .lazy import call, has_large_heap, load
from .log import ERROR, INFO, WARNING, describe, escape, log, traceback
from .timers import Timer, Timers, check_callable

# Module globals are found much faster than built-ins, of which there are a hundred.
id = id
len = len

_OPEN = const(0)  # states: see core.buffers
_CLOSED = const(3)
_TRY_AGAIN_LATER = const(1013)

_READ_SIZE = const(4128)  # four messages of 1 KiB, or one of 4, with their headers
_TICK = const(20)  # ms that run() sleeps at most: the delay of call_soon() in a thread
_SWEEP = const(100)  # ms between two checks of the timeouts
_SLOW = const(200)  # ms in a callback after which a warning is logged
_REPEAT = const(1000)  # ms for which an error is not logged again
_MAX_FAULTS = const(100)  # turns that fail in quick succession until run() raises the error
_IN = const(1)  # select.POLLIN
_OUT = const(4)  # select.POLLOUT


class Server:
    """A WebSocket server. Times are in seconds, and None turns one off; sizes are in bytes.

    max_clients: beyond it handshakes get 503, or, with purge="lru", evict the client idle longest.
    max_size: of the longest message for on_message; longer ones are refused with 1009.
    ping_interval: the silence after which a client is pinged; ping_timeout: its time to answer.
    open_timeout, close_timeout: for the opening and the closing handshake.
    write_limit: of the data that waits to be sent to one client; None: enough for an echo.
    read_size: of one read.
    max_head: of an HTTP request head.
    max_tls: TLS connections at the same time; tls_reserved: how many of them are kept for pages.
    log: a function(level, text) instead of the one that prints warnings and errors.
    async_timeout: how long a client may not be read because its coroutine runs.

    The times are attributes as well, which may be set before run(). max_clients, log and these may
    be set at any time. hosts: the names, in lower case, that are accepted in Host beside IP
    addresses, or None for any. portal: a URL to which browsers that ask for another name are
    redirected. limits: a Limits of wsserver.http.ratelimit. origins: whose pages may connect and
    read responses, beside the server's own. proxies: the IP addresses of reverse proxies, whose
    X-Forwarded-For or Forwarded is trusted.
    """

    hosts = portal = limits = None
    origins = proxies = ()
    _refusals: Anything = None  # a RefusalLog, once something was refused
    _filler = None  # see gctuning.tune
    _patterns: Anything = None  # [(Matcher, Route)] of WebSocket paths with parameters, or None
    _relay: Anything = None  # function(message, path, group) of another package: see broadcast()
    _router: Anything = None  # of HTTP routes, once there is one
    _waited = None  # the function of on_wait()
    _asyncio: Anything = None  # the Poller of eventloop while asyncio runs the loop
    _tasks: Anything = None  # the tasks of coroutines that run, once there was one
    _close_timeout: int  # ms; setup.check_attributes sets this and the other times

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
        max_tls: int = 3,
        tls_reserved: int = 0,
        log=log,
        async_timeout=60,
    ):
        sizes = (max_size, max_head, max_tls, tls_reserved, read_size, write_limit)
        try:
            if read_size is None:
                read_size = _READ_SIZE
            if write_limit is None:
                write_limit = max(read_size, max_size + 160)
            # Allocate the buffers first, before the heap is fragmented.
            self._read_buffer = memoryview(bytearray(max(0, read_size)))
            self._pool = BufferPool(max_size, write_limit, self._log)
        except (TypeError, ValueError):
            pass  # check_options() names the option
        self.max_clients = max_clients
        self.ping_interval = ping_interval
        self.ping_timeout = ping_timeout
        self.open_timeout = open_timeout
        self.close_timeout = close_timeout
        self.async_timeout = async_timeout
        self.log = log
        call("wsserver.setup", "check_options", self, *sizes, purge)
        self.max_size = max_size
        self.write_limit = write_limit
        self.clients = []
        self.routes = {}
        self._max_head = max_head
        self._tls_slots = (max_tls, tls_reserved)
        self._purge = purge
        self._folders = []  # (prefix, directory, HTTPS port)
        self._last_id = 0
        self._connections = {}  # socket -> its Client or HTTPConnection
        self._readers = {}  # id(socket) -> (socket, function)
        self._poll = select.poll()
        self._ipoll = self._poll.ipoll
        self._acceptor = Acceptor(self, self._poll, self._connections)
        self._stopping = self._stepping = False
        self._slow_ms = 0  # of this turn that warnings have reported
        self._pool.write = self._write
        self._pool.call = self._call
        self._pool.server = self
        self._pool.read_size = read_size
        self._faults = self._fault_time = 0  # turns that failed in quick succession; ms
        self._error = self._error_time = 0  # the latest that was logged: hash of its text, ms
        self._start_timers()

    # --- configuration

    def websocket(
        self,
        path: str,
        endpoint,
        subprotocols=(),
        origins=None,
        overflow: str = "close",
        access=None,
        reserved: bool = False,
        require_subprotocol: bool = False,
    ) -> None:
        """Serve WebSocket connections at `path` with `endpoint`, an object with on_... methods.

        path: it may have parameters, as in "/rooms/<name>".

        subprotocols: those that it supports. origins: the accepted Origin headers, by default
        none, the server's own host, or one of server.origins. overflow: when a client's send
        buffer is full, "close" the client or "drop" the message. access: a Token or Basic of
        wsserver.http.auth that a request must satisfy, or None. reserved: its clients may exceed
        max_clients by one, and beyond that evict the client idle longest. require_subprotocol:
        whether a client must offer one of the subprotocols. Raises TypeError or
        ValueError, which names the argument, if one is wrong.
        """
        options = (subprotocols, origins, overflow, access, reserved, require_subprotocol)
        call("wsserver.http.routes", "add_route", self, path, endpoint, *options)

    def files(self, prefix: str, directory: str, https=None) -> None:
        """Serve the files in `directory` of the flash to GET requests below `prefix`.

        Several folders may have one prefix; they are searched in the order of the calls. https:
        the port with TLS to which requests without TLS are redirected. Raises TypeError or
        ValueError, which names the argument, if one is wrong.
        """
        folder = call("wsserver.http.routes", "folder", self._folders, prefix, directory, https)
        self._folders.append(folder)

    def listen(self, port: int = 80, host: str = "0.0.0.0", tls=None) -> None:
        """Listen on one more port; with `tls`, an SSLContext, for wss:// and https://.

        Raises OSError if the port is in use, or if there is no free socket, and TypeError or
        ValueError, which names the argument, if one is wrong.
        """
        acceptor = load("wsserver.tls").TLSAcceptor(tls, *self._tls_slots) if tls else None
        self._acceptor.listen(host, port, tls, acceptor)
        self._stopping = False

    def every(self, ms: int, function) -> Timer:
        """Call function() every `ms` milliseconds. Return a Timer that can be cancelled."""
        return self._timers.add(ms, function, True)

    def after(self, ms: int, function) -> Timer:
        """Call function() once, in `ms` milliseconds. Return a Timer that can be cancelled."""
        return self._timers.add(ms, function, False)

    def add_reader(self, sock, function) -> None:
        """Call function(sock) when there is something to read from a non-blocking socket.

        If it raises, it is not called for a second. stop() closes the socket. Each such socket
        takes the slot of one HTTP connection. Raises TypeError if the function cannot be called.
        """
        check_callable(function)
        self._poll.register(sock, _IN)
        self._readers[id(sock)] = (sock, function)
        self._acceptor.reserved = len(self._readers)

    def remove_reader(self, sock) -> None:
        """Undo add_reader(). The socket stays open."""
        if self._readers.pop(id(sock), None):
            self._poll.unregister(sock)
            self._acceptor.reserved = len(self._readers)

    def on_wait(self, function) -> None:
        """Call function(microseconds) after each wait of the loop; None turns it off."""
        self._waited = function
        self._ipoll = self._poll.ipoll
        if function:
            self._ipoll = call("wsserver.readers", "measured", self._ipoll, function)

    def __getattr__(self, name):
        # servermethods adds methods that not every program uses to this class.
        if name not in ("events", "route", "serve"):
            raise AttributeError("'Server' object has no attribute '%s'" % name)
        load("wsserver.servermethods")
        return getattr(self, name)

    # --- at any time

    def call_soon(self, function, *args) -> bool:
        """Let the loop call function(*args). For other threads and interrupt handlers.

        Return False if 16 calls wait already; then this one is not made.
        """
        return self._timers.call_soon(function, args)

    def client(self, id: int):
        """Return the connected client with this id, or None."""
        for client in self.clients:
            if client._id == id:
                return client
        return None

    def broadcast(self, message, path=None, group=None) -> int:
        """Send a message to all open clients, or to those at `path` and in `group`.

        Clients with an empty send buffer get it at once, without copying it. Return
        the number of clients whose message is sent or waits. Raises TypeError if it is neither str
        nor bytes, and ValueError if a text is not valid UTF-8.
        """
        frame = encode(message)
        length = len(frame)
        count = 0
        for client in self.clients:
            if client._state == _OPEN and (path is None or client._path == path):
                if group is not None and group not in client._groups:
                    continue
                if client._out or not client._is_direct or length > self._pool.write_limit:
                    count += client._send_frame(frame)
                    continue
                try:
                    sent = client._sock.write(frame) or 0
                except OSError:
                    continue  # poll will report it
                count += sent == length or self._send_rest(client, frame, sent)
        if self._relay:
            self._relay(message, path, group)
        return count

    def _send_rest(self, client, frame, sent):
        """Queue a frame without the `sent` bytes that TCP has taken. Return whether it fits."""
        if not sent:
            return client._send_frame(frame)
        if client._reserve(len(frame) - sent, self._pool.write_limit):
            client._append(memoryview(frame)[sent:])
            return True
        client._state = _CLOSED  # there is no memory for the rest of a frame that has begun
        self._pool.unsent.append(client)
        return False

    def stop(self) -> None:
        """Close all clients with 1001, and free all sockets and timers. It may listen again."""
        self._stopping = True
        if self._asyncio:
            self._asyncio.stopped.set()
        elif not self._stepping:
            self._shut_down()

    def run(self) -> None:
        """Serve until stop() is called. Sockets are closed whatever ends it, Ctrl-C included.

        On a large heap this tunes garbage collection, unless the program has set gc.threshold.
        Raises RuntimeError in a callback, ValueError without listen(), and TypeError or ValueError
        if an attribute is wrong.
        """
        self._check_no_callback("run")
        try:
            call("wsserver.setup", "check_run", self)
        except MemoryError:
            pass  # the attributes have been checked once
        if not self._filler and has_large_heap():
            self._filler = load("wsserver.gctuning").tune()
        try:
            while not self._stopping:
                self._step(_TICK, False)
                if self._tasks:
                    load("wsserver.coroutines").run(self)
        finally:
            self._stopping = True
            self._shut_down()

    def step(self, timeout_ms: int = 0) -> None:
        """Run one turn of the loop; wait at most `timeout_ms` for something to do.

        Raises RuntimeError in a callback.
        """
        self._check_no_callback("step")
        if self._tasks:
            load("wsserver.coroutines").step(self, timeout_ms)
        else:
            self._step(timeout_ms, True)
        if self._stopping:
            self._shut_down()

    def _check_no_callback(self, name):
        # All clients share one read buffer, which is in use while a callback runs.
        if self._stepping or self._asyncio:
            call("wsserver.setup", "check_no_callback", self, name)

    def _step(self, timeout_ms, once):
        self._stepping = True
        try:
            self._loop(timeout_ms, once)
        except MemoryError as error:  # that cannot be attributed to one connection
            self._report(error)
            self._shed()
        except Exception as error:  # of the application, for example an attribute that it has set
            self._report(error)
            now = ticks_ms()
            recent = 0 <= ticks_diff(now, self._fault_time) < _REPEAT
            self._faults = self._faults + 1 if recent else 0
            self._fault_time = now
            if self._faults >= _MAX_FAULTS:
                raise  # no turn succeeds any more
        finally:
            self._stepping = False

    def _shed(self):
        """Drop the latest connection, because a turn has run out of memory. The others go on."""
        latest = self._acceptor.http_connections or self.clients
        if latest:
            self._drop(latest[-1], "out of memory")
        gc.collect()
        unsent = self._pool.unsent
        for connection in self._connections.values():
            if connection._out and connection not in unsent:
                unsent.append(connection)

    def _start_timers(self):
        self._timers = Timers(self._report, self._call)
        self.every(_SWEEP, self._sweep)

    _sweep = sweep

    # --- the loop

    def _loop(self, timeout_ms, once):
        """Run turns until stop() is called, or only one."""
        get = self._connections.get
        unsent = self._pool.unsent
        timers = self._timers
        calls = timers._calls
        wait = timers.wait(timeout_ms)
        while True:
            others = False
            for sock, event in self._ipoll(0 if unsent else wait):
                connection = get(sock)
                if connection is None:  # handled later: accepting would change the polled sockets
                    others |= self._asyncio is None or self._asyncio.is_ours(sock, event)
                else:
                    if event != _OUT:
                        self._read(connection, sock)
                    if event & _OUT:
                        self._flush(connection)
            if others:
                self._call_readers()
                self._acceptor.accept()
            if unsent:
                self._flush_all(unsent)
            wait = ticks_diff(timers._due, ticks_ms())
            if wait <= 0 or calls:
                timers.run()
                if once:
                    self._flush_all(unsent)
                wait = timers.wait(timeout_ms)
            elif wait > timeout_ms:
                wait = timeout_ms
            if once or self._stopping or self._tasks:
                if not self._asyncio:
                    return
                wait = self._asyncio.wait(wait)
                if wait < 0:
                    return

    def _call_readers(self):
        for key in list(self._readers):
            sock, function = self._readers.get(key, (None, None))
            if function:
                try:
                    self._call(function, function, None, (sock,))
                except Exception as error:
                    self._report(error)
                    if key in self._readers:  # what has arrived may still be there
                        call("wsserver.readers", "rest", self, sock, function)

    def _flush_all(self, unsent):
        # Callbacks may fill more send buffers, which are sent in the next turn.
        for _ in range(len(unsent)):
            self._flush(unsent.pop(0))

    @micropython.native
    def _read(self, connection, sock):
        inbox = connection._inbox
        pos = end = 0
        tail = connection._tail
        try:
            if inbox is None:
                inbox = self._read_buffer
                if tail:
                    end = len(tail)
                    inbox[:end] = tail
                    count = sock.readinto(inbox[end:])
                else:
                    count = sock.readinto(inbox)
            else:
                pos = connection._in_start
                end = connection._in_end
                count = sock.readinto(inbox[end : self._pool.inbox_size])
        except OSError as error:
            self._drop(connection, error)
            return
        except MemoryError:  # for a view of the buffer
            self._drop(connection, "out of memory")
            return
        if count is None:
            connection._last_heard = ticks_ms()  # a part of a TLS record
            return
        if not count:
            if connection._on_eof():
                self._update_poll(connection)
            else:
                self._drop(connection, "closed by the peer")
            return
        connection._last_heard = now = ticks_ms()
        self._slow_ms = 0
        try:
            connection._bytes = (connection._bytes + count) & 0x3FFFFFFF
            if tail:
                connection._tail = b""
            connection._receive(inbox, pos, end + count)
        except Exception as error:  # out of memory, or a fault of the server
            self._report(error)
            self._drop(connection, "internal error")
            return
        took = ticks_diff(ticks_ms(), now) - self._slow_ms
        if took >= _SLOW:
            self._warn_slow(took, "message", connection)
        if connection._pongs:
            connection._pongs = 0  # the answer to a keepalive Ping does not count as use
        else:
            connection._last_used = now
        waiting = connection._out_end
        if waiting and connection._is_direct and connection._events == _IN:
            # Most often TCP takes the whole reply. _flush() handles everything else.
            out = connection._out
            start = connection._out_start
            try:
                count = sock.write(out, start, waiting - start)
            except OSError as error:
                self._drop(connection, error)
                return
            if count:
                start += count
            if start == waiting:
                pool = self._pool
                if pool.unsent and pool.unsent[-1] is connection:
                    pool.unsent.pop()
                connection._out = NO_BUFFER
                connection._out_start = connection._out_end = connection._out_limit = 0
                pool.give(out)
            else:
                connection._out_start = start
        if connection._state == _CLOSED and not connection._out:
            self._drop(connection)

    def _write(self, connection):
        """Write as much of a send buffer as TCP takes. Return an OSError, or None."""
        start = connection._out_start
        waiting = connection._tls_pending or connection._out_end - start
        if waiting:
            try:
                count = connection._sock.write(connection._out, start, waiting) or 0
            except OSError as error:
                return error
            connection._out_start = start + count
            if connection._secure:
                connection._tls_pending = waiting - count

    def _flush(self, connection):
        """Write a send buffer, and handle an empty buffer or a lost connection."""
        if connection._sock is None:
            return
        start = connection._out_start
        error = self._write(connection)
        if error:
            self._drop(connection, error)
        elif connection._out_start < connection._out_end:
            if connection._events & _OUT and connection._out_start > start:
                connection._last_heard = ticks_ms()  # the peer takes data: it is alive
            self._update_poll(connection)
        else:
            connection._discard()
            if connection._events != _IN:
                self._update_poll(connection)
            if connection._state == _CLOSED:
                self._drop(connection)
            else:
                connection._on_drained()

    def _update_poll(self, connection):
        """Set the events for which a connection is polled.

        Backpressure: without room for replies, nothing is read.
        """
        waiting = connection._out_end - connection._out_start
        events = 0 if connection._half_closed else _IN
        if waiting:
            # An echo of all that is read at once, and of what is in the inbox, must fit.
            pool = self._pool
            full = waiting + max(len(self._read_buffer), pool.inbox_size) > pool.write_limit
            events = _OUT if full else events | _OUT
        if events != connection._events:
            connection._events = events
            self._poll.modify(connection._sock, events)

    # --- the life cycle of connections

    def _has_place(self, reserved) -> bool:
        """Return whether one more client may connect. Evict one for it, if that is allowed.

        reserved: whether its route is reserved; its clients may exceed max_clients by one.
        """
        idlest = None
        count = self._acceptor.streams
        for client in self.clients:
            if client._state == _OPEN:
                count += 1
                if client._route.reserved:
                    continue
                if not idlest or ticks_diff(idlest._last_used, client._last_used) > 0:
                    idlest = client
        if count < self.max_clients + reserved:
            return True
        if not idlest or not (reserved or self._purge):
            return False
        idlest._fail(_TRY_AGAIN_LATER, "evicted for another client")
        return True

    def _replace(self, connection, client) -> None:
        """Hand the socket of an HTTP connection over to the client that replaces it."""
        client._last_heard = client._last_used = connection._last_heard
        client._events = connection._events
        if connection._secure:
            client._use_tls(connection._raw)
        self.clients.append(client)
        # Until here a MemoryError drops the HTTP connection. From here on, nothing raises one.
        client._sock, connection._sock = connection._sock, None
        self._connections[client._sock] = client
        self._acceptor.release(connection)
        connection._on_lost()
        text = "client %s connected from %s to %s (%d connected)"
        self._log_client(text, client, client._address[0], escape(client._path))

    def _drop(self, connection, reason="") -> None:
        """Close a connection and forget it. reason: a str, or the OSError of the socket."""
        sock = connection._sock
        if sock is None:
            return
        connection._sock = None
        self._poll.unregister(sock)
        del self._connections[sock]
        is_client = connection in self.clients
        if is_client:
            self.clients.remove(connection)
        else:
            self._acceptor.release(connection)
        try:
            sock.close()
            if connection._secure:
                connection._raw.close()  # a failed TLS handshake does not close it
            if not isinstance(reason, str):
                reason = "connection lost: " + describe(reason)
            connection._on_lost(reason)
            if is_client:
                reason = connection._close_reason
                reason = reason and " " + escape(reason, 130)
                text = "client %s disconnected: %d%s (%d connected)"
                self._log_client(text, connection, connection._close_code, reason)
        except MemoryError:
            pass  # other connections must not suffer; the garbage collector closes the socket

    def _log(self, level, text):
        """Call the log function. Its exceptions must not affect the server."""
        try:
            self.log(level, text)
        except MemoryError:
            pass  # no memory even for a log line
        except Exception as error:
            log(level, "%s (the log function raised %r)" % (text, error))

    def _log_client(self, text, client, *values):
        """Log `text` % (the client's id, values, the number of clients)."""
        try:
            self._log(INFO, text % ((client._id,) + values + (len(self.clients),)))
        except MemoryError:
            pass

    def _log_refusal(self, ip, reason, request=None, status=0):
        """Log that a request or connection was refused. All such lines are written here."""
        try:
            if not self._refusals:
                self._refusals = load("wsserver.http.refusallog").RefusalLog(self)
            self._refusals.add(ip, reason, request, status)
        except MemoryError:
            pass

    def _shut_down(self):
        call("wsserver.shutdown", "shut_down", self)

    # --- callbacks of the application

    def _call(self, callback, name, client, args):
        """Call a callback; warn if it takes long. Without a client it belongs to a timer."""
        start = ticks_ms()
        if client:
            result = callback(client, *args)
        elif args:
            result = callback(*args)
        else:
            result = callback()
        if result is not None and hasattr(result, "throw"):  # the callback is async
            load("wsserver.coroutines").adopt(self, result, name, client, args)
        took = ticks_diff(ticks_ms(), start)
        if took >= _SLOW:
            self._warn_slow(took, name, client)

    def _warn_slow(self, took, name, client):
        self._slow_ms += took
        try:
            self._log(WARNING, call("wsserver.reports", "slow", took, name, client))
        except MemoryError:
            pass

    def _report(self, error):
        """Log the traceback of an error, unless the same one has just been logged."""
        try:
            text = traceback(error)
            now = ticks_ms()
            age = ticks_diff(now, self._error_time)
            if hash(text) != self._error or not 0 <= age < _REPEAT:
                self._error = hash(text)
                self._error_time = now
                self._log(ERROR, text)
        except MemoryError:
            pass  # no memory even for a log line
