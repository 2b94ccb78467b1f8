"""The evidence of several recommenders for one recommendation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from skrec._explain import Evidence

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
            key = (reason.kind, reason.item, reason.name)
            if key in found:
                known = found[key]
                found[key] = replace(known, weight=known.weight + weight, keywords=known.keywords or reason.keywords)
            else:
                found[key] = replace(reason, weight=weight)
    ranked = sorted(found.values(), key=lambda reason: -reason.weight)
    reasons_of_its_own = [reason for reason in ranked if reason.kind not in _LAST_RESORT]
    return (reasons_of_its_own or ranked[:1])[:n_evidence]
