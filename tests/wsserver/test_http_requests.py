"""Requests as real clients, proxies and probes send them: versions, methods, targets, heads."""

import re
import time

import pytest

from tests.wsserver.peer import SITE, UPGRADE, Servers, handshake, plain
from tools.wsclient import TEXT, frame

INDEX = SITE["site/index.html"]
NAMES = {"hosts": ["board", "board.local"]}


@pytest.fixture(scope="module")
def servers(make_board):
    portal = {"portal": "http://192.168.4.1/", **NAMES}
    return Servers(
        make_board,
        main={"attributes": NAMES},
        portal={"attributes": portal},
        anybody={},
        quiet={},  # its log has few lines
    )


# --- HTTP/1.0, and other versions


@pytest.mark.parametrize("host", [None, "board"])
def test_http_1_0_gets_the_page_with_and_without_host(servers, host):
    response = servers.ask(plain("/", host=host, version="1.0"), "anybody")
    assert (response.status, response.text) == (200, INDEX)
    assert response.headers["connection"] == "close"


def test_head_over_http_1_0_gets_the_head_of_the_page(servers):
    with servers.connect("anybody") as peer:
        status, headers = peer.send("HEAD / HTTP/1.0\r\n\r\n").head()
        assert (status, headers["content-length"]) == (200, str(len(INDEX)))
        assert peer.rest() == b""


def test_http_1_0_with_the_boards_name_passes_the_check_of_hosts(servers):
    assert servers.ask(plain(version="1.0")).status == 200
    assert servers.ask(plain(host="evil.example", version="1.0")).status == 421


def test_without_host_a_server_with_names_refuses_http_1_0(servers):
    response = servers.ask("GET / HTTP/1.0\r\n\r\n")
    assert response.status == 400
    assert "Host" in response.text


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("host", [None, "captive.apple.com"])
def test_a_captive_portal_probe_over_http_1_0_is_redirected(servers, method, host):
    with servers.connect("portal") as peer:
        peer.send(plain("/hotspot-detect.html", method=method, host=host, version="1.0"))
        status, headers = peer.head()
        assert (status, headers["location"]) == (302, "http://192.168.4.1/")


def test_head_to_a_foreign_host_is_redirected_like_get(servers):
    response = servers.ask(plain(host="connectivity.example"), "portal")
    assert response.status == 302
    with servers.connect("portal") as peer:
        status, headers = peer.send(plain(host="connectivity.example", method="HEAD")).head()
        assert (status, headers["location"]) == (302, "http://192.168.4.1/")
        assert peer.rest() == b""


def test_a_websocket_upgrade_over_http_1_0_gets_426(servers):
    response = servers.ask(handshake(version="1.0"))
    assert (response.status, response.headers["upgrade"]) == (426, "websocket")
    assert "HTTP/1.1" in response.text


@pytest.mark.parametrize("version", ["2.0", "0.9", "3.0"])
def test_another_major_version_gets_505(servers, version):
    assert servers.ask(plain(version=version)).status == 505


def test_the_preface_of_http_2_gets_505(servers):
    assert servers.ask("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").status == 505


def test_a_higher_minor_version_counts_as_1_1(servers):
    assert servers.ask(plain(version="1.2")).status == 200
    assert servers.ask(plain(host=None, version="1.2")).status == 400


# --- methods


def test_options_gets_204_with_allow(servers):
    for request in (plain(method="OPTIONS"), plain("*", method="OPTIONS")):
        response = servers.ask(request)
        assert (response.status, response.headers["allow"]) == (204, "GET, HEAD, OPTIONS")
        assert "content-length" not in response.headers
    response = servers.ask("OPTIONS / HTTP/1.0\r\n\r\n", "anybody")
    assert response.status == 204


def test_options_on_a_websocket_path_gets_204_with_allow(servers):
    response = servers.ask(plain("/ws", method="OPTIONS"))
    assert (response.status, response.headers["allow"]) == (204, "GET, HEAD, OPTIONS")


@pytest.mark.parametrize(
    "path, expected", [("/ws", 426), ("/nowhere", 404), ("/token", 401), ("/%zz", 400)]
)
def test_an_error_response_to_head_has_no_body(servers, path, expected):
    with servers.connect() as peer:
        status, _ = peer.send(plain(path, method="HEAD")).head()
        assert status == expected
        assert peer.rest() == b""


# --- targets


def test_a_websocket_handshake_in_absolute_form_is_accepted(servers):
    assert servers.upgrade("http://board/ws").status == 101
    assert servers.upgrade("ws://board/ws").status == 101


def test_the_host_of_an_absolute_target_replaces_the_host_header(servers):
    assert servers.get("http://board/", host="evil.example").status == 200
    assert servers.get("http://evil.example/", host="board").status == 421
    origin = "Origin: http://board"
    assert servers.upgrade("http://board.local/ws", origin).status == 403


# --- heads


def test_what_follows_a_head_after_empty_lines_is_not_lost(servers):
    with servers.connect() as peer:
        peer.send(b"\r\n" + handshake().encode() + frame(TEXT, b"early"))
        assert peer.head()[0] == 101
        assert peer.frame() == (TEXT, b"early")


@pytest.mark.parametrize("value", [b"\xff", b"caf\xe9", b"\x80 \xc3\xbc", b"\xed\xa0\x80"])
def test_header_values_are_opaque_bytes(servers, value):
    head = b"GET %s HTTP/1.1\r\nHost: board\r\nX-Name: " + value + b"\r\n"
    assert servers.ask(head % b"/" + b"\r\n").status == 200
    assert servers.ask(head % b"/ws" + UPGRADE.encode() + b"\r\n").status == 101


def test_a_stray_byte_in_host_or_in_a_name_gets_400_that_names_it(servers):
    response = servers.ask(b"GET / HTTP/1.1\r\nHost: bo\xffard\r\n\r\n")
    assert response.status == 400
    assert "Host" in response.text
    response = servers.ask(b"GET / HTTP/1.1\r\nHost: board\r\nX\xff: 1\r\n\r\n")
    assert response.status == 400
    assert "header" in response.text


def test_an_origin_that_is_not_utf_8_gets_403(servers):
    request = handshake().replace("Upgrade: ", "Origin: http://\u00ff\r\nUpgrade: ", 1)
    assert servers.ask(request.encode("latin-1")).status == 403


def at_once(servers, data, name="main"):
    """The response to what cannot become a request. It must not take until open_timeout, 10 s."""
    with servers.connect(name) as peer:
        started = time.monotonic()
        response = peer.send(data).response()
        assert time.monotonic() - started < 8
        return response


CLIENT_HELLO = bytes.fromhex("16030100c8010000c40303") + bytes(200)


def test_a_tls_client_hello_on_the_plain_port_gets_400_at_once(servers):
    since = servers.board.log_position
    response = at_once(servers, CLIENT_HELLO, "quiet")
    assert response.status == 400
    assert "TLS" in response.text
    line = servers.board.wait_for_log(r"\[quiet 30\] refused .*", since=since)[0]
    assert "127.0.0.1" in line
    assert "TLS" in line


def test_the_first_byte_of_a_client_hello_is_enough(servers):
    assert at_once(servers, b"\x16").status == 400


@pytest.mark.parametrize("start", [b"\n", b"GET / HTTP/1.1\n", b"GET / HTTP/1.1\nHost: board\n\n"])
def test_lf_line_endings_get_400_at_once(servers, start):
    response = at_once(servers, start)
    assert response.status == 400
    assert "CRLF" in response.text


def test_an_lf_between_headers_gets_400_at_once(servers):
    assert at_once(servers, b"GET / HTTP/1.1\r\nHost: board\nX: y\r\n").status == 400


@pytest.mark.parametrize("start", [b"\0", b" GET / HTTP/1.1\r\n", b"\r ", b"(", b"\xff\xfe", b"{"])
def test_a_first_byte_that_cannot_start_a_method_gets_400_at_once(servers, start):
    response = at_once(servers, start)
    assert response.status == 400
    assert "request line" in response.text


def test_a_head_that_is_cut_between_cr_and_lf_is_accepted(servers):
    head, tail = plain().encode().rsplit(b"\n", 1)[0].rsplit(b"\r\n\r", 1)
    with servers.connect() as peer:
        for part in (head + b"\r", b"\n\r", b"\n"):
            peer.send(part)
            time.sleep(0.02)  # so that the board reads it by itself
        assert peer.head()[0] == 200


def test_150_short_headers_get_431(servers):
    lines = [f"a{number}: {number}" for number in range(150)]
    response = servers.ask(plain("/", *lines))
    assert response.status == 431
    assert re.search(r"\d+ headers", response.text)
    response = servers.ask(plain("/", *["a: 1"] * 150))
    assert response.status == 431
