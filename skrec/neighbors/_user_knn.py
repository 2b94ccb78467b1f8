"""Nearest users: by shared items and by user features."""

from numbers import Integral, Real
from typing import Any, ClassVar, Literal, cast

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.stats import loguniform, uniform
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.extmath import safe_sparse_dot

from skrec.base import HeldOutEvents, PartialFitMixin, PopularityPriorMixin, VectorRecommender
from skrec.interactions import Histories, Interactions, Queries
from skrec.utils import (
    Matrix,
    align,
    check_array,
    check_choice,
    check_csr,
    check_flag,
    check_matrix,
    check_number,
    replace_rows,
    unit_rows,
    with_rows,
)

_BLOCK_CELLS = 1 << 19
_LARGEST_UPDATE = 0.25


class UserKNNRecommender(PopularityPriorMixin, PartialFitMixin, VectorRecommender):
    """Recommend what the most similar users have chosen.

    A user is compared with all other users by the items they share, and by ``user_features`` if given. The
    ``n_neighbors`` most similar users vote with their events: the score of an item is the sum of similarity times
    event strength. A new user needs a history or a row in ``user_features``, and no refit.

    Parameters
    ----------
    n_neighbors : int, default=100
        Users that vote; of equally similar users the first in catalogue order is taken.
    similarity : {"cosine", "jaccard", "tfidf", "bm25"}, default="tfidf"
        Similarity of two histories. "cosine" compares y. "tfidf" compares sqrt(y) times the inverse document
        frequency of the item, so that rare items have more weight. "bm25" does the same with a strength that
        saturates, and with less weight per event in long histories. "jaccard" is the number of shared items over
        the number of items of either history; it ignores strength and order.
    bm25_k1 : float, default=1.2
        Strength at which BM25 is half saturated, in a history of mean length.
    bm25_b : float in [0, 1], default=0.75
        Strength of the discount of long histories in BM25.
    amplification : float, default=1.0
        Power of a similarity as the weight of a vote; above 1 the nearest users have more weight.
    popularity_prior : float or "auto", default="auto"
        Weight of an item's share of all events, which is added to its score: on sparse data the score alone ranks below
        popularity. 0 adds nothing. "auto" chooses the weight in ``fit``. Up to 1,000 events are ranked by the scores
        that the model would give without them, and the weight with the largest mean of 1 / log2(1 + rank) is taken:
        0 unless a weight is better by two standard errors, and popularity alone unless the model is better by one.
        In time order they are the latest events of users; with ``recency_decay=1``, events anywhere in a history.
    recency_decay : float in (0, 1], default=0.8
        Factor on the weight of an event of the query's history for each later event; not used by "jaccard".
    vote_decay : float in (0, 1], default=0.9
        The same for the events of a neighbour.
    order : {"auto", "time", "none"}, default="auto"
        "auto" applies both decays if X has a ``timestamp``; "time" requires one; "none" applies neither.
    feature_weight : float, default=0.05
        The similarity of two users is that of their histories plus ``feature_weight`` times the cosine of their
        features.
    user_encoder : transformer, "auto" or None, default=None
        Fitted on ``user_features`` (without the id column) inside ``fit``. None takes numeric features as
        they are; ``"auto"`` embeds texts, one-hot encodes
        categories, and imputes and standardises numbers.
    n_jobs : int, default=None
        Threads; None means all cores. The result does not depend on it.

    Attributes
    ----------
    item_weights_ : float64 array of shape (n_items,)
        Inverse document frequencies; ones for "cosine" and "jaccard".
    user_vectors_ : float32 array or CSR array of shape (n_users, n_features) or None
        Encoded features of unit length; zero for users without a row.
    popularity_prior_ : float
        The weight of popularity.
    user_encoder_ : transformer or None
        The fitted encoder.
    popularity_ : float32 array of shape (n_items,)
        Cold-start scores of users without a similar user.
    n_features_in_ : int
        Columns of X, ``timestamp`` not counted.
    feature_names_in_ : ndarray of str
        Their names, where X is a frame.

    Notes
    -----
    Similarities are computed for a block of users at a time and cut to ``n_neighbors``; no (n_users, n_users)
    matrix is made. The model stores the events by user and by item, and nothing else. Users without events do not
    vote. Context and ``item_features`` are accepted and ignored: items without events are part of the catalogue
    and score 0.

    ``partial_fit`` equals ``fit`` on all data, except that the encoder stays as first fitted, and a
    ``popularity_prior`` that is chosen from the data until the events have doubled. It computes the vectors
    of the users with new events, and under "tfidf" those of users who share an item whose weight has changed. Under
    "bm25", and for new users under "tfidf", all weights change, and all vectors are computed. ``similar_items``
    compares items by the users who chose them.

    References
    ----------
    Resnick, Iacovou, Suchak, Bergstrom and Riedl, "GroupLens: An Open Architecture for Collaborative
    Filtering of Netnews", CSCW 1994. Breese, Heckerman and Kadie, "Empirical Analysis of Predictive
    Algorithms for Collaborative Filtering", UAI 1998, for inverse frequencies and amplification. Robertson
    and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009.
    The choice of ``popularity_prior`` follows the one-standard-error rule of Breiman, Friedman, Olshen and Stone,
    "Classification and Regression Trees", 1984.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.neighbors import UserKNNRecommender
    >>> X = np.array([[1, 10], [1, 20], [2, 10], [2, 20], [2, 30], [3, 40], [3, 50]])
    >>> rec = UserKNNRecommender(n_neighbors=1).fit(X)
    >>> rec.recommend([1], k=1).items
    array([[30]])
    >>> rec.recommend([9], k=1, history=[[9, 50]]).items
    array([[40]])
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "similarity": [StrOptions({"cosine", "jaccard", "tfidf", "bm25"})],
        "bm25_k1": [Interval(Real, 0, None, closed="left")],
        "bm25_b": [Interval(Real, 0, 1, closed="both")],
        "amplification": [Interval(Real, 0, None, closed="neither")],
        "popularity_prior": [Interval(Real, 0, 1e12, closed="both"), StrOptions({"auto"})],
        "recency_decay": [Interval(Real, 0, 1, closed="right")],
        "vote_decay": [Interval(Real, 0, 1, closed="right")],
        "order": [StrOptions({"auto", "time", "none"})],
        "feature_weight": [Interval(Real, 0, None, closed="left")],
        "user_encoder": [HasMethods(["fit_transform", "transform"]), StrOptions({"auto"}), None],
        "n_jobs": [None, Integral],
    }
    search_space: ClassVar[dict[str, Any]] = {
        "n_neighbors": [25, 50, 100, 200, 400],
        "similarity": ["cosine", "tfidf", "bm25"],
        "amplification": uniform(0.5, 2),
        "recency_decay": uniform(0.5, 0.5),
        "vote_decay": uniform(0.7, 0.3),
        "feature_weight": loguniform(0.01, 0.3),
    }

    _dtype: ClassVar[type[np.floating]] = np.float32  # of similarities
    _prior: NDArray[np.float32] | None = None

    def __init__(
        self,
        n_neighbors: int = 100,
        *,
        similarity: str = "tfidf",
        bm25_k1: float = 1.2,
        bm25_b: float = 0.75,
        amplification: float = 1.0,
        popularity_prior: float | str = "auto",
        recency_decay: float = 0.8,
        vote_decay: float = 0.9,
        order: str = "auto",
        feature_weight: float = 0.05,
        user_encoder: BaseEstimator | Literal["auto"] | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self.n_neighbors = n_neighbors
        self.similarity = similarity
        self.bm25_k1 = bm25_k1
        self.bm25_b = bm25_b
        self.amplification = amplification
        self.popularity_prior = popularity_prior
        self.recency_decay = recency_decay
        self.vote_decay = vote_decay
        self.order = order
        self.feature_weight = feature_weight
        self.user_encoder = user_encoder
        self.n_jobs = n_jobs

    # Fit -------------------------------------------------------------------------------------------

    def _fit(self, data: Interactions, item_matrix: Matrix | None, user_matrix: Matrix | None) -> None:
        self._similarity = self.similarity  # kept: set_params must not change what fitted weights mean
        self._use_time = data.check_order(self.order)
        self.user_vectors_ = None if user_matrix is None else unit_rows(user_matrix)
        self._index_events()
        self._prior = self._weighted_popularity(is_update=False)

    def _partial_fit(self, data: Interactions, item_matrix: Matrix | None, user_matrix: Matrix | None) -> None:
        self._use_time = data.check_order(self.order) and self._use_time
        if self.user_vectors_ is not None:
            new = None if user_matrix is None else unit_rows(user_matrix)
            self.user_vectors_ = with_rows(self.user_vectors_, new, data.user_rows, data.n_users)
        if not self._update(np.unique(data.users)):
            self._index_events()
        self._prior = self._weighted_popularity(is_update=True)

    def _index_events(self) -> None:
        """Compute the vectors of all users."""
        chosen = self._histories.to_csr(len(self._item_index))
        chosen.eliminate_zeros()
        lengths = np.diff(chosen.indptr)
        self._mean_length = lengths.sum() / max(1, np.count_nonzero(lengths)) or 1.0
        frequency = np.bincount(chosen.indices, minlength=chosen.shape[1])
        self.item_weights_ = _inverse_document_frequencies(frequency, int(np.count_nonzero(lengths)), self._similarity)
        # By item, so that a query reads only the users who share an item with it.
        self._item_vectors = sp.csr_array(self._weigh(chosen).T.tocsr())
        self._set_sizes = lengths.astype(np.float32)
        self._vote_settings = self._use_time, self.vote_decay
        self._votes = self._votes_of(self._histories)

    def _votes_of(self, histories: Histories) -> sp.csr_array:
        votes = histories.to_csr(len(self._item_index), values=self._decayed(histories, self.vote_decay))
        votes.eliminate_zeros()
        return votes

    def _update(self, users: NDArray[np.int64]) -> bool:
        """Compute the vectors that new events of some users have changed; False where that may be most of them."""
        n_users, n_items = len(self._user_index), len(self._item_index)
        before: Any = self._item_vectors
        if self._similarity == "bm25" or self._vote_settings != (self._use_time, self.vote_decay):
            return False  # the mean length, or every vote
        sizes = np.append(self._set_sizes, np.zeros(n_users - len(self._set_sizes), np.float32))
        chosen = self._histories.take(users).to_csr(n_items)
        chosen.eliminate_zeros()
        sizes[users] = np.diff(chosen.indptr)
        item_of = np.searchsorted(before.indptr, np.flatnonzero(np.isin(before.indices, users)), side="right") - 1
        frequency = np.bincount(chosen.indices, minlength=n_items) - np.bincount(item_of, minlength=n_items)
        frequency[: before.shape[0]] += np.diff(before.indptr)
        weights = _inverse_document_frequencies(frequency, int(np.count_nonzero(sizes)), self._similarity)
        is_other = weights[: before.shape[0]] != self.item_weights_
        if np.diff(before.indptr)[is_other].sum() > _LARGEST_UPDATE * before.nnz:
            return False
        is_changed = np.zeros(n_users, bool)
        is_changed[users] = True
        for item in np.flatnonzero(is_other):
            is_changed[before.indices[before.indptr[item] : before.indptr[item + 1]]] = True
        self._set_sizes, self.item_weights_ = sizes, weights
        self._item_vectors = self._with_vectors_of(np.flatnonzero(is_changed), is_changed)
        votes = self._votes_of(self._histories.take(users))
        indptr = np.append(self._votes.indptr, np.full(n_users - self._votes.shape[0], self._votes.nnz))
        old, new = ((m.data, m.indices) for m in (self._votes, votes))
        indptr, *arrays = replace_rows((indptr, *old), users, (votes.indptr, *new))
        self._votes = sp.csr_array((*arrays, indptr), shape=(n_users, n_items))
        return True

    def _with_vectors_of(self, users: NDArray[np.int64], is_changed: NDArray[np.bool_]) -> sp.csr_array:
        """The vectors by item, those of some users computed again."""
        from skrec._kernels.sparse_columns import replace_columns

        n_items, before = len(self._item_index), cast(Any, self._item_vectors)
        chosen = self._histories.take(users).to_csr(n_items)
        chosen.eliminate_zeros()
        by_item = sp.csr_array(self._weigh(chosen).T.tocsr())
        old = before.indptr, before.indices, before.data
        new = by_item.indptr, users.astype(before.indices.dtype)[by_item.indices], by_item.data
        indptr, columns, values = replace_columns(*old, is_changed, *new)
        return sp.csr_array((values, columns, indptr), shape=(n_items, len(is_changed)))

    def _decayed(self, histories: Histories, decay: float) -> NDArray[np.floating]:
        """Strength of each event, decayed by the number of later events."""
        return histories.decayed(decay, dtype=np.float64) if self._use_time else histories.y

    def _weigh(self, strength: sp.csr_array) -> sp.csr_array:
        """Rows of a (users, items) matrix as vectors of unit length; as sets under "jaccard"."""
        if self._similarity == "jaccard":
            ones = np.ones(strength.nnz, self._dtype)
            return sp.csr_array((ones, strength.indices, strength.indptr), strength.shape)
        values = strength.data.astype(self._dtype)
        if self._similarity == "tfidf":
            values = np.sqrt(values)
        elif self._similarity == "bm25":
            lengths = np.diff(strength.indptr)
            scale = self.bm25_k1 * (1 - self.bm25_b + self.bm25_b * lengths / self._mean_length)
            values = values / (values + np.repeat(scale, lengths))
        values = (values * self.item_weights_[strength.indices]).astype(self._dtype)
        weighted = sp.csr_array((values, strength.indices, strength.indptr), strength.shape)
        # Squares of tiny strengths would be 0 in float32: first each row is scaled, by a power of two, which is exact.
        exponent = np.frexp(weighted.max(axis=1).toarray().ravel())[1]
        weighted.data = np.ldexp(values, -np.repeat(exponent, np.diff(strength.indptr)))
        return unit_rows(weighted) if weighted.shape[0] else weighted

    def _check_state(self) -> None:
        super()._check_state()
        if not self.__dict__.get("_is_fitted", False):
            return
        n_users, n_items = len(self._user_index), len(self._item_index)
        check_choice(self._similarity, "_similarity", ("cosine", "jaccard", "tfidf", "bm25"))
        check_flag(self._use_time, "_use_time")
        check_number(self._mean_length, "_mean_length", 0)
        check_array(self.item_weights_, "item_weights_", (n_items,))
        check_csr(self._item_vectors, "_item_vectors", (n_items, n_users))
        check_csr(self._votes, "_votes", (n_users, n_items))
        check_array(self._set_sizes, "_set_sizes", (n_users,), dtype=np.float32)
        if self._prior is not None:
            check_array(self._prior, "_prior", (n_items,), dtype=np.float32)
        if self.user_vectors_ is not None:
            check_matrix(self.user_vectors_, "user_vectors_", (n_users, None))

    # Rank ------------------------------------------------------------------------------------------

    def _query_vectors(self, queries: Queries) -> sp.csr_array:
        """(n_queries, n_users) similarities to the nearest users, at most ``n_neighbors`` per row."""
        from skrec._kernels.nearest_columns import nearest_columns

        n_users = len(self._user_index)
        if self.n_neighbors < 1:  # changed since fit; the kernel would write beyond an empty row
            raise ValueError(f"n_neighbors={self.n_neighbors!r} must be at least 1; set it again.")
        shape = (len(queries), min(self.n_neighbors, n_users))
        codes, similarities = np.empty(shape, np.int32), np.empty(shape, self._dtype)
        sizes = np.empty(len(queries), np.int64)
        history = queries.histories
        decayed = history.y if self._similarity == "jaccard" else self._decayed(history, self.recency_decay)
        strength = history.to_csr(len(self._item_index), values=decayed)
        strength.eliminate_zeros()
        weights = self._weigh(strength)
        step = max(1, _BLOCK_CELLS // n_users)
        for start in range(0, len(queries), step):
            at = slice(start, min(start + step, len(queries)))
            block = self._similarities(weights[at], self._own_features(queries.block(at.start, at.stop)))
            # A user is not their own neighbour; an unknown user has code -1, which skips nobody.
            nearest_columns(block, queries.users[at], codes[at], similarities[at], sizes[at])
        kept = np.arange(shape[1]) < sizes[:, None]
        indptr = np.concatenate([[0], np.cumsum(sizes)])
        votes = (similarities[kept] ** self.amplification).astype(np.float32)
        return sp.csr_array((votes, codes[kept], indptr), shape=(len(queries), n_users))

    def _own_features(self, queries: Queries) -> Matrix | None:
        """Features of unit length, one row per query; None where they do not count."""
        if self.user_vectors_ is None or self.feature_weight == 0:
            return None
        known = np.flatnonzero(queries.users >= 0)
        own = align(self.user_vectors_[queries.users[known]], known, len(queries))
        if queries.features is None:
            return own
        given = np.flatnonzero(queries.features.is_given)
        rows = align(unit_rows(queries.features.matrix)[given], given, len(queries))
        return with_rows(own, rows, given, len(queries))

    def _similarities(self, weights: sp.csr_array, own: Matrix | None) -> NDArray[np.float32]:
        """Similarities of a few queries, given by their weighted items and their features, to all users."""
        block = np.zeros((weights.shape[0], len(self._user_index)), self._dtype)
        add_product(weights, self._item_vectors, block)
        if self._similarity == "jaccard":
            block /= np.maximum(np.diff(weights.indptr)[:, None] + self._set_sizes - block, 1)
        if own is not None and self.user_vectors_ is not None:
            block += self.feature_weight * safe_sparse_dot(own, self.user_vectors_.T, dense_output=True)
            block[:, self._set_sizes == 0] = 0
        return block

    def _score_with_cold_start(self, queries: Queries, items: NDArray[np.int64] | None) -> NDArray[np.float32]:
        neighbours = self._query_vectors(queries)
        scores = self._votes_for(neighbours)
        if self._prior is not None:
            scores += self._prior
        scores = scores if items is None else scores[:, items]
        cold = np.diff(neighbours.indptr) == 0
        if cold.any():
            scores[cold] = self._cold_start_scores(items)
        return scores

    def _votes_for(self, neighbours: sp.csr_array) -> NDArray[np.float32]:
        """(n_queries, n_items) sums of similarity times strength."""
        scores = np.zeros((neighbours.shape[0], len(self._item_index)), np.float32)
        add_product(neighbours, self._votes, scores)
        return scores

    def _leave_one_out_scores(self, events: HeldOutEvents) -> NDArray[np.float32]:
        """What the neighbours of the other events vote for; a user is not their own neighbour."""
        return self._votes_for(self._query_vectors(Queries(events.rows, events.histories)))

    def _score_pairs(self, queries: Queries, rows: NDArray[np.int64], items: NDArray[np.int64]) -> NDArray[np.floating]:
        return self._score_pairs_from_rows(queries, rows, items)


def add_product(a: sp.csr_array, b: sp.csr_array, out: NDArray) -> None:
    """Add ``a @ b`` to a dense ``out``."""
    from skrec._kernels.sparse_products import add_sparse_product

    add_sparse_product(a.indptr, a.indices, a.data, b.indptr, b.indices, b.data, out)


def _inverse_document_frequencies(frequency: NDArray[np.int64], n_users: int, similarity: str) -> NDArray[np.float64]:
    """One weight per item, from the users who chose it; positive even for an item that every user chose."""
    if similarity == "tfidf":
        return np.log((1 + n_users) / (1 + frequency)) + 1
    if similarity == "bm25":
        return np.log(1 + (n_users - frequency + 0.5) / (frequency + 0.5))
    return np.ones(len(frequency))
