"""What is measured, and what must be reached."""

from __future__ import annotations

from dataclasses import dataclass

TEXT, BINARY = 1, 2


@dataclass(frozen=True)
class Load:
    """One kind of work.

    kind: "echo" (messages per second), "round trip" (seconds, p50 and p99), "sleeping" (the same
    with a client that sleeps in recv on the server's core), "broadcast" (deliveries per second),
    "handshakes" (per second), "requests" (HTTP, per second), "events" (Server-Sent Events,
    deliveries per second), "late" (seconds by which a task wakes up late during "echo") or
    "beside" (seconds that echoes take beside a transfer, p99). size: bytes in a message, or of a
    request's body. in_flight: messages under way on each of `clients` connections. path: of
    requests, or of the transfer.
    """

    name: str
    kind: str
    size: int = 32
    opcode: int = TEXT
    in_flight: int = 1
    clients: int = 1
    path: str = ""


@dataclass(frozen=True)
class Target:
    """What issue and design ask for: `ours` against `peer`, as a ratio of the figure.

    For round trips, which are times, `limit` is the most, for everything else the least.
    """

    load: str
    peer: str
    limit: float


LOADS = [
    Load("32 B text, 32 in flight", "echo", 32, TEXT, 32),
    Load("32 B text, 5 clients", "echo", 32, TEXT, 1, 5),
    Load("1 KiB text, 8 in flight", "echo", 1024, TEXT, 8),
    Load("1 KiB binary, 8 in flight", "echo", 1024, BINARY, 8),
    Load("16 KiB text, 2 in flight", "echo", 16384, TEXT, 2),
    Load("16 KiB binary, 2 in flight", "echo", 16384, BINARY, 2),
    Load("round trip, 32 B text", "round trip", 32),
    Load("round trip, 4 KiB text", "round trip", 4096),
    Load("round trip, 4 KiB binary", "round trip", 4096, BINARY),
    Load("broadcast to 5", "broadcast", 100, clients=5),
    Load("broadcast to 50", "broadcast", 100, clients=50),
    Load("handshakes", "handshakes"),
]

# The same over TLS, measured against a bare TLS echo.
TLS_LOADS = [
    Load("TLS: 32 B text, 32 in flight", "echo", 32, TEXT, 32),
    Load("TLS: 16 KiB binary, 2 in flight", "echo", 16384, BINARY, 2),
    Load("TLS: round trip, 32 B text", "round trip", 32),
]

# Inside asyncio, against run().
ASYNCIO_LOADS = [
    Load("asyncio: round trip, 32 B text", "round trip", 32),
    Load("asyncio: 32 B text, 32 in flight", "echo", 32, TEXT, 32),
]

# HTTP requests of two clients, on connections that stay open if the server allows it.
HTTP_LOADS = [
    Load("HTTP: JSON", "requests", 0, clients=2, path="/json"),
    Load("HTTP: page of 2 KB", "requests", 0, clients=2, path="/site/page.html"),
    Load("HTTP: upload of 2 KB", "requests", 2048, clients=2, path="/upload"),
    Load("HTTP: events to 5", "events", 100, clients=5),
]

# A task that wakes up 100 times a second, while five clients flood the server with messages.
LATE_LOADS = [Load("asyncio: lateness of a task", "late", 32, TEXT, 100, 5)]

# Four clients that send a message now and then, beside a transfer, against the same without it.
BESIDE_LOADS = [
    Load(f"4 clients beside {what}", "beside", 32, clients=4, path=path)
    for what, path in (
        ("an upload", "/receive"),
        ("a download", "/send"),
        ("send_stream", "/stream"),
    )
]

# A round trip's sizes: with its header, the longer one is what the bare echo reads at once.
SLEEPING_SIZES = ((32, "32 B"), (4088, "4 KiB"))
# With a client that sleeps in recv, on the server's core and the interpreter's own sockets.
SLEEPING_LOADS = {
    word: [
        Load(f"sleeping client, {text}, {word}-bit", "sleeping", size)
        for size, text in SLEEPING_SIZES
    ]
    for word in (64, 32)
}

TARGETS = [
    Target("32 B text, 32 in flight", "bare TCP", 0.45),
    Target("32 B text, 32 in flight", "websockets", 8),
    Target("1 KiB text, 8 in flight", "bare TCP", 0.6),
    Target("1 KiB binary, 8 in flight", "bare TCP", 0.6),
    Target("16 KiB text, 2 in flight", "bare TCP", 0.6),
    Target("16 KiB binary, 2 in flight", "bare TCP", 0.6),
    Target("round trip, 32 B text", "bare TCP", 1.4),
    Target("round trip, 4 KiB text", "bare TCP", 1.25),
    Target("round trip, 4 KiB binary", "bare TCP", 1.25),
    Target("sleeping client, 32 B, 64-bit", "bare TCP", 1.2),
    Target("sleeping client, 32 B, 32-bit", "bare TCP", 1.2),
    Target("broadcast to 50", "bare TCP", 0.6),
    Target("TLS: 32 B text, 32 in flight", "bare TLS", 0.4),
    Target("TLS: 16 KiB binary, 2 in flight", "bare TLS", 0.6),
    Target("TLS: round trip, 32 B text", "bare TLS", 1.3),
    Target("asyncio: round trip, 32 B text", "run()", 1.2),
    *(Target(load.name, "quiet", 2) for load in BESIDE_LOADS),
    Target("HTTP: JSON", "microdot", 3),
    Target("HTTP: page of 2 KB", "microdot", 3),
    Target("HTTP: upload of 2 KB", "microdot", 3),
]

ALL_LOADS = [
    *LOADS,
    *TLS_LOADS,
    *ASYNCIO_LOADS,
    *HTTP_LOADS,
    *LATE_LOADS,
    *BESIDE_LOADS,
    *(load for loads in SLEEPING_LOADS.values() for load in loads),
]

# Cost must grow linearly with these.
CLIENTS = (1, 2, 5, 10, 20, 50, 100, 200)
SIZES = (32, 128, 512, 2048, 8192, 16384)


def is_time(load: Load) -> bool:
    """Return whether less is better."""
    return load.kind in ("round trip", "sleeping", "late", "beside")
