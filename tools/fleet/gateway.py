"""The gateway: serves the pages and endpoints of boards to any number of viewers.

It is stateless. Several processes can run behind any load balancer.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import logging
import secrets
import signal
import socket
import ssl
import time
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from urllib.parse import unquote, urlsplit

from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from . import access, overview, topics
from .broker import Address, Broker
from .pages import Pages
from .viewers import TRY_AGAIN_LATER, Board, Bucket, Sender, Viewer

log = logging.getLogger("fleet")
_POLICY_VIOLATION = 1008
_TOO_BIG = 1009
_GRACE = 10.0  # s without a board after which its viewers are closed
_GRACE_ENGINE = 15.0  # s without an engine, whose nodes may elect leaders for up to 9 s
_SWEEP = 1.0  # s
_MAX_STATE = 16384  # bytes of a board's state
_MAX_LATEST = 100  # retained broadcasts of a board
_MAX_BOARDS = 100_000
_OFFER = "bearer."
_LOG_INTERVAL = 10.0  # s between two log lines about refused host names
_COUNTERS = (
    "messages_from_boards",
    "messages_from_viewers",
    "messages_to_viewers",
    "messages_dropped",
    "requests_refused",
    "viewers_closed_slow",
)


@dataclass
class Options:
    """The options of a gateway.

    names: host names that are answered besides this machine's own. origins: of other pages that
    may connect. proxies: addresses whose X-Forwarded-For is trusted.
    max_size: bytes of a message of a viewer; max_stream: of what a board streams to one.
    max_viewers: of one board at this process. per_address: connections of one address. rate:
    messages a second of one viewer. buffer: bytes that may wait for a viewer; slow: whether it is
    then closed ("close") or loses messages ("drop").
    """

    engine: Address
    prefix: str = "boards"
    host: str = "127.0.0.1"
    port: int = 8000
    tokens: access.Tokens = field(default_factory=access.Tokens)
    pages: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    names: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    proxies: tuple[str, ...] = ()
    max_size: int = 4096
    max_stream: int = 1_000_000
    max_viewers: int = 10_000
    per_address: int = 100
    rate: float = 50.0
    buffer: int = 65536
    slow: str = "close"
    share_port: bool = False


class RefusedError(Exception):
    """An HTTP error for a viewer."""

    def __init__(self, status: HTTPStatus, reason: str, **headers: str):
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


class Gateway:
    """One process of the gateway."""

    def __init__(self, options: Options):
        self.options = options
        self.id = "g" + secrets.token_hex(4)
        self.boards: dict[str, Board] = {}
        self.counts: Counter[str] = Counter(dict.fromkeys(_COUNTERS, 0))
        self._root = f"{options.prefix}/{topics.VERSION}"
        self._ids = itertools.count(1)
        names = (options.host, *options.names)
        self._names = access.own_names() | {name.lower().removesuffix(".") for name in names}
        self._next_log = 0.0
        self._addresses = access.Addresses(options.per_address)
        self._pages = Pages(options.pages)
        self._sender = Sender(options.buffer, options.slow, self.counts)
        self._started = time.time()
        self._tasks: set[asyncio.Task] = set()
        self.broker = Broker(options.engine, f"gateway-{self.id}", self._receive)
        self.broker.subscribe(
            f"{self._root}/+/presence", f"{self._root}/+/state", f"{self._root}/+/to/{self.id}/#"
        )

    # --- from the boards

    def _receive(self, topic: str, payload: bytes, retained: bool) -> None:
        """Process a message of a board."""
        self.counts["messages_from_boards"] += 1
        parsed = topics.parse(self.options.prefix, topic)
        if not parsed:
            return
        board = self._board(parsed.board)
        if not board:
            return
        match parsed.kind, parsed.levels:
            case "presence", ():
                self._set_presence(board, payload == b"online")
            case "state", ():
                self._set_state(board, payload)
            case "all", (where, ("text" | "binary") as kind):
                self._broadcast(board, where, kind, payload, retained)
            case "group", (where, group, ("text" | "binary") as kind):
                self._sender.send(board.at(where, group), kind, payload)
            case "to", (_, viewer, _, kind):
                self._reply(board, viewer, kind, payload)

    def _board(self, name: str) -> Board | None:
        board = self.boards.get(name)
        if not board and len(self.boards) < _MAX_BOARDS:
            board = self.boards[name] = Board(name, lost=time.monotonic())
        return board

    def _set_presence(self, board: Board, online: bool) -> None:
        if board.online and not online:
            board.lost = time.monotonic()
        board.online = online

    def _set_state(self, board: Board, payload: bytes) -> None:
        if len(payload) > _MAX_STATE:
            return
        with contextlib.suppress(ValueError, RecursionError):
            state = json.loads(payload)
            if isinstance(state, dict):
                board.state = state

    def _broadcast(self, board, where, kind, payload, retained):
        key = (where, kind)
        if retained and board.latest.get(key) == payload:
            return  # known: it comes again with each reconnection
        if (retained or board.state.get("retain")) and len(board.latest) < _MAX_LATEST:
            board.latest[key] = payload
        self._sender.send(board.at(where), kind, payload)

    def _reply(self, board: Board, id: str, kind: str, payload: bytes) -> None:
        viewer = board.viewers.get(id)
        if not viewer:
            return
        if kind in ("text", "binary"):
            self._sender.send((viewer,), kind, payload)
            return
        if kind == "part":
            viewer.parts += payload
            if len(viewer.parts) > self.options.max_stream:
                self._close(viewer, _TOO_BIG, "stream too long (--max-stream)")
            return
        text = payload.decode(errors="replace")
        if kind == "end" and text in ("text", "binary"):
            self._start(self._sender.stream(viewer, text))
        elif kind == "join" and len(viewer.groups) < 100:
            viewer.groups.add(topics.level(text))
        elif kind == "leave":
            viewer.groups.discard(topics.level(text))
        elif kind == "close":
            code, _, reason = text.partition(" ")
            if code.isdigit() and (1000 <= int(code) <= 1014 or 3000 <= int(code) <= 4999):
                self._close(viewer, int(code), reason)

    def _close(self, viewer: Viewer, code: int, reason: str) -> None:
        viewer.parts.clear()
        self._start(viewer.connection.close(code, reason))

    def _start(self, coroutine: Coroutine) -> None:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # --- from the viewers

    def process_request(self, connection: ServerConnection, request: Request) -> Response | None:
        """Answer an HTTP request, or accept a WebSocket: then the connection gets a `viewer`."""
        try:
            try:
                url = urlsplit(request.path)
            except ValueError:
                raise RefusedError(HTTPStatus.BAD_REQUEST, "malformed path") from None
            if url.path != "/health":  # load balancers ask for it by any name, or by none
                self._check_host(request)
            is_websocket = "websocket" in request.headers.get("Upgrade", "").lower()
            if url.path.startswith("/boards/"):
                name, slash, rest = url.path[8:].partition("/")
                name = unquote(name)
                if not topics.is_name(name):
                    raise RefusedError(HTTPStatus.NOT_FOUND, "no such board")
                if is_websocket:
                    # As it was sent: the board decodes the parameters of a path itself.
                    self._admit(connection, request, name, "/" + rest, url.query)
                    return None
                if not slash:
                    raise RefusedError(
                        HTTPStatus.MOVED_PERMANENTLY, "moved", Location=f"/boards/{name}/"
                    )
                return self._page(connection, request, name, "/" + unquote(rest), url.query)
            return self._own(connection, request, unquote(url.path), url.query)
        except RefusedError as refusal:
            self.counts["requests_refused"] += 1
            response = _response(refusal.status, f"{refusal.reason}\n".encode(errors="replace"))
            for header, value in refusal.headers.items():
                response.headers[header] = value
            return response

    def _check_host(self, request):
        """Check that a request is for a name of this gateway. Raises RefusedError 400 or 421."""
        hosts = request.headers.get_all("Host")
        if len(hosts) != 1 or not hosts[0].strip():
            raise RefusedError(HTTPStatus.BAD_REQUEST, "malformed Host")
        if access.is_known_host(hosts[0], self._names):
            return
        host = hosts[0][:100]
        if time.monotonic() >= self._next_log:
            self._next_log = time.monotonic() + _LOG_INTERVAL
            log.warning("refused: Host %a is not a name of this gateway (--name)", host)
        reason = f"{host} is not a name of this gateway: allow it with --name"
        raise RefusedError(HTTPStatus.MISDIRECTED_REQUEST, reason)

    def _own(self, connection, request, path, query):
        """Answer a request for one of the gateway's own paths."""
        if path == "/health":
            if self.broker.is_connected:
                return _response(HTTPStatus.OK, b"ok\n")
            raise RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, "not connected to the engine")
        if path == "/metrics":
            return _response(HTTPStatus.OK, self._metrics().encode())
        if path in ("/", "/boards"):
            self._check_token(connection, request, "overview", "/", query)
            if path == "/":
                return _response(HTTPStatus.OK, overview.PAGE, "text/html; charset=utf-8")
            text = json.dumps(overview.listing(self.boards.values()))
            return _response(HTTPStatus.OK, text.encode(), "application/json")
        raise RefusedError(HTTPStatus.NOT_FOUND, "not found")

    def _admit(self, connection, request, name, path, query):
        """Check a WebSocket handshake. Raises RefusedError."""
        board = self.boards.get(name)
        if not access.is_allowed_origin(request.headers, self.options.origins):
            origin = request.headers.get("Origin")
            raise RefusedError(HTTPStatus.FORBIDDEN, f"Origin {origin} is not allowed (--origin)")
        endpoint = board.endpoint_at(path) if board else None
        self._check_token(connection, request, name, endpoint or path, query)
        if not board:
            raise RefusedError(HTTPStatus.NOT_FOUND, "no such board")
        if not board.online or not self.broker.is_connected:
            raise RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, "board is offline", Retry_After="5")
        if endpoint is None:
            raise RefusedError(HTTPStatus.NOT_FOUND, "no such endpoint")
        flags = board.endpoints[endpoint]
        if "t" in flags and not self.options.tokens.required(name, endpoint):
            raise RefusedError(HTTPStatus.FORBIDDEN, "this endpoint needs a token at the gateway")
        if len(board.viewers) >= self.options.max_viewers:
            raise RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, "too many viewers", Retry_After="5")
        address = self._address(connection, request)
        if not self._addresses.has_space(address):
            raise RefusedError(
                HTTPStatus.TOO_MANY_REQUESTS, "too many connections of this address"
            )
        bucket = Bucket(self.options.rate)
        # Otherwise Linux keeps up to 4 MB for a viewer that does not read.
        sock = connection.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self.options.buffer)
        viewer = Viewer(str(next(self._ids)), name, topics.endpoint(path), connection, bucket)
        viewer.is_greeted = "o" in flags
        connection.viewer = viewer
        connection.address = address

    def _address(self, connection, request):
        address = connection.remote_address[0]
        if address in self.options.proxies:
            chain = request.headers.get("X-Forwarded-For", "").split(",")
            address = chain[-1].strip() or address
        return address

    def _check_token(self, connection, request, name, path, query):
        """Check the token of a board. Raises RefusedError 401 or 429."""
        tokens = self.options.tokens
        required = tokens.required(name, path)
        if not required:
            return
        address = self._address(connection, request)
        if tokens.is_locked_out(address):
            raise RefusedError(
                HTTPStatus.TOO_MANY_REQUESTS, "too many wrong tokens", Retry_After="60"
            )
        given = access.given_token(request.headers, query, name)
        if not tokens.check(required, given, address):
            raise RefusedError(
                HTTPStatus.UNAUTHORIZED, "authentication required", WWW_Authenticate="Bearer"
            )

    def _page(self, connection, request, name, path, query):
        """Return a file of the gateway's copy of a board's page."""
        board = self.boards.get(name)
        tokens = self.options.tokens
        if tokens.page(name):
            self._check_token(connection, request, name, path, query)
        if not board:
            raise RefusedError(HTTPStatus.NOT_FOUND, "no such board")
        if board.endpoint_at(path):
            raise RefusedError(
                HTTPStatus.UPGRADE_REQUIRED, "this is a WebSocket endpoint", Upgrade="websocket"
            )
        if self._pages.is_local(path):
            reason = "open this page in the board's own network: the gateway does not forward it"
            raise RefusedError(HTTPStatus.NOT_IMPLEMENTED, reason)
        if not self._pages.has(board.version):
            version = board.version or "none"
            reason = f"the gateway has no pages of version {version} (--pages)"
            raise RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, reason)
        file = self._pages.find(board.version, path)
        if not file or request.method not in ("GET", "HEAD"):
            reason = "HTTP routes of a board are not forwarded: ask the board itself"
            raise RefusedError(HTTPStatus.NOT_IMPLEMENTED, reason)
        response = _response(HTTPStatus.OK, file.content, file.type)
        if file.is_compressed:
            response.headers["Content-Encoding"] = "gzip"
        given = tokens.page(name) and access.given_token(request.headers, query, name)
        if given:
            is_secure = self.options.cert is not None or bool(self.options.proxies)
            response.headers["Set-Cookie"] = access.cookie(name, given, is_secure)
        return response

    async def serve_viewer(self, connection: ServerConnection) -> None:
        """Pass the messages of a viewer to its board, until the connection ends."""
        viewer: Viewer = connection.viewer  # type: ignore[attr-defined]
        address: str = connection.address  # type: ignore[attr-defined]
        # Not in _admit(): the handshake may fail after it, and then nothing would count it out.
        if not self._addresses.enter(address):
            await connection.close(TRY_AGAIN_LATER, "too many connections of this address")
            return
        board = self.boards[viewer.board]
        self._enter(board, viewer)
        topic = f"{self._root}/{board.name}/in/{self.id}/{viewer.id}/{viewer.endpoint}"
        try:
            if viewer.is_greeted and board.greetings.take():
                viewer.number += 1
                await self.broker.publish(f"{topic}/open/{viewer.number}", b"")
            async for message in connection:
                if not viewer.bucket.take():
                    await connection.close(_POLICY_VIOLATION, "too many messages")
                    break
                viewer.number += 1
                self.counts["messages_from_viewers"] += 1
                kind = "text" if isinstance(message, str) else "binary"
                payload = message.encode() if isinstance(message, str) else bytes(message)
                if not await self.broker.publish(f"{topic}/{kind}/{viewer.number}", payload):
                    self.counts["messages_dropped"] += 1
        except ConnectionClosed:
            pass
        finally:
            self._leave(board, viewer)
            self._addresses.leave(address)
            if viewer.number:
                await self.broker.publish(f"{topic}/close", b"")

    def _enter(self, board: Board, viewer: Viewer) -> None:
        """Add a viewer; it gets the retained broadcasts of its endpoint."""
        if not board.viewers:
            self.broker.subscribe(*self._board_topics(board))
        board.viewers[viewer.id] = viewer
        for (where, kind), payload in board.latest.items():
            if where in (viewer.endpoint, topics.ALL):
                self._sender.send((viewer,), kind, payload)

    def _leave(self, board: Board, viewer: Viewer) -> None:
        board.viewers.pop(viewer.id, None)
        if not board.viewers:
            board.latest.clear()  # not kept up to date without a subscription
            self.broker.unsubscribe(*self._board_topics(board))

    def _board_topics(self, board: Board) -> tuple[str, str]:
        root = f"{self._root}/{board.name}"
        return f"{root}/all/#", f"{root}/group/#"

    # --- running

    async def run(self, ready: asyncio.Event | None = None) -> None:
        """Serve until SIGINT or SIGTERM, or until this is cancelled."""
        options = self.options
        context = None
        if options.cert:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(options.cert, options.key)
        broker = asyncio.create_task(self.broker.run())
        sweeper = asyncio.create_task(self._sweep())
        try:
            async with serve(
                self.serve_viewer,
                options.host,
                options.port,
                process_request=self.process_request,
                select_subprotocol=_choose_subprotocol,
                compression=None,
                max_size=options.max_size,
                max_queue=4,
                open_timeout=10,
                close_timeout=5,
                ssl=context,
                reuse_port=options.share_port or None,
                logger=_quiet(),
            ):
                if ready:
                    ready.set()
                await asyncio.gather(broker, sweeper)
        finally:
            broker.cancel()
            sweeper.cancel()

    async def _sweep(self) -> None:
        """Close the viewers of boards that have been away for too long."""
        while True:
            await asyncio.sleep(_SWEEP)
            now = time.monotonic()
            is_lost = not self.broker.is_connected and now - self.broker.lost > _GRACE_ENGINE
            for board in self.boards.values():
                if is_lost or not board.online and now - board.lost > _GRACE:
                    for viewer in list(board.viewers.values()):
                        self._close(viewer, TRY_AGAIN_LATER, "board is offline")

    def _metrics(self) -> str:
        """Return the figures in the text format of Prometheus."""
        lines = []
        for name, value in sorted(self.counts.items()):
            lines += [f"# TYPE fleet_{name}_total counter", f"fleet_{name}_total {value}"]
        viewers = sum(len(board.viewers) for board in self.boards.values())
        online = sum(board.online for board in self.boards.values())
        for name, value in (
            ("viewers", viewers),
            ("boards", len(self.boards)),
            ("boards_online", online),
            ("engine_connected", int(self.broker.is_connected)),
            ("engine_connections", self.broker.reconnects),
            ("uptime_seconds", int(time.time() - self._started)),
        ):
            lines += [f"# TYPE fleet_{name} gauge", f"fleet_{name} {value}"]
        return "\n".join(lines) + "\n"


def _response(status, body: bytes, kind: str = "text/plain; charset=utf-8") -> Response:
    headers = Headers(
        {
            "Content-Type": kind,
            "Content-Length": str(len(body)),
            "Connection": "close",
            "Cache-Control": "no-cache",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",  # the URL may contain a token
        }
    )
    return Response(status.value, status.phrase, headers, body)


def _choose_subprotocol(connection, offered):
    """Accept the first subprotocol that is not a token in disguise."""
    return next((one for one in offered if not one.startswith(_OFFER)), None)


def _quiet():
    """Return a logger for websockets that keeps ordinary ends of connections out of the log."""
    logger = logging.getLogger("fleet.websockets")
    logger.setLevel(logging.CRITICAL)
    return logger


def run(options: Options) -> None:
    """Run a gateway until SIGINT or SIGTERM."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")

    async def main():
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        assert task
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                loop.add_signal_handler(number, task.cancel)
            except NotImplementedError:  # Windows: Ctrl-C cancels the task by itself
                break
        gateway = Gateway(options)
        ready = asyncio.Event()
        announce = asyncio.create_task(_announce(ready, gateway))
        with contextlib.suppress(asyncio.CancelledError):
            await gateway.run(ready)
        announce.cancel()

    asyncio.run(main())


async def _announce(ready, gateway):
    await ready.wait()
    scheme = "https" if gateway.options.cert else "http"
    log.info("gateway %s: %s://%s:%d/", gateway.id, scheme, gateway.options.host,
             gateway.options.port)  # fmt: skip
