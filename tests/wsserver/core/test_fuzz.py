"""What the fuzzers hold against the core: with all that they ever found, and with some more."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.hardening.fuzz import core, exhaustive, oracle, seeds
from tools.wsclient import frame

pytestmark = pytest.mark.host

CORPUS = [(target, name, data) for target in core.CHECKS for name, data in seeds.load(target)]

PAYLOADS = st.one_of(st.binary(max_size=130), st.text(max_size=60).map(str.encode))
FRAMES = st.builds(
    frame,
    st.sampled_from((0, 0, 1, 1, 2, 8, 9, 10, 3, 11)),
    PAYLOADS,
    final=st.booleans(),
    reserved=st.sampled_from((0,) * 12 + (1, 4)),
    masked=st.sampled_from((True,) * 12 + (False,)),
)


@pytest.mark.parametrize("target, name, data", CORPUS, ids=[name for _, name, _ in CORPUS])
def test_what_was_found_once_is_not_found_again(target, name, data):
    core.CHECKS[target](data)


@settings(max_examples=100, deadline=None)  # `make fuzz` goes on for minutes
@given(st.binary(min_size=3, max_size=3), st.lists(FRAMES, max_size=8))
def test_frames_however_cut_do_what_another_parser_makes_of_them(how, frames):
    core.check_session(bytes((how[0] & 7,)) + how[1:] + b"".join(frames))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=600))
def test_no_bytes_break_the_reading_of_requests(data):
    core.check_request(data)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_mqtt_packets_however_cut_are_what_another_parser_finds(data):
    core.CHECKS["packets"](data)


def test_headers_of_all_kinds_do_what_another_parser_makes_of_them():
    for data in itertools.islice(exhaustive.headers(), 0, None, 199):
        core.check_session(data)


def test_the_other_parser_would_tell_if_a_frame_was_misread():
    stream = frame(1, b"one") + frame(2, b"two")
    right = [("text", b"one"), ("binary", b"two")]
    assert oracle.agrees(stream, right, None, False)
    assert not oracle.agrees(stream, right[:1], None, False)
    assert not oracle.agrees(stream, right[:1], 1007, True)
    assert not oracle.agrees(stream, [*right, ("text", b"one")], None, False)
