"""The settings page in a real browser, served by a live board."""

import json

import pytest

from tests.browser.complaints import listen
from tools.docs import browser as chromium

playwright_api = pytest.importorskip(
    "playwright.sync_api", reason="playwright has no wheel for this machine"
)
expect = playwright_api.expect
expect.set_options(timeout=20_000)  # a loaded machine is no reason to fail

SECRET = "correct hörse"
PHONE = {"viewport": {"width": 390, "height": 844}}
DESKTOP = {"viewport": {"width": 1280, "height": 800}}


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """Gone with the module, as in test_page.py."""
    if not chromium.find():
        pytest.skip(f"there is no browser: none of {', '.join(chromium.NAMES)} is on the PATH")
    with playwright_api.sync_playwright() as playwright:
        found = chromium.launch(playwright, tmp_path_factory.mktemp("home"))
        yield found
        found.close()


@pytest.fixture(scope="module")
def make(make_board):
    """A board with the admin's password, and these settings beside it."""

    def make(**config):
        config = {"broadcast": {"interval": 0}, "admin": {"password": SECRET}, **config}
        return make_board(config=config)

    return make


@pytest.fixture(scope="module")
def board(make):
    """A board on which nothing is changed."""
    return make()


@pytest.fixture
def open_page(browser):
    """open_page(board, **options) -> its settings page, without the password; what it complains of
    is in page.complaints.
    """
    contexts = []

    def start(board, **options):
        contexts.append(browser.new_context(**{**DESKTOP, **options}))
        page = contexts[-1].new_page()
        listen(page)
        page.goto(board.http_url + "settings.html")
        return page

    yield start
    for context in contexts:
        context.close()


def log_in(page, password=SECRET):
    page.get_by_label("Admin's password").fill(password)
    page.get_by_role("button", name="Open").click()


def opened(page):
    log_in(page)
    expect(page.get_by_role("group", name="Wi-Fi")).to_be_visible()
    return page


def field(page, group, label):
    return page.get_by_role("group", name=group, exact=True).get_by_label(label, exact=True)


def save(page):
    page.get_by_role("button", name="Save and restart").click()


def config_of(board):
    return json.loads((board.flash / "config.json").read_text())


def test_the_page_loads_without_a_complaint_and_asks_for_the_password(open_page, board):
    page = open_page(board)
    expect(page.get_by_label("Admin's password")).to_be_visible()
    expect(page.get_by_role("group", name="Wi-Fi")).to_have_count(0)
    assert page.complaints == []


def test_the_boards_page_leads_to_it_and_it_leads_back(open_page, board):
    page = open_page(board)
    page.get_by_role("link", name="To the board's page").click()
    page.get_by_role("link", name="Settings").click()
    expect(page.get_by_role("heading", name="Settings", exact=True)).to_be_visible()


def test_a_wrong_password_is_said_and_after_five_one_has_to_wait(open_page, make):
    page = open_page(make())
    for _ in range(5):
        log_in(page, "wrong horse")
        expect(page.get_by_role("alert")).to_have_text("That is not the password.")
    log_in(page)
    expect(page.get_by_role("alert")).to_contain_text("Wait a minute")
    expect(page.get_by_role("group", name="Wi-Fi")).to_have_count(0)


def test_where_the_admin_is_switched_off_the_page_says_so(open_page, make_board):
    page = open_page(make_board(config={"admin": {"enabled": False}}))
    log_in(page)
    expect(page.get_by_role("alert")).to_contain_text("admin.enabled is off")


def test_saved_settings_are_in_force_after_the_restart_and_the_page_finds_the_board_again(
    open_page, make
):
    board = make(mine={"kept": True}, broadcast={"interval": 5, "text": "before"})
    page = opened(open_page(board, **PHONE))
    position = board.log_position
    field(page, "Broadcast", "Every so many seconds").fill("0.5")
    field(page, "Broadcast", "What is sent to everyone at /ws").fill("Grüße 🦁 {}")
    field(page, "Server", "Clients at the same time").fill("4")
    field(page, "https:// and wss://", "Serve them, where there is a certificate").uncheck()
    expect(page.get_by_text("4 changed, not saved yet.")).to_be_visible()
    save(page)
    expect(page.get_by_role("heading", name="Saved")).to_be_focused()
    board.wait_for_log("serving", since=position)
    expect(page.get_by_text("The board is back.")).to_be_visible()
    assert config_of(board) == {
        "admin": {"password": SECRET},
        "broadcast": {"interval": 0.5, "text": "Grüße 🦁 {}"},
        "mine": {"kept": True},
        "server": {"max_clients": 4},
        "tls": {"enabled": False},
    }
    page.get_by_role("link", name="To the board's page").last.click()
    page.get_by_role("link", name="Settings").click()
    opened(page)
    expect(field(page, "Broadcast", "Every so many seconds")).to_have_value("0.5")


def test_a_new_wifi_and_password_are_used_and_the_page_says_what_to_join(open_page, make):
    board = make(mine={"kept": True})
    page = opened(open_page(board))
    position = board.log_position
    field(page, "Wi-Fi", "Name of its own Wi-Fi").fill("Löwe")
    field(page, "Wi-Fi", "Password of its own Wi-Fi").select_option("one of your own")
    field(page, "Wi-Fi", "Password of its own Wi-Fi: the new one").fill("another horse")
    save(page)
    expect(page.get_by_text('join "Löwe" again')).to_be_visible()
    board.wait_for_log(r"access point 'L\\xf6we', password as in config.json", since=position)
    assert config_of(board)["wifi"] == {"ssid": "Löwe", "password": "another horse"}


def test_wrong_values_are_shown_at_their_fields_and_nothing_is_changed(open_page, board):
    before = (board.flash / "config.json").read_bytes()
    page = opened(open_page(board))
    port, interval = (
        field(page, "Server", "Port"),
        field(page, "Broadcast", "Every so many seconds"),
    )
    port.fill("eighty")
    interval.fill("-1")
    field(page, "Wi-Fi", "The board").select_option("joins a Wi-Fi that is there")
    save(page)
    expect(port).to_have_accessible_description("Must be a whole number from 1 to 65535.")
    expect(port).to_have_attribute("aria-invalid", "true")
    expect(interval).to_have_accessible_description("Must be a number from 0 to 86400. 0: never.")
    network = field(page, "Wi-Fi", "Name of the Wi-Fi to join")
    expect(network).to_have_accessible_description("Needed for mode 'station'.")
    expect(network).to_be_focused()
    assert (board.flash / "config.json").read_bytes() == before
    # What was right now is not complained of any more.
    port.fill("8080")
    save(page)
    expect(interval).to_have_attribute("aria-invalid", "true")
    expect(port).not_to_have_attribute("aria-invalid", "true")
    assert (board.flash / "config.json").read_bytes() == before


def test_a_wrong_value_among_the_seldom_used_fields_is_brought_into_sight(open_page, board):
    page = opened(open_page(board))
    group = page.get_by_role("group", name="Wi-Fi")
    group.get_by_text("More").click()
    channel = field(page, "Wi-Fi", "Channel")
    channel.fill("99")
    group.get_by_text("More").click()
    expect(channel).to_be_hidden()
    save(page)
    expect(channel).to_be_focused()


def test_no_password_of_the_board_ever_reaches_the_page(open_page, make):
    own = {"password": "of its own", "station_password": "of the other"}
    board = make(wifi=own)
    page = open_page(board)
    heard = []
    page.on(
        "websocket", lambda one: one.on("framereceived", lambda frame: heard.append(str(frame)))
    )
    opened(page)
    said = "".join(heard)
    assert "station_timeout" in said
    assert not [word for word in (*own.values(), SECRET) if word in said]
    password = field(page, "Wi-Fi", "Password of its own Wi-Fi")
    expect(password.locator("option").first).to_have_text("unchanged: your own")


def test_what_was_typed_stays_when_the_board_was_restarted_meanwhile_and_is_saved_then(
    open_page, make
):
    board = make(mine={"kept": True})
    page = opened(open_page(board))
    field(page, "Broadcast", "What is sent to everyone at /ws").fill("typed before")
    position = board.log_position
    board.power_cycle()
    board.wait_for_log("serving", since=position)
    save(page)
    expect(page.get_by_role("heading", name="Saved")).to_be_visible()
    assert config_of(board)["broadcast"]["text"] == "typed before"


def test_the_page_works_by_keyboard_alone(open_page, board):
    page = open_page(board)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="To the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type(SECRET)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="All settings")).to_be_focused()
    page.keyboard.press("Tab")
    expect(field(page, "Wi-Fi", "The board")).to_be_focused()


@pytest.mark.parametrize("size, scheme", [(PHONE, "light"), (DESKTOP, "dark")], ids=str)
def test_axe_finds_no_violation(open_page, board, size, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = open_page(board, color_scheme=scheme, **size)
    results = axe.run(page)
    assert results.violations_count == 0, results.generate_report()
    opened(page)
    for summary in page.locator("summary").all():
        summary.click()
    field(page, "Wi-Fi", "Password of its own Wi-Fi").select_option("one of your own")
    field(page, "Server", "Port").fill("0")
    save(page)
    expect(field(page, "Server", "Port")).to_have_attribute("aria-invalid", "true")
    results = axe.run(page)
    assert results.violations_count == 0, results.generate_report()


@pytest.mark.parametrize("width", [320, 1280])
def test_nothing_is_cut_off_on_a_screen_of_any_width(open_page, board, width):
    page = opened(open_page(board, viewport={"width": width, "height": 800}))
    for summary in page.locator("summary").all():
        summary.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
