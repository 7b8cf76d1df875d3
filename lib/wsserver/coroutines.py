"""Coroutines of applications, and asyncio. Loaded with the first coroutine."""

import asyncio
from asyncio import CancelledError
from time import ticks_add, ticks_diff, ticks_ms

from wsserver.core.frames import const

from .eventloop import Poller, is_running, run_coroutine, start_now, step_with_tasks
from .lazy import call, load
from .shutdown import begin, drop_all, handshake_time

_PAUSE = const(20)  # ms between two looks at what stop() waits for
_IN = const(1)  # select.POLLIN
_SHUTDOWN = const(1000)  # ms that stop() gives the clients, and the tasks that it cancels


def is_coroutine(result) -> bool:
    """Return whether a function that returned `result` is async."""
    return hasattr(result, "throw")


def start(server, coroutine, done=None, is_last: bool = False):
    """Run a coroutine as a task of asyncio, beside the server. Return the task.

    done(result, error) is called in the loop when it has ended. error: its exception, or None; a
    CancelledError after task.cancel(). Without `done` an exception is logged. stop() cancels it,
    or, with is_last, gives it a second to end.
    """
    task = start_now(_run(server, coroutine, done))
    add_task(server, task)
    if is_last:
        _last.append(task)
    return task


def add_task(server, task) -> None:
    """Note a task: it makes run() and step() drive asyncio."""
    if server._tasks is None:
        server._tasks = []
    server._tasks.append(task)
    server._timers._due = ticks_ms()  # run() notices it beside the timers


_last = []  # tasks that stop() does not cancel at once
_running = []  # async functions of timers that run


def _run(server, coroutine, done):
    """Run a coroutine in the task that start() makes."""
    result = error = None
    try:
        # Pause first: start() returns the task before the coroutine does anything.
        yield from asyncio.sleep_ms(0)
        result = yield from coroutine
    except (Exception, CancelledError) as raised:
        error = raised
    coroutine.close()
    task = asyncio.current_task()
    server._tasks.remove(task)
    if task in _last:
        _last.remove(task)
    try:
        if done:
            done(result, error)
        elif error and not isinstance(error, CancelledError):
            server._report(error)
    except Exception as raised:
        server._report(raised)


def adopt(server, coroutine, name, client, args) -> None:
    """Run the coroutine that a callback of the application has returned.

    name: the name of a client's callback, or the function of a timer, a reader or call_soon().
    """
    if client:
        load(".workers").adopt(client, coroutine, name)
        return
    function = name
    key = id(args[0]) if args else 0
    reads = function is server._readers.get(key, (0, 0))[1]
    repeats = reads or any(
        timer.function is function and timer.repeats for timer in server._timers._timers
    )
    if not repeats:
        start(server, coroutine)
        return
    if function in _running:  # it has not ended since the last call
        coroutine.close()
        return
    if reads:
        sock = args[0]
        server._readers[key] = (sock, None)
        server._poll.modify(sock, 0)

    def done(result, error):
        _running.remove(function)
        if reads and server._readers.get(key, (0, 0))[1] is None:
            server._readers[key] = (sock, function)
            server._poll.modify(sock, _IN)
        if error and not isinstance(error, CancelledError):
            server._report(error)

    _running.append(function)
    start(server, coroutine, done)


# --- the loop


def serve(server):
    """Return a coroutine that serves until stop() is called, or until it is cancelled."""
    poller = server._asyncio
    if poller and poller.is_current():
        raise RuntimeError("serve() was called while the server is served")
    call(".setup", "check_run", server)
    return _serve(server)


async def _serve(server):
    if server._asyncio:
        server._asyncio.close()  # of a former loop, which new_event_loop() has replaced
    poller = Poller(server)
    try:
        if not server._stopping:
            await poller.stopped.wait()
    finally:
        server._stopping = True
        try:
            begin(server)
            await _until(lambda: not server.clients, handshake_time(server))
        finally:
            drop_all(server)
            try:
                await _cancel_tasks(server)
            finally:
                poller.close()


async def _until(condition, ms):
    """Wait until a condition is true, but at most `ms` milliseconds."""
    end = ticks_add(ticks_ms(), ms)
    while not condition() and ticks_diff(end, ticks_ms()) > 0:
        await asyncio.sleep_ms(_PAUSE)


async def _cancel_tasks(server):
    """Cancel all tasks of a server, and let them end."""
    tasks = server._tasks
    if tasks:
        this = [asyncio.current_task()]
        for waits in (True, False):
            for task in list(tasks):
                if task not in this and not (waits and task in _last):
                    task.cancel()
            await _until(lambda: not tasks or tasks == this, _SHUTDOWN)


def run(server) -> None:
    """Serve until stop() is called, in a loop of asyncio: what run() does with coroutines."""
    run_coroutine(_serve(server))


def end(server) -> None:
    """Cancel the tasks of a server that has stopped. Wait for them, unless a task calls this."""
    if is_running():
        for task in list(server._tasks):
            task.cancel()
    else:
        run_coroutine(_cancel_tasks(server))


def step(server, timeout_ms: int) -> None:
    """Run one turn of the server and of its coroutines: what step() does with coroutines."""
    step_with_tasks(server, timeout_ms)
