"""The limit: TCP alone. PORT echoes bytes; on ALL_PORT any bytes are answered with one frame to
everyone there, and everyone gets one when it is accepted.
"""

import select
import socket

FRAME = b"\x81\x64" + b"b" * 100
IN, OUT = select.POLLIN, select.POLLOUT


def listen(port):
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(socket.getaddrinfo("0.0.0.0", port)[0][-1])
    listener.listen(8)
    poll.register(listener, IN)
    return listener


def accept(listener):
    sock, _ = listener.accept()
    sock.setblocking(False)
    sock.setsockopt(6, 1, 1)
    poll.register(sock, IN)
    if listener is everyone:
        crowd.append(sock)
        sock.write(FRAME)  # it is one of them from now on


def leave(sock):
    poll.unregister(sock)
    waiting.pop(id(sock), None)
    if sock in crowd:
        crowd.remove(sock)
    sock.close()


def read(sock):
    count = sock.readinto(buffer)
    if count == 0:
        leave(sock)
    elif count and sock in crowd:
        for other in crowd:
            other.write(FRAME)
    elif count:
        sent = sock.write(buffer, 0, count) or 0
        if sent < count:
            waiting[id(sock)] = bytes(buffer[sent:count])
            poll.modify(sock, OUT)


def write(sock):
    rest = waiting[id(sock)]
    sent = sock.write(rest) or 0
    if sent < len(rest):
        waiting[id(sock)] = rest[sent:]
    else:
        del waiting[id(sock)]
        poll.modify(sock, IN)


poll = select.poll()
buffer = bytearray(4096)
waiting = {}
crowd = []
echo, everyone = listen(PORT), listen(ALL_PORT)
while True:
    for sock, event in poll.ipoll(1000):
        if sock is echo or sock is everyone:
            accept(sock)
        else:
            try:
                if event & IN:
                    read(sock)
                elif event & OUT:
                    write(sock)
                else:
                    leave(sock)
            except OSError:
                leave(sock)
