"""Clients that are slow or dead. `make compare` and the tests in tests/faults use them.

Each is a function(board) that connects and yields its connection before each of its steps.
"""

from __future__ import annotations

import select
import socket
import threading
import time
from collections.abc import Callable, Iterator

from tools.virtualboard import VirtualBoard
from tools.wsclient import BINARY, TEXT, RawClient, frame, request

_HANDSHAKE = request()
Fault = Callable[[VirtualBoard], Iterator[RawClient]]


def _connect(board, **options):
    return RawClient(board.http_port, board.address, **options)


def slowloris(board):
    """Send a handshake byte by byte."""
    connection = _connect(board)
    for byte in _HANDSHAKE:
        yield connection
        connection.sock.send(bytes([byte]))
        time.sleep(0.05)


def drip(board):
    """Send a frame byte by byte."""
    connection = _connect(board).open()
    for byte in frame(TEXT, b"x" * 200):
        yield connection
        connection.sock.send(bytes([byte]))
        time.sleep(0.05)


def deaf(board):
    """Request much data and read none of it (zero window)."""
    connection = _connect(board, receive_buffer=2048).open("/flood")
    connection.send(frame(TEXT, b"200"))
    while True:
        yield connection
        time.sleep(0.05)


def deaf_echo(board):
    """Send without end and read no echo."""
    connection = _connect(board, receive_buffer=2048).open()
    connection.sock.settimeout(0.05)
    data = frame(BINARY, bytes(4000)) * 4
    while True:
        yield connection
        try:
            sent = connection.sock.send(data)
            data = data[sent:] + data[:sent]
        except TimeoutError:
            pass


def silence(connection):
    """Send nothing more."""
    while True:
        yield connection
        time.sleep(0.05)


def half_closed(board):
    """Half-close the connection."""
    connection = _connect(board).open()
    connection.sock.shutdown(socket.SHUT_WR)
    yield from silence(connection)


def half_closed_within(board):
    """Half-close the connection within a frame."""
    connection = _connect(board).open().send(frame(TEXT, b"x" * 200)[:50])
    connection.sock.shutdown(socket.SHUT_WR)
    yield from silence(connection)


def half_closed_visitor(board):
    """Half-close the connection within the handshake."""
    connection = _connect(board).send(_HANDSHAKE[:40])
    connection.sock.shutdown(socket.SHUT_WR)
    yield from silence(connection)


def silent(board):
    """Connect and send no request."""
    yield from silence(_connect(board))


def no_pong(board):
    """Hang: TCP acknowledges, but no Pong comes."""
    yield from silence(_connect(board).open())


FAULTS = [slowloris, drip, deaf, deaf_echo, half_closed, half_closed_within]
FAULTS += [half_closed_visitor, silent, no_pong]


def misbehave(board: VirtualBoard, fault: Fault, ended: threading.Event) -> None:
    """Run a fault again and again, until `ended` is set."""
    while not ended.is_set():
        try:
            for connection in fault(board):
                if ended.is_set() or gone(connection):
                    break
            connection.close()
        except (AssertionError, OSError):
            time.sleep(0.02)


def gone(connection: RawClient) -> bool:
    """Return whether the board has closed the connection."""
    # Not by MSG_DONTWAIT alone: Python waits for a socket that has a timeout all the same.
    poll = select.poll()
    poll.register(connection.sock, select.POLLIN)
    if not poll.poll(0):
        return False
    try:
        return not connection.sock.recv(1, socket.MSG_PEEK)
    except OSError:
        return True
