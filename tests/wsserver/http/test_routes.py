"""Routes on a live board: methods, parameters, what handlers get and return."""

import pytest

from tests.wsserver.web import answer, request
from tools.wsclient import RawClient, RefusedError

from .conftest import BIG


@pytest.mark.parametrize(
    ("path", "status", "kind", "body"),
    [
        ("/text", 200, "text/plain; charset=utf-8", "text ü".encode()),
        ("/bytes", 200, "application/octet-stream", b"\x00\xff"),
        ("/none", 204, None, b""),
        ("/status/404", 404, "text/plain; charset=utf-8", b"404 Not Found\n"),
        ("/status/202", 202, None, b""),
        ("/status/299", 299, None, b""),
        ("/tuple", 201, "text/plain; charset=utf-8", b"made"),
    ],
)
def test_each_kind_of_result_becomes_a_response(web, path, status, kind, body):
    got = web.ask(path)
    assert (got.status, got.headers.get("content-type"), got.body) == (status, kind, body)


def test_a_dict_or_list_becomes_json(web):
    got = web.ask("/json")
    assert got.headers["content-type"] == "application/json"
    assert got.json == {"list": [1, None, "ü"]}
    assert web.ask("/list").json == [1, 2]


def test_a_response_has_headers_cookies_and_a_type(web):
    got = web.ask("/response")
    assert (got.status, got.body) == (202, b"<p>")
    assert got.headers["x-one"] == "1"
    assert got.headers["x-two"] == ["a", "b"]
    assert got.headers["content-type"] == "text/html"
    assert got.headers["set-cookie"] == "session=abc; Path=/; HttpOnly"


def test_a_type_among_the_headers_replaces_the_one_of_the_body(web):
    assert web.ask("/typed").headers["content-type"] == "text/csv"


def test_a_reset_of_the_content_has_none(web):
    got = web.ask("/reset")
    assert (got.status, got.headers["content-length"], got.body) == (205, "0", b"")


def test_a_redirect_names_its_location_and_status(web):
    for query, status in (("", 302), ("?other", 303)):
        got = web.ask("/redirect" + query)
        assert (got.status, got.headers["location"], got.body) == (status, "/text", b"")


def test_a_handler_gets_typed_parameters_and_the_body(web):
    got = web.ask("/items/-3/a%20b", "PUT", b"content").json
    assert got == {"method": "PUT", "id": -3, "name": "a b", "body": "content"}
    assert web.ask("/items/3/x", "PATCH").body == b"patched"
    assert web.ask("/items/x/x").status == 404


def test_a_handler_sees_all_of_a_request(web):
    got = web.ask(
        "/describe?a=1&b=%C3%BC+x&a=2&c", "POST", b"", Cookie='s="1"; t=a=b', X_Test="yes"
    )
    assert got.json == {
        "method": "POST",
        "path": "/describe",
        "query": "a=1&b=%C3%BC+x&a=2&c",
        "args": {"a": "1", "b": "ü x", "c": ""},
        "cookies": {"s": "1", "t": "a=b"},
        "header": "yes",
        "ip": "127.0.0.1",
        "secure": False,
        "params": {},
    }


def test_a_malformed_query_gets_400(web):
    assert web.ask("/describe?a=%zz").status == 400


def test_an_unknown_path_gets_404_and_files_are_still_served(web):
    assert web.ask("/nothing").status == 404
    assert web.ask("/big.txt").body == BIG


def test_another_method_gets_405_with_those_that_are_allowed(web):
    got = web.ask("/items/1/x", "POST", b"")
    assert got.status == 405
    assert got.headers["allow"] == "GET, PUT, DELETE, PATCH, HEAD, OPTIONS"
    assert web.ask("/form").headers["allow"] == "POST, OPTIONS"


def test_head_is_answered_like_get_without_a_body(web):
    for path in ("/text", "/file", "/long/5000", "/pieces/9/100", "/status/404"):
        get, head = web.ask(path), web.ask(path, "HEAD")
        assert head == (get.status, get.headers, b""), path
    assert web.ask("/describe", "HEAD").status == 200
    assert web.ask("/form", "HEAD").status == 405


def test_options_names_the_methods_of_a_path(web):
    got = web.ask("/items/1/x", "OPTIONS")
    assert (got.status, got.body) == (204, b"")
    assert got.headers["allow"] == "GET, PUT, DELETE, PATCH, HEAD, OPTIONS"


def test_a_path_can_have_a_websocket_and_a_route(web):
    assert web.ask("/ws").body == b"not a WebSocket"
    with web.connect() as connection:
        connection.open("/ws").send(b"\x81\x81\0\0\0\0x")
        assert connection.frame() == (1, b"x")
    assert web.ask("/ws", Upgrade="h2c", Connection="Upgrade").body == b"not a WebSocket"


def test_an_error_in_a_handler_gets_500_and_its_traceback_is_logged(web):
    position = web.board.log_position
    assert web.ask("/raises").status == 500
    web.board.wait_for_log("in raises\nRuntimeError: on purpose", since=position)


WRONG = (
    *("not 42.5", "not <class 'Response'>", "status must be an int, not 'b'"),
    *("must be 200 to 599, not 99", "surrogate pair", "headers must be valid, unlike 'A'"),
    *("headers must be str, not 'A': 1", "headers must be valid, unlike 'Location'"),
    *("a route must return None", "the server sets Content-length", "sets Transfer-Encoding"),
    *("the server sets Connection", "headers must be a dict, not \\['b'\\]", "surrogate pair"),
    *("the headers have 5[0-9]+ bytes, over [0-9]+ \\(write_limit\\)", "cookies .* str, not 5"),
    *("cookies .* str, not 5", "cookies .* str, not 5", "cookies .* name ''", "name 'a=b'"),
)


@pytest.mark.parametrize(("which", "problem"), [*enumerate(WRONG)])
def test_a_result_that_is_no_response_gets_500(web, which, problem):
    position = web.board.log_position
    got = web.ask(f"/wrong/{which}")
    assert got.status == 500
    assert "b" not in got.headers and "c" not in got.headers
    web.board.wait_for_log(f"(TypeError|ValueError): .*{problem}", since=position)


@pytest.mark.parametrize(
    ("which", "what"),
    [*enumerate(("set", "object", "Thing", "type", "range", "nan", "-inf", "tuple", "Thing"))],
)
def test_what_json_cannot_express_gets_500(web, which, what):
    position = web.board.log_position
    assert web.ask(f"/no-json/{which}").status == 500
    web.board.wait_for_log(f"(TypeError|ValueError): JSON .*{what}", since=position)


def test_all_that_json_can_express_is_sent(web):
    assert web.ask("/all-json").json == {
        "a": [None, True, 2.5, [1, "b"], {}],
        "3": -1e30,
        "c": "d",
        "e": 1 << 70,
    }


def test_a_slow_handler_is_named_in_a_warning(web):
    position = web.board.log_position
    assert web.ask("/slow").body == b"slow"
    web.board.wait_for_log("slow: route /slow took 2", since=position)


def test_long_contents_arrive_whole(web):
    assert web.ask("/long/9000").body == b"0123456789" * 900
    got = web.ask("/file")
    assert (got.body, got.headers["content-type"]) == (BIG, "text/plain")


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_an_iterator_is_sent_piece_by_piece(web, version):
    position = web.board.log_position
    for count, size in ((1, 4), (40, 20), (9, 4000), (3, 8000), (0, 4)):
        got = web.raw(request(f"/pieces/{count}/{size}", version=version))
        assert got.body == b"".join(b"%04d" % index * (size // 4) for index in range(count))
        assert ("transfer-encoding" in got.headers) == (version == "1.1")
    web.board.wait_for_log("pieces closed", since=position)


def test_a_file_of_unknown_length_is_sent_in_chunks(web):
    position = web.board.log_position
    assert web.ask("/endless/12345").body == b"e" * 12345
    web.board.wait_for_log("endless closed", since=position)


def test_an_iterator_that_raises_at_once_gets_500(web):
    assert web.ask("/broken/0").status == 500


def test_a_response_that_breaks_off_does_not_look_complete(web):
    position = web.board.log_position
    with pytest.raises((RefusedError, ConnectionError)):
        web.ask("/broken/20")
    web.board.wait_for_log("RuntimeError: on purpose, later", since=position)


def test_an_iterator_is_closed_when_the_peer_leaves(web):
    position = web.board.log_position
    with web.connect(receive_buffer=2048) as connection:
        connection.send(request("/pieces/100000/4000"))
        connection.until(b"0000")
        connection.reset()
    web.board.wait_for_log("pieces closed", since=position)


def test_secrets_protect_a_route(web):
    assert web.ask("/token").status == 401
    assert web.ask("/token", Authorization="Bearer secret").body == b"in"
    assert web.ask("/token?token=secret").body == b"in"
    got = web.ask("/basic")
    assert (got.status, got.headers["www-authenticate"][:5]) == (401, "Basic")
    assert web.ask("/basic", Authorization="Basic YWRtaW46c2VjcmV0").body == b"in"


def test_pages_of_other_origins_are_refused_unless_allowed(web):
    assert web.ask("/text", Origin="http://evil").status == 403
    assert web.ask("/text", Origin="http://localhost:81").status == 200
    assert web.ask("/shared", Origin="http://evil").status == 403
    got = web.ask("/shared", "POST", b"", Origin="http://friend")
    assert got.headers["access-control-allow-origin"] == "http://friend"


def test_a_preflight_names_methods_to_allowed_origins_only(web):
    asked = {"Access_Control_Request_Method": "POST", "Access_Control_Request_Headers": "x-a"}
    got = web.ask("/shared", "OPTIONS", Origin="http://friend", **asked)
    assert got.headers["access-control-allow-methods"] == "GET, POST, HEAD, OPTIONS"
    assert got.headers["access-control-allow-headers"] == "x-a"
    got = web.ask("/shared", "OPTIONS", Origin="http://evil", **asked)
    assert "access-control-allow-origin" not in got.headers


def test_requests_use_all_slots_and_leave_none_occupied(web):
    for _ in range(8):
        with web.connect() as connection:
            connection.send(request("/pieces/3/8000"))
            assert len(answer(connection).body) == 24000
    waiting = [RawClient(web.board.http_port, timeout=10) for _ in range(6)]
    for connection in waiting:
        connection.send(request("/text"))
    for connection in waiting:
        assert answer(connection).status == 200
        connection.close()
