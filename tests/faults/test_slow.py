"""The slow and the dead: what they hold on to, for how long, and what the others notice of it."""

import threading
import time

import pytest

from tests.faults.conftest import Probe, bearable, health, ms, round_trips, wait_alone
from tests.waiting import wait_until
from tests.wsserver.conftest import Raw
from tools.hardening import slowclients as slow
from tools.wsclient import TEXT, frame, request

# ping_interval + ping_timeout of these boards, what ten looks a second may miss, and to ask.
IN_TIME = 1 + 1 + 0.2 + 0.2
PATIENCE = 8  # s
DEAD = [slow.deaf, slow.half_closed, slow.half_closed_within, slow.no_pong]


@pytest.fixture(scope="module")
def victim(make_victim):
    """A board with short deadlines, which three at a time may ask for something."""
    return make_victim()


def others_do_not_notice(victim, quiet, fault, count, figures):
    probe = Probe(victim)
    ended = threading.Event()
    threads = [
        threading.Thread(target=slow.misbehave, args=(victim, fault, ended), daemon=True)
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    try:
        found, usual, passed = bearable(lambda: round_trips((probe, quiet), count))
    finally:
        ended.set()
    figures("slow", describe(fault), ms(found), ms(usual), f"{count:,}")
    assert passed, f"median, p99: {ms(found)} ms instead of {ms(usual)}"
    for thread in threads:
        thread.join()
    probe.close()
    wait_alone(victim)


def describe(fault):
    """As a row of docs/reliability.md says it."""
    return fault.__doc__.strip(".").replace("\n   ", "")


@pytest.mark.parametrize("fault", [slow.slowloris, slow.deaf_echo, slow.no_pong])
def test_the_others_do_not_notice_the_slow_and_the_dead(victim, quiet, fault, figures):
    others_do_not_notice(victim, quiet, fault, 200, figures)


@pytest.mark.faults
@pytest.mark.timeout(900)
@pytest.mark.parametrize("fault", slow.FAULTS)
def test_the_others_do_not_notice_the_slow_and_the_dead_for_long(victim, quiet, fault, figures):
    others_do_not_notice(victim, quiet, fault, 5000, figures)


def dead_is_gone_in_time(victim, fault, figures):
    """Twice may be the machine's other work."""
    for _ in range(3):
        connection = next(fault(victim))
        left = time.monotonic()
        wait_until(lambda: health(victim)["clients"] == 1, "the dead to be gone", PATIENCE)
        took = time.monotonic() - left
        connection.close()
        if took <= IN_TIME:
            break
    figures("dead", describe(fault), f"{took:.2f}", f"{IN_TIME:.1f}")
    assert took <= IN_TIME


@pytest.mark.parametrize("fault", [slow.deaf, slow.half_closed_within, slow.no_pong])
def test_a_dead_client_is_gone_within_ping_interval_and_ping_timeout(victim, fault, figures):
    dead_is_gone_in_time(victim, fault, figures)


@pytest.mark.faults
@pytest.mark.parametrize("fault", DEAD)
def test_each_kind_of_dead_client_is_gone_within_ping_interval_and_ping_timeout(
    victim, fault, figures
):
    dead_is_gone_in_time(victim, fault, figures)


def test_a_handshake_that_takes_too_long_is_given_up(victim):
    connection = Raw(victim)
    started = time.monotonic()
    with pytest.raises(OSError):
        for byte in request():
            connection.sock.send(bytes([byte]))
            time.sleep(0.05)
    assert time.monotonic() - started >= 1.9  # open_timeout
    connection.close()


def test_one_byte_a_second_within_a_frame_is_alive_and_its_message_arrives(victim):
    data = frame(TEXT, b"so slow")
    connection = Raw(victim).open()
    for byte in data[:-1]:
        connection.send(bytes([byte]))
    time.sleep(1.1)  # longer than ping_interval
    connection.send(data[-1:])
    opcode, payload = connection.frame()
    while opcode != TEXT:
        opcode, payload = connection.frame()
    assert payload == b"so slow"
    connection.close()
