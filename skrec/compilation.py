"""Kernels compiled ahead of time: for the image of a container, and before a service takes its first request."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import narwhals as nw
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from skrec.interactions import check_k
from skrec.utils import installed_frame_library, verbosity

__all__ = ["warm_up"]

_N_USERS, _N_ITEMS, _N_EVENTS = 30, 60, 300


def warm_up(*, n_factors: int | Sequence[int] = 64) -> int:
    """Compile every kernel for the data that recommenders give it, and leave the code in numba's cache.

    The recommenders of the library are fitted to a few hundred made events, updated and asked. Processes that find the
    cache load what they need in milliseconds. numba writes it beside the library, or into ``NUMBA_CACHE_DIR``; it is
    of use for the same versions of skrec and numba on the same kind of processor.

    Parameters
    ----------
    n_factors : int or sequence of int, default=64
        What ``HybridMFRecommender`` is to have code for: one kernel is compiled for each number of factors.

    Returns
    -------
    int
        Functions that were compiled; 0 where the cache had all of them.

    Raises
    ------
    ValueError
        If a number of factors is less than 1.

    Notes
    -----
    Arrays that are mapped from a file, as by ``joblib.load(..., mmap_mode="r")``, are read-only, for which numba
    compiles once more.

    Examples
    --------
    In a ``Dockerfile``: ``RUN python -c "import skrec; skrec.warm_up()"``

    >>> import skrec
    >>> n_compiled = skrec.warm_up(n_factors=2)
    >>> skrec.warm_up(n_factors=2)
    0
    """
    from numba.core.event import install_recorder

    given = n_factors if isinstance(n_factors, Sequence | np.ndarray) else [n_factors]
    widths = [check_k(width, "n_factors") for width in given]
    with warnings.catch_warnings(), verbosity(0), install_recorder("numba:compile") as recorder:
        warnings.simplefilter("ignore")
        for recommender, arguments in _fits(widths):
            _use(recommender, *arguments)
    return sum(event.is_start for _, event in recorder.buffer)


def _events() -> NDArray[np.int64]:
    """The first two are of a user with no others: with these, an update touches few items."""
    rng = np.random.default_rng(0)
    users = 1 + np.arange(_N_EVENTS) % (_N_USERS - 1)
    events = np.column_stack([users, (users + rng.integers(0, _N_ITEMS // 2, _N_EVENTS)) % _N_ITEMS])
    events[:2] = [[0, 0], [0, 1]]
    return events


def _in_time(events: NDArray[np.int64]) -> Any:
    """A frame with times; where no frame library is installed, nobody can pass times, and the array serves."""
    frame = _frame({"user": events[:, 0], "item": events[:, 1], "timestamp": np.arange(len(events))})
    return events if frame is None else frame


def _frame(columns: dict[str, NDArray]) -> Any:
    """A frame of the first library that is installed; None where there is none."""
    try:
        backend: Any = installed_frame_library()
    except ImportError:
        return None
    return nw.from_dict(columns, backend=backend).to_native()


def _fits(widths: Sequence[int]) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """Recommenders that are to be fitted, with X, y, features of items and features of users, or None."""
    from skrec.compose import DiversityReranker
    from skrec.decomposition import BPRRecommender, HybridMFRecommender, LogisticMFRecommender
    from skrec.dummy import PopularRecommender
    from skrec.linear_model import EASERecommender
    from skrec.neighbors import EmbeddingKNNRecommender, ItemKNNRecommender, UserKNNRecommender

    events = _events()
    rng = np.random.default_rng(1)
    in_context = np.column_stack([events, rng.normal(size=(len(events), 3))])
    strength, ids = rng.integers(1, 6, len(events)), np.arange(_N_ITEMS + 2)
    dense = ids, rng.normal(size=(len(ids), 6)).astype(np.float32)
    sparse = ids, sp.random_array((len(ids), 8), density=0.5, format="csr", dtype=np.float32, rng=rng)
    of_users = np.arange(_N_USERS), rng.normal(size=(_N_USERS, 4)).astype(np.float32)
    sides = (None, None), (dense, of_users), (sparse, None)

    yield PopularRecommender(), (events, None, None, None)
    for n_factors, X in product(widths, (events, in_context)):
        quick: dict[str, Any] = {"n_factors": n_factors, "max_iter": 2, "random_state": 0}
        for settings, tables in product(({}, {"regularization": 1.0}, {"feedback": "explicit"}), sides):
            yield HybridMFRecommender(solver="als", **quick, **settings), (X, strength, *tables)
        for solver, tables in product(("bpr", "warp", "softmax"), sides[:2]):
            yield HybridMFRecommender(solver=solver, **quick), (X, None, *tables)
    factors = HybridMFRecommender(n_factors=widths[0], max_iter=2, random_state=0)
    yield DiversityReranker(factors, method="mmr"), (events, None, None, None)
    yield DiversityReranker(factors, method="dpp"), (events, None, None, None)
    if (kinds := _frame({"item": ids, "kind": ids % 3})) is not None:
        by_kind = DiversityReranker(PopularRecommender(), method="calibrated", categories="kind")
        yield by_kind, (events, None, kinds, None)
    yield EASERecommender(regularization_exponent=0.0), (events, None, None, None)
    for model in (BPRRecommender, LogisticMFRecommender):
        yield model(n_factors=4, max_iter=2, random_state=0), (events, None, dense, of_users)
    for X in (events, _in_time(events)):
        for items in (None, dense, sparse):
            yield ItemKNNRecommender(), (X, None, items, None)
            yield EASERecommender(), (X, None, items, None)
        for similarity in ("cosine", "jaccard", "tfidf", "bm25"):
            yield ItemKNNRecommender(similarity=similarity), (X, strength, None, None)
            yield UserKNNRecommender(similarity=similarity), (X, strength, None, None)
        for items in (None, dense):
            yield EASERecommender(n_neighbors=5), (X, None, items, None)
        for items in (dense, sparse):
            yield EmbeddingKNNRecommender(), (X, None, items, None)
        yield UserKNNRecommender(), (X, None, None, of_users)


def _use(recommender: Any, X: Any, y: Any, item_features: Any, user_features: Any) -> None:
    """All that a recommender is asked in its life."""
    tables = {
        name: table
        for name, table in (("item_features", item_features), ("user_features", user_features))
        if table is not None
    }
    recommender.fit(X, y, **tables)
    context = None if recommender.n_features_in_ == 2 else X[:1, 2:]
    new = np.array([[_N_USERS, 0], [_N_USERS, 1], [2, 0]])
    for users, more in (
        (None, {}),
        ([1], {"k": 5}),
        ([1, 2], {"candidates": np.arange(_N_ITEMS // 6)}),  # few, and many
        ([1, 2], {"candidates": np.arange(_N_ITEMS // 2)}),
        ([_N_USERS, 2], {"history": new}),
    ):
        recommender.recommend(users, context=context, **more)
    recommender.predict(X)
    recommender.score(X[:2])
    recommender.explain([1, 2], [0, 1], context=context)
    if hasattr(recommender, "similar_items"):
        recommender.similar_items([0, 1])
    if hasattr(recommender, "partial_fit"):
        recommender.partial_fit(X[:2], None if y is None else y[:2])
        recommender.recommend([1], context=context)
