"""Boards of a fleet, MQTT engines, plain MQTT clients, and a broker that does what a test says."""

from __future__ import annotations

import contextlib
import json
import queue
import socket
import threading
from pathlib import Path

import paho.mqtt.client as paho
import pytest

from tools.fleet.demo import end, start_gateway
from tools.fleet.engines import INSTALL, Engine, free_ports, installed

PROGRAM = Path(__file__).with_name("program.py").read_text()
ROOT = "boards/v1/board/"


def pytest_generate_tests(metafunc):
    """Run a test that uses `engine` with each engine that is installed."""
    if "engine_name" in metafunc.fixturenames:
        metafunc.parametrize("engine_name", installed() or [None], scope="module")


@pytest.fixture(scope="module")
def engine(engine_name):
    """An engine that accepts all clients."""
    if engine_name is None:
        pytest.skip(INSTALL)
    with Engine(engine_name) as running:
        yield running


@pytest.fixture(scope="module")
def one_engine():
    """Return the preferred engine, for tests that need not run with each."""
    if not installed():
        pytest.skip(INSTALL)
    with Engine(installed()[0]) as running:
        yield running


@pytest.fixture(scope="session")
def make_member(make_board):
    """make_member(port, ...) -> a board of the fleet whose engine listens on that port.

    Other arguments are fields of the section "fleet".
    """

    def make(port, heap="256k", wait_connected=True, **fields):
        section = {"enabled": True, "host": "127.0.0.1", "port": port, "backoff": 0.2, **fields}
        files = {"main.py": PROGRAM, "fleet.json": json.dumps(section)}
        board = make_board(files=files, heap=heap)
        if wait_connected:
            board.wait_for_log("fleet: connected")
        return board

    return make


class Plain:
    """A plain MQTT client. `messages` has (topic, payload, retained) in the order of arrival."""

    def __init__(self, port, user="", password="", name="", clean=True, topic="boards/#"):
        self.messages: queue.Queue = queue.Queue()
        self._ready = threading.Event()
        self.code = None
        self.client = paho.Client(
            paho.CallbackAPIVersion.VERSION2, client_id=name, clean_session=clean
        )
        self.client.reconnect_delay_set(1, 1)
        if user:
            self.client.username_pw_set(user, password)
        self.client.on_connect = lambda client, *_: client.subscribe(topic, 1)
        self.client.on_subscribe = lambda *_: self._ready.set()
        self.client.on_message = self._receive
        self.client.connect("127.0.0.1", port, keepalive=10)
        self.client.loop_start()
        # A cluster that has lost a node first elects other leaders, each of which takes up to 9 s.
        assert self._ready.wait(40), "no answer of the engine"

    def _receive(self, client, data, message):
        if not message.topic.startswith("$"):  # NATS's own
            self.messages.put((message.topic, message.payload, message.retain))

    def publish(self, topic, payload):
        """Publish with QoS 1, and wait until the engine has acknowledged it."""
        self.client.publish(topic, payload, 1).wait_for_publish(10)

    def next(self, ending, seconds=30):
        """Return the payload of the next message whose topic ends so; others are skipped."""
        while True:
            topic, payload, _ = self.messages.get(timeout=seconds)
            if topic.endswith(ending):
                return payload

    def close(self):
        """Disconnect, and wait until the engine has closed the connection.

        Until then it may send a message here, and sends it again after 30 s only.
        """
        sock = self.client.socket()
        copy = sock.dup() if sock else None
        self.client.disconnect()
        self.client.loop_stop()
        if copy:
            with copy, contextlib.suppress(OSError):
                copy.settimeout(10)
                while copy.recv(4096):
                    pass


@pytest.fixture
def plain():
    """plain(port, ...) -> a Plain client, closed when the test is over."""
    opened = []

    def connect(port, **options):
        opened.append(Plain(port, **options))
        return opened[-1]

    yield connect
    for client in opened:
        client.close()


class FakeBroker:
    """A broker that a test plays: it reads packets, and sends what it is told to.

    acknowledges: whether it answers to messages with QoS 1.
    """

    CONNACK = b"\x20\x02\x00\x00"
    SUBACK = b"\x90\x04\x00\x01\x01\x01"

    def __init__(self):
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(8)
        self.listener.settimeout(30)
        self.port = self.listener.getsockname()[1]
        self.sock = None
        self.acknowledges = True

    def accept(self):
        """Wait for the board's next connection and return its CONNECT."""
        self.hang_up()
        self.sock = self.listener.accept()[0]
        self.sock.settimeout(30)
        return self.packet()

    def welcome(self):
        """Accept a connection as brokers do, up to the first subscription."""
        assert self.accept()[0] == 0x10
        self.sock.sendall(self.CONNACK)
        assert self.packet()[0] == 0x82
        self.sock.sendall(self.SUBACK)

    def packet(self):
        """Return (first byte, body) of the next packet; (None, b"") at the end."""
        head = self._take(1)
        if not head:
            return None, b""
        length = shift = 0
        while True:
            byte = self._take(1)[0]
            length |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        body = self._take(length)
        if head[0] & 0x32 == 0x32 and self.acknowledges:
            at = 2 + int.from_bytes(body[:2], "big")
            with contextlib.suppress(OSError):
                self.sock.sendall(b"\x40\x02" + body[at : at + 2])
        return head[0], body

    def message(self, ending):
        """Return the next PUBLISH whose topic ends so: (first byte, id, payload)."""
        while True:
            kind, body = self.packet()
            assert kind is not None, "the board closed the connection"
            if kind & 0xF0 == 0x30:
                end = 2 + int.from_bytes(body[:2], "big")
                topic, id = body[2:end].decode(), 0
                if kind & 6:
                    id, end = int.from_bytes(body[end : end + 2], "big"), end + 2
                if topic.endswith(ending):
                    return kind, id, body[end:]

    def publish(self, topic, payload=b"", kind=0x30):
        """Return a PUBLISH with QoS 0."""
        body = len(topic).to_bytes(2, "big") + topic.encode() + payload
        return bytes((kind, len(body))) + body

    def _take(self, count):
        data = b""
        while len(data) < count:
            try:
                more = self.sock.recv(count - len(data))
            except ConnectionResetError:
                more = b""
            if not more:
                return b""
            data += more
        return data

    def wait_closed(self):
        """Read until the board has closed the connection."""
        while self.packet()[0] is not None:
            pass

    def hang_up(self):
        if self.sock:
            self.sock.close()
            self.sock = None

    def close(self):
        self.hang_up()
        self.listener.close()


@pytest.fixture
def broker():
    """A FakeBroker, closed when the test is over."""
    fake = FakeBroker()
    yield fake
    fake.close()


@pytest.fixture
def make_gateway(request):
    """make_gateway(engine_port, *options) -> the port of a gateway that runs during the test."""

    def make(engine_port, *options):
        port = free_ports(1)[0]
        process = start_gateway(engine_port, port, *options)
        request.addfinalizer(lambda: end(process))
        return port

    return make
