"""The steps of docs/tutorial.md, each on a virtual board."""

import json
import urllib.request

import pytest
import websocket

from tests.docs.blocks import code
from tools.deploy.application import find


@pytest.fixture
def run(make_board, tmp_path):
    """run({name: title}) -> a board with the application that these blocks make."""

    def run(files):
        for name, title in files.items():
            path = tmp_path / "fan" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(code("tutorial.md", title))
        only = tmp_path / "fan" if len(files) > 1 else path
        return make_board(application=find(only).files)

    return run


def connect(board):
    return websocket.create_connection(board.ws_url("/fan"), timeout=10)


def test_step_2_answers(run):
    client = connect(run({"fan.py": "fan.py, step 2"}))
    assert client.recv() == "welcome, client 1"
    client.send("hello")
    assert client.recv() == "you said: hello"


def test_step_3_has_widgets(run):
    board = run({"fan.py": "fan.py, step 3"})
    client = websocket.create_connection(board.ws_url("/panel"), timeout=10)
    assert json.loads(client.recv())["count"] == 2
    client.send('{"describe": 0}')
    while (message := json.loads(client.recv()))["type"] != "widgets":
        pass
    assert [widget["label"] for widget in message["widgets"]] == ["Temperature", "Fan"]
    client.send('{"set": 1, "value": true}')
    while json.loads(client.recv())["type"] != "done":
        pass
    assert board.exec("import machine; print(machine.Pin(2).value())") == "1\n"


def test_step_4_measures_and_switches_for_all_clients(run):
    board = run({"fan.py": "fan.py, step 4"})
    clients = [connect(board), connect(board)]
    state = json.loads(clients[0].recv())
    assert -40 < state["temperature"] < 125 and not state["fan"]
    clients[0].send("toggle")
    for client in clients:
        while not json.loads(client.recv())["fan"]:
            pass
    with urllib.request.urlopen(board.http_url + "api/fan", timeout=10) as response:
        assert json.load(response)["fan"] == 1
    for client in clients:
        client.close()


PAGE = {"app.py": "fan.py, step 4", "www/index.html": "fan/www/index.html"}


def test_step_5_serves_the_page_and_keeps_the_settings(run):
    board = run(PAGE)
    for path, text in (("", b"<title>Fan</title>"), ("settings.html", b"ettings")):
        with urllib.request.urlopen(board.http_url + path, timeout=10) as response:
            assert text in response.read()


def test_the_page_of_step_5_works_in_a_browser(run, tmp_path):
    api = pytest.importorskip("playwright.sync_api", reason="playwright has no wheel here")
    from tests.conftest import NO_BROWSER
    from tools.docs import browser as chromium

    if not chromium.find():
        pytest.skip(NO_BROWSER)
    board = run(PAGE)
    with api.sync_playwright() as playwright:
        browser = chromium.launch(playwright, tmp_path)
        page = browser.new_page()
        page.goto(board.http_url)
        api.expect(page.locator("#state")).to_have_text("off", timeout=20_000)
        page.click("#fan")
        api.expect(page.locator("#state")).to_have_text("on", timeout=20_000)
        browser.close()
