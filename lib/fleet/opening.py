"""Open a connection to the broker: clock, name, TCP, TLS, CONNECT, SUBSCRIBE (MQTT 3.1, 3.8).

Loaded while that takes place.
"""

import errno
import socket
from time import ticks_diff, ticks_ms

from micropython import const

from wsserver import INFO, WARNING

from . import addresses, clock, packets, resolver

_CONNECT = const(0x10)
_CONNACK = const(0x20)
_SUBSCRIBE = const(0x82)
_SUBACK = const(0x90)
_IPPROTO_TCP = const(6)  # older releases lack these names
_TCP_NODELAY = const(1)
_SLOW = const(200)  # ms
_TIMEOUT = const(5000)  # ms for each answer of the broker
_MAX_CA = const(4096)  # bytes of a file


def connect(client):
    """Yield until the broker has accepted a client and its subscriptions; then client.begin().

    Raises OSError, EOFError, RefusedError of fleet.addresses, or ValueError for settings that
    cannot be used and for malformed packets.
    """
    options = client.options
    host, port = addresses.choose(options, client.attempts)
    context = None
    if options["tls"]:
        if options["ca"]:
            yield from clock.check(options["ntp"])
        context = _context(options["ca"])
    start = ticks_ms()
    blocking, address = yield from resolver.resolve(host)
    _warn(client, blocking and start, "resolving " + host)
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
        body = yield from _ask(client, sock, _connect_packet(client), _CONNACK)
        addresses.check_answer(body[1])
        body = yield from _ask(client, sock, _subscribe_packet(client.root), _SUBACK)
        if max(body[2:]) > 1:
            raise addresses.RefusedError("the broker refuses the subscription")
        client.reason = ""
        client.server.log(INFO, "fleet: connected to " + host)
        client.begin(sock, raw)
    finally:
        if client.sock is not sock:
            sock.close()
            raw.close()


def _warn(client, start, what):
    """Warn if something has blocked the server since `start`, unless that is None or False."""
    took = ticks_diff(ticks_ms(), start) if start else 0
    if took > _SLOW:
        client.server.log(WARNING, "fleet: %s blocked the server for %d ms" % (what, took))


def _ask(client, sock, packet, answer):
    """Yield until a packet is written and its answer is there; return the answer's body."""
    begin = ticks_ms()
    written = 0
    body = None
    while body is None:
        start = ticks_ms()
        if ticks_diff(start, begin) > _TIMEOUT:
            raise OSError("no answer")
        try:
            if written < len(packet):
                written += sock.write(packet, written, len(packet) - written) or 0
            else:
                body = client.reader.read(sock)
        except OSError as error:
            # While TCP connects, ports differ in what they raise.
            if error.errno not in (errno.EINPROGRESS, errno.EALREADY, errno.ENOTCONN):
                raise
        _warn(client, start, "the TLS handshake")
        if body is None:
            yield
    if client.reader.kind != answer or len(body) < 2:
        raise ValueError("unexpected packet 0x%02x" % client.reader.kind)
    client.reader.reset()
    return body


def _connect_packet(client):
    """Return a CONNECT with a clean session and a retained last will of QoS 1."""
    options = client.options
    will = client.root + "presence"
    texts = [client.root.replace("/", "-"), will, "offline"]
    flags = 0x02 | 0x04 | 0x08 | 0x20
    if options["user"]:
        flags |= 0x80 | 0x40
        texts.extend((options["user"], options["password"]))
    parts = [b"\0\4MQTT\4", bytes((flags,)), packets.two(options["keepalive"])]
    for text in texts:
        text = text.encode()
        parts.extend((packets.two(len(text)), text))
    return packets.packet(_CONNECT, *parts)


def _subscribe_packet(root):
    parts = [packets.two(1)]
    for topic in (root + "in/#", root + "presence"):
        topic = topic.encode()
        parts.extend((packets.two(len(topic)), topic, b"\1"))
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
