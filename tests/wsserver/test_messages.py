"""Messages on a live board: types, sizes, pieces, pings, order."""

import json
import threading

import pytest

from tests.wsserver.conftest import REQUEST
from tools.wsclient import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, close, frame


def test_text_arrives_as_str_and_binary_as_bytes(raw, lab):
    connection = raw(lab).open("/types")
    for opcode, payload, answer in (
        (TEXT, "grüß".encode(), b"str 4"),
        (BINARY, b"\x00\xff", b"bytes 2"),
        (TEXT, b"x" * 3000, b"str 3000"),
        (BINARY, b"x" * 3000, b"bytes 3000"),
    ):
        assert connection.send(frame(opcode, payload)).frame() == (TEXT, answer)
    connection.send(frame(BINARY, b"ab", final=False) + frame(CONTINUATION, b"c"))
    assert connection.frame() == (TEXT, b"bytes 3")


def test_send_takes_str_bytes_bytearray_and_memoryview_and_names_what_it_does_not_take(raw, lab):
    connection = raw(lab).open("/sayings").send(frame(TEXT, b"go"))
    frames = [connection.frame() for _ in range(8)]
    assert frames[:7] == [
        (TEXT, b"text"),
        (BINARY, b"bytes"),
        (BINARY, b"0123456789"),
        (BINARY, b"234"),
        (TEXT, ("ü" * 100).encode()),
        (TEXT, b""),
        (BINARY, b""),
    ]
    assert b"int" in frames[7][1]


def test_many_messages_in_one_packet_are_answered_in_order(raw, served):
    words = [b"message %d" % number for number in range(500)]
    connection = raw(served).open().send(b"".join(frame(TEXT, word) for word in words))
    assert [connection.frame()[1] for _ in words] == words


def test_messages_cut_at_every_byte_arrive(raw, served):
    connection = raw(served).open()
    data = frame(TEXT, b"one") + frame(BINARY, bytes(130)) + frame(PING, b"p")
    for byte in data:
        connection.send(bytes([byte]))
    assert [connection.frame() for _ in range(3)] == [
        (TEXT, b"one"),
        (BINARY, bytes(130)),
        (PONG, b"p"),
    ]


def test_a_message_of_max_size_is_echoed_and_a_longer_one_is_closed_with_1009(raw, served):
    connection = raw(served).open()
    assert connection.send(frame(TEXT, b"x" * 4096)).frame() == (TEXT, b"x" * 4096)
    assert connection.send(frame(TEXT, b"x" * 4097)).close_code() == 1009


def test_the_1009_arrives_although_the_client_goes_on_sending(raw, served):
    connection = raw(served).open()
    sender = threading.Thread(target=connection.send, args=(frame(BINARY, bytes(3000000)),))
    sender.start()
    assert connection.close_code() == 1009
    sender.join()


def test_a_message_larger_than_the_heap_is_taken_in_pieces(raw, lab):
    connection = raw(lab).open("/chunks")
    connection.send(
        frame(TEXT, b"x" * 1000000) + frame(BINARY, b"yz", final=False) + frame(CONTINUATION, b"")
    )
    first, second = connection.frame()[1], connection.frame()[1]
    assert first.startswith(b"text of 1000000 bytes in ")
    assert int(first.split()[-1]) > 100
    assert second.startswith(b"binary of 2 bytes in ")


def test_an_endpoint_without_on_message_ignores_messages(raw, lab):
    connection = raw(lab).open("/silent").send(frame(TEXT, b"x") + frame(PING, b"p"))
    assert connection.frame() == (PONG, b"p")


def test_pings_are_answered_with_their_data(raw, served):
    connection = raw(served).open()
    for data in (b"", b"x" * 125):
        assert connection.send(frame(PING, data)).frame() == (PONG, data)


def test_an_endpoint_may_answer_pings_itself_and_gets_pongs(raw, lab):
    connection = raw(lab).open("/pings")
    assert connection.send(frame(PING, b"p")).frame() == (PONG, b"mine: p")
    assert connection.send(frame(TEXT, b"token")).frame() == (PING, b"token")
    assert connection.send(frame(PONG, b"token")).frame() == (TEXT, b"pong token")


def test_the_endpoint_knows_each_client(raw, lab):
    request = REQUEST.format(path="/describes?x=y").replace(
        "Host:", "Sec-WebSocket-Protocol: x, superchat, chat\r\nHost:"
    )
    connection = raw(lab).send(request.encode())
    assert b"Sec-WebSocket-Protocol: superchat\r\n" in connection.until(b"\r\n\r\n")
    known = json.loads(connection.frame()[1])
    other = raw(lab).open("/describes")
    known_other = json.loads(other.frame()[1])
    assert (known["path"], known["query"], known["subprotocol"]) == (
        "/describes",
        "x=y",
        "superchat",
    )
    assert known_other["subprotocol"] is None
    assert known_other["id"] > known["id"]
    assert known["address"][0] == connection.sock.getsockname()[0]
    for answer in (b"message 1", b"message 2"):
        assert connection.send(frame(TEXT, b"x")).frame() == (TEXT, answer)
    assert other.send(frame(TEXT, b"x")).frame() == (TEXT, b"message 1")


def test_invalid_utf8_is_closed_with_1007_before_the_frame_is_complete(raw, served):
    connection = raw(served).open().send(frame(TEXT, b"abc\xff" + bytes(1000))[:50])
    assert connection.close_code() == 1007


def test_a_close_frame_is_the_last_thing_sent(raw, lab):
    connection = raw(lab).open("/closes").send(frame(TEXT, b"1000 bye"))
    assert connection.frame() == (CLOSE, b"\x03\xe8bye")
    connection.send(frame(CLOSE, b"\x03\xe8"))
    assert connection.rest() == b""


@pytest.mark.needs(sockets=10)
def test_each_way_to_break_the_rules_is_answered_with_its_code(raw, served):
    for data, code in (
        (frame(TEXT, b"x", masked=False), 1002),
        (frame(TEXT, b"x", reserved=4), 1002),
        (frame(3, b"x"), 1002),
        (frame(9, bytes(126)), 1002),
        (frame(TEXT, b"\xff"), 1007),
        (close(999), 1002),
        (close(1000), 1000),
        (close(4999, b"bye"), 4999),
    ):
        assert raw(served).open().send(data).close_code() == code
