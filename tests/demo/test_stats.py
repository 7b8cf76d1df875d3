"""The reports of /demo about the board."""

import json
import socket
import time
from pathlib import Path

import pytest
import websocket

from tests.demo.guest import Guest

MAIN = (Path(__file__).resolve().parents[2] / "main.py").read_text()
QUIET = {"broadcast": {"interval": 0}}


@pytest.fixture(scope="module")
def board(make_board):
    return make_board(config=QUIET, air={"stations": ["02:00:00:00:00:01"]})


@pytest.fixture
def one(board):
    guest = Guest(board)
    yield guest
    guest.leave()


def board_with(make_board, code, **options):
    """A board whose main.py does something more before it serves."""
    return make_board(
        config=QUIET,
        files={"main.py": MAIN.replace("server.run()", f"exec({code!r}); server.run()")},
        **options,
    )


def is_silent(guest, seconds=1.3):
    """Whether no report comes for longer than from one to the next."""
    guest.socket.settimeout(seconds)
    try:
        guest.wait("stats")
    except websocket.WebSocketTimeoutException:
        return True
    return False


@pytest.mark.parametrize("order", ["stats", "STATS", {"stats": True}])
def test_one_report_comes_within_about_a_second(one, order):
    began = time.monotonic()
    report = one.say(order).wait("stats")
    assert time.monotonic() - began < 10
    assert set(report) == {
        *("type", "time", "uptime", "cpu", "heap", "idf", "temperature", "wifi", "clients"),
        *("messages_per_second", "bytes_per_second"),
    }
    heap = report["heap"]
    assert 0 < heap["free"] < 128 * 1024
    assert heap["used"] > 30_000
    assert report["idf"]["free"] >= report["idf"]["largest"] > 30_000  # the GC heap may have grown
    assert report["temperature"] == 53  # 128 degrees Fahrenheit
    assert report["wifi"] == {"mode": "ap", "stations": [{"mac": "02:00:00:00:00:01"}]}
    assert 0 <= report["uptime"] < 600
    assert [client["name"] for client in report["clients"]] == [f"client {one.id}"]


def test_a_single_report_is_not_repeated(one):
    one.say("stats").wait("stats")
    assert is_silent(one)


def test_a_subscription_repeats_reports_until_it_is_ended(one):
    one.say({"stats": 1}).wait("stats")
    began = time.monotonic()
    reports = [one.wait("stats") for _ in range(2)]
    assert 1 < time.monotonic() - began < 10
    assert reports[0]["uptime"] < reports[1]["uptime"]
    one.say({"stats": 0})
    one.rest()
    assert is_silent(one)


def test_a_single_report_does_not_end_a_subscription(one):
    one.say({"stats": 2}).wait("stats")
    one.say("stats").wait("stats")
    began = time.monotonic()
    one.wait("stats")
    assert time.monotonic() - began > 1.5


def test_each_client_has_its_own_subscription(board, one):
    other = Guest(board)
    one.say({"stats": 1})
    other.say({"stats": 1}).wait("stats")
    one.wait("stats")
    one.say({"stats": 0})
    other.wait("stats")
    other.leave()


@pytest.mark.parametrize("value", [0.5, -1, 3601, "1", None, [1], {}, 1e999])
def test_an_invalid_interval_is_refused(one, value):
    text = "stats: must be true, seconds from 1 to 3600, or 0 to stop"
    order = json.dumps({"stats": value}).replace("Infinity", "1e999")
    assert one.error(order) == text


def test_cpu_is_the_share_of_time_in_which_the_loop_is_busy(make_board, one):
    # Beside load, each turn of the loop begins late, by some tens of ms.
    busy = board_with(make_board, "import time\nserver.every(100, lambda: time.sleep_ms(95))")
    guest = Guest(busy)
    guest.say({"stats": 1})
    assert 0.5 < guest.wait("stats")["cpu"] <= 1
    guest.leave()
    one.say({"stats": 1})
    while one.wait("stats")["cpu"] > 0.3:  # where this machine has other things to do
        pass


def test_messages_and_bytes_are_counted_over_all_clients(board, one):
    one.say({"stats": 1}).wait("stats")
    talker = websocket.create_connection(board.ws_url(), timeout=10)
    for _ in range(100):
        talker.send("x" * 94)  # 100 bytes with the header
        talker.recv()
    messages = count = 0
    entry = {"messages": 0}
    while entry["messages"] < 100:
        report = one.wait("stats")
        messages += report["messages_per_second"]
        count += report["bytes_per_second"]
        (entry,) = [client for client in report["clients"] if client["path"] == "/ws"]
    assert (entry["messages"], entry["bytes"], entry["name"]) == (100, 10_000, None)
    assert 30 < messages <= 110  # on a busy machine a second is longer
    assert count == pytest.approx(100 * messages, rel=0.05)
    assert one.wait("stats")["messages_per_second"] == 0
    talker.close()


def test_the_rates_are_averages_over_the_interval(board, one):
    before = one.say({"stats": 3}).wait("stats")
    talker = websocket.create_connection(board.ws_url(), timeout=10)
    for _ in range(60):  # all in the first of three seconds, unless this machine is busy
        talker.send("x")
        talker.recv()
    messages, entry = 0, {"messages": 0}
    while entry["messages"] < 60:
        report = one.wait("stats")
        seconds = report["uptime"] - before["uptime"]
        assert seconds > 1  # a late report makes the next interval shorter
        messages += report["messages_per_second"] * seconds
        (entry,) = [client for client in report["clients"] if client["path"] == "/ws"]
        before = report
    assert messages == pytest.approx(60, rel=0.05)
    assert one.wait("stats")["messages_per_second"] == 0
    talker.close()


def test_the_rates_leave_out_the_traffic_of_status_pages(one):
    one.say({"stats": 1}).wait("stats")
    for number in range(3):
        one.say({"echo": number}).say({"stats": 1})
        report = one.wait("stats")
        assert (report["messages_per_second"], report["bytes_per_second"]) == (0, 0)


def test_the_report_shows_bytes_queued_for_a_slow_client(board, one):
    slow = websocket.create_connection(
        board.ws_url(),
        timeout=0.3,
        sockopt=[(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)],
    )
    with pytest.raises(websocket.WebSocketTimeoutException):
        for _ in range(1000):
            slow.send("x" * 4000)
    report = one.say("stats").wait("stats")
    (entry,) = [client for client in report["clients"] if client["path"] == "/ws"]
    assert entry["queue"] > 0
    slow.shutdown()


def test_a_board_in_station_mode_reports_its_signal_strength(make_board):
    config = {
        **QUIET,
        "wifi": {"mode": "station", "station_ssid": "Home", "station_password": "secret123"},
    }
    joined = make_board(config=config, air={"networks": {"Home": {"password": "secret123"}}})
    guest = Guest(joined)
    assert guest.say("stats").wait("stats")["wifi"] == {"mode": "station", "rssi": -55}
    joined.air(networks={})
    assert guest.say("stats").wait("stats")["wifi"] == {"mode": "station", "rssi": None}
    guest.leave()
