"""The inner loops: native code and portable twin alike, against what CPython says."""

from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wire import BINARY, TEXT, frame

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


def scan(core, code, data, limit=60000, pos=0):
    return core(do="scan", code=code, data=data.hex(), pos=pos, limit=limit)["found"]


def test_only_whole_plain_data_frames_within_the_limit_take_the_fast_road(core):
    for code in core.codes:
        for opcode in (TEXT, BINARY):
            for length in (0, 1, 125, 126, 127, 4000, 60000):
                data = frame(opcode, bytes(length))
                assert scan(core, code, b"..." + data, pos=3) == length << 2 | opcode
                assert scan(core, code, data[:-1]) == 0
                assert scan(core, code, data + b"more", limit=length) == length << 2 | opcode
                assert scan(core, code, data, limit=length - 1) == 0
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
            assert scan(core, code, other) == 0


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=64), st.integers(0, 5))
def test_a_short_text_is_written_as_the_frame_that_it_is(core, text, pos):
    data = text.encode()
    expected = (
        bytes([0x81, len(data)])
        if len(data) < 126
        else bytes([0x81, 126, len(data) >> 8, len(data) & 255])
    )
    for code in core.codes:
        answer = core(do="put_text", code=code, text=data.hex(), pos=pos)
        assert bytes.fromhex(answer["out"]) == expected + data
        assert answer["end"] == pos + len(expected + data)


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
