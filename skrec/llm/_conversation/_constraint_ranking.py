"""How well items fulfil the wishes of a conversation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from skrec.base import TextSpace
from skrec.llm._conversation._item_facts import ItemFacts
from skrec.llm._conversation._lexicon import concept_text
from skrec.llm._conversation._state import Constraint

_BOOST = {"is": 2.0, "<=": 2.0, ">=": 2.0, "about": 1.0}
_NEAR = 2.0
"""Standard scores above the mean similarity from which an item counts as being about a text."""

_STEP = 100.0


@dataclass
class Constraints:
    """What items are ranked by.

    Attributes
    ----------
    facts : ItemFacts
    themes : dict of str to bool array of shape (n_items,)
    space : TextSpace or None
    """

    facts: ItemFacts
    themes: dict[str, NDArray[np.bool_]]
    space: TextSpace | None

    def holds(self, constraint: Constraint) -> NDArray[np.bool_]:
        """Which items are what a constraint names, whatever its weight."""
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
            text = concept_text(value) if is_theme else value
            found = found | (self.space.similarity(self.space.encode([text])[0]) >= _NEAR)
        return found

    def fulfils(self, constraint: Constraint) -> NDArray[np.bool_]:
        """Which items are as a constraint wants them."""
        holds = self.holds(constraint)
        if constraint.weight > 0:
            return holds
        # Nothing is known of an item without a value: neither bound holds, and neither is broken by a "no".
        return ~holds

    def violations(self, constraints: Sequence[Constraint]) -> NDArray[np.float64]:
        """(n_items,) which strict constraints are broken, as a rank: the latest counts more than all before it."""
        strict = [self.fulfils(one) for one in constraints if one.strict]
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
        """(n_items,) how well items fit taste, request and what is rather wanted."""
        strength = min(1.0, float(np.linalg.norm(request))) if len(request) else 0.0
        scores = (1 - request_weight * strength) * taste
        if strength and self.space is not None:
            scores = scores + request_weight * strength * self.space.similarity(request)
        for one in constraints:
            if not one.strict:
                scores = scores + _BOOST[one.relation] * one.weight * self.holds(one)
        return scores


def taste_scores(codes: NDArray[np.int64], n_items: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Normal scores of a ranked list, and which items are in it.

    Scores of different recommenders do not compare; ranks do.
    """
    taste, listed = np.zeros(n_items), np.zeros(n_items, bool)
    codes = codes[codes >= 0]
    listed[codes] = True
    taste[codes] = ndtri(1 - (np.arange(len(codes)) + 0.5) / max(len(codes), 1))
    return taste, listed


def ranked(
    scores: NDArray, violations: NDArray, eligible: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.float64], int]:
    """The eligible items, best first, their scores, and how many fulfil every strict constraint.

    Where some do, nothing else is given; where none does, those come first that keep to the latest ones.
    """
    codes = np.flatnonzero(eligible)
    n_fulfilling = int((violations[codes] == 0).sum())
    if n_fulfilling:
        codes = codes[violations[codes] == 0]
    final = scores[codes] - _STEP * violations[codes]
    best = np.lexsort((codes, -final))
    return codes[best], final[best], n_fulfilling
