"""Every kind of bad input for metrics, splitters, readers and transformers: a clear error or a right answer."""

import warnings
from functools import cache

import pytest
from attack import LONGEST_CALL, attack_calls
from other_calls import (
    IDS_ALONE,
    NAMES_OF,
    TRANSFORMERS,
    of_evaluations,
    of_list_metrics,
    of_splitters,
    of_transformer,
    wrong_result,
)
from sklearn.base import clone

from skrec.neighbors import ItemKNNRecommender

GROUPS = ["metrics", "evaluations", "splitters", *TRANSFORMERS]
_ONE_IN = 20


@cache
def _subject_and_calls(group):
    if group in TRANSFORMERS:
        transformer, X = TRANSFORMERS[group]
        return clone(transformer).fit(X), of_transformer(group)
    make = {"metrics": of_list_metrics, "evaluations": of_evaluations, "splitters": of_splitters}[group]
    return ItemKNNRecommender(n_neighbors=3).fit(IDS_ALONE), make()


def _attack(group, choose, log):
    with warnings.catch_warnings(action="ignore"):
        subject, calls = _subject_and_calls(group)
    outcome = attack_calls(subject, choose(calls), wrong_result, NAMES_OF)
    log(calls=outcome.n_calls, **{name.replace(" ", "_"): n for name, n in sorted(outcome.counts.items())})
    assert not outcome.faults, "\n".join([f"{len(outcome.faults)} calls fell short:", *outcome.faults[:60]])
    assert outcome.longest < LONGEST_CALL
    return outcome.n_calls


@pytest.mark.parametrize("number", range(len(GROUPS)), ids=lambda number: GROUPS[number])
def test_some_bad_input_is_refused_or_read_right(number, attack_log):
    assert _attack(GROUPS[number], lambda calls: calls[number::_ONE_IN], attack_log) > 10


@pytest.mark.attack
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("group", GROUPS)
def test_bad_input_is_refused_or_read_right(group, attack_log):
    assert _attack(group, lambda calls: calls, attack_log) > 200
