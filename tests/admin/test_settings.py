"""/settings: authentication, what the admin sees and what can be changed."""

import hashlib
import json
import time
from pathlib import Path

import dns.message
import dns.query
import pytest
import websocket

from tests.admin import admin
from tests.admin.admin import SECRET
from tests.conftest import need_chip_heap

_opened = []


@pytest.fixture(autouse=True)
def _leave():
    yield
    while _opened:
        _opened.pop().client.close()


class Admin(admin.Admin):
    """An admin who stays until the end of the test."""

    def __init__(self, board, password=SECRET):
        super().__init__(board, password)
        _opened.append(self)

    def show(self, section):
        """Return the message about a section."""
        return self.ask(show=section)

    def next(self):
        """Return the next message. To a summary, the values of all sections are added."""
        message, self.summary = self.summary or self.hear(), None
        if message["type"] != "settings":
            return message
        sections = {name: self.show(name)["values"] for name in message["sections"]}
        return {**message, "settings": sections}

    def save(self, **sections):
        self.summary = self.ask(save=sections)
        return self.next()


def status(board, password=None):
    """Return the HTTP status of an attempt to connect."""
    try:
        Admin(board, password) if password else websocket.create_connection(
            board.ws_url("/settings"), timeout=10
        )
    except websocket.WebSocketBadStatusException as error:
        return error.status_code
    return 101


def config_of(board):
    return json.loads((board.flash / "config.json").read_text())


@pytest.fixture(scope="module")
def made(make_board):
    """A board whose settings no test changes.

    With this heap it does not collect garbage at each KB, which took most of the tests' CPU time.
    The boards of make_changed do.
    """
    config = {
        "broadcast": {"interval": 0},
        "wifi": {"ssid": "Löwe ✓", "channel": 99, "station_password": "of the network"},
        "admin": {"password": SECRET},
        "mine": {"kept": [1, 2]},
    }
    return make_board(config=config, heap="400k")


@pytest.fixture
def make_changed(make_board):
    """make_changed(**config) -> a new board with these settings and the admin's password."""

    def make(options={}, **config):  # noqa: B006
        config = {"admin": {"password": SECRET}, **config}
        return make_board(config=config, heap="160k", **options)

    return make


def test_the_admin_gets_all_settings_without_the_passwords(made):
    admin = Admin(made)
    answer = admin.next()
    assert admin.client.subprotocol == "settings"
    assert answer["settings"]["wifi"]["ssid"] == "Löwe ✓"
    assert answer["settings"]["server"]["port"] == 80
    assert answer["secrets"] == {
        "wifi.password": "generated",
        "wifi.station_password": "set",
        "admin.password": "set",
        "fleet.password": "none",
    }
    assert SECRET not in json.dumps(answer)
    assert "of the network" not in json.dumps(answer)


def test_the_rules_of_a_section_are_those_of_the_schema(made):
    admin = Admin(made)
    names = admin.summary["sections"]
    assert {"wifi", "server", "tls", "fleet"} <= set(names)
    rules = {rule[0]: rule[1:] for rule in admin.show("wifi")["rules"]}
    assert rules["channel"] == ["int", 1, 13]
    assert rules["mode"] == ["choice", "ap", "station"]
    assert rules["password"] == ["password"]
    admin.client.send(json.dumps({"show": "nothing"}))
    assert admin.hear()["type"] == "error"


def test_deep_json_does_not_let_the_heap_grow(make_board):
    need_chip_heap()
    board = make_board(
        config={"admin": {"password": SECRET}, "demo": {"enabled": False}}, heap="chip"
    )
    grown = board.heap.grown
    admin = Admin(board)
    admin.next()
    for start in "[", '{"a":', '{"show":[':
        admin.client.send(start * (4000 // len(start)))
        assert admin.next()["error"].startswith("the commands are")
    assert board.heap.grown == grown


def test_with_an_application_the_sections_of_the_demo_are_left_out(made, make_changed):
    demo = {"broadcast", "demo"}
    assert demo <= set(Admin(made).summary["sections"])
    admin = Admin(make_changed({"files": {"app/app.py": "def setup(board): pass\n"}}))
    assert not demo & set(admin.summary["sections"])
    # A file that is uploaded may have them.
    admin.client.send(json.dumps({"save": {"demo": {"led_pin": 99}}}))
    assert "demo.led_pin" in admin.hear()["problems"]


def test_problems_of_the_file_are_reported_by_field(made):
    problems = Admin(made).next()["problems"]
    assert problems["wifi.channel"] == "must be a whole number from 1 to 13"
    assert problems["mine"].startswith("unknown section")


def test_the_generated_password_opens_the_settings(make_board):
    board = make_board()
    password = board.wait_for_log(r"admin: password (\S+)")[1]
    assert Admin(board, password).next()["secrets"]["admin.password"] == "generated"


def test_a_password_that_cannot_be_stored_is_printed_again(make_board):
    board = make_board(files={"secrets.json.new/x": ""})
    first = board.wait_for_log(r"admin: password (\S+)")[1]
    position = board.log_position
    assert status(board, first) == 401
    password = board.wait_for_log(r"admin: password (\S+)", since=position)[1]
    assert status(board, password) == 101


def test_the_password_that_cannot_be_stored_stays_until_the_next_start(make_board):
    board = make_board(files={"secrets.json.new/x": ""})
    position = board.log_position
    assert status(board, "wrong") == 401
    password = board.wait_for_log(r"admin: password (\S+)", since=position)[1]
    for _ in range(3):
        Admin(board, password).client.close()
        assert status(board, password) == 101
    assert board.log[position:].count("admin: password") == 1


def test_a_missing_or_wrong_password_is_refused(make_changed):
    board = make_changed()
    assert status(board) == 401
    assert status(board, "wrong horse") == 401
    assert status(board, SECRET) == 101


def test_five_wrong_passwords_block_the_right_one_too(make_changed):
    board = make_changed()
    for _ in range(5):
        assert status(board, "wrong horse") == 401
    assert status(board, SECRET) == 429


def test_without_admin_enabled_there_are_no_settings(make_board):
    assert status(make_board(config={"admin": {"enabled": False}}), SECRET) == 404


def test_settings_are_saved_only_in_the_version_that_is_named(made):
    admin = Admin(made)
    version = admin.summary["version"]
    assert version == hashlib.sha256((made.flash / "config.json").read_bytes()).hexdigest()[:16]
    before = (made.flash / "config.json").read_bytes()
    for wrong in ("", "0" * 16, 7):
        command = {"save": {"broadcast": {"interval": 9}}, "version": wrong}
        admin.client.send(json.dumps(command))
        assert admin.hear() == {"type": "changed"}
    assert (made.flash / "config.json").read_bytes() == before


def test_saved_settings_take_effect_after_a_restart(make_changed):
    board = make_changed(broadcast={"interval": 0, "text": "before"}, mine={"kept": [1, 2]})
    position = board.log_position
    admin = Admin(board)
    admin.next()
    answer = admin.save(
        broadcast={"interval": 0.1, "text": "nachher ✓ {}"}, wifi={"ssid": "Löwe ✓"}
    )
    assert answer == {"type": "saved", "confirm": 600}
    assert admin.client.recv_data() == (8, b"\x03\xf4the board restarts")
    board.wait_for_log("settings: broadcast.interval, broadcast.text, wifi.ssid changed by 127")
    board.wait_for_log(r"(?s)access point 'L\\xf6we \\u2713'.*serving", since=position)
    client = websocket.create_connection(board.ws_url(), timeout=10)
    assert client.recv() == "nachher ✓ 1"
    assert config_of(board) == {
        "admin": {"password": SECRET},
        "broadcast": {"interval": 0.1, "text": "nachher ✓ {}"},
        "wifi": {"ssid": "Löwe ✓"},
        "mine": {"kept": [1, 2]},
    }


@pytest.mark.parametrize("wanted", [{}, {"server": {}}])
def test_settings_without_changes_are_refused(made, wanted):
    admin = Admin(made)
    admin.next()
    assert "no changes" in admin.save(**wanted)["error"]
    assert admin.show("server")["section"] == "server"  # it goes on, without a restart


@pytest.mark.parametrize(
    "wanted, field, why",
    [
        ({"wifi": {"password": "short"}}, "wifi.password", "8 to 63 bytes"),
        ({"wifi": {"mode": "station"}}, "wifi.station_ssid", "required in mode"),
        ({"wifi": {"channel": 99}}, "wifi.channel", "from 1 to 13"),
        ({"server": {"port": "80"}}, "server.port", "from 1 to 65535"),
        ({"server": {"port": 443}}, "tls.port", "must differ from server.port"),
        ({"server": {"max_size": 100}}, "server.max_size", "at least 1024"),
        ({"server": {"nonsense": 1}}, "server.nonsense", "unknown field"),
        ({"nonsense": {"port": 1}}, "nonsense", "unknown section"),
        ({"broadcast": {"text": "x" * 501}}, "broadcast.text", "0 to 500 bytes"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_invalid_field_is_reported_and_nothing_is_changed(made, wanted, field, why):
    before = (made.flash / "config.json").read_bytes()
    admin = Admin(made)
    admin.next()
    answer = admin.save(**{"broadcast": {"interval": 7}, **wanted})
    assert answer["type"] == "problems"
    assert why in answer["problems"][field]
    assert len(answer["problems"]) == 1
    assert (made.flash / "config.json").read_bytes() == before
    assert admin.save(**wanted)["type"] == "problems"  # the connection stays open


@pytest.mark.parametrize("text", ["", "[", "[]", "{}", '{"save": 1}', '{"save": {"wifi": 1}}'])
def test_an_unknown_command_is_answered_with_an_error(made, text):
    admin = Admin(made)
    admin.next()
    admin.client.send(text)
    answer = admin.next()
    assert answer["type"] == "error"
    assert answer["error"].startswith("the commands are")


@pytest.mark.parametrize("name", ["nope", "network", ""])
def test_an_unknown_section_is_answered_with_those_that_exist(made, name):
    admin = Admin(made)
    admin.next()
    admin.client.send(json.dumps({"show": name}))
    answer = admin.next()
    assert answer["error"].startswith(f"{name}: unknown section; known are access, admin, ")
    assert "wifi" in answer["error"]


def test_a_board_that_cannot_join_opens_its_access_point_with_portal(make_changed):
    board = make_changed(broadcast={"interval": 0})
    position = board.log_position
    admin = Admin(board)
    admin.next()
    lost = {"mode": "station", "station_ssid": "Nowhere", "station_timeout": 1}
    assert admin.save(wifi=lost) == {"type": "saved", "confirm": 600}
    board.wait_for_log("cannot join 'Nowhere': network not found", since=position)
    board.wait_for_log("(?s)access point instead.*serving ws://192.168.4.1:80/", since=position)
    query = dns.message.make_query("captive.apple.com", "A")
    answer = dns.query.udp(query, board.address, port=board.dns_port, timeout=10)
    assert answer.answer[0][0].address == "192.168.4.1"
    assert Admin(board).next()["settings"]["wifi"]["station_ssid"] == "Nowhere"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"wifi": {"ssid": "Old', "is not JSON, or incomplete (line 1, column 19: a text has no"),
        ('["Old"]', "must be an object"),
    ],
)
def test_a_broken_file_is_kept_beside_the_new_one(make_board, text, problem):
    board = make_board(files={"config.json": text})
    password = board.wait_for_log(r"admin: password (\S+)")[1]
    admin = Admin(board, password)
    assert problem in str(admin.next()["problems"])
    assert admin.save(wifi={"ssid": "New"})["type"] == "saved"
    assert config_of(board) == {"wifi": {"ssid": "New"}}
    assert (board.flash / "config.json.broken").read_text() == text


def test_settings_larger_than_the_file_limit_are_refused(make_changed):
    board = make_changed(mine={"big": "x" * 3600})
    admin = Admin(board)
    admin.next()
    answer = admin.save(broadcast={"text": "y" * 500})
    assert answer["problems"] == {"": "all settings together are over 4096 bytes long"}
    assert "broadcast" not in config_of(board)


def test_a_flash_that_cannot_be_written_is_reported(make_changed):
    board = make_changed(broadcast={"interval": 0})
    before = (board.flash / "config.json").read_bytes()
    (board.flash / "config.json.new").mkdir()
    admin = Admin(board)
    admin.next()
    answer = admin.save(wifi={"ssid": "New"})
    assert answer["type"] == "error"
    assert "nothing is changed" in answer["error"]
    assert (board.flash / "config.json").read_bytes() == before
    assert Admin(board).next()["settings"]["wifi"]["ssid"] == "ESP32-WS-Server"


# --- changes that would lock the admin out


@pytest.mark.parametrize(
    "section, field, value, minimum",
    [
        ("server", "max_head", 64, 1024),
        ("server", "max_size", 100, 1024),
        ("server", "write_limit", 512, 4096),
        ("server", "max_clients", 1, 2),
        ("server", "open_timeout", 0.1, 5),
        ("server", "ping_timeout", 0.05, 2),
        ("limits", "handshakes", 1, 20),
        ("limits", "handshakes", 2, 20),
        ("limits", "connections", 1, 4),
    ],
)
def test_a_value_with_which_the_page_fails_is_refused(made, section, field, value, minimum):
    admin = Admin(made)
    admin.next()
    problems = admin.save(**{section: {field: value}})["problems"]
    text = f"must be at least {minimum}, because this page needs it"
    assert problems == {f"{section}.{field}": text}


@pytest.mark.parametrize(
    "field, value", [("max_size", 20_000), ("write_limit", 45_000), ("max_head", 16_000)]
)
def test_buffers_too_large_for_a_board_without_psram_are_refused(made, field, value):
    admin = Admin(made)
    admin.next()
    problems = admin.save(server={field: value})["problems"]
    assert "without PSRAM" in problems[f"server.{field}"]


def test_the_strictest_limits_do_not_close_the_page(make_changed):
    board = make_changed(limits={"connections": 4, "handshakes": 20, "messages": 1, "bytes": 1})
    admin = Admin(board)
    assert len(admin.next()["settings"]) > 10
    time.sleep(0.3)  # several checks of the limits
    assert admin.save(broadcast={"text": "new"})["type"] == "saved"


@pytest.fixture
def quick_revert(make_changed):
    """A board that reverts unconfirmed changes after a second."""
    path = "lib/admin/settingsfile.py"
    source = (Path(__file__).resolve().parents[2] / path).read_text()
    quick = source.replace("_CONFIRM = const(120)", "_CONFIRM = const(1)")
    assert quick != source
    return make_changed(options={"files": {path: quick}}, broadcast={"interval": 0, "text": "old"})


def test_an_unconfirmed_change_is_reverted(quick_revert):
    before = (quick_revert.flash / "config.json").read_bytes()
    admin = Admin(quick_revert)
    admin.next()
    position = quick_revert.log_position
    assert admin.save(broadcast={"text": "new"}) == {"type": "saved", "confirm": 1}
    quick_revert.wait_for_log(
        r"serving(.*\n)*settings: not confirmed: .* is reverted(.*\n)*serving", since=position
    )
    assert (quick_revert.flash / "config.json").read_bytes() == before
    assert not list(quick_revert.flash.glob("config.undo-*"))
    assert "not confirmed" in (quick_revert.flash / "crash.log").read_text()


def test_a_confirmed_change_stays(make_changed):
    board = make_changed(broadcast={"interval": 0, "text": "old"})
    admin = Admin(board)
    assert admin.next()["unconfirmed"] is False
    position = board.log_position
    assert admin.save(broadcast={"text": "new"}) == {"type": "saved", "confirm": 120}
    board.wait_for_log("serving", since=position)
    admin = Admin(board)
    assert admin.next()["unconfirmed"] is True
    admin.client.send('{"confirm": true}')
    assert admin.next() == {"type": "confirmed"}
    assert config_of(board)["broadcast"]["text"] == "new"
    assert not list(board.flash.glob("config.undo-*"))
    assert Admin(board).next()["unconfirmed"] is False


def test_a_second_change_is_reverted_to_the_last_confirmed_settings(make_changed):
    board = make_changed(broadcast={"interval": 0, "text": "old"})
    before = (board.flash / "config.json").read_bytes()
    for text in ("new", "newer"):
        admin = Admin(board)
        admin.next()
        position = board.log_position
        assert admin.save(broadcast={"text": text})["type"] == "saved"
        board.wait_for_log("serving", since=position)
    (undo,) = board.flash.glob("config.undo-*")
    assert undo.read_bytes() == before


def test_a_change_after_a_deployment_is_the_latest_one(make_changed):
    board = make_changed(broadcast={"interval": 0, "text": "old"})
    before = (board.flash / "config.json").read_bytes()
    (board.flash / "config.undo-0120").write_bytes(before)
    admin = Admin(board)
    assert admin.next()["unconfirmed"] is True
    position = board.log_position
    assert admin.save(broadcast={"text": "new"}) == {"type": "saved", "confirm": 120}
    board.wait_for_log("serving", since=position)
    (undo,) = board.flash.glob("config.undo-*")
    assert (undo.name, undo.read_bytes()) == ("config.undo-120", before)


def test_settings_with_which_the_start_fails_are_reverted(make_board):
    root = Path(__file__).resolve().parents[2]
    application = (root / "lib/demo/application.py").read_text()
    check = (
        '    if settings["broadcast"]["text"] == "bad":\n        raise OSError("bad settings")\n'
    )
    line = '    server.websocket("/ws", Echo())'
    assert line in application
    good = {"admin": {"password": SECRET}, "broadcast": {"interval": 0, "text": "good"}}
    files = {
        "lib/demo/application.py": application.replace(line, check + line),
        "config.json": json.dumps({**good, "broadcast": {"interval": 0, "text": "bad"}}),
        "config.undo-120": json.dumps(good),
    }
    board = make_board(files=files, wait=False)
    board.wait_for_log(r"3 starts failed: the last change is reverted(.*\n)*serving")
    assert config_of(board) == good
    assert not list(board.flash.glob("failed-*"))
    crash_log = (board.flash / "crash.log").read_text()
    assert "3 starts failed: the last change is reverted" in crash_log


# --- maintenance


def do(admin, name, **options):
    admin.client.send(json.dumps({"do": name, **options}))
    return admin.hear()


def read_file(admin, name):
    text, start = "", 0
    while start is not None:
        answer = do(admin, name, **{"from": start})
        text, start = text + answer["text"], answer["next"]
    return text


def test_the_configuration_is_downloaded_whole(make_changed):
    board = make_changed(mine={"kept": "é" * 300, "emoji": "🦁" * 50})
    admin = Admin(board)
    admin.next()
    assert json.loads(read_file(admin, "config")) == config_of(board)


def test_the_crash_log_is_shown(make_changed):
    board = make_changed(options={"files": {"crash.log": "--- Ünglück\n" * 100}})
    admin = Admin(board)
    admin.next()
    assert read_file(admin, "crashlog") == "--- Ünglück\n" * 100
    (board.flash / "crash.log").unlink()
    assert read_file(admin, "crashlog") == ""


def test_the_admin_restarts_the_board(make_changed):
    board = make_changed()
    admin = Admin(board)
    admin.next()
    position = board.log_position
    assert do(admin, "restart") == {"type": "restarting", "do": "restart"}
    board.wait_for_log("serving", since=position)


def forget(board):
    """Have the board forget its Wi-Fi network, and wait until it serves in its own."""
    admin = Admin(board)
    admin.next()
    position = board.log_position
    assert do(admin, "forget")["type"] == "restarting"
    board.wait_for_log("serving", since=position)
    assert "access point 'ESP32-WS-Server'" in board.log[position:]


def test_the_board_forgets_its_network_for_good(make_changed):
    wifi = {"mode": "station", "station_ssid": "Home", "station_password": "home sweet home"}
    air = {"networks": {"Home": {"password": "home sweet home"}}}
    board = make_changed(options={"air": air}, wifi=wifi)
    forget(board)
    assert "home sweet home" not in (board.flash / "config.json").read_text()
    assert not list(board.flash.glob("config.undo-*"))


def test_the_board_forgets_all_networks_of_its_network_section(make_changed):
    known = [{"ssid": "Home", "password": "home sweet home"}]
    network = {"order": ["station", "ap"], "wifi": known, "dns": "192.168.1.1"}
    board = make_changed(options={"air": {"networks": {"Home": known[0]}}}, network=network)
    forget(board)
    assert config_of(board)["network"] == {"order": ["ap"], "wifi": [], "dns": "192.168.1.1"}


def test_a_factory_reset_removes_settings_and_passwords(make_changed):
    board = make_changed(options={"files": {"app/data.txt": "kept"}})
    secrets = (board.flash / "secrets.json").read_text()
    admin = Admin(board)
    admin.next()
    position = board.log_position
    assert do(admin, "reset")["type"] == "restarting"
    board.wait_for_log("serving", since=position)
    assert not (board.flash / "config.json").exists()
    assert (board.flash / "secrets.json").read_text() != secrets
    assert (board.flash / "app" / "data.txt").read_text() == "kept"


@pytest.mark.parametrize("command", [{"do": "x"}, {"do": None}])
def test_an_unknown_maintenance_command_is_an_error(made, command):
    admin = Admin(made)
    admin.next()
    admin.client.send(json.dumps(command))
    assert "maintenance commands are" in admin.hear()["error"]
