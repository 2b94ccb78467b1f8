"""Ranks items by the constraints and the request vector of a conversation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from skrec.base import TextSpace
from skrec.interactions import Recommendations
from skrec.llm._conversation._item_facts import ItemFacts
from skrec.llm._conversation._lexicon import concept_text
from skrec.llm._conversation._state import Constraint

_BOOST = {"is": 2.0, "<=": 2.0, ">=": 2.0, "about": 1.0}
_NEAR = 2.0
"""Standard scores above the mean similarity from which an item matches a text."""

_STEP = 100.0


@dataclass
class ConstraintRanking:
    """Matches items against constraints, and scores them.

    Attributes
    ----------
    facts : ItemFacts
    themes : dict of str to bool array of shape (n_items,)
    space : TextSpace or None
    """

    facts: ItemFacts
    themes: dict[str, NDArray[np.bool_]]
    space: TextSpace | None

    def matches(self, constraint: Constraint) -> NDArray[np.bool_]:
        """Items with the label, number or theme of a constraint, whatever its weight."""
        found = np.zeros(self.facts.n_items, bool)
        if constraint.relation == "is":
            found[self.facts.labels.get(constraint.attribute, {}).get(str(constraint.value), [])] = True
        elif constraint.relation == "about":
            found |= self._is_about(str(constraint.value))
        elif constraint.attribute in self.facts.numbers:
            values = self.facts.numbers[constraint.attribute]
            edge = float(constraint.value)
            with np.errstate(invalid="ignore"):
                found |= values <= edge if constraint.relation == "<=" else values >= edge
        return found

    def _is_about(self, value: str) -> NDArray[np.bool_]:
        is_theme = value in self.themes
        found = self.themes[value] if is_theme else self.facts.items_with(self.facts.forms_of(value))
        if self.space is not None:
            text = concept_text(value, self.facts) if is_theme else value
            found = found | (self.space.similarity(self.space.encode([text])[0]) >= _NEAR)
        return found

    def satisfies(self, constraint: Constraint) -> NDArray[np.bool_]:
        """Items that satisfy a constraint: those that match it, or for a negative weight those that do not."""
        matches = self.matches(constraint)
        # An item without a value matches no bound, so it satisfies every negated one.
        return matches if constraint.weight > 0 else ~matches

    def violations(self, constraints: Sequence[Constraint]) -> NDArray[np.float64]:
        """(n_items,) ranks by violated strict constraints; a later constraint outweighs all earlier ones."""
        strict = [self.satisfies(one) for one in constraints if one.strict]
        if not strict:
            return np.zeros(self.facts.n_items)
        broken = ~np.stack(strict)
        order = np.lexsort(broken)
        changes = (broken[:, order[1:]] != broken[:, order[:-1]]).any(axis=0)
        ranks = np.zeros(self.facts.n_items)
        ranks[order[1:]] = np.cumsum(changes)
        return ranks + broken[:, order[0]].any()

    def scores(
        self, taste: NDArray, request: NDArray, constraints: Sequence[Constraint], request_weight: float
    ) -> NDArray[np.float64]:
        """(n_items,) scores by taste, request vector and soft constraints."""
        strength = min(1.0, float(np.linalg.norm(request))) if len(request) else 0.0
        scores = (1 - request_weight * strength) * taste
        if strength and self.space is not None:
            scores = scores + request_weight * strength * self.space.similarity(request)
        for one in constraints:
            if not one.strict:
                scores = scores + _BOOST[one.relation] * one.weight * self.matches(one)
        return scores


def taste_scores(codes: NDArray[np.integer], n_items: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Normal scores of a ranked list, and a mask of its items.

    They come from ranks, because scores of different recommenders are not comparable.
    """
    taste, listed = np.zeros(n_items), np.zeros(n_items, bool)
    codes = codes[codes >= 0]
    listed[codes] = True
    taste[codes] = ndtri(1 - (np.arange(len(codes)) + 0.5) / max(len(codes), 1))
    return taste, listed


def ranked(
    scores: NDArray, violations: NDArray, eligible: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.float64], int]:
    """Codes and scores of the eligible items, best first, and how many satisfy every strict constraint.

    Where some items do, only those are returned. Where none does, items that satisfy the latest constraints come
    first.
    """
    codes = np.flatnonzero(eligible)
    n_matching = int((violations[codes] == 0).sum())
    if n_matching:
        codes = codes[violations[codes] == 0]
    final = scores[codes] - _STEP * violations[codes]
    best = np.lexsort((codes, -final))
    return codes[best], final[best], n_matching


def one_list(base: Recommendations, codes: NDArray, scores: NDArray, k: int, user: Any) -> Recommendations:
    """One row of ``k`` places for a user."""
    row, row_scores = np.full((1, k), -1, np.int32), np.full((1, k), -np.inf, np.float32)
    row[0, : len(codes)], row_scores[0, : len(codes)] = codes, scores
    users = np.empty(1, dtype=object)
    users[0] = user
    return base.with_lists(row, row_scores, users)
