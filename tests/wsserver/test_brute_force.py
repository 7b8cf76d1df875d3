"""Wrong secrets of many addresses and of foreign pages. test_exact_limits.py has the numbers."""

import itertools

import pytest

from tests.wsserver.peer import Servers

RIGHT = "Authorization: Bearer s3cret"
WRONG = "Authorization: Bearer wrong"
EVIL = "Origin: http://evil.example"
_numbers = itertools.count(2)


@pytest.fixture(scope="module")
def servers(make_board):
    return Servers(make_board, locked={}, basic={}, page={})


def fresh():
    """An address that has never spoken to the board."""
    number = next(_numbers)
    return f"127.0.{1 + number // 250}.{1 + number % 250}"


def guess(servers, name, address, header=WRONG):
    """The status of a try to get in."""
    return servers.upgrade("/token", header, name=name, source=address).status


def test_other_addresses_cannot_push_out_a_locked_one(servers):
    locked = fresh()
    assert [guess(servers, "locked", locked) for _ in range(6)] == [401] * 5 + [429]
    for _ in range(40):
        guess(servers, "locked", fresh())
    assert guess(servers, "locked", locked, RIGHT) == 429


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
