"""The benchmark: its programs answer, its generator notices what is wrong, its sums are right."""

import json
import re
import socket
import threading

import pytest

from tests.tools import commands
from tools.bench import check, heap, measure, memory, report, summary
from tools.bench.contenders import (
    BESIDE_CONTENDERS,
    CONTENDERS,
    HTTP_CONTENDERS,
    LATE_CONTENDERS,
    OWN_SOCKETS,
    TLS_CONTENDERS,
    Contender,
)
from tools.bench.generator import WrongAnswerError, complete, echo, percentiles
from tools.bench.loads import (
    ALL_LOADS,
    BESIDE_LOADS,
    HTTP_LOADS,
    LATE_LOADS,
    SLEEPING_LOADS,
    TLS_LOADS,
    Load,
)
from tools.ports import free_port

QUICK = [
    Load("32 B text, 32 in flight", "echo", 32, in_flight=32),
    Load("round trip, 4 KiB binary", "round trip", 4096, 2),
    Load("broadcast to 5", "broadcast", 100, clients=5),
    Load("handshakes", "handshakes"),
]


def measured(found, contender, loads):
    """Yield a contender's first answer to each load; skip if its interpreter lacks something."""
    for load in loads:
        answer = found[load.name][contender.name][0]
        if "not installed" in answer.get("error", ""):
            pytest.skip(answer["error"])
        assert "error" not in answer, (load.name, answer)
        yield answer


@pytest.mark.parametrize("contender", CONTENDERS, ids=lambda one: one.name)
def test_each_contender_answers_every_kind_of_load(contender):
    try:
        found = measure.run([contender], QUICK, 1, lambda text: None, seconds=0.05)
    except LookupError as error:
        pytest.skip(str(error))
    for answer in measured(found, contender, QUICK):
        assert answer["per_second"] > 0


@pytest.mark.parametrize("contender", TLS_CONTENDERS, ids=lambda one: one.name)
def test_each_contender_with_tls_answers(contender):
    found = measure.run([contender], TLS_LOADS, 1, lambda text: None, seconds=0.05)
    for load in TLS_LOADS:
        answer = found[load.name][contender.name][0]
        assert "error" not in answer, (load.name, answer)


@pytest.mark.parametrize("contender", HTTP_CONTENDERS, ids=lambda one: one.name)
def test_each_contender_answers_requests_and_tells_its_heap(contender):
    found = measure.run([contender], HTTP_LOADS, 1, lambda text: None, seconds=0.05)
    for answer in measured(found, contender, HTTP_LOADS):
        assert answer["per_second"] > 0
        assert answer["heap"] > 10000
    assert "bytes of heap" in report.heaps(summary.summarize(found))


def test_the_lateness_of_a_task_is_measured():
    found = measure.run(LATE_CONTENDERS, LATE_LOADS, 1, lambda text: None, seconds=0.2)
    answer = found[LATE_LOADS[0].name]["ours"][0]
    assert "error" not in answer, answer
    assert 0 <= answer["p50"] <= answer["p99"] < 1


def test_echoes_beside_transfers_are_compared_with_quiet_ones():
    found = measure.run(BESIDE_CONTENDERS, BESIDE_LOADS, 1, lambda text: None, seconds=0.2)
    for load in BESIDE_LOADS:
        for contender in BESIDE_CONTENDERS:
            answer = found[load.name][contender.name][0]
            if "other programs disturbed" in answer.get("error", ""):
                pytest.skip(answer["error"])
            assert "error" not in answer, (load.name, answer)
            assert 0 < answer["p50"] <= answer["p99"] < 1
    cell = summary.summarize(found)[BESIDE_LOADS[0].name]["quiet"]
    assert cell["ratio"] > 0 and cell["figure"] == cell["p99"]


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"


@pytest.mark.parametrize(
    ("response", "whole", "is_last"),
    [
        (HEAD, False, False),
        (HEAD + b"\r\nx", False, False),
        (HEAD + b"\r\nxy", True, False),
        (HEAD + b"Connection: close\r\n\r\nxy", True, True),
        (HEAD.replace(b"1.1", b"1.0") + b"\r\nxy", True, True),
    ],
)
def test_the_generator_knows_the_end_of_a_response(response, whole, is_last):
    assert complete(response) == (whole, is_last)


@pytest.mark.parametrize(
    "response", [HEAD.replace(b"200", b"500"), HEAD + b"\r\nxyz", b"HTTP/1.1"]
)
def test_the_generator_notices_a_wrong_response(response):
    with pytest.raises(WrongAnswerError):
        complete(response + b"\r\n\r\n")


@pytest.mark.parametrize("word", [32, 64])
def test_a_client_that_sleeps_is_answered_by_both_contenders(word):
    loads = SLEEPING_LOADS[word]
    found = measure.run(OWN_SOCKETS[word], loads, 1, lambda text: None, seconds=0.05)
    for load in loads:
        for name in ("ours", "bare TCP"):
            answer = found[load.name][name][0]
            if "needs a 32-bit MicroPython" in answer.get("error", ""):
                pytest.skip(answer["error"])
            assert "error" not in answer, (load.name, answer)


def test_a_probed_board_tells_of_its_heap_while_it_serves():
    with heap.ProbedBoard(heap.config(broadcast={"interval": 0}), "160k") as board:
        board.wait_ready()
        before = board.in_use()
        clients = heap.visit(board)
        assert before < board.in_use() < before + 40000
        assert board.largest_free() > 4600
        for client in clients:
            client.close()


def test_pages_settings_and_clients_fit_beside_the_memory_of_tls(word, certs):
    if word != 32:
        pytest.skip("only the interpreter of WORD=32 can grow its heap as a chip does")
    settings = heap.config(server={"max_clients": 6}, broadcast={"interval": 0})
    with heap.ProbedBoard(settings, None, certs=certs) as board:
        board.wait_ready()
        for client in heap.visit(board, keys=certs):
            client.close()
        assert board.heap.grown == 1  # at the start, as far as TLS allows


class Liar(threading.Thread):
    """Echoes raw bytes, but `spoil`s what it sends."""

    def __init__(self, spoil):
        super().__init__(daemon=True)
        self.spoil = spoil
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]

    def run(self):
        peer, _ = self.listener.accept()
        with peer, self.listener:
            while data := peer.recv(65536):
                data = self.spoil(data)
                if not data:
                    return
                peer.sendall(data)


@pytest.mark.parametrize(
    "spoil, complaint",
    [
        (lambda data: data[:-1] + b"!", "wrong byte"),
        (lambda data: data + b"!", "wrong byte"),
        (lambda data: b"", "closed"),
    ],
    ids=["another byte", "a byte too many", "a closed connection"],
)
def test_a_wrong_answer_ends_the_measurement(spoil, complaint):
    liar = Liar(spoil)
    liar.start()
    order = {"kind": "echo", "size": 50, "opcode": 1, "in_flight": 2, "clients": 1}
    with pytest.raises(WrongAnswerError, match=complaint):
        echo({**order, "port": liar.port, "path": None, "warm_up": 0, "seconds": 5})


def test_the_generator_reports_a_server_that_is_not_there():
    with measure.Generator() as generator:
        order = {"kind": "echo", "size": 5, "opcode": 1, "in_flight": 1, "clients": 1}
        answer = generator.ask(**order, port=free_port(), path=None, warm_up=0, seconds=1)
    assert "ConnectionRefusedError" in answer["error"]


def test_a_contender_that_does_not_start_leaves_its_cells_empty_and_the_others_run():
    def fail():
        raise AssertionError("waited 10 s in vain\nand more")

    broken = Contender("broken", fail)
    found = measure.run([broken, CONTENDERS[1]], QUICK[:1], 1, lambda text: None, seconds=0.05)
    cells = summary.summarize(found)[QUICK[0].name]
    assert cells["broken"] == {"error": "waited 10 s in vain"}
    assert cells["bare TCP"]["figure"] > 0


def answers(*figures, key="per_second"):
    return [{"per_second": 1, "p50": 1, "p99": 2, "cpu": None, key: figure} for figure in figures]


def test_ratios_are_of_the_same_round_and_their_median_counts():
    name = "32 B text, 32 in flight"
    found = {name: {"ours": answers(10, 30, 50), "bare TCP": answers(100, 100, 200)}}
    cell = summary.summarize(found)[name]["bare TCP"]
    assert cell["figure"] == 100
    assert (cell["least"], cell["ratio"], cell["most"]) == (0.1, 0.25, 0.3)


def test_a_round_that_failed_is_left_out():
    name = "handshakes"
    found = {name: {"ours": answers(10, 30), "bare TCP": [{"error": "no"}, *answers(60)]}}
    assert summary.summarize(found)[name]["bare TCP"]["ratio"] == 0.5


def test_percentiles_are_those_of_the_sorted_times():
    times = [float(number) for number in range(199, -1, -1)]
    assert percentiles(times) == {"p50": 100, "p99": 198}


@pytest.mark.parametrize(
    "load, ratio, verdict",
    [
        ("1 KiB text, 8 in flight", 0.6, "reached"),
        ("1 KiB text, 8 in flight", 0.59, "missed"),
        ("round trip, 32 B text", 1.4, "reached"),
        ("round trip, 32 B text", 1.41, "missed"),
    ],
)
def test_targets_are_the_least_for_speeds_and_the_most_for_times(load, ratio, verdict):
    text = report.targets({load: {"bare TCP": {"ratio": ratio}}})
    assert f"| {load}" in text and verdict in text


SPEED, TIME = "1 KiB text, 8 in flight", "round trip, 32 B text"


def ratio(load, value):
    return {load: {"bare TCP": {"ratio": value}}}


@pytest.mark.parametrize(
    "load, old, new, is_slower",
    [
        (SPEED, 0.6, 0.51, False),
        (SPEED, 0.6, 0.49, True),
        (SPEED, 0.6, 0.9, False),
        (TIME, 1.0, 1.19, False),
        (TIME, 1.0, 1.21, True),
        (TIME, 1.0, 0.5, False),
    ],
)
def test_a_load_that_is_slower_by_more_than_a_fifth_is_seen(load, old, new, is_slower):
    said = []
    fine = check.check(ratio(load, old), lambda loads: ratio(load, new), said.append)
    assert fine is not is_slower
    assert (load in said[0]) is is_slower


def test_a_load_that_fails_now_is_seen():
    failed = {SPEED: {"bare TCP": {"error": "closed"}}}
    assert not check.check(ratio(SPEED, 0.6), lambda loads: failed, lambda text: None)


def test_what_looks_slower_once_is_measured_again():
    found = iter([{**ratio(SPEED, 0.3), **ratio(TIME, 1)}, ratio(SPEED, 0.6)])
    asked = []

    def run(loads):
        asked.append([load.name for load in loads])
        return next(found)

    assert check.check({**ratio(SPEED, 0.6), **ratio(TIME, 1)}, run, lambda text: None)
    assert asked == [[SPEED, TIME], [SPEED]]


def test_the_baseline_has_all_loads():
    baseline = json.loads((measure.ROOT / "tools/bench/baseline.json").read_text())
    compared = {load.name for load in ALL_LOADS if load not in (*LATE_LOADS, *BESIDE_LOADS)}
    assert {name for name, cells in baseline.items() if check.ratio(cells)} == compared


def test_a_load_that_does_not_exist_is_answered_with_those_that_do():
    status, _, errors = commands.run("bench", "--only", "teleport")
    assert status and "'teleport'" in errors and "broadcast to 50" in errors


def test_importing_the_library_costs_at_most_16_kb_of_heap():
    assert memory.imports(source=False)["import"] <= 16 * 1024


def test_the_memory_table_has_a_column_for_each_word_size():
    found = memory.measure()
    head, _, *rows = report.memory(found).splitlines()
    assert 64 in found
    assert [cell.strip() for cell in head.strip("|").split("|")[1:]] == [
        f"{word} bits" for word in sorted(found)
    ]
    figures = {row.split("|")[1].strip(): row.split("|")[2:-1] for row in rows}
    for what in ("import wsserver, source", "an idle client, without its socket"):
        assert all(int(cell.replace(",", "")) > 100 for cell in figures[what])


def test_the_readme_quotes_the_table_of_the_benchmark():
    cells = {
        TIME: {
            "ours": {"figure": 1},
            "bare TCP": {"figure": 1, "ratio": 1.25},
            "chumicro": {"figure": 1, "ratio": 0.0038},
        }
    }
    about = {"date": "today", "processor": "abacus", "system": "desk", "micropython": "1.0"}
    old = "before\n" + report.BEGIN + "old" + report.END + "\nafter"
    new = report.quote(old, report.quotation(cells, about))
    assert new.startswith("before\n") and new.endswith("\nafter") and "old" not in new
    assert "abacus" in new and re.search(
        r"\| round trip, 32 B text \(time: less is better\) +\| 1\.25 +\| 0\.004 +\|", new
    )
    report.quote((measure.ROOT / "README.md").read_text(), "")


def test_why_a_target_is_missed_is_told_in_figures_of_the_run():
    name = "32 B text, 32 in flight"
    cells = {
        "ours": {"figure": 400000, "cpu": 2e-6},
        "bare TCP": {"figure": 500000, "cpu": 1e-6, "ratio": 0.8},
        "websockets": {"figure": 100000, "cpu": 12e-6, "ratio": 4.0},
    }
    assert "it would take 1.50 us" in report.reasons({name: cells})
    assert "Ours takes 2.00, of which 1.00" in report.reasons({name: cells})
    assert "6.00" in report.targets({name: cells})
