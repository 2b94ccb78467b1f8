"""Metrics of the scores that ``predict`` gives: AUC per query, and errors of ratings."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import narwhals as nw
import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from skrec.interactions import Column, EventTable, RecommenderView, Table, factorize, read_target
from skrec.metrics._auc import areas
from skrec.metrics._held_out import HeldOut
from skrec.metrics._measured import Sample, Values
from skrec.metrics._names import Metric
from skrec.utils import block_progress

_PAIRS = 1 << 20
"""Pairs that are scored at a time."""


def measure_scores(
    view: RecommenderView,
    queries: HeldOut,
    relevant: sp.csr_array,
    metrics: Sequence[Metric],
    candidates: NDArray[np.int64] | None,
    exclude_seen: bool,
) -> dict[str, Values]:
    """AUC of each query, against all items that are ranked or against sampled ones.

    Parameters
    ----------
    view : RecommenderView
    queries : HeldOut
    relevant : csr_array of shape (n_queries, n_codes)
        Relevant items outside the catalogue have the score that ``predict`` gives unknown items.
    metrics : list of Metric
    candidates : int64 array or None
        Codes of the items that are ranked; None means the catalogue.
    exclude_seen : bool
        Whether items that the user has had are not.

    Raises
    ------
    ValueError
        If ``predict`` cannot score the queries.
    """
    _check_can_score(view, queries, metrics[0].name)
    negatives = _Negatives(len(view.item_index), candidates)
    predict = _pair_scorer(view, queries)
    values = {}
    for metric in metrics:
        n_drawn = metric.k if metric.kind == "auc_sampled" else None
        rng = np.random.default_rng(0)  # the same negatives for all models of one catalogue
        parts = [np.zeros(0)]
        for at in _blocks(len(queries), len(negatives) if n_drawn is None else n_drawn):
            positive = relevant[at].tocoo()
            hidden = _hidden_pairs(queries, at, positive, exclude_seen)
            rows, items = (
                negatives.all(*hidden, len(at)) if n_drawn is None else (negatives.draw(*hidden, len(at), n_drawn, rng))
            )
            is_positive = np.arange(len(rows) + positive.nnz) >= len(rows)
            rows, items = np.concatenate([rows, positive.row]), np.concatenate([items, positive.col])
            parts.append(areas(rows, predict(at[rows], items), is_positive, len(at)))
        values[metric.name] = Values(np.concatenate(parts))
    return values


def _blocks(n_queries: int, n_negatives: int) -> Iterator[NDArray[np.int64]]:
    """Numbers of queries that are scored together."""
    size = max(1, _PAIRS // max(1, n_negatives))
    starts = range(0, n_queries, size)
    with block_progress(len(starts), "block") as bar:
        for start in starts:
            yield np.arange(start, min(start + size, n_queries))
            bar.update()


def _check_can_score(view: RecommenderView, queries: HeldOut, name: str) -> None:
    model = type(view.recommender).__name__
    if not hasattr(view.recommender, "predict"):
        raise ValueError(f"{name!r} needs predict(X), the scores of pairs, and {model} has none.")
    if queries.history is not None:
        raise ValueError(f"{name!r} is of predict(X), which takes no history of new users; leave out n_history.")
    if queries.events.context is not None and not queries.by_event:
        raise ValueError(
            f"{name!r} is of predict(X), which needs a context for each score, and a user has none of its own; "
            "pass per='event'."
        )


def _hidden_pairs(
    queries: HeldOut, at: NDArray[np.int64], relevant: sp.coo_array, exclude_seen: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of a row and an item that is relevant or not to be ranked, and so no negative."""
    if not exclude_seen:
        return relevant.row, relevant.col
    seen = queries.profiles(at)
    return np.concatenate([relevant.row, seen.row_of_event()]), np.concatenate([relevant.col, seen.items])


class _Negatives:
    """Items that are not relevant, of each row of a block.

    Parameters
    ----------
    n_items : int
        Items in the catalogue.
    candidates : int64 array or None
        Codes of the items to take them from, in order; None means the catalogue.
    """

    def __init__(self, n_items: int, candidates: NDArray[np.int64] | None) -> None:
        self._codes = np.arange(n_items) if candidates is None else candidates
        self._place = np.full(n_items, -1, np.int64)
        self._place[self._codes] = np.arange(len(self._codes))

    def __len__(self) -> int:
        return len(self._codes)

    def all(
        self, rows: NDArray[np.int64], items: NDArray[np.int64], n_rows: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows and codes of all of them, but for the given pairs."""
        rows, places = self._distinct(rows, items)
        kept = np.ones((n_rows, len(self)), bool)
        kept[rows, places] = False
        rows, places = np.nonzero(kept)
        return rows, self._codes[places]

    def draw(
        self, rows: NDArray[np.int64], items: NDArray[np.int64], n_rows: int, n: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows and codes of n of them per row, with replacement."""
        rows, places = self._distinct(rows, items)
        n_hidden = np.bincount(rows, minlength=n_rows)
        starts = np.cumsum(n_hidden) - n_hidden
        drawn = np.floor(rng.random((n_rows, n)) * (len(self) - n_hidden)[:, None]).astype(np.int64)
        # The i-th of the items that are left stands behind those hidden ones before which fewer than i + 1 are left.
        width = len(self) + 1
        n_left_before = places - (np.arange(len(places)) - starts[rows])
        row = np.arange(n_rows)[:, None]
        n_passed = np.searchsorted(rows * width + n_left_before, row * width + drawn, side="right") - starts[:, None]
        there = np.repeat(n_hidden < len(self), n)
        return np.repeat(np.arange(n_rows), n)[there], self._codes[(drawn + n_passed).ravel()[there]]

    def _distinct(
        self, rows: NDArray[np.int64], items: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        known = items < len(self._place)
        rows, places = rows[known].astype(np.int64), self._place[items[known]]
        keys = np.unique(rows[places >= 0] * len(self) + places[places >= 0])
        return np.divmod(keys, max(1, len(self)))


def _pair_scorer(view: RecommenderView, queries: HeldOut) -> Callable[[NDArray, NDArray], NDArray[np.float64]]:
    """A function of numbers of queries and codes of items."""
    events, parts = queries.events, [view.item_index.values, queries.new_items]
    if parts[0].dtype != parts[1].dtype:
        parts = [part.astype(object) for part in parts]
    ids: Any = np.concatenate(parts)
    if isinstance(events.items, nw.Series):
        backend: Any = events.items.implementation
        cells = ids if ids.dtype.kind in "iuf" else ids.tolist()
        ids = nw.new_series(events.items.name, cells, backend=backend)

    def predict(at: NDArray[np.int64], items: NDArray[np.int64]) -> NDArray[np.float64]:
        if not len(at):
            return np.zeros(0)
        table = _table_of_pairs(events.take(queries.rows[at]), ids[items])
        return _predict(view, table, len(at))

    return predict


def _table_of_pairs(events: EventTable, items: Column) -> Any:
    """Events as a table for ``predict``, with other items."""
    users, context = events.users, events.context
    if isinstance(users, nw.Series) and isinstance(items, nw.Series):
        frame = nw.from_native(context, eager_only=True, pass_through=True)
        columns = [users, items, *(frame.iter_columns() if isinstance(frame, nw.DataFrame) else ())]
        columns = [nw.maybe_reset_index(column) for column in columns]
        return nw.from_dict({column.name: column for column in columns}).to_native()
    parts = [np.asarray(users)[:, None], np.asarray(items)[:, None]]
    return np.hstack(parts if context is None else [*parts, context])


def _predict(view: RecommenderView, X: Any, n: int) -> NDArray[np.float64]:
    """The scores of ``predict``, one number per row.

    Raises
    ------
    ValueError
        If they are something else.
    """
    scores = np.asarray(view.recommender.predict(X), dtype=np.float64)
    if scores.shape != (n,) or np.isnan(scores).any():
        raise ValueError(
            f"{type(view.recommender).__name__}.predict gave an array of shape {scores.shape} with "
            f"{int(np.isnan(scores).sum())} NaN for {n} rows; it must give one number per row."
        )
    return scores


def measure_ratings(
    view: RecommenderView, X: Table, y: ArrayLike | None, events: EventTable, metrics: Sequence[Metric]
) -> Sample:
    """Squared and absolute errors of all events of X.

    Raises
    ------
    ValueError
        If there are no ratings, or the model is not of ratings.
    """
    if not metrics:
        return Sample(np.zeros(0, np.int64), np.zeros(0, np.int64), {})
    name = metrics[0].name
    if view.feedback != "explicit":
        raise ValueError(
            f"{name!r} compares predictions with ratings, and {type(view.recommender).__name__} has "
            f"feedback={view.feedback!r}: its scores are on no scale of ratings. Fit it with feedback='explicit' and "
            "ratings as y, or use a metric of lists, as 'ndcg@10'."
        )
    if y is None:
        raise ValueError(f"{name!r} compares predictions with ratings; pass them as y, one per row of X.")
    errors = _predict(view, X, len(events)) - read_target(y, len(events), feedback="explicit")
    columns = {}
    for metric in metrics:
        is_rmse = metric.kind == "rmse"
        columns[metric.name] = Values(errors**2, None, metric.sign) if is_rmse else Values(metric.sign * np.abs(errors))
    users = factorize(events.users, "user ids")[1]
    return Sample(np.arange(len(events)), users, columns)
