"""Every kind of bad input, as every argument of every method of every recommender: a clear error or a right answer."""

from functools import partial

import pytest
from attack import LONGEST_CALL, attack
from subjects import SPECIAL, UPDATABLE

SUBJECTS = [*UPDATABLE, *SPECIAL]
_ONE_IN = 40


def _some(calls, first):
    """One call in forty; the subjects differ in which, so that all kinds of calls are tried on some."""
    return calls[first % _ONE_IN :: _ONE_IN]


def _report(outcome, log):
    log(calls=outcome.n_calls, **{name.replace(" ", "_"): n for name, n in sorted(outcome.counts.items())})
    assert not outcome.faults, "\n".join([f"{len(outcome.faults)} calls fell short:", *outcome.faults[:40]])
    assert outcome.longest < LONGEST_CALL


@pytest.mark.parametrize("number", range(len(SUBJECTS)), ids=lambda number: SUBJECTS[number].name)
def test_some_bad_input_is_refused_or_read_right(number, attack_log):
    outcome = attack(SUBJECTS[number], partial(_some, first=7 * number))
    assert outcome.n_calls > 25
    _report(outcome, attack_log)


@pytest.mark.attack
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("subject", SUBJECTS, ids=str)
def test_bad_input_is_refused_or_read_right(subject, attack_log):
    outcome = attack(subject)
    assert outcome.n_calls > 1000
    _report(outcome, attack_log)
