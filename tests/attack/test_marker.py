"""The marker: what carries it runs where the expression names it alone."""

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__)


@pytest.mark.attack
def test_that_runs_on_demand(attack_log):
    attack_log(calls=1)


@pytest.mark.parametrize(("options", "expected"), [(["-m", "not slow"], False), (["-m", "attack"], True)])
def test_attacks_run_on_demand_alone(options, expected):
    command = [sys.executable, "-m", "pytest", "-q", "--collect-only", *options, str(HERE)]
    shown = subprocess.run(command, capture_output=True, text=True, check=False, cwd=HERE.parents[2]).stdout
    assert ("test_that_runs_on_demand" in shown) is expected
