"""Says which callback made everybody wait. Loaded when there is one to be named."""

from .log import WARNING


def tell(log, ms: int, what, client) -> None:
    """Log a warning about a callback of a client: `what` is "message" for on_message, or on_chunk.
    Without a client it is the function of a timer, or of call_soon.
    """
    if client is None:
        what = "timer %s" % getattr(what, "__name__", what)
    else:
        what = "on_%s of %s" % (what, getattr(client, "path", "a visitor"))
    log(WARNING, "slow: %s took %d ms, in which nobody else was served" % (what, ms))
