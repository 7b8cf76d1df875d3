"""The limit with TLS: a loop that writes back the bytes it reads, without looking at them."""

import select
import socket

from certificates.context import server_context

IN, OUT = select.POLLIN, select.POLLOUT


def listen(port):
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("0.0.0.0", port))
    listener.listen(8)
    return listener


def accept():
    sock, _ = listener.accept()
    sock.setblocking(False)
    sock.setsockopt(6, 1, 1)
    stream = context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
    below[id(stream)] = sock
    poll.register(stream, IN)


def leave(stream):
    poll.unregister(stream)
    waiting.pop(id(stream), None)
    stream.close()
    below.pop(id(stream)).close()


def write(stream, data):
    sent = stream.write(data) or 0
    if sent < len(data):
        waiting[id(stream)] = bytes(data[sent:])
        poll.modify(stream, OUT)
    elif waiting.pop(id(stream), None):
        poll.modify(stream, IN)


def read(stream):
    count = stream.readinto(buffer)
    if count == 0:
        leave(stream)
    elif count:
        write(stream, view[:count])


context = server_context("/certs/server.crt.der", "/certs/server.key.der")
poll = select.poll()
buffer = bytearray(4096)
view = memoryview(buffer)
waiting = {}
below = {}
listener = listen(443)
ready = listen(80)  # tells the virtual board that it serves
poll.register(listener, IN)
while True:
    for stream, _ in poll.ipoll(1000):
        if stream is listener:
            accept()
        else:
            try:
                if id(stream) in waiting:
                    write(stream, waiting[id(stream)])
                else:
                    read(stream)
            except OSError:
                leave(stream)
