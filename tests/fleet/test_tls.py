"""TLS to the engine: name, clock, verification. DNS and NTP are played by the test."""

import shutil
import socket
import struct
import threading
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tools import ROOT as PROJECT
from tools.certs import cli
from tools.fleet.engines import INSTALL, Engine, installed

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
    import json

    def make(port, ca, dns=dns, ntp=ntp, host=NAME):
        servers = [Datagrams(answer) for answer in (dns, ntp)]
        for server in servers:
            request.addfinalizer(server.close)
        section = {"enabled": True, "host": host, "port": port, "tls": True, "backoff": 1}
        section.update(ca="/ca.der", discovery="", ntp="time.example")
        sources = {name: (PROJECT / f"lib/fleet/{name}.py").read_text() for name in MODULES}
        sources["resolver"] = sources["resolver"].replace("const(1500)", "const(300)")
        files = {
            f"lib/fleet/{name}.py": sources[name].replace(old, f"PORT = {server.port}")
            for (name, old), server in zip(MODULES.items(), servers, strict=True)
        }
        files.update({"main.py": PATCH + PROGRAM, "ca.der": ca, "fleet.json": json.dumps(section)})
        board = make_board(files=files, heap="300k")
        board.servers = servers
        return board

    return make


MODULES = {"resolver": "PORT = 53", "clock": "PORT = 123"}


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
