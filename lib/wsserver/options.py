"""The rules for a Server's options. Only needed while one is made."""

import gc

from micropython import const

_READ_SIZE = const(4128)  # four messages of 1 KiB, or one of 4, with their headers


def ms(name: str, seconds):
    """A timeout as ms; None stays None. ValueError names the parameter."""
    if seconds is not None:
        if not 0 < seconds <= 86400:
            raise ValueError("%s must be over 0 and at most 86400 s, not %r" % (name, seconds))
        return max(1, int(seconds * 1000))


def sizes(max_size: int, read_size, write_limit) -> tuple:
    """(read_size, write_limit), where None stands for what suits the heap, and an echo."""
    if read_size is None:
        gc.collect()
        read_size = min(_READ_SIZE, max(512, gc.mem_free() >> 4))
    if write_limit is None:
        write_limit = max(read_size, max_size + 160)
    return read_size, write_limit


def check(max_clients, max_size, max_head, max_tls, read_size, write_limit, purge) -> None:
    """ValueError: one of them is out of its range."""
    for name, value, least in (
        ("max_clients", max_clients, 1),
        ("max_size", max_size, 1),
        ("max_head", max_head, 64),
        ("max_tls", max_tls, 1),
        ("read_size", read_size, 64),
        ("write_limit", write_limit, 512),  # the head of an HTTP response must fit
    ):
        if value < least:
            raise ValueError("%s must be at least %d, not %r" % (name, least, value))
    if purge not in (None, "lru"):
        raise ValueError("purge must be None or 'lru', not %r" % (purge,))
