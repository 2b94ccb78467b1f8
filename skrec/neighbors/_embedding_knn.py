"""Nearest items in a space of embeddings."""

import warnings
from dataclasses import replace
from itertools import pairwise
from numbers import Real
from typing import Any, ClassVar, Literal

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.special import softmax
from scipy.stats import loguniform, uniform
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

from skrec.base import (
    ExactRanker,
    HeldOutEvents,
    PartialFitMixin,
    PopularityPriorMixin,
    Ranker,
    ScoreBlock,
    VectorRecommender,
    encode_texts,
    text_columns,
)
from skrec.exceptions import ColdStartWarning
from skrec.interactions import Histories, Interactions, Queries
from skrec.neighbors._faiss import FaissRanker, SavedIndexMixin
from skrec.neighbors._vector_space import off_mean, squared_norms, unwhitened, whitening_axes
from skrec.utils import (
    Matrix,
    caller_level,
    check_array,
    check_choice,
    check_flag,
    check_matrix,
    inner_products,
    is_zero_row,
    refuse_state,
    row_dots,
    unit_rows,
    with_rows,
)


class EmbeddingKNNRecommender(PopularityPriorMixin, SavedIndexMixin, PartialFitMixin, VectorRecommender):
    """Recommend items whose vectors are near those of a user's history.

    Nothing is learned from other users. So an item without events is recommended like any other, and a new user
    needs a history only. Item vectors come from ``item_features``, encoded by ``item_encoder`` if they are not
    numeric.

    Parameters
    ----------
    item_encoder : transformer, "auto" or None, default=None
        Fitted on ``item_features`` (without the id column) inside ``fit``: an
        :class:`~skrec.feature_extraction.LLMTextEmbedder`, a pipeline, a ColumnTransformer. None takes
        numeric features as they are; ``"auto"`` embeds texts, one-hot encodes
        categories, and imputes and standardises numbers.
    metric : {"cosine", "dot", "euclidean"}, default="cosine"
        Similarity of a user and an item. The score of "euclidean" is 1 / (1 + distance), in ``similar_items`` too.
    aggregation : {"mean", "max", "attention"}, default="mean"
        How an item is compared with the vectors of a history. "mean": similarity to their weighted mean. "max":
        largest weighted similarity to one of them. "attention": mean of the similarities, weighted by a softmax
        of ``attention_sharpness`` times similarity, so that the events nearest to the item have more weight.
    popularity_prior : float or "auto", default=0.0
        Weight of an item's share of all events, which is added to its score; not in ``search`` and ``similar_items``.
        It favours items with events. "auto" chooses the weight in ``fit``: up to 1,000 events are ranked by the other
        events of their users, and the weight with the largest mean of 1 / log2(1 + rank) is taken: 0 unless a weight
        is better by two standard errors, and popularity alone unless the vectors are better by one.
    recency_decay : float in (0, 1], default=0.8
        Factor on the weight of an event for each later event of the user.
    order : {"auto", "time", "none"}, default="auto"
        "auto" applies ``recency_decay`` if X has a ``timestamp``; "time" requires one; "none" does not apply it.
    center : bool, default=True
        Subtract the mean item vector first, for dense vectors under "cosine": embeddings of language models
        share a large common part that does not distinguish items.
    whitening : float in [0, 1], default=0.5
        Divide each principal axis of the centred vectors by its standard deviation to this power, so that
        the few directions of largest variance do not dominate. 0 leaves the vectors unchanged. Larger values suit
        purchases, which follow brand and type; smaller ones suit tastes, which follow broad themes. Used if
        ``center=True``, and not in ``search``.
    attention_sharpness : float, default=10.0
        Used by ``aggregation="attention"``; 0 is the mean.
    min_score : float, default=None
        Items with a lower score are not recommended; a list may then be shorter than k. A user without any
        usable event still gets popular items.
    index : {"exact", "faiss"}, default="exact"
        "faiss" ranks by an approximate index (HNSW; needs the faiss-cpu package) if ``aggregation="mean"`` and
        there are no ``candidates``. Rows with fewer than k results are ranked exactly.
    n_jobs : int, default=None
        Threads; None means all cores.

    Attributes
    ----------
    item_vectors_ : float32 array or CSR array of shape (n_items, d)
        In catalogue order, centred and of unit length under "cosine"; zero for items without features.
    item_encoder_ : transformer or None
        The fitted encoder.
    center_ : float32 array of shape (d,) or None
    axes_ : float32 array of shape (d, min(n_items, d)) or None
        Whitening matrix: centred vectors are multiplied by it.
    popularity_prior_ : float
        The weight of popularity.
    popularity_ : float32 array of shape (n_items,)
        Cold-start scores of users without any usable event.
    n_features_in_ : int
        Columns of X, ``timestamp`` not counted.
    feature_names_in_ : ndarray of str
        Their names, where X is a frame.

    Notes
    -----
    Context and ``user_features`` are accepted and ignored. Without ``item_features`` there are no vectors: every
    list is ranked by popularity, and a :class:`~skrec.exceptions.ColdStartWarning` is raised.

    A catalogue without events is fitted by ``fit(item_features=...)``: ``search``, ``similar_items``, and
    ``recommend`` with ``history`` or ``request`` rank it. Users without a history get the items in catalogue order,
    with scores of 0, until ``partial_fit`` brings the first events.

    ``partial_fit`` keeps the encoder, the centre and the whitening of the first fit. If the encoder learns nothing
    from the table, these last two are its only difference from ``fit`` on all data.

    References
    ----------
    Mu and Viswanath, "All-but-the-Top: Simple and Effective Postprocessing for Word Representations",
    ICLR 2018, for centring. Su et al., "Whitening Sentence Representations for Better Semantics and Faster
    Retrieval", 2021. He et al., "NAIS: Neural Attentive Item Similarity Model for Recommendation",
    TKDE 2018, for attention over a history.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.neighbors import EmbeddingKNNRecommender
    >>> X = np.array([[1, 10], [2, 30]])
    >>> items = ([10, 20, 30, 40], [[1.0, 0.1], [0.9, 0.2], [0.1, 1.0], [0.0, 0.8]])
    >>> rec = EmbeddingKNNRecommender().fit(X, item_features=items)
    >>> rec.recommend([1, 2], k=1).items.ravel()
    array([20, 40])
    """

    _fits_without_events = True
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "item_encoder": [HasMethods(["fit_transform", "transform"]), StrOptions({"auto"}), None],
        "metric": [StrOptions({"cosine", "dot", "euclidean"})],
        "aggregation": [StrOptions({"mean", "max", "attention"})],
        "popularity_prior": [Interval(Real, 0, 1e12, closed="both"), StrOptions({"auto"})],
        "recency_decay": [Interval(Real, 0, 1, closed="right")],
        "order": [StrOptions({"auto", "time", "none"})],
        "center": ["boolean"],
        "whitening": [Interval(Real, 0, 1, closed="both")],
        "attention_sharpness": [Interval(Real, 0, None, closed="left")],
        "min_score": [Interval(Real, None, None, closed="neither"), None],
        "index": [StrOptions({"exact", "faiss"})],
        "n_jobs": [None, int],
    }
    search_space: ClassVar[dict[str, Any]] = {
        "aggregation": ["mean", "max", "attention"],
        "popularity_prior": [0.0, "auto"],
        "recency_decay": uniform(0.4, 0.6),
        "whitening": uniform(0, 1),
        "attention_sharpness": loguniform(2, 50),
    }

    def __init__(
        self,
        *,
        item_encoder: BaseEstimator | Literal["auto"] | None = None,
        metric: str = "cosine",
        aggregation: str = "mean",
        popularity_prior: float | str = 0.0,
        recency_decay: float = 0.8,
        order: str = "auto",
        center: bool = True,
        whitening: float = 0.5,
        attention_sharpness: float = 10.0,
        min_score: float | None = None,
        index: str = "exact",
        n_jobs: int | None = None,
    ) -> None:
        self.item_encoder = item_encoder
        self.metric = metric
        self.aggregation = aggregation
        self.popularity_prior = popularity_prior
        self.recency_decay = recency_decay
        self.order = order
        self.center = center
        self.whitening = whitening
        self.attention_sharpness = attention_sharpness
        self.min_score = min_score
        self.index = index
        self.n_jobs = n_jobs

    # Fit -------------------------------------------------------------------------------------------

    def _fit(self, data: Interactions, item_matrix: Matrix | None, user_matrix: Matrix | None) -> None:
        # Without events, those of partial_fit decide.
        self._use_time = data.check_order(self.order) if len(data) else self.order != "none"
        # Kept: set_params must not change what fitted vectors mean.
        self._metric = self.metric
        self.center_: NDArray[np.float32] | None = None
        self.axes_: NDArray[np.float32] | None = None
        if item_matrix is None:
            if self.item_encoder is None:  # otherwise the encoder without a table was warned of
                warnings.warn(
                    "EmbeddingKNNRecommender was fitted without item_features: it has no vectors to compare and ranks "
                    "by popularity. Pass item_features=..., with item_encoder=LLMTextEmbedder() for text.",
                    ColdStartWarning,
                    stacklevel=caller_level(),
                )
            item_matrix = np.zeros((data.n_items, 1), np.float32)
        elif not sp.issparse(item_matrix):
            self._place_center(item_matrix[~is_zero_row(item_matrix)])
        self._set_vectors(self._to_space(item_matrix), is_update=False)

    def _place_center(self, vectors: NDArray[np.float32]) -> None:
        """Set the origin of the space: vectors close together and far from zero would lose precision."""
        # A single vector would become zero by subtraction of its own mean.
        if len(vectors) > 1 and self._metric == "cosine" and self.center:
            center = vectors.mean(axis=0)
            self.center_ = center
            self.axes_ = whitening_axes(vectors - center, self.whitening) if self.whitening else None
        elif len(vectors) > 1 and self._metric == "euclidean":
            self.center_ = off_mean(vectors)  # distances do not depend on it

    def _partial_fit(self, data: Interactions, item_matrix: Matrix | None, user_matrix: Matrix | None) -> None:
        self._use_time = data.check_order(self.order) and self._use_time
        new = None if item_matrix is None else self._to_space(item_matrix)
        self._set_vectors(with_rows(self.item_vectors_, new, data.item_rows, data.n_items), is_update=True)

    def _set_vectors(self, vectors: Matrix, *, is_update: bool) -> None:
        self.item_vectors_ = self._item_vectors = vectors
        self._has_vector = ~is_zero_row(vectors)
        self._item_bias = squared_norms(vectors) * np.float32(-0.5) if self._metric == "euclidean" else None
        self._item_offset = None
        offset = self._weighted_popularity(is_update=is_update)
        self._item_offset = offset if offset.any() else None
        self._faiss_index = None
        if self.index == "faiss":
            self._build_index()

    def _leave_one_out_scores(self, events: HeldOutEvents) -> NDArray[np.float32]:
        """The scores of the other events: vectors do not come from events."""
        return self._score_with_cold_start(Queries(events.rows, events.histories), None)

    def _check_state(self) -> None:
        super()._check_state()
        if not self.__dict__.get("_is_fitted", False):
            return
        n_items, width = len(self._item_index), self._item_vectors.shape[1]
        check_matrix(self.item_vectors_, "item_vectors_", (n_items, width))
        check_array(self._has_vector, "_has_vector", (n_items,), dtype=np.bool_)
        check_choice(self._metric, "_metric", ("cosine", "dot", "euclidean"))
        check_flag(self._use_time, "_use_time")
        if (self._item_bias is None) != (self._metric != "euclidean"):
            refuse_state("_item_bias", "there for another metric", "one for 'euclidean' alone")
        if self.axes_ is not None:
            check_array(self.axes_, "axes_", (None, width))
        if self.center_ is not None:
            check_array(self.center_, "center_", (width if self.axes_ is None else len(self.axes_),))

    def _to_space(self, vectors: Matrix) -> Matrix:
        """Centre and whiten vectors, to unit length under "cosine"; a zero vector stays zero."""
        if self.center_ is not None:
            centered = (vectors - self.center_) * ~is_zero_row(vectors)[:, None]
            vectors = centered if self.axes_ is None else centered @ self.axes_
        return unit_rows(vectors) if self._metric == "cosine" else vectors

    # Rank ------------------------------------------------------------------------------------------

    def _weights(self, histories: Histories) -> NDArray[np.float32]:
        """One weight per event: its decayed strength; 0 for items without a vector."""
        weights = histories.decayed(self.recency_decay) if self._use_time else histories.y
        return np.where(self._has_vector[histories.items], weights, 0)

    def _query_vectors(self, queries: Queries) -> Matrix:
        histories = queries.histories
        weights = self._weights(histories)
        total = np.bincount(histories.row_of_event(), weights=weights, minlength=len(queries))
        share = weights / np.maximum(total, np.finfo(np.float32).tiny)[histories.row_of_event()]
        vectors = self._weighted_sums(histories, share.astype(np.float32))
        return unit_rows(vectors) if self._metric == "cosine" else vectors

    def _weighted_sums(self, histories: Histories, weights: NDArray[np.float32]) -> Matrix:
        """Weighted sum of the item vectors of each history."""
        if sp.issparse(self.item_vectors_):
            shape = len(histories), len(self._item_index)
            return sp.csr_array((weights, histories.items, histories.indptr), shape) @ self.item_vectors_
        from skrec._kernels.item_graph.ranking import score_dense

        sums = np.zeros((len(histories), self.item_vectors_.shape[1]), np.float32)
        score_dense(histories.indptr, histories.items, weights, self.item_vectors_, sums)
        return sums

    def _link(self, scores: NDArray, vectors: Matrix) -> NDArray:
        if self._metric != "euclidean":
            return scores
        squared = np.maximum(squared_norms(vectors)[:, None] - 2 * scores, 0)
        return 1 / (1 + np.sqrt(squared))

    def _score_with_cold_start(self, queries: Queries, items: NDArray[np.int64] | None) -> NDArray[np.float32]:
        if self.aggregation == "mean":
            return super()._score_with_cold_start(queries, items)
        scores = np.empty((len(queries), len(self._item_index) if items is None else len(items)), np.float32)
        weights = self._weights(queries.histories)
        for row, (start, stop) in enumerate(pairwise(queries.histories.indptr)):
            used = weights[start:stop] > 0
            events, weight = queries.histories.items[start:stop][used], weights[start:stop][used]
            scores[row] = self._judge(events, weight, items) if len(events) else self._cold_start_scores(items)
            if len(events) and self._item_offset is not None:
                scores[row] += self._item_offset if items is None else self._item_offset[items]
        return scores

    def _exact_ranker(self) -> ExactRanker:
        ranker = super()._exact_ranker()
        return ranker if self.min_score is None else replace(ranker, mask=self._mask_low_scores)

    def _mask_low_scores(self, queries: Queries, scores: NDArray[np.float32]) -> None:
        """Only scores of a history are compared with ``min_score``: those of the cold start mean something else."""
        usable = self._weights(queries.histories) > 0
        warm = np.bincount(queries.histories.row_of_event()[usable], minlength=len(queries)) > 0
        least = -np.inf if self.min_score is None else self.min_score
        scores[(scores < least) & warm[:, None]] = -np.inf

    def _ranker(self) -> Ranker:
        exact = self._exact_ranker()
        is_linear = self._item_offset is None or self._metric != "euclidean"
        if self._faiss_index is None or self.aggregation != "mean" or self.min_score is not None or not is_linear:
            return exact
        return FaissRanker(self._faiss_index, self._metric, self._query_vectors, exact, self._item_offset is not None)

    def _judge(self, events: NDArray, weight: NDArray, items: NDArray[np.int64] | None) -> NDArray[np.float32]:
        """Scores of items for one history, by its largest similarity or by attention."""
        similarity = self._similarities(events, items)
        if self.aggregation == "max":
            return (similarity * (weight / weight.max())[:, None]).max(axis=0)
        attention = softmax(self.attention_sharpness * similarity + np.log(weight)[:, None], axis=0)
        return (attention * similarity).sum(axis=0)

    def _neighbor_scores(self, codes: NDArray[np.int64]) -> ScoreBlock:
        if self._metric != "euclidean":
            return super()._neighbor_scores(codes)
        return lambda start, stop, items: self._similarities(codes[start:stop], items)

    def _similarities(self, events: NDArray, items: NDArray[np.int64] | None) -> NDArray[np.float32]:
        """(n_events, n_items) similarities of the items of events to items."""
        vectors = self.item_vectors_[events]
        similarity = inner_products(vectors, self.item_vectors_, items)
        if self._item_bias is not None:
            similarity += self._item_bias if items is None else self._item_bias[items]
        return self._link(similarity, vectors)

    def _score_pairs(self, queries: Queries, rows: NDArray[np.int64], items: NDArray[np.int64]) -> NDArray[np.floating]:
        if self.aggregation == "mean":
            return super()._score_pairs(queries, rows, items)
        return self._score_pairs_from_rows(queries, rows, items)

    def _contributions(self, queries: Queries, items: NDArray[np.int64]) -> NDArray[np.floating]:
        """Parts that sum to the score. For the mean under "euclidean": the loss of score without each event."""
        if self.aggregation == "mean" and self._metric == "euclidean":
            return super()._contributions(queries, items)
        histories = queries.histories
        weights, rows = self._weights(histories), histories.row_of_event()
        used = weights > 0
        added = np.zeros(len(weights))
        if self.aggregation == "mean":
            share = weights / np.maximum(np.bincount(rows, weights, len(histories))[rows], np.finfo(np.float32).tiny)
            likeness = row_dots(self.item_vectors_[histories.items[used]], self.item_vectors_[items[rows[used]]])
            added[used] = share[used] * likeness
            if self._metric == "cosine":
                lengths = np.sqrt(squared_norms(self._weighted_sums(histories, share.astype(np.float32))))
                added /= np.maximum(lengths, np.finfo(np.float32).tiny)[rows]
            return added
        for row, (start, stop) in enumerate(pairwise(histories.indptr)):
            at = start + np.flatnonzero(used[start:stop])
            if len(at):
                added[at] = self._shares_of_judgement(histories.items[at], weights[at], items[row : row + 1])
        return added

    def _shares_of_judgement(self, events: NDArray, weight: NDArray, item: NDArray[np.int64]) -> NDArray[np.floating]:
        """The contribution of each event under "max" or "attention"."""
        similarity = self._similarities(events, item)[:, 0]
        if self.aggregation == "max":
            weighted = similarity * (weight / weight.max())
            return np.where(np.arange(len(weighted)) == np.argmax(weighted), weighted, 0)
        return softmax(self.attention_sharpness * similarity + np.log(weight)) * similarity

    def _text_space(self, texts: list[str]) -> tuple[Matrix, Matrix]:
        """Queries and items, centred but not whitened: the variances of items do not apply to queries."""
        queries = encode_texts(self.item_encoder_, texts)
        columns = text_columns(self.item_encoder_)
        if columns is not None and self.axes_ is None:
            center = 0 if self.center_ is None else self.center_[columns]
            shown = queries if self.center_ is None else np.where(is_zero_row(queries)[:, None], 0, queries - center)
            return unit_rows(shown), unit_rows(self.item_vectors_[:, columns])
        if self.axes_ is None or self.center_ is None:
            return self._to_space(queries), self.item_vectors_
        return unwhitened(queries, self.item_vectors_, self.axes_, self.center_, columns)
