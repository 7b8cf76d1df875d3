"""Endpoints whose on_message or on_chunk may be async. Loaded while one is registered."""

from .lazy import load


def checked(route, name: str, function):
    """Return what stands for on_message or on_chunk in a route.

    The first call tells: if `function` is not async, it takes its place.
    """
    setattr(route, "_" + name, function)  # for reports.traceback

    def on_message(client, message):
        result = function(client, message)
        if hasattr(result, "throw"):
            load(".workers").worker_of(client).run(result)
        else:
            route.message = function

    def on_chunk(client, chunk, final):
        # The chunk is valid until this returns, but a coroutine may run longer.
        result = function(client, bytes(chunk), final)
        if hasattr(result, "throw"):
            load(".workers").worker_of(client).run(result)
        else:
            route.chunk = function

    return on_chunk if name == "chunk" else on_message
