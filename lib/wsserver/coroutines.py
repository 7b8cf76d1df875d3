"""Coroutines of applications, and asyncio. Loaded with the first coroutine."""

import asyncio
from asyncio import CancelledError
from time import ticks_add, ticks_diff, ticks_ms

from .core.frames import const
from .eventloop import Poller, run_coroutine, start_now, step_with_tasks
from .lazy import call

_PAUSE = const(20)  # ms between two looks at what stop() waits for
_SHUTDOWN = const(1000)  # ms that stop() gives the clients, and the tasks that it cancels


def is_coroutine(result) -> bool:
    """Return whether a function that returned `result` is async."""
    return hasattr(result, "throw")


def start(server, coroutine, done=None):
    """Run a coroutine as a task of asyncio, beside the server. Return the task.

    done(result, error) is called in the loop when it has ended. error: its exception, or None; a
    CancelledError after task.cancel(). Without `done` an exception is logged. stop() cancels it.
    """
    generator = _run(server, coroutine, done)
    task = start_now(generator)
    if server._tasks is None:
        server._tasks = []
    server._tasks.append(task)
    return task


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
    tasks = server._tasks
    tasks.remove(asyncio.current_task())
    try:
        if done:
            done(result, error)
        elif error and not isinstance(error, CancelledError):
            server._report(error)
    except Exception as raised:
        server._report(raised)


# --- the loop


def serve(server):
    """Return a coroutine that serves until stop() is called, or until it is cancelled."""
    poller = server._asyncio
    if poller and poller.is_current():
        raise RuntimeError("serve() was called while the server is served")
    call("wsserver.setup", "check_run", server)
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
            server._begin_shut_down()
            await _until(lambda: not server.clients, min(server._close_timeout, _SHUTDOWN))
        finally:
            server._end_shut_down()
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
        this = asyncio.current_task()
        for task in list(tasks):
            if task is not this:
                task.cancel()
        await _until(lambda: not tasks or tasks == [this], _SHUTDOWN)


def run(server) -> None:
    """Serve until stop() is called, in a loop of asyncio: what run() does with coroutines."""
    run_coroutine(_serve(server))


def end(server) -> None:
    """Cancel the tasks of a server that has stopped, outside asyncio."""
    if server._asyncio:
        server._asyncio.close()
    run_coroutine(_cancel_tasks(server))


def step(server, timeout_ms: int) -> None:
    """Run one turn of the server and of its coroutines: what step() does with coroutines."""
    step_with_tasks(server, timeout_ms)
