"""What requests get: hints for WebSocket clients, names, content types, codings, CORS."""

import gzip

import pytest

from tests.wsserver.peer import SITE, Peer, Servers, handshake, plain

APP = "https://app.example"


@pytest.fixture(scope="module")
def servers(make_board):
    names = {"hosts": ["board", "*.fritz.box"]}
    return Servers(
        make_board,
        main={"attributes": names},
        cors={"attributes": {**names, "origins": [APP, "null"]}},
        any_origin={"attributes": {"origins": ["*"]}},
        any_host={"attributes": {"hosts": ["*"]}},
    )


# --- hints for WebSocket clients


@pytest.mark.parametrize("path", ["/", "/ws/", "/nowhere", "/index.html", "/WS"])
def test_a_handshake_off_the_websocket_paths_gets_404_with_those_paths(servers, path):
    response = servers.upgrade(path)
    assert response.status == 404
    for available in ("/ws", "/other", "/token"):
        assert available in response.text


@pytest.mark.parametrize(("count", "named"), [(10, 10), (60, 10)])
def test_a_404_names_many_paths_and_fits_the_smallest_buffer(make_board, count, named):
    program = f"""
from wsserver import Server

class Echo:
    def on_message(self, client, message):
        client.send(message)

server = Server(write_limit=512)
for number in range({count}):
    server.websocket("/path-%06d" % number, Echo())
server.listen(80)
server.run()
"""
    board = make_board(files={"main.py": program}, wait=False)
    board.wait_ready()
    with Peer(board.http_port) as peer:
        response = peer.send(handshake("/nowhere")).response()
    assert response.status == 404
    for number in range(named):
        assert f"/path-{number:06}" in response.text


def test_a_plain_request_on_a_websocket_path_gets_426_with_the_paths(servers):
    response = servers.get("/ws")
    assert (response.status, response.headers["upgrade"]) == (426, "websocket")
    assert "/ws" in response.text


@pytest.mark.parametrize("ask", ["get", "upgrade"])
def test_the_paths_include_those_with_parameters(servers, ask):
    response = getattr(servers, ask)("/ws" if ask == "get" else "/nowhere")
    assert "/rooms/<name>" in response.text


@pytest.mark.parametrize("path", ["/nowhere", "/nowhere/"])
def test_a_plain_request_for_an_unknown_path_gets_no_websocket_paths(servers, path):
    response = servers.get(path)
    assert response.status == 404
    assert response.text == "Not Found; HTTP paths: /client\n"  # the routes of this program


def test_only_what_misses_a_websocket_is_told_the_paths(servers):
    response = servers.upgrade("/ws", "Origin: http://evil.example")
    assert response.status == 403
    assert "WebSocket paths" not in response.text
    response = servers.ask(plain("nowhere"))
    assert response.status == 400
    assert "WebSocket paths" not in response.text


def test_the_403_names_the_origin_and_the_setting(servers):
    for origin in ("null", "file://", "http://evil.example", "chrome-extension://abcdef"):
        response = servers.upgrade("/ws", "Origin: " + origin)
        assert response.status == 403
        assert origin in response.text
        assert "access.origins" in response.text


def test_peer_text_in_a_body_is_escaped(servers):
    response = servers.upgrade("/ws", "Origin: http://\u202egnp.exe \u00fc")
    assert response.status == 403
    assert response.text.isascii()
    assert "http://" in response.text


# --- names


@pytest.mark.parametrize("host", ["board.", "BOARD.:8080", "rose.fritz.box.", "127.0.0.1."])
def test_a_trailing_dot_in_host_is_ignored(servers, host):
    assert servers.get(host=host).status == 200
    assert servers.upgrade(host=host).status == 101


def test_a_trailing_dot_does_not_matter_to_origin(servers):
    assert servers.upgrade("/ws", "Origin: http://board", host="board.").status == 101
    assert servers.upgrade("/ws", "Origin: http://board.", host="board").status == 101
    assert servers.upgrade("/ws", "Origin: http://board.evil", host="board.").status == 403


def test_a_wildcard_host_matches_the_names_below_it(servers):
    for host in ("rose.fritz.box", "Rose.Fritz.Box:80", "a.b.fritz.box"):
        assert servers.get(host=host).status == 200, host
    for host in ("fritz.box", "evilfritz.box", "fritz.box.evil", ".fritz.box", "*.fritz.box.x"):
        assert servers.get(host=host).status == 421, host


def test_hosts_can_be_any(servers):
    assert servers.get(host="whatever.example", name="any_host").status == 200


def test_the_421_names_the_host_and_the_setting(servers):
    response = servers.get(host="evil.example")
    assert response.status == 421
    assert "evil.example" in response.text
    assert "access.hosts" in response.text


# --- files


@pytest.mark.parametrize("path", ["/data.unknown", "/README"])
def test_an_unknown_extension_is_an_octet_stream(servers, path):
    response = servers.get(path)
    assert response.headers["content-type"] == "application/octet-stream"


def test_an_extension_in_capitals_has_its_type(servers):
    response = servers.get("/LOUD.HTML")
    assert response.headers["content-type"] == "text/html; charset=utf-8"


GZIP = ["gzip", "GZIP", "gzip;q=0.5", "gzip; q=1.0", "br, gzip ;q=0.1", "*", "x-gzip", "gzip;q=1"]
GZIP += ["*;q=0, gzip", "deflate;q=0, gzip;q=0.001", "br;q=0,*;q=0.1"]
PLAIN = ["gzip;q=0", "gzip;q=0.0", "gzip; q=0.000", "identity", "br", "*;q=0", "gzip;q=0, *", ""]
PLAIN += ["notgzip", "gzipped"]


@pytest.mark.parametrize("accepted", GZIP)
def test_who_accepts_gzip_gets_it(servers, accepted):
    with servers.connect() as peer:
        peer.send(plain("/zipped.html", "Accept-Encoding: " + accepted))
        status, headers = peer.head()
        assert (status, headers.get("content-encoding")) == (200, "gzip")
        assert gzip.decompress(peer.read(int(headers["content-length"]))) == b"zipped page"


@pytest.mark.parametrize("accepted", PLAIN)
def test_who_refuses_gzip_gets_the_page_decompressed(servers, accepted):
    response = servers.get("/zipped.html", "Accept-Encoding: " + accepted)
    assert (response.status, response.text) == (200, "zipped page")
    assert "content-encoding" not in response.headers


# --- CORS


def cors(response):
    return {name: value for name, value in response.headers.items() if "-control-allow" in name}


def test_a_page_of_an_allowed_origin_may_read_files(servers):
    for origin in (APP, "null"):
        response = servers.get("/", "Origin: " + origin, name="cors")
        assert cors(response) == {"access-control-allow-origin": origin}
        assert "Origin" in response.headers["vary"]
        assert response.text == SITE["site/index.html"]


def test_a_page_of_an_allowed_origin_may_read_errors(servers):
    response = servers.get("/nowhere", "Origin: " + APP, name="cors")
    assert response.status == 404
    assert cors(response) == {"access-control-allow-origin": APP}


@pytest.mark.parametrize("origin", ["https://evil.example", APP + ".evil", "http://app.example"])
def test_another_origin_gets_no_cors_headers(servers, origin):
    assert cors(servers.get("/", "Origin: " + origin, name="cors")) == {}
    assert cors(servers.get("/", "Origin: " + APP)) == {}
    assert cors(servers.get("/", name="cors")) == {}


def test_any_origin_can_be_allowed(servers):
    response = servers.get("/", "Origin: " + APP, name="any_origin")
    assert cors(response)["access-control-allow-origin"] in ("*", APP)


def test_a_preflight_of_an_allowed_origin_is_answered(servers):
    lines = (
        "Access-Control-Request-Method: GET",
        "Access-Control-Request-Headers: authorization, x-thing",
        "Access-Control-Request-Private-Network: true",
    )
    request = plain("/", "Origin: " + APP, *lines, method="OPTIONS")
    response = servers.ask(request, "cors")
    assert response.status == 204
    headers = response.headers
    assert headers["access-control-allow-origin"] == APP
    assert headers["access-control-allow-methods"] == headers["allow"]
    assert "authorization" in headers["access-control-allow-headers"]
    assert headers["access-control-allow-private-network"] == "true"
    assert int(headers["access-control-max-age"]) > 0
    assert cors(servers.ask(request.replace(APP, "https://evil.example"), "cors")) == {}


def test_a_preflight_may_ask_for_200_bytes_of_headers(servers):
    for size, is_allowed in ((200, True), (201, False)):
        asked = "Access-Control-Request-Headers: " + "x" * size
        request = plain("/", "Origin: " + APP, asked, method="OPTIONS")
        assert ("access-control-allow-headers" in cors(servers.ask(request, "cors"))) == is_allowed


def test_the_servers_origins_hold_for_endpoints_without_their_own(servers):
    assert servers.upgrade("/ws", "Origin: " + APP, name="cors").status == 101
    assert servers.upgrade("/ws", "Origin: null", name="cors").status == 101
    assert servers.upgrade("/ws", "Origin: " + APP).status == 403
    assert servers.upgrade("/other", "Origin: null", name="cors").status == 403
    assert servers.ask(handshake(), "cors").status == 101
    own = "Origin: http://board"
    assert servers.upgrade("/ws", own, name="cors").status == 101
