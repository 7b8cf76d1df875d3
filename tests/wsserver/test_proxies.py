"""Reverse proxies that are trusted: the address of the real client."""

import json

import pytest

from tests.wsserver.peer import Servers, handshake, plain

PROXY = "127.0.0.50"
SECOND = "127.0.0.51"
REAL = "203.0.113.7"
RIGHT = "Authorization: Bearer s3cret"
WRONG = "Authorization: Bearer wrong"


@pytest.fixture(scope="module")
def servers(make_board):
    trusted = {"proxies": [PROXY, SECOND], "hosts": ["board"]}
    return Servers(
        make_board,
        main={"attributes": trusted},
        off={},
        limited={"attributes": trusted, "limits": {"handshakes": 2}},
        connections={"attributes": trusted, "limits": {"connections": 1}},
        secret={"attributes": trusted},
        https={"attributes": trusted, "https": 443},
    )


def seen(servers, *headers, source=PROXY, name="main"):
    """The address that the server has of a client behind a proxy."""
    with servers.open("/ws?describe", *headers, name=name, source=source) as peer:
        return json.loads(peer.frame()[1])["address"][0]


def test_a_proxy_whose_headers_disagree_has_not_used_https(servers):
    headers = (f"X-Forwarded-For: {REAL}", "X-Forwarded-Proto: https")
    assert servers.get("/", *headers, name="https", source=PROXY).status == 200
    headers = (*headers, "Forwarded: for=192.0.2.9")
    assert servers.get("/", *headers, name="https", source=PROXY).status == 302


@pytest.mark.parametrize(
    "header",
    [
        f"X-Forwarded-For: {REAL}",
        f"X-Forwarded-For: 198.51.100.1, {REAL}",
        f"X-Forwarded-For: {REAL}, {SECOND}",
        f"X-Forwarded-For: 198.51.100.1,{REAL} , {SECOND},{PROXY}",
        f"X-Forwarded-For: {REAL}:4711",
        f"Forwarded: for={REAL}",
        f'Forwarded: for="{REAL}:4711";proto=https;by={PROXY}',
        f"Forwarded: for=198.51.100.1, For={REAL};host=board, FOR={SECOND}",
        f"Forwarded: for={REAL}\r\nX-Forwarded-For: {REAL}",
        f"X-Forwarded-For: 198.51.100.1\r\nX-Forwarded-For: {REAL}",
    ],
)
def test_a_trusted_proxy_tells_the_address(servers, header):
    assert seen(servers, header) == REAL


@pytest.mark.parametrize(
    "header",
    [
        "X-Forwarded-For: 2001:db8::1",
        "X-Forwarded-For: [2001:db8::1]:80",
        'Forwarded: for="[2001:db8::1]"',
        'Forwarded: for="[2001:DB8::1]:4711"',
    ],
)
def test_a_trusted_proxy_tells_an_ipv6_address(servers, header):
    assert seen(servers, header) == "2001:db8::1"


@pytest.mark.parametrize("ip", ["::", "0000:" * 5 + "ffff:255.255.255.255", "1.2.3.4"])
def test_the_shortest_and_the_longest_address_are_accepted(servers, ip):
    assert seen(servers, "X-Forwarded-For: " + ip) == ip


@pytest.mark.parametrize(
    "header",
    [
        "X: y",
        "X-Forwarded-For: unknown",
        "X-Forwarded-For:",
        f"X-Forwarded-For: {REAL}, garbage",
        "X-Forwarded-For: a b c",
        f"X-Forwarded-For: {REAL}, ",
        "X-Forwarded-For: " + "1" * 60,
        "X-Forwarded-For: 123",
        "X-Forwarded-For: 1.2.3",
        "X-Forwarded-For: 1.2.3.4.5",
        "X-Forwarded-For: 2001:db8::1" + "0" * 40,
        f"X-Forwarded-For: {SECOND}",
        "Forwarded: for=_hidden",
        "Forwarded: for=unknown",
        "Forwarded: proto=https",
        f"Forwarded: for=198.51.100.1\r\nX-Forwarded-For: {REAL}",
        "X-Forwarded-For: \u202e",
    ],
)
def test_without_a_valid_or_agreed_address_the_proxys_own_counts(servers, header):
    assert seen(servers, header) in (PROXY, SECOND)


def test_others_cannot_claim_an_address(servers):
    for header in (f"X-Forwarded-For: {REAL}", f"Forwarded: for={REAL}"):
        assert seen(servers, header, source="127.0.0.60") == "127.0.0.60"


def test_no_proxy_is_trusted_by_default(servers):
    assert seen(servers, f"X-Forwarded-For: {REAL}", name="off") == PROXY


def test_the_log_shows_the_real_address(servers):
    since = servers.board.log_position
    seen(servers, f"X-Forwarded-For: {REAL}")
    servers.board.wait_for_log(rf"connected from {REAL}", since=since)
    servers.ask(handshake("/nowhere", "X-Forwarded-For: 198.51.100.9"), source=PROXY)
    servers.board.wait_for_log(r"refused 198\.51\.100\.9", since=since)


def test_requests_are_limited_by_the_real_address(servers):
    def status(address):
        header = f"X-Forwarded-For: {address}"
        return servers.get("/", header, name="limited", source=PROXY).status

    assert [status("198.51.100.1") for _ in range(3)] == [200, 200, 429]
    assert status("198.51.100.2") == 200


def test_connections_are_limited_by_the_real_address(servers):
    def open_one(address):
        header = f"X-Forwarded-For: {address}"
        return servers.open("/ws", header, name="connections", source=PROXY)

    def status(address):
        header = f"X-Forwarded-For: {address}"
        return servers.upgrade("/ws", header, name="connections", source=PROXY).status

    with open_one("198.51.100.1"), open_one("198.51.100.2") as second:
        assert status("198.51.100.1") == 429
        assert status("198.51.100.3") == 101
        assert second.echo()


def test_wrong_secrets_are_counted_by_the_real_address(servers):
    def status(address, secret):
        headers = (f"X-Forwarded-For: {address}", secret)
        return servers.upgrade("/token", *headers, name="secret", source=PROXY).status

    assert [status("198.51.100.1", WRONG) for _ in range(6)] == [401] * 5 + [429]
    assert status("198.51.100.1", RIGHT) == 429
    assert status("198.51.100.2", RIGHT) == 101


def test_a_missing_host_passes_from_a_trusted_proxy_only(servers):
    request = plain(host=None, version="1.0")
    assert servers.ask(request, source=PROXY).status == 200
    assert servers.ask(request, source="127.0.0.60").status == 400
    assert (
        servers.ask(plain(host=None, version="1.0", method="OPTIONS"), source=PROXY).status == 204
    )


def test_a_client_that_reached_the_proxy_by_https_is_not_redirected(servers):
    for header in ("X-Forwarded-Proto: https", "Forwarded: proto=https"):
        assert servers.get("/", header, name="https", source=PROXY).status == 200
        assert servers.get("/", header, name="https", source="127.0.0.60").status == 302
    assert servers.get("/", name="https", source=PROXY).status == 302


def test_a_proxys_connection_ends_with_the_response_of_a_route(servers):
    """Its next request can be another client's."""
    request = plain("/client", f"X-Forwarded-For: {REAL}")
    with servers.connect(source=PROXY) as peer:
        response = peer.send(request).response()
        assert (response.text, response.headers["connection"]) == (REAL, "close")
        assert peer.rest() == b""
