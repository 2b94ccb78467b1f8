"""Nearest items: by the users who chose both, by the order of events, and by item features."""

from numbers import Integral, Real
from typing import Any, ClassVar, Literal

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.stats import uniform
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

from skrec.base import (
    HeldOutEvents,
    ItemGraphRecommender,
    PartialFitMixin,
    PopularityPriorMixin,
    Similarity,
    blend,
    classical,
    mean_of_maxima,
    repeats_dominate,
    text_similarity,
    updated_graph,
)
from skrec.interactions import Histories, Interactions
from skrec.neighbors._asymmetric import asymmetric, distance_weights
from skrec.neighbors._vector_space import whitened
from skrec.utils import Matrix, Verbose, check_array, check_csr, check_kind, with_rows

_LARGEST_UPDATE = 0.25


class ItemKNNRecommender(PopularityPriorMixin, PartialFitMixin, ItemGraphRecommender):
    r"""Recommend the items nearest to a user's history.

    Every item keeps its ``n_neighbors`` nearest items. The score of an item is the sum of its similarities to
    the items of the history, where recent events have more weight if the model uses time order.

    ``similarity="asymmetric"`` has a direction. A pair of events of one user that are d steps apart has the
    weight ``pair_decay ** (d - 1)`` from the earlier item to the later one, and ``backward_weight`` times that
    from the later to the earlier. Without time order every pair has the weight 1. Let :math:`M_{ij}` be the sum
    of these weights over users, where those of a user are divided by
    :math:`(1 + \text{events})^{length\_exponent}`. The similarity of i to j is

    .. math:: S_{ij} = \frac{M_{ij}}{(1 + \sum_j M_{ij})^{source\_exponent} (1 + \sum_i M_{ij})^{target\_exponent}}

    With ``item_features``, T holds the cosine similarities of the encoded features, whitened, to the power
    ``text_exponent``, for the ``n_text_neighbors`` nearest items of each item. P is T with rows that sum to 1.
    The similarity is

    .. math:: (I + s P) \, S \, (I + s P)^T + text\_weight \, T

    where s is ``text_smoothing`` and S is divided by the mean of its row maxima. Smoothing gives an item a share
    of the similarities of items with similar features. Through it, and through T, items without any event can be
    recommended as well.

    Parameters
    ----------
    n_neighbors : int, default=200
        Similarities kept per item.
    similarity : {"asymmetric", "cosine", "jaccard", "tfidf", "bm25"}, default="asymmetric"
        All but "asymmetric" are the classical similarities of the columns of the (users, items) matrix. They
        ignore time order and the three exponents. TF-IDF (a cosine) and BM25 take their weights from the implicit
        library.
    source_exponent : float, default=0.5
        Power of the normalisation by the popularity of the item in the history; 0 is none.
    target_exponent : float or "auto", default="auto"
        Power of the normalisation by the popularity of the recommended item; "auto" is 0.05 with time order and
        0.5 without.
    length_exponent : float or "auto", default="auto"
        Power of the normalisation by the length of a history; "auto" is 0.1 with time order and 0.8 without.
    popularity_prior : float or "auto", default="auto"
        Weight of an item's share of all events, which is added to its score: on sparse data the score alone ranks below
        popularity. 0 adds nothing. "auto" chooses the weight in ``fit``. Up to 1,000 events are ranked by the scores
        that the model would give without them, and the weight with the largest mean of 1 / log2(1 + rank) is taken:
        0 unless a weight is better by two standard errors, and popularity alone unless the model is better by one.
        In time order they are the latest events of users; with ``recency_decay=1``, events anywhere in a history.
        With a classical similarity "auto" is 0.
    pair_decay : float in (0, 1], default=0.75
        Factor on the weight of a pair for each step between its events.
    backward_weight : float, default=0.25
        Weight of a pair from the later item to the earlier one. Two events with the same time count as forward
        in both directions.
    window : int, default=30
        Pairs of events that are more steps apart are ignored.
    recency_decay : float in (0, 1], default=0.55
        Factor on the weight of an event of the history for each later event. Below 1 suits the prediction of the
        next event; 1 suits held-out events that lie anywhere in a history.
    order : {"auto", "time", "none"}, default="auto"
        "auto" uses time order if X has a ``timestamp``; "time" requires one; "none" ignores it.
    item_encoder : transformer, "auto" or None, default=None
        Fitted on ``item_features`` (without the id column) inside ``fit``. None takes numeric features;
        ``"auto"`` embeds texts, one-hot encodes categories, and imputes and standardises numbers.
    text_weight : float, default=1.0
        Weight of T.
    text_smoothing : float, default=1.5
        Weight of the similarities shared between items with similar features.
    text_exponent : float, default=1.5
        The larger it is, the more weight the nearest items have.
    n_text_neighbors : int, default=50
        Neighbours kept per row of T.
    whitening : float in [0, 1], default=0.6
        Divide each principal axis of the centred features by its standard deviation to this power, so that the few
        axes of largest variance do not decide which items are near. Sparse features stay as they are.
    cold_boost : float, default=2.0
        Factor on the similarities to items without events (cold items). At 1 a cold item rarely ranks above an
        item with events, since it has no pairs of its own. The larger the factor, the more cold items are
        recommended. The order of cold items among themselves stays the same, except where ``n_neighbors`` cuts
        some of them off.
    bm25_k1, bm25_b : float, default=1.2 and 0.75
        Saturation and length normalisation of ``similarity="bm25"``.
    n_jobs : int, default=None
        Threads; None means all cores. The result does not depend on it.
    verbose : bool, int or "auto", default="auto"
        Whether to show a progress bar. "auto" shows one on a terminal or in a notebook, once the work has lasted two
        seconds. What is nested does the same, unless it has a setting of its own.

    Attributes
    ----------
    similarity_ : CSR array of shape (n_items, n_items)
        Row: the source item, of a history; column: the target item. At most ``n_neighbors`` entries per row.
    popularity_prior_ : float
        The weight of popularity.
    item_encoder_ : transformer or None
        The fitted encoder.
    popularity_ : float32 array of shape (n_items,)
        Cold-start scores of users without events; also the order of items without any similarity to a history.
    n_features_in_ : int
        Columns of X, ``timestamp`` not counted.
    feature_names_in_ : ndarray of str
        Their names, where X is a frame.

    Notes
    -----
    Context and ``user_features`` are accepted and ignored. Memory is 8 bytes per kept similarity, twice that
    while fitting; no dense (n_items, n_items) array is made. Smoothing uses the ``n_neighbors`` kept in each row
    of S, and of (I + s P) S.

    Defaults were chosen on validation events of Amazon Beauty and Industrial, MovieLens 100K, Last.fm and the bookshop.

    ``partial_fit`` equals ``fit`` on all data, except that the encoder stays as first fitted, and a
    ``popularity_prior`` that is chosen from the data until the events have doubled. Where the similarity is
    "asymmetric" and there are no features, it reads the events of the items that users with new events have, and
    computes their rows and columns; where these are a quarter of the catalogue, and in all other cases, it computes
    all similarities. Those of features are computed again only if there are new features.

    References
    ----------
    Sarwar et al., "Item-based collaborative filtering recommendation algorithms", WWW 2001. Aiolli, "Efficient
    top-N recommendation for very large scale binary rated datasets", RecSys 2013, for asymmetric similarity.
    Ludewig and Jannach, "Evaluation of session-based recommendation algorithms", UMUAI 2018, for pairs that
    decay with distance. Su et al., "Whitening Sentence Representations", arXiv:2103.15316, for whitening.
    The choice of ``popularity_prior`` follows the one-standard-error rule of Breiman, Friedman, Olshen and Stone,
    "Classification and Regression Trees", 1984.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.neighbors import ItemKNNRecommender
    >>> X = np.array([[1, 10], [1, 20], [2, 10], [2, 20], [2, 30], [3, 30], [3, 40]])
    >>> rec = ItemKNNRecommender().fit(X)
    >>> rec.recommend(history=[[9, 10]], k=2).items
    array([[20, 30]])
    >>> rec.similar_items([30], k=1).items
    array([[40]])
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "similarity": [StrOptions({"asymmetric", "cosine", "jaccard", "tfidf", "bm25"})],
        "source_exponent": [Interval(Real, 0, None, closed="left")],
        "target_exponent": [Interval(Real, 0, None, closed="left"), StrOptions({"auto"})],
        "length_exponent": [Interval(Real, 0, None, closed="left"), StrOptions({"auto"})],
        "popularity_prior": [Interval(Real, 0, 1e12, closed="both"), StrOptions({"auto"})],
        "pair_decay": [Interval(Real, 0, 1, closed="right")],
        "backward_weight": [Interval(Real, 0, None, closed="left")],
        "window": [Interval(Integral, 1, None, closed="left")],
        "recency_decay": [Interval(Real, 0, 1, closed="right")],
        "order": [StrOptions({"auto", "time", "none"})],
        "item_encoder": [HasMethods(["fit_transform", "transform"]), StrOptions({"auto"}), None],
        "text_weight": [Interval(Real, 0, 1e6, closed="both")],
        "text_smoothing": [Interval(Real, 0, 1e6, closed="both")],
        "text_exponent": [Interval(Real, 0, 1000, closed="right")],
        "n_text_neighbors": [Interval(Integral, 1, None, closed="left")],
        "whitening": [Interval(Real, 0, 1, closed="both")],
        "cold_boost": [Interval(Real, 0, 1e6, closed="both")],
        "bm25_k1": [Interval(Real, 0, None, closed="left")],
        "bm25_b": [Interval(Real, 0, 1, closed="both")],
        "n_jobs": [None, int],
        "verbose": [StrOptions({"auto"}), "verbose"],
    }
    search_space: ClassVar[dict[str, Any]] = {
        "n_neighbors": [50, 100, 200, 400],
        "source_exponent": uniform(0.2, 0.6),
        "target_exponent": uniform(0, 0.5),
        "length_exponent": uniform(0, 1),
        "pair_decay": uniform(0.6, 0.4),
        "backward_weight": uniform(0, 1),
        "recency_decay": uniform(0.4, 0.6),
        "text_weight": uniform(0, 2),
        "text_smoothing": uniform(0, 3),
        "whitening": uniform(0, 1),
    }
    _text_graph: sp.csr_array | None = None
    _scales: tuple[NDArray[np.float32], NDArray[np.float32]]
    _fitted_settings: tuple[Any, ...]
    _text_settings: tuple[Any, ...]

    def __init__(
        self,
        n_neighbors: int = 200,
        *,
        similarity: str = "asymmetric",
        source_exponent: float = 0.5,
        target_exponent: float | str = "auto",
        length_exponent: float | str = "auto",
        popularity_prior: float | str = "auto",
        pair_decay: float = 0.75,
        backward_weight: float = 0.25,
        window: int = 30,
        recency_decay: float = 0.55,
        order: str = "auto",
        item_encoder: BaseEstimator | Literal["auto"] | None = None,
        text_weight: float = 1.0,
        text_smoothing: float = 1.5,
        text_exponent: float = 1.5,
        n_text_neighbors: int = 50,
        whitening: float = 0.6,
        cold_boost: float = 2.0,
        bm25_k1: float = 1.2,
        bm25_b: float = 0.75,
        n_jobs: int | None = None,
        verbose: Verbose = "auto",
    ) -> None:
        self.n_neighbors = n_neighbors
        self.similarity = similarity
        self.source_exponent = source_exponent
        self.target_exponent = target_exponent
        self.length_exponent = length_exponent
        self.popularity_prior = popularity_prior
        self.pair_decay = pair_decay
        self.backward_weight = backward_weight
        self.window = window
        self.recency_decay = recency_decay
        self.order = order
        self.item_encoder = item_encoder
        self.text_weight = text_weight
        self.text_smoothing = text_smoothing
        self.text_exponent = text_exponent
        self.n_text_neighbors = n_text_neighbors
        self.whitening = whitening
        self.cold_boost = cold_boost
        self.bm25_k1 = bm25_k1
        self.bm25_b = bm25_b
        self.n_jobs = n_jobs
        self.verbose = verbose

    def _check_state(self) -> None:
        super()._check_state()
        if not self.__dict__.get("_is_fitted", False):
            return
        n_items = len(self._item_index)
        for name in ("similarity_", "_text_graph"):
            if name == "similarity_" or self._text_graph is not None:
                check_csr(getattr(self, name), name, (n_items, n_items))
        check_kind(self._scales, "_scales", tuple)
        for at, scale in enumerate(self._scales):
            check_array(scale, f"_scales[{at}]", (n_items,), dtype=np.float32)

    def _fit(self, data: Interactions, item_matrix: Matrix | None, user_matrix: Matrix | None) -> None:
        self._use_time = data.check_order(self.order)
        self._item_matrix = item_matrix
        self._text_graph = None
        self._build(is_update=False)

    def _partial_fit(self, data: Interactions, item_matrix: Matrix | None, user_matrix: Matrix | None) -> None:
        self._use_time = data.check_order(self.order) and self._use_time
        if self._item_matrix is None:
            self._update(np.unique(data.users))
            return
        if item_matrix is not None:
            self._text_graph = None
        self._item_matrix = with_rows(self._item_matrix, item_matrix, data.item_rows, data.n_items)
        self._build(is_update=True)

    def _build(self, *, is_update: bool) -> None:
        """Compute all similarities."""
        self._fitted_settings = self._settings()
        similarity = self._pairs(self._histories)
        graph = similarity.best(self.n_neighbors, self.n_jobs)
        self._scales = similarity.row_scale.astype(np.float32), similarity.column_scale.astype(np.float32)
        self._graph_scale = 1.0
        if self._item_matrix is not None:
            self._graph_scale = 1 / mean_of_maxima(graph)
            graph = blend(
                graph,
                self._text_similarities(self._item_matrix),
                smoothing=self.text_smoothing,
                text_weight=self.text_weight,
                column_scale=np.where(self.popularity_ > 0, 1, self.cold_boost),
                n_neighbors=self.n_neighbors,
                n_jobs=self.n_jobs,
            )
        self.similarity_ = graph
        self._set_graph(graph, self._weighted_popularity(is_update=is_update))

    def _update(self, users: NDArray[np.int64]) -> None:
        """Compute the similarities that new events of some users have changed."""
        n_items, histories = len(self._item_index), self._histories
        changed = np.unique(histories.take(users).items).astype(np.int64)
        is_small = len(changed) < _LARGEST_UPDATE * n_items
        # A loaded file may hold longer rows than the kernel has room for.
        is_cut = np.diff(self.similarity_.indptr).max(initial=0) <= max(1, min(self.n_neighbors, n_items - 1))
        same = self.similarity == "asymmetric" and self._settings() == self._fitted_settings
        if not (same and is_small and is_cut):
            self._build(is_update=True)
            return
        scales = np.ones((2, n_items), np.float32)
        scales[:, : len(self._scales[0])] = self._scales

        def similarity_of(items: NDArray[np.int64]) -> Similarity:
            part = self._pairs(histories.take(histories.rows_with(items)), items)
            if items is changed:
                scales[:, changed] = part.row_scale[changed], part.column_scale[changed]
            return Similarity(part.pairs, *scales)

        self.similarity_ = updated_graph(self.similarity_, changed, similarity_of, self.n_neighbors, self.n_jobs)
        self._scales = scales[0], scales[1]
        self._set_graph(self.similarity_, self._weighted_popularity(is_update=True))

    def _weighted_popularity(self, *, is_update: bool) -> NDArray[np.float32]:
        if self.similarity != "asymmetric" and isinstance(self.popularity_prior, str):
            self.popularity_prior_ = 0.0
            return np.zeros(len(self._item_index), np.float32)
        return super()._weighted_popularity(is_update=is_update)

    def _leave_one_out_scores(self, events: HeldOutEvents) -> NDArray[np.float32]:
        """The scores less the pairs of the held-out events; what text has smoothed stays."""
        histories, (row_scale, column_scale) = events.histories, self._scales
        _, _, length_exponent, lags, *_ = self._fitted_settings
        pairs = self._history_weights(histories) * histories.y * row_scale[histories.items]
        if lags is not None:
            forward, backward = distance_weights(self._histories, *lags)
            steps = events.steps()
            at = np.minimum(np.abs(steps), len(forward) - 1)
            pairs = pairs * np.where(np.abs(steps) < len(forward), np.where(steps > 0, forward[at], backward[at]), 0)
        own = np.bincount(histories.row_of_event(), pairs * events.is_edge(self.similarity_), len(events))
        own *= events.y * (1.0 + events.lengths) ** -length_exponent * column_scale[events.items] * self._graph_scale
        scores = self._graph_scores(self.similarity_, histories)
        scores[np.arange(len(events)), events.items] -= own.astype(np.float32)
        return scores

    def _settings(self) -> tuple[Any, ...]:
        """What the similarities depend on, besides the events; that of asymmetric ones first."""
        is_merged = not self._use_time and repeats_dominate(self._histories, len(self._item_index))
        return (
            self.source_exponent,
            _resolve(self.target_exponent, 0.05 if self._use_time else 0.5),
            _resolve(self.length_exponent, 0.1 if self._use_time else 0.8),
            (self.pair_decay, self.backward_weight, self.window) if self._use_time else None,
            is_merged,
            self.similarity,
            min(self.n_neighbors, len(self._item_index) - 1),
        )

    def _pairs(self, histories: Histories, items: NDArray[np.int64] | None = None) -> Similarity:
        """The pairs of histories, of all items or of some, by the settings that all events gave."""
        n_items = len(self._item_index)
        if self.similarity != "asymmetric":
            by_user = histories.to_csr(n_items, narrow=True)
            return classical(by_user, self.similarity, bm25_k1=self.bm25_k1, bm25_b=self.bm25_b)
        source_exponent, target_exponent, length_exponent, lags, is_merged, *_ = self._fitted_settings
        return asymmetric(
            histories,
            n_items,
            source_exponent=source_exponent,
            target_exponent=target_exponent,
            length_exponent=length_exponent,
            lags=None if lags is None else distance_weights(histories, *lags),
            merged=is_merged,
            only=items,
            n_jobs=self.n_jobs,
        )

    def _to_feature_space(self, matrix: Matrix) -> Matrix:
        return super()._to_feature_space(whitened(matrix, self._text_settings[-1]))

    def _text_similarities(self, item_matrix: Matrix) -> sp.csr_array:
        """Those of the features. They stay as they are until there are other features."""
        settings = item_matrix.shape[0], self.n_text_neighbors, self.text_exponent, self.whitening
        if self._text_graph is None or self._text_settings != settings:
            self._text_settings = settings
            vectors = whitened(item_matrix, self.whitening)
            self._text_graph = text_similarity(vectors, self.n_text_neighbors, self.text_exponent, self.n_jobs)
        return self._text_graph


def _resolve(value: float | str, default: float) -> float:
    return default if isinstance(value, str) else value
