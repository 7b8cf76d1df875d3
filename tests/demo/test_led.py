"""The LED of /demo: every client can switch it and sees its state."""

import ast
from pathlib import Path

import pytest

from tests.demo.guest import Guest
from tools.board.table import load

ROOT = Path(__file__).resolve().parents[2]


def config(**demo):
    return {"broadcast": {"interval": 0}, "demo": demo}


@pytest.fixture(scope="module")
def make_led_board(request, make_board):
    """make_led_board(led_pin=..., led_kind=...) -> a board; the same one for the same LED."""
    boards = {}

    def make(**demo):
        key = tuple(sorted(demo.items()))
        if key not in boards:
            boards[key] = make_board(config=config(**demo), owner=request)
        return boards[key]

    return make


@pytest.fixture
def guests(make_led_board):
    """guests(count, led_pin=...) -> so many at a board with this LED, which is off."""
    come = []

    def make(count, **demo):
        come.extend(Guest(make_led_board(**demo)) for _ in range(count))
        come[0].say({"led": "off"})
        for one in come:
            one.rest()
        come[0].rest()
        return come if count > 1 else come[0]

    yield make
    for one in come:
        one.leave()


def leave(board, one):
    """Leave, so that the board has nobody to say goodbye to when its program is interrupted."""
    position = board.log_position
    one.leave()
    board.wait_for_log("disconnected", since=position)


def look(board, what):
    """A value on a board that is left at its prompt."""
    return ast.literal_eval(board.exec(f"import machine; print({what})").strip())


def test_the_pins_are_those_of_the_table_of_boards():
    tree = ast.parse((ROOT / "lib" / "demo" / "lamp.py").read_text())
    (lines,) = [
        node.value.args[0].value
        for node in tree.body
        if isinstance(node, ast.Assign) and node.targets[0].id == "_PINS"
    ]
    rows = [line.split() for line in lines.splitlines()]
    pins = {name: (int(pin), kind) for name, pin, kind in rows}
    kinds = {"plain": "pin", "rgb": "neopixel"}
    boards = {
        board.chip.upper(): (board.led_pin, kinds[board.led_kind])
        for board in load()
        if board.led_pin >= 0
    }
    assert pins == boards


@pytest.mark.parametrize("words", ["TOGGLE_LED", "toggle_led", " LED_ON\n"])
def test_plain_text_switches_the_led_and_gets_a_plain_answer(guests, words):
    one = guests(1)
    one.say(words)
    assert one.hear() == "LED is ON"
    assert one.hear() == {"type": "led", "on": True, "by": one.id}
    one.say("LED_OFF")
    assert one.hear() == "LED is OFF"


@pytest.mark.parametrize("value", ["toggle", "on", True])
def test_json_switches_the_led_and_all_clients_see_by_whom(guests, value):
    one, other = guests(2)
    one.say({"led": value})
    for who in (one, other):
        assert who.wait("led") == {"type": "led", "on": True, "by": one.id}
    other.say({"led": "toggle" if value == "toggle" else False})
    for who in (one, other):
        assert who.wait("led") == {"type": "led", "on": False, "by": other.id}
    assert one.rest() == other.rest() == []


@pytest.mark.parametrize("kind, on", [(None, 1), ("pin", 1), ("pin_low", 0)])
def test_the_level_of_the_usual_pin_follows_the_kind_of_led(make_board, kind, on):
    board = make_board(config=config(led_kind=kind))
    one = Guest(board)
    one.say("LED_ON").wait("led")
    leave(board, one)
    assert look(board, "machine.Pin(2).value()") == on


def test_another_pin_can_be_configured(make_board):
    board = make_board(config=config(led_pin=4))
    one = Guest(board)
    one.say("LED_ON").wait("led")
    leave(board, one)
    assert look(board, "[machine.Pin(pin).value() for pin in (2, 4)]") == [0, 1]


RGB = {"led_pin": 18, "led_kind": "neopixel"}


def test_an_rgb_led_keeps_its_colour(guests):
    one = guests(1, **RGB)
    assert one.welcome["led"] == {"on": False, "color": [255, 120, 0]}
    led = one.say({"led": [0, 100, 255]}).wait("led")
    assert led == {"type": "led", "on": True, "color": [0, 100, 255], "by": one.id}
    assert one.say("LED_OFF").wait("led")["color"] == [0, 100, 255]
    assert one.say("LED_ON").wait("led")["color"] == [0, 100, 255]


@pytest.mark.parametrize(
    "orders, sent",
    # Green comes first on the wire, and a quarter of the power is enough.
    [([[0, 100, 255]], [25, 0, 63]), ([[0, 100, 255], "off"], [0, 0, 0])],
)
def test_an_rgb_led_gets_the_colour_at_a_quarter_of_its_power(make_board, orders, sent):
    board = make_board(config=config(**RGB))
    one = Guest(board)
    for order in orders:
        one.say({"led": order}).wait("led")
    leave(board, one)
    assert look(board, "list(machine._sent[18])") == sent


def test_a_stale_led_command_is_not_executed(guests):
    one = guests(1)
    now = Guest(one.board).welcome["time"]
    error = one.error({"led": "on", "at": (now - 60_000) % 2**30})
    assert error.startswith("led: this command is stale, it was sent ")
    assert one.rest() == []
    assert one.say({"led": "on", "at": (now + 1000) % 2**30}).wait("led")["on"]


@pytest.mark.parametrize("at", ["1", True, 1.5, []])
def test_an_invalid_time_of_an_led_command_is_refused(guests, at):
    error = guests(1).error({"led": "on", "at": at})
    assert error == "at: must be a time of the board in ms, an integer"


COLOURS = [[1, 2], [1, 2, 3, 4], [0, 0, 256], [-1, 0, 0], [1.5, 0, 0], [True, 0, 0], ["1", 0, 0]]


@pytest.mark.parametrize("value", [*COLOURS, "blue", 1, None, {"on": True}])
def test_an_invalid_led_command_is_refused_and_changes_nothing(guests, value):
    one = guests(1, **RGB)
    text = "led: must be on, off, toggle or a colour such as [255, 120, 0]"
    assert one.error({"led": value}) == text
    assert one.rest() == []


def test_a_plain_led_has_no_colours(guests):
    assert guests(1).error({"led": [255, 0, 0]}) == "led: this LED has no colours"


@pytest.mark.parametrize("pin, problem", [(-1, None), (20, "invalid pin"), (34, "only be input")])
def test_a_board_without_an_led_reports_it_and_works_otherwise(make_board, pin, problem):
    board = make_board(config=config(led_pin=pin))
    one = Guest(board)
    assert one.welcome["led"] is None
    for order in ("TOGGLE_LED", {"led": "on"}):
        assert one.error(order).startswith("this board has no LED: set demo.led_pin")
    assert one.say({"message": "hello"}).wait("message")["message"] == "hello"
    if problem:
        board.wait_for_log(rf"demo\.led_pin: {pin} cannot be used: .*{problem}")
