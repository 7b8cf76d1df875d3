"""The recipes of docs/cookbook.md, on virtual boards and with real software."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request

import pytest
import websocket

from tests.conftest import NO_BROWSER
from tests.docs.blocks import code as block
from tests.waiting import wait_until
from tests.wsserver.web import Web
from tools import ROOT
from tools.bench.contenders import wait_for_port
from tools.deploy.userfiles import read_config
from tools.docs import browser as chromium
from tools.ports import free_port


def code(title):
    return block("cookbook.md", title)


def application(title):
    return {"app/app.py": code(title)}


def connect(board, path, **options):
    return websocket.create_connection(board.ws_url(path), timeout=10, **options)


@contextlib.contextmanager
def process(*command, **options):
    """Start a program; yield it, and stop it. Its output goes to a pipe."""
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, **options}
    with subprocess.Popen(command, start_new_session=True, **options) as started:
        try:
            yield started
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(started.pid, signal.SIGKILL)


def lines(started):
    """Yield lines of a program's output for 30 seconds."""
    stop = threading.Timer(30, started.kill)
    stop.daemon = True
    stop.start()
    yield from (line.rstrip("\n") for line in started.stdout)
    stop.cancel()


# --- recipes for the board


def test_messages_stay_in_their_room(make_board):
    board = make_board(files=application("rooms.py"))
    first, second = (connect(board, "/chat/kitchen") for _ in range(2))
    other = connect(board, "/chat/cellar")
    first.send("dinner")
    assert (first.recv(), second.recv()) == ("dinner", "dinner")
    other.send("wine")
    assert other.recv() == "wine"


def test_a_token_opens_the_door(make_board):
    board = make_board(files=application("tokens.py"))
    client = connect(board, "/door", header=["Authorization: Bearer sesame"])
    client.send("open the door")
    assert client.recv() == "open"
    client = connect(board, "/door?token=sesame")
    client.send("?")
    assert client.recv() == "what?"
    with pytest.raises(websocket.WebSocketBadStatusException, match="401"):
        connect(board, "/door?token=simsalabim")


def test_a_sensor_is_pushed_ten_times_a_second(make_board):
    client = connect(make_board(files=application("push.py")), "/sensor")
    client.recv()
    begun = time.monotonic()
    assert all(client.recv().isdigit() for _ in range(10))
    assert 0.8 < time.monotonic() - begun < 10  # a loaded machine skips some


def test_each_user_has_a_token(make_board):
    board = make_board(files=application("users.py"))
    assert connect(board, "/door?token=open").recv() == "welcome, Tom"
    with pytest.raises(websocket.WebSocketBadStatusException, match="403"):
        connect(board, "/door?token=shut")


def request(board, path, method="GET", data=None):
    """Return (status, body) of an HTTP request."""
    return Web(board).ask(f"/{path}", method, data)[::2]


def test_a_json_interface_reads_and_changes_state(make_board):
    board = make_board(files=application("json.py"))
    assert request(board, "api/soil") == (200, b'{"percent": 40, "pump": false}')
    for wrong in (b'{"on": 5}', b"{}", b"[1]", b"5", b"null", b"on"):
        assert request(board, "api/pump", "PUT", wrong)[0] == 400, wrong
    status, body = request(board, "api/pump", "PUT", b'{"on": true}')
    assert (status, json.loads(body)["pump"]) == (200, True)


def test_events_that_were_missed_follow(make_board):
    board = make_board(files=application("events.py"))

    def take(count, **headers):
        wanted = urllib.request.Request(board.http_url + "events", headers=headers)
        with urllib.request.urlopen(wanted, timeout=10) as response:
            found = (line for line in response if line.startswith(b"data: "))
            return [json.loads(next(found)[6:])["count"] for _ in range(count)]

    first = take(2)
    assert first[1] == first[0] + 1
    assert take(3, **{"Last-Event-ID": str(first[0])}) == list(range(first[0] + 1, first[0] + 4))


def test_a_file_is_uploaded_and_downloaded_from_a_shell(make_board, tmp_path):
    if not shutil.which("curl"):
        pytest.skip("there is no curl")
    board = make_board(files=application("files.py"))
    content = os.urandom(50_000)
    (tmp_path / "photo.bin").write_bytes(content)
    script = "set -e\n" + code("upload.sh").replace("192.168.4.1", f"127.0.0.1:{board.http_port}")
    command = ["sh", "-c", script.replace("curl", "curl --silent")]
    assert subprocess.run(command, cwd=tmp_path, timeout=60).returncode == 0
    assert (tmp_path / "copy.bin").read_bytes() == content


def test_an_upload_that_breaks_off_leaves_nothing(make_board):
    board = make_board(files=application("files.py"))
    with socket.create_connection(("127.0.0.1", board.http_port), 10) as connection:
        head = "PUT /upload/a.bin HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5000\r\n\r\n"
        connection.sendall(head.encode() + bytes(3000))
        wait_until((board.flash / "files" / ".a.bin").exists, "the beginning of the upload")
    wait_until(lambda: not (board.flash / "files" / ".a.bin").exists(), "its end")
    assert request(board, "files/a.bin")[0] == 404
    assert request(board, "upload/..%2fmain.py", "PUT", b"bad")[0] in (400, 404)
    assert request(board, "upload/a.bin", "PUT", b"whole")[0] == 201
    assert request(board, "files/a.bin") == (200, b"whole")


def test_the_settings_join_a_network(make_board):
    settings = json.loads(code("config.json"))
    air = {"networks": {"Home": {"password": "correct horse"}}}
    board = make_board(config=settings, air=air)
    board.wait_for_log("wifi: joined 'Home' as ")


def test_a_page_that_a_single_file_brings_is_served(make_board):
    board = make_board(files=application("page.py"))
    with urllib.request.urlopen(board.http_url, timeout=10) as response:
        assert b"<title>Clock</title>" in response.read()
    client = connect(board, "/clock")
    assert (client.recv(), client.recv()) == ("connected", "tick")


# --- clients that reconnect

ECHO = {
    "app/app.py": "class Hello:\n    def on_open(self, client):\n        client.send('hello')\n\n"
    "    def on_message(self, client, message):\n        client.send(message)\n\n"
    "def setup(board):\n    board.server.websocket('/ws', Hello())\n"
}


def reconnects(board, command, folder):
    """Return whether a client says hello again after the board's power was cut."""
    with process(*command, cwd=folder) as client:
        output = lines(client)
        assert next(output) == "hello"
        board.power_cycle()
        board.wait_ready()
        return next(output) == "hello"


def test_the_javascript_client_reconnects_in_a_browser(make_board, tmp_path):
    api = pytest.importorskip("playwright.sync_api")
    if not chromium.find():
        pytest.skip(NO_BROWSER)
    board = make_board(files=ECHO)
    start = """(url) => {
        %s
        const output = document.createElement("output");
        document.body.append(output);
        connect(url, (message) => output.append(message));
    }"""
    with api.sync_playwright() as playwright:
        browser = chromium.launch(playwright, tmp_path)
        page = browser.new_page()
        page.goto(board.http_url)
        page.evaluate(start % code("reconnect.js"), board.ws_url())
        output = page.locator("body > output")
        api.expect(output).to_have_text("hello", timeout=20_000)
        board.power_cycle()
        board.wait_ready()
        api.expect(output).to_have_text("hellohello", timeout=20_000)
        browser.close()


def test_the_javascript_client_waits_for_a_board_that_starts_later(make_board, tmp_path):
    node = shutil.which("node")
    if not node:
        pytest.skip("there is no node")
    port = free_port()
    counted = (
        "globalThis.WebSocket = class extends WebSocket {\n"
        "  constructor(url) { super(url); console.log('tries'); }\n};\n"
    )
    start = f"\nconnect('ws://127.0.0.1:{port}/ws', (message) => console.log(message));\n"
    (tmp_path / "client.js").write_text(counted + code("reconnect.js") + start)
    with process(node, "--experimental-websocket", "client.js", cwd=tmp_path) as client:
        output = lines(client)
        assert [next(output), next(output)] == ["tries", "tries"]
        make_board(files=ECHO, http_port=port)
        assert "hello" in output


def test_the_python_client_reconnects(make_board, tmp_path):
    board = make_board(files=ECHO)
    (tmp_path / "client.py").write_text(code("reconnect.py"))
    assert reconnects(board, [sys.executable, "client.py", board.ws_url()], tmp_path)


# --- reverse proxies


def nginx(file):
    folder = file.parent
    options = f"pid {folder}/nginx.pid; error_log stderr; daemon off;"
    return ["-e", "stderr", "-p", str(folder), "-c", str(file), "-g", options]


PROXIES = {
    "nginx.conf": ("nginx", nginx),
    "haproxy.cfg": ("haproxy", lambda file: ["-f", str(file), "-db"]),
    "Caddyfile": ("caddy", lambda file: ["run", "--adapter", "caddyfile", "--config", str(file)]),
}


@pytest.mark.parametrize("title", PROXIES)
def test_a_proxy_passes_on_pages_and_websockets(make_board, tmp_path, title):
    program, arguments = PROXIES[title]
    path = shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin")
    if not path:
        pytest.skip(f"there is no {program} (Debian: {program})")
    settings = json.loads(code("config.json behind a proxy"))
    settings["access"]["proxies"] = ["127.0.0.1"]
    program_of_board = (
        "class Who:\n    def on_open(self, client):\n        client.send(client.address[0])\n\n"
        "def setup(board):\n    board.server.websocket('/who', Who())\n"
    )
    board = make_board(config=settings, files={"app/app.py": program_of_board})
    port = free_port()
    text = code(title).replace("192.168.4.1:80", f"127.0.0.1:{board.http_port}")
    text = text.replace("8000", str(port))
    if title == "nginx.conf":  # its other files, which it may not write elsewhere
        names = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        paths = "".join(f"{name}_temp_path {tmp_path}/{name};" for name in names)
        text = text.replace("http {", f"http {{ access_log off; {paths}", 1)
    if title == "Caddyfile":
        text = "{\n    admin off\n}\n" + text
    (tmp_path / title).write_text(text)
    home = {**os.environ, "HOME": str(tmp_path)}
    command = [path, *arguments(tmp_path / title)]
    with process(*command, cwd=tmp_path, env=home, stdout=subprocess.DEVNULL):
        wait_for_port(port)
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/", headers={"Host": "board.example"}
        )
        with urllib.request.urlopen(request, timeout=10) as response:
            assert b"<title>" in response.read()
        client = websocket.create_connection(
            f"ws://127.0.0.1:{port}/who",
            timeout=10,
            host="board.example",
            suppress_origin=True,
            header=["X-Forwarded-For: 203.0.113.7"],
        )
        # Caddy trusts no X-Forwarded-For of its clients.
        assert client.recv() in ("203.0.113.7", "127.0.0.1")
        client.close()


def test_the_settings_behind_a_proxy_are_valid(tmp_path):
    (tmp_path / "config.json").write_text(code("config.json behind a proxy"))
    assert read_config(tmp_path / "config.json")


NODE_RED = ROOT / "build" / "node-red"  # .ci/run installs it there


def test_node_red_sends_and_receives(make_board, tmp_path):
    program = NODE_RED / "node_modules" / "node-red" / "red.js"
    if not program.exists():
        pytest.skip(f"there is no Node-RED (npm install --prefix {NODE_RED} node-red)")
    board = make_board(files=ECHO)
    flow = code("flow.json").replace("ws://192.168.4.1/ws", board.ws_url())
    (tmp_path / "flow.json").write_text(flow)
    settings = (
        f"module.exports = {{uiPort: {free_port()}, httpAdminRoot: false, flowFile: 'flow.json'}}"
    )
    (tmp_path / "settings.js").write_text(settings)
    command = ["node", str(program), "-u", str(tmp_path), "-s", str(tmp_path / "settings.js")]
    with process(*command, cwd=tmp_path) as started:
        received = [line for line in take(lines(started), "hello", 2) if "hello" in line]
    assert len(received) >= 2  # the greeting, and the echo of what it injected


def take(found, text, count):
    """Yield lines until `count` of them have a text."""
    for line in found:
        yield line
        count -= text in line
        if not count:
            return
