"""`make screenshots`: take the pictures of the page for the documents.

Some clients chat on a virtual board for half a minute, so that the charts have data.
"""

from __future__ import annotations

import base64
import random
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tools import ROOT
from tools.docs import browser
from tools.failure import Failure
from tools.virtualboard import VirtualBoard

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

FOLDER = ROOT / "docs"
PHONE = {"viewport": {"width": 390, "height": 780}, "device_scale_factor": 1.5}
DESKTOP = {"viewport": {"width": 1180, "height": 720}}
SECONDS = 40
# (number of the page that sends, text): the pages are numbered in the order of `_visit`.
TALK = (
    (0, "Hello from the sofa"),
    (1, "Hi Ann! Is the lamp on?"),
    (2, "It is now"),
)
CONFIG = {
    "broadcast": {"interval": 0},
    "server": {"max_clients": 8},
    "demo": {"led_pin": 18, "led_kind": "neopixel"},
}
SETTINGS = {"admin": {"password": "the admin's"}}
WIDGETS = """
from math import sin
from time import ticks_ms

pump = [False]


def set_pump(value):
    pump[0] = value


def setup(board):
    panel, none = board.panel, lambda value: None
    soil = lambda: round(40 + 5 * sin(ticks_ms() / 3000), 1)
    panel.value("Soil", soil, unit="%", chart=True, group="Garden", icon="drop")
    panel.value("Temperature", lambda: 21.5, unit="\u00b0C", group="Garden", icon="thermometer")
    panel.switch("Pump", get=lambda: pump[0], set=set_pump, group="Garden", icon="power")
    panel.button("Water now", lambda: None, group="Garden")
    panel.slider("Fan", set=none, unit="%", icon="fan")
    panel.select("Mode", ("eco", "boost"), set=none, icon="plant")
    panel.text("Title", set=none, icon="home")
    panel.colour("Light", set=none, icon="colour")
"""
AIR = {"stations": ["02:00:00:00:00:01", "02:00:00:00:00:02"]}


def make(folder: Path = FOLDER, seconds: float = SECONDS) -> None:
    """Write the pictures into `folder`. Raises Failure if there is no browser."""
    if not browser.find():
        raise Failure(f"there is no browser: none of {', '.join(browser.NAMES)} is on the PATH")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise Failure("playwright has no package for this machine") from None
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        chromium = browser.launch(playwright, Path(home))
        with VirtualBoard(config=CONFIG, heap="256k", air=AIR) as board:
            board.wait_ready()
            pages = {
                "page-phone": _visit(chromium, board.http_url, "Ann", **PHONE),
                "page-desktop": _visit(chromium, board.http_url, "Kitchen tablet", **DESKTOP),
                "page-dark": _visit(chromium, board.http_url, "Tom", color_scheme="dark", **PHONE),
            }
            _talk(list(pages.values()), seconds)
            for name, page in pages.items():
                _shoot(page, folder / f"{name}.webp")
        with VirtualBoard(config=SETTINGS, heap="192k") as board:
            board.wait_ready()
            settings = _settings(chromium, board.http_url, **PHONE)
            settings.set_viewport_size({"width": 390, "height": 860})  # with the error in it
            _shoot(settings, folder / "settings-phone.webp")
            board.air(networks={"Home": {"password": "home sweet home"}, "Neighbours": {}})
            _shoot(_join(chromium, board.http_url, **PHONE), folder / "join-phone.webp")
        app: dict[str, str | bytes] = {"app/app.py": WIDGETS}
        with VirtualBoard(config=SETTINGS, heap="192k", files=app) as board:
            board.wait_ready()
            _shoot(_widgets(chromium, board.http_url, **PHONE), folder / "widgets-phone.webp")


def _visit(chromium: Browser, url: str, name: str, **options) -> Page:
    page = chromium.new_context(locale="en-GB", **options).new_page()
    page.goto(url)
    page.locator(".you").wait_for()
    page.fill("#name", name)
    page.click("#naming button")
    page.locator("#people li", has_text=name).wait_for()
    return page


def _settings(chromium: Browser, url: str, **options) -> Page:
    """Return the settings page with an invalid value in it."""
    page = chromium.new_context(locale="en-GB", **options).new_page()
    page.goto(url + "settings.html")
    page.fill("#password", SETTINGS["admin"]["password"])
    page.click("#login button")
    page.get_by_label("Name of its own network").fill("Workshop")
    page.get_by_label("Password of its own network").first.select_option("set")
    page.get_by_label("new password").first.fill("short")
    page.click("#save")
    page.get_by_text("Must be a text of 8").wait_for()
    return page


def _join(chromium: Browser, url: str, **options) -> Page:
    """Return the page of the first run when the board has joined a network."""
    page = chromium.new_context(locale="en-GB", **options).new_page()
    page.goto(url + "join.html")
    page.get_by_text("2 networks found.").wait_for()
    page.get_by_label("Name of the board").fill("kitchen")
    page.get_by_label("Network", exact=True).select_option("Home")
    page.get_by_label("Password of the network").fill("home sweet home")
    page.get_by_role("button", name="Join").click()
    page.get_by_role("heading", name="The board has joined").wait_for()
    return page


def _widgets(chromium: Browser, url: str, **options) -> Page:
    """Return a page with one widget of each kind."""
    page = chromium.new_context(locale="en-GB", **options).new_page()
    page.goto(url)
    page.get_by_role("switch", name="Pump").click()
    page.wait_for_timeout(20_000)  # until the chart has data
    return page


def _talk(pages: list[Page], seconds: float) -> None:
    noise = random.Random(1)
    for page in pages:
        page.evaluate("window.echo = new WebSocket(location.href.replace('http', 'ws') + 'ws'); 0")
    for _ in range(int(seconds * 2)):
        page = noise.choice(pages)
        page.evaluate(
            "count => { for (let n = 0; n < count; n++) echo.send('noise'); }", noise.randrange(9)
        )
        page.wait_for_timeout(500)
    for page in pages:
        page.evaluate("echo.close()")
    for number, text in TALK:
        pages[number].fill("#text", text)
        pages[number].click("#chat button")
        pages[0].locator("#message-list", has_text=text).wait_for()
    lamp = pages[2].get_by_role("switch", name="LED")
    if lamp.get_attribute("aria-checked") == "false":
        lamp.click()
    pages[0].select_option("#to", label="Tom")
    pages[0].fill("#text", "Thanks, that was quick!")
    pages[0].click("#chat button")
    pages[2].locator("#message-list", has_text="Thanks").wait_for()
    pages[0].select_option("#to", "")


def _shoot(page: Page, file: Path) -> None:
    """Take a picture as WebP, a fraction of PNG's size, which only the browser's own protocol
    offers.
    """
    page.evaluate("scrollTo(0, 0); document.activeElement.blur()")
    page.mouse.move(0, 0)
    page.wait_for_timeout(500)  # until the lamp glows
    options = {"format": "webp", "quality": 80}
    answer = page.context.new_cdp_session(page).send("Page.captureScreenshot", options)
    file.write_bytes(base64.b64decode(answer["data"]))
    print(f"{file}: {file.stat().st_size / 1024:.0f} KB", flush=True)
