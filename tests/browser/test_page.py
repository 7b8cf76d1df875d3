"""The board's page in a real browser, served by a live board."""

import os
import re
import shutil
import signal
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


@pytest.fixture(scope="module")
def board(make_board, certs):
    # An LED with colours; five pages with TLS want more memory than most boards have.
    config = {"broadcast": {"interval": 0}, "demo": {"led_pin": 18, "led_kind": "neopixel"}}
    return make_board(config=config, heap="256k", certs=certs)


@pytest.fixture(scope="module")
def browser(tmp_path_factory, certs):
    """One browser for all tests here. It is gone with the module: while it is there, this thread
    has an event loop, and others' tests want their own.
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
    """open_page(url, before=..., **options) -> a page of a visitor of its own, connected.

    options: the browser context's. before(page) is called before it loads. What it complains of is
    in page.complaints.
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
    """Until the page has been told its id."""
    expect(page.locator("#state-text")).to_have_text("Connected")
    expect(page.locator(".you")).to_have_count(1)


def number_of(page):
    """The id that a page has at the board."""
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


def test_the_page_loads_connects_and_complains_of_nothing(open_page):
    page = open_page()
    expect(page.locator("h1")).to_be_visible()
    expect(page.locator("#count")).to_have_text("1")
    assert page.complaints == []


def test_the_page_is_one_file_and_asks_nobody_but_the_board(open_page, board):
    asked = []
    open_page(before=lambda page: page.on("request", lambda request: asked.append(request.url)))
    assert [url for url in asked if not url.startswith("data:")] == [board.http_url]


def test_the_page_works_as_well_when_it_is_copied_as_it_is(open_page, board):
    shutil.copytree(ROOT / "www", board.flash / "www" / "plain")
    try:
        page = open_page(board.http_url + "plain/")
        assert page.complaints == []
    finally:
        shutil.rmtree(board.flash / "www" / "plain")


def test_all_pages_together_take_at_most_30_kb_of_flash(board):
    files = [path for path in (board.flash / "www").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 30 * 1024
    assert {path.suffix for path in files} == {".gz"}


def test_a_page_that_has_not_changed_is_not_sent_again(open_page):
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


def test_the_first_paint_comes_within_a_second_on_a_slow_connection(open_page, board):
    """A phone's, as Lighthouse has it: 150 ms there and back, 1.6 Mbit/s."""
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


def test_no_script_runs_but_the_pages_own(open_page):
    page = open_page()
    page.evaluate(
        "const script = document.createElement('script');"
        "script.textContent = 'document.title = \"taken over\"';"
        "document.body.append(script)"
    )
    assert page.title() != "taken over"
    assert any("Content Security Policy" in text for text in page.complaints)


# --- what it does


def test_a_frame_sent_by_hand_is_answered_and_both_are_in_the_log(open_page):
    page = open_page()
    page.click("#frames-card summary")
    page.check("#all")
    page.fill("#frame", '{"echo": "how are you"}')
    page.click("#raw button")
    expect(page.locator("#frames .out", has_text="how are you")).to_have_count(1)
    answers = page.locator("#frames li:not(.out)", has_text="how are you")
    expect(answers).to_have_count(1)


def test_the_log_of_frames_is_bounded(open_page):
    page = open_page()
    page.click("#frames-card summary")
    page.evaluate("for (let n = 0; n < 300; n++) showFrame('frame ' + n, false, false)")
    expect(page.locator("#frames li").first).to_contain_text("frame 299")
    assert page.locator("#frames li").count() == 200


def test_the_led_is_switched_for_everybody(open_page):
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


def test_two_who_switch_the_led_at_once_see_the_same_in_the_end(open_page):
    pages = [open_page(), open_page()]
    was = pages[0].locator("#led").get_attribute("aria-checked")
    for page in pages:
        page.evaluate("frames = []")
    for page in pages:
        page.evaluate("document.getElementById('led').click()")
    for page in pages:
        seen = 'frames.filter((frame) => !frame.isOut && /"type": ?"led"/.test(frame.text))'
        page.wait_for_function(f"() => {seen}.length === 2")
        assert page.locator("#led").get_attribute("aria-checked") == was


def test_everybody_sees_how_many_are_connected(open_page):
    pages = [open_page() for _ in range(3)]
    for page in pages:
        expect(page.locator("#people-title")).to_have_text("3 connected")
        expect(page.locator("#people li")).to_have_count(3)
    pages.pop().context.close()
    for page in pages:
        expect(page.locator("#people-title")).to_have_text("2 connected")


def test_a_message_to_everyone_reaches_everyone(open_page):
    pages = [open_page() for _ in range(3)]
    say(pages[0], "good morning")
    for page in pages:
        expect(messages(page)).to_have_text(["good morning"])
    expect(pages[0].locator("#text")).to_have_value("")


def test_a_message_to_one_reaches_that_one_only(open_page):
    sender, receiver, third = (open_page() for _ in range(3))
    say(sender, "between us", to=number_of(receiver))
    expect(messages(receiver)).to_have_text(["between us"])
    expect(messages(sender)).to_have_text(["between us"])
    say(sender, "to all", to="")
    expect(messages(third)).to_have_text(["to all"])  # and so nothing else came before it


def test_a_message_to_one_who_has_left_comes_back_to_its_author(open_page):
    sender, receiver = open_page(), open_page()
    sender.select_option("#to", str(number_of(receiver)))
    receiver.context.close()
    expect(sender.locator("#people li")).to_have_count(1)
    say(sender, "are you there")
    expect(sender.locator("#note")).to_contain_text("has left")
    expect(sender.locator("#text")).to_have_value("are you there")


def test_a_name_is_shown_to_all_and_outlives_a_reload(open_page):
    page, other = open_page(), open_page()
    page.fill("#name", "Ann")
    page.click("#naming button")
    expect(other.locator("#people")).to_contain_text("Ann")
    page.reload()
    wait_connected(page)
    expect(other.locator("#people")).to_contain_text("Ann")
    say(page, "me again")
    expect(other.locator("#message-list .who")).to_contain_text("Ann")


def test_what_others_write_is_text_whatever_it_looks_like(open_page):
    page, other = open_page(), open_page()
    evil = "<img src=x onerror='document.title=1'><b>bold</b>"
    other.fill("#name", "<i>x</i>")
    other.click("#naming button")
    say(other, evil)
    expect(messages(page)).to_have_text([evil])
    expect(page.locator("#people")).to_contain_text("<i>x</i>")
    assert page.locator("#people i, #message-list b, #message-list img").count() == 0


def test_the_charts_move(open_page):
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


def test_the_page_can_be_used_by_keyboard_alone(open_page):
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


# --- when the board goes away


def test_after_a_restart_the_page_comes_back_by_itself_with_what_was_typed(open_page, board):
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


def test_a_message_that_the_board_never_took_is_back_where_it_was_typed(open_page, board):
    page = open_page()
    os.kill(board.pid, signal.SIGSTOP)  # TCP still takes what is sent
    say(page, "into the void")
    expect(page.locator("#text")).to_have_value("")
    page.keyboard.type("more")
    board.power_cycle()
    expect(page.locator("#text")).to_have_value("into the void more")
    expect(page.locator("#note")).to_contain_text("Not delivered")
    wait_connected(page)
    assert messages(page).count() == 0


def test_a_board_that_falls_silent_is_given_up_and_tried_again(open_page, board):
    page = open_page(before=lambda page: page.clock.install())
    os.kill(board.pid, signal.SIGSTOP)
    try:
        page.clock.run_for(20_000)  # the page's own seconds
        expect(page.locator("#state-text")).not_to_have_text("Connected")
    finally:
        os.kill(board.pid, signal.SIGCONT)
    page.clock.resume()
    wait_connected(page)


def test_what_is_sent_while_nobody_is_connected_stays(open_page, board):
    page = open_page()
    page.route_web_socket(re.compile("/demo"), lambda socket: socket.close(code=1001))
    page.reload()
    expect(page.locator("#state-text")).to_have_text("Not connected")
    say(page, "too early")
    expect(page.locator("#note")).to_contain_text("stays here")
    expect(page.locator("#text")).to_have_value("too early")


def test_where_the_demonstration_has_no_memory_the_page_says_so_and_offers_the_echo(open_page):
    def refuse(page):
        page.route_web_socket(re.compile("/demo"), lambda socket: socket.close(code=1013))

    page = open_page(before=refuse, connected=False)
    expect(page.get_by_role("alert").filter(has_text="no memory")).to_be_visible()
    page.get_by_role("button", name="Use the plain echo").click()
    expect(page.locator("#state-text")).to_have_text("Connected")
    say(page, "hello?")
    expect(messages(page)).to_have_text(["hello?", "hello?"])
    assert page.locator("#led-card").is_hidden()


def test_where_the_board_is_full_the_page_says_so_and_gets_in_when_another_leaves(open_page):
    pages = [open_page() for _ in range(5)]
    late = open_page(connected=False)
    expect(late.locator("#state-more")).to_contain_text("has no place free")
    pages[0].context.close()
    wait_connected(late)


# --- for everyone


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


def test_nothing_sticks_out_at_the_side(open_page):
    page = open_page()
    say(page, "w" * 300)
    expect(messages(page)).to_have_count(1)
    for width in (320, 390, 800, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_page_waits_longer_and_longer_between_attempts(open_page):
    """And no longer than ten seconds, and at once when asked to."""
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


def test_coming_back_to_the_page_tries_at_once(open_page):
    page = open_page()
    page.evaluate("link.leave(); link.delay = 10000; link.retry('')")
    expect(page.locator("#state-text")).to_have_text("Not connected")
    started = time.monotonic()
    page.evaluate("window.dispatchEvent(new Event('online'))")
    wait_connected(page)
    assert time.monotonic() - started < 7
