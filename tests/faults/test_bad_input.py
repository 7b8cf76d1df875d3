"""Each row of the tables of bad input in docs/reliability.md."""

import re

import pytest

from tests.faults.conftest import wait_alone
from tests.wsserver.conftest import Raw
from tools import ROOT
from tools.hardening import badinput
from tools.wsclient import CLOSE, TEXT, frame

INFO = 20


@pytest.fixture(scope="module")
def victim(make_victim):
    return make_victim(ping_interval=None, level=INFO)


def name(bad):
    return bad.what


@pytest.mark.parametrize("bad", badinput.REQUESTS, ids=name)
def test_a_bad_request_gets_the_answer_that_the_document_promises(victim, bad):
    connection = Raw(victim).send(bad.data)
    head = connection.until(b"\r\n\r\n").decode()
    assert int(head.split()[1]) == bad.answer
    assert "\r\nConnection: close\r\n" in head
    length = int(re.search(r"\r\nContent-Length: (\d+)\r\n", head)[1])
    assert connection.read(length).decode().startswith(bad.says)
    connection.close()
    echoes(victim)


@pytest.mark.parametrize("bad", badinput.FRAMES, ids=name)
def test_a_bad_frame_gets_the_close_frame_and_the_line_in_the_log_of_the_document(victim, bad):
    position = victim.log_position
    connection = Raw(victim).open().send(bad.data)
    opcode, payload = connection.frame()
    assert (opcode, int.from_bytes(payload[:2], "big")) == (CLOSE, bad.answer)
    assert payload[2:].decode() == bad.says
    connection.close()
    victim.wait_for_log(rf"client \d+ {re.escape(bad.log)} \(", since=position)
    echoes(victim)


def echoes(board):
    connection = Raw(board).open().send(frame(TEXT, b"still here"))
    assert connection.frame() == (TEXT, b"still here")
    connection.close()


def test_nothing_is_left_over_and_the_log_has_clients_and_refusals_only(victim):
    assert wait_alone(victim)["connections"] == 1
    lines = re.sub(r"client \d+ (dis)?connected.*\r?\n", "", victim.log).splitlines()
    starts = ("wifi: ", "admin: ", "client ", "refused ")
    assert all(line.startswith(starts) for line in lines), lines


def test_the_document_has_these_very_tables():
    text = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    assert badinput.document(text) == text
