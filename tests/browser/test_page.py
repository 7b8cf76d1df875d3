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

from tests.browser.pages import assert_accessible, cut_off, expect, playwright_api, width_of
from tools.docs import browser as chromium

ROOT = Path(__file__).resolve().parents[2]
PHONE = {"viewport": {"width": 390, "height": 844}}
SMALL = {"viewport": {"width": 320, "height": 568}}
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
                while data := self.rfile.read1(4096):  # a connection may be used again
                    if data.startswith(b"GET "):
                        data = data.replace(f" {prefix}/".encode(), b" /", 1)
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
    config["access"] = {"maintenance_tls": False}  # the settings page is opened without TLS, too
    board = make_board(config=config, heap="256k", certs=certs)
    assert board.serves_https(10)  # it is ready as soon as it serves one of the two
    return board


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
def open_page(new_page, board):
    """open_page(url, before=..., **options) -> a connected page in a browser context of its own.

    options: of the context. before(page) is called before it loads. Its errors are in
    page.complaints.
    """

    def start(url=None, before=None, connected=True, **options):
        page = new_page(**{**DESKTOP, **options})
        if before:
            before(page)
        page.goto(url or board.http_url)
        if connected:
            wait_connected(page)
        return page

    return start


def wait_connected(page):
    """Wait until the page knows its id."""
    expect(page.locator("#state-text")).to_have_text("Connected")
    expect(page.locator(".you")).to_have_count(1)


def lamp(page):
    return page.get_by_role("switch", name="LED")


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
    expect(page.locator("#people-title")).to_have_text("1 connected")
    assert page.complaints == []


def test_the_page_is_one_file_and_loads_nothing_else(open_page, board):
    asked = []
    open_page(before=lambda page: page.on("request", lambda request: asked.append(request.url)))
    assert [url for url in asked if not url.startswith("data:")] == [board.http_url]


@pytest.fixture(scope="module")
def unpacked(make_board):
    """A board with the files of www/ as they are."""
    board = make_board(config={"broadcast": {"interval": 0}}, heap="256k")
    board.wait_for_log("serving ws")  # it has found its /www, and may listen before that
    shutil.rmtree(board.flash / "www")
    shutil.copytree(ROOT / "www", board.flash / "www")
    return board


def test_the_page_works_when_its_files_are_copied_unchanged(open_page, unpacked):
    page = open_page(unpacked.http_url)
    assert page.complaints == []


def test_the_page_works_behind_a_path_prefix_of_a_proxy(open_page, board):
    with prefix_proxy("/board", board.address, board.http_port) as url:
        page = open_page(url)
        assert page.complaints == []
        page.goto(url + "settings.html")
        page.get_by_label("Admin password").fill("wrong horse")
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("alert")).to_have_text("Wrong password.")


def test_all_pages_together_take_at_most_56_kb_of_flash(board):
    files = [path for path in (board.flash / "www").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 56 * 1024
    assert {path.suffix for path in files} == {".gz"}


def test_the_page_takes_at_most_20_kb_over_the_air(open_page):
    sizes = []

    def listen_to_network(page):
        network = page.context.new_cdp_session(page)
        network.send("Network.enable")
        network.on(
            "Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"])
        )

    open_page(before=listen_to_network)
    assert 5_000 < sum(sizes) <= 20 * 1024


def test_the_boards_name_is_in_the_title_heading_and_icon(open_page):
    page = open_page()
    expect(page).to_have_title("esp32-ws")
    expect(page.get_by_role("heading", level=1)).to_have_text("esp32-ws")
    assert "svg" in page.locator("#icon").get_attribute("href")


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
    assert urls == [f"wss://{board.address}:{board.https_port}/panel"]
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
    page.click("#log-card summary")
    page.check("#log-all")
    page.fill("#raw-text", '{"set": 0, "value": 5}')
    page.click("#raw button")
    expect(page.locator("#log .out", has_text='"value": 5')).to_have_count(1)
    answers = page.locator("#log li:not(.out)", has_text="must be true or false")
    expect(answers).to_have_count(1)


def test_the_message_log_is_bounded(open_page):
    page = open_page()
    page.click("#log-card summary")
    page.check("#log-all")
    page.evaluate(
        """() => {
          for (let n = 0; n < 120; n++) {
            document.getElementById("raw-text").value = "text " + n;
            document.querySelector("#raw button").click();
          }
        }"""
    )
    expect(page.locator("#log li:not(.out)", has_text="text 119")).to_have_count(1)
    assert page.locator("#log li").count() == 200


def test_all_pages_show_the_state_of_the_led(open_page):
    one, other = open_page(), open_page(**PHONE)
    was = lamp(one).get_attribute("aria-checked")
    other_way = {"true": "false", "false": "true"}[was]
    lamp(one).click()
    for page in (one, other, open_page()):
        expect(lamp(page)).to_have_attribute("aria-checked", other_way)
    lamp(other).click()
    for page in (one, other):
        expect(lamp(page)).to_have_attribute("aria-checked", was)


def test_the_colour_of_the_led_is_the_same_in_all_pages(open_page):
    one, other = open_page(), open_page()
    one.get_by_label("LED colour").fill("#1080f0")
    expect(other.get_by_label("LED colour")).to_have_value("#1080f0")
    expect(lamp(other)).to_have_attribute("aria-checked", "true")
    lamp(other).click()


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
    rename(page, "Ann")
    expect(other.locator("#people")).to_contain_text("Ann")
    page.reload()
    wait_connected(page)
    expect(other.locator("#people")).to_contain_text("Ann")
    say(page, "me again")
    expect(other.locator("#message-list .who")).to_contain_text("Ann")


def rename(page, name):
    page.fill("#name", name)
    page.click("#naming button")


def test_two_clients_with_the_same_name_are_told_apart(open_page):
    one, two, reader = (open_page() for _ in range(3))
    for page in (one, two):
        rename(page, "Ann")
    expect(reader.locator("#people li", has_text="Ann")).to_have_count(2)
    for page in (one, two):
        say(page, f"from {number_of(page)}")
        head = reader.locator("#message-list li", has_text=f"from {number_of(page)}")
        expect(head.locator(".who")).to_contain_text(f"Ann #{number_of(page)}")
    labels = reader.locator("#to option").all_inner_texts()
    assert labels[1:] == [f"Ann #{number_of(page)}" for page in (one, two)]


def test_html_of_other_users_is_shown_as_text(open_page):
    page, other = open_page(), open_page()
    evil = "<img src=x onerror='document.title=1'><b>bold</b>"
    rename(other, "<i>x</i>")
    say(other, evil)
    expect(messages(page)).to_have_text([evil])
    expect(page.locator("#people")).to_contain_text("<i>x</i>")
    assert page.locator("#people i, #message-list b, #message-list img").count() == 0


@pytest.mark.parametrize(
    "name", ["\u202egnp.exe", "\u05e9\u05dc\u05d5\u05dd"], ids=["override", "hebrew"]
)
def test_a_name_from_right_to_left_does_not_turn_its_surroundings(open_page, name):
    page, other = open_page(), open_page()
    rename(other, name)
    say(other, name + " 123")
    expect(messages(page)).to_have_count(1)
    left = "(one) => one.getBoundingClientRect().left"
    line = page.locator("#people li", has=page.locator("button"))
    expect(line.locator("bdi")).to_have_text(name)
    assert line.locator("bdi").evaluate(left) < line.locator(".number").evaluate(left)
    who = page.locator("#message-list .who bdi")
    assert who.nth(0).evaluate(left) < who.nth(1).evaluate(left)


def test_the_charts_have_a_range_a_time_axis_and_units(open_page):
    page = open_page()
    drawn = "[...document.querySelectorAll('canvas')].map((canvas) => canvas.toDataURL())"
    expect(page.locator("figure")).to_have_count(4)
    for figure in page.locator("figure").all():
        expect(figure.locator("figcaption b")).to_have_text(re.compile(r"\d"))
        expect(figure.locator(".range span").first).to_have_text(re.compile(r"\d"))
        expect(figure.locator(".times")).to_have_text("2\u00a0min agonow")
        assert re.search(
            r": .*\d.*, from .* to ", figure.locator("canvas").get_attribute("aria-label")
        )
    cpu = page.locator("figure", has_text="CPU")
    expect(cpu.locator(".range")).to_have_text("100\u00a0%0\u00a0%")
    before = page.evaluate(drawn)
    page.wait_for_function(f"(before) => {drawn}.some((now, n) => now !== before[n])", arg=before)


def test_the_largest_free_block_is_named_as_the_systems(open_page):
    page = open_page()
    widget = page.locator(".widget", has_text="Largest free block of the system's heap")
    expect(widget.locator("output")).to_have_text(re.compile(r"[\d.]+\u00a0KB"))


def test_the_page_works_with_the_keyboard_alone(open_page):
    page = open_page()
    was = lamp(page).get_attribute("aria-checked")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    tab_to(page, "document.activeElement.role === 'switch'")
    page.keyboard.press("Space")
    expect(lamp(page)).not_to_have_attribute("aria-checked", was)
    page.keyboard.press("Space")
    expect(lamp(page)).to_have_attribute("aria-checked", was)
    tab_to(page, "document.activeElement.id === 'text'")
    page.keyboard.type("no mouse")
    page.keyboard.press("Enter")
    expect(messages(page)).to_have_text(["no mouse"])
    expect(page.locator("#text")).to_be_focused()


def tab_to(page, condition):
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate(condition):
            return
    raise AssertionError(f"Tab does not lead to {condition}")


# --- without a connection


def test_after_a_restart_the_page_reconnects_and_keeps_the_draft(open_page, board):
    page = open_page()
    rename(page, "Bob")
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
    with no_connection(page, board):
        say(page, "too early")
        expect(page.locator("#note")).to_contain_text("stays here")
        expect(page.locator("#text")).to_have_value("too early")


@contextlib.contextmanager
def no_connection(page, board):
    """Restart a board, and let it hang before it serves again."""
    os.kill(board.pid, signal.SIGSTOP)
    stopped = board.pid
    board.power_cycle()
    while board.pid == stopped:
        time.sleep(0.01)
    os.kill(board.pid, signal.SIGSTOP)
    try:
        expect(page.locator("#state-text")).to_have_text("Not connected")
        yield
    finally:
        os.kill(board.pid, signal.SIGCONT)
        board.wait_ready()


def test_controls_are_disabled_with_a_reason_while_offline(open_page, board):
    page = open_page()
    expect(lamp(page)).to_be_enabled()
    with no_connection(page, board):
        expect(lamp(page)).to_be_disabled()
        expect(lamp(page)).to_have_attribute("title", re.compile("this control is disabled"))
        sentences = r"Not connected(: \w[^.]*\w)?\. Trying (again( in \d+ s)?\. Controls .*|now)\."
        expect(page.locator("#state p")).to_have_text(re.compile(f"^{sentences}$"))
        expect(page.locator("#state-more")).to_contain_text("Controls are disabled.")
        assert page.locator(".widget[data-state='current']").count() == 0
    wait_connected(page)
    expect(lamp(page)).to_be_enabled()
    expect(page.locator(".widget[data-state='stale']")).to_have_count(0)


def test_a_hanging_board_is_shown_and_a_late_click_is_not_executed(open_page, board):
    page, other = open_page(), open_page()
    was = lamp(page).get_attribute("aria-checked")
    os.kill(board.pid, signal.SIGSTOP)
    try:
        begun = time.monotonic()
        lamp(page).click()
        widget = page.locator(".widget", has=lamp(page))
        expect(widget).to_have_attribute("data-state", "pending")
        expect(widget.locator(".note")).to_have_text("Slow: no answer yet.")
        assert time.monotonic() - begun >= 1.9
        expect(page.locator("#state-text")).to_have_text("No answer")
        answer = re.compile(r"^No answer\. The board has not answered for \d+ s\.$")
        expect(page.locator("#state p")).to_have_text(answer)
        page.wait_for_timeout(max(0, 5.5 - (time.monotonic() - begun)) * 1000)
    finally:
        os.kill(board.pid, signal.SIGCONT)
    expect(widget.locator(".note")).to_contain_text("this command is stale")
    expect(page.locator("#state-text")).to_have_text("Connected")
    for one in (page, other):
        expect(lamp(one)).to_have_attribute("aria-checked", was)


def test_a_command_without_an_answer_may_not_have_arrived(open_page, board):
    page = open_page()
    os.kill(board.pid, signal.SIGSTOP)
    lamp(page).click()
    widget = page.locator(".widget", has=lamp(page))
    board.power_cycle()
    expect(widget.locator(".note")).to_contain_text("may not have arrived")
    wait_connected(page)
    expect(widget.locator(".note")).to_contain_text("may not have arrived")
    lamp(page).click()
    expect(widget.locator(".note")).to_have_text("")
    lamp(page).click()


def test_without_memory_for_the_widgets_the_page_offers_the_echo(open_page):
    def refuse(page):
        page.route_web_socket(re.compile("/panel"), lambda socket: socket.close(code=1013))

    page = open_page(before=refuse, connected=False)
    expect(page.get_by_role("alert").filter(has_text="not have enough memory")).to_be_visible()
    page.get_by_role("button", name="Use the plain echo").click()
    expect(page.locator("#state p")).to_have_text("Connected to the plain echo")
    say(page, "hello?")
    expect(messages(page)).to_have_text(["hello?", "hello?"])
    assert page.locator(".widget").count() == 0


def test_on_a_full_board_the_page_waits_for_a_free_slot(open_page):
    pages = [open_page() for _ in range(5)]
    late = open_page(connected=False)
    text = "Not connected: the board has no free slot. Trying again. Controls are disabled."
    expect(late.locator("#state p")).to_have_text(text)
    pages[0].context.close()
    wait_connected(late)


def test_two_https_pages_share_the_widgets(open_page, board, browser):
    options = {"ignore_https_errors": not browser.is_trusting}
    pages = [open_page(board.https_url, **options) for _ in range(2)]
    was = lamp(pages[0]).get_attribute("aria-checked")
    lamp(pages[0]).click()
    expect(lamp(pages[1])).not_to_have_attribute("aria-checked", was)
    lamp(pages[1]).click()
    expect(lamp(pages[0])).to_have_attribute("aria-checked", was)


def test_the_page_works_on_a_slow_link(open_page):
    """50 KB/s and a round trip of 300 ms."""

    def slow_down(page):
        network = page.context.new_cdp_session(page)
        network.send("Network.enable")
        slow = {"latency": 300, "downloadThroughput": 5e4, "uploadThroughput": 5e4}
        network.send("Network.emulateNetworkConditions", {"offline": False, **slow})

    page = open_page(before=slow_down)
    was = lamp(page).get_attribute("aria-checked")
    lamp(page).click()
    expect(lamp(page)).not_to_have_attribute("aria-checked", was)
    say(page, "slowly")
    expect(messages(page)).to_have_text(["slowly"])
    lamp(page).click()
    expect(lamp(page)).to_have_attribute("aria-checked", was)
    assert page.complaints == []


# --- accessibility and layout


@pytest.mark.parametrize(
    "size, scheme", [(PHONE, "dark"), (DESKTOP, "light")], ids=["phone", "desktop"]
)
def test_axe_finds_no_violation(open_page, board, size, scheme):
    page = open_page(color_scheme=scheme, **size)
    say(page, "hello")
    expect(messages(page)).to_have_text(["hello"])
    page.click("#log-card summary")
    expect(page.locator("figcaption b").first).to_have_text(re.compile(r"\d"))
    assert_accessible(page)
    with no_connection(page, board):
        assert_accessible(page)
    wait_connected(page)
    page.route_web_socket(re.compile("/panel"), lambda socket: socket.close(code=1013))
    page.reload()
    expect(page.locator("#refused")).to_be_visible()
    assert_accessible(page)


def test_the_page_fits_the_width_of_the_screen(open_page):
    page = open_page()
    say(page, "w" * 300)
    expect(messages(page)).to_have_count(1)
    sizes = ((160, 100), (320, 100), (390, 100), (800, 100), (1280, 100), (640, 200), (1280, 200))
    for width, size in sizes:
        page.set_viewport_size({"width": width, "height": 800})
        page.evaluate(f"document.documentElement.style.fontSize = '{size}%'")
        assert width_of(page) <= width


@pytest.mark.parametrize("width", [320, 390, 768])
def test_no_text_of_the_page_is_cut_off(open_page, width):
    page = open_page(viewport={"width": width, "height": 800})
    assert cut_off(page) == []
    heights = "[...document.querySelectorAll('header, .state')].map((one) => one.offsetHeight)"
    before = page.evaluate(heights)
    write = "(one, text) => { one.textContent = text; }"
    about = page.locator("#about")
    about.evaluate(write, "Generic ESP32 module with ESP32 \u00b7 MicroPython 1.29.0")
    assert page.evaluate(heights) == before
    longest = "Generic ESP32S3 module with Octal-SPIRAM with ESP32S3 \u00b7 MicroPython 1.29.0"
    about.evaluate(write, longest)
    page.locator("#board-name").evaluate(write, "board-" * 5)
    assert cut_off(page) == []


def test_at_200_percent_text_a_phone_shows_whole_words(open_page, board):
    page = open_page(viewport={"width": 195, "height": 422})  # as zooming makes it
    label = page.locator(".widget", has=lamp(page)).locator(".label")
    word = page.locator(".widget", has=lamp(page)).locator(".state-word")
    client = page.locator("#people li bdi").first
    for one, lines in ((label, 1), (word, 1), (client, 2)):
        assert one.bounding_box()["height"] <= 30 * lines
    board.power_cycle()
    # Both at once: the text changes with each attempt to connect.
    boxes = """() => {
        const both = [".state p", "#now"].map((one) => document.querySelector(one));
        return !both[1].hidden && both.map((one) => one.getBoundingClientRect().toJSON());
    }"""
    text, button = page.wait_for_function(boxes).json_value()
    assert text["width"] >= 80
    assert text["y"] + text["height"] <= button["y"]
    assert width_of(page) <= 195
    assert page.locator("#board-name").evaluate("(it) => it.scrollWidth <= it.clientWidth")
    wait_connected(page)


def test_a_phone_on_its_side_shows_the_field_above_its_keyboard(open_page):
    page = open_page(viewport={"width": 740, "height": 180})
    page.locator("#text").focus()
    page.locator("#text").scroll_into_view_if_needed()
    box = page.locator("#text").bounding_box()
    assert box["y"] >= 0 and box["y"] + box["height"] <= 180
    assert page.evaluate(
        "(y) => document.elementFromPoint(innerWidth / 2, y).closest('header') === null",
        box["y"] + 5,
    )


def test_forced_colours_show_which_way_a_switch_is(open_page):
    page = open_page(forced_colors="active")
    pictures = []
    for _ in range(2):
        before = lamp(page).get_attribute("aria-checked")
        word = page.locator(".widget", has=lamp(page)).locator(".state-word")
        expect(word).to_have_text({"true": "on", "false": "off"}[before])
        page.mouse.move(0, 0)
        pictures.append(lamp(page).screenshot())
        lamp(page).click()
        expect(lamp(page)).not_to_have_attribute("aria-checked", before)
    assert pictures[0] != pictures[1]
    assert_accessible(page)


SHIFTS = """
window.shifts = [];
new PerformanceObserver((list) => {
  for (const shift of list.getEntries()) {
    if (shift.hadRecentInput) continue;
    const name = (node) => node && (node.id || node.className || node.nodeValue || node.nodeName);
    const moved = ({node, previousRect: from, currentRect: to}) =>
      `${name(node)}: from ${from.x},${from.y} to ${to.x},${to.y}`;
    shifts.push([shift.value, ...shift.sources.map(moved)]);
  }
}).observe({type: "layout-shift", buffered: true});
"""


@pytest.mark.parametrize("size", [SMALL, PHONE, DESKTOP], ids=["320 px", "phone", "desktop"])
def test_nothing_moves_on_load_connect_and_disconnect(open_page, board, size):
    page = open_page(before=lambda page: page.add_init_script(SHIFTS), **size)
    expect(page.locator("figcaption b").last).to_have_text(re.compile(r"\d"))
    other = open_page()
    expect(page.locator("#people li")).to_have_count(2)
    say(other, "hello")
    expect(messages(page)).to_have_count(1)
    other.context.close()
    for _ in range(3):
        board.power_cycle()
        # Looks at each frame: the state lasts for less than a second.
        page.wait_for_function(
            "() => document.querySelector('#state-text').textContent.trim() === 'Not connected'"
            " && !document.querySelector('#now').hidden"
        )
        wait_connected(page)
        expect(page.locator("#people li")).to_have_count(1)
    assert page.evaluate("shifts") == []


def test_the_backoff_grows_up_to_ten_seconds(open_page, unpacked):
    page = open_page(unpacked.http_url)
    delays = page.evaluate(
        """async () => {
          const {Link} = await import("./link.js");
          const delays = [];
          const link = new Link((state, {delay}) => delays.push(delay), () => 0);
          link.connect = () => 0;
          for (let n = 0; n < 8; n++) link.retry("");
          return delays;
        }"""
    )
    assert delays[0] <= 625
    assert all(later > earlier for earlier, later in zip(delays[:4], delays[2:6], strict=True))
    assert all(7500 <= delay <= 12500 for delay in delays[-2:])


def test_a_chart_has_a_gap_where_values_are_missing(open_page, unpacked):
    page = open_page(unpacked.http_url)
    columns = page.evaluate(
        """async () => {
          const {Chart} = await import("./chart.js");
          const chart = new Chart(document.body, {label: "Soil", unit: "%"});
          const values = Array.from({length: 40}, (_, n) => (n >= 15 && n < 25 ? null : 20));
          chart.addHistory({every: 5000, age: 0, values});
          chart.add(20);
          const {width, height} = chart.canvas;
          const pixels = chart.canvas.getContext("2d").getImageData(0, 0, width, height).data;
          return Array.from({length: 40}, (_, part) => {
            const end = Math.floor(width * (part + 1) / 40);
            for (let x = Math.floor(width * part / 40); x < end; x++)
              for (let y = 3; y < height - 3; y++) if (pixels[4 * (y * width + x) + 3]) return 1;
            return 0;
          });
        }"""
    )
    assert columns[5:13] == [1] * 8
    assert columns[17:23] == [0] * 6
    assert columns[28:38] == [1] * 10


def test_a_page_that_is_online_again_tries_at_once(open_page, board):
    page = open_page()
    os.kill(board.pid, signal.SIGSTOP)
    board.power_cycle()
    expect(page.locator("#state-text")).to_have_text("Not connected")
    board.wait_ready()
    page.evaluate("window.dispatchEvent(new Event('online'))")
    wait_connected(page)
