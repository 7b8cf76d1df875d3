"""TLS to the engine: name, clock, verification. DNS and NTP are played by the test."""

import json
import os
import re
import shutil
import socket
import struct
import subprocess
import textwrap
import threading
import time
from urllib.request import urlopen

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tests.docs.blocks import code
from tests.wsserver.conftest import Raw
from tools import ROOT as PROJECT
from tools.certs import cli
from tools.fleet.demo import end
from tools.fleet.engines import INSTALL, Engine, find, free_ports, installed
from tools.fleet.proxy import Proxy
from tools.wsclient import TEXT, frame

from .conftest import PROGRAM

NAME = "broker.example"
YEAR_2026 = 3155673600 + 26 * 365 * 86400 + 7 * 86400 + 330 * 86400  # in NTP's count
PATCH = """import network
network.ipconfig = lambda name: "127.0.0.1"
"""


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """A folder with an authority, and a certificate for NAME."""
    folder = tmp_path_factory.mktemp("authority") / "certs"
    assert cli.main(["--folder", str(folder), "--names", NAME]) == 0
    certificate = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
    (folder / "ca.der").write_bytes(certificate.public_bytes(Encoding.DER))
    return folder


class Datagrams:
    """A UDP server that answers by a function(request) -> bytes or None."""

    def __init__(self, answer):
        self._socket = socket.socket(type=socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.requests = 0
        self._answer = answer
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            try:
                request, sender = self._socket.recvfrom(512)
            except OSError:
                return
            self.requests += 1
            answer = self._answer(request)
            if answer:
                self._socket.sendto(answer, sender)

    def close(self):
        self._socket.close()


def dns(request):
    """Answer every query with 127.0.0.1, after a CNAME."""
    question = request[12:]
    head = request[:2] + b"\x81\x80\0\1\0\2\0\0\0\0"
    alias = b"\xc0\x0c\0\5\0\1\0\0\0\1\0\2\xc0\x0c"
    return head + question + alias + b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4\x7f\0\0\1"


def ntp(request):
    """Answer with a time in 2026."""
    return b"\x1c" + bytes(23) + request[40:] + bytes(8) + struct.pack(">II", YEAR_2026, 0)


@pytest.fixture
def make_secure(make_board, request):
    """make_secure(engine_port, ca, ...) -> a board whose DNS and NTP servers are the functions."""

    def make(port, ca, dns=dns, ntp=ntp, host=NAME, **fields):
        servers = [Datagrams(answer) for answer in (dns, ntp)]
        for server in servers:
            request.addfinalizer(server.close)
        section = {"enabled": True, "host": host, "port": port, "tls": True, "backoff": 1}
        section.update(ca="/ca.der", discovery="", ntp="time.example", **fields)
        sources = {name: (PROJECT / f"lib/fleet/{name}.py").read_text() for name in MODULES}
        sources["resolver"] = sources["resolver"].replace("const(1500)", "const(300)")
        files = {
            f"lib/fleet/{name}.py": sources[name].replace(old, str(server.port))
            for (name, old), server in zip(MODULES.items(), servers, strict=True)
        }
        files.update({"main.py": PATCH + PROGRAM, "ca.der": ca, "fleet.json": json.dumps(section)})
        board = make_board(files=files, heap="300k")
        board.servers = servers
        return board

    return make


MODULES = {"resolver": "const(53)", "clock": "const(123)"}


@pytest.fixture(scope="module")
def secure_engine(authority):
    """An engine whose certificate is for NAME."""
    if not installed():
        pytest.skip(INSTALL)
    with Engine(installed()[0], tls=(authority / "server.pem", authority / "server.key")) as one:
        yield one


def test_it_verifies_the_broker_after_dns_and_ntp(make_secure, secure_engine, authority):
    board = make_secure(secure_engine.port, (authority / "ca.der").read_bytes())
    board.wait_for_log("fleet: connected to " + NAME)
    assert [server.requests > 0 for server in board.servers] == [True, True]


def test_the_documented_mosquitto_serves_a_board_and_a_gateway(
    make_secure, make_gateway, authority, tmp_path, monkeypatch
):
    """With TLS, passwords and access rules: the files of docs/fleet.md."""
    program = find("mosquitto")
    if not program:
        pytest.skip("needs mosquitto")
    (tmp_path / "certs").mkdir()
    for name in ("server.pem", "server.key"):
        shutil.copy(authority / name, tmp_path / "certs")
    (tmp_path / "passwords").write_text("gateway:one\nkitchen:two\n")
    subprocess.run(["mosquitto_passwd", "-U", str(tmp_path / "passwords")], check=True)
    document = (PROJECT / "docs" / "fleet.md").read_text()
    rules = re.search(r"(?: {4}(?:user|topic) .*\n)+", document)[0].replace("kitchen", "board")
    rules = rules.replace("user board", "user kitchen")
    rules = textwrap.dedent(rules) + "\nuser gateway\ntopic readwrite #\n"
    (tmp_path / "access").write_text(rules)
    port = free_ports(1)[0]
    config = code("fleet.md", "fleet.conf").replace("/etc/mosquitto", str(tmp_path))
    config = config.replace("/var/lib/mosquitto", str(tmp_path)).replace("8883", str(port))
    (tmp_path / "fleet.conf").write_text(config + ("user root\n" if os.geteuid() == 0 else ""))
    for name in ("access", "passwords"):
        (tmp_path / name).chmod(0o600)
    engine = subprocess.Popen([program, "-c", str(tmp_path / "fleet.conf")])
    try:
        ca = (authority / "ca.crt").read_bytes()
        board = make_secure(port, ca, host="localhost", user="kitchen", password="two")
        board.wait_for_log("fleet: connected to localhost")
        monkeypatch.setenv("FLEET_PASSWORD", "one")
        options = ("--engine-ca", str(authority / "ca.pem"), "--user", "gateway")
        where = make_gateway(0, "--engine", f"localhost:{port}", *options)
        url, names = f"http://127.0.0.1:{where}/boards", []
        while names != ["board"]:
            found = json.loads(urlopen(url, timeout=10).read())
            names = [one["name"] for one in found if one["online"]]
    finally:
        end(engine)


def test_a_handshake_that_stalls_anywhere_blocks_no_local_client(
    make_secure, secure_engine, authority
):
    """The proxy passes some bytes of the engine's flights, and then nothing or one at a time."""
    with Proxy(secure_engine.port) as proxy:
        board = make_secure(proxy.port, (authority / "ca.der").read_bytes())
        connected = "fleet: connected to " + NAME
        board.wait_for_log(connected)
        peer = Raw(board).open("/control")
        slowest = 0.0
        for mode in ("slow", "cut"):
            proxy.mode = mode
            proxy.reset()
            finish = time.monotonic() + 7  # more than the board and the engine wait
            while time.monotonic() < finish:
                start = time.monotonic()
                assert peer.send(frame(TEXT, b"count 0 1")).frame()[1] == b"counted"
                slowest = max(slowest, time.monotonic() - start)
                time.sleep(0.02)
            position = board.log_position
            proxy.mode = "pass"
            proxy.reset()
            board.wait_for_log(connected, 15, position)
        peer.close()
    assert slowest < 1.5
    blocked = [int(text) for text in re.findall(r"blocked the server for (\d+) ms", board.log)]
    assert not blocked or max(blocked) <= 1500


def test_a_resolver_that_blocks_is_logged_with_its_time(make_board):
    """Without a DNS server only the system can be asked."""
    patch = """import network, socket, time
network.ipconfig = lambda name: "0.0.0.0"
def slow(host, *rest):
    if host == "slow.example":
        time.sleep_ms(300)
        host = "127.0.0.1"
    return resolve(host, *rest)
resolve, socket.getaddrinfo = socket.getaddrinfo, slow
"""
    section = {"enabled": True, "host": "slow.example", "port": free_ports(1)[0], "backoff": 1}
    files = {"main.py": patch + PROGRAM, "fleet.json": json.dumps(section)}
    board = make_board(files=files, heap="256k")
    board.wait_for_log(
        r"\[30\] fleet: resolving the name slow.example blocked the server for \d{3,4} ms"
    )


def test_a_foreign_authority_is_refused_with_one_log_line(
    make_secure, secure_engine, authority, tmp_path
):
    shutil.copytree(authority, tmp_path / "copy")
    assert cli.main(["--folder", str(tmp_path / "other")]) == 0
    other = x509.load_pem_x509_certificate((tmp_path / "other" / "ca.pem").read_bytes())
    board = make_secure(secure_engine.port, other.public_bytes(Encoding.DER))
    board.wait_for_log("fleet: broker.example: .*(?i:cert|x509|verif)")
    time.sleep(2.5)  # two more attempts
    assert board.log.count("trying again") == 1
    assert "connected" not in board.log


@pytest.mark.parametrize(
    "silent, words",
    [("ntp", "the clock is not set: no answer of the NTP server"), ("dns", "cannot resolve")],
)
def test_without_clock_or_name_it_says_so_and_tries_again(
    make_secure, secure_engine, authority, silent, words
):
    ca = (authority / "ca.der").read_bytes()
    board = make_secure(secure_engine.port, ca, **{silent: lambda request: None})
    board.wait_for_log(words, 15)
    server = board.servers[silent == "ntp"]
    before = server.requests
    server._answer = ntp if silent == "ntp" else dns
    board.wait_for_log("fleet: connected", 15)
    assert server.requests > before
