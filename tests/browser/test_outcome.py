"""After saving: the page says where the board will be, and a change without confirmation ends."""

import contextlib
import json
import re
import shutil

import pytest

from tests.browser.complaints import listen
from tools import ROOT
from tools.ports import free_port

playwright_api = pytest.importorskip(
    "playwright.sync_api", reason="playwright has no wheel for this machine"
)
expect = playwright_api.expect
expect.set_options(timeout=60_000)  # a loaded machine is no reason to fail

SECRET = "correct horse"
CONFIG = {"broadcast": {"interval": 0}, "admin": {"password": SECRET}}


# --- the rules, as the page applies them

DEFAULTS = {
    "wifi.mode": "ap",
    "wifi.ssid": "Own",
    "wifi.station_ssid": "Home",
    "wifi.hostname": "esp32-ws",
    "server.port": 80,
    "tls.port": 443,
    "tls.enabled": True,
    "tls.redirect": False,
    "access.maintenance_tls": False,
}
STATION = {"mode": "station"}
ASK = """async ([changed, values, here]) => {
  const {outcome} = await import("/outcome.js");
  return outcome(changed, (id) => values[id], "esp32-ws", new URL(here));
}"""


@pytest.fixture(scope="module")
def where(browser, make_board):
    """where(changed, here) -> what the page says after a change: texts, link, elsewhere."""
    board = make_board(config=CONFIG, heap="160k")
    shutil.rmtree(board.flash / "www")
    shutil.copytree(ROOT / "www", board.flash / "www")
    context = browser.new_context()
    page = context.new_page()
    page.goto(board.http_url + "settings.html")
    for _ in range(4):  # on a busy machine the board has no slot for one of the files: 503
        with contextlib.suppress(playwright_api.Error):
            page.evaluate('import("/outcome.js").then(() => true)')
            break
        page.reload()  # a page keeps the failure of an import

    def ask(changed, here="http://192.168.4.1/settings.html", **before):
        values = {**DEFAULTS, **before}
        for section, fields in changed.items():
            values.update({f"{section}.{name}": value for name, value in fields.items()})
        answer = page.evaluate(ASK, [changed, values, here])
        return " ".join(answer["texts"]), answer["link"], answer["elsewhere"]

    yield ask
    context.close()


HTTPS = "https://192.168.4.1/settings.html"
NAME = "http://esp32-ws.local/settings.html"
SAME = "http://192.168.4.1/"
RULES = [
    # changed, the page's address, a part of the text, the link, whether to log in there
    ({"broadcast": {"interval": 3}}, SAME, "", SAME, False),
    ({"server": {"port": 8080}}, SAME, "", "http://192.168.4.1:8080/", True),
    ({"server": {"port": 80}}, "http://192.168.4.1:8080/", "", SAME, True),
    ({"server": {"port": 8080}}, HTTPS, "", "https://192.168.4.1/", False),
    ({"tls": {"port": 8443}}, HTTPS, "", "https://192.168.4.1:8443/", True),
    ({"tls": {"port": 8443}}, SAME, "", SAME, False),
    ({"wifi": {"ip": "10.0.0.1"}}, SAME, "will be 10.0.0.1", "http://10.0.0.1/", True),
    ({"wifi": {"hostname": "a"}}, SAME, "also be at http://a.local/", SAME, False),
    ({"wifi": {"hostname": "a"}}, NAME, "http://a.local/", "http://a.local/", True),
    ({"wifi": {"hostname": "a"}}, "http://esp32-ws:81/", "a.local:81", "http://a:81/", True),
    ({"wifi": {"ssid": "New"}}, SAME, 'join "New" again', SAME, True),
    ({"wifi": {"station_ssid": "X"}}, SAME, "", SAME, False),
    ({"wifi": STATION}, SAME, 'join "Home"', "http://esp32-ws.local/", True),
    ({"wifi": STATION}, HTTPS, 'join "Home"', "https://esp32-ws.local/", True),
    ({"network": {"order": ["ethernet"]}}, SAME, "esp32-ws.local", "http://esp32-ws.local/", True),
    ({"tls": {"enabled": False}}, HTTPS, "http:// only", SAME, True),
    ({"tls": {"enabled": False}}, SAME, "", SAME, False),
    ({"tls": {"enabled": True}}, SAME, "https://192.168.4.1/, too", SAME, False),
    ({"tls": {"redirect": True}}, SAME, "https://192.168.4.1/ only", SAME, True),
    ({"tls": {"redirect": True}}, HTTPS, "", "https://192.168.4.1/", False),
    ({"tls": {"client_ca": "/x"}}, HTTPS, "with a certificate", "https://192.168.4.1/", False),
    ({"admin": {"password": None}}, SAME, "serial port", SAME, True),
    ({"admin": {"enabled": False}}, SAME, "not be available", SAME, True),
    ({"access": {"hosts": []}}, "http://a.lan/", "", "http://esp32-ws.local/", True),
    ({"access": {"hosts": ["*.lan"]}}, "http://a.lan/", "", "http://a.lan/", False),
    ({"access": {"hosts": []}}, SAME, "", SAME, False),
]


@pytest.mark.parametrize("changed, here, text, link, elsewhere", RULES, ids=str)
def test_each_change_leads_to_a_link(where, changed, here, text, link, elsewhere):
    said, found, is_elsewhere = where(changed, here)
    assert (found, is_elsewhere) == (link, elsewhere)
    assert text in said
    assert bool(said) == bool(text)


def test_tls_off_leads_to_the_http_port(where):
    _, link, _ = where({"tls": {"enabled": False}}, HTTPS, **{"server.port": 8080})
    assert link == "http://192.168.4.1:8080/"


def test_tls_on_with_an_older_redirect_says_so(where):
    text, _, elsewhere = where({"tls": {"enabled": True}}, **{"tls.redirect": True})
    assert "https://192.168.4.1/ only" in text
    assert elsewhere


@pytest.mark.parametrize(
    "changed, here",
    [
        ({"tls": {"enabled": True}}, "http://192.168.4.1:9000/"),
        ({"tls": {"redirect": True}}, "http://192.168.4.1:9000/"),
        ({"tls": {"enabled": False}}, "https://192.168.4.1:9443/"),
    ],
    ids=["on", "redirect", "off"],
)
def test_behind_a_mapped_port_a_link_to_the_other_port_says_so(where, changed, here):
    assert "maps ports" in where(changed, here)[0]
    assert "maps ports" not in where(changed, re.sub(":9\\d*", "", here))[0]
    assert where({"broadcast": {"interval": 1}}, here) == ("", here, False)  # the same address


@pytest.mark.parametrize(
    "changed, before",
    [
        ({"access": {"maintenance_tls": True}}, {}),
        ({"tls": {"enabled": True}}, {"access.maintenance_tls": True}),
    ],
    ids=["maintenance_tls", "tls"],
)
def test_maintenance_that_needs_tls_is_said_to_be_there(where, changed, before):
    text, _, _ = where(changed, **before)
    assert "this page is at https://192.168.4.1/settings.html only" in text
    assert "this page" not in where(changed, HTTPS, **before)[0]


def test_the_own_network_of_a_station_can_change_without_a_move(where):
    text, link, elsewhere = where({"wifi": {"ssid": "New"}}, **{"wifi.mode": "station"})
    assert (text, link, elsewhere) == ("", SAME, False)


# --- live boards


@pytest.fixture
def start(browser, make_board, certs):
    """start(scheme, files, secure, host, ...of tls) -> (board, its settings page after the login).

    secure: it requires https:// for this page while TLS serves.

    The board has its ports at the same numbers of this machine, so that links work.
    """
    contexts = []

    def start(scheme="http", files=(), secure=False, host="127.0.0.1", **tls):
        http, https = free_port(), free_port()
        config = {**CONFIG, "server": {"port": http}, "tls": {"port": https, **tls}}
        config["access"] = {"maintenance_tls": secure}
        options = {"http_port": http, "https_port": https, "certs": certs, "heap": "400k"}
        board = make_board(config=config, files=dict(files), **options)
        contexts.append(browser.new_context(ignore_https_errors=True))
        page = contexts[-1].new_page()
        listen(page)
        page.goto(f"{scheme}://{host}:{https if scheme == 'https' else http}/settings.html")
        log_in(page)
        return board, page

    yield start
    for context in contexts:
        context.close()


def log_in(page):
    page.get_by_label("Admin password").fill(SECRET)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("group", name="Wi-Fi")).to_be_visible()


def field(page, group, label):
    box = page.get_by_role("group", name=group, exact=True)
    one = box.get_by_label(label, exact=True)
    if not one.is_visible():
        box.get_by_text("More").click()
    return one


def save(page):
    page.get_by_role("button", name="Save and restart").click()
    expect(page.get_by_role("heading", name="Saved")).to_be_visible()


def follow(board, page, position):
    """Follow the link to the board's page, and its link to the settings; log in there."""
    board.wait_for_log("serving", since=position)
    expect(page.locator("#done-state")).to_have_text("The board has restarted.")
    page.locator("#done-link").click()
    page.get_by_role("link", name="Settings").click()
    log_in(page)


def is_confirmed(board, page):
    """Wait until no change waits for its confirmation."""
    page.wait_for_function("() => true")
    board.wait_for_log("settings confirmed")
    return not list(board.flash.glob("config.undo-*"))


TLS = "https:// and wss://"


def test_tls_off_leads_from_https_to_http(start):
    board, page = start("https")
    position = board.log_position
    field(page, TLS, "Enable TLS if there is a certificate").uncheck()
    save(page)
    expect(page.locator("#done-text")).to_contain_text("at http:// only")
    follow(board, page, position)
    assert page.url == f"http://127.0.0.1:{board.http_port}/settings.html"
    assert is_confirmed(board, page)


def test_tls_on_is_confirmed_by_the_page_and_https_works(start):
    board, page = start(enabled=False)
    position = board.log_position
    field(page, TLS, "Enable TLS if there is a certificate").check()
    save(page)
    url = f"https://127.0.0.1:{board.https_port}/"
    expect(page.locator("#done-text")).to_contain_text(url)
    board.wait_for_log("serving .* and wss://", since=position)
    expect(page.get_by_text("the settings are confirmed")).to_be_visible()
    page.goto(url)
    expect(page.get_by_role("link", name="Settings")).to_be_visible()


def test_where_tls_on_requires_https_the_page_leads_there(start):
    board, page = start(secure=True, enabled=False)
    position = board.log_position
    field(page, TLS, "Enable TLS if there is a certificate").check()
    save(page)
    board.wait_for_log("serving .* and wss://", since=position)
    expect(page.locator("#done-state")).to_contain_text("The board requires https:// now")
    page.locator("#done-link").click()
    log_in(page)
    assert page.url == f"https://127.0.0.1:{board.https_port}/settings.html"
    assert is_confirmed(board, page)


def test_over_http_the_page_says_that_https_is_required_at_once(start):
    board, page = start("https", secure=True)
    page.goto(board.http_url + "settings.html")
    address = f"https://127.0.0.1:{board.https_port}/settings.html"
    expect(page.get_by_role("alert").get_by_role("link")).to_have_attribute("href", address)
    expect(page.get_by_label("Admin password")).to_be_hidden()
    assert "refused" not in board.log


def test_a_redirect_leads_to_https(start):
    board, page = start()
    position = board.log_position
    field(page, TLS, "Redirect browsers from http://").check()
    save(page)
    expect(page.locator("#done-text")).to_contain_text(
        f"pages are at https://127.0.0.1:{board.https_port}/ only"
    )
    follow(board, page, position)
    assert page.url == f"https://127.0.0.1:{board.https_port}/settings.html"
    assert is_confirmed(board, page)


@pytest.mark.parametrize("scheme, group", [("http", "Server"), ("https", TLS)])
def test_another_port_leads_to_a_working_link(start, scheme, group):
    board, page = start(scheme)
    position = board.log_position
    port = free_port()
    field(page, group, "Port").fill(str(port))
    save(page)
    follow(board, page, position)
    assert page.url == f"{scheme}://127.0.0.1:{port}/settings.html"
    assert is_confirmed(board, page)


def test_another_hostname_leads_to_a_working_link(start):
    board, page = start(host="esp32-ws.local")
    position = board.log_position
    field(page, "Wi-Fi", "Hostname").fill("kitchen")
    save(page)
    follow(board, page, position)
    assert page.url == f"http://kitchen.local:{board.http_port}/settings.html"
    assert is_confirmed(board, page)


def quick(seconds):
    path = "lib/admin/settingsfile.py"
    source = (ROOT / path).read_text()
    changed = source.replace("_CONFIRM = const(120)", f"_CONFIRM = const({seconds})")
    assert changed != source
    return {path: changed}


def test_a_port_that_nobody_opens_is_reverted(start):
    board, page = start(files=quick(1))
    position = board.log_position
    field(page, "Server", "Port").fill(str(free_port()))
    save(page)
    board.wait_for_log(r"(?s)settings: not confirmed.*serving", since=position)
    page.goto(board.http_url)
    expect(page.get_by_role("link", name="Settings")).to_be_visible()
    config = json.loads((board.flash / "config.json").read_text())
    assert config["server"] == {"port": board.http_port}


def test_https_without_a_certificate_is_reverted_and_the_page_says_so(start):
    board, page = start("https", files=quick(3))
    field(page, TLS, "Certificate file").fill("/certs/missing.der")
    save(page)
    expect(page.locator("#done-state")).to_contain_text("The board is restarting.")
    expect(page.locator("#done-state")).to_contain_text("has reverted it")
    config = json.loads((board.flash / "config.json").read_text())
    assert "cert" not in config["tls"]
    expect(page.get_by_role("heading", name="The change was not kept")).to_be_visible()
    expect(page.locator("#done-log")).to_be_hidden()


def test_a_change_with_which_the_board_does_not_start_is_not_said_to_be_late(start):
    board, page = start()
    (board.flash / "app").mkdir()
    (board.flash / "app/app.py").write_text("def setup(board):\n    1 / 0\n")
    position = board.log_position
    field(page, "Wi-Fi", "Hostname").fill("garden")
    save(page)
    board.wait_for_log(r"(?s)safe mode: 3 starts failed.*serving", 60, since=position)
    expect(page.get_by_role("heading", name="The change was not kept")).to_be_visible()
    expect(page.locator("#done-state")).to_contain_text("did not start with the changed settings")
    expect(page.locator("#done-log")).to_contain_text("ZeroDivisionError")
    expect(page.locator("#done-text")).to_be_empty()


def test_the_admin_can_be_disabled_for_good(start):
    board, page = start()
    position = board.log_position
    field(page, "Admin", "Enable this page").uncheck()
    field(page, "Server", "Maximum number of clients").fill("4")
    page.get_by_role("button", name="Save and restart").click()
    one = page.get_by_role("group", name="Admin").get_by_label("Enable this page")
    expect(one).to_have_accessible_description(re.compile("Must be changed alone"))
    field(page, "Server", "Maximum number of clients").fill("5")
    save(page)
    expect(page.locator("#done-text")).not_to_contain_text("Log in at")
    board.wait_for_log("serving", since=position)
    assert not list(board.flash.glob("config.undo-*"))
    assert page.request.get(board.http_url + "settings").status == 404


def test_an_uploaded_file_without_changes_does_not_move_the_board(start, tmp_path):
    board, page = start()
    file = tmp_path / "config.json"
    wifi = {"mode": "ap", "ssid": "ESP32-WS-Server", "password": None, "station_password": ""}
    file.write_text(json.dumps({**CONFIG, "wifi": wifi, "server": {"port": board.http_port}}))
    page.get_by_label("Upload a configuration").set_input_files(file)
    expect(page.get_by_text("the settings are confirmed")).to_be_visible()
    expect(page.locator("#done-text")).to_have_text("")
