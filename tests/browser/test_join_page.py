"""The page for the first run in a real browser, served by a live board."""

import json

import pytest

from tests.browser.complaints import listen

playwright_api = pytest.importorskip(
    "playwright.sync_api", reason="playwright has no wheel for this machine"
)
expect = playwright_api.expect
expect.set_options(timeout=60_000)  # a loaded machine is no reason to fail

PHONE = {"viewport": {"width": 390, "height": 844}}
NETWORKS = {"Home": {"password": "home sweet home"}, "\u202eevil": {"password": "12345678"}}


@pytest.fixture
def board(make_board):
    board = make_board(config={"broadcast": {"interval": 0}}, heap="192k")
    board.air(networks=NETWORKS)
    return board


@pytest.fixture
def open_page(browser, board):
    """open_page() -> the page that has found the networks."""
    contexts = []

    def start(**options):
        contexts.append(browser.new_context(**{**PHONE, **options}))
        page = contexts[-1].new_page()
        listen(page)
        page.goto(board.http_url)
        page.get_by_role("link", name="Wi-Fi").click()
        expect(page.locator("#state")).to_have_text("2 networks found.")
        return page

    yield start
    for context in contexts:
        context.close()


def join(page, password="home sweet home", name="kitchen"):
    page.get_by_label("Name of the board").fill(name)
    page.get_by_label("Network", exact=True).select_option("Home")
    page.get_by_label("Password of the network").fill(password)
    page.get_by_role("button", name="Join").click()


def test_a_user_names_the_board_and_joins_a_network(open_page, board):
    page = open_page()
    expect(page.get_by_label("Network", exact=True).locator("option").first).to_contain_text(
        "strong"
    )
    expect(page.get_by_label("Network", exact=True)).not_to_have_value("")  # "another network"
    join(page)
    expect(page.get_by_role("heading", name="The board has joined")).to_be_focused()
    expect(page.get_by_role("link", name="http://192.168.1.42/")).to_be_visible()
    expect(page.get_by_role("link", name="http://kitchen.local/")).to_be_visible()
    expect(page.locator("#done")).to_contain_text('connect this device to "Home"')
    expect(page.locator("#done")).to_contain_text("reports that this Wi-Fi has no internet")
    expect(page.locator("#done")).to_contain_text("within 10 minutes")
    wifi = json.loads((board.flash / "config.json").read_text())["wifi"]
    assert (wifi["hostname"], wifi["station_ssid"]) == ("kitchen", "Home")
    page.reload()  # as after the phone was locked
    expect(page.get_by_role("link", name="http://192.168.1.42/")).to_be_visible()
    # The page asks by HTTP first, because the WebSocket API hides the reason of a refusal.
    assert [text for text in page.complaints if "426" not in text] == []


def test_a_wrong_password_can_be_corrected(open_page):
    page = open_page()
    join(page, "wrong horse")
    expect(page.get_by_role("alert").first).to_have_text(
        'The board could not join "Home": wrong password. Nothing is changed.'
    )
    password = page.get_by_label("Password of the network")
    expect(password).to_be_focused()
    expect(password).to_have_attribute("type", "password")
    page.get_by_label("Show the password").check()
    expect(password).to_have_attribute("type", "text")
    password.fill("home sweet home")
    page.get_by_role("button", name="Join").click()
    expect(page.get_by_role("heading", name="The board has joined")).to_be_visible()


def test_a_reload_after_a_failure_shows_the_reason(open_page):
    page = open_page()
    join(page, password="wrong horse")
    expect(page.locator("#note")).to_contain_text('could not join "Home": wrong password')
    page.reload()
    expect(page.locator("#note")).to_contain_text('could not join "Home": wrong password')
    expect(page.locator("#state")).to_have_text("2 networks found.")


def test_an_invalid_name_is_reported_at_its_field(open_page):
    page = open_page()
    join(page, name="my board")
    field = page.get_by_label("Name of the board")
    expect(field).to_be_focused()
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#name-note")).to_contain_text("letters, digits and hyphens")
    # The problem goes with the next attempt.
    join(page, password="wrong horse")
    expect(page.locator("#note")).to_contain_text("wrong password")
    expect(page.locator("#name-note")).to_have_text("")
    expect(field).not_to_have_attribute("aria-invalid", "true")


def test_the_title_is_visible_on_a_narrow_screen(open_page):
    page = open_page(viewport={"width": 320, "height": 700})
    heading = page.get_by_role("heading", name="Wi-Fi")
    assert heading.evaluate("(one) => one.scrollWidth <= one.clientWidth && one.clientWidth > 40")


def test_a_hidden_network_is_joined_by_its_name(open_page, board):
    page = open_page()
    board.air(networks={**NETWORKS, "Hidden": {"password": "under the sofa"}})
    page.get_by_label("Network", exact=True).select_option("another network")
    page.get_by_label("Name of the network").fill("Hidden")
    page.get_by_label("Password of the network").fill("under the sofa")
    page.get_by_role("button", name="Join").click()
    expect(page.locator("#steps")).to_contain_text('"Hidden"')


def test_the_page_says_why_it_cannot_be_used(browser, make_board):
    board = make_board(config={"wifi": {"password": ""}}, heap="192k")
    page = browser.new_context(**PHONE).new_page()
    page.goto(board.http_url + "join.html")
    expect(page.locator("#state")).to_contain_text("Use the settings instead")
    page.context.close()


@pytest.mark.parametrize("scheme, width", [("light", 320), ("dark", 160)])
def test_axe_finds_no_violation_and_the_page_fits(open_page, scheme, width):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = open_page(color_scheme=scheme, viewport={"width": width, "height": 700})
    page.get_by_label("Network", exact=True).select_option("another network")
    assert_accessible(axe, page)
    join(page)
    expect(page.get_by_role("heading", name="The board has joined")).to_be_visible()
    assert_accessible(axe, page)


def assert_accessible(axe, page):
    results = axe.run(page)
    assert results.violations_count == 0, results.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
