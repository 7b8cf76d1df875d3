"""Range requests for files: of server.files and of a Response."""

import gzip

import pytest

from .conftest import BIG

SIZE = len(BIG)


@pytest.mark.parametrize("path", ["/big.txt", "/file"])
@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=5-9", 5, 10),
        ("bytes=19990-", 19990, SIZE),
        ("bytes=19999-30000", 19999, SIZE),
        ("bytes=-7", SIZE - 7, SIZE),
        ("bytes=-30000", 0, SIZE),
        ("Bytes = 100-15000", 100, 15001),
    ],
)
def test_a_range_is_sent_as_partial_content(web, path, asked, start, stop):
    got = web.ask(path, Range=asked)
    assert (got.status, got.body) == (206, BIG[start:stop])
    assert got.headers["content-range"] == f"bytes {start}-{stop - 1}/{SIZE}"


@pytest.mark.parametrize("path", ["/big.txt", "/file"])
def test_a_range_outside_the_file_gets_416_and_its_size(web, path):
    for asked in (f"bytes={SIZE}-", "bytes=99999-100000", "bytes=-0"):
        got = web.ask(path, Range=asked)
        assert (got.status, got.headers["content-range"]) == (416, f"bytes */{SIZE}")


@pytest.mark.parametrize("path", ["/big.txt", "/file"])
def test_a_range_that_is_not_understood_gets_the_whole_file(web, path):
    for asked in (
        "bytes=0-1,5-6",
        "lines=1-2",
        "bytes=9-5",
        "bytes=a-b",
        "bytes=",
        "bytes=-",
        "5",
    ):
        got = web.ask(path, Range=asked)
        assert (got.status, got.body) == (200, BIG), asked
    assert web.ask(path, Range="bytes=0-1", If_Range='"other"').status == 200
    assert web.ask(path, "HEAD", Range="bytes=0-1").status == 200


def test_a_response_says_that_ranges_are_possible(web):
    assert web.ask("/file").headers["accept-ranges"] == "bytes"
    assert "accept-ranges" not in web.ask("/endless/10").headers


def test_a_range_of_a_compressed_file_is_one_of_its_coding(web):
    whole = web.ask("/packed.txt", Accept_Encoding="gzip")
    assert gzip.decompress(whole.body) == BIG
    tag = whole.headers["etag"]
    got = web.ask("/packed.txt", Accept_Encoding="gzip", Range="bytes=10-", If_Range=tag)
    assert (got.status, got.body) == (206, whole.body[10:])
    got = web.ask("/packed.txt", Accept_Encoding="gzip", Range="bytes=10-", If_Range='"old"')
    assert (got.status, got.body) == (200, whole.body)
