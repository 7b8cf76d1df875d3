"""Files that are kept compressed, and clients that have them already."""

import gzip

import pytest

from tests.wsserver.web import Web
from tools.deploy.webpages import pack
from tools.wsclient import TEXT, frame

PAGE = "<!doctype html><title>Packed</title>" + "<p>the same again</p>" * 200
DAMAGED = gzip.compress(bytes(range(256)) * 100)
FILES = {
    "site/index.html.gz": gzip.compress(PAGE.encode()),
    "site/app.js.gz": gzip.compress(b"compressed"),
    "site/app.js": "plain",
    "site/only.txt": "only plain",
    "site/bad.txt.gz": DAMAGED[:200] + DAMAGED[-8:],
}


def get(board, path="/", method="GET", **headers):
    return Web(board).ask(path, method, **headers)


@pytest.fixture(scope="module")
def board(make_lab):
    return make_lab(max_clients=6, ping_interval=None, files=FILES)


def test_a_compressed_file_is_sent_as_it_is_to_a_client_that_takes_gzip(board):
    status, headers, body = get(board, Accept_Encoding="gzip, deflate, br")
    assert (status, headers["content-encoding"]) == (200, "gzip")
    assert headers["content-type"] == "text/html; charset=utf-8"
    assert headers["vary"] == "Accept-Encoding"
    assert gzip.decompress(body).decode() == PAGE


@pytest.mark.parametrize("accepted", ["GZIP", "br;q=1, gzip;q=1", "x-gzip", "identity,gzip"])
def test_gzip_may_be_named_in_many_ways(board, accepted):
    assert get(board, Accept_Encoding=accepted)[1]["content-encoding"] == "gzip"


def test_a_client_that_says_nothing_gets_what_a_person_can_read(board):
    status, headers, body = get(board)
    assert (status, body.decode()) == (200, PAGE)
    assert "content-encoding" not in headers
    assert headers["vary"] == "Accept-Encoding"


def test_without_psram_only_a_small_window_is_decompressed(make_lab):
    packed = pack({"/www/small.html": PAGE.encode()})["/www/small.html.gz"]
    board = make_lab(heap="132k", files={**FILES, "site/small.html.gz": packed})
    for encoding in ({}, {"Accept_Encoding": "identity"}):
        status, headers, body = get(board, "/small.html", **encoding)
        assert (status, body.decode()) == (200, PAGE)
        assert "content-encoding" not in headers
    status, _, body = get(board, Accept_Encoding="identity")
    assert (status, b"Accept-Encoding: gzip" in body) == (406, True)
    status, headers, body = get(board)  # any coding is acceptable
    assert (status, headers["content-encoding"]) == (200, "gzip")
    assert gzip.decompress(body).decode() == PAGE


@pytest.mark.parametrize("accepted", ["identity", "", "br", "gzip;q=0", "gzip; q=0.0, identity"])
def test_a_client_that_refuses_gzip_gets_what_the_file_contains(board, accepted):
    status, headers, body = get(board, Accept_Encoding=accepted)
    assert (status, body.decode()) == (200, PAGE)
    assert "content-encoding" not in headers
    assert "etag" not in headers


def test_without_memory_to_decompress_the_client_is_told_what_to_say_instead(raw, board):
    position = board.log_position
    raw(board).open("/control").send(frame(TEXT, b"hog 500 20000"))
    board.wait_for_log("hogged", since=position)
    status, headers, body = get(board, Accept_Encoding="identity")
    assert (status, headers["content-type"]) == (406, "text/plain")
    assert b"Accept-Encoding: gzip" in body
    board.wait_for_log("released", since=position)
    assert get(board, Accept_Encoding="identity")[0] == 200


def test_where_there_is_a_plain_file_beside_it_each_client_gets_what_it_takes(board):
    assert gzip.decompress(get(board, "/app.js", Accept_Encoding="gzip")[2]) == b"compressed"
    status, headers, body = get(board, "/app.js", Accept_Encoding="identity")
    assert (status, body) == (200, b"plain")
    assert "content-encoding" not in headers


def test_a_file_that_is_not_compressed_is_sent_as_it_is(board):
    status, headers, body = get(board, "/only.txt", Accept_Encoding="gzip")
    assert (status, body) == (200, b"only plain")
    assert "content-encoding" not in headers


def test_a_client_that_has_the_file_already_is_not_sent_it_again(board):
    tag = get(board, Accept_Encoding="gzip")[1]["etag"]
    for known in (tag, f'"other", {tag}', f"W/{tag}"):
        status, headers, body = get(board, Accept_Encoding="gzip", If_None_Match=known)
        assert (status, headers["etag"], body) == (304, tag, b"")
        assert "content-length" not in headers
    other = '"0123456789abcdef"'
    assert get(board, Accept_Encoding="gzip", If_None_Match=other)[0] == 200


def test_the_tag_changes_with_the_content_even_if_size_and_time_do_not(board):
    asking = {"Accept_Encoding": "gzip"}
    before = asking["If_None_Match"] = get(board, "/app.js", **asking)[1]["etag"]
    file = board.flash / "site" / "app.js.gz"
    was, stat = file.read_bytes(), file.stat()
    try:
        file.write_bytes(gzip.compress(b"COMPRESSED"))
        assert file.stat().st_size == stat.st_size
        status, headers, _ = get(board, "/app.js", **asking)
        assert (status, headers["etag"] == before) == (200, False)
    finally:
        file.write_bytes(was)
    assert get(board, "/app.js", **asking)[0] == 304


def test_a_head_request_gets_the_head_alone(board):
    status, headers, body = get(board, method="HEAD", Accept_Encoding="gzip")
    length = str(len(FILES["site/index.html.gz"]))
    assert (status, headers["content-length"], body) == (200, length, b"")


def test_files_are_asked_for_anew_each_time_and_not_guessed_at(board):
    headers = get(board)[1]
    assert headers["cache-control"] == "no-cache"
    assert headers["x-content-type-options"] == "nosniff"


def test_a_damaged_compressed_file_costs_its_visitor_only(raw, board):
    connection = raw(board).send(
        b"GET /bad.txt HTTP/1.1\r\nHost: board\r\nAccept-Encoding: identity\r\n\r\n"
    )
    head, _, body = connection.rest().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK")
    assert b"Content-Length: 25600" in head
    assert len(body) <= 25600
    assert get(board)[0] == 200
    assert "Traceback" not in board.log
