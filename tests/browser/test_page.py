"""The board's page in a real browser, served by a live board."""

import contextlib
import os
import re
import shutil
import signal
import socket
import socketserver
import threading
import time
from pathlib import Path

import pytest

from tests.browser.complaints import listen
from tools.docs import browser as chromium

playwright_api = pytest.importorskip(
    "playwright.sync_api", reason="playwright has no wheel for this machine"
)
expect = playwright_api.expect
expect.set_options(timeout=20_000)  # a loaded machine is no reason to fail

ROOT = Path(__file__).resolve().parents[2]
PHONE = {"viewport": {"width": 390, "height": 844}}
DESKTOP = {"viewport": {"width": 1280, "height": 800}}


@contextlib.contextmanager
def prefix_proxy(prefix, host, port):
    """Forward requests below a path prefix, as nginx's `location /board/` does; yields its URL."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            line = self.rfile.readline()
            if f" {prefix}/".encode() not in line:
                self.wfile.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
                return
            with socket.create_connection((host, port)) as board:
                board.sendall(line.replace(f" {prefix}/".encode(), b" /"))
                back = threading.Thread(target=pump, args=(board, self.connection))
                back.start()
                while data := self.rfile.read1(4096):
                    board.sendall(data)
                board.shutdown(socket.SHUT_WR)
                back.join()

    class Proxy(socketserver.ThreadingTCPServer):
        allow_reuse_address = daemon_threads = True

    with Proxy(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}{prefix}/"
        server.shutdown()


def pump(source, target):
    """Copy bytes until the end, then close the connection."""
    with contextlib.suppress(OSError):
        while data := source.recv(4096):
            target.sendall(data)
        target.shutdown(socket.SHUT_RDWR)


@pytest.fixture(scope="module")
def board(make_board, certs):
    # An RGB LED; five pages with TLS need more memory than most boards have.
    config = {"broadcast": {"interval": 0}, "demo": {"led_pin": 18, "led_kind": "neopixel"}}
    return make_board(config=config, heap="256k", certs=certs)


@pytest.fixture(scope="module")
def browser(tmp_path_factory, certs):
    """One browser for the module. While it runs, this thread has an event loop, which tests in
    other modules must not see.
    """
    if not chromium.find():
        pytest.skip(f"there is no browser: none of {', '.join(chromium.NAMES)} is on the PATH")
    home = tmp_path_factory.mktemp("home")
    trusting = chromium.trust(home, certs / "ca.pem")
    with playwright_api.sync_playwright() as playwright:
        found = chromium.launch(playwright, home)
        found.is_trusting = trusting
        yield found
        found.close()


@pytest.fixture
def open_page(browser, board):
    """open_page(url, before=..., **options) -> a connected page in a browser context of its own.

    options: of the context. before(page) is called before it loads. Its errors are in
    page.complaints.
    """
    contexts = []

    def start(url=None, before=None, connected=True, **options):
        contexts.append(browser.new_context(**{**DESKTOP, **options}))
        page = contexts[-1].new_page()
        listen(page)
        if before:
            before(page)
        page.goto(url or board.http_url)
        if connected:
            wait_connected(page)
        return page

    yield start
    for context in contexts:
        context.close()


def wait_connected(page):
    """Wait until the page knows its id."""
    expect(page.locator("#state-text")).to_have_text("Connected")
    expect(page.locator(".you")).to_have_count(1)


def number_of(page):
    """Return the id of a page's client."""
    text = page.locator("li", has=page.locator(".you")).locator(".number").inner_text()
    return int(text.lstrip("#"))


def say(page, text, to=None):
    if to is not None:
        page.select_option("#to", str(to))
    page.fill("#text", text)
    page.click("#chat button")


def messages(page):
    return page.locator("#message-list li > p:last-child")


# --- loading


def test_the_page_loads_and_connects_without_an_error(open_page):
    page = open_page()
    expect(page.locator("h1")).to_be_visible()
    expect(page.locator("#count")).to_have_text("1")
    assert page.complaints == []


def test_the_page_is_one_file_and_loads_nothing_else(open_page, board):
    asked = []
    open_page(before=lambda page: page.on("request", lambda request: asked.append(request.url)))
    assert [url for url in asked if not url.startswith("data:")] == [board.http_url]


def test_the_page_works_when_its_files_are_copied_unchanged(open_page, make_board):
    board = make_board(config={"broadcast": {"interval": 0}}, heap="192k")
    board.wait_for_log("serving ws://")  # by then the start has found /www
    shutil.rmtree(board.flash / "www")
    shutil.copytree(ROOT / "www", board.flash / "www")
    page = open_page(board.http_url)
    assert page.complaints == []


def test_the_page_works_behind_a_path_prefix_of_a_proxy(open_page, board):
    with prefix_proxy("/board", board.address, board.http_port) as url:
        page = open_page(url)
        assert page.complaints == []
        page.goto(url + "settings.html")
        page.get_by_label("Admin password").fill("wrong horse")
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("alert")).to_have_text("Wrong password.")


def test_all_pages_together_take_at_most_30_kb_of_flash(board):
    files = [path for path in (board.flash / "www").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 30 * 1024
    assert {path.suffix for path in files} == {".gz"}


def test_an_unchanged_page_is_not_sent_again(open_page):
    page = open_page()
    network = page.context.new_cdp_session(page)
    network.send("Network.enable")
    statuses = []
    network.on(
        "Network.responseReceivedExtraInfo", lambda event: statuses.append(event["statusCode"])
    )
    with page.expect_navigation():
        page.evaluate("location.href = location.href")  # reload() would ask for all of it
    wait_connected(page)
    assert statuses[0] == 304


def test_the_first_paint_takes_less_than_a_second_on_a_slow_link(open_page, board):
    """Lighthouse's slow phone: a round trip of 150 ms, 1.6 Mbit/s."""
    page = open_page(connected=False, **PHONE)
    link = page.context.new_cdp_session(page)
    link.send("Network.enable")
    slow = {"offline": False, "latency": 150, "downloadThroughput": 2e5, "uploadThroughput": 2e5}
    link.send("Network.emulateNetworkConditions", slow)
    link.send("Network.setCacheDisabled", {"cacheDisabled": True})
    times = []
    while not times or (min(times) >= 1000 and len(times) < 3):  # the machine may be busy
        page.reload()
        page.wait_for_function(
            "() => performance.getEntriesByName('first-contentful-paint').length"
        )
        script = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
        times.append(page.evaluate(script))
    assert min(times) < 1000


def test_an_https_page_connects_by_wss(open_page, board, browser):
    urls = []
    page = open_page(
        board.https_url,
        before=lambda page: page.on("websocket", lambda opened: urls.append(opened.url)),
        ignore_https_errors=not browser.is_trusting,
    )
    assert urls == [f"wss://{board.address}:{board.https_port}/demo"]
    assert page.complaints == []


def test_the_content_security_policy_blocks_other_scripts(open_page):
    page = open_page()
    page.evaluate(
        "const script = document.createElement('script');"
        "script.textContent = 'document.title = \"taken over\"';"
        "document.body.append(script)"
    )
    assert page.title() != "taken over"
    assert any("Content Security Policy" in text for text in page.complaints)


# --- what it does


def test_a_raw_message_and_its_answer_are_in_the_log(open_page):
    page = open_page()
    page.click("#frames-card summary")
    page.check("#all")
    page.fill("#frame", '{"echo": "how are you"}')
    page.click("#raw button")
    expect(page.locator("#frames .out", has_text="how are you")).to_have_count(1)
    answers = page.locator("#frames li:not(.out)", has_text="how are you")
    expect(answers).to_have_count(1)


def test_the_message_log_is_bounded(open_page):
    page = open_page()
    page.click("#frames-card summary")
    page.check("#all")
    # At once, before other messages arrive.
    count, first = page.evaluate(
        """() => {
          for (let n = 0; n < 300; n++) showFrame("frame " + n, false, false);
          const items = document.querySelectorAll("#frames li");
          return [items.length, items[0].textContent];
        }"""
    )
    assert (count, first) == (200, "received: frame 299")


def test_all_pages_show_the_state_of_the_led(open_page):
    one, other = open_page(), open_page(**PHONE)
    switches = [page.get_by_role("switch", name="LED") for page in (one, other)]
    was = switches[0].get_attribute("aria-checked")
    other_way = {"true": "false", "false": "true"}[was]
    switches[0].click()
    for switch in switches:
        expect(switch).to_have_attribute("aria-checked", other_way)
    switches[1].click()
    for switch in switches:
        expect(switch).to_have_attribute("aria-checked", was)


def test_two_pages_that_switch_the_led_at_once_agree_in_the_end(open_page):
    pages = [open_page(), open_page()]
    for page in pages:
        page.evaluate("frames = []")
    for page in pages:
        page.evaluate("sendLed('on')")
    for page in pages:
        seen = 'frames.filter((frame) => !frame.isOut && /"type": ?"led"/.test(frame.text))'
        page.wait_for_function(f"() => {seen}.length === 2")
        assert page.locator("#led").get_attribute("aria-checked") == "true"


def test_led_clicks_made_while_the_board_hangs_are_not_executed_later(open_page, board):
    page = open_page()
    was = page.locator("#led").get_attribute("aria-checked")
    page.evaluate("clock -= 60000")  # as if the command had been sent a minute ago
    page.locator("#led").click()
    expect(page.locator("#note")).to_contain_text("stale")
    assert page.locator("#led").get_attribute("aria-checked") == was


def test_all_pages_show_the_number_of_clients(open_page):
    pages = [open_page() for _ in range(3)]
    for page in pages:
        expect(page.locator("#people-title")).to_have_text("3 connected")
        expect(page.locator("#people li")).to_have_count(3)
    pages.pop().context.close()
    for page in pages:
        expect(page.locator("#people-title")).to_have_text("2 connected")


def test_a_message_to_everyone_reaches_all_pages(open_page):
    pages = [open_page() for _ in range(3)]
    say(pages[0], "good morning")
    for page in pages:
        expect(messages(page)).to_have_text(["good morning"])
    expect(pages[0].locator("#text")).to_have_value("")


def test_a_private_message_reaches_only_its_receiver(open_page):
    sender, receiver, third = (open_page() for _ in range(3))
    say(sender, "between us", to=number_of(receiver))
    expect(messages(receiver)).to_have_text(["between us"])
    expect(messages(sender)).to_have_text(["between us"])
    say(sender, "to all", to="")
    expect(messages(third)).to_have_text(["to all"])  # and so nothing else came before it


def test_a_message_to_a_client_that_has_left_is_not_sent(open_page):
    sender, receiver = open_page(), open_page()
    sender.select_option("#to", str(number_of(receiver)))
    receiver.context.close()
    expect(sender.locator("#people li")).to_have_count(1)
    say(sender, "are you there")
    expect(sender.locator("#note")).to_contain_text("has left")
    expect(sender.locator("#text")).to_have_value("are you there")


def test_a_name_is_shown_to_all_and_survives_a_reload(open_page):
    page, other = open_page(), open_page()
    page.fill("#name", "Ann")
    page.click("#naming button")
    expect(other.locator("#people")).to_contain_text("Ann")
    page.reload()
    wait_connected(page)
    expect(other.locator("#people")).to_contain_text("Ann")
    say(page, "me again")
    expect(other.locator("#message-list .who")).to_contain_text("Ann")


def test_html_of_other_users_is_shown_as_text(open_page):
    page, other = open_page(), open_page()
    evil = "<img src=x onerror='document.title=1'><b>bold</b>"
    other.fill("#name", "<i>x</i>")
    other.click("#naming button")
    say(other, evil)
    expect(messages(page)).to_have_text([evil])
    expect(page.locator("#people")).to_contain_text("<i>x</i>")
    assert page.locator("#people i, #message-list b, #message-list img").count() == 0


def test_the_charts_are_updated(open_page):
    page = open_page()
    drawn = "[...document.querySelectorAll('canvas')].map((canvas) => canvas.toDataURL())"
    values = page.locator("figcaption b")
    for index in range(4):
        expect(values.nth(index)).to_have_text(re.compile(r"\d"))
    before = page.evaluate(drawn)
    assert len(set(before)) > 1
    page.wait_for_function(
        f"(before) => {drawn}.every((now, index) => now !== before[index])", arg=before
    )
    for canvas in page.locator("canvas").all():
        assert re.search(r": .*\d.* lately", canvas.get_attribute("aria-label"))


def test_the_page_works_with_the_keyboard_alone(open_page):
    page = open_page()
    was = page.locator("#led").get_attribute("aria-checked")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    for _ in range(10):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "led":
            break
    page.keyboard.press("Space")
    expect(page.locator("#led")).not_to_have_attribute("aria-checked", was)
    page.keyboard.press("Space")
    expect(page.locator("#led")).to_have_attribute("aria-checked", was)
    for _ in range(10):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "text":
            break
    page.keyboard.type("no mouse")
    page.keyboard.press("Enter")
    expect(messages(page)).to_have_text(["no mouse"])
    expect(page.locator("#text")).to_be_focused()


# --- without a connection


def test_after_a_restart_the_page_reconnects_and_keeps_the_draft(open_page, board):
    page = open_page()
    page.fill("#name", "Bob")
    page.click("#naming button")
    expect(page.locator("#people")).to_contain_text("Bob")
    page.fill("#text", "half a sentence")
    board.soft_reset()
    expect(page.locator("#state-text")).to_have_text("Not connected")
    wait_connected(page)
    expect(page.locator("#text")).to_have_value("half a sentence")
    expect(page.locator("#people")).to_contain_text("Bob")
    page.reload()
    wait_connected(page)
    expect(page.locator("#text")).to_have_value("half a sentence")
    page.click("#chat button")
    expect(messages(page)).to_have_text(["half a sentence"])


def test_an_unconfirmed_message_returns_to_its_field(open_page, board):
    page = open_page()
    os.kill(board.pid, signal.SIGSTOP)  # TCP still takes what is sent
    say(page, "into the void")
    expect(page.locator("#text")).to_have_value("")
    page.keyboard.type("more")
    board.power_cycle()
    expect(page.locator("#text")).to_have_value("into the void more")
    expect(page.locator("#note")).to_contain_text("may not have been delivered")
    wait_connected(page)
    assert messages(page).count() == 0


def test_a_silent_board_counts_as_gone_and_is_tried_again(open_page, board):
    page = open_page(before=lambda page: page.clock.install())
    os.kill(board.pid, signal.SIGSTOP)
    try:
        page.clock.run_for(20_000)  # the page's own seconds
        expect(page.locator("#state-text")).not_to_have_text("Connected")
    finally:
        os.kill(board.pid, signal.SIGCONT)
    page.clock.resume()
    wait_connected(page)


def test_a_message_typed_without_a_connection_stays(open_page, board):
    page = open_page()
    page.route_web_socket(re.compile("/demo"), lambda socket: socket.close(code=1001))
    page.reload()
    expect(page.locator("#state-text")).to_have_text("Not connected")
    say(page, "too early")
    expect(page.locator("#note")).to_contain_text("stays here")
    expect(page.locator("#text")).to_have_value("too early")


def test_without_memory_for_the_demo_the_page_offers_the_echo(open_page):
    def refuse(page):
        page.route_web_socket(re.compile("/demo"), lambda socket: socket.close(code=1013))

    page = open_page(before=refuse, connected=False)
    expect(page.get_by_role("alert").filter(has_text="not have enough memory")).to_be_visible()
    page.get_by_role("button", name="Use the plain echo").click()
    expect(page.locator("#state-text")).to_have_text("Connected")
    say(page, "hello?")
    expect(messages(page)).to_have_text(["hello?", "hello?"])
    assert page.locator("#led-card").is_hidden()


def test_on_a_full_board_the_page_waits_for_a_free_slot(open_page):
    pages = [open_page() for _ in range(5)]
    late = open_page(connected=False)
    expect(late.locator("#state-more")).to_contain_text("has no free slot")
    pages[0].context.close()
    wait_connected(late)


# --- accessibility and layout


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_axe_finds_no_violation(open_page, size, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = open_page(color_scheme=scheme, **size)
    say(page, "hello")
    expect(messages(page)).to_have_text(["hello"])
    page.click("#frames-card summary")
    expect(page.locator("figcaption b").first).to_have_text(re.compile(r"\d"))
    results = axe.run(page)
    assert results.violations_count == 0, results.generate_report()
    page.evaluate("link.leave(); showState('refused', {why: 'For a reason.'})")
    results = axe.run(page)
    assert results.violations_count == 0, results.generate_report()
    page.evaluate("showState('waiting', {why: '', delay: 5000})")
    results = axe.run(page)
    assert results.violations_count == 0, results.generate_report()


def test_the_page_fits_the_width_of_the_screen(open_page):
    page = open_page()
    say(page, "w" * 300)
    expect(messages(page)).to_have_count(1)
    for width in (320, 390, 800, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_backoff_grows_up_to_ten_seconds(open_page):
    page = open_page()
    page.evaluate(
        "link.connect = () => 0; link.leave();"
        "window.delays = []; link.report = (state, {delay}) => delays.push(delay); 0"
    )
    page.evaluate("for (let n = 0; n < 8; n++) link.retry('')")
    delays = page.evaluate("delays")
    assert delays[0] <= 625
    assert all(later > earlier for earlier, later in zip(delays[:4], delays[2:6], strict=True))
    assert all(7500 <= delay <= 12500 for delay in delays[-2:])


def test_a_page_that_is_online_again_tries_at_once(open_page):
    page = open_page()
    page.evaluate("link.leave(); link.delay = 10000; link.retry('')")
    expect(page.locator("#state-text")).to_have_text("Not connected")
    started = time.monotonic()
    page.evaluate("window.dispatchEvent(new Event('online'))")
    wait_connected(page)
    assert time.monotonic() - started < 7
