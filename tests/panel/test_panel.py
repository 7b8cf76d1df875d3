"""The widgets of a panel: descriptions, values, commands, errors and memory."""

import json
import random
import re
from pathlib import Path

import pytest
import websocket

from tests.panel.viewer import Viewer
from tests.wsserver.conftest import wait_until

LAB = (Path(__file__).with_name("lab.py")).read_text()


@pytest.fixture(scope="module")
def board(make_board):
    board = make_board(files={"main.py": LAB}, heap="192k", wait=False)
    board.wait_for_log("serving")
    return board


@pytest.fixture
def viewer(board):
    """viewer() -> one more page at /panel. The teardown waits until all have left."""
    viewers = []

    def come(where=board):
        viewers.append(Viewer(where))
        return viewers[-1]

    yield come
    for one in viewers:
        one.leave()
    wait_until(lambda: re.findall(r"\((\d+) connected\)", board.log)[-1:] == ["0"], "all to leave")


# --- descriptions


def test_the_greeting_has_the_version_and_the_boards_name(viewer):
    hello = viewer().hello
    assert isinstance(hello.pop("time"), int)
    assert isinstance(hello.pop("id"), int)
    assert hello == {
        "type": "panel",
        "version": 1,
        "name": "lab",
        "board": "Virtual board with ESP32",
        "firmware": "MicroPython 1.29.0",
        "interval": 1000,
        "count": 13,
        "problem": None,
    }


def test_widgets_are_described_with_options_and_current_values(viewer):
    widgets = viewer().widgets
    assert [widget["id"] for widget in widgets] == list(range(13))
    assert widgets[0] == {
        "id": 0,
        "kind": "value",
        "label": "Soil",
        "value": 21.5,
        "unit": "%",
        "group": "Garden",
        "icon": "drop",
        "chart": True,
    }
    fan = {"minimum": -10, "maximum": 10, "step": 0.5, "value": -10}
    assert widgets[2] == {"id": 2, "kind": "slider", "label": "Fan", **fan}
    mode = {"choices": ["eco", "boost"], "order": 2, "value": "eco"}
    assert widgets[4] == {"id": 4, "kind": "select", "label": "Mode", **mode}


def with_a_hundred(make_board, program, lines, functions=""):
    """Start a board whose program first makes 100 widgets, number n with these lines.

    Return the board, and the bytes that the widgets take.
    """
    hundred = f"""{functions}
gc.collect()
full = gc.mem_alloc()
for n in range(100):
    {lines}
gc.collect()
print("100 take %d" % (gc.mem_alloc() - full))
panel.value("Soil\""""
    program = program.replace('panel.value("Soil"', hundred, 1)
    board = make_board(files={"main.py": program}, heap="256k", wait=False)
    taken = int(board.wait_for_log(r"100 take (\d+)")[1])
    board.wait_for_log("serving")
    return board, taken


def test_a_hundred_widgets_are_described_in_pieces(make_board, word):
    other, taken = with_a_hundred(make_board, LAB, 'panel.value("Sensor %d" % n, soil, unit="C")')
    assert taken <= 100 * 100 * word // 32
    one = Viewer(other)
    assert [widget["label"] for widget in one.widgets[:100]] == [f"Sensor {n}" for n in range(100)]
    assert one.widgets[99]["value"] == 21.5
    one.leave()


@pytest.mark.parametrize(
    "call, text",
    [
        ('value("", soil)', "label must be a str of 1 to 100 characters: ''"),
        ('value("x" * 101, soil)', "label must be a str"),
        ('value("A", 5)', "value 'A': get must be a function, not 5"),
        ('switch("A")', "switch 'A': set must be a function, not None"),
        ('button("A", None)', "button 'A': function must be a function, not None"),
        ('value("A", (5,))', "value 'A': get must be a function, not (5,)"),
        ('switch("A", set=())', "switch 'A': set must be a function, not ()"),
        ('custom("bell", "A", 5)', "bell 'A': endpoint must have a method on_command: 5"),
        ('slider("A", set=print, minimum=3, maximum=3)', "slider 'A': minimum must be less"),
        ('slider("A", set=print, step=0)', "slider 'A': step must be greater than 0: 0"),
        ('slider("A", set=print, maximum="9")', "slider 'A': maximum has a wrong type: '9'"),
        ('select("A", [], set=print)', "select 'A': choices must be a list of texts: []"),
        ('select("A", [1], set=print)', "select 'A': choices must be a list of texts: [1]"),
        ('select("A", ["x" * 1001], set=print)', "select 'A': choices must be a list"),
        ('text("A", set=print, size=501)', "text 'A': size must be 1 to 500: 501"),
        ('value("A", soil, history=301)', "value 'A': history must be 1 to 300: 301"),
        ('value("A", soil, every=0.1)', "value 'A': every must be at least 1 second: 0.1"),
        ('value("A", soil, units="x")', "value 'A': unknown option 'units'; known are chart"),
        ('value("A", soil, chart=1)', "value 'A': chart has a wrong type: 1"),
    ],
)
def test_wrong_arguments_are_errors_that_name_them(board_for_errors, call, text):
    assert text in board_for_errors[call]


@pytest.fixture(scope="module")
def board_for_errors(make_board):
    """The errors of all calls of the test above, by call."""
    mark = test_wrong_arguments_are_errors_that_name_them.pytestmark[0]
    calls = [call for call, _ in mark.args[1]]
    lines = [
        f"try:\n    panel.{call}\nexcept (TypeError, ValueError) as error:\n"
        f"    print('error {index}:', error)\n"
        for index, call in enumerate(calls)
    ]
    program = LAB.replace("server.listen(80)", "".join(lines) + "server.listen(80)")
    board = make_board(files={"main.py": program}, heap="128k", wait=False)
    board.wait_for_log("serving")
    found = dict(re.findall(r"error (\d+): (.*)", board.log))
    return {call: found.get(str(index), "") for index, call in enumerate(calls)}


# --- values


def test_values_are_read_only_while_a_page_is_visible(viewer, board):
    one = viewer()
    one.wait("values")
    one.say({"view": False})
    one.say("so far").wait("echo")
    position = pause(board)
    wait_until(lambda: board.log[position:].count("heap ") >= 4, "two seconds to pass")
    assert "get soil" not in board.log[position:]
    one.say({"view": True})
    board.wait_for_log("get soil", since=position)
    one.leave()
    board.wait_for_log(r"\(0 connected\)", since=position)
    position = pause(board)
    wait_until(lambda: board.log[position:].count("heap ") >= 4, "two seconds to pass")
    assert "get soil" not in board.log[position:]


def pause(board):
    """Wait until the log is up to date. Return its position."""
    board.wait_for_log("heap ", since=board.log_position)
    return board.log_position


def test_a_changed_value_reaches_all_pages_and_later_ones(viewer):
    one, other = viewer(), viewer()
    assert one.set("Soil is", "33.5")["type"] == "done"
    for page in (one, other):
        page.wait_value("Soil", 33.5)
    assert viewer().widgets[0]["value"] == 33.5
    one.set("Soil is", "21.5")


def test_every_page_hears_the_time_although_no_value_changes(viewer):
    one = viewer()
    one.wait("values")
    times = [one.wait("values")["time"] for _ in range(2)]
    assert 900 <= times[1] - times[0] < 3000


def test_a_history_is_kept_for_pages_that_come_later(viewer):
    one = viewer()
    id = one.ids["History"]
    assert one.widgets[id]["history"] == 5
    while True:
        one.wait("values")
        history = one.say({"history": id}).wait("history")
        if history["values"][-2:] == [21.5, 21.5]:
            break
    assert (history["id"], history["every"], len(history["values"])) == (id, 1000, 5)
    assert history["age"] < 3000
    later = viewer().say({"history": id}).wait("history")["values"]
    assert later[-3:].count(21.5) >= 2


# --- commands


@pytest.mark.parametrize(
    "label, value, log",
    [
        ("Pump", True, "set pump True"),
        ("Pump", False, "set pump False"),
        ("Fan", 2.5, "set fan 2.5"),
        ("Fan", -10, "set fan -10"),
        ("Mode", "boost", "set mode boost"),
        ("Light", "#0a80ff", "set light (10, 128, 255)"),
        ("Bell", {"ring": 2}, "bell: {'ring': 2}"),
    ],
)
def test_a_command_calls_the_function_with_the_value(viewer, board, label, value, log):
    one = viewer()
    position = board.log_position
    answer = one.set(label, value)
    assert answer == {"type": "done", "id": one.ids[label], "n": 1}
    board.wait_for_log(re.escape(log), since=position)


def test_a_set_value_is_kept_on_the_board_and_shown_to_all(viewer, board):
    one, other = viewer(), viewer()
    position = board.log_position
    one.set("Fan", 7)
    other.wait_value("Fan", 7)
    one.leave(), other.leave()
    board.wait_for_log(r"\(0 connected\)", since=position)
    assert viewer().widgets[2]["value"] == 7


@pytest.mark.parametrize(
    "label, value, text",
    [
        ("Pump", 1, "must be true or false"),
        ("Pump", "toggle", "must be true or false"),
        ("Fan", 10.5, "must be a number from -10 to 10"),
        ("Fan", True, "must be a number from -10 to 10"),
        ("Fan", "5", "must be a number from -10 to 10"),
        ("Mode", "turbo", "must be one of the choices"),
        ("Soil is", "x" * 11, "must be a text of at most 10 characters"),
        ("Soil is", 5, "must be a text of at most 10 characters"),
        ("Light", "red", "must be a colour such as #ff8000"),
        ("Light", "#-1-1-1", "must be a colour such as #ff8000"),
        ("Light", "#gg0000", "must be a colour such as #ff8000"),
        ("Soil", 5, "this value can only be read"),
    ],
)
def test_an_invalid_value_is_refused_at_its_widget(viewer, board, label, value, text):
    one = viewer()
    position = board.log_position
    answer = one.set(label, value)
    assert answer == {"type": "error", "id": one.ids[label], "n": 1, "error": text}
    assert "set " not in board.log[position:]


@pytest.mark.parametrize("id", [-1, 13, "0", None, True, 1.0, []])
def test_a_command_for_an_unknown_id_is_refused(viewer, id):
    one = viewer()
    one.say({"set": id, "value": 1, "n": 5})
    assert "no widget has the id" in one.wait("error")["error"]


def test_a_stale_command_is_not_executed(viewer, board):
    one = viewer()
    now = one.hello["time"]
    position = board.log_position
    assert one.set("Pump", True, at=now)["type"] == "done"
    board.wait_for_log("set pump True", since=position)
    position = board.log_position
    answer = one.set("Pump", False, at=(now - 7000) % 2**30)
    assert re.match(r"this command is stale: it was sent [78] s ago", answer["error"])
    assert "set pump" not in board.log[position:]
    assert "at: must be a time" in one.set("Pump", False, at="now")["error"]
    assert one.set("Pump", False, at=(now + 3000) % 2**30)["type"] == "done"


def test_an_error_of_set_is_shown_at_the_widget(viewer):
    one = viewer()
    assert one.set("Bad", True)["error"] == "RuntimeError: no power"
    assert one.set("Cold", 5)["error"] == "it is too cold"


def test_an_error_of_get_is_shown_once_and_then_the_value(viewer):
    one = viewer()
    one.set("Break the sensor")
    error = one.wait("error")
    assert error == {"type": "error", "id": 0, "error": "OSError: no sensor"}
    values = [one.wait("values")["values"] for _ in range(2)]
    assert not [value for value in values if "0" in value]
    assert viewer().widgets[0]["error"] == "OSError: no sensor"
    one.set("Break the sensor")
    assert one.value("Soil") == 21.5


ODD = """
class Quoted:
    def __str__(self):
        return '"a"'


ODD = (
    ("nan", lambda: float("nan"), {}), ("inf", lambda: float("-inf"), {"history": 3}),
    ("huge", lambda: 10**400, {"history": 3}), ("longest", lambda: -(1 << 40000), {}),
    ("large", lambda: 2**53 - 1, {}), ("bytes", lambda: b"\\xff", {}),
    ("object", Quoted, {}), ("dict", lambda: {"a": float("nan")}, {}),
    ("text", lambda: "\\0" * 3000, {}), ("half", lambda: "\\ud800", {}),
)
for label, get, options in ODD:
    panel.value(label, get, **options)
COLOURS = {"two": (1, 2), "over": (1, 2, 300), "below": (-1, 2, 3), "fits": (0, 10, 255)}
for label, get in COLOURS.items():
    panel.colour(label, get=lambda get=get: get, set=print)
server.listen(80)"""


def test_no_value_of_an_application_breaks_the_json(make_board):
    board = make_board(
        files={"main.py": LAB.replace("server.listen(80)", ODD)}, heap="192k", wait=False
    )
    board.wait_for_log("serving")
    one = StrictViewer(board)
    found = {widget["label"]: widget for widget in one.widgets}
    values = {label: widget["value"] for label, widget in found.items()}
    assert [values[label] for label in ("nan", "inf", "huge", "longest")] == [None] * 4
    assert values["large"] == 2**53 - 1
    assert values["bytes"] == "b'\\xff'" and values["object"] == '"a"'
    assert values["dict"] == "{'a': nan}" and values["text"] == "\0" * 500
    assert found["half"]["error"] == "ValueError: the text is not valid UTF-8"
    for label in ("two", "over", "below"):
        error = "ValueError: a colour must be three numbers from 0 to 255"
        assert (values[label], found[label]["error"]) == (None, error)
    assert values["fits"] == "#000aff"
    for label in ("inf", "huge"):
        history = one.say({"history": one.ids[label]}).wait("history")
        assert history["values"] == [None] * 3
    one.leave()


class StrictViewer(Viewer):
    """A page with a parser that accepts JSON only."""

    def hear(self):
        text = self.socket.recv()

        def refuse(name):
            raise AssertionError(f"{name} is no JSON: {text[:300]}")

        return json.loads(text, parse_constant=refuse)


def test_an_async_function_is_answered_when_it_has_ended(viewer, board):
    one = viewer()
    position = board.log_position
    assert one.set("Slow", "b") == {"type": "done", "id": one.ids["Slow"], "n": 1}
    board.wait_for_log("slow ends", since=position)
    assert viewer().widgets[one.ids["Slow"]]["value"] == "b"
    assert one.set("Slow", "fail")["error"] == "OSError: stuck"


def test_a_custom_widget_hears_of_pages_that_come_and_go(viewer, board):
    position = board.log_position
    one = viewer()
    number = board.wait_for_log(r"bell: open (\d+)", since=position)[1]
    one.leave()
    board.wait_for_log(f"bell: close {number}", since=position)


def test_a_part_is_loaded_only_while_a_page_is_connected(viewer, board):
    # After the last page of an earlier test has left, the board unloads its part.
    counts = [f"part: {word}" for word in ("loaded", "unloaded")]
    wait_until(lambda: len({board.log.count(text) for text in counts}) == 1, "the part to go")
    position = board.log_position
    one, other = viewer(), viewer()
    assert one.widgets[-1] == {"id": 12, "kind": "value", "label": "late", "value": 7}
    one.leave()
    board.wait_for_log(r"disconnected: .*\(1 connected\)", since=position)
    assert "part: unloaded" not in board.log[position:]
    other.leave()
    board.wait_for_log("part: unloaded", since=position)
    assert board.log[position:].count("part: loaded") == 1


def test_a_part_that_fails_is_reported_and_the_rest_works(make_board):
    program = LAB.replace('print("part: loaded")', "raise ValueError(5)")
    other = make_board(files={"main.py": program}, heap="128k", wait=False)
    other.wait_for_log("serving")
    one = Viewer(other)
    assert one.hello["problem"] == "part: ValueError: 5"
    assert one.widgets[0]["value"] == 21.5
    one.leave()


# --- messages


@pytest.mark.parametrize(
    "command, text",
    [
        ("{hello", "invalid JSON: {hello"),
        ('{"a": 1} x', "invalid JSON"),
        ("{}", "the commands are describe"),
        ('{"history": 9, "view": true}', "the commands are describe"),
        ('{"view": 1}', "the commands are describe"),
        ('{"history": 0}', "the commands are describe"),
        ('{"describe": 14}', "no widget has the id 14"),
        ('{"set": 0, "n": "x"}', "n: must be an integer"),
        ('{"set": "\\ud800"}', "must be pairs"),
        ('{"x": "%s"}' % ("x" * 3300), "a command has at most 2200 bytes"),
        ("{" * 50, "more than 40 brackets"),
    ],
)
def test_an_invalid_message_is_answered_with_an_error(viewer, command, text):
    assert text in viewer().say(command).wait("error")["error"]


def test_random_messages_neither_close_a_page_nor_break_the_json(viewer):
    dice = random.Random(1)
    names = ("set", "value", "n", "at", "describe", "history", "view")
    values = (0, 1, 5, 9, 10, -1, 1.5, True, None, "#ffffff", "é", "x" * 200, [], {}, 10**30)
    one = viewer()
    for _ in range(200):
        command = {dice.choice(names): dice.choice(values) for _ in range(dice.randrange(1, 4))}
        text = json.dumps(command)
        at = dice.randrange(len(text))
        text = text if dice.random() < 0.7 else text[:at] + dice.choice('{}[]",:1') + text[at:]
        one.say(text)
    one.say("so far").wait("echo")
    one.say({"view": True})
    one.set("Soil is", "21.5")
    if one.say({"describe": 0}).wait("widgets")["widgets"][0].get("error"):
        one.set("Break the sensor")


# --- programs


def test_a_program_reads_describes_and_commands_the_widgets(make_board):
    lines = """
print("described", [widget["label"] for widget in panel.describe()])
print("values", panel.values()[:5])
panel.command(2, 4)
print("values", panel.values()[:5])
try:
    panel.command(2, 40)
except ValueError as error:
    print("refused", error)
server.listen(80)"""
    board = make_board(
        files={"main.py": LAB.replace("server.listen(80)", lines)}, heap="128k", wait=False
    )
    board.wait_for_log("serving")
    assert "described ['Soil', 'Pump', 'Fan'" in board.log
    assert "'Bell', 'Slow', 'late']" in board.log
    assert re.findall("values (.*)", board.log) == [
        "[21.5, False, -10, None, 'eco']",
        "[21.5, False, 4, None, 'eco']",
    ]
    assert "refused must be a number from -10 to 10" in board.log
    one = Viewer(board)
    assert len(one.widgets) == 13
    one.leave()
    board.wait_for_log(r"\(0 connected\)")
    assert "part: unloaded" not in board.log


LATE = """
print("late: loaded")


def set(kept, name, value):
    print("late: set", name, value)
    kept[name] = value


class Endpoint:
    def __init__(self, server):
        self.server = server

    def on_open(self, client):
        print("late: open", client.id, len(self.server.clients))

    def on_command(self, client, value):
        print("late: command", value)


endpoint = Endpoint
"""


def test_functions_may_be_tuples_and_modules_that_are_loaded_for_commands(make_board):
    lines = """
kept = {"level": 5, "mode": "on"}
panel.value("Level", (kept.get, "level"))
panel.slider("Set", get=(kept.get, "level"), set=(kept.__setitem__, "level"))
panel.select("Late", ("on", "off"), get=(kept.get, "mode"), set=("late", kept, "mode"))
panel.custom("bell", "Late bell", "late")
panel.custom("dial", "Dial", None)
server.listen(80)"""
    files = {"main.py": LAB.replace("server.listen(80)", lines), "lib/late.py": LATE}
    board = make_board(files=files, heap="128k", wait=False)
    board.wait_for_log("serving")
    one = Viewer(board)
    board.wait_for_log(r"late: open \d+ 1")
    assert one.widgets[one.ids["Level"]]["value"] == 5
    assert one.set("Set", 8)["type"] == "done"
    one.wait_value("Level", 8)
    assert one.set("Late", "off")["type"] == "done"
    assert one.set("Late bell", {"ring": 1})["type"] == "done"
    board.wait_for_log("late: set mode off")
    board.wait_for_log(re.escape("late: command {'ring': 1}"))
    assert one.set("Dial", 1)["error"] == "this value can only be read"
    assert board.log.count("late: loaded") == 2, "for on_open, and once for both commands"
    one.leave()


# --- memory


def test_a_panel_takes_3_kb_and_a_connected_page_2700_bytes_more(make_board, word):
    program = LAB.replace('panel.load("part", "late")', "")
    other = make_board(files={"main.py": program}, heap="128k", wait=False)
    other.wait_for_log("serving")
    plain = websocket.create_connection(other.ws_url("/echo"), timeout=10)
    plain.send("x" * 3000)  # the server takes its buffers
    plain.recv()
    Viewer(other).leave()  # names stay in memory
    idle = heap_of(other)
    assert int(re.search(r"panel takes (\d+)", other.log)[1]) <= 3072 * word // 32
    second = websocket.create_connection(other.ws_url("/echo"), timeout=10)
    one_more = heap_of(other)
    second.close()
    page = Viewer(other)
    for _ in range(8):
        page.wait("values")
    viewed = heap_of(other)
    print("a client takes", one_more - idle, "a page", viewed - idle)
    assert viewed - one_more <= limit(2700, word)
    page.leave(), plain.close()


def limit(size, word):
    """Return the limit in bytes. With 64 bits, an old pointer on the stack can keep a module."""
    return size if word == 32 else 2 * size + 3072


def test_a_hundred_widgets_take_102_bytes_each_while_a_page_is_connected(make_board, word):
    """With their labels (32 bytes each) and tuples of get (16), beside the 3 KB of a page."""
    program = LAB.replace('panel.load("part", "late")', "")
    lines = """id = panel.value("Sensor %d" % n, (reading, n), unit="C")
    panel.latest[id] = reading(n)  # as when a page was connected before"""
    functions = """
def reading(n):
    return State.soil + n
"""
    other, taken = with_a_hundred(make_board, program, lines, functions)
    plain = websocket.create_connection(other.ws_url("/echo"), timeout=10)
    plain.send("x" * 3000)
    plain.recv()
    Viewer(other).leave()
    idle = heap_of(other)
    for _ in range(3):  # an old pointer on the stack can keep a few hundred bytes of one page
        page = Viewer(other)
        for _ in range(8):
            page.wait("values")
        viewed = heap_of(other) - idle
        print("100 widgets take", taken, "and a page", viewed)
        page.leave()
        if taken + viewed <= limit(3072 + 100 * 102, word):
            break
    assert taken + viewed <= limit(3072 + 100 * 102, word)
    plain.close()


HOLD = """
panel.button("Hold", lambda: panel.values())
panel.load("part", "late")"""


def test_a_program_that_asks_after_a_page_came_loads_no_second_copy(make_board, word):
    """The next page loaded the panel's code again, beside that of the session that stays."""
    board = make_board(
        files={"main.py": LAB.replace('panel.load("part", "late")', HOLD)}, heap="192k", wait=False
    )
    board.wait_for_log("serving")
    heaps = []
    for number in range(3):
        one = Viewer(board)
        if not number:
            assert one.set("Hold")["type"] == "done"
        for _ in range(7):
            one.wait("values")  # the code of commands is unloaded after five seconds
        heaps.append(heap_of(board))
        position = board.log_position
        one.leave()
        board.wait_for_log(r"\(0 connected\)", since=position)
    print("the heap with the first, second and third page:", heaps)
    # An old pointer on the stack can keep a module of the page that has left: 1.4 KB with 64 bits.
    # A second copy takes 3.3 KB, or 2.3 with 32 bits.
    assert min(heaps[1:]) <= heaps[0] + 1000 * word // 32


HANGING = """
hanging = asyncio.Event()


async def hang():
    print("hang begins")
    try:
        await hanging.wait()
    finally:
        print("hang ends")
    raise OSError("late")


panel.button("Hang", hang)
panel.button("Let go", hanging.set)
panel.load("part", "late")"""


def test_pages_that_leave_while_a_command_runs_take_no_memory(make_board, word):
    """Each of them kept the panel's code, so that the next page loaded another copy of it."""
    board = make_board(
        files={"main.py": LAB.replace('panel.load("part", "late")', HANGING)},
        heap="192k",
        wait=False,
    )
    board.wait_for_log("serving")
    heaps = []
    for number in range(40):
        one = Viewer(board)
        position = board.log_position
        one.say({"set": one.ids["Hang"], "n": 1})
        if number < 8:
            board.wait_for_log("hang begins", since=position)
        else:
            error = one.wait("error")
            assert error == {
                "type": "error",
                "id": one.ids["Hang"],
                "n": 1,
                "error": "8 commands still run: try again later",
            }
        one.leave()
        board.wait_for_log(r"\(0 connected\)", since=position)
        if number in (1, 7, 39):
            heaps.append(heap_of(board))
    print("the heap after 2, 8 and 40 pages:", heaps)
    assert heaps[1] <= heaps[0] + 6 * 800 * word // 32
    assert heaps[2] <= heaps[1] + 1000
    one = Viewer(board)
    position = board.log_position
    one.set("Let go")
    wait_until(lambda: board.log.count("hang ends") == 8, "all to end")
    board.wait_for_log("panel: OSError: late", since=position)
    position = board.log_position
    one.say({"set": one.ids["Hang"], "n": 9})
    assert one.wait("error")["error"] == "OSError: late"
    one.leave()


def heap_of(board):
    position = board.log_position
    wait_until(lambda: len(re.findall(r"heap (\d+)\n", board.log[position:])) >= 3, "figures")
    return min(int(figure) for figure in re.findall(r"heap (\d+)\n", board.log[position:]))
