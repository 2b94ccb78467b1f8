"""Files that were changed: a loaded model refuses what compiled code would trust, and nothing crashes."""

import json
import os
import select
import signal
import subprocess
import sys
import time
import warnings
from collections import Counter
from pathlib import Path

import pytest
from mutated_files import mutated, outcome
from saved_models import saved_models

import skrec
from skrec.persistence import skops_trusted_types
from skrec.testing import public_estimators

skops = pytest.importorskip("skops.io")

N_FILES, N_FEW, N_GROWN = 2000, 12, 600
_HERE = Path(__file__).parent
_SECONDS, _SECONDS_TO_START = 20, 300
NAMES = [cls.__name__ for cls in public_estimators()]


class _Child:
    """A process that tries files, one after the other."""

    def __init__(self, name, start, stop):
        command = [sys.executable, str(_HERE / "mutated_files.py"), name, str(start), str(stop)]
        paths = [str(Path(skrec.__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}  # the skrec of this test, not an installed one
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env)
        self.rest = b""

    def line(self, seconds):
        """The next line; None where the process ends, or says nothing for too long."""
        until = time.monotonic() + seconds
        while b"\n" not in self.rest:
            left = until - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                return None
            read = self.process.stdout.read1()
            if not read:
                return None
            self.rest += read
        line, self.rest = self.rest.split(b"\n", 1)
        return json.loads(line)

    def end(self):
        """How the process ended, or that it had to be ended."""
        try:
            code = self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return f"no answer in {_SECONDS} s"
        said = self.process.stderr.read().decode(errors="replace")
        return f"{signal.Signals(-code).name if code < 0 else code}: {said[-3000:]}"


def attack(name, n, *, start=0):
    """Counts of what became of ``n`` changed files of a class, and how the process died for each that ended it."""
    counts, deaths, stop = Counter(), {}, start + n
    while start < stop:
        child = _Child(name, start, stop)
        assert child.line(_SECONDS_TO_START) == "ready", child.end()
        while start < stop:
            at = child.line(_SECONDS)
            found = None if at is None else child.line(_SECONDS)
            if found is None:
                deaths[start] = child.end()
                start += 1
                break
            counts[found] += 1
            start += 1
        else:
            child.process.communicate()
    return counts, deaths


@pytest.mark.parametrize("name", NAMES)
def test_a_few_changed_files(name):
    """The same in this process, so that the ordinary tests have it too: each is refused, or can be used."""
    fitted = saved_models(name)[name]
    archives, trusted = [skops.dumps(one) for one in fitted], skops_trusted_types()
    with warnings.catch_warnings(action="ignore"):
        found = [
            outcome(mutated(archives[i % len(fitted)], [i, 0]), fitted[i % len(fitted)], trusted) for i in range(N_FEW)
        ]
    assert "refused" in found


@pytest.mark.attack
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", NAMES)
def test_changed_files_never_end_the_process(name, attack_log):
    counts, deaths = attack(name, N_FILES)
    attack_log(files=N_FILES, **counts, died=len(deaths))
    assert not deaths


@pytest.mark.attack
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", NAMES)
def test_no_number_in_a_file_makes_a_use_long(name, attack_log):
    """Each whole number of the schema in its turn is 50,000,000: what it would size is refused, or bounded."""
    counts, deaths = attack(name, N_GROWN, start=-N_GROWN)
    attack_log(files=N_GROWN - counts.pop("nothing"), **counts, died=len(deaths))
    assert not deaths
