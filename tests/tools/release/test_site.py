"""The install page in Chromium, at a fake serial port: a boot loader, or the prompt of a board."""

import contextlib
import functools
import http.server
import json
import os
import re
import select
import shutil
import socket
import subprocess
import sys
import threading

import pytest
import serial
from esp32_mock_bootloader.api import mock_bootloader
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import serve

from tests.browser.pages import expect, listen, playwright_api, width_of
from tests.tools.board import images
from tools.board import table
from tools.docs import browser as chromium
from tools.failure import Failure
from tools.release import site

pytestmark = pytest.mark.host

VFS = ("vfs", 0x200000, 0x200000)
CHIPS = ("esp32", "esp32c3", "esp32h2")

# A serial port of the Web Serial API whose other end is a WebSocket.
PORT = """
class Port {
  constructor(url) { this.url = url; }
  async open() {
    this.socket = new WebSocket(this.url);
    this.socket.binaryType = "arraybuffer";
    this.socket.onmessage = (event) => this.source?.enqueue(new Uint8Array(event.data));
    await new Promise((resolve, reject) => {
      this.socket.onopen = resolve;
      this.socket.onerror = () => reject(new Error("no bridge"));
    });
    this.stream = null;
    this.writable = new WritableStream({ write: (data) => this.socket.send(data) });
  }
  get readable() {
    if (!this.stream) {
      this.stream = new ReadableStream({
        start: (source) => { this.source = source; },
        cancel: () => { this.stream = this.source = null; },
      });
    }
    return this.stream;
  }
  async setSignals() {}
  async getSignals() { return {}; }
  getInfo() { return {}; }
  addEventListener() {}
  removeEventListener() {}
  async close() {
    const closed = new Promise((resolve) => { this.socket.onclose = resolve; });
    this.socket.close();
    await closed;
  }
}
const port = new Port("BRIDGE");
Object.defineProperty(navigator, "serial", { value: {
  requestPort: async () => port, getPorts: async () => [port], addEventListener() {},
} });
"""


@pytest.fixture(scope="module")
def stock(tmp_path_factory):
    """A folder with images of MicroPython."""
    stock = tmp_path_factory.mktemp("stock")
    for name in CHIPS:
        board = table.find(name, table.load())
        file = stock / f"{board.build}-20260801-v1.29.0.bin"
        file.write_bytes(images.firmware(board.chip, board.offset, VFS, version="1.29.0"))
    return stock


@pytest.fixture(scope="module")
def folder(stock, tmp_path_factory):
    """The built site. Skips where esp-web-tools cannot be fetched."""
    try:
        return site.make(site.Options(stock, CHIPS, tmp_path_factory.mktemp("site") / "install"))
    except Failure as failure:
        if "npm" in str(failure):
            pytest.skip(str(failure))
        raise


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def address(folder):
    handler = functools.partial(QuietHandler, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://localhost:{server.server_address[1]}/"
        server.shutdown()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if not chromium.find():
        pytest.skip("there is no browser")
    with playwright_api.sync_playwright() as playwright:
        started = chromium.launch(playwright, tmp_path_factory.mktemp("home"))
        yield started
        started.close()


def shovel(websocket, read, write, descriptor):
    """Copy bytes between a WebSocket and a port until the WebSocket is closed."""
    ended = threading.Event()

    def back():
        while not ended.is_set():
            if select.select([descriptor], [], [], 0.05)[0]:
                data = read()
                if not data:
                    break
                with contextlib.suppress(ConnectionClosed):
                    websocket.send(data)

    thread = threading.Thread(target=back, daemon=True)
    thread.start()
    for message in websocket:
        write(message if isinstance(message, bytes) else message.encode())
    ended.set()
    thread.join()


@pytest.fixture
def bridge():
    """bridge(port) -> the URL of a WebSocket to a serial port: a device, or socket://host:port."""
    running = []

    def start(port):
        def handle(websocket):
            if port.startswith("socket://"):
                host, _, number = port.removeprefix("socket://").rpartition(":")
                with socket.create_connection((host, int(number))) as line:
                    shovel(websocket, lambda: line.recv(4096), line.sendall, line)
            else:
                with serial.Serial(port) as line:
                    number = line.fileno()
                    shovel(websocket, lambda: os.read(number, 4096), line.write, number)

        # A busy page takes more than ten seconds for a handshake, and 20 s for a Pong.
        options = {"open_timeout": None, "ping_interval": None, "max_size": None}
        server = serve(handle, "127.0.0.1", 0, **options)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        running.append(server)
        return f"ws://127.0.0.1:{server.socket.getsockname()[1]}"

    yield start
    for server in running:
        server.shutdown()


@pytest.fixture
def open_page(browser, address, bridge):
    """open_page(port) -> the page, whose serial port is bridged to this one."""
    contexts = []

    def start(port):
        # The page's policy allows no connection to the bridge.
        context = browser.new_context(bypass_csp=True)
        context.set_default_timeout(60_000)
        contexts.append(context)
        page = context.new_page()
        page.add_init_script(PORT.replace("BRIDGE", bridge(port)))
        page.goto(address)
        page.wait_for_selector("body[data-ready]")
        return page

    yield start
    for context in contexts:
        context.close()


def test_the_manifests_name_every_chip_and_its_offset(folder):
    entries = {
        entry["key"]: entry for entry in json.loads((folder / "boards.json").read_text())["boards"]
    }
    assert set(entries) == set(CHIPS)
    for key, entry in entries.items():
        manifest = json.loads((folder / entry["manifest"]).read_text())
        (build,) = manifest["builds"]
        family = {"esp32": "ESP32", "esp32c3": "ESP32-C3", "esp32h2": "ESP32-H2"}[key]
        assert build["chipFamily"] == family
        assert build["parts"][0]["offset"] == table.find(key, table.load()).offset
        assert manifest["new_install_improv_wait_time"] == 0


def test_the_site_fetches_nothing_from_elsewhere(folder):
    for file in (*folder.glob("*.html"), *folder.glob("*.js")):
        assert re.findall(r"https?://(?!\$)[\w.-]+", file.read_text()) == [], file


def test_the_page_has_no_errors_under_its_own_policy(browser, address):
    page = browser.new_page()
    listen(page)
    page.goto(address)
    page.wait_for_selector("body[data-ready]")
    expect(page.locator("#check")).to_contain_text("The image is complete: SHA-256")
    assert page.complaints == []
    page.close()


def test_the_page_fits_the_width_of_a_phone(browser, address):
    page = browser.new_page(viewport={"width": 320, "height": 600})
    page.goto(address)
    expect(page.locator("#check")).to_contain_text("The image is complete")
    assert width_of(page) <= 320
    page.close()


@pytest.mark.timeout(360)
def test_the_page_installs_the_image_on_a_chip(open_page, folder):
    # An ESP32: the simulated boot loader has no number for newer chips that esptool-js knows.
    with mock_bootloader("esp32") as chip:
        page = open_page(chip.url())
        listen(page)
        expect(page.locator("#check")).to_contain_text("The image is complete")
        page.click("esp-web-install-button button")
        page.get_by_text("Install WebSocket server").first.click()
        page.get_by_role("button", name="Install").last.click()
        # The last state of the dialog has this button, and the failure another one.
        button = page.get_by_role("button", name=re.compile("^(Next|Back)$"))
        # Ten seconds on an idle machine; beside other tests it took more than a minute.
        expect(button).to_be_visible(timeout=240_000)
        assert page.get_by_role("button", name="Next").is_visible(), page.complaints
        page.context.close()
        command = [sys.executable, "-m", "esptool", "--port", chip.url(), "verify-flash"]
        done = subprocess.run(
            [*command, "0x1000", folder / "esp32.bin"], text=True, capture_output=True
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_damaged_image_is_not_offered(browser, address):
    page = browser.new_page()
    page.route("**/esp32.bin", lambda route: route.fulfill(body=b"damaged"))
    page.goto(address)
    expect(page.locator("#check")).to_have_text("esp32.bin is damaged: reload the page")
    expect(page.locator("esp-web-install-button")).to_have_count(0)
    page.close()


AIR = {"networks": {"Home": {"password": "home secret"}, "Lab": {"password": "x"}}}


def test_the_page_sets_up_the_wifi_of_a_board(open_page, make_board):
    board = make_board(air=AIR, config={"broadcast": {"interval": 0}})
    page = open_page(board.serial)
    page.click("#scan")
    expect(page.locator("#status")).to_have_text("2 networks found")
    assert page.locator("#networks option").evaluate_all("all => all.map(one => one.value)") == [
        *("Home", "Lab"),
    ]
    page.fill("#ssid", "Home")
    page.fill("#password", "home secret")
    page.click("#save")
    expect(page.locator("#link")).to_have_text("http://192.168.1.42/")
    expect(page.locator("#status")).to_have_text("The board serves.")
    config = json.loads(board.files()["/config.json"])
    assert config["broadcast"] == {"interval": 0}, "other settings are kept"
    assert config["wifi"]["station_ssid"] == "Home"


def test_a_wrong_password_is_shown_with_the_way_to_the_board(open_page, make_board):
    config = {"wifi": {"station_timeout": 1, "password": "board secret"}}
    board = make_board(air=AIR, config=config)
    page = open_page(board.serial)
    page.fill("#ssid", "Home")
    page.fill("#password", 'it\'s \\"wrong\\" é')
    page.click("#save")
    expect(page.locator("#link")).to_have_text("http://192.168.4.1/")
    expect(page.locator("#status")).to_contain_text("cannot join 'Home': wrong password")
    expect(page.locator("#access")).to_contain_text("ESP32-WS-Server")
    saved = json.loads(board.files()["/config.json"])["wifi"]["station_password"]
    assert saved == 'it\'s \\"wrong\\" é'


def test_the_page_can_name_the_boards_own_wifi(open_page, make_board):
    board = make_board()
    page = open_page(board.serial)
    page.check("input[value=ap]")
    page.fill("#ssid", "Greenhouse")
    page.click("#save")
    expect(page.locator("#access")).to_contain_text("Greenhouse")
    assert "access point 'Greenhouse'" in board.log


def test_a_port_without_micropython_is_told(open_page, tmp_path):
    ours, theirs = os.openpty()
    try:
        page = open_page(os.ttyname(theirs))
        page.click("#scan")
        expect(page.locator("#status")).to_contain_text("no MicroPython answers")
    finally:
        os.close(ours)
        os.close(theirs)


def test_what_the_board_would_not_take_is_told_before_it_is_saved(open_page, make_board):
    board = make_board()
    page = open_page(board.serial)
    page.fill("#ssid", "é" * 20)
    page.click("#save")
    expect(page.locator("#status")).to_contain_text("The name has more than 32 bytes")
    page.check("input[value=ap]")
    page.fill("#ssid", "Greenhouse")
    page.fill("#password", "short")
    page.click("#save")
    expect(page.locator("#status")).to_contain_text("The password must have 8 to 63 characters")
    assert "KeyboardInterrupt" not in board.log, "the board was left alone"


def test_a_port_that_cannot_be_opened_is_told_with_the_remedy(browser, address):
    page = browser.new_page()
    page.add_init_script("""
        const port = { open: async () => {
          throw new DOMException("Failed to open serial port.", "NetworkError");
        } };
        Object.defineProperty(navigator, "serial", { value: {
          requestPort: async () => port, getPorts: async () => [port], addEventListener() {},
        } });
    """)
    page.goto(address)
    expect(page.locator("#check")).to_contain_text("The image is complete")
    page.click("#scan")
    expect(page.locator("#status")).to_have_text(
        "Failed to open serial port. Close other programs that use the port, plug the board in "
        "again, and try again."
    )
    page.close()


def test_a_board_without_wifi_is_not_asked_for_one(browser, address):
    page = browser.new_page()
    page.goto(address)
    expect(page.locator("#wifi")).to_be_visible()
    page.select_option("#board", "esp32h2")
    expect(page.locator("#no-wifi")).to_contain_text("esp32-ws deploy --config config.json")
    expect(page.locator("#wifi")).to_be_hidden()
    page.select_option("#board", "esp32")
    expect(page.locator("#wifi")).to_be_visible()
    page.close()


def test_a_folder_with_other_files_is_never_emptied(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(Failure, match="has other files, which would be lost: name a folder"):
        site.make(site.Options(None, CHIPS, tmp_path))
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_an_older_site_is_replaced_only_by_a_complete_one(folder, stock, tmp_path):
    to = tmp_path / "install"
    shutil.copytree(folder, to)
    (to / "esp32old.bin").write_text("of an older version")
    (tmp_path / "none").mkdir()
    with pytest.raises(Failure, match="there is no image of MicroPython"):
        site.make(site.Options(tmp_path / "none", CHIPS, to))
    assert (to / "esp32old.bin").is_file() and len(list(tmp_path.iterdir())) == 2
    site.make(site.Options(stock, CHIPS[:1], to))
    assert sorted(path.name for path in to.glob("*.bin")) == [f"{CHIPS[0]}.bin"]


def test_without_npm_the_reason_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Failure, match="make site needs npm"):
        site.fetch(tmp_path)


def test_another_package_than_expected_is_not_used(monkeypatch, tmp_path):
    npm = tmp_path / "bin" / "npm"
    npm.parent.mkdir()
    npm.write_text("#!/bin/sh\necho other > esp-web-tools.tgz\n")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{npm.parent}:{os.environ['PATH']}")
    with pytest.raises(Failure, match="another esp-web-tools"):
        site.fetch(tmp_path / "npm")
    assert not (tmp_path / "npm" / "esp-web-tools@10.4.0").exists()
