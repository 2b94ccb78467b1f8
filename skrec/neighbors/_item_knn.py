"""Items that are chosen together, in order where there is one, and that have like texts."""

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from scipy.stats import uniform
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

from skrec.base import ItemGraphRecommender, PartialFitMixin, blend, classical, text_similarity
from skrec.interactions import Interactions
from skrec.neighbors._asymmetric import asymmetric, distance_weights
from skrec.utils import Matrix, with_rows


class ItemKNNRecommender(PartialFitMixin, ItemGraphRecommender):
    r"""Recommend what goes with the items of a user's history.

    Every item keeps its ``n_neighbors`` nearest items. An item scores the sum of its similarities to the
    history, the latest events first where there is an order.

    The similarity of ``similarity="asymmetric"`` has a direction. Two events of a user at d steps weigh
    ``pair_decay ** (d - 1)`` from the earlier item to the later one and ``backward_weight`` times that from
    the later to the earlier; without an order every two events weigh 1. With :math:`M_{ij}` the sum over
    users, each divided by :math:`(1 + \text{events})^{length\_exponent}`,

    .. math:: S_{ij} = M_{ij} / \big((1 + \sum_j M_{ij})^{source\_exponent} (1 + \sum_i M_{ij})^{target\_exponent}\big)

    With ``item_features``, T is the cosine of the encoded features of an item's ``n_text_neighbors`` nearest
    items to the power ``text_exponent``, P is T with rows that add up to 1, and the similarity is

    .. math:: (I + s P) \, S \, (I + s P)^T + text\_weight \, T

    with s for ``text_smoothing`` and S in units of the mean largest similarity of an item. Smoothing lends to
    an item what is known of items with a like text; through it, and through T, items without any event are
    recommended as well.

    Parameters
    ----------
    n_neighbors : int, default=200
        Similarities kept an item.
    similarity : {"asymmetric", "cosine", "jaccard", "tfidf", "bm25"}, default="asymmetric"
        The others are the classical similarities of the columns of the (users, items) matrix and know no
        order; the two exponents have no say in them. TF-IDF (a cosine) and BM25 take their weights from the
        implicit library.
    source_exponent : float, default=0.5
        How far the popularity of the item in the history is divided out.
    target_exponent : float or "auto", default="auto"
        How far the popularity of the item recommended is divided out; "auto" is 0.05 with an order and 0.5
        without.
    length_exponent : float or "auto", default="auto"
        How far the pairs of a long history count less; "auto" is 0.1 with an order and 0.8 without.
    pair_decay : float in (0, 1], default=0.75
        Factor a pair's weight falls by for each step between its events.
    backward_weight : float, default=0.25
        Weight of a pair from the later item to the earlier one. Events of equal time meet forward both ways.
    window : int, default=30
        Pairs of more steps apart do not count.
    recency_decay : float in (0, 1], default=0.55
        Factor an event's weight falls by, when a history is read, for each event after it. Right where the
        next event is to be predicted; 1 where held-out events lie anywhere in a history.
    order : {"auto", "time", "none"}, default="auto"
        "auto" goes by order where X has a ``timestamp``; "time" demands one; "none" counts all events alike.
    item_encoder : transformer, default=None
        Fitted on ``item_features`` (without the id column) inside ``fit``. None takes numeric features.
    text_weight : float, default=1.0
        Weight of T.
    text_smoothing : float, default=1.5
        Weight of what is lent between items of like features.
    text_exponent : float, default=3.0
        The larger, the more the nearest items count.
    n_text_neighbors : int, default=50
        Neighbours kept in T.
    cold_boost : float, default=2.0
        Factor on the similarities to items that have no event: it trades warm for cold. At 1 an item without
        events rarely comes before one with, since it has no pairs of its own; the larger, the more such items
        are shown. It does not change the order of cold items among themselves, but for those cut at
        ``n_neighbors``.
    bm25_k1, bm25_b : float, default=1.2 and 0.75
        Saturation and length normalisation of ``similarity="bm25"``.
    n_jobs : int, default=None
        Threads; None means all cores. The result does not depend on it.

    Attributes
    ----------
    similarity_ : CSR array of shape (n_items, n_items)
        Row: an item of a history; column: an item that it speaks for; at most ``n_neighbors`` a row.
    item_encoder_ : transformer or None
        The fitted encoder.
    popularity_ : float32 array of shape (n_items,)
        The cold start of users without events, and the order of items that a history says nothing about.
    n_features_in_ : int
        Columns of X, ``timestamp`` not counted.
    feature_names_in_ : ndarray of str
        Their names, where X is a frame.

    Notes
    -----
    Context and ``user_features`` are accepted and ignored. Memory is 8 bytes a kept similarity, twice that
    while fitting; no (n_items, n_items) array exists. Smoothing works from the ``n_neighbors`` kept in S, and in
    (I + s P) S.

    Defaults were chosen on validation events of Amazon Beauty and Amazon Industrial, with order and text, and
    of MovieLens 100K and Last.fm without either. On Beauty they cost about 1 % of the NDCG@10 of what did best
    there.

    ``partial_fit`` builds the similarities anew from all events and equals ``fit`` on everything but for the
    encoder, which stays as first fitted.

    References
    ----------
    Sarwar et al., "Item-based collaborative filtering recommendation algorithms", WWW 2001. Aiolli, "Efficient
    top-N recommendation for very large scale binary rated datasets", RecSys 2013, for asymmetric similarity.
    Ludewig and Jannach, "Evaluation of session-based recommendation algorithms", UMUAI 2018, for pairs that
    decay with distance.

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
        "pair_decay": [Interval(Real, 0, 1, closed="right")],
        "backward_weight": [Interval(Real, 0, None, closed="left")],
        "window": [Interval(Integral, 1, None, closed="left")],
        "recency_decay": [Interval(Real, 0, 1, closed="right")],
        "order": [StrOptions({"auto", "time", "none"})],
        "item_encoder": [HasMethods(["fit_transform", "transform"]), None],
        "text_weight": [Interval(Real, 0, None, closed="left")],
        "text_smoothing": [Interval(Real, 0, None, closed="left")],
        "text_exponent": [Interval(Real, 0, None, closed="neither")],
        "n_text_neighbors": [Interval(Integral, 1, None, closed="left")],
        "cold_boost": [Interval(Real, 0, None, closed="left")],
        "bm25_k1": [Interval(Real, 0, None, closed="left")],
        "bm25_b": [Interval(Real, 0, 1, closed="both")],
        "n_jobs": [None, int],
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
    }

    def __init__(
        self,
        n_neighbors: int = 200,
        *,
        similarity: str = "asymmetric",
        source_exponent: float = 0.5,
        target_exponent: float | str = "auto",
        length_exponent: float | str = "auto",
        pair_decay: float = 0.75,
        backward_weight: float = 0.25,
        window: int = 30,
        recency_decay: float = 0.55,
        order: str = "auto",
        item_encoder: Any = None,
        text_weight: float = 1.0,
        text_smoothing: float = 1.5,
        text_exponent: float = 3.0,
        n_text_neighbors: int = 50,
        cold_boost: float = 2.0,
        bm25_k1: float = 1.2,
        bm25_b: float = 0.75,
        n_jobs: int | None = None,
    ) -> None:
        self.n_neighbors = n_neighbors
        self.similarity = similarity
        self.source_exponent = source_exponent
        self.target_exponent = target_exponent
        self.length_exponent = length_exponent
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
        self.cold_boost = cold_boost
        self.bm25_k1 = bm25_k1
        self.bm25_b = bm25_b
        self.n_jobs = n_jobs

    def _fit(self, data: Interactions, item_matrix: Matrix | None, user_matrix: Matrix | None) -> None:
        self._use_time = data.check_order(self.order)
        self._item_matrix = item_matrix
        self._build()

    def _partial_fit(self, data: Interactions, item_matrix: Matrix | None, user_matrix: Matrix | None) -> None:
        self._use_time = data.check_order(self.order) and self._use_time
        if self._item_matrix is not None:
            self._item_matrix = with_rows(self._item_matrix, item_matrix, data.item_rows, data.n_items)
        self._build()

    def _build(self) -> None:

        graph = self._pairs().best(self.n_neighbors, self.n_jobs)
        if self._item_matrix is not None:
            text = text_similarity(self._item_matrix, self.n_text_neighbors, self.text_exponent, self.n_jobs)
            graph = blend(
                graph,
                text,
                smoothing=self.text_smoothing,
                text_weight=self.text_weight,
                column_scale=np.where(self.popularity_ > 0, 1, self.cold_boost),
                n_neighbors=self.n_neighbors,
                n_jobs=self.n_jobs,
            )
        self.similarity_ = graph
        self._set_graph(graph)

    def _pairs(self) -> Any:

        n_items = len(self._item_index)
        if self.similarity != "asymmetric":
            by_user = self._histories.to_csr(n_items)
            return classical(by_user, self.similarity, bm25_k1=self.bm25_k1, bm25_b=self.bm25_b)
        lags = distance_weights(self.pair_decay, self.backward_weight, self.window) if self._use_time else None
        return asymmetric(
            self._histories,
            n_items,
            source_exponent=self.source_exponent,
            target_exponent=_resolve(self.target_exponent, 0.05 if self._use_time else 0.5),
            length_exponent=_resolve(self.length_exponent, 0.1 if self._use_time else 0.8),
            lags=lags,
            n_jobs=self.n_jobs,
        )


def _resolve(value: float | str, default: float) -> float:
    return default if isinstance(value, str) else value
