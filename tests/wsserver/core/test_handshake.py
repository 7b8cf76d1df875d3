"""The opening handshake: which requests are accepted, and what the others are told."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

GOOD = {
    "Host": "192.168.4.1",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
}


def ask(core, start="GET /ws HTTP/1.1", headers=(), drop=(), **order):
    lines = [start] + [
        f"{name}: {value}" for name, value in {**GOOD, **dict(headers)}.items() if name not in drop
    ]
    return ask_raw(core, "\r\n".join(lines).encode(), **order)


def ask_raw(core, head, **order):
    """The (status, headers, body) that a request head is answered with."""
    response = bytes.fromhex(core(do="upgrade", head=head.hex(), **order)["response"])
    head, body = response.split(b"\r\n\r\n", 1)
    lines = head.decode().split("\r\n")
    assert lines[0].startswith("HTTP/1.1 ")
    headers = dict(line.split(": ", 1) for line in lines[1:])
    if int(lines[0].split()[1]) != 101:
        assert int(headers["Content-Length"]) == len(body)
    return int(lines[0].split()[1]), headers, body.decode()


def test_the_example_of_the_rfc_is_accepted(core):
    status, headers, body = ask(core)
    assert status == 101
    assert headers["Sec-WebSocket-Accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    assert headers["Upgrade"].lower() == "websocket"
    assert headers["Connection"].lower() == "upgrade"
    assert "Sec-WebSocket-Protocol" not in headers
    assert body == ""


@pytest.mark.parametrize(
    "headers",
    [
        {"Upgrade": "WebSocket"},
        {"Connection": "keep-alive, Upgrade"},
        {"Connection": "UPGRADE"},
        {"Upgrade": "h2c, websocket"},
        {"Host": "esp32-ws.local:8080"},
        {"Host": "[fe80::1]:80"},
        {"Host": "[::1]"},
        {"Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits"},
        {"Origin": "http://192.168.4.1"},
        {"Cookie": "a=b; c=d", "X-Tab": "a\tb"},
    ],
)
def test_what_browsers_and_proxies_vary_is_accepted(core, headers):
    assert ask(core, headers=headers)[0] == 101


def test_header_names_are_case_insensitive(core):
    lines = ["GET /ws HTTP/1.1"] + [f"{name.upper()}:{value}" for name, value in GOOD.items()]
    assert ask_raw(core, "\r\n".join(lines).encode())[0] == 101


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_other_methods_get_405_with_allow(core, method):
    status, headers, _ = ask(core, f"{method} /ws HTTP/1.1")
    assert (status, headers["Allow"]) == (405, "GET, HEAD, OPTIONS")


@pytest.mark.parametrize("name", ["Host", "Upgrade", "Connection", "Sec-WebSocket-Key"])
def test_a_missing_header_gets_400_and_is_named(core, name):
    status, _, body = ask(core, drop=(name,))
    assert status == 400
    assert name.lower() in body.lower()


@pytest.mark.parametrize(
    "name, value",
    [
        ("Host", ""),
        ("Host", "a b"),
        ("Host", "a/b"),
        ("Host", "user@host"),
        ("Host", "host:port"),
        ("Host", "host:80:80"),
        ("Host", "[zz"),
        ("Host", "a, b"),
        ("Upgrade", "web socket"),
        ("Upgrade", "h2c"),
        ("Connection", "close"),
        ("Connection", "keep-alive, not-upgrade"),
        ("Sec-WebSocket-Key", ""),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=!"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25j\u00e9Q=="),
        ("Sec-WebSocket-Key", "c2hvcnQ="),
        ("Sec-WebSocket-Key", "dGhpcyBpcyB0b28gbG9uZyBmb3IgaXQ="),
    ],
)
def test_a_malformed_header_gets_400(core, name, value):
    assert ask(core, headers={name: value})[0] == 400


def test_the_same_header_twice_is_no_key(core):
    lines = ["GET /ws HTTP/1.1"] + [f"{name}: {value}" for name, value in GOOD.items()]
    lines.append("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
    assert ask_raw(core, "\r\n".join(lines).encode())[0] == 400


def test_a_token_list_may_be_on_several_lines(core):
    lines = ["GET /ws HTTP/1.1", "Connection: keep-alive"] + [
        f"{name}: {value}" for name, value in GOOD.items()
    ]
    assert ask_raw(core, "\r\n".join(lines).encode())[0] == 101


@pytest.mark.parametrize("version", ["8", "14", "", "13, 8"])
def test_another_version_gets_426_with_the_right_one(core, version):
    status, headers, _ = ask(core, headers={"Sec-WebSocket-Version": version})
    assert (status, headers["Sec-WebSocket-Version"]) == (426, "13")


def test_a_plain_get_gets_426_with_upgrade(core):
    status, headers, _ = ask_raw(core, b"GET /ws HTTP/1.1\r\nHost: a")
    assert (status, headers["Upgrade"]) == (426, "websocket")


@pytest.mark.parametrize(
    "start, status",
    [
        ("GET /ws HTTP/1.0", 426),
        ("HEAD /ws HTTP/1.1", 426),
        ("GET /ws HTTP/2.0", 505),
        ("GET /ws", 400),
        ("GET  /ws HTTP/1.1", 400),
        ("GET ws HTTP/1.1", 400),
        ("GET /w s HTTP/1.1", 400),
        ("GET /ws FTP/1.1", 400),
        ("G(T /ws HTTP/1.1", 400),
        ("", 400),
    ],
)
def test_a_request_line_that_opens_no_websocket_is_refused(core, start, status):
    assert ask(core, start)[0] == status


@pytest.mark.parametrize(
    "line",
    [b"no colon", b": no name", b"bad name: x", b"X: a\nb", b"X: a\0b", b" folded: x", b"\xff: X"],
)
def test_a_bad_header_line_gets_400(core, line):
    assert ask_raw(core, b"GET /ws HTTP/1.1\r\nHost: a\r\n" + line)[0] == 400


@pytest.mark.parametrize(
    "offer, supported, chosen",
    [
        ("chat", ("chat",), "chat"),
        ("b, a", ("a", "b"), "b"),
        ("x,chat", ("chat",), "chat"),
        ("Chat", ("chat",), None),
        ("cha", ("chat",), None),
        ("", ("chat",), None),
        ("chat", (), None),
    ],
)
def test_the_first_offered_subprotocol_that_is_supported_is_chosen(core, offer, supported, chosen):
    status, headers, _ = ask(
        core, headers={"Sec-WebSocket-Protocol": offer}, subprotocols=supported
    )
    assert (status, headers.get("Sec-WebSocket-Protocol")) == (101, chosen)


@pytest.mark.parametrize(
    "origin, origins, status",
    [
        ("http://a", ["http://a"], 101),
        ("http://b", ["http://a"], 403),
        (None, ["http://a"], 403),
        (None, ["http://a", None], 101),
        ("null", ["http://a", None], 403),
        ("http://b", ["*"], 101),
        ("null", ["*"], 101),
        (None, None, 101),
        ("http://192.168.4.1", None, 101),
        ("http://192.168.4.1:8000", None, 101),
        ("https://192.168.4.1", None, 101),
        ("http://192.168.4.10", None, 403),
        ("http://192.168.4.1.evil.example", None, 403),
        ("192.168.4.1", None, 403),
        ("http://b", None, 403),
        ("null", None, 403),
        ("http://192.168.4.1", ["http://a"], 403),
        ("http://192.168.4.1", ["http://a", "self"], 101),
    ],
)
def test_a_browser_may_connect_from_the_same_host_or_from_where_the_endpoint_says(
    core, origin, origins, status
):
    headers = {} if origin is None else {"Origin": origin}
    assert ask(core, headers=headers, origins=origins)[0] == status


def test_the_query_is_kept_apart_from_the_path(core):
    head = "GET /ws?room=1&x=%20 HTTP/1.1\r\n" + "\r\n".join(
        f"{name}: {value}" for name, value in GOOD.items()
    )
    assert core(do="upgrade", head=head.encode().hex())["query"] == "room=1&x=%20"


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(st.binary(max_size=200), st.text(max_size=100).map(str.encode)), st.integers(0, 5)
)
def test_any_line_in_a_request_gets_a_proper_answer(core, noise, where):
    lines = [b"GET /ws HTTP/1.1"] + [f"{name}: {value}".encode() for name, value in GOOD.items()]
    lines[where] = noise
    assert ask_raw(core, b"\r\n".join(lines))[0] in (101, 400, 403, 405, 426, 505)
