"""Fuzz the firmware's own endpoints on a live virtual board: /demo, /settings, /update, DNS.

The same must hold as in `network`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import random
import socket
import string
from collections import Counter

from tools.virtualboard import VirtualBoard
from tools.wsclient import BINARY, TEXT, RawClient, request
from tools.wsclient import random_frame as frame

from . import guided, network

PASSWORD = "for the fuzzer"
CONFIG = {
    "admin": {"password": PASSWORD},
    "broadcast": {"interval": 0},
    "server": {"max_clients": 6, "ping_interval": 2, "ping_timeout": 2, "open_timeout": 1},
}
HEAP = "256k"  # as 128 KB on a chip: for all that is loaded on demand at the same time
_ORDERS = [
    *(b"TOGGLE_LED", b"led_on", b"LED_OFF", b"stats", b'{"stats": 1}', b'{"stats": false}'),
    *(b'{"name": "Ann"}', b'{"message": "Hello"}', b'{"to": 1, "message": "Hello"}'),
    *(b'{"led": "toggle"}', b'{"led": [255, 120, 0]}', b'{"echo": 1e999, "led": -1}'),
    *(b'{"echo": [1, {"a": null}, "\\ud83d\\ude00"]}', b'{"message": "\\ud83d"}'),
    b'{"to": null, "name": {}}',
]
_SAVES = [b'{"save": {"wifi": {"ssid": {}}}}', b'{"save": {"server": []}}', b'{"save": 1}', b"[]"]
_PARTS = [
    *(
        b'["hash", "/lib/demo/chat.py"]',
        b'["read", "/lib/demo/chat.py", 0]',
        b'["remove", "/www/x"]',
    ),
    *(b'["file", "/lib/x.py", 20, "00"]', b'{"begin": []}', b"[]", b"1"),
]
_HEADS = [b"ab\1\0", b"ab\0\0", b"ab\x81\x80"]
_NAMES = [
    *(b"\7captive\5apple\3com\0\0\1\0\1", b"\1a\0\0\x1c\0\1", b"\0\0\xff\0\1"),
    *(b"\xc0\x0c\0\1\0\1", b"\x3f" * 64 + b"\0\0\1\0\1", b"\4abcd" * 90),
]
# Of no field's type: what is saved is in force after a restart, and might lock the fuzzer out.
_WRONG = [{"a": 1}, [[1]], 1e30, "x" * 300, {}]
_SECTIONS = ["wifi", "server", "broadcast", "admin", "access", "limits", "tls", "demo", "none"]
_FIELDS = ["ssid", "password", "port", "max_clients", "max_size", "interval", "origins", "none"]


class FirmwareFuzzer(network.Fuzzer):
    """Fuzz a board with the firmware, whose status comes from /demo."""

    growth = 2000  # what is loaded on demand does not always find the same place

    def _health(self):
        with RawClient(self._board.http_port).open("/demo") as peer:
            peer.send(frame(TEXT, b"stats"))
            stats: dict = {}
            while stats.get("type") != "stats":
                stats = json.loads(peer.message())
            return {
                "heap": stats["heap"]["used"],
                "clients": len(stats["clients"]),
                "visitors": 0,
            }


def _json(chance, depth=0):
    """Return random JSON."""
    kind = chance.randrange(9 if depth < 4 else 6)
    if kind == 0:
        return chance.choice((None, True, False, 0, -1, 1 << 40, 1e99, 0.1))
    if kind < 3:
        return chance.randrange(-2, 300)
    if kind < 6:
        letters = chance.choice((string.printable, "äß€😀\ud83d\0\x1f", "x"))
        return "".join(chance.choice(letters) for _ in range(chance.choice((0, 1, 30, 33, 1001))))
    if kind < 8:
        return [_json(chance, depth + 1) for _ in range(chance.randrange(5))]
    names = ("echo", "led", "message", "name", "stats", "to", "save", "x")
    return {chance.choice(names): _json(chance, depth + 1) for _ in range(chance.randrange(4))}


def _order(chance):
    kind = chance.randrange(4)
    if kind == 0:
        return chance.choice(_ORDERS)
    if kind == 1:
        return guided.mutate(chance, chance.choice(_ORDERS), _ORDERS)
    if kind == 2:
        name = chance.choice(("echo", "led", "message", "name", "stats"))
        return json.dumps({name: _json(chance)}).encode()
    return chance.choice((b"[", b"{", b'{"echo": [')) * chance.choice((1, 39, 400, 1300))


def _demo(board, chance):
    with RawClient(board.http_port).open("/demo") as peer:
        for _ in range(chance.randrange(1, 8)):
            opcode = TEXT if chance.random() < 0.95 else BINARY
            network.deliver(peer, frame(opcode, _valid(_order(chance))), chance)


def _valid(data):
    """Return up to 4096 bytes of valid UTF-8, which the library itself does not refuse."""
    return data.decode("utf-8", "replace").encode()[:4096].decode("utf-8", "ignore").encode()


def _admin(board, path):
    """Return a connection that is authenticated as the admin."""
    text = base64.urlsafe_b64encode(PASSWORD.encode()).decode().rstrip("=")
    offer = f"Sec-WebSocket-Protocol: settings, bearer.{text}\r\nUpgrade: w".encode()
    peer = RawClient(board.http_port)
    peer.send(request(path).replace(b"Upgrade: w", offer))
    return peer


def _settings(board, chance):
    with _admin(board, "/settings") as peer:
        for _ in range(chance.randrange(1, 5)):
            if chance.random() < 0.5:
                data = guided.mutate(chance, chance.choice(_SAVES), _SAVES)
            else:
                fields = {chance.choice(_FIELDS): chance.choice(_WRONG)}
                data = json.dumps({"save": {chance.choice(_SECTIONS): fields}}).encode()
            network.deliver(peer, frame(TEXT, _valid(data)), chance)


def _update(board, chance):
    """Send parts of an update that is never committed."""
    with _admin(board, "/update") as peer:
        if chance.random() < 0.5:
            peer.send(frame(TEXT, b'["begin"]') * 3 + frame(TEXT, b'["nonce"]'))
        for _ in range(chance.randrange(1, 6)):
            kind = chance.randrange(4)
            if kind == 0:
                data = frame(BINARY, chance.randbytes(chance.choice((0, 1, 20, 1024, 4000))))
            elif kind == 1:
                data = frame(TEXT, _valid(guided.mutate(chance, chance.choice(_PARTS), _PARTS)))
            else:
                order = [
                    chance.choice(("hash", "read", "file", "remove", "x")),
                    *_arguments(chance),
                ]
                data = frame(TEXT, _valid(json.dumps(order).encode()))
            network.deliver(peer, data, chance)


def _arguments(chance):
    paths = ("/lib/x.py", "/www/x", "/config.json", "/../x", "/", "", "/update/new/x", "/x\0y")
    others: tuple = (
        0,
        20,
        -1,
        1 << 40,
        None,
        "x" * 300,
        {"a": 1},
        [],
        1.5,
        hashlib.sha256().hexdigest(),
    )
    first = chance.choice(paths) if chance.random() < 0.8 else chance.choice(others)
    return [first, *(chance.choice(others) for _ in range(chance.randrange(4)))]


def _name(board, chance):
    """Send a DNS query. The board answers each with its own address."""
    queries = [head + b"\0\1\0\0\0\0\0\0" + name for head in _HEADS for name in _NAMES]
    query = guided.mutate(chance, chance.choice(queries), queries)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(0.02)
        sock.sendto(query, ("127.0.0.1", board.dns_port))
        answer = sock.recv(600)
    if answer[:2] != query[:2] or not answer[2] & 0x80 or len(answer) > 512 + 16:
        raise network.FindError(f"{query.hex()} was answered with {answer.hex()}")


def _password(board, chance):
    """Guess a password."""
    secret = chance.randbytes(chance.randrange(40))
    header = chance.choice(
        (
            b"Authorization: Bearer " + base64.b64encode(secret),
            b"Authorization: Basic " + secret.hex().encode(),
            b"Sec-WebSocket-Protocol: bearer." + base64.urlsafe_b64encode(secret),
            b"Sec-WebSocket-Protocol: " + secret.hex().encode(),
        )
    )
    data = request("/settings").replace(b"Upgrade: w", header + b"\r\nUpgrade: w")
    # Each from another address: else only the first five would be looked at.
    with RawClient(board.http_port, source=f"127.0.{chance.randrange(1, 255)}.1") as peer:
        network.deliver(peer, data, chance)


KINDS: list[network.Kind] = [_demo, _demo, _settings, _update, _name, _password]


def run(seconds: float, counts: Counter[str], seed: int | None = None) -> None:
    """Fuzz a board of its own for so long and add to `counts`.

    Raises FindError, with the seed, if the board misbehaves.
    """
    with VirtualBoard(config=CONFIG, heap=HEAP) as board:
        board.wait_ready(30)
        seed = random.randrange(1 << 30) if seed is None else seed
        network.feed(FirmwareFuzzer(board, seed, counts, KINDS), seconds)
