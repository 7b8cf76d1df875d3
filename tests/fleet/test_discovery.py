"""Home Assistant's discovery: the widgets of an application's panel as entities."""

import json
import time

import pytest

APP = """
counts = []
state = {"pump": False, "fan": 20, "mode": "auto", "name": "Ann", "light": "#010203"}


def setup(board):
    def widget(add, label, key, *choices, **options):
        add(label, *choices, get=lambda: state[key], set=lambda new: state.update({key: new}),
            **options)

    panel = board.panel
    panel.value("Soil", lambda: 41.5, unit="%")
    panel.value("Door", lambda: True)
    widget(panel.switch, "Pump", "pump")
    widget(panel.slider, "Fan", "fan", minimum=0, maximum=50)
    panel.button("Water now", lambda: print("watered"))
    widget(panel.select, "Mode", "mode", ["auto", "off"])
    widget(panel.text, "Name", "name")
    widget(panel.colour, "Light", "light")
    panel.value("Count", lambda: counts.append(0) or len(counts))
"""
COMPONENTS = [
    "sensor",
    "binary_sensor",
    "switch",
    "number",
    "button",
    "select",
    "text",
    "text",
    "sensor",
]


@pytest.fixture(scope="module")
def garden(make_board, one_engine):
    """A board whose application has one widget of each kind."""
    fleet = {"enabled": True, "host": "127.0.0.1", "port": one_engine.port, "interval": 1}
    config = {"fleet": {**fleet, "discovery": "homeassistant"}, "wifi": {"hostname": "garden"}}
    board = make_board(config=config, files={"app/app.py": APP}, heap="300k")
    board.wait_for_log("fleet: connected")
    return board


@pytest.fixture
def home(plain, one_engine):
    """What Home Assistant subscribes to, as a Plain client that sees all topics."""
    client = plain(one_engine.port, topic="homeassistant/#")
    client.client.subscribe("boards/v1/garden/panel/#", 1)
    return client


def entities(home, count):
    """Return {component and id: configuration}."""
    found = {}
    while len(found) < count:
        topic, payload, _ = home.messages.get(timeout=10)
        if topic.endswith("/config"):
            _, component, name, id, _ = topic.split("/")
            assert name == "garden"
            found[int(id)] = (component, json.loads(payload))
    return found


def test_every_widget_becomes_an_entity(garden, home):
    found = entities(home, 9)
    assert [found[id][0] for id in range(9)] == COMPONENTS
    for id, (_, config) in found.items():
        assert config["unique_id"] == f"garden-{id}"
        assert config["availability_topic"] == "boards/v1/garden/presence"
    assert found[0][1]["name"] == "Soil" and found[0][1]["unit_of_measurement"] == "%"
    assert (found[3][1]["min"], found[3][1]["max"]) == (0, 50)
    assert found[5][1]["options"] == ["auto", "off"]
    assert "state_topic" not in found[4][1] and "command_topic" not in found[0][1]


def test_commands_set_widgets_and_the_values_follow(garden, home):
    configs = entities(home, 9)
    home.next("panel/values")
    commands = {2: "True", 3: "45", 5: "off", 6: "Béa", 7: "#ff8000"}
    for id, text in commands.items():
        home.publish(configs[id][1]["command_topic"], text)
    values = {}
    while values.get("7") != "#ff8000":
        values = json.loads(home.next("panel/values"))
    assert [values[key] for key in "01"] == [41.5, True]
    assert [values[str(id)] for id in commands] == [True, 45, "off", "Béa", "#ff8000"]
    home.publish(configs[4][1]["command_topic"], "PRESS")
    garden.wait_for_log("watered")


def test_values_are_published_at_every_interval(garden, home):
    """No page is connected: only fleet.interval asks for the values."""
    seen = [json.loads(home.next("panel/values"))["8"] for _ in range(4)]
    assert seen == sorted(set(seen)), "each time anew"


def test_wrong_commands_change_nothing_and_are_logged(garden, home):
    start = garden.log_position
    for id, text in ((3, "much"), (5, "purple"), (7, "red"), (99, "x"), ("y", "x")):
        home.publish(f"boards/v1/garden/in/panel/{id}", text)
    garden.wait_for_log("(?s)(command for a widget.*){5}", since=start)
    assert "trying again" not in garden.log[start:], "the connection stays"


COUNTING = """
state = {"soil": 20}


def soil():
    print("get soil")
    return state["soil"]


def setup(board):
    board.panel.value("Soil", soil)
    board.panel.slider("Wet", set=lambda value: state.update(soil=value))
"""


def test_without_a_page_values_are_read_at_the_interval_only(make_board, one_engine, home):
    section = {"enabled": True, "host": "127.0.0.1", "port": one_engine.port, "interval": 3}
    config = {"fleet": {**section, "discovery": "elsewhere"}, "wifi": {"hostname": "field"}}
    board = make_board(config=config, files={"app/app.py": COUNTING}, heap="300k")
    home.client.subscribe("boards/v1/field/#", 1)

    def values():
        return json.loads(home.next("field/panel/values"))

    board.wait_for_log("fleet: connected")
    values()
    times = []
    for _ in range(3):
        values()
        times.append((time.monotonic(), board.log.count("get soil")))
    (begin, first), *_, (end, last) = times
    assert end - begin > 5
    assert last - first == 2, "one for each report, although a page would read once a second"
    home.publish("boards/v1/field/in/panel/1", "55")
    while values()["0"] != 55:
        pass
