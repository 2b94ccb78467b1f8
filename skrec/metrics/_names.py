"""Names of metrics, as ``"ndcg@10"``."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from skrec.interactions import check_k
from skrec.metrics import _hits

RANKING = {
    "precision": _hits.precision,
    "recall": _hits.recall,
    "hit_rate": _hits.hit_rate,
    "ndcg": _hits.ndcg,
    "map": _hits.average_precision,
    "mrr": _hits.reciprocal_rank,
}
OF_EACH_LIST = ("novelty", "popularity", "diversity")
OF_ALL_LISTS = ("coverage", "gini")
LESS_IS_BETTER = ("popularity", "gini")
KNOWN = (*RANKING, *OF_EACH_LIST, *OF_ALL_LISTS)


@dataclass(frozen=True)
class Metric:
    """A metric: ``name`` as written, ``kind`` without ranks and sign, ranks ``k``, and the sign of its values."""

    name: str
    kind: str
    k: int
    sign: int = 1


def read_names(names: str | Iterable[str]) -> tuple[str, ...]:
    """One name or several as a tuple.

    Raises
    ------
    TypeError
        If it is neither.
    """
    if isinstance(names, bytes) or not isinstance(names, Iterable):
        raise TypeError(f"metrics must be a name such as 'ndcg@10', or a list of names; got {names!r:.100}.")
    return (names,) if isinstance(names, str) else tuple(names)


def parse_metrics(names: str | Iterable[str], k: int) -> list[Metric]:
    """Parse names.

    Raises
    ------
    ValueError
        If a name is unknown or repeated, or there is none.
    """
    names = list(read_names(names))
    if not names:
        raise ValueError(f"metrics is empty; name at least one of {', '.join(KNOWN)}, as in 'ndcg@10'.")
    metrics = [_parse(name, k) for name in names]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(f"metrics names {', '.join(map(repr, sorted(twice)))} more than once.")
    return metrics


def _parse(name: str, k: int) -> Metric:
    if not isinstance(name, str):
        raise TypeError(f"metrics must be names such as 'ndcg@10'; got {name!r} of type {type(name).__name__}.")
    match = re.fullmatch(r"(neg_)?([a-z_]+)(?:@(-?\d{1,30}))?", name)
    negated, kind, ranks = match.groups() if match else (None, name, None)
    if kind not in KNOWN or (negated and kind not in LESS_IS_BETTER):
        close = get_close_matches(kind.split("@")[0].lower(), KNOWN, n=1)
        meant = f" Did you mean {close[0]!r}?" if close else ""
        raise ValueError(
            f"Unknown metric {name!r:.60}.{meant} Known are {', '.join(KNOWN)}, each with an optional '@k' as in "
            f"'ndcg@10', and neg_popularity and neg_gini for scorers."
        )
    n_ranks = check_k(k) if ranks is None else check_k(int(ranks), f"k of the metric {name!r}")
    return Metric(name, kind, n_ranks, -1 if negated else 1)


def check_greater_is_better(metrics: Iterable[Metric]) -> None:
    """Raise for a metric for which lower is better under its plain name, since a search maximises its score."""
    for metric in metrics:
        if metric.kind in LESS_IS_BETTER and metric.sign > 0:
            raise ValueError(
                f"A search maximises its score, and for {metric.name!r} lower is better; write 'neg_{metric.name}'."
            )
