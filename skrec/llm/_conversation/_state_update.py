"""Computes the next state from a state and one parsed text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skrec.base import TextSpace
from skrec.llm._conversation._critique import Critique
from skrec.llm._conversation._state import Constraint, ConversationState, Question, plain_id

_ANSWERED = 2.0
_KEPT, _TOWARDS, _AWAY = 0.5, 1.0, 0.25
_DIGITS = 6
_MOST_CONSTRAINTS = 100


def next_state(
    state: ConversationState, critique: Critique, ids: NDArray, space: TextSpace | None
) -> ConversationState:
    """Apply a critique to a state; ``shown``, ``asked`` and ``pending`` stay as they are.

    Parameters
    ----------
    state : ConversationState
    critique : Critique
    ids : ndarray of shape (n_items,)
        Item ids in catalogue order.
    space : TextSpace or None
    """
    if critique.restart:
        state = ConversationState(user=state.user, language=state.language, n_turns=state.n_turns)
    liked = [plain_id(ids[code]) for code in critique.liked]
    disliked = [plain_id(ids[code]) for code in critique.disliked]
    known = [plain_id(ids[code]) for code in critique.known]
    rejected = [item for item in state.shown if item not in liked] if critique.reject_shown else []
    critique.constraints += answer_constraints(state.pending, critique)
    critique.wanted = [text for text in critique.wanted if not _is_option(text, state.pending)]
    return replace(
        state,
        liked=_joined(state.liked, liked, without=[*disliked, *known]),
        disliked=_joined(state.disliked, disliked, without=liked),
        known=_joined(state.known, known, without=()),
        rejected=_joined(state.rejected, rejected, without=liked),
        constraints=_merged(state.constraints, critique.constraints),
        request_vector=_moved(state.request_vector, critique, space),
        language=critique.language or state.language,
    )


def answer_constraints(pending: Question | None, critique: Critique) -> list[Constraint]:
    """The constraints of an answer; they weigh more than constraints stated without a question."""
    if pending is None:
        return []
    attribute, relation, values = pending.attribute, pending.relation, pending.values
    if relation == "is" and len(values) > 1:
        # "Poetry" is an answer; "a sad novel about the sea" is a request of its own.
        wanted = [one.value for one in critique.constraints if one.attribute == attribute and one.weight > 0]
        alone = any(_is_option(text, pending) for text in critique.wanted)
        named = [value for value in values if value in wanted and alone]
        if named:
            return [Constraint(attribute, "is", value, _ANSWERED) for value in named]
        if critique.answer in ("other", "no"):
            return [Constraint(attribute, "is", value, -_ANSWERED) for value in values]
        return []
    if critique.answer not in ("yes", "no"):
        return []
    return [Constraint(attribute, relation, values[0], _ANSWERED if critique.answer == "yes" else -_ANSWERED)]


def _is_option(text: str, pending: Question | None) -> bool:
    """Whether a text is an option of the question, which becomes a label constraint."""
    options = () if pending is None or pending.relation != "is" else pending.values
    return any(text.lower() == str(value).lower() for value in options)


def _joined(before: Iterable[Any], new: Iterable[Any], without: Iterable[Any]) -> tuple[Any, ...]:
    excluded = list(without)
    return tuple(one for one in dict.fromkeys([*before, *new]) if one not in excluded)


def _merged(before: Sequence[Constraint], new: Sequence[Constraint]) -> tuple[Constraint, ...]:
    """The latest constraint of each kind; an older bound that contradicts a later one is dropped."""
    kept: dict[tuple, Constraint] = {}
    for one in [*before, *new]:
        is_bound = one.relation in ("<=", ">=") and one.strict
        key = (one.attribute, one.relation) if is_bound else (one.attribute, one.relation, one.value)
        kept.pop(key, None)
        kept[key] = one
        if is_bound:
            opposite = (one.attribute, ">=" if one.relation == "<=" else "<=")
            other = kept.get(opposite)
            if other is not None and _contradicts(one, other):
                del kept[opposite]
    return tuple(kept.values())[-_MOST_CONSTRAINTS:]


def _contradicts(one: Constraint, other: Constraint) -> bool:
    low, high = (other, one) if one.relation == "<=" else (one, other)
    return float(low.value) > float(high.value)


def _moved(vector_before: Sequence[float], critique: Critique, space: TextSpace | None) -> tuple[float, ...]:
    """The request vector, moved towards wanted texts and away from unwanted ones (Rocchio)."""
    if space is None:
        return ()
    both = (critique.wanted, critique.unwanted)
    wanted, unwanted = ([t for text in said for t in critique.meanings.get(text, [text])] for said in both)
    towards, away = _mean_of(space, wanted, critique.liked), _mean_of(space, unwanted, critique.disliked)
    if towards is None and away is None:
        return tuple(vector_before)
    vector = np.zeros(space.dimension) if not len(vector_before) else _KEPT * np.asarray(vector_before)
    if towards is not None:
        vector = vector + _TOWARDS * towards
    if away is not None:
        vector = vector - _AWAY * away
    # Rounded, so that a round trip through JSON does not change the vector.
    return tuple(np.round(vector.astype(np.float64), _DIGITS).tolist())


def _mean_of(space: TextSpace, texts: Sequence[str], items: Sequence[int]) -> NDArray | None:
    parts = []
    if texts:
        parts.append(space.encode(list(texts)))
    if items:
        parts.append(space.vectors_of(items))
    return np.concatenate(parts).mean(axis=0) if parts else None
