"""Timers for `admin.confirm`, which is loaded again when one is due.

If its functions were the timers, they would keep 4 to 5 KB in memory, which `admin.update` needs
to confirm an update.
"""

from micropython import const

from wsserver import lazy

_AGAIN = const(5000)  # ms until the next attempt if memory was short


def start(server, ms: int, function: str, *args) -> None:
    """Call a function of `admin.confirm` in `ms` milliseconds."""

    def call():
        try:
            lazy.call("admin.confirm", function, *args)
        except MemoryError:
            server.after(_AGAIN, call)

    server.after(ms, call)
