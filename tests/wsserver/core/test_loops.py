"""The inner loops: native code and portable twin alike, against what CPython says."""

from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from tools.wsclient import BINARY, TEXT, frame

KEY = b"\x01\x80\xfe\x7f"


def xor(data, pos, end, key):
    return (
        data[:pos] + bytes(byte ^ key[i % 4] for i, byte in enumerate(data[pos:end])) + data[end:]
    )


def unmask(core, code, data, pos, end, key=KEY, at=0):
    answer = core(do="unmask", code=code, data=data.hex(), pos=pos, end=end, key=key.hex(), at=at)
    return bytes.fromhex(answer["data"]), answer["seen"]


def test_masking_is_right_at_every_offset_and_length_and_touches_nothing_else(core):
    data = bytes(range(100, 200))
    for code in core.codes:
        for pos in range(9):
            for length in range(41):
                masked, _ = unmask(core, code, data, pos, pos + length)
                assert masked == xor(data, pos, pos + length, KEY)
                assert unmask(core, code, masked, pos, pos + length)[0] == data


@settings(max_examples=100, deadline=None)
@given(
    st.binary(min_size=1, max_size=500),
    st.binary(min_size=8, max_size=8),
    st.integers(0, 4),
    st.data(),
)
def test_masking_twice_gives_the_same_bytes_and_tells_ascii(core, data, key, at, draw):
    pos = draw.draw(st.integers(0, len(data)))
    end = draw.draw(st.integers(pos, len(data)))
    for code in core.codes:
        masked, seen = unmask(core, code, data, pos, end, key, at)
        assert masked == xor(data, pos, end, key[at : at + 4])
        assert seen == (0x80 if any(byte > 127 for byte in masked[pos:end]) else 0)
        assert unmask(core, code, masked, pos, end, key, at)[0] == data


ENDINGS = [
    bytes(tail) for size in range(4) for tail in product(b"\x80\x8f\x90\x9f\xa0\xbf", repeat=size)
]


def verdict_of_cpython(data):
    """Whether CPython's strict decoder takes `data` ("between" characters), some ending of it
    ("within" one), or none.
    """
    for ending in ENDINGS:
        try:
            (data + ending).decode()
            return "within" if ending else "between"
        except UnicodeDecodeError as error:
            if error.start + 4 <= len(data):
                break
    return "bad"


def states_of_cpython(parts):
    """As the order utf8 answers: a verdict after each part, up to the first bad one."""
    verdicts = []
    for count in range(1, len(parts) + 1):
        verdicts.append(verdict_of_cpython(b"".join(parts[:count])))
        if verdicts[-1] == "bad":
            break
    return verdicts


def states_of_core(core, code, parts):
    states = core(do="utf8", code=code, parts=[part.hex() for part in parts])["states"]
    return ["bad" if state < 0 else "within" if state else "between" for state in states]


def test_every_start_of_a_character_is_judged_as_cpython_does(core):
    for code in core.codes:
        for first in range(0x7E, 0x100):
            parts = [
                bytes([first, second, 0x80])
                for second in (0, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xFF)
            ]
            for part in parts:
                singles = [bytes([byte]) for byte in part]
                assert states_of_core(core, code, singles) == states_of_cpython(singles)


hostile = st.lists(
    st.sampled_from(
        [
            b"a",
            b"\xc3",
            b"\xe0",
            b"\xed",
            b"\xf0",
            b"\xf4",
            b"\x80",
            b"\x90",
            b"\xa0",
            b"\xbf",
            "€".encode(),
        ]
    ),
    max_size=20,
).map(b"".join)


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(st.text(max_size=60).map(str.encode), st.binary(max_size=60), hostile),
    st.integers(1, 7),
)
def test_utf8_agrees_with_cpythons_decoder_at_every_cut(core, data, step):
    parts = [data[index : index + step] for index in range(0, len(data), step)]
    for code in core.codes:
        assert states_of_core(core, code, parts) == states_of_cpython(parts)


@settings(max_examples=100, deadline=None)
@given(st.one_of(st.text(max_size=30).map(str.encode), hostile), st.binary(min_size=4, max_size=4))
def test_utf8_is_judged_through_the_mask_at_every_cut(core, data, key):
    verdict = verdict_of_cpython(data)
    masked = b"....." + key + xor(data, 0, len(data), key)
    for code in core.codes:
        for cut in range(9, len(masked) + 1):
            order = {"do": "masked_utf8", "code": code, "data": masked.hex()}
            state = core(**order, start=9, cut=cut)["state"]
            if state < 0:
                # A bad byte in the first part was not forgotten in the second.
                assert verdict == "bad"
            elif verdict_of_cpython(data[: cut - 9]) != "bad":
                assert verdict == ("within" if state else "between")


def deliver(core, code, data, limit=60000, pos=0, then=None):
    return core(do="deliver", code=code, data=data.hex(), pos=pos, limit=limit, then=then)


def delivered(kind, payload):
    """What an endpoint writes down of a message: all of it is as with any other str or bytes."""
    length = len(payload.decode()) if kind == "text" else len(payload)
    return [kind, payload.hex(), length, True]


KINDS = {"text": TEXT, "binary": BINARY}


def test_whole_plain_data_frames_within_the_limit_are_delivered(core):
    for code in core.codes:
        for kind, opcode in KINDS.items():
            for length in (0, 1, 2, 3, 4, 15, 16, 17, 31, 125, 126, 127, 128, 129, 4001, 60000):
                payload = bytes(97 + index % 26 for index in range(length))
                data = frame(opcode, payload)
                for pos in range(4):
                    answer = deliver(core, code, b"..."[:pos] + data + b"more", length, pos)
                    assert answer["seen"] == [delivered(kind, payload)]
                    assert (answer["found"], answer["count"]) == (0, 1)
                    assert answer["next"] == pos + len(data)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("binary"), st.binary(max_size=300)),
            st.tuples(st.just("text"), st.text(max_size=200).map(str.encode)),
            st.tuples(st.just("text"), st.text("abé€", min_size=900).map(str.encode)),
            st.tuples(st.just("text"), st.sampled_from([b"send", b"path", b"x" * 5000])),
        ),
        max_size=5,
    )
)
def test_what_arrives_together_is_delivered_in_order_and_as_it_was_sent(core, messages):
    data = b"".join(frame(KINDS[kind], payload) for kind, payload in messages)
    expected = [delivered(kind, payload) for kind, payload in messages]
    if messages:
        expected.insert(-1, "free")  # all is used by then: the last answer may need the buffer
    for code in core.codes:
        answer = deliver(core, code, data)
        assert answer["seen"] == expected
        assert (answer["found"], answer["next"]) == (0, len(data))
        assert answer["count"] == len(messages)


@settings(max_examples=150, deadline=None)
@given(st.one_of(hostile, st.binary(max_size=200), st.text(max_size=60).map(str.encode)))
def test_a_text_that_is_not_utf8_is_not_delivered(core, payload):
    good = frame(BINARY, b"\xff")
    data = good + frame(TEXT, payload) + good
    for code in core.codes:
        answer = deliver(core, code, data)
        if verdict_of_cpython(payload) == "between":
            assert answer["found"] == 0 and answer["count"] == 3
        else:
            assert answer["seen"] == [delivered("binary", b"\xff")]
            assert (answer["found"], answer["count"]) == (-1, 1)
            assert answer["next"] == len(data) - len(good)


def test_nothing_is_delivered_any_more_once_the_client_is_closing(core):
    data = frame(TEXT, b"one") + frame(TEXT, b"two") + frame(TEXT, b"three")
    for code in core.codes:
        answer = deliver(core, code, data, then=("close", 2))
        assert [seen[1] for seen in answer["seen"]] == [b"one".hex(), b"two".hex()]
        assert (answer["found"], answer["count"]) == (0, 2)
        assert answer["next"] == len(data) - len(frame(TEXT, b"three"))


def test_it_can_go_on_behind_a_message_with_which_the_callback_raised(core):
    data = frame(TEXT, b"one") + frame(TEXT, b"two") + frame(TEXT, b"three")
    for code in core.codes:
        answer = deliver(core, code, data, then=("raise", 2))
        assert (answer["found"], answer["count"]) == ("on purpose", 2)
        assert answer["next"] == len(data) - len(frame(TEXT, b"three"))


def test_any_other_frame_is_left_alone(core):
    data = frame(TEXT, b"x" * 200)
    for code in core.codes:
        for other in (
            frame(TEXT, b"x" * 9, final=False),
            frame(TEXT, b"x" * 9, reserved=4),
            frame(TEXT, b"x" * 9, masked=False),
            frame(TEXT, b"x" * 9, length_bytes=2),
            frame(TEXT, b"x" * 9, length_bytes=8),
            frame(0, b"x" * 9),
            frame(9, b"x" * 9),
            frame(8, b"x" * 9),
            b"",
        ):
            before = frame(BINARY, b"before")
            answer = deliver(core, code, before + other)
            assert (answer["found"], answer["count"]) == (0, 1)
            assert answer["next"] == len(before)
        answer = deliver(core, code, data, limit=199)
        assert (answer["found"], answer["next"], answer["seen"]) == (0, 0, [])


def test_of_a_common_frame_that_is_not_whole_yet_the_size_is_told(core):
    for code in core.codes:
        for size, header in ((5, 6), (125, 6), (126, 8), (4000, 8)):
            data = frame(TEXT, b"x" * size)
            for cut in (header, header + 1, len(data) - 1):
                answer = deliver(core, code, b"." + data[:cut], pos=1)
                assert (answer["found"], answer["next"]) == (len(data), 1)
                assert answer["seen"] == []
            assert deliver(core, code, data[:5])["found"] == 0


messages = st.one_of(
    st.tuples(st.just("bytes"), st.binary(max_size=130)),
    st.tuples(st.just("str"), st.text(max_size=130).map(str.encode)),
)


@settings(max_examples=200, deadline=None)
@given(messages, st.integers(0, 5), st.integers(-2, 2), st.integers(-2, 2))
def test_a_short_message_is_sent_where_there_is_space_for_it_or_can_be_made(
    core, message, pos, spare, more
):
    kind, data = message
    expected = bytes([0x81 if kind == "str" else 0x82, len(data) & 0xFF]) + data
    limit = max(0, pos + len(expected) + spare)
    space = len(expected) + more
    short, fits = len(data) < 126, spare >= 0
    begin = pos if fits else 0
    sent = short and (fits or more >= 0)
    for code in core.codes:
        order = {"do": "send", "code": code, "type": kind, "message": data.hex(), "space": space}
        answer = core(**order, pos=pos, limit=limit)
        assert answer["others"] == (not short)
        assert answer["calls"] == (short and not fits)
        assert answer["said"] is (sent or not short)
        assert answer["end"] == (begin + len(expected) if sent else pos)
        out = bytes.fromhex(answer["out"])
        assert out == (bytes(begin) + expected if sent else b"").ljust(len(out), b"\0")


def test_a_text_that_is_one_of_the_programs_names_is_sent_as_any_other(core):
    for code in core.codes:
        for name in ("on_message", "x", "größe"):
            order = {"do": "send", "code": code, "type": "name", "pos": 0, "limit": 100}
            answer = core(**order, message=name.encode().hex())
            data = name.encode()
            assert answer["said"] is True and answer["end"] == 2 + len(data)
            assert bytes.fromhex(answer["out"]).startswith(bytes([0x81, len(data)]) + data)


def test_what_is_not_sent_at_once_is_left_to_others(core):
    for code in core.codes:
        order = {"do": "send", "code": code, "type": "other", "pos": 0, "limit": 100}
        answer = core(**order, message=b"a bytearray".hex())
        assert (answer["others"], answer["end"]) == (1, 0)


def test_frames_have_the_shortest_header(core):
    for length, head in (
        (0, "8200"),
        (125, "827d"),
        (126, "827e007e"),
        (65535, "827effff"),
        (65536, "827f0000000000010000"),
    ):
        answer = core(do="encode", data=bytes(length).hex(), text=False)
        assert answer["frame"] == head + bytes(length).hex()
    assert core(do="encode", data="é".encode().hex(), text=True)["frame"] == "8102c3a9"


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60), st.sampled_from((0, 32)), st.data())
def test_a_part_of_a_buffer_becomes_a_text_if_it_is_ascii_and_bytes(core, data, bits, draw):
    start = draw.draw(st.integers(0, len(data)))
    length = draw.draw(st.integers(0, len(data) - start))
    part = data[start : start + length]
    text = None if max(part, default=0) > 127 else bytes(b | bits for b in part).decode()
    for code in core.codes:
        order = {"data": data.hex(), "start": start, "length": length, "bits": bits}
        answer = core(do="make", code=code, **order)
        assert answer == {"text": text, "bytes": part.hex(), "alike": True}


HEADERS = [
    (
        b"Host: localhost\r\nAccept-Language:de, en  ",
        {"host": "localhost", "accept-language": "de, en"},
    ),
    (b"A:\r\nb-: c d\r\nC:~", {"a": "", "b-": "c d", "c": "~"}),
    (b"", {}),
    (b"a: b\r\n", {"a": "b"}),
    (b"\r\n".join(b"%c%c: x" % (97 + i % 8, 97 + i // 8) for i in range(64)), ...),
    (b"\r\n".join(b"%c%c: x" % (97 + i % 8, 97 + i // 8) for i in range(65)), None),
    *(
        (line, None)
        for line in (
            *(
                b"a: b\r\nA: c",
                b"a: b\tc",
                b"a: \x7f",
                b"a: \xc3\xa9",
                b"-a: b",
                b"a b: c",
                b"a1: b",
            ),
            *(b": b", b"a", b"a: b\rc: d", b"a: b\nc: d", b"a\r: b", b" a: b", b"[: b", b"a@: b"),
            *(b"a: b\r\n c", b"a\x0d: b", b"\xc1: b", b"a:b\r", b"a: \x00"),
        )
    ),
]


def test_common_headers_are_parsed_and_others_are_left_to_another_function(core):
    for code in core.codes:
        for head, expected in HEADERS:
            answer = core(do="headers", code=code, head=(b"GET..." + head).hex(), pos=6)
            assert answer["common"] == (expected is not None), (code, head)
            if expected not in (None, ...):
                assert answer["headers"] == expected, (code, head)


@settings(max_examples=200, deadline=None)
@given(st.text("aZ-: \r\n\t1\x7f", max_size=20).map(str.encode))
def test_both_parsers_of_headers_agree(core, head):
    answers = [core(do="headers", code=code, head=head.hex(), pos=0) for code in core.codes]
    assert answers[0] == answers[-1]
