"""The settings page in a real browser, served by a live board."""

import json
import os
import re
import shutil
import signal

import pytest

from tests.browser.complaints import listen
from tools import ROOT

playwright_api = pytest.importorskip(
    "playwright.sync_api", reason="playwright has no wheel for this machine"
)
expect = playwright_api.expect
expect.set_options(timeout=60_000)  # a loaded machine is no reason to fail

SECRET = "correct hörse"
PHONE = {"viewport": {"width": 390, "height": 844}}
DESKTOP = {"viewport": {"width": 1280, "height": 800}}


@pytest.fixture(scope="module")
def make(make_board):
    """make(**config) -> a board with these settings and the admin password.

    On a small heap its answers take six times as much CPU time: tests/admin does that.
    """

    def make(**config):
        config = {"broadcast": {"interval": 0}, "admin": {"password": SECRET}, **config}
        return make_board(config=config, heap="400k")

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
        ("Wi-Fi", "Hostname", "kitchen", "http://kitchen.local:", None),
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


def test_settings_that_another_tab_has_changed_are_not_lost_silently(open_page, make):
    board = make()
    one, two = (opened(open_page(board)) for _ in range(2))
    label = "Text sent to all clients of /ws"
    position = board.log_position
    field(one, "Broadcast", label).fill("one")
    save(one)
    board.wait_for_log("settings confirmed", since=position)
    field(two, "Broadcast", label).fill("two")
    save(two)
    alert = two.get_by_role("alert")
    expect(alert).to_contain_text("have changed since this page read them")
    alert.get_by_role("button", name="Load again").click()
    expect(field(two, "Broadcast", label)).to_have_value("one")
    expect(two.get_by_role("button", name="Restart", exact=True)).to_have_count(1)
    field(two, "Broadcast", label).fill("two")
    config = config_of(board)
    config["server"] = {"max_clients": 4}
    (board.flash / "config.json").write_text(json.dumps(config))
    save(two)
    two.get_by_role("alert").get_by_role("button", name="Save nevertheless").click()
    expect(two.get_by_role("heading", name="Saved")).to_be_visible()
    assert config_of(board)["broadcast"]["text"] == "two"
    assert config_of(board)["server"] == {"max_clients": 4}


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
    expect(page.get_by_role("link", name="Maintenance")).to_be_focused()
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


@pytest.mark.parametrize("width", [160, 320, 1280])
def test_the_page_fits_the_width_of_the_screen(open_page, board, width):
    page = opened(open_page(board, viewport={"width": width, "height": 800}))
    for summary in page.locator("summary").all():
        summary.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


# --- maintenance


def press(page, name):
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name=name, exact=True).click()


def test_a_link_below_the_title_leads_to_maintenance(open_page, board):
    page = opened(open_page(board))
    page.get_by_role("link", name="Maintenance").click()
    expect(page.get_by_role("heading", name="Maintenance")).to_be_in_viewport()


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
    expect(page.locator("#note")).to_contain_text("not a configuration")
    file.write_text(json.dumps({"server": {"port": -1}}))
    page.get_by_label("Upload a configuration").set_input_files(file)
    expect(field(page, "Server", "Port")).to_have_attribute("aria-invalid", "true")
    file.write_text("no JSON")  # the errors of the file before are gone
    page.get_by_label("Upload a configuration").set_input_files(file)
    expect(page.locator("#note")).to_contain_text("not a configuration")
    expect(page.locator("[aria-invalid=true]")).to_have_count(0)
    file.write_text(json.dumps({"broadcast": {"text": "uploaded"}}))
    page.get_by_label("Upload a configuration").set_input_files(file)
    expect(page.get_by_text("The board is back, and the settings are confirmed")).to_be_visible()
    assert config_of(board)["broadcast"]["text"] == "uploaded"


@pytest.mark.parametrize(
    "content, text",
    [
        ("[1]", "must be a JSON object"),
        ('{"wifi": [1]}', "each section must be a JSON object"),
        (json.dumps({"mine": {"big": "é" * 3000}}), "too many bytes"),
        ('{"nonsense": {"a": 1}}', "unknown section"),
    ],
)
def test_a_file_that_is_no_configuration_is_refused(open_page, board, tmp_path, content, text):
    before = (board.flash / "config.json").read_bytes()
    page = opened(open_page(board))
    (tmp_path / "config.json").write_text(content)
    page.get_by_label("Upload a configuration").set_input_files(tmp_path / "config.json")
    expect(page.locator("#note")).to_contain_text(text)
    expect(page.get_by_role("button", name="Save and restart")).to_be_enabled()
    assert (board.flash / "config.json").read_bytes() == before


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


def test_after_forgetting_the_network_the_page_leads_to_the_own_one(open_page, make):
    wifi = {"ssid": "Workshop", "password": "in the workshop", "ip": "192.168.7.1"}
    page = opened(open_page(make(wifi=wifi, server={"port": 8081})))
    field(page, "Wi-Fi", "Name of its own network").fill("Typed, not saved")
    field(page, "Server", "Port").fill("8082")
    press(page, "Forget the Wi-Fi network")
    text = 'its own network, "Workshop". Join it, and open http://192.168.7.1:8081/.'
    expect(page.locator("#done-text")).to_contain_text(text)
    link = page.locator("#done-link")
    expect(link).to_be_visible()
    expect(link).to_have_attribute("href", "http://192.168.7.1:8081/")


def test_a_factory_reset_says_where_the_board_will_be(open_page, make):
    board = make()
    page = opened(open_page(board))
    position = board.log_position
    press(page, "Reset to factory settings")
    expect(page.locator("#done-text")).to_contain_text("http://192.168.4.1/")
    board.wait_for_log("serving", since=position)
    assert not (board.flash / "config.json").exists()


# --- the live log


def open_tool(page, name):
    page.locator("summary", has_text=name).click()
    return page.locator("details", has=page.locator("summary", has_text=name))


def test_the_live_log_shows_earlier_lines_and_follows_new_ones(open_page, make):
    page = opened(open_page(make(broadcast={"interval": 0}), **PHONE))
    tool = open_tool(page, "Live log")
    log = tool.get_by_role("log")
    expect(log).to_contain_text("serving ws://")
    assert page.evaluate("fetch('/nothing').then((one) => one.status)") == 404
    expect(log).to_contain_text("to /settings")
    line = log.locator("div", has_text="serving ws://")
    assert re.match(r"\d+:\d\d:\d\d", line.inner_text())
    tool.get_by_role("button", name="Pause").click()
    expect(tool.get_by_role("status")).to_have_text("Paused.")
    other = page.context.new_page()
    other.goto(page.url)
    opened(other)
    other.close()
    lines = log.locator("div").count()
    tool.get_by_role("button", name="Continue").click()
    expect(log.locator("div").nth(lines + 1)).to_be_visible()
    expect(log.get_by_text("to /settings")).to_have_count(2)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    tool.get_by_role("button", name="Copy").click()
    expect(tool.get_by_role("status")).to_have_text(re.compile("Copied|New lines"))
    assert "serving ws://" in page.evaluate("navigator.clipboard.readText()")


def test_the_live_log_goes_on_after_a_restart(open_page, make):
    board = make()
    page = opened(open_page(board))
    log = open_tool(page, "Live log").get_by_role("log")
    expect(log).to_contain_text("serving ws://")
    board.power_cycle()
    expect(log).to_contain_text("the board has restarted")
    expect(log.get_by_text("serving ws://")).to_have_count(2)


def test_a_text_in_the_log_is_never_html(open_page, make_board):
    program = "def setup(board):\n    print('<b>bold</b>', '\\u202e', end='\\r\\n')\n"
    config = {"admin": {"password": SECRET}}
    board = make_board(config=config, files={"app/app.py": program}, heap="160k")
    page = opened(open_page(board))
    log = open_tool(page, "Live log").get_by_role("log")
    expect(log).to_contain_text("<b>bold</b> \u202e")
    assert log.locator("b").count() == 0


@pytest.mark.parametrize("is_packed", [True, False], ids=["packed", "copied unchanged"])
def test_a_tool_is_loaded_when_it_is_opened(open_page, make_board, is_packed):
    config = {"admin": {"password": SECRET}, "broadcast": {"interval": 0}}
    board = make_board(config=config, heap="160k")
    if not is_packed:
        shutil.rmtree(board.flash / "www")
        shutil.copytree(ROOT / "www", board.flash / "www")
    page = open_page(board)
    asked = []
    page.on("request", lambda request: asked.append(request.url.rpartition("/")[2]))
    opened(page)
    assert "livelog.js" not in asked
    expect(open_tool(page, "Live log").get_by_role("log")).to_contain_text("serving ws://")
    assert "livelog.js" in asked
    assert not [text for text in page.complaints if "Security" in text]


# --- files

BROKEN = "def setup(board):\n    print('old')\n"


def listed(tool, name):
    return tool.get_by_role("list", name="Files").get_by_role("listitem").filter(has_text=name)


def test_a_file_is_edited_created_and_deleted(open_page, make_board):
    files = {"app/app.py": BROKEN, "app/data.bin": b"\xff\xfe", "app/lines.txt": "a\r\nb\r\n"}
    config = {"admin": {"password": SECRET}, "broadcast": {"interval": 0}}
    board = make_board(config=config, files=files, heap="160k")
    page = opened(open_page(board, **PHONE))
    page.on("dialog", lambda dialog: dialog.accept())
    tool = open_tool(page, "Files in")
    status = tool.get_by_role("status")
    tool.get_by_role("button", name="app.py", exact=True).click()
    editor = tool.get_by_label("Content of /app/app.py")
    expect(editor).to_have_value(BROKEN)
    editor.fill("def setup(board):\n    print('grüße')\n")
    tool.get_by_role("button", name="Save", exact=True).click()
    expect(status).to_contain_text("/app/app.py is saved. Restart the board")
    assert (board.flash / "app/app.py").read_text() == "def setup(board):\n    print('grüße')\n"
    # Line ends stay as they are.
    tool.get_by_role("button", name="lines.txt", exact=True).click()
    tool.get_by_label("Content of /app/lines.txt").fill("a\nb\nc\n")
    tool.get_by_role("button", name="Save", exact=True).click()
    expect(status).to_contain_text("/app/lines.txt is saved.")
    assert (board.flash / "app/lines.txt").read_bytes() == b"a\r\nb\r\nc\r\n"
    # A new file, in a new folder.
    tool.get_by_label("New file").fill("lib/new.py")
    tool.get_by_role("button", name="Create").click()
    tool.get_by_label("Content of /app/lib/new.py").fill("x = 1\n")
    tool.get_by_role("button", name="Save", exact=True).click()
    expect(status).to_contain_text("/app/lib/new.py is saved.")
    assert (board.flash / "app/lib/new.py").read_text() == "x = 1\n"
    tool.get_by_role("button", name="Delete data.bin").click()
    expect(status).to_have_text("The file /app/data.bin is deleted.")
    expect(listed(tool, "data.bin")).to_have_count(0)
    tool.get_by_role("button", name="lib", exact=True).click()
    expect(listed(tool, "new.py")).to_be_visible()


def test_files_are_uploaded_and_downloaded_unchanged(open_page, make, tmp_path):
    board = make()
    page = opened(open_page(board))
    page.on("dialog", lambda dialog: dialog.accept())
    tool = open_tool(page, "Files in")
    expect(tool.get_by_text("This folder is empty.")).to_be_visible()
    content = bytes(range(256)) * 20
    (tmp_path / "module.mpy").write_bytes(content)
    tool.get_by_label("Upload files").set_input_files(tmp_path / "module.mpy")
    expect(listed(tool, "module.mpy")).to_contain_text("5.0 KB")
    assert (board.flash / "app/module.mpy").read_bytes() == content
    expect(tool.get_by_role("button", name="module.mpy", exact=True)).to_have_count(0)
    with page.expect_download() as download:
        tool.get_by_role("button", name="Download module.mpy").click()
    download.value.save_as(tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == content


def test_an_error_of_the_file_browser_is_shown(open_page, make):
    board = make()
    page = opened(open_page(board))
    tool = open_tool(page, "Files in")
    tool.get_by_role("button", name="/www", exact=True).click()
    own = listed(tool, "settings.html.gz")
    expect(own).to_contain_text("firmware")
    expect(own.get_by_role("button", name=re.compile("Delete"))).to_have_count(0)
    page.set_viewport_size({"width": 390, "height": 500})  # the list is longer
    for name in ("../lib/x.py", "a?b", "x\u202ey", "x" * 200, "a//b", "a.", " "):
        tool.get_by_label("New file").fill(name)
        tool.get_by_role("button", name="Create").click()
        text = "is not a valid name" if name != " " else "Type the name of the new file."
        expect(tool.get_by_role("status")).to_contain_text(text)
        expect(tool.get_by_role("status")).to_be_in_viewport(ratio=1)
        expect(tool.get_by_label("Content of")).to_have_count(0)
    for name, text in [("settings.html", "firmware")]:
        tool.get_by_label("New file").fill(name)
        tool.get_by_role("button", name="Create").click()
        tool.get_by_label("Content of").fill("x")
        tool.get_by_role("button", name="Save", exact=True).click()
        expect(tool.get_by_role("status")).to_contain_text(text)
        page.once("dialog", lambda dialog: dialog.accept())
        tool.get_by_role("button", name="Close").click()
    assert not (board.flash / "lib/x.py").exists()


def test_a_folder_chosen_while_another_is_read_is_shown(open_page, make):
    board = make()
    tool = open_tool(opened(open_page(board)), "Files in")
    expect(tool.get_by_text("This folder is empty.")).to_be_visible()
    os.kill(board.pid, signal.SIGSTOP)
    try:
        for name in ("/app", "/www"):
            tool.get_by_role("button", name=name, exact=True).click()
    finally:
        os.kill(board.pid, signal.SIGCONT)
    expect(listed(tool, "settings.html.gz")).to_be_visible()


def test_a_file_changed_by_another_page_is_not_overwritten_silently(open_page, make_board):
    config = {"admin": {"password": SECRET}, "broadcast": {"interval": 0}}
    board = make_board(config=config, files={"app/a.txt": "old"}, heap="160k")
    file = board.flash / "app/a.txt"
    tools = [open_tool(opened(open_page(board)), "Files in") for _ in range(2)]
    for tool in tools:
        tool.get_by_role("button", name="a.txt", exact=True).click()
        expect(tool.get_by_label("Content of")).to_have_value("old")
    one, two = tools

    def store(tool, content, text, button="Save"):
        tool.get_by_label("Content of").fill(content)
        tool.get_by_role("button", name=button, exact=True).click()
        expect(tool.get_by_role("status")).to_contain_text(text)

    store(one, "one", "is saved")
    store(one, "one again", "is saved")
    store(two, "two", "has changed since you opened it here")
    assert file.read_text() == "one again"
    two.get_by_role("button", name="Overwrite").click()
    expect(two.get_by_role("status")).to_contain_text("is saved")
    expect(two.get_by_role("button", name="Overwrite")).to_be_hidden()
    assert file.read_text() == "two"
    store(one, "mine", "has changed")
    one.page.on("dialog", lambda dialog: dialog.accept())
    one.get_by_role("button", name="Load again").click()
    expect(one.get_by_label("Content of")).to_have_value("two")
    for tool in tools:
        tool.get_by_label("New file").fill("new.txt")
        tool.get_by_role("button", name="Create").click()
    store(one, "first", "is saved")
    store(two, "second", "has changed")
    assert (board.flash / "app/new.txt").read_text() == "first"


def test_mixed_line_ends_stay_as_they_are(open_page, make_board):
    files = {"app/mixed.txt": b"a\r\nb\nc\r\nd\re\nf"}
    config = {"admin": {"password": SECRET}, "broadcast": {"interval": 0}}
    board = make_board(config=config, files=files, heap="160k")
    tool = open_tool(opened(open_page(board)), "Files in")
    tool.get_by_role("button", name="mixed.txt", exact=True).click()
    editor = tool.get_by_label("Content of")
    steps = [
        ("a\nb\nc\nd\ne\nf", b"a\r\nb\nc\r\nd\re\nf"),
        ("a\nB\nc\nnew\nd\ne\nf", b"a\r\nB\nc\r\nnew\r\nd\re\nf"),
        ("a\nd\ne\nf\n", b"a\r\nd\re\nf\n"),
        ("new\na\nd\ne\nf\n", b"new\r\na\r\nd\re\nf\n"),
    ]
    for text, content in steps:
        editor.fill(text)
        tool.get_by_role("button", name="Save", exact=True).click()
        expect(tool.get_by_role("status")).to_contain_text("is saved")
        assert (board.flash / "app/mixed.txt").read_bytes() == content


def test_unsaved_text_is_not_lost_without_a_question(open_page, make_board):
    files = {"app/a.txt": "old", "app/b.txt": b"\xff\xfe"}
    config = {"admin": {"password": SECRET}, "broadcast": {"interval": 0}}
    board = make_board(config=config, files=files, heap="160k")
    page = opened(open_page(board))
    tool = open_tool(page, "Files in")
    tool.get_by_role("button", name="a.txt", exact=True).click()
    editor = tool.get_by_label("Content of /app/a.txt")
    editor.fill("new")
    asked = []

    def answer(dialog):
        asked.append(dialog.message)
        dialog.dismiss() if "unsaved" in dialog.message else dialog.accept()

    page.on("dialog", answer)
    page.get_by_role("button", name="Restart", exact=True).click()
    field(page, "Broadcast", "Text sent to all clients of /ws").fill("changed")
    save(page)
    assert ["unsaved" in text for text in asked] == [False, True, True]
    expect(editor).to_have_value("new")
    tool.get_by_role("button", name="b.txt", exact=True).click()
    expect(tool.get_by_role("status")).to_contain_text("is not a text in UTF-8")
    expect(editor).to_have_count(0)
