"""Methods of Server that not every program uses. Server loads them when one is first called."""

from .lazy import load
from .server import Server


def route(
    server, path: str, methods=("GET",), stream=False, access=None, origins=None, max_body=None
):
    """Return a decorator that registers a function for HTTP requests to `path`.

    The function gets a Request, and the parameters of the path by name. Its result is the response
    (see http.response). stream: the function reads the body itself. access: a Token or Basic, or
    None. origins: the origins whose pages may use the route, by default server.origins. max_body:
    the longest body in bytes, by default max_size, or no limit with stream.

    Raises TypeError or ValueError, which names the argument, if one is invalid.
    """
    server._router = server._router or load(".http.routing").Router(server)
    return server._router.add(path, methods, stream, access, origins, max_body)


def events(server, path: str, history=0, retry=None, access=None, origins=None, on_open=None):
    """Serve Server-Sent Events at `path`. Return an Events, whose send() reaches all clients.

    history: how many events are kept for clients that reconnect. retry: the ms after which
    they do. on_open(stream, request): called for each client.

    Raises TypeError or ValueError, which names the argument, if one is invalid.
    """
    server._router = server._router or load(".http.routing").Router(server)
    options = (path, history, retry, access, origins, on_open)
    return load(".http.events").add(server, *options)


def serve(server):
    """Serve inside asyncio: `await server.serve()`. It ends after stop() or a cancellation.

    All sockets are closed at the end, also after an error.

    Raises RuntimeError if the server is served already, and the errors of run().
    """
    return load(".coroutines").serve(server)


Server.route = route  # type: ignore[attr-defined]
Server.events = events  # type: ignore[attr-defined]
Server.serve = serve  # type: ignore[attr-defined]
