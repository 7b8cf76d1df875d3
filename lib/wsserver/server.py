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

from wsserver.core.buffers import BufferPool
from wsserver.core.frames import deliver, encode

from .acceptor import Acceptor
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
# readinto() reads until the buffer is full or nothing is left, which takes two system calls. But a
# client that waits for each reply often sends messages of one length. Client._expected is this
# length, and in its lowest bits how many in 2, 4, 8 or 16 reads are of exactly this length. The
# others notice a client that sends more at once.
_RUN_BITS = const(4)
_RUN = const(15)
_MAX_FAULTS = const(100)  # turns that fail in quick succession until run() raises the error
_IN = const(1)  # select.POLLIN
_OUT = const(4)  # select.POLLOUT


class Server:
    """A WebSocket server. Times are in seconds, and None turns one off; sizes are in bytes.

    max_clients: WebSocket clients at the same time. Further handshakes get 503, or, with
        purge="lru", evict the client that has been idle longest.
    max_size: bytes of the longest message for on_message. Longer ones are refused with 1009.
    ping_interval: the silence after which a client is pinged; ping_timeout: its time to answer.
    open_timeout, close_timeout: the time for the opening and the closing handshake.
    write_limit: bytes that may wait to be sent to one client; None: enough for an echo.
    read_size: bytes of one read. max_head: bytes of an HTTP request head.
    max_tls: TLS connections at the same time; tls_reserved: how many of them are kept for pages.
    log: a function(level, text) instead of the one that prints warnings and errors.
    async_timeout: how long a client may not be read because its coroutine runs.

    The times are attributes as well, which may be set before run(). max_clients, log and these may
    be set at any time. hosts: the names, in lower case, that are accepted in Host beside IP
    addresses, or None for any. portal: the URL to which requests for another name are redirected.
    limits: a Limits of wsserver.http.ratelimit. origins: other origins whose pages may connect and
    read responses. proxies: the IP addresses of reverse proxies whose headers are trusted.
    routes, patterns: the registered WebSocket paths; read only.
    """

    hosts = portal = limits = None
    origins = proxies = remote_clients = ()
    _refusals: Anything = None  # a RefusalLog, once something was refused
    _filler = None  # see gctuning.tune
    patterns: Anything = None
    _relay: Anything = None  # function(message, path, group) of fleet: see broadcast()
    _router: Anything = None  # of HTTP routes, once there is one
    _waited = None  # the function of on_wait()
    _asyncio: Anything = None  # the Poller of eventloop while asyncio runs the loop
    _tasks: Anything = None  # the tasks of coroutines that run, once there was one
    _close_timeout: int  # ms; setup.check sets this and the other times

    # Long: one assignment an attribute, and 14 options.
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
            pass  # check_args() names the option
        self.max_clients = max_clients
        self.ping_interval = ping_interval
        self.ping_timeout = ping_timeout
        self.open_timeout = open_timeout
        self.close_timeout = close_timeout
        self.async_timeout = async_timeout
        self.log = log
        call(".setup", "check_args", self, *sizes, purge)
        self.max_size = max_size
        self.write_limit = write_limit
        self.clients = []
        self.routes = {}
        self._max_head = max_head
        self._tls_slots = (max_tls, tls_reserved)
        self._purge = purge
        self._folders = []  # (prefix, directory, HTTPS port)
        self.last_id = 0  # of a client; fleet gives its clients the next ones
        self._connections = {}  # socket -> its Client or HTTPConnection
        self._readers = {}  # id(socket) -> (socket, function)
        self._poll = select.poll()
        self._ipoll = self._poll.ipoll
        self._acceptor = Acceptor(self)
        self._stopping = self._stepping = False
        # Ready sockets that the next turn skips: a turn ended early after them. Not in the class,
        # where the first one on a busy board would let the table of attributes grow.
        self._served = 0
        self._pool.write = self._write
        self._pool.call = self._call
        self._pool.server = self
        self._pool.read_size = read_size
        # Turns that failed in quick succession, and when; the latest error that was logged: hash
        # of its text, and when; how much of this turn's time warnings have reported. In ms.
        self._faults = self._fault_time = self._error = self._error_time = self._slow_ms = 0
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

        path: may have parameters, as in "/rooms/<name>". subprotocols: the supported ones.
        origins: the accepted Origin headers; by default no header, the server's own host, or one
        of server.origins. overflow: if the send buffer is full, "close" the client or "drop" the
        message. access: a Token or Basic of wsserver.http.auth, or None. reserved: clients of this
        path may exceed max_clients by one; beyond that they evict the client idle longest.
        require_subprotocol: whether a client must offer one of the subprotocols.

        Raises TypeError or ValueError, which names the argument, if one is invalid.
        """
        options = (subprotocols, origins, overflow, access, reserved, require_subprotocol)
        call(".http.routes", "add_route", self, path, endpoint, *options)

    def files(self, prefix: str, directory: str, https=None) -> None:
        """Serve the files in `directory` of the flash to GET requests below `prefix`.

        Several directories may have one prefix; they are searched in the order of the calls.
        https: the port to which requests without TLS are redirected.

        Raises TypeError or ValueError, which names the argument, if one is invalid.
        """
        folder = call(".http.routes", "folder", self._folders, prefix, directory, https)
        self._folders.append(folder)

    def listen(self, port: int = 80, host: str = "0.0.0.0", tls=None) -> None:
        """Listen on one more port. tls: an SSLContext, for wss:// and https://.

        Raises OSError if the port is in use, or if no socket is free, and TypeError or
        ValueError, which names the argument, if one is invalid.
        """
        acceptor = tls and load(".tls").TLSAcceptor(tls, *self._tls_slots)
        call(".setup", "listen", self, port, host, tls, acceptor)
        if ":" in host:
            self._acceptor.peer = load(".ipv6").peer
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
        takes the slot of one HTTP connection.

        Raises TypeError if the function cannot be called.
        """
        check_callable(function)
        self._poll.register(sock, _IN)
        self._readers[id(sock)] = (sock, function)

    def remove_reader(self, sock) -> None:
        """Undo add_reader(). The socket stays open."""
        if self._readers.pop(id(sock), None):
            self._poll.unregister(sock)

    def on_wait(self, function) -> None:
        """Call function(microseconds) after each wait of the loop; None turns it off."""
        ipoll = self._poll.ipoll
        if function:
            ipoll = call(".waits", "measured", ipoll, function)
        self._ipoll = ipoll
        self._waited = function

    def __getattr__(self, name):
        # servermethods adds methods that not every program uses to this class.
        if name not in ("events", "route", "serve"):
            raise AttributeError(name)
        load(".servermethods")
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

    def broadcast(self, message, path=None, group=None) -> int:
        """Send a message to all open clients, or to those at `path` and in `group`.

        Clients of reserved paths get it only if `path` or `group` is given. Clients with an empty
        send buffer get it at once, without a copy. Return the number of clients to which the
        message was sent, or for which it waits.

        Raises TypeError if it is neither str nor bytes, and ValueError if a text is not valid
        UTF-8.
        """
        frame = encode(message)
        length = len(frame)
        count = 0
        for client in self.clients:
            if client._state == _OPEN and (path is None or client._path == path):
                if group is None:
                    if path is None and client._route.reserved:
                        continue  # an admin's client expects its own protocol
                elif group not in client._groups:
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

    def _send_rest(self, client, data, start):
        """Queue a frame from `start` on: TCP has taken the rest. Return whether it fits."""
        if not start:
            return client._send_frame(data)
        if client._reserve(len(data) - start, self._pool.write_limit):
            client._append(memoryview(data)[start:])
            return True
        client._state = _CLOSED  # there is no memory for the rest of a frame that has begun
        self._pool.unsent.append(client)
        return False

    def stop(self) -> None:
        """Close all clients with 1001, and free all sockets and timers. It may listen again."""
        self._stopping = True
        self._timers._due = ticks_ms()  # _loop() notices it beside the timers
        if self._asyncio:
            self._asyncio.stopped.set()
        elif not self._stepping:
            self._shut_down()

    def run(self) -> None:
        """Serve until stop() is called. All sockets are closed at the end, also after Ctrl-C.

        On a large heap this tunes garbage collection, unless the program has set gc.threshold.

        Raises RuntimeError in a callback, ValueError without listen(), and TypeError or ValueError
        if an attribute is invalid.
        """
        self._check_idle("run")
        try:
            call(".setup", "check_run", self)
        except MemoryError:
            pass  # the attributes have been checked once
        if not self._filler and has_large_heap():
            self._filler = load(".gctuning").tune()
        try:
            while not self._stopping:
                self._step(_TICK, False)
                if self._tasks:
                    load(".coroutines").run(self)
        finally:
            self._stopping = True
            self._shut_down()

    def step(self, timeout_ms: int = 0) -> None:
        """Run one turn of the loop; wait at most `timeout_ms` for something to do.

        Raises RuntimeError in a callback.
        """
        self._check_idle("step")
        if self._tasks:
            load(".coroutines").step(self, timeout_ms)
        else:
            self._step(timeout_ms, True)
        if self._stopping:
            self._shut_down()

    def _check_idle(self, name):
        # All clients share one read buffer, which is in use while a callback runs.
        if self._stepping or self._asyncio:
            call(".setup", "_check_idle", self, name)

    def _step(self, timeout_ms, step):
        self._stepping = True
        try:
            self._loop(timeout_ms, step)
        except MemoryError as error:  # that cannot be attributed to one connection
            self._report(error)
            # Drop the latest connection. The others go on.
            latest = self._acceptor.http_connections or self.clients
            if latest:
                self._drop(latest[-1], "out of memory")
            gc.collect()
            unsent = self._pool.unsent
            for connection in self._connections.values():
                if connection._out and connection not in unsent:
                    unsent.append(connection)
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

    def _start_timers(self):
        self._timers = Timers(self)
        self.every(_SWEEP, self._sweep)

    _sweep = sweep

    # --- the loop

    # Long: the hot path. A call for each part would be one more for each turn.
    def _loop(self, timeout_ms, step):
        """Run turns until stop() is called; step: only one."""
        get = self._connections.get
        unsent = self._pool.unsent
        timers = self._timers
        calls = timers._calls
        wait = timers.wait(timeout_ms)
        read = self._read
        skip = self._served
        while True:
            others = took = None
            if skip:
                self._served = 0
            count = 0
            for sock, event in self._ipoll(0 if unsent else wait):
                count += 1
                if count <= skip:
                    continue
                connection = get(sock)
                if connection is None:  # handled later: accepting would change the polled sockets
                    if self._asyncio is None or self._asyncio.is_ours(sock, event):
                        others = True
                else:
                    if event != _OUT:
                        took = read(connection, sock)
                    if event & _OUT:
                        self._flush(connection)
                        self._slow_ms = 0
                    # What is due, a timer or a task of asyncio, comes before further clients.
                    if took and (
                        ticks_diff(timers._due, ticks_ms()) <= 0
                        or self._asyncio is not None
                        and self._asyncio.wait(_TICK) < 0
                    ):
                        self._served = skip = count  # the next turn begins with the others
                        break
            else:
                skip = 0
            if others:
                if self._readers:  # else it must not need memory
                    self._call_readers()
                self._acceptor.accept()
            if unsent:
                self._flush_all(unsent)
            wait = ticks_diff(timers._due, ticks_ms())
            if wait <= 0 or calls:
                timers.run()
                self._slow_ms = 0
                if step:
                    self._flush_all(unsent)
                elif self._stopping or self._tasks:
                    return
                wait = timers.wait(timeout_ms)
            elif wait > timeout_ms:
                wait = timeout_ms
            if step:
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
                    self._report(error, function)
                    if key in self._readers:  # what has arrived may still be there
                        call(".readers", "rest", self, sock, function)

    def _flush_all(self, unsent):
        # Callbacks may fill more send buffers, which are sent in the next turn.
        for _ in range(len(unsent)):
            self._flush(unsent.pop(0))

    # Long: the hot path, measured: its docstring tells what splitting costs.
    @micropython.native
    def _read(self, connection, sock):
        """Read and handle what has arrived. Return how many ms that took, if the caller must know.

        Most often it is one or more whole messages, and TCP takes all replies at once. What this
        function does for these could be left to _receive() and _flush(): that takes a quarter
        longer, for a text of 32 bytes and its echo.
        """
        pool = self._pool
        pos = end = expected = messages = guess = number = 0
        message = connection._plain
        inbox = connection._inbox
        tail = connection._tail
        try:
            if inbox is not None:
                message = None
                pos = connection._in_start
                end = connection._in_end
                count = sock.readinto(inbox[end : pool.inbox_size])
            else:
                inbox = self._read_buffer
                if tail:
                    message = None
                    end = len(tail)
                    inbox[:end] = tail
                    count = sock.readinto(inbox[end:])
                else:
                    if message:
                        messages = connection._messages
                        expected = connection._expected
                        if expected & messages & _RUN:
                            guess = expected >> _RUN_BITS
                    count = sock.readinto(inbox, guess) if guess else sock.readinto(inbox)
        except OSError as error:
            self._drop(connection, error)
            return 0
        except MemoryError:  # for a view of the buffer
            self._drop(connection, "out of memory")
            return 0
        if not count:
            if count is None:
                connection._last_heard = ticks_ms()  # a part of a TLS record
            elif connection._on_eof():
                self._update_poll(connection)
            else:
                self._drop(connection, "closed by the peer")
            return 0
        connection._last_heard = now = ticks_ms()
        try:
            connection._bytes = (connection._bytes + count) & 0x3FFFFFFF
            if message:
                progress = pool.progress
                progress[1] = found = 0
                try:
                    found = deliver(0, count, pool.max_size, inbox, connection, message, progress)
                except Exception as error:
                    connection._report(error)
                number = progress[1]
                connection._messages = messages + number
                pos = progress[0]
                if found or pos != count:
                    message = None
                    connection._expected = 0
                    connection._receive(inbox, pos, count, found)
            else:
                if tail:
                    connection._tail = b""
                connection._receive(inbox, pos, end + count)
        except Exception as error:  # out of memory, or a fault of the server
            self._report(error)
            self._drop(connection, "internal error")
            return 0
        took = ticks_ms()
        if took == now:
            took = 0
        else:
            took = ticks_diff(took, now)
            if took >= _SLOW:
                took -= self._slow_ms
                if took >= _SLOW:
                    self._warn_slow(took, "message", connection)
        if connection._pongs:
            connection._pongs = 0  # the answer to a keepalive Ping does not count as use
        else:
            connection._last_used = now
        waiting = connection._out_end
        if waiting and connection._is_direct and connection._events == _IN:
            out = connection._out
            start = connection._out_start
            waiting -= start
            try:
                sent = sock.write(out, start, waiting)
            except OSError as error:
                self._drop(connection, error)
                return 0
            if sent == waiting:
                unsent = pool.unsent
                if unsent and unsent[-1] is connection:
                    unsent.pop()
                connection._out = None
                connection._out_end = connection._out_limit = 0
                if start:
                    connection._out_start = 0
                spare = pool._spare
                if spare:
                    pool.give(out)
                else:
                    spare.append(out)
                if number != 1:
                    if expected:
                        connection._expected = 0
                elif guess:
                    pass
                elif count != expected >> _RUN_BITS:
                    connection._expected = count << _RUN_BITS
                elif expected & _RUN != _RUN:
                    connection._expected = expected + (expected & _RUN) + 1
            elif sent:
                connection._out_start = start + sent
        if not message and connection._state == _CLOSED and not connection._out:
            self._drop(connection)
        return took

    @micropython.native
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
            if connection._tls:
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

        Backpressure: without space for replies, nothing is read.
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
        if connection._tls:
            client._use_tls(connection._raw, connection._tls)
        self.clients.append(client)
        # Until here a MemoryError drops the HTTP connection. From here on, nothing raises one.
        client._sock, connection._sock = connection._sock, None
        self._connections[client._sock] = client
        self._acceptor.release(connection)
        connection._on_lost()
        if self.log is not log:  # which would not print it
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
            if connection._tls:
                connection._raw.close()  # a failed TLS handshake does not close it
                if connection._tls._spare:
                    connection._tls._spare.give()
            if not isinstance(reason, str):
                reason = "connection lost: " + describe(reason)
            connection._on_lost(reason)
            if is_client and self.log is not log:
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
                self._refusals = load(".http.refusallog").RefusalLog(self)
            self._refusals.add(ip, reason, request, status)
        except MemoryError:
            pass

    def _shut_down(self):
        call(".shutdown", "_shut_down", self)

    # --- callbacks of the application

    def _call(self, callback, owner, client, args):
        """Call a callback, and warn if it takes long.

        owner: what a warning names: the name of a client's callback; without a client, the
        function of a timer, a reader or call_soon().
        """
        start = ticks_ms()
        if client:
            result = callback(client, *args)
        elif args:
            result = callback(*args)
        else:
            result = callback()
        if result is not None and hasattr(result, "throw"):  # the callback is async
            load(".coroutines").adopt(self, result, owner, client, args)
        took = ticks_diff(ticks_ms(), start)
        if took >= _SLOW:
            self._warn_slow(took, owner, client)

    def _warn_slow(self, ms, owner, client):
        self._slow_ms += ms
        try:
            self._log(WARNING, call(".reports", "slow", ms, owner, client))
        except MemoryError:
            pass

    def _report(self, error, owner=None):
        """Log the traceback of an error, unless the same one has just been logged.

        owner: the connection, or the function of the callback that has raised it.
        """
        try:
            text = traceback(error, owner)
            now = ticks_ms()
            age = ticks_diff(now, self._error_time)
            if hash(text) != self._error or not 0 <= age < _REPEAT:
                self._error = hash(text)
                self._error_time = now
                self._log(ERROR, text)
        except MemoryError:
            pass  # no memory even for a log line
