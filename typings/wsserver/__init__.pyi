"""Types of the library (docs/applications.md, "Types"). A test compares them with lib/."""

from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Iterable,
    Mapping,
    Sequence,
)
from typing import Any, Literal, Protocol, TypeAlias, TypeVar

from .http.auth import Token

__version__: str

DEBUG: int
INFO: int
WARNING: int
ERROR: int

Message: TypeAlias = str | bytes
Data: TypeAlias = bytes | bytearray | memoryview
JSON: TypeAlias = Any  # of a body
EventData: TypeAlias = str | dict[Any, Any] | list[Any]
_Id: TypeAlias = str | int | None

class Readable(Protocol):
    def readinto(self, buffer: Any, /) -> int | None: ...

_Piece: TypeAlias = Message | Data
Source: TypeAlias = _Piece | Readable | Iterable[_Piece] | AsyncIterable[_Piece]
_Callback: TypeAlias = Callable[[], object]
_Content: TypeAlias = Message | bytearray | dict[Any, Any] | list[Any] | int | Response | None
_Answer: TypeAlias = _Content | tuple[Any, int]  # what a route returns
_Handler = TypeVar("_Handler", bound=Callable[..., _Answer | Awaitable[_Answer]])

class Request:
    """The head of an HTTP request, and with a route its body."""

    method: str
    path: str
    query: str
    address: tuple[str, int]
    secure: bool
    headers: dict[str, str]
    args: dict[str, str]
    cookies: dict[str, str]
    params: dict[str, Any]
    context: Any
    body: bytes
    form: dict[str, str]
    def json(self) -> JSON: ...
    async def read(self, n: int) -> bytes: ...
    def parts(self) -> AsyncIterator[Part]: ...

class Part:
    """A part of a multipart body."""

    name: str | None
    filename: str | None
    headers: dict[str, str]
    async def read(self, n: int) -> bytes: ...

class Response:
    """What a route returns."""

    body: Any
    status: int
    def __init__(
        self,
        body: Any = None,
        status: int = 200,
        headers: Mapping[str, str | Sequence[str]] | None = None,
        content_type: str | None = None,
    ) -> None: ...
    def add_header(self, name: str, value: str) -> None: ...
    def set_cookie(self, name: str, value: str, options: str = "Path=/; HttpOnly") -> None: ...

def redirect(location: str, status: int = 302) -> Response: ...

class Client:
    """A connected WebSocket client."""

    id: int
    address: tuple[str, int]
    path: str
    query: str
    subprotocol: str | None
    context: Any
    params: dict[str, Any]
    buffered: int
    messages: int
    bytes: int
    is_open: bool
    secure: bool
    text: bool
    def send(self, message: Message | Data) -> bool: ...
    def ping(self, data: Data = b"") -> bool: ...
    def pong(self, data: Data = b"") -> bool: ...
    def close(self, code: int = 1000, reason: str = "") -> None: ...
    def join(self, group: str) -> None: ...
    def leave(self, group: str) -> None: ...
    def drain(self) -> Coroutine[Any, Any, bool]: ...
    def send_stream(self, source: Source, text: bool = False) -> Awaitable[bool]: ...

# An endpoint is an object with at least one of these methods. A class, such as Chat instead of
# Chat(), has none: its functions lack their first argument.

class HasOnOpen(Protocol):
    def on_open(self, client: Client, /) -> object: ...

class HasOnMessage(Protocol):
    def on_message(self, client: Client, message: Any, /) -> object: ...

class HasOnChunk(Protocol):
    def on_chunk(self, client: Client, chunk: memoryview, final: bool, /) -> object: ...

class HasOnClose(Protocol):
    def on_close(self, client: Client, code: int, reason: str, /) -> object: ...

class HasOnRequest(Protocol):
    def on_request(self, request: Request, /) -> object: ...

Endpoint: TypeAlias = HasOnMessage | HasOnChunk | HasOnOpen | HasOnClose | HasOnRequest

class Stream(Protocol):
    """The connection of one client to an Events."""

    def send(self, data: EventData, event: str | None = None, id: _Id = None) -> bool: ...

class Events(Protocol):
    """Server-Sent Events at one path."""

    def send(self, data: EventData, event: str | None = None, id: _Id = None) -> int: ...

class Timer(Protocol):
    def cancel(self) -> None: ...

class Server:
    """A WebSocket server: docs/api.md."""

    clients: list[Client]
    remote_clients: Sequence[Client]
    last_id: int
    routes: dict[str, Any]
    patterns: list[Any] | None
    hosts: Sequence[str] | None
    portal: str | None
    limits: Any
    origins: Sequence[str | None]
    proxies: Sequence[str]
    log: Callable[[int, str], object]
    max_clients: int
    max_size: int
    write_limit: int
    ping_interval: float | None
    ping_timeout: float | None
    open_timeout: float
    close_timeout: float
    async_timeout: float | None
    def __init__(
        self,
        max_clients: int = 5,
        max_size: int = 4096,
        ping_interval: float | None = 20,
        ping_timeout: float | None = 20,
        close_timeout: float = 5,
        open_timeout: float = 10,
        purge: Literal["lru"] | None = None,
        write_limit: int | None = None,
        read_size: int | None = None,
        max_head: int = 2048,
        max_tls: int = 3,
        tls_reserved: int = 0,
        log: Callable[[int, str], object] = ...,
        async_timeout: float | None = 60,
    ) -> None: ...
    def websocket(
        self,
        path: str,
        endpoint: Endpoint,
        subprotocols: Sequence[str] = (),
        origins: Sequence[str | None] | None = None,
        overflow: Literal["close", "drop"] = "close",
        access: Token | None = None,
        reserved: bool = False,
        require_subprotocol: bool = False,
    ) -> None: ...
    def route(
        self,
        path: str,
        methods: Sequence[str] = ("GET",),
        stream: bool = False,
        access: Token | None = None,
        origins: Sequence[str | None] | None = None,
        max_body: int | None = None,
    ) -> Callable[[_Handler], _Handler]: ...
    def events(
        self,
        path: str,
        history: int = 0,
        retry: int | None = None,
        access: Token | None = None,
        origins: Sequence[str | None] | None = None,
        on_open: Callable[[Stream, Request], object] | None = None,
    ) -> Events: ...
    def files(self, prefix: str, directory: str, https: int | None = None) -> None: ...
    def listen(self, port: int = 80, host: str = "0.0.0.0", tls: Any = None) -> None: ...
    def every(self, ms: int, function: _Callback) -> Timer: ...
    def after(self, ms: int, function: _Callback) -> Timer: ...
    def add_reader(self, sock: Any, function: Callable[[Any], object]) -> None: ...
    def remove_reader(self, sock: Any) -> None: ...
    def on_wait(self, function: Callable[[int], object] | None) -> None: ...
    def call_soon(self, function: Callable[..., object], *args: Any) -> bool: ...
    def client(self, id: int) -> Client | None: ...
    def broadcast(
        self, message: Message | Data, path: str | None = None, group: str | None = None
    ) -> int: ...
    def stop(self) -> None: ...
    def run(self) -> None: ...
    def serve(self) -> Coroutine[Any, Any, None]: ...
    def step(self, timeout_ms: int = 0) -> None: ...
