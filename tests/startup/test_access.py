"""Access control: host names, origins and rate limits, by default and as set in config.json."""

import pytest

from tests.wsserver.conftest import Raw
from tests.wsserver.peer import handshake, plain
from tests.wsserver.web import Web
from tools.wsclient import TEXT, frame


def status(board, host="192.168.4.1", origin=None, path="/ws", upgrade=True):
    """Return the status of a handshake or plain request, and the Location header if any."""
    headers = [f"Origin: {origin}"] if origin else []
    request = (handshake if upgrade else plain)(path, *headers, host=host)
    got = Web(board).raw(request.encode())
    return got.status, *filter(None, [got.headers.get("location")])


@pytest.fixture(scope="module")
def changed(make_board):
    access = {"hosts": ["Garden.lan"], "origins": ["https://app.example"]}
    limits = {"connections": 2, "messages": 50}
    config = {"broadcast": {"interval": 0}, "access": access, "limits": limits}
    return make_board(config={**config, "wifi": {"hostname": "rose", "captive_portal": False}})


def test_by_default_only_the_boards_own_names_and_addresses_are_served(board):
    for host in ("esp32-ws", "ESP32-WS.local", "localhost:8080", "10.0.0.7", "[fe80::1]:80"):
        assert status(board, host) == (101,), host
    for host in ("evil.example", "rose.local", "esp32-ws.local.evil.example", "10.0.0.7.evil"):
        assert status(board, host) == (421,), host


@pytest.mark.needs(wifi=True)
def test_by_default_a_page_request_for_another_name_is_redirected(board):
    assert status(board, "evil.example", upgrade=False) == (302, "http://192.168.4.1/")


@pytest.mark.needs(wifi=True)
@pytest.mark.parametrize("path", ["/ws", "/demo", "/settings", "/update"])
def test_by_default_only_the_boards_own_pages_may_connect(board, path):
    own = status(board, origin="http://192.168.4.1", path=path)
    assert own == status(board, origin="https://192.168.4.1:8443", path=path)
    assert own == ((401,) if path in ("/settings", "/update") else (101,))
    for origin in ("http://evil.example", "null", "http://192.168.4.1.evil.example"):
        assert status(board, origin=origin, path=path) == (403,), origin


def test_settings_allow_other_host_names_and_origins(changed):
    for host in ("garden.lan", "rose.local", "192.168.4.1"):
        assert status(changed, host) == (101,), host
    assert status(changed, "esp32-ws.local") == (421,)
    assert status(changed, "evil.example", upgrade=False) == (421,)
    assert status(changed, origin="https://app.example") == (101,)
    assert status(changed, origin="https://other.example") == (403,)


def test_settings_limit_the_rate_per_address(changed):
    first, second = Raw(changed).open(), Raw(changed).open()
    with pytest.raises((AssertionError, OSError)):
        Raw(changed).open()
    other = Raw(changed, source="127.0.0.9").open()
    first.send(frame(TEXT, b"x") * 400)
    assert first.close_code() == 1008
    for connection in (second, other):
        assert connection.send(frame(TEXT, b"x")).frame() == (TEXT, b"x")
    changed.wait_for_log(r"refused 127\.0\.0\.1: too many messages or bytes")
    for connection in (first, second, other):
        connection.close()
