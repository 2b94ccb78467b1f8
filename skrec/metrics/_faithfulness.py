"""Whether explanations cite what the scores of a model depend on."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from skrec._explain import Explanations
from skrec.interactions import Histories, RecommenderView, factorize
from skrec.metrics._compare import p_values_of
from skrec.metrics._evaluate import bootstrap_interval, check_count, check_resampling, draw_seed, to_frame
from skrec.metrics._held_out import unwrap
from skrec.utils import RandomState

_PAIRS_A_BLOCK = 256
_MOST_RANDOM = 1000
_MEASURES = ("score", "rank")


def explanation_faithfulness(
    recommender: BaseEstimator,
    explanations: Explanations,
    *,
    measure: str = "score",
    n_random: int = 5,
    n_bootstrap: int = 1000,
    n_permutations: int = 9999,
    confidence: float = 0.95,
    random_state: RandomState = None,
) -> Any:
    """How far a score falls without the cited history, compared with other parts of the history.

    If an explanation is faithful, the score depends on the items that it cites: without them it falls further
    than without as many random items of the same history. Nothing is fitted again. Each pair is scored as a new
    user with the fitted events of the user, without the events of the cited items, and without those of as many
    random items.

    Parameters
    ----------
    recommender : recommender, or a Pipeline or search that ends in one
        Fitted. The one that is explained, or another one to test the explanations with. It must take ``history``.
    explanations : Explanations
        Of users of fit. Items in ``evidence`` of the kind "history" are the cited ones.
    measure : {"score", "rank"}, default="score"
        What falls: the score, in its own units, or the rank of the item among all, as a share of the catalogue.
        Scores of different histories may differ in scale. Ranks do not, and can be compared between models.
    n_random : int, default=5
        Draws of random items per pair; their mean counts.
    n_bootstrap, confidence, random_state
        As in :func:`evaluate`; ``random_state`` also draws the items. Users are the units.
    n_permutations : int, default=9999
        As in :func:`compare`.

    Returns
    -------
    frame
        One row: ``measure``; ``drop``, the mean fall without the cited items; ``random_drop``, without random
        ones; ``difference``, with ``ci_low``, ``ci_high`` and a two-sided ``p_value``; ``n_pairs``; and
        ``n_skipped``, the pairs that cite no fitted event, or all of them.

    References
    ----------
    .. [1] J. DeYoung et al. (2020). ERASER: a benchmark to evaluate rationalized NLP models. ACL, for
       comprehensiveness.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.metrics import explanation_faithfulness
    >>> from skrec.neighbors import ItemKNNRecommender
    >>> X = np.array([[u, i] for u in range(20) for i in range(12) if (u + i) % 2 == 0 and (u + i) % 6])
    >>> rec = ItemKNNRecommender().fit(X)
    >>> users = np.arange(10)
    >>> why = rec.explain(users, rec.recommend(users, k=1).items.ravel(), n_evidence=1)
    >>> found = explanation_faithfulness(rec, why, random_state=0)
    >>> list(found.columns)
    ['measure', 'drop', 'random_drop', 'difference', 'ci_low', 'ci_high', 'p_value', 'n_pairs', 'n_skipped']
    """
    check_resampling(n_bootstrap, confidence)
    check_count(n_permutations, "n_permutations")
    check_count(n_random, "n_random", high=_MOST_RANDOM)
    if not isinstance(measure, str) or measure not in _MEASURES:
        raise ValueError(f"measure must be one of {_MEASURES}; got {measure!r}.")
    rec, _ = unwrap(recommender, None)
    if not isinstance(explanations, Explanations):
        raise TypeError(f"explanations must be what explain() returned; got {type(explanations).__name__}.")
    seed = draw_seed(random_state)
    view = RecommenderView(rec)
    pairs = _Pairs.read(view, explanations)
    falls = _falls(view, pairs, measure, n_random, np.random.default_rng(seed))
    is_defined = np.isfinite(falls).all(axis=1)
    values = np.column_stack([falls, falls[:, 0] - falls[:, 1]])[is_defined]
    users = factorize(np.asarray(explanations.user), "users")[1][pairs.number[is_defined]]
    row: dict[str, Any] = {"measure": measure}
    means = values.mean(axis=0) if len(values) else np.full(3, np.nan)
    row |= dict(zip(("drop", "random_drop", "difference"), means.tolist(), strict=True))
    low, high = bootstrap_interval(values, users, n_bootstrap, confidence, seed)
    row |= {"ci_low": low[2], "ci_high": high[2]}
    row["p_value"] = p_values_of(values[:, 2:], users, n_permutations, seed)[0]
    return to_frame([row | {"n_pairs": len(values), "n_skipped": len(explanations) - len(values)}])


class _Pairs:
    """Pairs whose explanation cites fitted events, and does not cite them all.

    Attributes
    ----------
    number : int64 array of shape (n_pairs,)
        Position among the explanations.
    items : int64 array of shape (n_pairs,)
    histories : Histories of n_pairs rows
    cited, others : lists of n_pairs arrays of item codes
    """

    def __init__(self, number: list[int], items: NDArray, histories: Histories, cited: list, others: list) -> None:
        self.number = np.array(number, dtype=np.int64)
        self.items = items[self.number]
        self.histories = histories.take(self.number)
        self.cited = cited
        self.others = others

    @classmethod
    def read(cls, view: RecommenderView, explanations: Explanations) -> _Pairs:
        histories = view.seen_items(explanations.user)
        items = view.item_index.codes(explanations.item, "items")
        number, cited, others = [], [], []
        for row, reasons in enumerate(explanations.evidence):
            ids = [reason.item for reason in reasons if reason.kind == "history"]
            chosen = np.unique(histories.items[histories.indptr[row] : histories.indptr[row + 1]])
            chosen = chosen[chosen != items[row]]
            if not ids or items[row] < 0:
                continue
            named = np.isin(chosen, view.item_index.codes(ids, "evidence", check_kind=False))
            if named.any() and not named.all():
                number.append(row)
                cited.append(chosen[named])
                others.append(chosen)
        return cls(number, items, histories, cited, others)

    def __len__(self) -> int:
        return len(self.number)


def _falls(
    view: RecommenderView, pairs: _Pairs, measure: str, n_random: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """(n_pairs, 2): the fall without what is cited, and the mean fall without as many others."""
    falls = np.full((len(pairs), 2), np.nan)
    drawn = [
        [rng.choice(others, len(cited), replace=False) for _ in range(n_random)]
        for cited, others in zip(pairs.cited, pairs.others, strict=True)
    ]
    for start in range(0, len(pairs), _PAIRS_A_BLOCK):
        block = range(start, min(start + _PAIRS_A_BLOCK, len(pairs)))
        versions = [(row, gone) for row in block for gone in (np.zeros(0), pairs.cited[row], *drawn[row])]
        values = _values(view, pairs, versions, measure).reshape(len(block), 2 + n_random)
        falls[block, 0] = values[:, 0] - values[:, 1]
        falls[block, 1] = values[:, 0] - values[:, 2:].mean(axis=1)
    return falls


def _values(
    view: RecommenderView, pairs: _Pairs, versions: list[tuple[int, NDArray]], measure: str
) -> NDArray[np.float64]:
    """What falls, for new users with the history of a pair less some items; NaN where the item is not ranked."""
    rows = np.array([row for row, _ in versions])
    histories = pairs.histories.take(rows)
    kept = np.concatenate(
        [
            ~np.isin(histories.items[a:b], gone)
            for a, b, (_, gone) in zip(histories.indptr[:-1], histories.indptr[1:], versions, strict=True)
        ]
    )
    histories = histories.where(kept)
    items, catalogue = pairs.items[rows], view.item_index.values
    if measure == "score":
        codes, scores = view.rank_histories(histories, 1, [[item] for item in catalogue[items].tolist()])
        return np.where(codes[:, 0] >= 0, scores[:, 0].astype(np.float64), np.nan)
    codes, _ = view.rank_histories(histories, len(catalogue))
    is_item = codes == items[:, None]
    place = np.where(is_item.any(axis=1), is_item.argmax(axis=1), np.nan)
    return -place / max(1, len(catalogue) - 1)
