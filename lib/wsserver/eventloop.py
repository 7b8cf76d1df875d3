"""Share one poll object between a server and asyncio. Loaded with the first coroutine.

This is the only module that uses private names of asyncio: `core._io_queue` with its `poller` and
`map`, `core._task_queue`, `core.cur_task` and `core.run_until_complete`. They are the same in
MicroPython 1.23 to 1.29.

asyncio waits in `core._io_queue.poller.ipoll(ms)`, and expects only its own streams there: an
event of any other socket raises KeyError. So a Poller takes the place of that poll object. It runs
a turn of the server for each call, and returns the events of asyncio's streams only.
"""

import asyncio
import select
from asyncio import core  # type: ignore[attr-defined]
from time import ticks_add, ticks_diff, ticks_ms

from wsserver.core.frames import const

_TICK = const(20)  # ms that the loop sleeps at most: the delay of call_soon() in a thread
_IN = const(1)  # select.POLLIN


class Poller:
    """The poll object of asyncio's I/O queue while a server is served.

    Several servers form a chain: the Poller of each waits in the one of the server before it.
    """

    def __init__(self, server):
        queue = core._io_queue
        inner = queue.poller
        self.register = inner.register
        self.modify = inner.modify
        self.unregister = inner.unregister
        self.stopped = asyncio.Event()  # set by Server.stop()
        self._inner = inner
        self._queue = queue
        self._server = server
        self._ready = []
        self._has_turned = False  # whether ipoll() has waited, and no task has run since
        self._peek = core._task_queue.peek
        queue.poller = self
        # asyncio ends when no task is due and no stream is awaited. This entry is never ready.
        queue.map[id(self)] = [None, None, self]
        _move(server, inner, self)

    def is_current(self) -> bool:
        """Return whether asyncio still uses this: new_event_loop() makes another queue."""
        return self._queue is core._io_queue

    def close(self) -> None:
        """Give the server a poll object of its own again, and asyncio its former one."""
        self._queue.map.pop(id(self), None)
        if self._queue.poller is self:
            self._queue.poller = self._inner
        _move(self._server, select.poll(), None)

    def is_ours(self, sock, event) -> bool:
        """Return whether a socket is the server's. Otherwise keep the event for asyncio."""
        server = self._server
        if id(sock) in server._readers or sock in server._acceptor.listeners:
            return True
        self._ready.append((sock, event))
        return False

    def wait(self, ms: int) -> int:
        """Return how many ms, at most `ms`, the server may wait; -1 if it is asyncio's turn."""
        if self._ready:
            return -1
        now = ticks_ms()
        task = self._peek()
        if task:
            left = ticks_diff(task.ph_key, now)
            if left <= 0:
                return -1
            if left < ms:
                ms = left
        if self._is_limited:
            left = ticks_diff(self._end, now)
            if left <= 0:
                return -1
            if left < ms:
                ms = left
        return ms

    def ipoll(self, timeout: int):
        """Serve until asyncio must go on, but at most `timeout` ms unless it is -1.

        Return a list of (stream, events) for asyncio.
        """
        server = self._server
        if server._asyncio is not self:  # closed, but the Poller of another server waits in it
            return self._inner.ipoll(timeout)
        if server._stepping:
            raise RuntimeError("asyncio runs in a callback of the server")
        if self._ready:
            self._ready = []
        if not timeout and self._has_turned:
            # asyncio asks once more when a task is due, and runs it only then.
            self._has_turned = False
            return self._ready
        self._has_turned = timeout > 0
        core.cur_task = None  # asyncio keeps the one that ran last, which could not be cancelled
        self._is_limited = timeout >= 0
        self._end = ticks_add(ticks_ms(), timeout)
        wait = self.wait(_TICK)
        while True:
            try:
                server._step(wait if wait > 0 else 0, True)
            except BaseException:  # Ctrl-C, or no turn succeeds: it ends the loop of asyncio
                server._stopping = True
                tasks, server._tasks = server._tasks, None  # they cannot run any more
                server._shut_down()
                server._tasks = tasks
                raise
            wait = self.wait(_TICK)
            if wait < 0:
                return self._ready


def _move(server, poll, poller):
    """Poll for all sockets of a server with another poll object."""
    old = server._poll
    listening = _IN if server._acceptor._accepting else 0
    for sock in server._acceptor.listeners:
        old.unregister(sock)
        poll.register(sock, listening)
    for sock, function in server._readers.values():
        old.unregister(sock)
        poll.register(sock, _IN if function else 0)
    for sock, connection in server._connections.items():
        old.unregister(sock)
        poll.register(sock, connection._events)
    server._poll = poll
    server._asyncio = poller
    server.on_wait(server._waited)


def task_of(generator):
    """Make a task of a generator that resume() will start."""
    return core.Task(generator, core.__dict__)


def start_now(generator):
    """Make a task of a generator, and run it up to its first pause. Return the task."""
    task = task_of(generator)
    resume(task, generator)
    return task


def resume(task, generator) -> bool:
    """Continue a task that waits in no queue of asyncio, now. Return False if it has ended."""
    before = core.cur_task
    core.cur_task = task
    try:
        generator.send(None)
        return True
    except StopIteration:
        return False
    finally:
        core.cur_task = before


def run_coroutine(coroutine):
    """Run asyncio until a coroutine has ended. Return its result, or raise its exception."""
    before = core.cur_task
    try:
        return core.run_until_complete(core.create_task(coroutine))
    finally:
        core.cur_task = before  # Ctrl-C leaves the task that it has interrupted


def is_running() -> bool:
    """Return whether a task of asyncio is running, or waits for the caller."""
    return core.cur_task is not None


def step_with_tasks(server, timeout_ms: int) -> None:
    """Run one turn of a server that is not served by asyncio, and the tasks that are due."""
    task = core._task_queue.peek()
    if task:
        timeout_ms = max(0, min(timeout_ms, ticks_diff(task.ph_key, ticks_ms())))
    server._step(timeout_ms, True)
    if not is_running():
        run_coroutine(_pass())


async def _pass():
    await core.sleep_ms(0)
