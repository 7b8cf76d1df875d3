"""/demo: presence, messages to all and to one client, and invalid commands."""

import ast
import json
import random
import re
from pathlib import Path

import pytest
import websocket

from tests.demo.guest import Guest
from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
MAIN = (ROOT / "main.py").read_text()
QUIET = {"broadcast": {"interval": 0}}


@pytest.fixture(scope="module")
def board(make_board):
    return make_board(config=QUIET)


@pytest.fixture
def guest(board):
    """guest() -> one more client at /demo. The teardown waits until all have left."""
    guests = []

    def come(where=board):
        guests.append(Guest(where))
        return guests[-1]

    yield come
    for one in guests:
        one.leave()
    wait_until(lambda: re.findall(r"\((\d+) connected\)", board.log)[-1:] == ["0"], "all to leave")


# --- presence


def test_the_welcome_has_id_name_led_and_board(guest):
    one = guest()
    assert isinstance(one.welcome.pop("time"), int)
    assert one.welcome == {
        "type": "welcome",
        "id": one.id,
        "name": f"client {one.id}",
        "led": {"on": False},
        "board": "Virtual board with ESP32",
        "version": "MicroPython 1.29.0",
    }


def test_all_clients_get_the_list_when_one_connects_or_leaves(guest):
    one = guest()
    other = guest()
    expected = [{"id": who.id, "name": f"client {who.id}"} for who in (one, other)]
    assert one.wait("clients") == {"type": "clients", "count": 2, "clients": expected}
    third = guest()
    assert [who.wait("clients")["count"] for who in (one, other)] == [3, 3]
    third.leave()
    assert [who.wait("clients") for who in (one, other)] == [
        {"type": "clients", "count": 2, "clients": expected}
    ] * 2


def test_a_client_that_vanishes_is_removed_from_the_list(guest):
    one, other = guest(), guest()
    assert one.wait("clients")["count"] == 2
    other.socket.sock.close()
    assert one.wait("clients")["count"] == 1


def test_all_clients_see_a_changed_name(guest):
    one, other = guest(), guest()
    other.say({"name": "  Änn O'Neill "})
    assert one.wait("clients")["count"] == 2
    for who in (one, other):
        names = {client["id"]: client["name"] for client in who.wait("clients")["clients"]}
        assert names == {one.id: f"client {one.id}", other.id: "Änn O'Neill"}
    other.say({"message": "it is me"})
    assert one.wait("message")["name"] == "Änn O'Neill"


@pytest.mark.parametrize(
    "name", ["", "   ", "x" * 33, "two\nlines", "\x7f", "\x9b31m", 5, None, ["Ann"]]
)
def test_an_invalid_name_is_refused(guest, name):
    one = guest()
    assert "name: must be a string of 1 to 32 characters" in one.error({"name": name})
    assert one.rest() == []


def test_a_list_longer_than_the_send_buffer_is_cut_but_counted_right(make_board):
    server = {"max_clients": 6, "max_size": 300, "read_size": 300, "write_limit": 512}
    tight = make_board(config={**QUIET, "server": server})
    guests = [Guest(tight) for _ in range(6)]
    for one in guests:
        one.say({"name": "ä" * 32})
    told = guests[0].wait("clients")
    while told["count"] < 6 or {client["name"] for client in told["clients"]} != {"ä" * 32}:
        told = guests[0].wait("clients")
    assert 3 <= len(told["clients"]) < 6
    assert len(guests[0].say("stats").wait("stats")["clients"]) < 6
    tight.air(stations=[f"02:00:00:00:00:{number:02x}" for number in range(10)])
    assert "write_limit is too small" in guests[0].error("stats")
    for one in guests:
        one.leave()


# --- messages


def test_a_message_to_all_reaches_all_clients_and_the_sender(guest):
    guests = [guest() for _ in range(3)]
    guests[1].say({"message": "Grüße 😀"})
    for one in guests:
        assert one.wait("message") == {
            "type": "message",
            "message": "Grüße 😀",
            "from": guests[1].id,
            "name": f"client {guests[1].id}",
        }


def test_a_private_message_reaches_only_its_receiver(guest):
    sender, third, receiver = (guest() for _ in range(3))
    for one in (sender, third, receiver):
        one.rest()
    sender.say({"to": receiver.id, "message": "Hello"})
    assert sender.rest() == []  # and so it has been delivered
    assert receiver.rest() == [
        {
            "type": "message",
            "to": receiver.id,
            "message": "Hello",
            "from": sender.id,
            "name": f"client {sender.id}",
        }
    ]
    assert third.rest() == []


def test_a_client_can_send_a_message_to_itself(guest):
    one = guest()
    assert one.say({"to": one.id, "message": "note"}).wait("message")["from"] == one.id


def test_a_message_to_an_unknown_id_is_an_error(guest):
    one, gone = guest(), guest()
    gone.leave()
    while one.wait("clients")["count"] != 1:
        pass
    text = f"no client has the id {gone.id}; connected: {one.id}"
    assert one.error({"to": gone.id, "message": "Hello"}) == text


def test_a_message_cannot_be_sent_to_a_client_of_another_path(guest, board):
    position = board.log_position
    echo = websocket.create_connection(board.ws_url(), timeout=10)
    other = int(board.wait_for_log(r"client (\d+) connected", since=position)[1])
    assert "no client has the id" in guest().error({"to": other, "message": "Hello"})
    echo.close()


@pytest.mark.parametrize("to", ["3", 3.5, True, [3], {}])
def test_an_id_that_is_not_an_integer_is_refused(guest, to):
    text = "to: must be the id of a client, an integer"
    assert guest().error({"to": to, "message": "Hello"}) == text


@pytest.mark.parametrize("message", ["", "x" * 1001, 7, None, True, ["a"], {"a": 1}])
def test_a_message_of_a_wrong_type_or_length_is_refused(guest, message):
    text = "message: must be a string of 1 to 1000 characters"
    assert guest().error({"message": message}) == text


def test_a_message_of_700_three_byte_characters_arrives(guest):
    one = guest()
    one.say(json.dumps({"message": "€" * 700}, ensure_ascii=False))
    assert one.wait("message")["message"] == "€" * 700


def test_only_the_sender_gets_an_echo(guest):
    one, other = guest(), guest()
    for value in (5, -(10**20), "text", ""):
        assert one.say({"echo": value}).wait("echo") == {"type": "echo", "echo": value}
    assert [message["type"] for message in other.rest()] == []


@pytest.mark.parametrize("order", ['{"echo": 1e999}', {"echo": [1]}, {"echo": None}])
def test_an_echo_takes_only_a_string_or_an_integer(guest, order):
    assert guest().error(order) == "echo: must be a string or an integer"


# --- invalid commands


@pytest.mark.parametrize(
    "order, problem",
    [
        ("hello", "'hello' is not a command"),
        ("", "'' is not a command"),
        ("x" * 99, "'xxxxxxxxxxxxxxxxxxxx' is not a command"),
        ("[1, 2]", "'[1, 2]' is not a command"),
        ("5", "'5' is not a command"),
        (b"TOGGLE_LED", "binary messages are not supported"),
        ('{"to": 3; ', 'invalid JSON: {"to": 3;'),
        ("{message: 3}", "invalid JSON: {message: 3}"),
        ('{"message": "a"} x', "invalid JSON"),
        ({}, "expected one command, not none"),
        ({"to": 3}, "expected one command, not to"),
        ({"mesage": "a"}, "expected one command, not mesage"),
        ({"message": "a", "name": "b"}, "expected one command, not"),
        ({"to": 3, "name": "b"}, "expected one command, not name, to"),
        ({"x" * 300: 1, "y": 2}, "expected one command, not"),
    ],
)
def test_an_invalid_command_is_answered_with_a_list_of_commands(guest, order, problem):
    one = guest()
    text = one.error(order)
    assert text.startswith(problem)
    for name in ("TOGGLE_LED", "LED_ON", "LED_OFF", "stats", "echo", "led", "message", "name"):
        assert name in text
    assert len(text) < 400
    assert one.rest() == []


@pytest.mark.parametrize(
    "order",
    ['{"message": "\\ud83d"}', '{"name": "\\ude00\\ud83d"}', '{"echo": "\\uD800\\ud7ff"}'],
)
def test_a_lone_surrogate_is_refused_and_reaches_no_client(guest, order):
    one, other = guest(), guest()
    one.rest(), other.rest()
    assert "must be pairs" in one.error(order)
    assert other.rest() == []


@pytest.mark.parametrize("text", ["é\n\\ud800", "\ud7ff😀x😀\U0010ffff\U00010000힣"])
def test_escaped_and_plain_characters_are_the_same(guest, text):
    one = guest()
    for escaped in (True, False):
        order = json.dumps({"message": text}, ensure_ascii=escaped)
        assert one.say(order).wait("message")["message"] == text


def test_a_message_that_grows_beyond_the_send_buffer_is_refused(guest):
    one, other = guest(), guest()
    other.rest()
    assert "too long to forward" in one.error('{"message": "%s"}' % ("\x01" * 1000))
    assert other.rest() == []


@pytest.mark.parametrize(
    "order, problem",
    [
        ('{"echo": ' + "[" * 2000, "more than 40 brackets"),
        ('{"message": "%s"}' % ("x" * 3300), "a command has at most 2200 bytes"),
    ],
)
def test_a_command_that_would_fill_the_heap_is_not_parsed(guest, order, problem):
    assert problem in guest().error(order)


ATOMS = (
    *('"to"', '"message"', '"led"', '"stats"', '"name"', '"echo"', "{", "}", "[", "]", ":", ","),
    *("1", "-1", "1e999", "true", "null", '"a"', '"\\ud83d"', '"\\ude00"', '"é€😀"', '"on"', "\\"),
    *("10000000000000000000000", "TOGGLE_LED", "\x01", "\ud7ff"),
)
VALUES = (1, 2, -1, "", "a", "😀", "x" * 1000, [1, 2, 3], {}, [], 1.5, "on", 10**30)


def nonsense(dice):
    """Return a random command, valid or nearly so."""
    if dice.random() < 0.5:
        return "".join(dice.choice(ATOMS) for _ in range(dice.randrange(1, 15)))
    names = ("to", "message", "led", "stats", "name", "echo", "x")
    order = {dice.choice(names): dice.choice(VALUES) for _ in range(dice.randrange(1, 4))}
    text = json.dumps(order, ensure_ascii=dice.random() < 0.5)
    at = dice.randrange(len(text))
    return text[:at] + dice.choice(ATOMS) + text[at:] if dice.random() < 0.3 else text


def test_random_commands_neither_close_clients_nor_break_the_json(guest, board):
    dice = random.Random(1)
    position = board.log_position
    guests = [guest() for _ in range(3)]
    board.wait_for_log(r"\(3 connected\)\n", since=position)
    position = board.log_position
    for _ in range(60):
        for one in guests:
            for _ in range(5):
                one.say(nonsense(dice))
        for one in guests:
            for message in one.rest():
                assert isinstance(message, dict) or message in ("LED is ON", "LED is OFF")
    lines = board.log[position:].splitlines()
    assert not [line for line in lines if not line.startswith("slow: ")]  # the machine is busy


@pytest.mark.parametrize(
    "name",
    [
        *("demo/commands.py", "demo/endpoint.py", "demo/chat.py", "demo/led.py", "demo/stats.py"),
        *("panel/commands.py", "panel/parse.py", "panel/surrogates.py", "panel/session.py"),
    ],
)
def test_the_protocol_document_lists_every_error(name):
    document = " ".join((ROOT / "docs" / "protocol.md").read_text().split())
    raised = [
        node.exc.args[0]
        for node in ast.walk(ast.parse((ROOT / "lib" / name).read_text()))
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call)
    ]
    texts = [
        part.value
        for argument in raised
        for part in ast.walk(argument)
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
    ]
    pieces = [piece for text in texts for piece in re.split("%[rsd]|; ", text) if piece.strip()]
    assert len(raised) >= 1
    assert [piece for piece in pieces if piece.strip() not in document] == []


def test_an_error_names_the_command_that_it_is_about(guest):
    one = guest()
    assert one.say({"to": 10**6, "message": "x"}).wait("error")["command"] == "message"
    assert "command" not in one.say("nonsense").wait("error")


# --- the endpoint


def test_ws_still_echoes_commands(guest, board):
    echo = websocket.create_connection(board.ws_url(), timeout=10)
    one = guest()
    one.say("TOGGLE_LED").say("TOGGLE_LED").say({"message": "to all"})
    one.wait("message")
    for text in ("TOGGLE_LED", "stats", '{"message": "x"}'):
        echo.send(text)
        assert echo.recv() == text
    echo.close()


def test_a_disabled_demo_is_not_found(make_board):
    other = make_board(config={**QUIET, "demo": {"enabled": False}})
    with pytest.raises(websocket.WebSocketBadStatusException, match="404"):
        websocket.create_connection(other.ws_url("/demo"), timeout=10)


def test_a_page_of_another_origin_is_forbidden(board):
    with pytest.raises(websocket.WebSocketBadStatusException, match="403"):
        websocket.create_connection(
            board.ws_url("/demo"), timeout=10, origin="http://elsewhere.example"
        )


def test_a_heap_too_small_for_the_demo_is_reported_at_startup(make_board, compiled, word):
    small = make_board(heap={32: "82k", 64: "120k"}[word], config=QUIET)
    small.wait_for_log("demo: not enough memory for /demo")
    with pytest.raises(websocket.WebSocketBadStatusException, match="404"):
        websocket.create_connection(small.ws_url("/demo"), timeout=10)


def test_when_memory_is_used_up_the_demo_is_refused_with_1013(make_board):
    # 544 bytes each, so that what is left is in one piece.
    left = "(26000 if sys.maxsize >> 62 else 13000)"
    hog = f"import sys; hog = [bytearray(500) for _ in range((gc.mem_free() - {left}) // 544)]; "
    main = MAIN.replace("server.run", hog + "server.run")
    full = make_board(config=QUIET, files={"main.py": main})
    echo = websocket.create_connection(full.ws_url(), timeout=10)
    for _ in range(3):
        refused = websocket.create_connection(full.ws_url("/demo"), timeout=10)
        opcode, payload = refused.recv_data()
        assert (opcode, payload) == (
            8,
            (1013).to_bytes(2, "big") + b"not enough memory for demo.endpoint",
        )
        refused.close()
        echo.send("hello")
        assert echo.recv() == "hello"
    assert "Traceback" not in full.log


# Fills the heap, all but one block of so many bytes.
HOG = """
class Hog:
    def on_message(self, client, message):
        global hog
        block, hog = bytearray(int(message)), None
        for size in (500, 60, 8):
            try:
                while True:
                    hog = (hog, bytearray(size))
            except MemoryError:
                pass
        del block
        gc.collect()
        client.send("full")
server.websocket("/hog", Hog())
"""


@pytest.mark.parametrize("left", [10000, 12000, 14000, 18000])
def test_a_message_without_memory_for_it_is_answered_with_an_error(make_board, left):
    main = MAIN.replace("server.run()", f"exec({HOG!r}); server.run()")
    board = make_board(config=QUIET, files={"main.py": main})
    one, other = Guest(board), Guest(board)
    hog = websocket.create_connection(board.ws_url("/hog"), timeout=10)
    hog.send(str(left))
    assert hog.recv() == "full"
    one.say(json.dumps({"message": "漢" * 700}, ensure_ascii=False))
    answers = one.rest()
    answer = next(each for each in answers if each["type"] in ("message", "error"))
    if answer["type"] == "error":
        assert answer["error"] == "out of memory: the command was not executed"
        assert [each for each in other.rest() if each["type"] == "message"] == []
    else:
        assert other.wait("message")["message"] == "漢" * 700


LOADED = "import sys; print([name for name in sys.modules if name in %s])" % (
    ("demo.endpoint", "demo.led", "demo.stats"),
)


def test_the_code_is_unloaded_with_the_last_client_and_the_led_stays(make_board):
    other = make_board(config=QUIET)
    one = Guest(other)
    one.say("LED_ON").wait("led")
    one.say({"stats": 1}).wait("stats")
    position = other.log_position
    one.leave()
    other.wait_for_log("disconnected", since=position)
    again = Guest(other)
    assert again.welcome["led"] == {"on": True}
    position = other.log_position
    again.leave()
    other.wait_for_log("disconnected", since=position)
    assert other.exec(LOADED).strip() == "[]"
    assert other.exec("print(type(server._ipoll).__name__)").strip() == "bound_method"


def test_many_visits_leave_the_heap_as_it_was(make_board):
    other = make_board(config=QUIET)

    def visits(count):
        for _ in range(count):
            one = Guest(other)
            one.say({"name": "Ann"}).say("TOGGLE_LED").say({"echo": 1}).wait("echo")
            position = other.log_position
            one.leave()
            other.wait_for_log("disconnected", since=position)
        one = Guest(other)
        used = one.say("stats").wait("stats")["heap"]["used"]
        position = other.log_position
        one.leave()
        other.wait_for_log("disconnected", since=position)
        return used

    first = visits(3)
    assert visits(20) - first < 300
