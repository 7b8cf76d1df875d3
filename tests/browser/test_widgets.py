"""The widgets of an application's panel in a real browser."""

import re

import pytest

from tests.browser.complaints import listen

playwright_api = pytest.importorskip(
    "playwright.sync_api", reason="playwright has no wheel for this machine"
)
expect = playwright_api.expect
expect.set_options(timeout=60_000)  # a loaded machine is no reason to fail

APP = """
class State:
    soil = 21.5
    pump = False
    fails = False


def soil():
    if State.fails:
        raise OSError("no sensor")
    return State.soil


def pump(value=None):
    if value is None:
        return State.pump
    State.pump = value


def shown(name):
    return lambda value: print("set", name, value)


def water():
    print("water now")


def fail():
    State.fails = not State.fails


def explode(value):
    raise RuntimeError("no power")


def setup(board):
    panel = board.panel
    panel.value("Soil", soil, unit="%", group="Garden", icon="drop")
    panel.switch("Pump", get=pump, set=pump, group="Garden", icon="power")
    panel.button("Water now", water, group="Garden")
    panel.slider("Fan", set=shown("fan"), minimum=0, maximum=10, step=2, unit="m/s", icon="fan")
    panel.select("Mode", ("eco", "boost"), set=shown("mode"))
    panel.text("Title", set=shown("title"), size=20)
    panel.colour("Light", set=shown("light"))
    panel.switch("Bad", set=explode)
    panel.button("Break", fail, order=-1)
    panel.value("<b>HTML</b>", lambda: "<img src=x>")
    panel.value("\\u202eevil", lambda: "\\u05e9\\u05dc\\u05d5\\u05dd")
    panel.value("Level", lambda: State.soil, unit="cm", chart=True, history=60, group="Garden")
    panel.value("Uptime", lambda: 7384, unit="s")
    panel.custom("dial", "Dial", Dial())


class Dial:
    def on_command(self, client, value):
        pass
"""
EXERCISE = """
from machine import Pin
led = Pin(2, Pin.OUT)
def setup(board):
    board.panel.switch("LED", get=led.value, set=led.value)
    board.panel.button("Hello", lambda: print("hello from the page"))
"""


@pytest.fixture(scope="module")
def board(make_board):
    return make_board(files={"app/app.py": APP}, heap="256k")


@pytest.fixture
def open_page(browser, board):
    """open_page(board, **options) -> a page that shows the widgets of the board."""
    contexts = []

    def start(where=board, **options):
        options = {"viewport": {"width": 1000, "height": 900}, "locale": "de-DE", **options}
        contexts.append(browser.new_context(**options))
        page = contexts[-1].new_page()
        listen(page)
        page.goto(where.http_url)
        expect(page.locator(".widget").first).to_be_visible()
        return page

    yield start
    for context in contexts:
        context.close()


def widget(page, label):
    return page.locator(".widget", has=page.locator(".label", has_text=label))


def test_exercise_4_button_and_led_takes_six_lines(open_page, make_board):
    assert len(EXERCISE.strip().splitlines()) <= 6
    other = make_board(files={"app/app.py": EXERCISE}, heap="192k")
    page = open_page(other)
    page.get_by_role("switch", name="LED").click()
    expect(page.get_by_role("switch", name="LED")).to_have_attribute("aria-checked", "true")
    page.get_by_role("button", name="Hello").click()
    other.wait_for_log("hello from the page")
    assert page.complaints == []


def test_every_kind_of_widget_is_drawn_and_works(open_page, board):
    page, other = open_page(), open_page()
    position = board.log_position
    page.get_by_role("switch", name="Pump").click()
    expect(other.get_by_role("switch", name="Pump")).to_have_attribute("aria-checked", "true")
    page.get_by_role("button", name="Water now").click()
    board.wait_for_log("water now", since=position)
    page.get_by_role("slider", name="Fan").fill("6")
    board.wait_for_log("set fan 6", since=position)
    expect(widget(other, "Fan").locator("output")).to_have_text("6\u00a0m/s")
    page.get_by_label("Mode").select_option("boost")
    board.wait_for_log("set mode boost", since=position)
    page.get_by_label("Title").fill("Gr\u00fc\u00dfe")
    page.get_by_label("Title").press("Enter")
    board.wait_for_log("set title Gr", since=position)
    page.get_by_label("Light").fill("#102030")
    board.wait_for_log(r"set light \(16, 32, 48\)", since=position)
    for one in (other, open_page()):
        expect(one.get_by_label("Mode")).to_have_value("boost")
        expect(one.get_by_label("Title")).to_have_value("Gr\u00fc\u00dfe")
        expect(one.get_by_label("Light")).to_have_value("#102030")
        expect(one.get_by_role("slider", name="Fan")).to_have_value("6")
    assert page.complaints == []


def test_values_follow_the_browsers_language(open_page):
    german, english = open_page(), open_page(locale="en-GB")
    expect(widget(german, "Soil").locator("output")).to_have_text("21,5\u00a0%")
    expect(widget(english, "Soil").locator("output")).to_have_text("21.5\u00a0%")
    expect(widget(german, "Uptime").locator("output")).to_have_text("2\u00a0h 3\u00a0min")


def test_widgets_are_in_cards_of_their_groups_and_ordered(open_page):
    page = open_page()
    garden = page.get_by_role("region", name="Garden")
    expect(garden.get_by_role("button", name="Water now")).to_be_visible()
    expect(garden.locator("canvas")).to_have_count(1)
    controls = page.get_by_role("region", name="Controls")
    expect(controls.locator(".widget").first).to_contain_text("Break")
    assert widget(page, "Soil").locator("svg.icon").count() == 1


def test_an_error_is_shown_at_its_widget(open_page):
    page = open_page()
    page.get_by_role("switch", name="Bad").click()
    expect(widget(page, "Bad").locator(".note")).to_have_text("RuntimeError: no power")
    expect(page.get_by_role("switch", name="Bad")).to_have_attribute("aria-checked", "false")
    page.get_by_role("button", name="Break").click()
    expect(widget(page, "Soil").locator(".note")).to_have_text("OSError: no sensor")
    later = open_page()
    expect(widget(later, "Soil").locator(".note")).to_have_text("OSError: no sensor")
    page.get_by_role("button", name="Break").click()
    for one in (page, later):
        expect(widget(one, "Soil").locator("output")).to_have_text("21,5\u00a0%")
        expect(widget(one, "Soil").locator(".note")).to_have_text("")


@pytest.mark.parametrize("width", [320, 390])
def test_the_button_of_a_text_field_keeps_its_word_in_one_line(open_page, width):
    page = open_page(viewport={"width": width, "height": 780}, locale="en-GB")
    button = widget(page, "Title").get_by_role("button")
    lines = (
        "button => {const range = document.createRange(); range.selectNodeContents(button);"
        " return range.getClientRects().length;}"
    )
    assert button.evaluate(lines) == 1


def test_the_widgets_fit_a_small_phone_with_text_of_200_percent(open_page):
    page = open_page(viewport={"width": 160, "height": 300})
    for one in page.locator(".widget *").all():
        if one.is_visible():
            box = one.bounding_box()
            assert box["x"] >= 0 and box["x"] + box["width"] <= 160
    assert page.evaluate("document.documentElement.scrollWidth") <= 160


def test_labels_and_values_are_never_html(open_page):
    page = open_page()
    expect(widget(page, "<b>HTML</b>").locator("output")).to_have_text("<img src=x>")
    assert page.locator(".widget b, .widget img").count() == 0
    turned = widget(page, "evil")
    label, value = turned.locator(".label bdi"), turned.locator("output bdi")
    assert label.bounding_box()["x"] < value.bounding_box()["x"]


def test_an_unknown_kind_is_explained(open_page):
    expect(widget(open_page(), "Dial")).to_contain_text('of the kind "dial"')


def test_a_later_page_gets_the_stored_history(open_page):
    first = open_page()
    first.wait_for_timeout(4500)  # two samples
    page = open_page()
    figure = page.locator("figure", has_text="Level")
    expect(figure.locator("figcaption b")).to_have_text("21,5\u00a0cm")
    drawn = "(one) => one.toDataURL()"
    expect(figure.locator(".range span").first).not_to_have_text("")
    assert figure.locator("canvas").evaluate(drawn) != ""


def test_a_board_with_other_widgets_is_drawn_anew(open_page, make_board):
    other = make_board(files={"app/app.py": EXERCISE}, heap="192k")
    page = open_page(other)
    (other.flash / "app" / "app.py").write_text(EXERCISE.replace("LED", "Pump"))
    other.power_cycle()
    expect(page.get_by_role("switch", name="Pump")).to_be_visible()
    assert page.get_by_role("switch").count() == 1


def test_a_hundred_widgets_are_shown(open_page, make_board):
    program = (
        "def setup(board):\n    for n in range(100):\n"
        "        board.panel.value('Sensor %d' % n, lambda: 5, unit='V')\n"
    )
    page = open_page(make_board(files={"app/app.py": program}, heap="256k"))
    expect(page.locator(".widget")).to_have_count(100)
    expect(widget(page, re.compile("Sensor 99")).locator("output")).to_have_text("5\u00a0V")


@pytest.mark.parametrize("width", [320, 1280])
def test_axe_finds_no_violation_and_the_page_fits(open_page, width):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = open_page(viewport={"width": width, "height": 800})
    page.get_by_role("switch", name="Bad").click()
    expect(widget(page, "Bad").locator(".note")).to_contain_text("no power")
    results = axe.run(page)
    assert results.violations_count == 0, results.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
