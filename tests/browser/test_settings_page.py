"""The settings page in a real browser, served by a live board."""

import json
import re

import pytest

from tests.browser.complaints import listen

playwright_api = pytest.importorskip(
    "playwright.sync_api", reason="playwright has no wheel for this machine"
)
expect = playwright_api.expect
expect.set_options(timeout=20_000)  # a loaded machine is no reason to fail

SECRET = "correct hörse"
PHONE = {"viewport": {"width": 390, "height": 844}}
DESKTOP = {"viewport": {"width": 1280, "height": 800}}


@pytest.fixture(scope="module")
def make(make_board):
    """make(**config) -> a board with these settings and the admin password."""

    def make(**config):
        config = {"broadcast": {"interval": 0}, "admin": {"password": SECRET}, **config}
        return make_board(config=config, heap="160k")

    return make


@pytest.fixture(scope="module")
def board(make):
    """A board whose settings no test changes."""
    return make()


@pytest.fixture
def open_page(browser):
    """open_page(board, **options) -> its settings page before the login.

    Its errors are in page.complaints.
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
    page.get_by_label("Admin password").fill(password)
    page.get_by_role("button", name="Log in").click()


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


def test_the_page_loads_without_an_error_and_asks_for_the_password(open_page, board):
    page = open_page(board)
    expect(page.get_by_label("Admin password")).to_be_visible()
    expect(page.get_by_role("group", name="Wi-Fi")).to_have_count(0)
    assert page.complaints == []


def test_the_pages_link_to_each_other(open_page, board):
    page = open_page(board)
    page.get_by_role("link", name="Back to the board's page").click()
    page.get_by_role("link", name="Settings").click()
    expect(page.get_by_role("heading", name="Settings", exact=True)).to_be_visible()


def test_a_wrong_password_is_reported_and_five_block_the_login(open_page, make):
    page = open_page(make())
    for _ in range(5):
        log_in(page, "wrong horse")
        expect(page.get_by_role("alert")).to_have_text("Wrong password.")
    log_in(page)
    expect(page.get_by_role("alert")).to_contain_text("Wait a minute")
    expect(page.get_by_role("group", name="Wi-Fi")).to_have_count(0)


def test_a_disabled_admin_is_reported(open_page, make_board):
    page = open_page(make_board(config={"admin": {"enabled": False}}))
    log_in(page)
    expect(page.get_by_role("alert")).to_contain_text("admin.enabled is off")


def test_saved_settings_take_effect_and_the_page_confirms_them(open_page, make):
    board = make(mine={"kept": True}, broadcast={"interval": 5, "text": "before"})
    page = opened(open_page(board, **PHONE))
    position = board.log_position
    field(page, "Broadcast", "Interval in seconds").fill("0.5")
    field(page, "Broadcast", "Text sent to all clients of /ws").fill("Grüße 🦁 {}")
    field(page, "Server", "Maximum number of clients").fill("4")
    field(page, "https:// and wss://", "Enable TLS if there is a certificate").uncheck()
    expect(page.get_by_text("4 changed, not saved yet.")).to_be_visible()
    save(page)
    expect(page.get_by_role("heading", name="Saved")).to_be_focused()
    board.wait_for_log("serving", since=position)
    expect(page.get_by_text("The board is back, and the settings are confirmed")).to_be_visible()
    assert not list(board.flash.glob("config.undo-*"))
    assert config_of(board) == {
        "admin": {"password": SECRET},
        "broadcast": {"interval": 0.5, "text": "Grüße 🦁 {}"},
        "mine": {"kept": True},
        "server": {"max_clients": 4},
        "tls": {"enabled": False},
    }
    page.get_by_role("link", name="Back to the board's page").last.click()
    page.get_by_role("link", name="Settings").click()
    opened(page)
    expect(field(page, "Broadcast", "Interval in seconds")).to_have_value("0.5")


def test_after_a_change_of_the_network_the_page_says_what_to_join(open_page, make):
    board = make(mine={"kept": True})
    page = opened(open_page(board))
    position = board.log_position
    field(page, "Wi-Fi", "Name of its own network").fill("Löwe")
    field(page, "Wi-Fi", "Password of its own network").select_option("your own")
    field(page, "Wi-Fi", "Password of its own network: new password").fill("another horse")
    save(page)
    expect(page.get_by_text('join "Löwe" again')).to_be_visible()
    address = board.http_url + "settings.html"
    expect(page.get_by_text(f"Log in at {address} within 10 minutes")).to_be_visible()
    board.wait_for_log(r"access point 'L\\xf6we', password as in config.json", since=position)
    assert config_of(board)["wifi"] == {"ssid": "Löwe", "password": "another horse"}


@pytest.mark.parametrize(
    "group, label, value, text, link",
    [
        ("Wi-Fi", "Hostname", "kitchen", "http://kitchen.local/", None),
        ("Server", "Port", "8080", "Log in at http://127.0.0.1:8080/", "http://127.0.0.1:8080/"),
        ("Wi-Fi", "IP address in its own network", "10.0.0.1", "will be 10.0.0.1", None),
        ("Admin", "Admin password", "generated", "printed on the board's serial port", None),
    ],
)
def test_the_page_says_where_the_board_will_be(open_page, make, group, label, value, text, link):
    page = opened(open_page(make()))
    one = field(page, group, label)
    if not one.is_visible():
        page.get_by_role("group", name=group).get_by_text("More").click()
    if one.evaluate("(one) => one.tagName") == "SELECT":
        one.select_option(value)
    else:
        one.fill(value)
    save(page)
    expect(page.locator("#done-text")).to_contain_text(text)
    if link:
        expect(page.locator("#done-link")).to_have_attribute("href", link)


def test_joining_another_network_leads_to_the_boards_name(open_page, make):
    page = opened(open_page(make()))
    field(page, "Wi-Fi", "Mode").select_option("station: joins a network")
    field(page, "Wi-Fi", "Network to join").fill("Home")
    save(page)
    expect(page.locator("#done-text")).to_contain_text('join "Home"')
    expect(page.locator("#done-link")).to_have_attribute("href", re.compile("esp32-ws.local"))


def test_sections_that_the_page_has_no_texts_for_are_shown_by_name(open_page, board):
    page = opened(open_page(board))
    group = page.get_by_role("group", name="Fleet")
    group.get_by_text("Show").click()
    expect(group.get_by_label("max senders")).to_have_value("8")


def test_errors_are_shown_at_their_fields_and_nothing_is_changed(open_page, board):
    before = (board.flash / "config.json").read_bytes()
    page = opened(open_page(board))
    port, interval = (
        field(page, "Server", "Port"),
        field(page, "Broadcast", "Interval in seconds"),
    )
    port.fill("eighty")
    interval.fill("-1")
    field(page, "Wi-Fi", "Mode").select_option("station: joins a network")
    save(page)
    expect(port).to_have_accessible_description("Must be a whole number from 1 to 65535.")
    expect(port).to_have_attribute("aria-invalid", "true")
    expect(interval).to_have_accessible_description("Must be a number from 0 to 86400. 0: never.")
    network = field(page, "Wi-Fi", "Network to join")
    expect(network).to_have_accessible_description("Required in mode 'station'.")
    expect(network).to_be_focused()
    assert (board.flash / "config.json").read_bytes() == before
    # Corrected values are no longer marked.
    port.fill("8080")
    save(page)
    expect(interval).to_have_attribute("aria-invalid", "true")
    expect(port).not_to_have_attribute("aria-invalid", "true")
    assert (board.flash / "config.json").read_bytes() == before


def test_an_error_among_the_hidden_fields_is_brought_into_view(open_page, board):
    page = opened(open_page(board))
    group = page.get_by_role("group", name="Wi-Fi")
    group.get_by_text("More").click()
    channel = field(page, "Wi-Fi", "Channel")
    channel.fill("99")
    group.get_by_text("More").click()
    expect(channel).to_be_hidden()
    save(page)
    expect(channel).to_be_focused()


def test_no_password_of_the_board_reaches_the_page(open_page, make):
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
    password = field(page, "Wi-Fi", "Password of its own network")
    expect(password.locator("option").first).to_have_text("unchanged: your own")


def test_changes_typed_before_a_restart_can_still_be_saved(open_page, make):
    board = make(mine={"kept": True})
    page = opened(open_page(board))
    field(page, "Broadcast", "Text sent to all clients of /ws").fill("typed before")
    position = board.log_position
    board.power_cycle()
    board.wait_for_log("serving", since=position)
    save(page)
    expect(page.get_by_role("heading", name="Saved")).to_be_visible()
    assert config_of(board)["broadcast"]["text"] == "typed before"


def test_the_page_works_with_the_keyboard_alone(open_page, board):
    page = open_page(board)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type(SECRET)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="All settings")).to_be_focused()
    page.keyboard.press("Tab")
    expect(field(page, "Wi-Fi", "Hostname")).to_be_focused()


@pytest.mark.parametrize("size, scheme", [(PHONE, "light"), (DESKTOP, "dark")], ids=str)
def test_axe_finds_no_violation(open_page, board, size, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = open_page(board, color_scheme=scheme, **size)
    results = axe.run(page)
    assert results.violations_count == 0, results.generate_report()
    opened(page)
    for summary in page.locator("summary").all():
        summary.click()
    field(page, "Wi-Fi", "Password of its own network").select_option("your own")
    field(page, "Server", "Port").fill("0")
    save(page)
    expect(field(page, "Server", "Port")).to_have_attribute("aria-invalid", "true")
    results = axe.run(page)
    assert results.violations_count == 0, results.generate_report()


@pytest.mark.parametrize("width", [320, 1280])
def test_the_page_fits_the_width_of_the_screen(open_page, board, width):
    page = opened(open_page(board, viewport={"width": width, "height": 800}))
    for summary in page.locator("summary").all():
        summary.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


# --- maintenance


def press(page, name):
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name=name, exact=True).click()


def test_the_configuration_is_downloaded_and_uploaded(open_page, make, tmp_path):
    board = make(mine={"kept": True})
    page = opened(open_page(board))
    with page.expect_download() as download:
        press(page, "Download the configuration")
    assert download.value.suggested_filename == "esp32-ws.json"
    file = tmp_path / "config.json"
    download.value.save_as(file)
    assert json.loads(file.read_text()) == config_of(board)
    file.write_text("no JSON")
    page.get_by_label("Upload a configuration").set_input_files(file)
    expect(page.locator("#note")).to_contain_text("no configuration")
    file.write_text(json.dumps({"server": {"port": -1}}))
    page.get_by_label("Upload a configuration").set_input_files(file)
    expect(field(page, "Server", "Port")).to_have_attribute("aria-invalid", "true")
    file.write_text(json.dumps({"broadcast": {"text": "uploaded"}}))
    page.get_by_label("Upload a configuration").set_input_files(file)
    expect(page.get_by_text("The board is back, and the settings are confirmed")).to_be_visible()
    assert config_of(board)["broadcast"]["text"] == "uploaded"


def test_the_crash_log_is_shown_and_the_board_restarts(open_page, make):
    board = make()
    page = opened(open_page(board))
    (board.flash / "crash.log").write_text("--- <b>boom</b>")
    press(page, "Show the crash log")
    expect(page.locator("#crashlog")).to_have_text("--- <b>boom</b>")
    position = board.log_position
    press(page, "Restart")
    expect(page.locator("#done-text")).to_contain_text("Its address stays the same")
    board.wait_for_log("serving", since=position)


def test_a_factory_reset_says_where_the_board_will_be(open_page, make):
    board = make()
    page = opened(open_page(board))
    position = board.log_position
    press(page, "Reset to factory settings")
    expect(page.locator("#done-text")).to_contain_text("http://192.168.4.1/")
    board.wait_for_log("serving", since=position)
    assert not (board.flash / "config.json").exists()
