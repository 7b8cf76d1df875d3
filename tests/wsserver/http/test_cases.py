"""The parser of HTTP/1.1 requests, with cases of other parsers and of the RFCs."""

import pytest

from tests.wsserver.web import answer

from .cases import CASES


@pytest.mark.parametrize("what", CASES)
def test_a_request_is_parsed_as_the_rfcs_require(web, what):
    data, status, body = CASES[what]
    with web.connect() as connection:
        got = answer(connection.send(data))
    assert got.status == status
    assert body is None or got.body == body


@pytest.mark.parametrize("what", [what for what in CASES if len(CASES[what][0]) < 400])
def test_a_request_means_the_same_in_small_pieces(web, what):
    data, status, body = CASES[what]
    with web.connect() as connection:
        for start in range(len(data)):
            try:
                connection.send(data[start : start + 1])
            except ConnectionError:
                break  # refused before its end
        try:
            got = answer(connection)
        except ConnectionError:
            assert status >= 400, "only a refusal may be overtaken by a reset"
            return
    assert got.status == status
    assert body is None or got.body == body
