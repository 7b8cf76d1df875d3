"""The power fails at random moments. Short versions are in tests/failsafe and tests/admin."""

import random

import pytest

from tests.admin.test_update import (  # noqa: F401 - fixtures
    either_board,
    install_with_power_cuts,
    new_board,
    password,
    project,
    roll_back_with_power_cuts,
)
from tests.failsafe.power import cut_at_random

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1800)]
TABLE = "power"


def on(board):
    """Return the words for a flash that is no folder of the host."""
    return "" if board.flash.exists() else ", on littlefs"


def test_starting_and_saving_settings(make_board, figures):
    cut_at_random(make_board, times=200, seed=random.randrange(1 << 30))
    what = "100 starts, and 100 times saving settings"
    figures(TABLE, what, 200, "serves; settings are old or new")


def test_installing_an_update(either_board, project, figures):  # noqa: F811 - the fixtures
    install_with_power_cuts(either_board, project, times=40)
    figures(
        TABLE,
        f"installing an OTA update of all modules, 4 cuts in each of 40{on(either_board)}",
        160,
        "the new version",
    )


def test_taking_an_update_back(either_board, project, figures):  # noqa: F811 - the fixtures
    roll_back_with_power_cuts(either_board, project, times=20)
    figures(
        TABLE,
        f"rolling back an update that does not start, 4 cuts in each of 20{on(either_board)}",
        80,
        "the old version",
    )
