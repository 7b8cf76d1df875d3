"""HTTP routes: find the one for a request. Loaded when the first route is registered."""

from ..lazy import call, load


class Route:
    """What Server.route has registered: a handler with its options, for some methods of a path.

    stream: whether the handler reads the body; or a class to use instead of Exchange.
    """

    def __init__(self, methods, handler, stream, access, origins, max_body):
        self.methods = methods
        self.handler = handler
        self.stream = stream
        self.access = access
        self.origins = origins
        self.max_body = max_body


class Router:
    """The HTTP routes of a server."""

    def __init__(self, server):
        self._server = server
        self.paths = {}  # path -> its Routes, one for each call of Server.route
        self.patterns = []  # (Matcher, its Routes)

    def add(self, path: str, *options):
        """Return a decorator that registers its function for `path`: see Server.route."""
        if isinstance(path, str) and "<" in path:
            load(".http.patterns")  # which stays, unlike what `call` loads
        call(".http.registration", "check_route", self, path, *options)

        def register(handler):
            call(".http.registration", "register", self, path, handler, *options)
            return handler

        return register

    def find(self, request) -> list:
        """Return the Routes for a request, and set request.params. Not for a handshake.

        Raises HTTPError 400.
        """
        if "sec-websocket-key" in request.headers:
            return []
        request.params = {}
        routes = self.paths.get(request.path)
        if routes:
            return routes
        for matcher, routes in self.patterns:
            request.params = matcher.match(request.path)
            if request.params is not None:
                return routes
        request.params = {}
        return []

    def start(self, *args) -> None:
        """Handle a request: what exchange.start does, which takes the place of this method."""
        self.start = load(".http.exchange").start
        self.start(*args)
