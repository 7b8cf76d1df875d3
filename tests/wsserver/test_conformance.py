"""The Autobahn test suite against a live board, through kosoku, which runs its case files."""

import asyncio

import pytest

kosoku = pytest.importorskip("kosoku", reason="kosoku has no wheel for this machine")

GROUPS = {"1.*": 16, "2.*": 11, "3.*": 7, "4.*": 10, "5.*": 20, "6.*": 145, "7.*": 37, "10.*": 1}


async def run_cases(url, cases):
    try:
        return await kosoku.run_fuzzingclient(url, cases=cases)
    except kosoku.FailureError as failure:
        return failure.results


def verdicts(board, cases):
    """The number of cases run, and what is said of each that is neither OK nor informational."""
    results = asyncio.run(run_cases(f"ws://{board.address}:{board.http_port}/ws", cases))
    good = {"OK", "INFORMATIONAL"}
    bad = {
        result.case_id: (result.behavior.value, result.behavior_close.value)
        for result in results
        if not {result.behavior.value, result.behavior_close.value} <= good
    }
    return len(results), bad


@pytest.fixture(scope="module")
def spacious(make_lab):
    """A board with memory for the suite's messages of up to 128 KiB, and no message of its own
    accord.
    """
    return make_lab(max_size=140000, ping_interval=None, heap="2m")


@pytest.mark.parametrize("group", GROUPS)
def test_every_case_of_the_group_is_ok(spacious, group):
    count, bad = verdicts(spacious, [group])
    assert bad == {}
    assert count == GROUPS[group]


@pytest.mark.conformance
@pytest.mark.timeout(1200)
def test_every_case_with_large_messages_is_ok(make_lab):
    board = make_lab(max_size=16 * 1024 * 1024 + 16, ping_interval=None, heap="256m")
    count, bad = verdicts(board, ["9.*"])
    assert bad == {}
    assert count == 54
