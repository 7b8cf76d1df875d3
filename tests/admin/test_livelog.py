"""{"do": "log"} at /settings: the latest lines that the board has printed."""

import re

import pytest
import websocket

from tests.admin.admin import SECRET, Admin

# An application that prints a line for each message, and one at startup.
PROGRAM = """
class Printer:
    def on_message(self, client, message):
        print(message)
        client.send("printed")

def setup(board):
    print("setup", 1, "\\u00fc", sep="-")
    print("a part, ", end="")
    print("and the rest")
    print("x" * 1500)
    board.server.websocket("/print", Printer())
"""


def read(admin, start=0):
    """Return (all lines from `start` on, the last answer)."""
    text = ""
    while True:
        answer = admin.ask(do="log", **{"from": start})
        assert answer["type"] == "log", answer
        text, start = text + answer["text"], answer["next"]
        if not answer["more"]:
            return text, answer


@pytest.fixture(scope="module")
def make(make_board):
    def make(log=None, **options):
        config = {"admin": {"password": SECRET}, "broadcast": {"interval": 0}, "log": log or {}}
        options = {"files": {"app/app.py": PROGRAM}, **options}
        return make_board(config={**config, **options.pop("config", {})}, heap="160k", **options)

    return make


@pytest.fixture(scope="module")
def printer(make):
    return make()


def prints(board, *lines):
    client = websocket.create_connection(board.ws_url("/print"), timeout=10)
    for line in lines:
        client.send(line)
        assert client.recv() == "printed"
    client.close()


def test_lines_from_before_the_page_was_opened_are_shown(printer):
    with Admin(printer) as admin:
        text, answer = read(admin)
    assert answer["kept"]
    assert re.search("\x1e\\d+ setup-1-ü\n\x1e\\d+ a part, and the rest\n", text)
    assert re.search("\x1e\\d+ x{1000}\\.\\.\\.\n", text)
    assert "serving http://" in text  # this application has no WebSocket at /ws


def test_new_lines_follow_from_where_the_last_answer_ended(printer):
    with Admin(printer) as admin:
        _, last = read(admin)
        assert read(admin, last["next"])[0] == ""
        prints(printer, "one more", "<b>\u202e\x00\x1b[2J</b>")
        text, now = read(admin, last["next"])
    assert re.search("\x1e\\d+ one more\n\x1e\\d+ <b>\u202e\x00\x1b\\[2J</b>\n\x1e", text)
    assert 0 <= now["now"] - int(text[1:].split()[0]) < 60
    assert now["run"] == last["run"]


def test_the_oldest_lines_are_dropped_whole(make):
    board = make({"buffer": 300})
    with Admin(board) as admin:
        _, last = read(admin)
        prints(board, *("line %d é" % number for number in range(50)))
        text, answer = read(admin, last["next"])
        text = text or answer["text"]
        first = admin.ask(do="log", **{"from": last["next"]})
    assert first["lost"]
    lines = [int(number) for number in re.findall("\x1e\\d+ line (\\d+) é\n", text)]
    assert lines == list(range(lines[0], 50))
    assert 8 < len(lines) < 20
    assert text.startswith("\x1e")


def test_a_text_that_is_no_unicode_does_not_end_the_log(make):
    program = "def setup(board):\n    print('a\\ud83d\\ude00b' * 3)\n"
    with Admin(make(files={"app/app.py": program})) as admin:
        assert "a??????b" in read(admin)[0]


WIDE = """
def setup(board):
    print("\\U0001f600" * 700)
    print("a" + "\\u00fc" * 700)
    print("\\x1e9 forged")
"""


@pytest.mark.parametrize("size", [1, 256, 1024, 4096])
def test_a_text_longer_than_the_ring_is_cut_between_characters(make, size):
    with Admin(make({"buffer": size}, files={"app/app.py": WIDE})) as admin:
        text, last = read(admin)
        if size == 4096:
            assert re.search("\x1e\\d+ \U0001f600{250}\\.\\.\\.\n", text)
            assert re.search("\x1e\\d+ aü{499}\\.\\.\\.\n\x1e\\d+ \\?9 forged\n", text)
        assert text.startswith("\x1e") or size == 1
        for start in range(last["next"] - 5, last["next"]):
            assert read(admin, start)[1]["type"] == "log"


def test_a_position_within_a_character_is_no_error(make):
    program = "def setup(board):\n    print('\\u00fc' * 200)\n"
    with Admin(make(files={"app/app.py": program})) as admin:
        for start in range(100, 120):
            assert "üü" in read(admin, start)[0]


def test_a_text_longer_than_the_ring_of_the_readers_is_shown(make):
    board = make({"buffer": 0})
    with Admin(board) as admin:
        _, answer = read(admin)
        prints(board, "\U0001f600" * 700)
        assert "\U0001f600" * 9 in read(admin, answer["next"])[0]


def test_the_log_contains_no_password(make_board):
    board = make_board(heap="160k")
    password = board.wait_for_log(r"admin: password (\S+)")[1]
    with Admin(board, password) as admin:
        text, _ = read(admin)
    assert board.log.count(password) == 2  # boot.py, and the first request for /settings
    assert "serving" in text
    assert password not in text
    assert "password" not in text.replace("passwords are sent unencrypted", "")


def test_without_a_buffer_lines_are_kept_only_while_a_page_reads(make):
    board = make({"buffer": 0})
    for _ in range(2):
        with Admin(board) as admin:
            text, answer = read(admin)
            assert (text, answer["kept"]) == ("", False)
            prints(board, "hello")
            assert "hello\n" in read(admin, answer["next"])[0]
        prints(board, "not kept")


def test_a_log_that_was_not_kept_goes_on_with_the_same_run(make):
    board = make({"buffer": 0})
    with Admin(board) as admin:
        read(admin)
        prints(board, "hello")
        _, before = read(admin)
    with Admin(board) as admin:
        text, after = read(admin, before["next"])
    assert after["run"] == before["run"]
    assert after["next"] >= before["next"] > 0
    assert "hello" not in text


def test_two_pages_read_the_same_lines_without_a_buffer(make):
    board = make({"buffer": 0})
    with Admin(board) as one:
        _, first = read(one)
        with Admin(board) as two:
            assert read(two)[0].count("connected") >= 1
        with Admin(board) as three:
            prints(board, "for both")
            assert "for both\n" in read(one, first["next"])[0]
            assert "for both\n" in read(three)[0]


@pytest.mark.parametrize("start", [-1, "0", None, 1.5, True])
def test_an_invalid_position_is_an_error(printer, start):
    with Admin(printer) as admin:
        assert admin.ask(do="log", **{"from": start})["type"] == "error"
        assert admin.ask(do="log")["type"] == "log"


def test_a_position_of_an_earlier_start_gives_the_log_from_its_beginning(printer):
    with Admin(printer) as admin:
        text, answer = read(admin, 1_000_000)
    assert text.startswith("\x1e")
    assert "connected)\n" in text  # on a busy machine a line about a slow callback may follow
    assert not answer["lost"]


def test_a_board_with_tls_keeps_lines_only_while_a_page_reads(make, certs):
    config = {"access": {"maintenance_tls": False}}
    with Admin(make(certs=certs, config=config)) as admin:
        assert not read(admin)[1]["kept"]
    with Admin(make({"buffer": 512}, certs=certs, config=config)) as admin:
        assert read(admin)[1]["kept"]


def test_an_error_that_ends_the_board_is_printed(make):
    program = "def setup(board):\n    print('before')\n    raise ValueError('broken')\n"
    board = make(files={"app/app.py": program}, wait=False)
    board.wait_for_log("(?s)ValueError: broken.*before")  # the next start
    assert "ValueError: broken" in (board.flash / "crash.log").read_text()
