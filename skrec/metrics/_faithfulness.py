"""Whether explanations say what a model goes by."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_scalar

from skrec._explain import Explanations
from skrec.interactions import Histories, factorize
from skrec.metrics._compare import _p_values
from skrec.metrics._evaluate import bootstrap_interval, check_resampling, draw_seed, to_frame
from skrec.metrics._held_out import unwrap

_PAIRS_A_BLOCK = 256
_MEASURES = ("score", "rank")


def explanation_faithfulness(
    recommender: Any,
    explanations: Any,
    *,
    measure: str = "score",
    n_random: int = 5,
    n_bootstrap: int = 1000,
    n_permutations: int = 9999,
    confidence: float = 0.95,
    random_state: int | np.random.RandomState | None = None,
) -> Any:
    """How far a score falls when the history that an explanation cites is taken away, against other history.

    An explanation that cites what the model goes by takes more of the score with it than as many items of the
    same history at random. Nothing is fitted again: each pair is asked for as a stranger with the fitted events
    of the user, with those of the cited items left out, and with those of as many others left out.

    Parameters
    ----------
    recommender : recommender, or a Pipeline or search that ends in one
        Fitted; the one that is explained, or another that the explanations are held against.
    explanations : Explanations
        Of users of fit. Items in ``evidence`` of the kind "history" are what is cited.
    measure : {"score", "rank"}, default="score"
        What falls: the score, in its own units, or the place of the item among all, as a share of the catalogue.
        Scores of unlike histories need not be on one scale; places are, and compare between models.
    n_random : int, default=5
        Draws of other items a pair, of which the mean counts.
    n_bootstrap, confidence, random_state
        As in :func:`evaluate`; ``random_state`` also draws the items. Users are the units.
    n_permutations : int, default=9999
        As in :func:`compare`.

    Returns
    -------
    frame
        One row: ``measure``; ``drop``, the mean fall without what is cited; ``random_drop``, without others;
        ``difference``, with ``ci_low``, ``ci_high`` and a two-sided ``p_value``; ``n_pairs``; and ``n_skipped``,
        pairs that cite no fitted event or leave none to compare with.

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
    check_scalar(n_permutations, "n_permutations", int, min_val=1)
    check_scalar(n_random, "n_random", int, min_val=1)
    if measure not in _MEASURES:
        raise ValueError(f"measure must be one of {_MEASURES}; got {measure!r}.")
    rec, _ = unwrap(recommender, None)
    if not isinstance(explanations, Explanations):
        raise TypeError(f"explanations must be what explain() returned; got {type(explanations).__name__}.")
    seed = draw_seed(random_state)
    pairs = _Pairs.read(rec, explanations)
    falls = _falls(rec, pairs, measure, n_random, np.random.default_rng(seed))
    told = np.isfinite(falls).all(axis=1)
    values = np.column_stack([falls, falls[:, 0] - falls[:, 1]])[told]
    users = factorize(np.asarray(explanations.user), "users")[1][pairs.number[told]]
    row: dict[str, Any] = {"measure": measure}
    means = values.mean(axis=0) if len(values) else np.full(3, np.nan)
    row |= dict(zip(("drop", "random_drop", "difference"), means.tolist(), strict=True))
    low, high = bootstrap_interval(values, users, n_bootstrap, confidence, seed)
    row |= {"ci_low": low[2], "ci_high": high[2]}
    row["p_value"] = _p_values(values[:, 2:], users, n_permutations, seed)[0]
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
    def read(cls, rec: Any, explanations: Any) -> _Pairs:
        histories = rec.seen_items(explanations.user)
        items = rec._item_index.codes(explanations.item, "items")
        number, cited, others = [], [], []
        for row, reasons in enumerate(explanations.evidence):
            ids = [reason.item for reason in reasons if reason.kind == "history"]
            chosen = np.unique(histories.items[histories.indptr[row] : histories.indptr[row + 1]])
            chosen = chosen[chosen != items[row]]
            if not ids or items[row] < 0:
                continue
            named = np.isin(chosen, rec._item_index.codes(ids, "evidence", check_kind=False))
            if named.any() and not named.all():
                number.append(row)
                cited.append(chosen[named])
                others.append(chosen)
        return cls(number, items, histories, cited, others)

    def __len__(self) -> int:
        return len(self.number)


def _falls(rec: Any, pairs: _Pairs, measure: str, n_random: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """(n_pairs, 2): the fall without what is cited, and the mean fall without as many others."""
    falls = np.full((len(pairs), 2), np.nan)
    drawn = [
        [rng.choice(others, len(cited), replace=False) for _ in range(n_random)]
        for cited, others in zip(pairs.cited, pairs.others, strict=True)
    ]
    for start in range(0, len(pairs), _PAIRS_A_BLOCK):
        block = range(start, min(start + _PAIRS_A_BLOCK, len(pairs)))
        versions = [(row, gone) for row in block for gone in (np.zeros(0), pairs.cited[row], *drawn[row])]
        values = _values(rec, pairs, versions, measure).reshape(len(block), 2 + n_random)
        falls[block, 0] = values[:, 0] - values[:, 1]
        falls[block, 1] = values[:, 0] - values[:, 2:].mean(axis=1)
    return falls


def _values(rec: Any, pairs: _Pairs, versions: list[tuple[int, NDArray]], measure: str) -> NDArray[np.float64]:
    """What falls, for strangers with the history of a pair less some items; NaN for an item that is left out."""
    rows = np.array([row for row, _ in versions])
    histories = pairs.histories.take(rows)
    kept = np.concatenate(
        [
            ~np.isin(histories.items[a:b], gone)
            for a, b, (_, gone) in zip(histories.indptr[:-1], histories.indptr[1:], versions, strict=True)
        ]
    )
    strangers = _strangers(rec, len(versions))
    events = np.empty((int(kept.sum()), 2), dtype=object)
    events[:, 0] = strangers[histories.row_of_event()[kept]]
    events[:, 1] = rec.items_[histories.items[kept]].tolist()
    asked = {"history": (events, histories.y[kept]), "exclude_seen": False}
    items = pairs.items[rows]
    if measure == "score":
        found = rec.recommend(strangers, 1, candidates=[[item] for item in rec.items_[items].tolist()], **asked)
        return np.where(found.codes[:, 0] >= 0, found.scores[:, 0].astype(np.float64), np.nan)
    found = rec.recommend(strangers, len(rec.items_), **asked)
    is_item = found.codes == items[:, None]
    place = np.where(is_item.any(axis=1), is_item.argmax(axis=1), np.nan)
    return -place / max(1, len(rec.items_) - 1)


def _strangers(rec: Any, n: int) -> NDArray:
    """Ids that no user of fit has."""
    known = set(rec.users_.tolist())
    name = "stranger"
    while any(isinstance(user, str) and user.startswith(name) for user in known):
        name += "-"
    ids = np.empty(n, dtype=object)
    ids[:] = [f"{name}{number}" for number in range(n)]
    return ids
