"""Approximate nearest neighbours by faiss: an HNSW graph over the item vectors."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from skrec.base import ExactRanker, Ranker, TopK
from skrec.interactions import Candidates, Histories, Queries
from skrec.utils import Matrix, PersistenceMixin, check_choice, is_zero_row

_NEIGHBORS_A_NODE = 32
_MIN_EF = 128
_TO_BUILD = "to be built"


def build_index(vectors: Matrix, metric: str) -> NDArray[np.uint8]:
    """A serialised HNSW index (Malkov and Yashunin 2018): bytes, so that it pickles.

    Raises
    ------
    ImportError
        If faiss is not installed.
    ValueError
        If the vectors are sparse.
    """
    faiss = _import_faiss()
    if sp.issparse(vectors):
        raise ValueError(
            "index='faiss' needs dense item vectors, but item_features are a sparse matrix: pass index='exact', or "
            "reduce them to dense ones, as by item_encoder=make_pipeline(..., TruncatedSVD(100))."
        )
    kind = faiss.METRIC_L2 if metric == "euclidean" else faiss.METRIC_INNER_PRODUCT
    index = faiss.IndexHNSWFlat(vectors.shape[1], _NEIGHBORS_A_NODE, kind)
    n_threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)  # the graph depends on the order of insertion
    try:
        index.add(np.ascontiguousarray(vectors))
    finally:
        faiss.omp_set_num_threads(n_threads)
    return faiss.serialize_index(index)


def search_index(
    index: NDArray[np.uint8], vectors: NDArray[np.float32], k: int, hidden: Histories, metric: str
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Best k codes and scores of each query, hidden items excluded; -1 and -inf where fewer are found."""
    faiss = _import_faiss()
    graph = faiss.deserialize_index(index)
    if graph.d != vectors.shape[1]:
        raise ValueError(f"The index of faiss has vectors of length {graph.d}, and queries have {vectors.shape[1]}.")
    wanted = min(graph.ntotal, k + int(hidden.lengths.max(initial=0)))
    parameters = faiss.SearchParametersHNSW(efSearch=max(_MIN_EF, 2 * wanted))
    scores, codes = graph.search(np.ascontiguousarray(vectors), wanted, params=parameters)
    if metric == "euclidean":
        scores = 1 / (1 + np.sqrt(np.maximum(scores, 0)))
    pair = np.arange(len(codes))[:, None] * np.int64(graph.ntotal) + codes
    seen = hidden.row_of_event() * np.int64(graph.ntotal) + hidden.items
    drop = (codes < 0) | np.isin(pair, seen)
    keep_first = np.argsort(drop, axis=1, kind="stable")[:, :k]
    codes = np.where(np.take_along_axis(drop, keep_first, axis=1), -1, np.take_along_axis(codes, keep_first, axis=1))
    scores = np.where(codes < 0, -np.inf, np.take_along_axis(scores, keep_first, axis=1))
    pad = ((0, 0), (0, k - codes.shape[1]))
    return (
        np.pad(codes, pad, constant_values=-1).astype(np.int32),
        np.pad(scores, pad, constant_values=-np.inf).astype(np.float32),
    )


@dataclass(slots=True, eq=False)
class FaissRanker(Ranker):
    """Ranks by an index where the whole catalogue is eligible.

    Parameters
    ----------
    index : uint8 array
        As :func:`build_index` made it.
    metric : str
    query_vectors : callable (queries) -> float32 array of shape (n_queries, d)
    exact : ExactRanker
        Ranks what the index cannot: candidates, queries with a zero vector, rows that hidden items leave short.
    has_offset : bool, default=False
        Whether the last column of the indexed vectors is added to the scores.
    """

    index: NDArray[np.uint8]
    metric: str
    query_vectors: Callable[[Queries], Matrix]
    exact: ExactRanker
    has_offset: bool = False

    def top_k(self, queries: Queries, k: int, eligible: Candidates | None, hidden: Histories) -> TopK:
        if eligible is not None:
            return self.exact.top_k(queries, k, eligible, hidden)
        vectors = self.query_vectors(queries)
        searched = np.pad(vectors, ((0, 0), (0, 1)), constant_values=1) if self.has_offset else vectors
        codes, scores = search_index(self.index, searched, k, hidden, self.metric)
        return self.exact.replace_rows(is_zero_row(vectors) | (codes[:, -1] < 0), (codes, scores), queries, hidden)


class SavedIndexMixin(PersistenceMixin):
    """The index of a recommender that ranks by vectors, in pickles and not in files of skops.

    faiss follows the bytes of an index without a check. A pickle is trusted, and takes them along; from a file of skops
    the index is built again.
    """

    _faiss_index: NDArray[np.uint8] | None
    _item_vectors: Matrix
    _item_offset: NDArray[np.float32] | None
    _metric: str

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        return {**state, "_faiss_index": _TO_BUILD} if state.get("_faiss_index") is not None else state

    def __reduce__(self) -> tuple[Any, ...]:
        create, given, state = super().__reduce__()
        index = self.__dict__.get("_faiss_index")
        return create, given, state if index is None else {**state, "_faiss_index": index}

    def __setstate__(self, state: dict[str, Any]) -> None:
        is_pickle = self._is_unpickled()
        super().__setstate__(state)
        if not is_pickle and self.__dict__.get("_faiss_index") is not None:
            check_choice(self._faiss_index, "_faiss_index", (_TO_BUILD,))
            self._build_index()

    def _build_index(self) -> None:
        vectors = self._item_vectors
        if self._item_offset is not None and self._metric != "euclidean" and not sp.issparse(vectors):
            vectors = np.column_stack([vectors, self._item_offset])
        self._faiss_index = build_index(vectors, self._metric)


def _import_faiss() -> Any:
    try:
        import faiss
    except ImportError as error:
        raise ImportError("index='faiss' needs the faiss-cpu package: pip install faiss-cpu.") from error
    return faiss
