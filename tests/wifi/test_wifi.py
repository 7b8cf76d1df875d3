"""Wi-Fi on a virtual board with a simulated air interface."""

from pathlib import Path

import pytest

pytestmark = pytest.mark.needs(wifi=True)

BOOT = (Path(__file__).resolve().parents[2] / "boot.py").read_text()
MAC = "24:6f:28:00:00:01"
OTHER = "24:6f:28:00:00:02"

ASK = """
import network
ap = network.WLAN(network.AP_IF)
sta = network.WLAN(network.STA_IF)
print("ap", ap.active(), ap.active() and [ap.config(name) for name in
    ("ssid", "authmode", "channel", "hidden", "max_clients")], ap.ifconfig()[0])
print("sta", sta.active(), sta.isconnected())
print("names", network.hostname(), network.country())
print("asked")
"""


def ask(make_board, **wifi):
    """Return the log of a board with these Wi-Fi settings; its main.py prints the state."""
    board = make_board(config={"wifi": wifi}, files={"main.py": ASK}, wait=False)
    board.wait_for_log("asked")
    return board.log


def test_the_access_point_is_as_the_settings_say(make_board):
    log = ask(
        make_board,
        ssid="Lab",
        password="correct horse",
        channel=11,
        hidden=True,
        max_stations=2,
        ip="10.1.2.3",
        country="DE",
        hostname="lab",
    )
    assert "ap True ['Lab', 3, 11, True, 2] 10.1.2.3" in log
    assert "sta False False" in log
    assert "names lab DE" in log
    assert "correct horse" not in log


def test_by_default_the_access_point_has_wpa2_and_its_usual_address(make_board):
    log = ask(make_board)
    assert "ap True ['ESP32-WS-Server', 3, 6, False, 4] 192.168.4.1" in log
    assert "names esp32-ws" in log


def test_an_empty_password_opens_a_network_without_encryption(make_board):
    log = ask(make_board, password="")
    assert "ap True ['ESP32-WS-Server', 0," in log
    assert "open network without a password" in log


def test_a_short_password_is_reported_and_never_opens_the_network(make_board):
    log = ask(make_board, password="1234567")
    assert "wifi.password: must be a text of 8 to 63 bytes" in log
    assert "ap True ['ESP32-WS-Server', 3," in log
    assert "1234567" not in log


def test_stations_that_join_and_leave_are_logged(make_board):
    board = make_board()
    board.air(stations=[MAC, OTHER])
    board.wait_for_log(f"station {MAC} joined")
    board.wait_for_log(f"station {OTHER} joined")
    board.air(stations=[OTHER])
    board.wait_for_log(f"station {MAC} left")
    assert f"station {OTHER} left" not in board.log


def test_stations_are_logged_on_releases_without_their_ip_address(make_board):
    older = """
import network
status = network.WLAN.status
network.WLAN.status = lambda wlan, what: [entry[:1] for entry in status(wlan, what)]
"""
    board = make_board(files={"boot.py": older + BOOT})
    board.air(stations=[MAC])
    board.wait_for_log(f"station {MAC} joined")


REFUSE = """
import network
real_config = network.WLAN.config
def refuse(wlan, *names, **values):
    if values and values.get("channel") != %d:
        raise %s("Wifi Unknown Error 0x0102")
    return real_config(wlan, *names, **values)
network.WLAN.config = refuse
"""


@pytest.mark.parametrize("error", ["OSError", "RuntimeError"])
def test_an_access_point_that_cannot_be_configured_is_never_left_open(make_board, error):
    files = {"boot.py": REFUSE % (0, error) + BOOT, "main.py": ASK}
    board = make_board(files=files, wait=False)
    board.wait_for_log("asked")
    assert "the access point 'ESP32-WS-Server' does not start: Wifi Unknown Error" in board.log
    assert "ap False" in board.log


def test_a_refused_ssid_is_replaced_by_the_default(make_board):
    refuse = REFUSE.replace('values.get("channel") != %d', 'values.get("ssid") == "Odd"')
    files = {"boot.py": refuse % "OSError" + BOOT, "main.py": ASK}
    board = make_board(files=files, config={"wifi": {"ssid": "Odd", "password": ""}}, wait=False)
    board.wait_for_log("asked")
    assert "the access point 'Odd' does not start: Wifi Unknown Error" in board.log
    assert "ap True ['ESP32-WS-Server', 3, 6," in board.log  # not open, as the refused one was


def test_the_mdns_name_is_set_before_wifi_is_active(make_board):
    watch = """
import network
said, start = network.hostname, network.WLAN.active
def hostname(*name):
    print("hostname", *name)
    return said(*name)
def active(wlan, *up):
    print("active", *up)
    return start(wlan, *up)
network.hostname, network.WLAN.active = hostname, active
"""
    config = {"wifi": {"hostname": "lab-7"}}
    board = make_board(files={"boot.py": watch + BOOT, "main.py": ASK}, config=config, wait=False)
    board.wait_for_log("asked")
    assert board.log.index("hostname lab-7") < board.log.index("active True")


def test_a_refused_channel_is_replaced_by_channel_1(make_board):
    files = {"boot.py": REFUSE % (1, "OSError") + BOOT, "main.py": ASK}
    board = make_board(files=files, config={"wifi": {"channel": 13}}, wait=False)
    board.wait_for_log("asked")
    assert "wifi: channel 13: Wifi Unknown Error 0x0102; using channel 1" in board.log
    assert "ap True ['ESP32-WS-Server', 3, 1," in board.log


HOME = {"mode": "station", "station_ssid": "Home", "station_password": "secret99"}


def join(make_board, networks, **wifi):
    """Return a board that tries to join "Home", and its log when it serves."""
    config = {"wifi": {**HOME, "station_timeout": 2, **wifi}}
    board = make_board(config=config, air={"networks": networks})
    board.wait_for_log("serving")
    return board, board.log


def test_a_station_joins_its_network(make_board):
    _, log = join(make_board, {"Home": {"password": "secret99"}})
    assert "joined 'Home' as 192.168.1.42" in log
    assert "serving ws://192.168.1.42:80/ws" in log
    assert "access point" not in log
    assert "secret99" not in log


def test_after_a_wrong_password_the_access_point_opens(make_board):
    _, log = join(make_board, {"Home": {"password": "other"}})
    assert "cannot join 'Home': wrong password" in log
    assert "serving ws://192.168.4.1:80/ws" in log


def test_if_the_network_is_not_found_the_access_point_opens(make_board):
    _, log = join(make_board, {"Elsewhere": {}})
    assert "cannot join 'Home': network not found" in log
    assert "access point 'ESP32-WS-Server'" in log


def test_an_unsupported_security_type_is_reported(make_board):
    _, log = join(make_board, {"Home": {"reason": 210}})
    assert "cannot join 'Home': the network's security type is not supported" in log


def test_an_unknown_failure_is_reported_by_its_number(make_board):
    _, log = join(make_board, {"Home": {"reason": 39}})
    assert "cannot join 'Home': driver status 39" in log


def test_a_failed_authentication_suggests_checking_the_password(make_board):
    _, log = join(make_board, {"Home": {"reason": 15}})
    assert "cannot join 'Home': authentication failed: check the password" in log


def test_after_a_driver_error_the_access_point_opens(make_board):
    fail = """
import network
def fail(*arguments):
    raise RuntimeError("Wifi Unknown Error 0x3001")
network.WLAN.connect = fail
"""
    board = make_board(files={"boot.py": fail + BOOT}, config={"wifi": HOME})
    assert "cannot join 'Home': Wifi Unknown Error 0x3001" in board.log
    assert "access point 'ESP32-WS-Server'" in board.log


def test_ctrl_c_interrupts_joining(make_board):
    config = {"wifi": {**HOME, "station_timeout": 600}}
    board = make_board(config=config, wait=False)
    board.wait_for_log("joining 'Home'")
    board.serial_write(b"\x03")
    board.wait_for_log("KeyboardInterrupt")


def test_a_lost_connection_and_its_return_are_logged(make_board):
    board, _ = join(make_board, {"Home": {"password": "secret99"}})
    position = board.log_position
    board.air(networks={})
    board.wait_for_log("connection lost", since=position)
    board.air(networks={"Home": {"password": "secret99"}})
    board.wait_for_log("connected again", since=position)
