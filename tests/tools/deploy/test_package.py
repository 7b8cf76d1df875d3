"""Packages for mip: with absolute addresses, as source and compiled."""

import functools
import http.server
import json
import subprocess
import sys
import threading

import pytest
import websocket

from tests.wsserver.programs import run_script
from tools import ROOT
from tools.deploy.package import PACKAGES, publish
from tools.failure import Failure
from tools.virtualboard import VirtualBoard
from tools.virtualboard.interpreter import native_arch


@pytest.fixture
def site(tmp_path):
    """A web server with the published folder; yields its address."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path / "mip")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        base = f"http://127.0.0.1:{server.server_address[1]}"
        publish(base, tmp_path / "mip", say=lambda line: None)
        yield base
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("kind", ["source", "compiled"])
def test_mip_installs_a_published_package_that_works(site, tmp_path, kind):
    name = native_arch() if kind == "compiled" else kind
    (tmp_path / "root").mkdir()
    with VirtualBoard(root=tmp_path / "root", heap="256k") as board:
        command = [sys.executable, "-m", "mpremote", "connect", board.serial]
        command += ["mip", "install", f"{site}/{name}.json"]
        done = subprocess.run(command, text=True, capture_output=True)
        assert done.returncode == 0, done.stdout + done.stderr
        code = "from wsserver import Server\nfrom certificates import context\nprint(Server)"
        assert board.exec(code) == "<class 'Server'>\n"


@pytest.mark.parametrize("kind", ["source", "compiled"])
def test_micropythons_own_mip_installs_it_as_well(site, tmp_path, kind):
    name = native_arch() if kind == "compiled" else kind
    script = "import mip\nmip.install(%r, target=%r)\nfrom wsserver import Server\nprint(Server)\n"
    (tmp_path / "board").mkdir()
    text = script % (f"{site}/{name}.json", str(tmp_path / "board"))
    printed = run_script(tmp_path / "board", text, tmp_path / "board")
    assert printed.endswith("Done\n<class 'Server'>\n")


def test_the_readmes_shortest_program_runs_on_a_bare_board_after_mip(tmp_path):
    """mip installs package.json from the repository; the program also brings up Wi-Fi."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    program = readme.split("## The library alone")[1].split("```python\n")[1].split("```")[0]
    (tmp_path / "root").mkdir()
    with VirtualBoard(root=tmp_path / "root", heap="256k") as board:
        mpremote = [sys.executable, "-m", "mpremote", "connect", board.serial]
        command = [*mpremote, "mip", "install", str(ROOT / "package.json")]
        done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True)
        assert done.returncode == 0, done.stdout + done.stderr
        (board.flash / "main.py").write_text(program)
        board.power_cycle()
        board.wait_ready()
        client = websocket.create_connection(board.ws_url(), timeout=10)
        client.send("hello")
        assert client.recv() == "hello"
        code = "import network; print(network.WLAN(network.AP_IF).config('ssid'))"
        assert board.exec(code) == "My board\n"


def test_every_address_is_absolute_and_every_package_complete(tmp_path):
    publish("github:owner/repository/mip@v1", tmp_path, say=lambda line: None)
    packages = {path.stem: json.loads(path.read_text()) for path in tmp_path.glob("*.json")}
    assert {"source", "xtensawin", "rv32imc"} <= packages.keys()
    for kind, package in packages.items():
        for target, address in package["urls"]:
            assert address == f"github:owner/repository/mip/{kind}/{target}"
            assert (tmp_path / kind / target).is_file()
        assert {target.split("/")[0] for target, _ in package["urls"]} == set(PACKAGES)
    assert len({len(package["urls"]) for package in packages.values()}) == 1


def test_a_relative_base_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(Failure, match="BASE='mip' must begin with one of https://"):
        publish("mip", tmp_path / "mip")
    assert not (tmp_path / "mip").exists()
