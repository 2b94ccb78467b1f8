"""The question with the greatest expected information about the candidates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from skrec.llm._conversation._constraint_ranking import ConstraintRanking
from skrec.llm._conversation._state import Constraint, Question

_SHARPNESS = 1.0
_WRONG = {"is": 0.02, "<=": 0.02, "about": 0.1}
"""Assumed share of wrong answers: "about the sea" is a matter of opinion, an author is not."""

_N_OPTIONS = 3
_LEAST_SHARE = 0.03
_LEAST_BITS = 0.15


def best_question(
    ranking: ConstraintRanking, candidates: NDArray[np.int64], scores: NDArray, asked: Sequence[Question]
) -> Question | None:
    """The question with the greatest expected information about the item that the user looks for.

    Parameters
    ----------
    ranking : ConstraintRanking
    candidates : int64 array of shape (n_candidates,)
        Codes of the possible items.
    scores : array of shape (n_candidates,)
    asked : sequence of Question
        Questions that are not repeated; a question with several values excludes its attribute.

    Returns
    -------
    Question or None
        None where no question is informative enough.
    """
    if len(candidates) < 2:
        return None
    chances = likelihoods(scores)
    best, most = None, _LEAST_BITS
    for question, groups in askable(ranking, candidates, chances, asked):
        bits = information(chances, groups, _WRONG[question.relation])
        if bits > most + 1e-9:
            best, most = question, bits
    return best


def random_question(
    ranking: ConstraintRanking, candidates: NDArray[np.int64], scores: NDArray, asked: Sequence[Question], seed: int
) -> Question | None:
    """A random question to which not all candidates have the same answer."""
    if len(candidates) < 2:
        return None
    found = [question for question, _ in askable(ranking, candidates, likelihoods(scores), asked)]
    return found[np.random.default_rng(seed).integers(len(found))] if found else None


def likelihoods(scores: NDArray) -> NDArray[np.float64]:
    """Probability of each candidate, by its score."""
    weights = np.exp(_SHARPNESS * (scores - scores.max()))
    return weights / weights.sum()


def information(chances: NDArray, groups: NDArray[np.int64], wrong: float) -> float:
    """Information of an answer in bits: its entropy, minus the entropy of wrong answers.

    Parameters
    ----------
    chances : array of shape (n_candidates,)
    groups : int64 array of shape (n_candidates,)
        The answer of each candidate.
    wrong : float
        Share of answers that are wrong.
    """
    n_groups = int(groups.max()) + 1
    if n_groups < 2:
        return 0.0
    shares = np.bincount(groups, weights=chances, minlength=n_groups)
    answers = shares * (1 - wrong) + (1 - shares) * wrong / (n_groups - 1)
    noise = np.array([1 - wrong, *[wrong / (n_groups - 1)] * (n_groups - 1)])
    return _entropy(answers) - _entropy(noise)


def _entropy(shares: NDArray) -> float:
    positive = shares[shares > 0]
    return float(-(positive * np.log2(positive)).sum())


def askable(
    ranking: ConstraintRanking, candidates: NDArray[np.int64], chances: NDArray, asked: Sequence[Question]
) -> Iterator[tuple[Question, NDArray[np.int64]]]:
    """Questions with more than one answer among the candidates, and the answer of each candidate."""
    done = {(one.attribute, one.relation, value) for one in asked for value in one.values}
    done_attributes = {one.attribute for one in asked if len(one.values) > 1}
    for question in _questions(ranking, candidates, chances, done, done_attributes):
        groups = answers_of(ranking, question, candidates)
        if groups.min() != groups.max():
            yield question, groups


def answers_of(ranking: ConstraintRanking, question: Question, candidates: NDArray[np.int64]) -> NDArray[np.int64]:
    """The answer of each candidate: the position of its first matching value, or the number of values."""
    groups = np.full(len(candidates), len(question.values), np.int64)
    for place in range(len(question.values) - 1, -1, -1):
        value = question.values[place]
        if question.relation == "about":
            matches = ranking.themes[str(value)][candidates]
        else:
            matches = ranking.matches(Constraint(question.attribute, question.relation, value))[candidates]
        groups[matches] = place
    return groups


def _questions(
    ranking: ConstraintRanking, candidates: NDArray[np.int64], chances: NDArray, done: set, done_attributes: set[str]
) -> Iterator[Question]:
    facts = ranking.facts
    weight = np.zeros(facts.n_items)
    weight[candidates] = chances
    for column, labels in facts.labels.items():
        if facts.is_person(column):
            continue  # users seldom know the author beforehand
        shares = {label: float(weight[items].sum()) for label, items in labels.items()}
        fresh = [label for label, share in shares.items() if _LEAST_SHARE < share < 1 - _LEAST_SHARE]
        fresh = [label for label in fresh if (column, "is", label) not in done]
        fresh.sort(key=lambda label: (-shares[label], label))
        if len(fresh) > 1 and column not in done_attributes:
            yield Question(column, "is", tuple(fresh[:_N_OPTIONS]))
        for label in fresh[: 2 * _N_OPTIONS]:
            yield Question(column, "is", (label,))
    for theme in ranking.themes:
        share = float(weight[ranking.themes[theme]].sum())
        if _LEAST_SHARE < share < 1 - _LEAST_SHARE and ("", "about", theme) not in done:
            yield Question("", "about", (theme,))
    for column, values in facts.numbers.items():
        if (middle := _median(values[candidates], chances)) is not None and (column, "<=", middle) not in done:
            yield Question(column, "<=", (middle,))


def _median(values: NDArray, chances: NDArray) -> float | None:
    """The weighted median of the finite values."""
    finite = np.isfinite(values)
    if not finite.any():
        return None
    order = np.argsort(values[finite], kind="stable")
    cumulated = np.cumsum(chances[finite][order])
    return float(values[finite][order][np.searchsorted(cumulated, cumulated[-1] / 2)])
