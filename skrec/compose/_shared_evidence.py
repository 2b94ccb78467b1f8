"""The evidence of several recommenders for one recommendation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from skrec._explain import Evidence
from skrec.interactions import IdIndex
from skrec.utils import unwrap_recommender

_LAST_RESORT = ("popularity", "chance")


def shared_evidence(of_parts: Sequence[Sequence[Evidence]], shares: Sequence[float], n_evidence: int) -> list[Evidence]:
    """The strongest reasons of several recommenders for one pair.

    Parameters
    ----------
    of_parts : sequence of n_parts lists of Evidence
    shares : sequence of n_parts float
        What each recommender contributes to the score; it is spread over its reasons by their weights.
    n_evidence : int

    Returns
    -------
    list of at most n_evidence Evidence
        The strongest first; a reason that several give is one. Popularity and chance stand where nothing else does.
    """
    found: dict[tuple[str, object, str | None], Evidence] = {}
    for reasons, share in zip(of_parts, shares, strict=True):
        total = sum(abs(reason.weight) for reason in reasons)
        for reason in reasons:
            weight = share * (reason.weight / total if total else 1 / len(reasons))
            # One part may know the title of an item, and another its id alone.
            key = (reason.kind, reason.item, reason.name if reason.item is None else None)
            if key in found:
                known = found[key]
                found[key] = replace(
                    known,
                    weight=known.weight + weight,
                    keywords=known.keywords or reason.keywords,
                    name=known.name or reason.name,
                )
            else:
                found[key] = replace(reason, weight=weight)
    ranked = sorted(found.values(), key=lambda reason: -reason.weight)
    reasons_of_its_own = [reason for reason in ranked if reason.kind not in _LAST_RESORT]
    return (reasons_of_its_own or ranked[:1])[:n_evidence]


def with_names(reasons: Sequence[Sequence[Evidence]], parts: Sequence[Any]) -> list[list[Evidence]]:
    """The reasons, with the title of each item of a history that any of some fitted recommenders knows."""
    unnamed = {reason.item for row in reasons for reason in row if reason.item is not None and reason.name is None}
    names = _names_of(list(unnamed), parts) if unnamed else {}
    return [
        [
            replace(reason, name=names[reason.item]) if reason.name is None and reason.item in names else reason
            for reason in row
        ]
        for row in reasons
    ]


def _names_of(items: list[Any], parts: Sequence[Any]) -> dict[Any, str]:
    """Titles of items by the first recommender that knows one, also by those inside of another."""
    names: dict[Any, str] = {}
    for part in parts:
        inner = unwrap_recommender(part)
        inside = getattr(inner, "named_recommenders_", None) or {"": getattr(inner, "recommender_", None)}
        found = _names_of(items, [one for one in inside.values() if one is not None])
        texts = getattr(inner, "item_texts_", None)
        if texts is not None and texts.names is not None:
            codes = IdIndex(np.asarray(part.items_)).codes(np.array(items, dtype=object), "items", check_kind=False)
            found |= {item: texts.names[at] for item, at in zip(items, codes, strict=True) if at >= 0}
        names |= {item: name for item, name in found.items() if name is not None and item not in names}
    return names
