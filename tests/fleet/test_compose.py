"""compose.yaml and the nats.conf of the documents, without containers: the real programs."""

import contextlib
import json
import shlex
import ssl
import subprocess
import time

import pytest
import yaml
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from tests.docs.blocks import code
from tests.faults import network
from tools import ROOT
from tools.fleet.engines import INSTALL, MQTT_TIMEOUT_SINCE, find, nats_version

from . import services
from .conftest import PROGRAM

COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]


def nats_config():
    """Return the documented nats.conf, as the nats-server that is installed takes it."""
    lines = code("fleet.md", "nats.conf").splitlines()
    if nats_version() < MQTT_TIMEOUT_SINCE:
        lines = [line for line in lines if "js_api_timeout" not in line]
    lines.insert(lines.index("mqtt {") + 1, "  stream_replicas: 3")
    return "\n".join(lines)


@pytest.mark.parametrize("node", ["nats1", "nats2", "nats3"])
def test_nats_accepts_the_documented_configuration(node, tmp_path):
    program = find("nats-server")
    if not program:
        pytest.skip(INSTALL)
    config = tmp_path / "nats.conf"
    config.write_text(nats_config())
    words = shlex.split(SERVICES[node]["command"].replace("/etc/nats/nats.conf", str(config)))
    run = subprocess.run([program, "-t", *words], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    nodes = ("nats1", "nats2", "nats3")
    assert words[-1] == ",".join(f"nats://{one}:6222" for one in nodes), "itself included"


def get(services, context, path="/boards/kitchen/", name="gateway.example", token="sesame"):
    """Return the status of a page that is requested from the proxy."""
    with services.outside.socket() as raw:
        raw.settimeout(30)
        raw.connect((services.addresses["proxy"], 443))
        with context.wrap_socket(raw, server_hostname=name) as sock:
            head = f"GET {path} HTTP/1.1\r\nHost: {name}\r\nAuthorization: Bearer {token}\r\n\r\n"
            sock.sendall(head.encode())
            return int(sock.recv(1000).split()[1])


@contextlib.contextmanager
def viewer(services, context):
    """Connect to /ws of the board through the proxy."""
    raw = services.outside.socket()
    raw.connect((services.addresses["proxy"], 443))
    url = "wss://gateway.example/boards/kitchen/ws?token=sesame"
    with connect(url, sock=raw, ssl=context, close_timeout=0.2) as socket:
        yield socket


def eventually(function, expected, services, board, seconds=120):
    """Wait until a function returns what is expected; its errors count as other results."""
    deadline = time.monotonic() + seconds
    found = None
    while found != expected:
        logs = {name: services.log(name)[-1500:] for name in services.addresses}
        logs["board"] = board.log[-1500:]
        text = "\n\n".join(f"{name}: {log}" for name, log in logs.items())
        assert time.monotonic() < deadline, f"{found}\n{text}"
        try:
            found = function()
        except (OSError, IndexError, WebSocketException) as error:
            found = error
        time.sleep(0.1)


@pytest.mark.timeout(400)
def test_the_services_serve_a_board_and_its_viewers(request, lib_form, certs, tmp_path):
    """All services run, as they are described; then a gateway and a node are killed."""
    reason = network.missing() or services.missing()
    if reason or request.config.getoption("--board"):
        pytest.skip(reason or "needs a virtual board of its own")
    deploy = tmp_path / "deploy"
    deploy.mkdir()
    (deploy / "nats.conf").write_text(nats_config())
    (deploy / "password").write_text("FLEET_PASSWORD=...\n")  # of nats.conf
    (deploy / "tokens.json").write_text('{"kitchen": "sesame"}')
    pem = (certs / "server.pem").read_bytes() + (certs / "server.key").read_bytes()
    (deploy / "server.pem").write_bytes(pem)
    (deploy / "server.pem").chmod(0o600)
    context = ssl.create_default_context(cafile=certs / "ca.pem")
    context.check_hostname = False
    with contextlib.ExitStack() as stack:
        running = stack.enter_context(services.Services(COMPOSE, tmp_path))
        for name in SERVICES:
            running.start(name)
        hosts = ",".join(running.addresses[f"nats{number}"] for number in (1, 2, 3))
        fleet = {"enabled": True, "host": hosts, "user": "kitchen", "password": "...",
                 "backoff": 1, "discovery": ""}  # fmt: skip
        program = PROGRAM.replace('self.name = "board"', 'self.name = "kitchen"')
        files = {"main.py": program, "fleet.json": json.dumps(fleet)}
        options = {"heap": lib_form.heap("256k"), **lib_form.options}
        board = network.BoardElsewhere(running.outside, files=files, **options)
        board.address = running.host
        stack.enter_context(board)
        board.wait_for_log("fleet: connected", 60)
        eventually(lambda: get(running, context), 200, running, board)
        assert get(running, context, name="elsewhere.example") == 421
        assert get(running, context, token="wrong") == 401

        def echo():
            with viewer(running, context) as found:
                found.send("hello")
                return found.recv(10)

        eventually(echo, "hello", running, board)
        running.kill("gateway1")
        assert [get(running, context) for _ in range(4)] == [200] * 4
        eventually(echo, "hello", running, board)
        running.start("gateway1")
        running.kill("gateway2")
        eventually(lambda: get(running, context), 200, running, board)
        logs = "".join(running.log(node) for node in ("nats1", "nats2", "nats3"))
        assert "with replicas 3" in logs and "with replicas 2" not in logs
        if nats_version() >= MQTT_TIMEOUT_SINCE:  # the document asks for it in a cluster
            running.kill("nats1")
            eventually(echo, "hello", running, board)
