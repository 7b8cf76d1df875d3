"""What is printed where there is no browser."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("options", [[], ["-n", "1"]])
def test_without_a_browser_one_line_says_how_to_install_it(tmp_path, options):
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-k", "axe or phone"]
    process = subprocess.run(
        [*command, *options, "tests/browser"],
        cwd=ROOT,
        env={**os.environ, "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=100,
    )
    lines = [line for line in process.stdout.splitlines() if line.startswith("SKIPPED")]
    assert len(lines) == 1, process.stdout
    assert "SKIPPED [" in lines[0]
    assert "apt install chromium" in lines[0]
