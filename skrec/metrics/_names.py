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
    "f1": _hits.f1,
    "hit_rate": _hits.hit_rate,
    "ndcg": _hits.ndcg,
    "map": _hits.average_precision,
    "mrr": _hits.reciprocal_rank,
}
OF_HITS_AND_LISTS = ("serendipity",)
OF_EACH_LIST = ("novelty", "popularity", "diversity", "calibration_kl", "popularity_lift", "personalisation")
OF_ALL_LISTS = ("coverage", "gini")
OF_SCORES = ("auc", "auc_sampled")
OF_RATINGS = ("rmse", "mae")
LESS_IS_BETTER = ("popularity", "gini", "calibration_kl", "popularity_lift", "rmse", "mae")
KNOWN = (*RANKING, *OF_HITS_AND_LISTS, *OF_EACH_LIST, *OF_ALL_LISTS, *OF_SCORES, *OF_RATINGS)
_WITHOUT_NUMBER = ("auc", *OF_RATINGS)
_SHORT = {"arp": "popularity"}  # average recommendation popularity
_N_NEGATIVES, _MOST_NEGATIVES = 100, 1_000_000


@dataclass(frozen=True)
class Metric:
    """A metric: ``name`` as written, ``kind`` without number and sign, and the sign of its values.

    ``k`` is the number of ranks, for "auc_sampled" that of negatives, and 0 where there is neither.
    """

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
    match = re.fullmatch(r"(neg_)?([a-z_][a-z_0-9]*)(?:@(-?\d{1,30}))?", name)
    negated, kind, number = match.groups() if match else (None, name, None)
    kind = _SHORT.get(kind, kind)
    if kind not in KNOWN or (negated and kind not in LESS_IS_BETTER):
        close = get_close_matches(kind.split("@")[0].lower(), KNOWN, n=1)
        meant = f" Did you mean {close[0]!r}?" if close else ""
        raise ValueError(
            f"Unknown metric {name!r:.60}.{meant} Known are {', '.join(KNOWN)}, those of lists with an optional '@k' "
            f"as in 'ndcg@10', and neg_{', neg_'.join(LESS_IS_BETTER)} for scorers."
        )
    return Metric(name, kind, _read_number(name, kind, number, k), -1 if negated else 1)


def _read_number(name: str, kind: str, number: str | None, k: int) -> int:
    if kind in _WITHOUT_NUMBER:
        if number is not None:
            raise ValueError(f"{name!r} is of scores and not of the first ranks; write {name.split('@')[0]!r}.")
        return 0
    if number is None:
        return _N_NEGATIVES if kind == "auc_sampled" else check_k(k)
    if kind != "auc_sampled":
        return check_k(int(number), f"k of the metric {name!r}")
    n_negatives = check_k(int(number), f"the number of negatives of the metric {name!r}")
    if n_negatives > _MOST_NEGATIVES:
        raise ValueError(
            f"{name!r} samples more than {_MOST_NEGATIVES} negatives per query; write 'auc' for all items."
        )
    return n_negatives


def check_greater_is_better(metrics: Iterable[Metric]) -> None:
    """Raise for a metric for which lower is better under its plain name, since a search maximises its score."""
    for metric in metrics:
        if metric.kind in LESS_IS_BETTER and metric.sign > 0:
            raise ValueError(
                f"A search maximises its score, and for {metric.name!r} lower is better; write 'neg_{metric.name}'."
            )
