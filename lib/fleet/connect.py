"""Open a connection to the broker: clock, name, TCP, TLS, CONNECT, SUBSCRIBE (MQTT 3.1, 3.8).

Loaded while that takes place. Nothing here waits for the network: each step takes what has arrived
and yields. Only computing blocks the server, such as the verification of a certificate.
"""

import errno
import socket
from time import ticks_diff, ticks_ms

from micropython import const

from wsserver import INFO, WARNING, lazy

from . import backoff, packets

_CONNECT = const(0x10)
_CONNACK = const(0x20)
_SUBSCRIBE = const(0x82)
_SUBACK = const(0x90)
_IPPROTO_TCP = const(6)  # older releases lack these names
_TCP_NODELAY = const(1)
_SLOW = const(200)  # ms
_TIMEOUT = const(5000)  # ms for each answer of the broker, the TLS handshake included
# Of one of several nodes: another one may be ready. A little more than NATS's js_api_timeout.
_TIMEOUT_NODE = const(1200)
_EXTRA = const(300)  # bytes of a packet beside its payload
_MAX_CA = const(4096)  # bytes of a file


def connect(client):
    """Yield until the broker has accepted a client and its subscriptions; then client.adopt().

    Unload what only this needs, this module included. Raises OSError, EOFError, or ValueError for
    what would fail again: settings that cannot be used, a refusal, and malformed packets.
    """
    try:
        yield from _connect(client)
    finally:
        lazy.unload("fleet.connect", "fleet.resolver", "fleet.clock", "fleet.backoff")


# Long: one sequence with one clean-up; each part would be one more generator on the heap.
def _connect(client):
    settings = client.settings
    host, port, count = backoff.find(settings, client.failures)
    timeout = _TIMEOUT
    if count > 1 and not settings["tls"]:  # a handshake is too expensive to give it up
        timeout = min(max(client.backoff // 4, _TIMEOUT_NODE), timeout)
    context = None
    if settings["tls"]:
        if settings["ca"]:
            from . import clock

            yield from clock.check(settings["ntp"])
        context = _context(settings["ca"])
    start = ticks_ms()
    address = host
    if not host.replace(".", "").isdigit():
        from . import resolver

        blocking, address = yield from resolver.resolve(host)
        _warn_slow(client, blocking and start, "resolving the name " + host)
    raw = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock = raw
    try:
        raw.setblocking(False)
        try:
            raw.connect(socket.getaddrinfo(address, port)[0][-1])
        except OSError as error:
            if error.errno != errno.EINPROGRESS:
                raise
        raw.setsockopt(_IPPROTO_TCP, _TCP_NODELAY, 1)
        if context:
            arguments = {"server_hostname": host, "do_handshake_on_connect": False}
            sock = context.wrap_socket(raw, **arguments)
        name = client.prefix.replace("/", "-")
        if count > 1:  # NATS refuses the id of an attempt that still waits for a leader
            name += "%d" % (client.failures % 10)
        client.decoder = packets.read(sock, client.server.max_size + _EXTRA)
        data = yield from _answer(client, sock, _greet(client, name), _CONNACK, timeout)
        if data[1]:
            _refuse(data[1])
        data = yield from _answer(client, sock, _list(client), _SUBACK, timeout)
        if max(data[2:]) > 1:
            raise OSError("the broker refuses the subscription")
        client.reason = ""
        client.server.log(INFO, "fleet: connected to " + host)
        client.sock, client.raw = sock, raw
        client.adopt()
    finally:
        if client.sock is not sock:
            sock.close()
            raw.close()


def _warn_slow(client, start, what):
    """Warn if something has blocked the server since `start`, unless that is None or False."""
    took = ticks_diff(ticks_ms(), start) if start else 0
    if took > _SLOW:
        client.server.log(WARNING, "fleet: %s blocked the server for %d ms" % (what, took))


def _answer(client, sock, packet, kind, timeout):
    """Yield until a packet is written and its answer is there; return the answer's body."""
    begun = ticks_ms()
    written = 0
    found = None
    while not found:
        start = ticks_ms()
        if ticks_diff(start, begun) > timeout:
            raise OSError("no answer")
        if written == len(packet):
            found = next(client.decoder)
        else:
            try:
                written += sock.write(packet, written, len(packet) - written) or 0
            except OSError as error:
                # While TCP connects, ports differ in what they raise.
                if error.errno not in (errno.EINPROGRESS, errno.EALREADY, errno.ENOTCONN):
                    raise
        _warn_slow(client, start, "the TLS handshake")
        if not found:
            yield
    if found[0] != kind or len(found[1]) < 2:
        raise ValueError("unexpected packet 0x%02x" % found[0])
    return found[1]


def _refuse(code):
    """Raise OSError or ValueError for the code of a CONNACK (3.2.2.3)."""
    if code == 3:
        raise OSError("the broker is not available")
    if code > 5:
        raise ValueError("the broker refuses with code %d" % code)
    wrong = "wrong user or password (fleet.user, fleet.password)"
    reasons = ("the broker does not support MQTT 3.1.1", "the broker refuses the client id", "")
    raise ValueError((reasons + (wrong, wrong + ", or not authorized"))[code - 1])


def _greet(client, name):
    """Return a CONNECT with a clean session and a retained last will of QoS 1."""
    settings = client.settings
    texts = [name, client.prefix + "presence", "offline"]
    flags = 0x02 | 0x04 | 0x08 | 0x20
    if settings["user"]:
        flags |= 0x80 | 0x40
        texts.extend((settings["user"], settings["password"]))
    parts = [b"\0\4MQTT\4", bytes((flags,)), settings["keepalive"].to_bytes(2, "big")]
    parts.extend([packets.text(text) for text in texts])
    return packets.packet(_CONNECT, *parts)


def _list(client):
    """Return a SUBSCRIBE. For each subscription with QoS 1, a cluster of NATS elects a leader."""
    parts = [b"\0\1"]
    for topic, qos in (("in/#", client.settings["qos"]), ("presence", 0)):
        parts.extend((packets.text(client.prefix + topic), bytes((qos,))))
    return packets.packet(_SUBSCRIBE, *parts)


def _context(path):
    """Return the SSLContext that verifies the broker with the authority in a file; "": any."""
    import tls

    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    context.verify_mode = tls.CERT_NONE
    if path:
        try:
            with open(path, "rb") as file:
                data = file.read(_MAX_CA)
            context.load_verify_locations(data)
        except (OSError, ValueError):
            raise ValueError("fleet.ca: %s is missing or no certificate" % path) from None
        context.verify_mode = tls.CERT_REQUIRED
    return context
