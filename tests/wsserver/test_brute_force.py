"""Wrong secrets: what one address may try, what all may try together, and which pages may."""

import itertools

import pytest

from tests.wsserver.peer import Servers

RIGHT = "Authorization: Bearer s3cret"
WRONG = "Authorization: Bearer wrong"
EVIL = "Origin: http://evil.example"
_numbers = itertools.count(2)


@pytest.fixture(scope="module")
def servers(make_board):
    names = ("crowd", "locked", "known", "own", "basic", "page", "many")
    return Servers(make_board, **{name: {} for name in names})


def fresh():
    """An address that has never spoken to the board."""
    number = next(_numbers)
    return f"127.0.{1 + number // 250}.{1 + number % 250}"


def guess(servers, name, address, header=WRONG):
    """The status of a try to get in."""
    return servers.upgrade("/token", header, name=name, source=address).status


def exhaust(servers, name):
    """Guess from many addresses until no more guesses are taken."""
    answers = [guess(servers, name, fresh()) for _ in range(60)]
    assert answers[-1] == 429


def test_many_addresses_together_get_few_guesses(servers):
    answers = [guess(servers, "crowd", address) for address in [fresh() for _ in range(30)] * 3]
    assert set(answers) == {401, 429}
    assert answers.count(401) <= 40
    assert answers[:15] == [401] * 15


def test_other_addresses_cannot_push_out_a_locked_one(servers):
    locked = fresh()
    assert [guess(servers, "locked", locked) for _ in range(6)] == [401] * 5 + [429]
    for _ in range(40):
        guess(servers, "locked", fresh())
    assert guess(servers, "locked", locked, RIGHT) == 429


def test_an_address_that_has_been_let_in_is_exempt_from_the_common_limit(servers):
    known = fresh()
    assert guess(servers, "known", known, RIGHT) == 101
    exhaust(servers, "known")
    assert guess(servers, "known", fresh(), RIGHT) == 429
    assert guess(servers, "known", known, RIGHT) == 101
    assert guess(servers, "known", known) == 401


def test_an_address_that_has_been_let_in_has_five_tries_as_others(servers):
    known = fresh()
    assert guess(servers, "own", known, RIGHT) == 101
    assert [guess(servers, "own", known) for _ in range(6)] == [401] * 5 + [429]
    assert guess(servers, "own", known, RIGHT) == 429


def test_the_known_addresses_are_bounded(servers):
    addresses = [fresh() for _ in range(40)]
    for address in addresses:
        assert guess(servers, "many", address, RIGHT) == 101
    exhaust(servers, "many")
    answers = [guess(servers, "many", address, RIGHT) for address in addresses]
    assert 429 in answers
    assert answers[-1] == 101


def test_basic_is_limited_alike(servers):
    header = "Authorization: Basic d3Jvbmc6d3Jvbmc="
    answers = [
        servers.upgrade("/basic", header, name="basic", source=fresh()).status for _ in range(50)
    ]
    assert set(answers) == {401, 429}


def test_requests_without_a_secret_are_not_guesses(servers):
    answers = {servers.upgrade("/token", name="page", source=fresh()).status for _ in range(50)}
    assert answers == {401}


@pytest.mark.parametrize("header", [WRONG, RIGHT, "X: y"])
def test_a_foreign_page_gets_403_whatever_secret_it_has(servers, header):
    address = fresh()
    for _ in range(7):
        response = servers.upgrade("/token", EVIL, header, name="page", source=address)
        assert response.status == 403


def test_a_foreign_page_cannot_lock_its_visitor_out(servers):
    address = fresh()
    for _ in range(7):
        servers.upgrade("/token", EVIL, WRONG, name="page", source=address)
    assert guess(servers, "page", address, RIGHT) == 101


def test_a_foreign_page_cannot_guess_by_plain_requests(servers):
    address = fresh()
    for _ in range(7):
        response = servers.get("/token", EVIL, WRONG, name="page", source=address)
        assert response.status == 403
    assert guess(servers, "page", address, RIGHT) == 101
