"""Async handlers, and bodies of any length in both directions."""

import binascii
import threading
import time

import pytest

from tests.waiting import wait_until
from tests.wsserver.web import answer, chunks, head, request
from tools.wsclient import RefusedError

MEGABYTE = 1 << 20


def pattern(size):
    """What /download answers."""
    data = bytearray(bytes(range(256)) * (size // 256 + 1))[:size]
    for start in range(0, size, 256):
        data[start : start + 4] = start.to_bytes(4, "big")[: size - start]
    return bytes(data)


def in_chunks(data, size):
    return chunks([data[start : start + size] for start in range(0, len(data), size)])


def test_an_async_handler_answers_when_it_returns(web):
    assert web.ask("/async/5").json == {"waited": 5, "body": 0}
    assert web.ask("/async/0", "POST", b"12345").json == {"waited": 0, "body": 5}


def test_others_are_served_while_an_async_handler_waits(web):
    with web.connect() as waiting:
        waiting.send(request("/async/500"))
        assert web.ask("/text").status == 200
        assert answer(waiting).json["waited"] == 500


def test_a_handler_that_reads_its_body_must_be_async(web):
    position = web.board.log_position
    assert web.ask("/not-async", "POST", b"12345").status == 500
    web.board.wait_for_log("TypeError: .*\n/not-async: make the handler async", since=position)


def test_an_error_in_an_async_handler_gets_500(web):
    position = web.board.log_position
    assert web.ask("/async-raises").status == 500
    web.board.wait_for_log("RuntimeError: on purpose, async", since=position)


def none_runs(web):
    counts = web.ask("/tasks").json
    return counts["started"] == counts["ended"]


@pytest.mark.parametrize("end", ["close", "reset"])
@pytest.mark.parametrize("body", [None, b"x" * 100])
def test_a_peer_that_leaves_cancels_its_handler(web, end, body):
    connection = web.connect()
    connection.send(request("/forever", "POST" if body else "GET", body))
    wait_until(lambda: not none_runs(web), "the handler to start")
    getattr(connection, end)()
    wait_until(lambda: none_runs(web), "the handler to be cancelled")


@pytest.mark.parametrize("chunk", [None, 1, 1000, 5000, MEGABYTE])
def test_an_upload_of_any_size_arrives_whole(web, chunk):
    data = pattern(20000 if chunk == 1 else 2 * MEGABYTE)
    start = request("/upload", "POST")[:-2]
    with web.connect() as connection:
        if chunk:
            connection.send(start + b"Transfer-Encoding: chunked\r\n\r\n" + in_chunks(data, chunk))
        else:
            connection.send(start + b"Content-Length: %d\r\n\r\n" % len(data) + data)
        got = answer(connection).json
    assert got == {"size": len(data), "check": binascii.crc32(data)}


def test_a_download_of_any_size_arrives_whole(web):
    for size in (0, 1, 1024, 3 * MEGABYTE):
        assert web.ask(f"/download/{size}").body == pattern(size)


def test_an_upload_and_a_download_take_little_heap(web):
    size = 2 * MEGABYTE
    data = pattern(size)
    web.ask("/upload", "POST", b"x")
    web.ask("/download/5000")
    web.ask("/peak")  # begins anew
    time.sleep(0.1)
    quiet = int(web.ask("/peak").body)
    answers = {}
    threads = [
        threading.Thread(target=lambda: answers.update(up=web.ask("/upload", "POST", data))),
        threading.Thread(target=lambda: answers.update(down=web.ask(f"/download/{size}"))),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert answers["up"].json["check"] == binascii.crc32(data)
    assert answers["down"].body == data
    assert (
        int(web.ask("/peak").body) - quiet < 2 * 5120 + 4600
    )  # two transfers, and a buffer that the server keeps


def test_a_read_returns_at_most_as_much_as_asked(web):
    for body in (b"0123456789" * 30, [b"0123456789", b"abc", b"x" * 400]):
        whole = body if isinstance(body, bytes) else b"".join(body)
        assert web.ask("/echo", "POST", body).body == whole


def test_an_upload_that_breaks_off_never_looks_complete(web):
    for end in ("close", "reset"):
        for head_line, data in (
            (b"Content-Length: 9000\r\n\r\n", b"x" * 8999),
            (b"Transfer-Encoding: chunked\r\n\r\n", b"a\r\n0123456789\r\n"),
        ):
            position = web.board.log_position
            connection = web.connect()
            connection.send(request("/upload", "POST")[:-2] + head_line + data)
            getattr(connection, end)()
            web.ask("/upload", "POST", b"whole")
            web.board.wait_for_log("upload ended 5\n", since=position)
            assert web.board.log[position:].count("upload complete") == 1


def test_an_upload_of_1_kb_in_open_timeout_is_not_ended(web):
    with web.connect() as connection:
        connection.send(request("/upload", "POST")[:-2] + b"Content-Length: 12000\r\n\r\n")
        for _ in range(8):  # 2 s with an open_timeout of 1 s
            time.sleep(0.25)
            connection.send(b"x" * 1500)
        assert answer(connection).json["size"] == 12000


def test_an_upload_that_stops_is_ended_in_time(web):
    position = web.board.log_position
    with web.connect() as connection:
        connection.send(request("/upload", "POST")[:-2] + b"Content-Length: 9\r\n\r\n12345678")
        start = time.monotonic()
        assert connection.rest() == b""
        assert 0.5 < time.monotonic() - start < 10
    web.board.wait_for_log("upload ended 8", since=position)


def test_a_slow_handler_slows_the_peer_down_and_loses_nothing(web):
    data = b"x" * 500000
    with web.connect() as connection:
        connection.sock.settimeout(0.3)
        with pytest.raises(TimeoutError):  # the board does not read ahead
            connection.send(request("/forever", "POST", b"x" * 10 * MEGABYTE))
    assert web.ask("/slow-reader", "POST", data).body == b"500000"


def test_a_limit_for_a_stream_gets_413(web):
    assert web.ask("/limited", "POST", b"x" * 5000).body == b"all"
    assert web.ask("/limited", "POST", [b"x" * 3000, b"x" * 2000]).body == b"all"
    assert web.ask("/limited", "POST", b"x" * 5001).status == 413
    assert web.ask("/limited", "POST", [b"x" * 3000, b"x" * 2001]).status == 413


def test_a_malformed_chunk_in_a_stream_gets_400(web):
    for body in (b"5\r\nhello", b"5\r\nhelloX\r\n0\r\n\r\n", b"5\r\nhello\r\nx\r\n", b"\r\n"):
        with web.connect() as connection:
            connection.send(
                request("/upload", "POST")[:-2] + b"Transfer-Encoding: chunked\r\n\r\n"
            )
            connection.send(body)
            if body.endswith(b"hello"):
                with pytest.raises(RefusedError):  # not malformed, but not complete
                    answer(connection)
            else:
                assert answer(connection).status == 400


def test_a_stream_sends_100_continue_when_the_handler_reads(web):
    for path, status in (("/upload", b"100"), ("/unread", b"200")):
        with web.connect() as connection:
            connection.send(
                request(path, "POST", Expect="100-continue")[:-2] + b"Content-Length: 3\r\n\r\n"
            )
            assert connection.until(b"\r\n")[9:12] == status
            connection.until(b"\r\n\r\n" if status == b"200" else b"\r\n")
            if status == b"100":
                assert answer(connection.send(b"abc")).json["size"] == 3
    with web.connect() as connection:  # which does not wait
        connection.send(request("/upload", "POST", b"ab", Expect="100-continue"))
        assert answer(connection).json["size"] == 2
    with web.connect() as connection:  # whose first byte shows that it does not wait
        part = b"Content-Length: 2\r\n\r\na"
        connection.send(request("/upload", "POST", Expect="100-continue")[:-2] + part)
        time.sleep(0.2)  # the handler waits for the rest
        assert answer(connection.send(b"b")).json["size"] == 2


def test_an_answer_without_reading_the_body_arrives(web):
    with web.connect() as connection:
        connection.send(request("/unread", "POST", b"x" * 50000))
        status, headers = head(connection)
        assert status == 200
        assert connection.read(int(headers["content-length"])) == b"not read"


def test_a_body_that_is_not_read_does_not_reset_the_connection(web):
    with web.connect() as connection:
        # More than the board takes while its handler waits: it is read after the response.
        connection.send(request("/forgotten", "POST", b"x" * 50000))
        status, headers = head(connection)
        assert status == 200
        assert connection.read(int(headers["content-length"])) == b"forgotten"
        assert connection.rest() == b""


def form(parts, boundary="----x"):
    body = b""
    for disposition, content in parts:
        body += f"--{boundary}\r\nContent-Disposition: form-data; {disposition}\r\n\r\n".encode()
        body += content + b"\r\n"
    return body + f"--{boundary}--\r\n".encode()


@pytest.mark.parametrize("chunk", [None, 1, 511, 4000])
def test_multipart_fields_and_files_are_streamed(web, chunk):
    file = (b"\r\n------" + bytes(range(256))) * (4 if chunk == 1 else 400)
    body = form(
        [
            ('name="a"', b"1"),
            ('name="empty"', b""),
            ('name="f"; filename="a ; b%22.bin"\r\nContent-Type: image/png', file),
            ('name="skip"; filename="s"', file),
            ("name=last", b"--" * 50),
        ]
    )
    if chunk:
        body = [body[start : start + chunk] for start in range(0, len(body), chunk)]
    got = web.ask("/parts", "POST", body, Content_Type="multipart/form-data; boundary=----x")
    assert got.json == [
        ["a", None, None, 1, binascii.crc32(b"1")],
        ["empty", None, None, 0, 0],
        ["f", 'a ; b".bin', "image/png", len(file), binascii.crc32(file)],
        ["skip", "s", None, 0, 0],
        ["last", None, None, 100, binascii.crc32(b"--" * 50)],
    ]


def test_a_multipart_body_may_end_without_a_line_break(web):
    body = form([('name="a"', b"1")]).rstrip()
    got = web.ask("/parts", "POST", body, Content_Type="multipart/form-data; boundary=----x")
    assert got.json == [["a", None, None, 1, binascii.crc32(b"1")]]


def test_the_head_of_a_part_may_have_509_bytes(web):
    body = form([(f'name="{"n" * 470}"', b"1")])
    got = web.ask("/parts", "POST", body, Content_Type="multipart/form-data; boundary=----x")
    assert got.json[0][0] == "n" * 470


def test_a_malformed_multipart_body_gets_400(web):
    good = form([('name="a"', b"1")])
    kind = "multipart/form-data; boundary=----x"
    assert web.ask("/parts", "POST", good, Content_Type=kind).status == 200
    for wrong in (
        b"",
        good[:-6],
        good.replace(b"name", b"n"),
        good.replace(b"form-data", b"file"),
        good.replace(b"Content-D", b"x" * 2000),
        good.replace(b"\r\n", b"\n"),
    ):
        assert web.ask("/parts", "POST", wrong, Content_Type=kind).status == 400, wrong
    for other in ("text/plain", "multipart/form-data", "multipart/mixed; boundary=----x"):
        assert web.ask("/parts", "POST", good, Content_Type=other).status == 415


def test_a_streamed_upload_that_is_too_slow_frees_its_slot(web):
    """Each byte ends a wait of the handler: the time must go on."""
    position = web.board.log_position
    with web.connect() as connection:
        connection.send(request("/upload", "POST")[:-2] + b"Content-Length: 9000\r\n\r\n")
        started = time.monotonic()
        with pytest.raises(OSError):
            while time.monotonic() - started < 15:  # all 9000 bytes would take 900 s
                connection.send(b"x")
                time.sleep(0.1)
    web.board.wait_for_log("upload ended", since=position)
