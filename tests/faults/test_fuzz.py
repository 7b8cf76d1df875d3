"""A short run of `make fuzz` against a live board."""

from collections import Counter

import pytest

from tests.wsserver.conftest import Raw
from tools.hardening.fuzz import firmware, network
from tools.wsclient import TEXT, RawClient, frame


@pytest.fixture
def fuzzer(make_victim):
    return network.Fuzzer(make_victim(network.HEAP, tls=True, routes=True), 7, Counter())


def test_hundreds_of_inputs_that_nobody_thought_of_do_a_board_no_harm(fuzzer):
    fuzzer.batch(60)
    fuzzer.forget_heap()  # what is kept for good is there
    fuzzer.batch(60)
    assert len(fuzzer.counts) == len(set(network.KINDS))


def test_orders_and_settings_that_nobody_thought_of_do_the_firmware_no_harm(make_board):
    board = make_board(config=firmware.CONFIG, heap=firmware.HEAP)
    fuzzer = firmware.FirmwareFuzzer(board, 7, Counter(), firmware.KINDS)
    fuzzer.batch(30)
    fuzzer.forget_heap()
    fuzzer.batch(30)
    assert len(fuzzer.counts) == len(set(firmware.KINDS))


def test_the_fuzzer_notices_a_client_that_is_left_over(make_victim, monkeypatch):
    monkeypatch.setattr(network, "PATIENCE", 1)
    board = make_victim(ping_interval=None)
    connection = Raw(board).open()
    with pytest.raises(network.FindError, match="clients are left over"):
        network.Fuzzer(board, 7, Counter()).batch(0)
    connection.close()


def test_the_fuzzer_notices_what_one_of_its_clients_finds(make_victim, monkeypatch):
    def find(board, chance):
        raise network.FindError("no echo")

    monkeypatch.setattr(network, "KINDS", [find])
    with pytest.raises(network.FindError, match="no echo"):
        network.Fuzzer(make_victim(), 7, Counter()).batch(1)


def test_the_fuzzer_notices_an_error_in_the_log(make_victim, monkeypatch):
    def error(board, chance):
        with RawClient(board.http_port).open("/hog") as peer:
            peer.send(frame(TEXT, b"no number"))
            peer.receive()

    monkeypatch.setattr(network, "KINDS", [error])
    with pytest.raises(network.FindError, match="Traceback"):
        fuzzer = network.Fuzzer(make_victim(), 7, Counter())
        for _ in range(5):  # what is logged late is found the next time
            fuzzer.batch(1)
