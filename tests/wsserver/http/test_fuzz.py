"""What the fuzzers hold against bodies: with their corpus, and with more."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.hardening.fuzz import bodies, seeds

CORPUS = [(target, name, data) for target in bodies.CHECKS for name, data in seeds.load(target)]
HOW = st.binary(min_size=2, max_size=2)
CHUNKS = st.lists(st.binary(max_size=40), max_size=8)


@pytest.mark.parametrize("target, name, data", CORPUS, ids=[f"{t}-{n}" for t, n, _ in CORPUS])
def test_what_the_corpus_has_is_parsed_however_it_is_cut(target, name, data):
    bodies.CHECKS[target](data)


@settings(max_examples=150, deadline=None)
@given(HOW, CHUNKS, st.binary(max_size=20))
def test_chunks_are_what_another_parser_makes_of_them(how, chunks, rest):
    body = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    bodies.check_body(how + b"\0" + body + rest)


@settings(max_examples=150, deadline=None)
@given(HOW, st.lists(st.binary(max_size=60), max_size=5), st.binary(max_size=9))
def test_forms_are_the_same_however_they_are_cut(how, contents, rest):
    head = b'--x\r\nContent-Disposition: form-data; name="%d"\r\n\r\n'
    parts = [head % number + content for number, content in enumerate(contents)]
    bodies.check_multipart(how + b"\r\n".join([*parts, b"--x--\r\n"]) + rest)


def test_the_other_parser_would_tell_if_a_chunk_was_misread():
    assert bodies._verdict(b"2\r\nab\r\n0\r\n\r\nrest") == (b"ab", 12)
    assert bodies._verdict(b"2\r\nabc\r\n0\r\n\r\n") is None
    assert bodies._verdict(b"2\nab\r\n0\r\n\r\n") is None
