"""The power fails at random moments. Short versions are in tests/failsafe and tests/admin."""

import random

import pytest

from tests.admin.test_update import (  # noqa: F401 - fixtures
    board,
    install_with_power_cuts,
    new_board,
    password,
    project,
    roll_back_with_power_cuts,
)
from tests.failsafe.power import cut_at_random

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1800)]
TABLE = "power"


def test_starting_and_saving_settings(make_board, figures):
    cut_at_random(make_board, times=200, seed=random.randrange(1 << 30))
    what = "100 starts, and 100 times saving settings"
    figures(TABLE, what, 200, "serves; settings are old or new")


def test_installing_an_update(board, project, figures):  # noqa: F811 - the fixtures
    install_with_power_cuts(board, project, times=40)
    figures(
        TABLE,
        "installing an OTA update of all modules, 4 cuts in each of 40",
        160,
        "the new version",
    )


def test_taking_an_update_back(board, project, figures):  # noqa: F811 - the fixtures
    roll_back_with_power_cuts(board, project, times=20)
    figures(
        TABLE,
        "rolling back an update that does not start, 4 cuts in each of 20",
        80,
        "the old version",
    )
