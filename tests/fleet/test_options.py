"""The messages of the gateway's command for options that cannot work."""

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


@pytest.mark.parametrize("name", installed())
def test_a_wrong_password_is_named_once(name, capfd, make_gateway, monkeypatch):
    monkeypatch.setenv("FLEET_PASSWORD", "wrong")
    with Engine(name, users=(User("gateway", "right"),)) as engine:
        make_gateway(engine.port, "--user", "gateway")
        text = ""
        while "wrong user or password (--user, FLEET_PASSWORD)" not in text:
            text += capfd.readouterr().err
