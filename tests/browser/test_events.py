"""Server-Sent Events in a real browser."""

import json

import pytest

from tests.browser.pages import playwright_api
from tests.wsserver.http.conftest import FILES
from tests.wsserver.web import Web
from tools.docs import browser as chromium

SUBSCRIBE = """
window.seen = [];
window.opened = 0;
window.source = new EventSource("/events");
source.onopen = () => { opened += 1; };
source.onmessage = event => { seen.push([event.data, event.lastEventId]); };
source.addEventListener("changed", event => { seen.push(["changed", JSON.parse(event.data)]); });
"""


def test_an_eventsource_gets_events_and_what_it_missed(make_board, tmp_path):
    """The board drops it once; it reconnects by itself with the id of its last event."""
    if not chromium.find():
        pytest.skip(f"there is no browser: none of {', '.join(chromium.NAMES)} is on the PATH")
    files = {**FILES, "program.json": json.dumps({"ping_interval": None})}
    web = Web(make_board(files=files, heap="256k"))

    def send(**event):
        return web.ask("/send", "POST", json.dumps(event).encode()).json["count"]

    with playwright_api.sync_playwright() as playwright:
        browser = chromium.launch(playwright, tmp_path)
        page = browser.new_page()
        page.goto(web.board.http_url)
        page.evaluate(SUBSCRIBE)
        page.wait_for_function("opened == 1")
        send(data="one", id=1)
        send(data={"on": True}, event="changed")
        page.wait_for_function("seen.length == 2")
        web.ask("/drop", "POST", b"")
        send(data="two\nlines", id=2)  # before or after it has reconnected
        page.wait_for_function("opened == 2 && seen.length == 3")
        assert page.evaluate("seen") == [
            ["one", "1"],
            ["changed", {"on": True}],
            ["two\nlines", "2"],
        ]
        browser.close()
