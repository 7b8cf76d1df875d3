"""One connection after the handshake: what goes in, what the endpoint sees, what comes out."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.wsclient import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    close,
    frame,
    parse_server,
)

CLOSED = 3  # a state: see core.buffers

MAX_SIZE = 2000


def run(core, *chunks, **order):
    order.setdefault("max_size", MAX_SIZE)
    answer = core(do="session", chunks=[chunk.hex() for chunk in chunks], **order)
    answer["frames"] = parse_server(bytes.fromhex(answer["sent"]))
    return answer


def close_code(answer):
    """The code of the only Close frame sent."""
    closes = [payload for opcode, payload in answer["frames"] if opcode == CLOSE]
    assert len(closes) == 1
    return int.from_bytes(closes[0][:2], "big")


def messages(answer):
    return [
        (event[0], bytes.fromhex(event[1]))
        for event in answer["events"]
        if event[0] in ("text", "binary")
    ]


@pytest.mark.parametrize("size", [0, 1, 31, 64, 65, 125, 126, 127, 1999, 2000])
def test_messages_of_every_size_are_echoed(core, size):
    text, data = b"x" * size, bytes(index & 0xFF for index in range(size))
    answer = run(core, frame(TEXT, text) + frame(BINARY, data))
    assert messages(answer) == [("text", text), ("binary", data)]
    assert answer["frames"] == [(TEXT, text), (BINARY, data)]


def test_a_message_with_a_64_bit_length_is_echoed(core):
    data = bytes(70000)
    answer = run(core, frame(BINARY, data), max_size=70000)
    assert answer["frames"] == [(BINARY, data)]


def test_a_fragmented_message_is_put_together_with_control_frames_between_its_fragments(core):
    answer = run(
        core,
        frame(TEXT, b"one ", final=False)
        + frame(PING, b"?")
        + frame(CONTINUATION, b"two ", final=False),
        frame(PONG, b"!") + frame(CONTINUATION, b"three"),
    )
    assert answer["frames"] == [(PONG, b"?"), (TEXT, b"one two three")]
    assert ["pong", b"!".hex()] in answer["events"]


def test_empty_fragments_make_an_empty_message(core):
    answer = run(
        core,
        frame(TEXT, b"", final=False)
        + frame(CONTINUATION, b"", final=False)
        + frame(CONTINUATION),
    )
    assert messages(answer) == [("text", b"")]


BROKEN = {
    "reserved bit 1": frame(TEXT, b"x", reserved=4),
    "reserved bit 2": frame(TEXT, b"x", reserved=2),
    "reserved bit 3": frame(PING, b"x", reserved=1),
    "data opcode 3": frame(3, b"x"),
    "data opcode 7": frame(7, b"x"),
    "control opcode 11": frame(11, b"x"),
    "control opcode 15": frame(15),
    "no mask": frame(TEXT, b"x", masked=False),
    "no mask on a control frame": frame(PING, masked=False),
    "fragmented ping": frame(PING, b"x", final=False),
    "ping of 126 bytes": frame(PING, bytes(126)),
    "close of 126 bytes": frame(CLOSE, b"\x03\xe8" + b"x" * 124),
    "continuation of nothing": frame(CONTINUATION, b"x"),
    "text within a fragmented message": frame(TEXT, b"x", final=False) + frame(TEXT, b"y"),
    "16-bit length of 125": frame(TEXT, bytes(125), length_bytes=2),
    "64-bit length of 65535": frame(BINARY, bytes(65535), length_bytes=8),
    "64-bit length of 1": frame(BINARY, b"x", length_bytes=8),
    "16-bit length of a ping": frame(PING, b"x", length_bytes=2),
    "length over 63 bits": b"\x82\xff\x80\0\0\0\0\0\0\1\1\2\3\4x",
    "close of one byte": frame(CLOSE, b"\x03"),
    "close code 0": close(0),
    "close code 999": close(999),
    "close code 1004": close(1004),
    "close code 1005": close(1005),
    "close code 1006": close(1006),
    "close code 1015": close(1015),
    "close code 2999": close(2999),
    "close code 5000": close(5000),
    "close code 65535": close(65535),
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("step", [1, 100000])
def test_a_broken_rule_closes_with_1002_and_is_reported_once(core, name, step):
    data = frame(TEXT, b"before") + BROKEN[name]
    step = max(step, len(data) // 300)
    chunks = [data[index : index + step] for index in range(0, len(data), step)]
    answer = run(core, *chunks, max_size=70000)
    assert close_code(answer) == 1002
    assert messages(answer) == [("text", b"before")]
    assert [event[:2] for event in answer["events"] if event[0] == "close"] == [["close", 1006]]


@pytest.mark.parametrize("code", [1000, 1001, 1003, 1007, 1011, 1012, 1013, 1014, 3000, 4999])
def test_a_valid_close_is_echoed_and_reported_with_its_reason(core, code):
    answer = run(core, close(code, "genug für heute".encode()))
    assert answer["frames"] == [(CLOSE, code.to_bytes(2, "big"))]
    assert answer["events"] == [["close", code, "genug für heute"]]


def test_a_close_without_a_code_is_answered_in_kind_and_reported_as_1005(core):
    answer = run(core, close())
    assert answer["frames"] == [(CLOSE, b"")]
    assert answer["events"] == [["close", 1005, ""]]


def test_a_connection_that_just_ends_is_reported_as_1006(core):
    assert run(core, frame(TEXT, b"x"))["events"][-1] == ["close", 1006, "gone"]


def test_nothing_is_delivered_after_a_close(core):
    answer = run(core, close(1000) + frame(TEXT, b"late"), frame(TEXT, b"later") + close(1001))
    assert messages(answer) == []
    assert answer["frames"] == [(CLOSE, b"\x03\xe8")]
    assert answer["events"] == [["close", 1000, ""]]


def test_a_close_reason_that_is_not_utf8_closes_with_1007(core):
    assert close_code(run(core, close(1000, b"\xff"))) == 1007


def test_messages_that_follow_close_in_the_same_packet_are_not_delivered(core):
    answer = run(core, frame(TEXT, b"a") + frame(TEXT, b"b") + frame(TEXT, b"c"), reply="close")
    assert messages(answer) == [("text", b"a")]
    assert answer["frames"] == [(CLOSE, (3000).to_bytes(2, "big") + b"enough")]


def test_the_peers_answer_to_our_close_gives_the_code(core):
    answer = run(
        core, frame(TEXT, b"a") + frame(BINARY, b"on its way") + close(3000), reply="close"
    )
    assert answer["events"][-1] == ["close", 3000, "enough"]


def test_after_a_violation_the_peers_close_is_still_understood(core):
    answer = run(core, frame(TEXT, bytes(MAX_SIZE + 1)) + frame(TEXT, b"x") + close(1009))
    assert close_code(answer) == 1009
    assert answer["events"][-1][1] == 1009
    assert messages(answer) == []


def test_an_exception_in_a_callback_is_logged_and_closes_with_1011(core):
    answer = run(core, frame(TEXT, b"a") + frame(TEXT, b"b"), reply="raise")
    assert close_code(answer) == 1011
    assert messages(answer) == [("text", b"a")]
    assert "on purpose" in answer["logged"][0]


@pytest.mark.parametrize(
    "head",
    [b"\x81\xfe" + (MAX_SIZE + 1).to_bytes(2, "big"), b"\x82\xff" + (1 << 62).to_bytes(8, "big")],
)
def test_a_message_that_is_too_long_closes_with_1009_as_soon_as_its_length_is_known(core, head):
    assert close_code(run(core, head + b"mask")) == 1009


def test_fragments_that_are_too_long_together_close_with_1009_before_the_last_ones_payload(core):
    last = b"\x80\xfe" + (1000).to_bytes(2, "big") + b"mask"
    answer = run(core, frame(TEXT, b"x" * 1001, final=False), last)
    assert close_code(answer) == 1009


def test_a_message_of_exactly_max_size_in_fragments_is_delivered(core):
    answer = run(core, frame(TEXT, b"x" * 1500, final=False) + frame(CONTINUATION, b"x" * 500))
    assert messages(answer) == [("text", b"x" * 2000)]


def test_an_endpoint_with_on_chunk_takes_a_message_larger_than_max_size(core):
    text = "Größe ".encode() * 1000
    answer = run(
        core,
        frame(TEXT, text),
        frame(BINARY, b"", final=False) + frame(CONTINUATION),
        chunked=True,
    )
    assert messages(answer) == [("text", text), ("binary", b"")]


HOSTILE = [
    b"\x80",
    b"\xbf",
    b"\xc0\x80",
    b"\xc1\xbf",
    b"\xc2\x41",
    b"\xe0\x80\x80",
    b"\xe0\x9f\xbf",
    b"\xed\xa0\x80",
    b"\xed\xbf\xbf",
    b"\xf0\x80\x80\x80",
    b"\xf0\x8f\xbf\xbf",
    b"\xf4\x90\x80\x80",
    b"\xf5\x80\x80\x80",
    b"\xff",
    b"\xf8\x88\x80\x80\x80",
]


@pytest.mark.parametrize("bad", HOSTILE)
def test_text_that_is_not_utf8_closes_with_1007_whole_cut_or_fragmented(core, bad):
    whole = frame(TEXT, b"ok " + bad)
    fragments = b"".join(
        frame(TEXT if not i else CONTINUATION, bad[i : i + 1], final=False)
        for i in range(len(bad))
    )
    for chunks in ([whole], [bytes([byte]) for byte in whole], [fragments]):
        answer = run(core, *chunks)
        assert close_code(answer) == 1007
        assert messages(answer) == []


def test_bad_utf8_in_a_half_received_frame_closes_at_the_first_bad_byte(core):
    half = frame(TEXT, b"abc\xff" + b"d" * 1000)[: 8 + 4]
    assert close_code(run(core, half)) == 1007
    assert run(core, half[:-1])["frames"] == []


def test_text_that_ends_within_a_character_closes_with_1007(core):
    assert close_code(run(core, frame(TEXT, "x€".encode()[:-1]))) == 1007
    assert (
        close_code(run(core, frame(TEXT, "€".encode()[:-1], final=False) + frame(CONTINUATION)))
        == 1007
    )


def test_a_character_may_be_cut_by_fragments(core):
    euro = "€".encode()
    answer = run(core, frame(TEXT, euro[:1], final=False) + frame(CONTINUATION, euro[1:]))
    assert messages(answer) == [("text", euro)]


def test_binary_messages_may_hold_anything(core):
    assert messages(run(core, frame(BINARY, b"\xff\xfe\x80"))) == [("binary", b"\xff\xfe\x80")]


@pytest.mark.timeout(20)
def test_a_frame_for_which_there_is_never_memory_ends_the_connection_not_the_loop(monkeypatch):
    from tests.wsserver.core import agent
    from wsserver.core import protocol

    def no_memory(_):
        raise MemoryError

    monkeypatch.setattr(protocol, "FrameDecoder", no_memory)
    order = {"max_size": MAX_SIZE, "chunks": [frame(PING, b"x").hex()]}
    answer = agent.session(order)
    assert answer["state"] == CLOSED
    assert close_code({"frames": parse_server(bytes.fromhex(answer["sent"]))}) == 1011


payloads = st.one_of(st.binary(max_size=300), st.text(max_size=100).map(str.encode))
any_frame = st.builds(
    frame,
    st.sampled_from([TEXT, BINARY, CONTINUATION, CONTINUATION, PING, PONG, CLOSE, 3, 11]),
    payloads,
    final=st.booleans(),
    reserved=st.sampled_from([0] * 9 + [1]),
    masked=st.sampled_from([True] * 9 + [False]),
    key=st.binary(min_size=4, max_size=4),
)
good_message = st.builds(
    lambda opcode, parts: b"".join(
        frame(opcode if not i else CONTINUATION, part, final=i == len(parts) - 1)
        for i, part in enumerate(parts)
    ),
    st.just(BINARY),
    st.lists(payloads, min_size=1, max_size=4),
)
streams = st.lists(st.one_of(good_message, good_message, any_frame), max_size=8).map(b"".join)


@settings(max_examples=150, deadline=None)
@given(streams, st.lists(st.integers(1, 60), min_size=1, max_size=20), st.booleans())
def test_any_split_of_the_same_bytes_gives_the_same_events_and_answers(
    core, stream, steps, chunked
):
    whole = run(core, stream, chunked=chunked)
    chunks = []
    position = 0
    while position < len(stream):
        step = steps[len(chunks) % len(steps)]
        chunks.append(stream[position : position + step])
        position += step
    cut = run(core, *chunks, chunked=chunked)
    # How much of an unfinished message on_chunk sees before an error depends on the cuts.
    for answer in (whole, cut):
        answer["events"] = [event for event in answer["events"] if "open" not in event[0]]
    assert cut["events"] == whole["events"]
    assert cut["frames"] == whole["frames"]
    assert cut["state"] == whole["state"]


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400))
def test_random_bytes_never_break_the_connections_own_rules(core, data):
    answer = run(core, data)
    assert sum(opcode == CLOSE for opcode, _ in answer["frames"]) <= 1
    assert [event[0] for event in answer["events"]].count("close") == 1
    assert answer["logged"] == []


def test_a_text_cut_within_a_character_does_not_spoil_the_next_one(core):
    first, second = frame(TEXT, "aé and more".encode()), frame(TEXT, b"as simple as that")
    for cut in range(6, len(first)):
        answer = run(core, first[:cut], first[cut:], second[:-3], second[-3:])
        assert [message[1] for message in messages(answer)] == [
            "aé and more".encode(),
            b"as simple as that",
        ], cut


@pytest.mark.parametrize(
    "parts", [[b"\xff"], [b"\xc3", b"a"], [b"a", b"\xc3"], [b"\xe2\x82", b""]]
)
def test_text_that_is_handed_on_in_chunks_must_be_utf8(core, parts):
    *first, last = parts
    data = b"".join(
        frame(CONTINUATION if at else TEXT, part, final=False) for at, part in enumerate(first)
    )
    data += frame(CONTINUATION if first else TEXT, last)
    assert close_code(run(core, data, chunked=True)) == 1007


@pytest.mark.parametrize("cut", [0, 1, 2, 4, 8, 100])
@pytest.mark.parametrize("size", [0, 2, 125, 126, 2000])
@pytest.mark.parametrize("opcode", [CLOSE, PING])
def test_after_an_error_a_close_of_any_size_ends_the_connection(core, opcode, size, cut):
    data = frame(opcode, b"\x03\xe8"[:size] + b"x" * (size - 2))
    pieces = (data[:-cut], data[-cut:]) if 0 < cut < len(data) else (data,)
    answer = run(core, frame(TEXT, b"x", masked=False), *pieces)
    assert close_code(answer) == 1002
    assert (answer["state"] == CLOSED) == (opcode == CLOSE)


def test_a_close_of_the_application_waits_longer_than_one_after_an_error(core):
    ours = run(core, frame(TEXT, b"x"), reply="close")
    failed = run(core, frame(TEXT, b"x", masked=False))
    assert (ours["state"], failed["state"]) == (1, 2)  # see core.buffers


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("opcode", [3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
def test_the_close_names_a_reserved_opcode(core, opcode, masked):
    answer = run(core, frame(opcode, b"x", masked=masked))
    assert answer["frames"] == [(CLOSE, b"\x03\xeareserved opcode")]
