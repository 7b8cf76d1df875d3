"""The messages of the gateway's command for options that cannot work."""

import socket

import pytest
from click.testing import CliRunner

from tools.cli import commands
from tools.fleet.engines import Engine, User, installed


@pytest.mark.parametrize(
    "options, message",
    [
        (["--engine", "mqtt://localhost:1883"], "--engine mqtt://localhost:1883 is not HOST:PORT"),
        (["--cert", "no.pem"], "--cert and --key belong together"),
        (["--cert", "no.pem", "--key", "no.key"], "--cert no.pem and --key no.key cannot be used"),
        (["--engine-ca", "no.pem"], "--engine-ca no.pem cannot be used"),
        (["--tokens", "no.json"], "no.json cannot be used"),
        (["--pages", "nowhere"], "--pages nowhere is no folder"),
        (["--prefix", "a b"], "--prefix must consist of letters"),
        (["--name", "https://x.example"], "--name https://x.example must be a host name"),
        (["--name", "x.example:443"], "--name x.example:443 must be a host name"),
        (["--rate", "0"], "'--rate': 0.0 is not in the range x>0"),
        (["--port", "70000"], "'--port': 70000 is not in the range"),
        (["--host", "192.0.2.1"], "cannot listen on 192.0.2.1:8000: Cannot assign"),
    ],
)
def test_a_wrong_option_is_named(options, message):
    run = CliRunner().invoke(commands, ["fleet-gateway", *options])
    assert run.exit_code and message in run.output


@pytest.mark.skipif(not installed(), reason="there is no engine")
def test_a_port_in_use_is_named_with_the_option_that_chooses_another():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        run = CliRunner().invoke(commands, ["fleet", "--port", str(port)])
    assert run.exit_code
    assert f"port {port} of this machine cannot be used: it is in use" in run.output
    assert "GATEWAY_PORT= (--port)" in run.output


@pytest.mark.parametrize("name", installed())
def test_a_wrong_password_is_named_once(name, capfd, make_gateway, monkeypatch):
    monkeypatch.setenv("FLEET_PASSWORD", "wrong")
    with Engine(name, users=(User("gateway", "right"),)) as engine:
        make_gateway(engine.port, "--user", "gateway")
        text = ""
        while "wrong user or password (--user, FLEET_PASSWORD)" not in text:
            text += capfd.readouterr().err
