"""config.json: valid and invalid values; no content prevents a board from starting."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.linewise import Linewise
from tests.wsserver.programs import run_script
from tools.settings import parse
from tools.virtualboard import find_micropython

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = json.loads((ROOT / "config.example.json").read_text())
# Of a file without the section "fleet", whose rules are loaded only if it is there.
DEFAULTS = {**EXAMPLE, "fleet": {"enabled": False, "password": ""}}
AGENT = """
import json, sys
sys.path.insert(0, sys.argv[1])
from config import schema
print("ready")
while True:
    line = sys.stdin.readline()
    if not line:
        break
    print(json.dumps(schema.validate(json.loads(line))))
"""


@pytest.fixture(scope="module", params=["CPython", "MicroPython"])
def validate(request, lib, tmp_path_factory):
    """schema.validate on one of the interpreters."""
    if request.param == "CPython":
        sys.path.insert(0, str(ROOT / "lib"))
        from config import schema

        yield lambda raw: tuple(json.loads(json.dumps(schema.validate(raw))))
        sys.path.remove(str(ROOT / "lib"))
        return
    agent = tmp_path_factory.mktemp("agent") / "agent.py"
    agent.write_text(AGENT)

    def ask(raw):
        line = json.dumps(raw, ensure_ascii=False)
        try:
            line.encode()
        except UnicodeEncodeError:  # halves of characters: they can only be sent escaped
            line = json.dumps(raw)
        return tuple(json.loads(process.ask(line)))

    with Linewise(agent, lib) as process:
        yield ask


NAMES = """
import sys
sys.path.insert(0, sys.argv[1])
from config import schema
import micropython
settings = {"wifi": {"hostname": "Q7-jW", "country": "XK"}, "fleet": {"prefix": "V/Y_4"}}
micropython.qstr_info(1)
print("validated", schema.validate(settings)[1])
micropython.qstr_info(1)
"""


def test_characters_of_a_value_do_not_stay_in_memory(lib, tmp_path):
    program = tmp_path / "names.py"
    program.write_text(NAMES)
    command = [*find_micropython(), str(program), str(lib)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=True)
    before, _, after = done.stdout.partition("validated []")
    assert after
    names = [set(re.findall(r"(?m)^Q\((.)\)$", part)) for part in (before, after)]
    assert names[1] == names[0]


def test_the_defaults_are_those_of_config_example_json(validate):
    assert validate({}) == (DEFAULTS, [])
    assert validate(EXAMPLE) == (EXAMPLE, [])


def test_a_given_field_is_used_and_the_others_have_their_defaults(validate):
    config, problems = validate({"server": {"port": 8081}, "broadcast": {"text": "hi"}})
    assert problems == []
    assert config["server"] == {**EXAMPLE["server"], "port": 8081}
    assert config["broadcast"] == {**EXAMPLE["broadcast"], "text": "hi"}
    assert config["wifi"] == EXAMPLE["wifi"]


GOOD = [
    ("wifi", "mode", "ap"),
    ("wifi", "ssid", "x" * 32),
    ("wifi", "password", ""),
    ("wifi", "password", "12345678"),
    ("wifi", "password", "x" * 63),
    ("wifi", "hidden", True),
    ("wifi", "country", "DE"),
    ("wifi", "country", "01"),
    ("wifi", "ip", "10.0.0.1"),
    ("wifi", "ip", "192.168.0.254"),
    ("wifi", "hostname", "Lab-2"),
    ("wifi", "hostname", "x" * 32),
    ("wifi", "ssid", "\U0001f600 Lab"),
    ("server", "ping_interval", None),
    ("server", "ping_interval", 0.5),
    ("server", "purge", "lru"),
    ("server", "write_limit", 512),
    ("server", "read_size", 64),
    ("tls", "enabled", False),
    ("tls", "port", 8443),
    ("tls", "cert", "/certs/fullchain.pem"),
    ("tls", "client_ca", "/certs/clients.crt.der"),
    ("tls", "max_clients", 1),
    ("tls", "reserved", 0),
    ("tls", "redirect", True),
    ("broadcast", "interval", 0),
    ("broadcast", "interval", 0.25),
    ("broadcast", "text", ""),
    ("demo", "led_pin", -1),
    ("demo", "led_kind", "neopixel"),
    ("admin", "password", "12345678"),
    ("access", "hosts", ["board.example"] * 8),
    ("access", "origins", ["http://localhost:5500", "*"]),
    ("limits", "bytes", 1),
    ("watchdog", "timeout", 0.5),
]
BAD = [
    ("demo", "led_pin", 49),
    ("demo", "led_kind", "lamp"),
    ("admin", "password", ""),
    ("admin", "password", "1234567"),
    ("access", "hosts", "board.example"),
    ("access", "hosts", ""),
    ("access", "hosts", None),
    ("access", "hosts", ["a"] * 9),
    ("access", "hosts", ["a", ""]),
    ("access", "hosts", ["a", 5]),
    ("access", "origins", ["x" * 65]),
    ("limits", "messages", 0),
    ("watchdog", "timeout", -1),
    ("wifi", "mode", "AP"),
    ("wifi", "mode", None),
    ("wifi", "ssid", ""),
    ("wifi", "ssid", "ü" * 17),
    ("wifi", "ssid", 5),
    ("wifi", "password", "1234567"),
    ("wifi", "password", "x"),
    ("wifi", "password", "x" * 64),
    ("wifi", "password", 12345678),
    ("wifi", "channel", 0),
    ("wifi", "channel", 14),
    ("wifi", "channel", 6.5),
    ("wifi", "channel", True),
    ("wifi", "hidden", 1),
    ("wifi", "max_stations", 5),
    ("wifi", "ip", "192.168.4"),
    ("wifi", "ip", "192.168.4.256"),
    ("wifi", "ip", "192.168.4.x"),
    ("wifi", "ip", 5),
    ("wifi", "ip", "0.0.0.0"),
    ("wifi", "ip", "127.0.0.1"),
    ("wifi", "ip", "224.0.0.1"),
    ("wifi", "ip", "192.168.4.0"),
    ("wifi", "ip", "192.168.4.255"),
    ("wifi", "ip", "192.168.4.1.1"),
    ("wifi", "ip", "192.168.-4.1"),
    ("wifi", "ip", "192.168.04.1"),
    ("wifi", "ip", "192.168.4.\u00b2"),
    ("wifi", "ssid", "\ud83d\ude00"),
    ("wifi", "password", "12345678\ud83d"),
    ("wifi", "country", "de"),
    ("wifi", "country", "\u00fc"),
    ("wifi", "hostname", "my board"),
    ("wifi", "hostname", "-lab"),
    ("wifi", "hostname", "lab-"),
    ("wifi", "hostname", "x" * 33),
    ("broadcast", "text", "\ud83d\ude00"),
    ("wifi", "country", "D"),
    ("wifi", "country", "DEU"),
    ("wifi", "hostname", ""),
    ("server", "port", 0),
    ("server", "port", 65536),
    ("server", "port", "80"),
    ("server", "max_clients", 0),
    ("server", "max_size", -1),
    ("server", "ping_interval", 0),
    ("server", "ping_timeout", -1),
    ("server", "ping_timeout", "20"),
    ("server", "close_timeout", None),
    ("server", "purge", "oldest"),
    ("server", "write_limit", 511),
    ("server", "read_size", 1),
    ("server", "max_head", 0),
    ("tls", "enabled", "yes"),
    ("tls", "port", 0),
    ("tls", "cert", ""),
    ("tls", "key", None),
    ("tls", "client_ca", None),
    ("tls", "client_ca", "x" * 65),
    ("tls", "max_clients", 0),
    ("tls", "reserved", -1),
    ("tls", "redirect", 1),
    ("broadcast", "interval", -1),
    ("broadcast", "interval", None),
    ("broadcast", "text", "x" * 501),
    ("broadcast", "text", ["x"]),
]


@pytest.mark.parametrize("section, field, value", GOOD)
def test_a_valid_value_is_accepted(validate, section, field, value):
    config, problems = validate({section: {field: value}})
    assert problems == []
    assert config[section][field] == value


@pytest.mark.parametrize("section, field, value", BAD)
def test_an_invalid_value_is_reported_and_affects_only_its_field(validate, section, field, value):
    other = "server" if section == "wifi" else "wifi"
    neighbour = {"server": ("port", 81), "wifi": ("channel", 3)}[other]
    config, problems = validate({section: {field: value}, other: dict([neighbour])})
    assert len(problems) == 1
    assert problems[0].startswith(f"{section}.{field}: ")
    assert config[section] == EXAMPLE[section]
    assert config[other] == {**EXAMPLE[other], neighbour[0]: neighbour[1]}


def test_unknown_names_are_reported_with_the_known_ones(validate):
    config, problems = validate({"wlan": {}, "server": {"prot": 80}})
    assert config == DEFAULTS
    assert any(text.startswith("wlan: ") and "wifi" in text for text in problems)
    assert any(text.startswith("server.prot: ") and "port" in text for text in problems)


@pytest.mark.parametrize("raw", [[], None, 5, "x", True, {"server": []}, {"wifi": None}])
def test_a_missing_object_is_reported(validate, raw):
    config, problems = validate(raw)
    assert config == DEFAULTS
    assert "must be an object" in problems[0]


def test_a_station_without_a_network_becomes_an_access_point(validate):
    config, problems = validate({"wifi": {"mode": "station"}})
    assert config["wifi"]["mode"] == "ap"
    assert problems[0].startswith("wifi.station_ssid: ")


def test_tls_on_the_port_of_plain_http_is_disabled(validate):
    config, problems = validate({"tls": {"port": 80}})
    assert config["tls"] == {**EXAMPLE["tls"], "port": 80, "enabled": False}
    assert problems == ["tls.port: must differ from server.port; using no TLS"]
    assert validate({"tls": {"port": 80}, "server": {"port": 8080}})[1] == []
    assert validate({"server": {"port": 443}})[0]["tls"]["enabled"] is False


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
anything = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
near_misses = st.fixed_dictionaries(
    {},
    optional={
        section: anything | st.fixed_dictionaries({}, optional=dict.fromkeys(values, anything))
        for section, values in EXAMPLE.items()
    },
)


@settings(max_examples=150, deadline=None)
@given(anything | near_misses)
def test_any_json_results_in_valid_settings(validate, raw):
    config, _ = validate(raw)
    config["fleet"] = {**EXAMPLE["fleet"], **config["fleet"]}
    assert validate(config) == (config, [])
    for section, values in EXAMPLE.items():
        assert set(config[section]) == set(values)


def rows(section):
    """{field: default} of a section's table in docs/settings.md."""
    text = (ROOT / "docs/settings.md").read_text()
    table = text.split(f"## `{section}`")[1].split("\n## ")[0]
    return dict(re.findall(r"^\| `(\w+)` \| `(.*?)` \|", table, re.M))


def test_the_documentation_lists_every_field_and_default():
    for section, values in EXAMPLE.items():
        assert rows(section) == {field: json.dumps(value) for field, value in values.items()}


BROKEN = {
    "cut off": b'{"server": {"port": 80',
    "not JSON": b"port = 80\n",
    "not UTF-8": b'{"wifi": {"ssid": "\xff\xfe"}}',
    "too long": b'{"wifi": {"ssid": "' + b"x" * 5000 + b'"}}',
    "empty": b"",
    "zeros": bytes(4096),
}


@pytest.mark.needs(wifi=True)
@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_reported_and_the_defaults_are_used(make_board, name):
    board = make_board(files={"config.json": BROKEN[name]})
    assert re.search(r"/config\.json: is .*using defaults", board.log)
    assert "'ESP32-WS-Server'" in board.log


PLACES = {
    '{\n  "wifi": {\n    "ssid": "a"\n    "hostname": "b"\n  }\n}\n': (
        'line 4, column 5: a "," is missing before this'
    ),
    '{"server": {"port": 80': 'line 1: the file ends, but a "}" is missing',
    '{"server": {"port": 80]}': 'line 1, column 23: "]" closes "{"',
    "{'wifi': {}}": "line 1, column 2: texts need double quotes",
    "{wifi: {}}": 'line 1, column 2: a name in double quotes is missing: "name": value',
    '{"demo": {"enabled": True}}': "line 1, column 22: write true",
    '{"demo": None}': "line 1, column 10: write null",
    "{\n# mine\n}": "line 2, column 1: comments are not allowed",
    '{"wifi": {}} // mine': "line 1, column 14: comments are not allowed",
    '{"wifi" {}}': 'line 1, column 9: a ":" is missing after the name',
    '{"wifi": }': "line 1, column 10: a value is missing",
    '{"wifi": {"ssid": mine}}': "line 1, column 19: mine is no value: texts need double quotes",
    '{"wifi": {"ssid": "mine\n}}': "line 1, column 19: a text has no quote at its end",
    '{"wifi": {}}}': "line 1, column 13: nothing may follow the last bracket",
    "": "line 1: the file has no settings",
    '\ufeff{"wifi":\r\n {"ü": "é", 5: 6}}': (
        'line 2, column 13: a name in double quotes is missing: "name": value'
    ),
    '{"wifi": {"password": "' + "x" * 300 + '",\n"ssid": [1, 2,}}': (
        'line 2, column 15: "}" closes "["'
    ),
}


@pytest.mark.parametrize("text", list(PLACES)[1:2] + list(PLACES)[3:7])
def test_the_place_of_an_error_in_a_broken_file_is_reported(make_board, text):
    board = make_board(files={"config.json": text.encode()})
    problem = f"/config.json: is not JSON, or incomplete ({PLACES[text]}); using defaults"
    assert problem in board.log
    assert (board.flash / "config.json").read_bytes() == text.encode()


def places(lib, folder, cases):
    """What config.place.find() returns for each of these texts."""
    (folder / "cases.json").write_text(json.dumps(cases))
    program = """
import json
from config.place import find

with open("cases.json") as file:
    cases = json.load(file)
places = []
for case in cases:
    with open("case", "w") as file:
        file.write(case)
    places.append(find("case"))
print(json.dumps(places))
"""
    return json.loads(run_script(lib, program, folder, heap="16m"))


def test_the_first_error_of_a_file_is_found(lib, tmp_path):
    """Also where MicroPython's json is more tolerant."""
    found = places(lib, tmp_path, list(PLACES))
    assert dict(zip(PLACES, found, strict=True)) == PLACES


def test_the_place_of_each_error_that_json_finds_is_found(lib, tmp_path):
    """One character is changed or removed at a time: only what Python refuses has a place."""
    text = (ROOT / "config.example.json").read_text()[:700]
    good = text[: text.rindex("},")] + "}}"
    cases = []
    for index in range(0, len(good), 7):
        for new in ("", '"', "{", "]", ",", ":", "x", "\\"):
            cases.append(good[:index] + new + good[index + 1 :])
    found = places(lib, tmp_path, cases)
    wrong = [(case, place) for case, place in zip(cases, found, strict=True)
             if bool(place) == is_json(case)]  # fmt: skip
    assert not wrong, wrong[0]


def is_json(text):
    try:
        parse(text.encode())
        return True
    except ValueError:
        return False


@pytest.mark.needs(wifi=True)
def test_an_invalid_field_is_reported_once_and_the_rest_is_used(make_board):
    board = make_board(config={"wifi": {"ssid": "Mine", "channel": 99}})
    assert (
        board.log.count("/config.json: wifi.channel: must be a whole number from 1 to 13; using 6")
        == 1
    )
    assert "'Mine'" in board.log


@pytest.mark.needs(wifi=True)
def test_a_byte_order_mark_is_accepted(
    make_board,
):
    board = make_board(files={"config.json": b'\xef\xbb\xbf{"wifi": {"ssid": "Mine"}}'})
    assert "access point 'Mine'" in board.log
    assert "config.json" not in board.log


DEEP = '{"wifi": ' * 400


@pytest.mark.needs(wifi=True)
@pytest.mark.parametrize("content", ["[" * 4090, DEEP + "1" + "}" * 400], ids=["broken", "whole"])
def test_deep_nesting_is_reported_and_the_defaults_are_used(make_board, content):
    board = make_board(files={"config.json": content})
    assert board.log.count("/config.json: is nested too deeply") == 1
    assert "access point 'ESP32-WS-Server'" in board.log


def test_brackets_in_a_string_are_not_nesting(make_board):
    text = "[{" * 200 + '\\"['
    board = make_board(files={"config.json": json.dumps({"broadcast": {"text": text}})})
    assert "nested" not in board.log
    assert "config.json" not in board.log
