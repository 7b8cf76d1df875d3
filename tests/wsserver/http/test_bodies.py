"""Request bodies on a live board: complete or refused, never cut short."""

import json
import time

import pytest

from tests.wsserver.web import answer, request
from tools.wsclient import RefusedError

BODY = bytes(range(256)) * 12


def lines(*headers, method="POST", path="/body", version="1.1"):
    return "\r\n".join([f"{method} {path} HTTP/{version}", "Host: b", *headers, "", ""]).encode()


@pytest.mark.parametrize("size", [0, 1, 1000, 3000, 4096])
def test_a_body_arrives_as_it_was_sent(web, size):
    body = (BODY * 2)[:size]
    assert web.ask("/body", "POST", body).body == body
    assert web.ask("/body", "POST", [body] if body else []).body == body


def test_a_body_may_arrive_in_pieces_of_any_length(web):
    body = BODY[:300]
    for data in (request("/body", "POST", body), request("/body", "POST", [body[:7], body[7:]])):
        for step in (1, 3, 50):
            with web.connect() as connection:
                for start in range(0, len(data), step):
                    connection.send(data[start : start + step])
                assert answer(connection).body == body


def test_a_body_over_the_limit_gets_413_and_the_limit(web):
    for body in (b"x" * 11, [b"x" * 6, b"y" * 5]):
        got = web.ask("/small", "POST", body)
        assert got.status == 413
        assert b"10 bytes (max_body)" in got.body
    assert web.ask("/small", "POST", b"x" * 10).body == b"10"
    assert web.ask("/small", "POST", [b"x" * 10]).body == b"10"
    assert web.ask("/body", "POST", b"x" * 4097).status == 413


def test_413_is_sent_before_the_body_arrives(web):
    with web.connect() as connection:
        connection.send(lines("Content-Length: 100000"))
        assert answer(connection).status == 413


def test_a_client_that_expects_100_continue_gets_it_before_it_sends(web):
    with web.connect() as connection:
        connection.send(lines("Content-Length: 5", "Expect: 100-continue"))
        assert connection.until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert answer(connection.send(b"hello")).body == b"hello"


def test_100_continue_is_not_sent_in_vain(web):
    with web.connect() as connection:
        connection.send(lines("Content-Length: 5", "Expect: 100-Continue") + b"hello")
        assert answer(connection).body == b"hello"
    with web.connect() as connection:
        connection.send(lines("Content-Length: 9999", "Expect: 100-continue"))
        assert answer(connection).status == 413
    with web.connect() as connection:
        connection.send(lines("Content-Length: 5", "Expect: 100-continue", version="1.0"))
        assert answer(connection.send(b"hello")).body == b"hello"
    assert web.ask("/body", "POST", b"", Expect="tea").status == 417


def test_a_slow_body_is_dropped_and_not_delivered(web):
    position = web.board.log_position
    with web.connect() as connection:
        connection.send(lines("Content-Length: 5", path="/form") + b"hell")
        start = time.monotonic()
        assert connection.rest() == b""
        assert 0.5 < time.monotonic() - start < 10
    assert "Traceback" not in web.board.log[position:]


@pytest.mark.parametrize("end", ["close", "reset"])
def test_a_partial_body_is_never_delivered(web, end):
    position = web.board.log_position
    for head, part in (
        (lines("Content-Length: 6", path="/raises"), b"hello"),
        (lines("Transfer-Encoding: chunked", path="/raises"), b"5\r\nhello\r\n0\r\n"),
    ):
        connection = web.connect().send(head + part)
        getattr(connection, end)()
    assert web.ask("/text").status == 200
    assert "on purpose" not in web.board.log[position:]


def test_what_follows_a_body_is_not_part_of_it(web):
    data = request("/body", "POST", b"hello")
    with web.connect() as connection:
        assert answer(connection.send(data + b"GET /text HTTP/1.1\r\n\r\n")).body == b"hello"


def test_json_and_forms_are_parsed(web):
    assert web.ask("/parsed", "POST", b'{"a": [1, "\xc3\xbc"]}').json == {"json": {"a": [1, "ü"]}}
    for wrong in (b"x", b"", b'"\xff"'):
        assert web.ask("/parsed", "POST", wrong).status == 400
    kind = "application/x-www-form-urlencoded; charset=utf-8"
    got = web.ask("/form", "POST", b"a=1&b=%26+%C3%BC&c=&a=2", Content_Type=kind)
    assert got.json == {"a": "1", "b": "& ü", "c": ""}
    assert web.ask("/form", "POST", b"a=%4", Content_Type=kind).status == 400
    assert web.ask("/form", "POST", b"a=1", Content_Type="text/plain").json == {}


def test_more_fields_or_brackets_than_memory_allows_get_400(web):
    """A byte of them takes up to 50 bytes of the heap."""
    kind = "application/x-www-form-urlencoded"
    for count, status in ((64, 200), (65, 400)):
        fields = [f"k{number}=1" for number in range(count)]
        assert (
            web.ask("/form", "POST", "&".join(fields).encode(), Content_Type=kind).status == status
        )
        assert web.ask("/describe?" + "&".join(fields)).status == status
        assert web.ask("/describe", Cookie="; ".join(fields)).status == status
    for value in (b"[" * 4000, b"[]," * 1000, b'{"":' * 1000):
        assert b"brackets" in web.ask("/parsed", "POST", value).body
    # 40 brackets, and one more for each 10 bytes.
    assert web.ask("/parsed", "POST", b"[" * 45 + b"]" * 45).json["json"]
    assert b"brackets" in web.ask("/parsed", "POST", b"[" * 51 + b"]" * 51).body
    points = json.dumps([[1700000000 + number, 21.5] for number in range(180)]).encode()
    assert len(web.ask("/parsed", "POST", points).json["json"]) == 180


def test_a_short_multipart_form_is_parsed(web):
    body = (
        b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\xc3\xbc\r\n--x\r\n'
        b'content-disposition: form-data; filename="f.txt"; name=b\r\n'
        b"Content-Type: text/plain\r\n\r\n1\r\n2\r\n--x--\r\n"
    )
    kind = "multipart/form-data; boundary=x"
    got = web.ask("/multipart", "POST", body, Content_Type=kind)
    assert got.json == {"a": "ü", "b": "1\r\n2"}
    for wrong in (
        body[:-8],
        b"",
        body.replace(b"name", b"n"),
    ):
        assert web.ask("/multipart", "POST", wrong, Content_Type=kind).status == 400


def test_each_refusal_is_logged_with_its_reason(make_web):
    web = make_web()
    web.ask("/small", "POST", b"x" * 11)
    web.board.wait_for_log("POST /small: 413: the body is over 10 bytes")
    web.ask("/small")
    web.board.wait_for_log("GET /small: 405: use POST, OPTIONS")
    web.raw(lines("Content-Length: 5", "Transfer-Encoding: chunked"))
    web.board.wait_for_log("POST /body: 400: Transfer-Encoding with Content-Length or HTTP/1.0")


def test_a_body_that_is_too_slow_frees_its_slot(web):
    stuck = [web.connect().send(lines("Content-Length: 5")) for _ in range(3)]
    assert web.ask("/text").status == 200
    for connection in stuck:
        with pytest.raises(RefusedError):
            connection.read(1)
        connection.close()


@pytest.mark.parametrize(
    "data",
    [request("/text", Connection="close"), request("/text"), lines("Content-Length: 100000")],
    ids=["closed", "kept", "refused"],
)
def test_data_behind_a_response_does_not_keep_its_slot(web, data):
    with web.connect() as connection:
        answer(connection.send(data))
        started = time.monotonic()
        with pytest.raises(OSError):
            while time.monotonic() - started < 12:
                connection.send(b"x" * 1024)
                time.sleep(0.1)


def test_chunk_extensions_have_a_limit_for_the_whole_body(web):
    extended = b"1;" + b"e" * 250 + b"\r\nx\r\n"
    head = lines("Transfer-Encoding: chunked")
    assert web.raw(head + extended * 2 + b"0\r\n\r\n").body == b"xx"
    refused = web.raw(head + extended * 3 + b"0\r\n\r\n")
    assert refused.status == 400
    assert b"a chunk extension or trailer" in refused.body
