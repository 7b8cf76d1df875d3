"""Holding BOOT after the start resets the passwords and the Wi-Fi."""

import json
import time

import pytest
import websocket

from tests.admin.admin import SECRET, Admin
from tools import ROOT

TICK = 'left -= 1; server.log(20, "tick %d, held %d" % (left, held))'
QUICK = {"left -= 1": TICK}
QUICK |= {"_HOLD = const(40)": "_HOLD = const(4)"}
LONGEST = {"_LONGEST = const(120)": "_LONGEST = const(20)"}
# /boot sets the level of the pin that it gets, as the button would, and reports that of the LED.
PROGRAM = """
from machine import Pin

class Button:
    def on_message(self, client, message):
        name, level = message.split()
        pin = Pin(int(name))
        if level != "?":
            pin.value(int(level))
        client.send(str(pin.value()))

def setup(board):
    board.server.websocket("/boot", Button())
    board.server.every(1000, lambda: print("a second has passed"))
"""
CONFIG = {
    "admin": {"password": SECRET},
    "broadcast": {"interval": 0, "text": "kept"},
    "wifi": {"ssid": "Mine", "password": "forgotten", "hostname": "kitchen"},
    "mine": {"kept": [1, 2]},
}


def quick(path, changes):
    source = (ROOT / path).read_text()
    for old, new in changes.items():
        assert old in source
        source = source.replace(old, new)
    return {path: source}


@pytest.fixture
def make(make_board):
    """make(**config) -> a board on which BOOT must be held for one second, not for more than 3."""

    def make(program=PROGRAM, changes=QUICK, files=(), **config):
        files = {
            **quick("lib/admin/bootbutton.py", changes),
            **quick("lib/admin/passwordreset.py", LONGEST),
            **dict(files),
            "app/app.py": program,
        }
        return make_board(config={**CONFIG, **config}, files=files, heap="160k")

    return make


class Button:
    """The button, when the board has seen that it is not pressed."""

    def __init__(self, board, pin=0, is_watched=True):
        if is_watched:
            board.wait_for_log("held 0")
        self._client = websocket.create_connection(board.ws_url("/boot"), timeout=10)
        self._pin = pin

    def set(self, level, pin=None):
        self._client.send("%d %s" % (self._pin if pin is None else pin, level))
        return self._client.recv()


def test_holding_boot_resets_the_passwords_and_the_wifi_alone(make):
    board = make(demo={"led_pin": 4})
    (board.flash / "config.undo-120").write_text(json.dumps(CONFIG))
    position = board.log_position
    button = Button(board)
    button.set(0)
    board.wait_for_log("BOOT: release it to reset", since=position)
    levels, end = set(), time.monotonic() + 3
    while len(levels) < 2 and time.monotonic() < end:
        levels.add(button.set("?", pin=4))
    assert levels == {"0", "1"}  # the LED blinks
    button.set(1)
    board.wait_for_log("BOOT was held: the passwords and the Wi-Fi are reset", since=position)
    board.wait_for_log("(?s)access point 'ESP32-WS-Server', password boot-reset.*serving", 30)
    settings = json.loads((board.flash / "config.json").read_text())
    kept = {name: CONFIG[name] for name in ("broadcast", "mine")}
    assert settings == {
        **kept,
        "demo": {"led_pin": 4},
        "admin": {},
        "wifi": {"hostname": "kitchen"},
    }
    assert not list(board.flash.glob("config.undo-*"))
    with Admin(board, "boot-reset") as admin:
        assert admin.summary["reset"] is True


def test_a_button_that_is_released_early_resets_nothing(make):
    board = make()
    button = Button(board)
    for _ in range(2):
        position = board.log_position
        button.set(0)
        board.wait_for_log("held 2", since=position)
        button.set(1)
        position = board.log_position
        board.wait_for_log("tick.*\n(.*\n)*tick.*held 0", since=position)
    assert "BOOT" not in board.log


def test_a_button_that_is_held_for_too_long_resets_nothing(make):
    board = make()
    button = Button(board)
    button.set(0)
    board.wait_for_log("BOOT is held for too long: nothing is reset")
    board.wait_for_log("(?s)too long.*held -1.*held -1")
    button.set(1)
    board.wait_for_log("(?s)too long.*held 0")
    with Admin(board) as admin:
        assert admin.summary["reset"] is False


def test_a_pin_that_is_always_low_resets_nothing(make):
    low = "import machine\nmachine.Pin(0).value(0)\n"
    board = make(files=quick("boot.py", {"import gc\n": low + "import gc\n"}))
    board.wait_for_log("tick 230, held -1")
    assert "BOOT" not in board.log


def test_the_button_is_not_watched_for_longer_than_its_time(make):
    board = make(changes={**QUICK, "_WINDOW = const(240)": "_WINDOW = const(3)"})
    board.wait_for_log("tick 0, held 0")
    position = board.log_position
    Button(board).set(0)
    board.wait_for_log("(?s)passed.*passed.*passed", since=position)
    assert "tick" not in board.log[position:]


def test_a_button_that_is_pressed_in_time_may_be_held_longer(make):
    board = make(changes={**QUICK, "_WINDOW = const(240)": "_WINDOW = const(8)"})
    button = Button(board)
    button.set(0)
    board.wait_for_log("tick -1, held")
    board.wait_for_log("BOOT: release it")
    button.set(1)
    board.wait_for_log("BOOT was held")


RMII = {"ethernet_pins": {"mdc": 23, "mdio": 18}}


@pytest.mark.parametrize(
    "pin, config",
    [
        (0, {"admin": {"password": SECRET, "boot_pin": -1}}),
        (0, {"network": {"order": ["ethernet", "ap"], "timeout": 1, **RMII}}),
    ],
    ids=["off", "RMII"],
)
def test_the_button_can_be_off(make, pin, config):
    board = make(**config)
    Button(board, pin, is_watched=False).set(0)
    board.wait_for_log("(?s)passed.*passed")
    assert "tick" not in board.log


def test_another_pin_can_be_the_button(make):
    board = make(admin={"password": SECRET, "boot_pin": 5})
    Button(board, 5).set(0)
    board.wait_for_log("BOOT: release it")


def test_a_pin_that_does_not_exist_is_reported(make):
    make(admin={"boot_pin": 30}).wait_for_log("admin.boot_pin: 30 cannot be used")


# --- afterwards

AFTER = {"config.json": '{"admin": {"boot_pin": -1}}', "reset-600": ""}
AFTER["secrets.json"] = '{"wifi_password": "boot-reset", "admin_password": "boot-reset"}'


def test_without_new_passwords_the_known_one_is_replaced(make_board):
    limit = quick("lib/admin/passwordreset.py", {"_LIMIT = const(600000)": "_LIMIT = const(500)"})
    board = make_board(files={**AFTER, **limit}, heap="160k", wait=False)
    board.wait_for_log("no new passwords were set within ten minutes")
    found = board.wait_for_log(r"(?s)no new passwords.*admin: password (\S+)\n.*serving")[1]
    assert found != "boot-reset"
    assert "boot-reset" not in (board.flash / "secrets.json").read_text()
    assert not (board.flash / "reset-600").exists()


def test_new_passwords_end_the_reset(make_board):
    board = make_board(files=AFTER, heap="160k")
    with Admin(board, "boot-reset") as admin:
        assert admin.summary["reset"] is True
        position = board.log_position
        save = {"admin": {"password": SECRET}, "wifi": {"password": "another one"}}
        assert admin.ask(save=save)["type"] == "saved"
    board.wait_for_log("serving", since=position)
    with Admin(board) as admin:
        assert admin.summary["reset"] is False
        assert admin.ask(confirm=True)["type"] == "confirmed"
    assert not (board.flash / "secrets.json").exists()


def test_a_new_admin_password_alone_does_not_end_the_reset(make_board):
    board = make_board(files=AFTER, heap="160k")
    with Admin(board, "boot-reset") as admin:
        position = board.log_position
        assert admin.ask(save={"admin": {"password": SECRET}})["type"] == "saved"
    board.wait_for_log("serving", since=position)
    with Admin(board) as admin:
        assert admin.summary["reset"] is True


def test_a_factory_reset_ends_the_reset(make_board):
    board = make_board(files=AFTER, heap="160k")
    with Admin(board, "boot-reset") as admin:
        position = board.log_position
        assert admin.ask(do="reset")["type"] == "restarting"
    board.wait_for_log("serving", since=position)
    assert not (board.flash / "reset-600").exists()
