"""The question whose answer tells the candidates apart best."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from skrec.llm._conversation._constraint_ranking import Constraints
from skrec.llm._conversation._state import Constraint, Question

_SHARPNESS = 1.0
_WRONG = {"is": 0.02, "<=": 0.02, "about": 0.1}
"""Share of answers that are taken to be wrong: "about the sea" is a matter of opinion, an author is not."""

_N_OPTIONS = 3
_LEAST_SHARE = 0.03
_LEAST_BITS = 0.15


def best_question(
    wishes: Constraints, candidates: NDArray[np.int64], scores: NDArray, asked: Sequence[Question]
) -> Question | None:
    """The question of the greatest expected information on which candidate is looked for.

    Parameters
    ----------
    wishes : Constraints
    candidates : int64 array of shape (n_candidates,)
        Items that may be looked for.
    scores : array of shape (n_candidates,)
    asked : sequence of Question
        Not asked again, nor is a number's or a label's attribute of several values.

    Returns
    -------
    Question or None
        None where no question tells enough.
    """
    if len(candidates) < 2:
        return None
    chances = likelihoods(scores)
    best, most = None, _LEAST_BITS
    for question, groups in askable(wishes, candidates, chances, asked):
        bits = information(chances, groups, _WRONG[question.relation])
        if bits > most + 1e-9:
            best, most = question, bits
    return best


def random_question(
    wishes: Constraints, candidates: NDArray[np.int64], scores: NDArray, asked: Sequence[Question], seed: int
) -> Question | None:
    """Any question that the candidates do not all answer alike."""
    if len(candidates) < 2:
        return None
    found = [question for question, _ in askable(wishes, candidates, likelihoods(scores), asked)]
    return found[np.random.default_rng(seed).integers(len(found))] if found else None


def likelihoods(scores: NDArray) -> NDArray[np.float64]:
    """How likely each candidate is the one, by its score."""
    weights = np.exp(_SHARPNESS * (scores - scores.max()))
    return weights / weights.sum()


def information(chances: NDArray, groups: NDArray[np.int64], wrong: float) -> float:
    """Bits that an answer tells of the candidates: its entropy, less that of answers given wrongly.

    Parameters
    ----------
    chances : array of shape (n_candidates,)
    groups : int64 array of shape (n_candidates,)
        The answer that each candidate gives.
    wrong : float
        Share of answers that are any of the others.
    """
    n_groups = int(groups.max()) + 1
    if n_groups < 2:
        return 0.0
    shares = np.bincount(groups, weights=chances, minlength=n_groups)
    answers = shares * (1 - wrong) + (1 - shares) * wrong / (n_groups - 1)
    noise = np.array([1 - wrong, *[wrong / (n_groups - 1)] * (n_groups - 1)])
    return _entropy(answers) - _entropy(noise)


def _entropy(shares: NDArray) -> float:
    told = shares[shares > 0]
    return float(-(told * np.log2(told)).sum())


def askable(
    wishes: Constraints, candidates: NDArray[np.int64], chances: NDArray, asked: Sequence[Question]
) -> Iterator[tuple[Question, NDArray[np.int64]]]:
    """Questions with more than one answer among the candidates, and the answer of each candidate."""
    done = {(one.attribute, one.relation, value) for one in asked for value in one.values}
    done_attributes = {one.attribute for one in asked if len(one.values) > 1}
    for question in _questions(wishes, candidates, chances, done, done_attributes):
        groups = answers_of(wishes, question, candidates)
        if groups.min() != groups.max():
            yield question, groups


def answers_of(wishes: Constraints, question: Question, candidates: NDArray[np.int64]) -> NDArray[np.int64]:
    """The answer of each candidate: the first of the values that it has, or the number of values for none."""
    groups = np.full(len(candidates), len(question.values), np.int64)
    for place in range(len(question.values) - 1, -1, -1):
        value = question.values[place]
        if question.relation == "about":
            holds = wishes.themes[str(value)][candidates]
        else:
            holds = wishes.holds(Constraint(question.attribute, question.relation, value))[candidates]
        groups[holds] = place
    return groups


def _questions(
    wishes: Constraints, candidates: NDArray[np.int64], chances: NDArray, done: set, done_attributes: set[str]
) -> Iterator[Question]:
    facts = wishes.facts
    weight = np.zeros(facts.n_items)
    weight[candidates] = chances
    for column, labels in facts.labels.items():
        if facts.is_person(column):
            continue  # who wrote it is what a reader seldom knows beforehand
        shares = {label: float(weight[items].sum()) for label, items in labels.items()}
        fresh = [label for label, share in shares.items() if _LEAST_SHARE < share < 1 - _LEAST_SHARE]
        fresh = [label for label in fresh if (column, "is", label) not in done]
        fresh.sort(key=lambda label: (-shares[label], label))
        if len(fresh) > 1 and column not in done_attributes:
            yield Question(column, "is", tuple(fresh[:_N_OPTIONS]))
        for label in fresh[: 2 * _N_OPTIONS]:
            yield Question(column, "is", (label,))
    for theme in wishes.themes:
        share = float(weight[wishes.themes[theme]].sum())
        if _LEAST_SHARE < share < 1 - _LEAST_SHARE and ("", "about", theme) not in done:
            yield Question("", "about", (theme,))
    for column, values in facts.numbers.items():
        if (middle := _median(values[candidates], chances)) is not None and (column, "<=", middle) not in done:
            yield Question(column, "<=", (middle,))


def _median(values: NDArray, chances: NDArray) -> float | None:
    """The weighted median of the values that are known."""
    told = np.isfinite(values)
    if not told.any():
        return None
    order = np.argsort(values[told], kind="stable")
    cumulated = np.cumsum(chances[told][order])
    return float(values[told][order][np.searchsorted(cumulated, cumulated[-1] / 2)])
