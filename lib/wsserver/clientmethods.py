"""Methods of Client that not every program uses. Client loads them when one is first called."""

from wsserver.core.frames import const, payload_of
from wsserver.core.protocol import Client

from .lazy import call, load

_PING = const(9)  # opcodes (RFC 6455, section 5.2)
_PONG = const(10)
_MAX_CONTROL = const(125)  # bytes of payload in a control frame (section 5.5)


def drain(client):
    """Return a coroutine that waits until TCP has taken all data for this client.

    Its result is True, or False if the connection was closed before.
    """
    return load(".workers").worker_of(client).drain()


def join(client, group: str) -> None:
    """Add a client to a group, for broadcast(group=...). Raises TypeError if it is not a str."""
    if not isinstance(group, str):
        raise TypeError("group must be a str, not %r" % (group,))
    if group not in client._groups:
        client._groups += (group,)


def leave(client, group: str) -> None:
    """Remove a client from a group. Do nothing if it is not in the group."""
    client._groups = tuple([other for other in client._groups if other != group])


def send_stream(client, source, text: bool = False):
    """Send one message of any length: see docs/api.md. Return the Stream, which can be awaited."""
    return load(".streams").Stream(client, source, text)


def ping(client, data=b"") -> bool:
    """Send a Ping with at most 125 bytes of data.

    Return False if the connection is closing or the send buffer is full.
    """
    return _send_ping(client, _PING, data)


def pong(client, data=b"") -> bool:
    """Send a Pong. Needed only in on_ping: without it, Pongs are sent automatically."""
    return _send_ping(client, _PONG, data)


def _send_ping(client, opcode, data):
    data = payload_of(data, "ping() and pong() take")
    if isinstance(data, memoryview):
        data = bytes(data)  # its items may be longer than a byte
    if len(data) > _MAX_CONTROL:
        call(".core.errors", "bad_ping", len(data))
    return not client._state and client._send_control(opcode, data)


Client.drain = drain  # type: ignore[attr-defined]
Client.join = join  # type: ignore[attr-defined]
Client.leave = leave  # type: ignore[attr-defined]
Client.ping = ping  # type: ignore[attr-defined]
Client.pong = pong  # type: ignore[attr-defined]
Client.send_stream = send_stream  # type: ignore[attr-defined]
