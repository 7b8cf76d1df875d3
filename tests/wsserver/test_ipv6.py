"""IPv6: one listener for both families, addresses in logs and limits, Host literals."""

import http.client
import ipaddress
import socket

import pytest
import websocket
from hypothesis import given, settings
from hypothesis import strategies as st

CONFIG = {"network": {"ipv6": True}, "broadcast": {"interval": 0}}


@pytest.fixture(scope="module", autouse=True)
def loopback():
    """Skip on a machine without IPv6."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError as error:
        pytest.skip(f"this machine has no IPv6: {error}")


@pytest.fixture(scope="module")
def board(make_board):
    return make_board(config={**CONFIG, "limits": {"connections": 3, "handshakes": 1000}})


def connect(board, host, path="/ws", **options):
    url = f"ws://{f'[{host}]' if ':' in host else host}:{board.http_port}{path}"
    return websocket.create_connection(url, timeout=10, **options)


@pytest.mark.parametrize("host", ["::1", "127.0.0.1"])
def test_one_listener_serves_both_families(board, host):
    client = connect(board, host)
    client.send("over " + host)
    assert client.recv() == "over " + host
    client.close()


@pytest.mark.parametrize("host", ["[::1]", "[::1]:80", "[fe80::1]", "127.0.0.1"])
def test_an_address_is_a_valid_host(board, host):
    connection = http.client.HTTPConnection("::1", board.http_port, timeout=10)
    connection.request("GET", "/", headers={"Host": host})
    assert connection.getresponse().status == 200
    connection.close()


def test_a_page_from_an_ipv6_address_may_open_a_websocket_there(board):
    connect(board, "::1", origin=f"http://[::1]:{board.http_port}").close()
    with pytest.raises(websocket.WebSocketBadStatusException, match="403"):
        connect(board, "::1", origin="http://[::2]")


def test_the_log_names_the_ipv6_address_of_a_refused_client(board):
    position = board.log_position
    with pytest.raises(websocket.WebSocketBadStatusException, match="404"):
        connect(board, "::1", "/nothing")
    assert "::1" in board.wait_for_log(r".*/nothing.*", since=position)[0]


@pytest.mark.needs(sockets=10)
def test_limits_count_ipv6_and_ipv4_clients_apart(board):
    clients = [connect(board, "::1") for _ in range(3)]
    position = board.log_position
    with pytest.raises((OSError, websocket.WebSocketException)):
        connect(board, "::1")
    assert "::1" in board.wait_for_log(".*too many connections.*", since=position)[0]
    connect(board, "127.0.0.1").close()
    for client in clients:
        client.close()


def test_wss_listens_on_ipv6_too(make_board, certs):
    board = make_board(config=CONFIG, certs=certs)
    assert board.serves_https(10)
    options = {"cert_reqs": 0, "check_hostname": False}
    url = f"wss://[::1]:{board.https_port}/ws"
    client = websocket.create_connection(url, timeout=10, sslopt=options)
    client.send("secure")
    assert client.recv() == "secure"
    client.close()


WITHOUT = {
    "no AF_INET6": "import socket\ndel socket.AF_INET6\n",
    "reports no address": "import socket\nsocket._has_ipv6 = False\n",
}


@pytest.mark.parametrize("case", WITHOUT)
def test_without_support_the_board_serves_ipv4_as_before(make_board, case):
    from tools import ROOT

    boot = WITHOUT[case] + (ROOT / "boot.py").read_text()
    board = make_board(config=CONFIG, files={"boot.py": boot})
    board.wait_for_log("network.ipv6: listening on IPv4 only")
    client = connect(board, "127.0.0.1")
    client.send("as before")
    assert client.recv() == "as before"
    client.close()
    with pytest.raises(OSError):
        connect(board, "::1")


def test_by_default_only_ipv4_is_served(make_board):
    board = make_board()
    connect(board, "127.0.0.1").close()
    with pytest.raises(OSError):
        connect(board, "::1")
    assert board.exec("import sys; print('wsserver.ipv6' in sys.modules)") == "False\n"


# --- addresses, compared with CPython's


@pytest.fixture(scope="module")
def ipv6():
    import sys

    from tools import ROOT

    sys.path.insert(0, str(ROOT / "tests" / "wsserver" / "core"))
    import importlib.util

    source = (ROOT / "lib" / "wsserver" / "ipv6.py").read_text()
    source = source.replace("from wsserver.core.frames import const", "const = int")
    source = source.replace("from time import ticks_diff, ticks_ms", "")
    spec = importlib.util.spec_from_loader("ipv6", loader=None)
    module = importlib.util.module_from_spec(spec)
    exec(compile(source, "ipv6.py", "exec"), module.__dict__)
    return module


@settings(max_examples=300, deadline=None)
@given(data=st.one_of(st.binary(min_size=16, max_size=16), st.lists(
    st.sampled_from([b"\0\0", b"\0\1", b"\xfe\x80", b"\xff\xff"]), min_size=8, max_size=8
).map(b"".join)))  # fmt: skip
def test_any_address_is_read_and_written_as_cpython_does(ipv6, data):
    address = ipaddress.IPv6Address(data)
    mapped = address.ipv4_mapped
    assert ipv6.text(data) == str(mapped or address)
    for form in (str(address), address.exploded, str(address).upper()):
        assert ipv6.parse(form) == data


@settings(max_examples=300, deadline=None)
@given(text=st.text("0123456789abcdef:.%", max_size=45))
def test_invalid_addresses_are_refused_as_cpython_does(ipv6, text):
    try:
        expected = ipaddress.IPv6Address(text).packed if "%" not in text else None
    except ValueError:
        expected = None
    found = ipv6.parse(text)
    assert found is None or len(found) == 16
    if expected:
        assert found == expected
    if ":" in text:
        assert isinstance(ipv6.network(text), str)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:0DB8:1:2::1", "2001:db8:1:2::/64"),
        ("fe80::1%wlan0", "fe80::1"),
        ("::1", "::1"),
        ("::ffff:10.0.0.7", "10.0.0.7"),
        ("no:address", "no:address"),
    ],
)
def test_limits_count_a_network_of_64_bits_as_one_address(ipv6, address, network):
    assert ipv6.network(address) == network


@pytest.mark.parametrize(
    ("address", "peer"),
    [
        (("::ffff:10.0.0.7", 1, 0, 0), ("10.0.0.7", 1)),
        (("FE80:0::1%2", 2, 0, 2), ("fe80::1", 2)),
        (("10.0.0.7", 3), ("10.0.0.7", 3)),
    ],
)
def test_the_address_of_a_client_has_one_form(ipv6, address, peer):
    assert ipv6.peer(address) == peer
