"""Recommend over a graph of users and items."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import loguniform, uniform
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

from skrec.base import PartialFitMixin, VectorRecommender, check_graph, text_space
from skrec.graph._learning import LearningMixin
from skrec.graph._links_in_fit import LinksInFitMixin
from skrec.graph._node_vectors import NodeVectors
from skrec.graph._user_vectors import check_user_vectors
from skrec.interactions import Queries, check_links
from skrec.utils import (
    MOST_FACTORS,
    Matrix,
    Verbose,
    check_array,
    check_matrix,
    check_number,
    inner_products,
    is_zero_row,
    row_dots,
)


class GraphRecommender(LinksInFitMixin, LearningMixin, PartialFitMixin, VectorRecommender):
    r"""Recommend over the graph of users and items, by a filter in closed form or by vectors that are trained.

    Each event is an edge between a user and an item. With R the matrix of edges, each divided by powers of the degrees
    of its user and its item, a history h (a row of zeros and ones) is scored by

    .. math:: (1 - low\_pass)\, h R^T R / \sigma^2 + low\_pass\, h D^{-b} V W V^T D^{c}

    where D has the degrees of the items, b is ``item_exponent``, c is ``score_exponent`` (b, where it is None), V has
    the right singular vectors of the ``n_factors`` largest singular values of R, W their weights (all 1, see
    ``damping``), and :math:`\sigma` is the largest one: paths over two edges, and the components that vary least over
    the graph. With exponents of 1/2 this is GF-CF. Where the items have features, their vectors are smoothed over the
    graph instead, with no training at all (see ``signal``).

    With ``trainable=True`` each user and item has a vector that is learned, and is averaged with those of its
    neighbours up to ``n_layers`` edges away: LightGCN. Its scores are added to those of the filter, by
    ``filter_weight``. torch is needed to train, and not to serve.

    Parameters
    ----------
    n_factors : int, default=64
        Components of the low-pass part, and length of the vectors that are trained.
    low_pass : float in [0, 1], default=0.3
        Weight of the low-pass part; the rest is that of the paths. Small catalogues with many events per item take
        more of it.
    damping : float, default=0.0
        Takes weight from the smaller ones of these components, as ridge regression does: one whose squared singular
        value is s times the largest gets a weight of s (1 + damping) / (s + damping). 0 weighs all equally; 0.02 to 0.2
        is worth trying.
    user_exponent, item_exponent : float in [0, 2], default=0.5
        Powers of the degrees that edges are divided by. Larger ones give users with few events more weight, and items
        with few events larger scores.
    score_exponent : float in [-2, 2] or None, default=None
        Power of its degree that the low-pass score of an item is multiplied by. Smaller ones give items with few
        events larger scores, which damped components may want. None takes ``item_exponent``.
    signal : {"auto", "events", "features"}, default="auto"
        What is sent over the graph. "events" are histories, by the filter above. "features" are the encoded features of
        items: each item gets the mean of its own vector and those of its neighbours up to ``n_layers`` edges away, and
        a user the mean over the items of the history. "auto" is "features" where there are ``item_features``. With
        ``trainable=True`` it is events.
    n_layers : int, default=2
        Edges that features, or trained vectors, are sent over.
    item_encoder : transformer, "auto" or None, default=None
        Fitted on ``item_features`` (without the id column) inside ``fit``. None takes numeric features as they are;
        ``"auto"`` encodes each column by its type.
    n_neighbors : int, default=10
        Edges of each item to the items whose features are nearest by cosine. Through them, items without events are
        reached.
    text_weight : float, default=1.0
        Weight of these edges, which is multiplied by the cosine; an event has 1. 0 leaves them out.
    link_weight : float, default=1.0
        Weight of the edges between users, which is multiplied by that of the link in ``user_links``. 0 leaves them out.
    trainable : bool, default=False
        Whether vectors are trained.
    filter_weight : float in [0, 1], default=0.5
        Weight of the filter against the trained vectors, both on one scale. 0 serves the trained vectors alone. Sparse
        logs may want less, such as 0.2.
    loss : {"auto", "softmax", "sampled_softmax", "bpr"}, default="auto"
        "softmax" compares each event with the whole catalogue; "sampled_softmax" with ``n_negatives`` items drawn by
        their popularity, corrected for it; "bpr" with as many drawn uniformly, one by one. "auto" is "softmax" where
        the scores of a batch fit in memory, else "sampled_softmax".
    n_negatives : int, default=512
        Items drawn per batch.
    regularization : float, default=0.1
        Weight of the mean squared length of the vectors in the loss.
    contrastive_weight : float, default=0.0
        Weight of a second loss: two noisy vectors of a node are to be closer than those of two nodes (SimGCL). 0 leaves
        it out.
    noise : float, default=0.1
        Length of that noise, in each layer.
    learning_rate : float in (0, 1], default=0.02
        Of AdamW.
    batch_size : int, default=8192
        Events per step, about: a batch is some users with all of their events. Each step goes over the whole graph, so
        large graphs want large batches.
    max_iter : int, default=40
        Epochs at most.
    early_stopping : bool, default=True
        Hold out an event of some users, keep the epoch that ranks them best, and stop ``n_iter_no_change`` epochs
        after it. Where fewer than 20 could be held out, all epochs are trained. Edges of held-out events are not in the
        graph that is trained on, and are in the one that is served.
    validation_fraction : float in (0, 1), default=0.1
        Share of the users with three events or more of whom one event, drawn at random, is held out: 10,000 at most,
        and 1,000 at least where their events are less than a fiftieth of all.
    n_iter_no_change : int or "auto", default="auto"
        Epochs without a better NDCG@10 of held-out events before training stops; "auto" is 5, or as many as make 400
        steps where an epoch has few.
    device : str or None, default=None
        Where torch trains: None for the CPU, "auto" for CUDA where there is one.
    random_state : int, RandomState or None, default=None
        Of the singular vectors, which are found by random projections, and of training. The same seed and number of
        threads give the same bits.
    verbose : bool, int or "auto", default="auto"
        Progress of training; "auto" shows it where someone watches.

    Attributes
    ----------
    loss_curve_ : list of float
        Mean loss of each epoch; empty where nothing was trained.
    validation_scores_ : list of float or None
        NDCG@10 of the held-out events after each epoch; None without any.
    n_iter_, best_iter_ : int
        Epochs that were trained, and the one whose vectors the model has, from 1; 0 where nothing was trained.
    popularity_ : float32 array of shape (n_items,)
        Cold-start scores of users without edges.
    n_features_in_ : int
        Columns of X, ``timestamp`` not counted.
    feature_names_in_ : ndarray of str
        Their names, where X is a frame.

    Notes
    -----
    An edge counts once, whatever its ``y``; an event with ``y`` = 0 counts as seen and is no edge. Time, context and
    ``user_features`` are accepted and ignored.

    Links between users are edges that trained vectors are sent over. Without training they serve users without events,
    who get the mean of the users that they are linked to. New users are served by a history: what its items send over
    their edges. Items without events are reached by edges of their features.

    Paths between items are held as a dense matrix for up to 4,096 items; above that the 1,000 largest entries of each
    row are kept. ``item_vectors()``, and with them ``similar_items``, are those of the low-pass part, or the smoothed
    features.

    ``partial_fit`` equals ``fit`` on all data, except that the encoder stays as first fitted. With ``trainable=True``
    it trains a tenth of ``max_iter`` epochs on all events, from the vectors that there are; without new events it
    trains nothing.

    ``explain`` names the events of the history whose edges add most to a score. What a user's own trained vector and
    links add is not taken apart.

    References
    ----------
    Shen et al., "How Powerful is Graph Convolution for Recommendation?", CIKM 2021, for GF-CF. He et al., "LightGCN:
    Simplifying and Powering Graph Convolution Network for Recommendation", SIGIR 2020. Yu et al., "Are Graph
    Augmentations Necessary? Simple Graph Contrastive Learning for Recommendation", SIGIR 2022, for SimGCL.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.graph import GraphRecommender
    >>> X = np.array([[1, 10], [1, 20], [2, 10], [2, 20], [2, 30], [3, 30], [3, 40]])
    >>> rec = GraphRecommender(n_factors=2, random_state=0).fit(X)
    >>> rec.recommend(history=[[9, 10]], k=2).items
    array([[20, 30]])
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_factors": [Interval(Integral, 1, MOST_FACTORS, closed="both")],
        "low_pass": [Interval(Real, 0, 1, closed="both")],
        "damping": [Interval(Real, 0, 1e6, closed="both")],
        "user_exponent": [Interval(Real, 0, 2, closed="both")],
        "item_exponent": [Interval(Real, 0, 2, closed="both")],
        "score_exponent": [Interval(Real, -2, 2, closed="both"), None],
        "signal": [StrOptions({"auto", "events", "features"})],
        "n_layers": [Interval(Integral, 1, 100, closed="both")],
        "item_encoder": [HasMethods(["fit_transform", "transform"]), StrOptions({"auto"}), None],
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "text_weight": [Interval(Real, 0, 1e6, closed="both")],
        "link_weight": [Interval(Real, 0, 1e6, closed="both")],
        "trainable": ["boolean"],
        "filter_weight": [Interval(Real, 0, 1, closed="both")],
        "loss": [StrOptions({"auto", "softmax", "sampled_softmax", "bpr"})],
        "n_negatives": [Interval(Integral, 1, 1_000_000, closed="both")],
        "regularization": [Interval(Real, 0, None, closed="left")],
        "contrastive_weight": [Interval(Real, 0, None, closed="left")],
        "noise": [Interval(Real, 0, None, closed="neither")],
        "learning_rate": [Interval(Real, 0, 1, closed="right")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "device": [str, None],
        "random_state": ["random_state"],
        "verbose": [StrOptions({"auto"}), "verbose"],
    }
    _filter_space: ClassVar[dict[str, Any]] = {
        "n_factors": [16, 32, 64, 128],
        "low_pass": uniform(0, 1),
        "damping": loguniform(1e-2, 1),
        "user_exponent": uniform(0, 0.6),
        "item_exponent": uniform(0, 0.6),
        "score_exponent": uniform(0, 0.6),
    }

    _training_space: ClassVar[dict[str, Any]] = {
        "filter_weight": uniform(0, 1),
        "n_layers": [1, 2, 3],
        "regularization": loguniform(0.01, 1),
        "learning_rate": loguniform(3e-3, 3e-2),
    }

    def __init__(
        self,
        n_factors: int = 64,
        *,
        low_pass: float = 0.3,
        damping: float = 0.0,
        user_exponent: float = 0.5,
        item_exponent: float = 0.5,
        score_exponent: float | None = None,
        signal: str = "auto",
        n_layers: int = 2,
        item_encoder: BaseEstimator | Literal["auto"] | None = None,
        n_neighbors: int = 10,
        text_weight: float = 1.0,
        link_weight: float = 1.0,
        trainable: bool = False,
        filter_weight: float = 0.5,
        loss: str = "auto",
        n_negatives: int = 512,
        regularization: float = 0.1,
        contrastive_weight: float = 0.0,
        noise: float = 0.1,
        learning_rate: float = 0.02,
        batch_size: int = 8192,
        max_iter: int = 40,
        early_stopping: bool = True,
        validation_fraction: float = 0.1,
        n_iter_no_change: int | Literal["auto"] = "auto",
        device: str | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: Verbose = "auto",
    ) -> None:
        self.n_factors = n_factors
        self.low_pass = low_pass
        self.damping = damping
        self.user_exponent = user_exponent
        self.item_exponent = item_exponent
        self.score_exponent = score_exponent
        self.signal = signal
        self.n_layers = n_layers
        self.item_encoder = item_encoder
        self.n_neighbors = n_neighbors
        self.text_weight = text_weight
        self.link_weight = link_weight
        self.trainable = trainable
        self.filter_weight = filter_weight
        self.loss = loss
        self.n_negatives = n_negatives
        self.regularization = regularization
        self.contrastive_weight = contrastive_weight
        self.noise = noise
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    @classmethod
    def __skrec_test_instances__(cls) -> list[Any]:
        trained: dict[str, Any] = {"trainable": True, "learning_rate": 0.05, "batch_size": 256, "random_state": 0}
        return [
            cls(4, random_state=0),
            cls(4, signal="events", low_pass=0.8, damping=0.1, score_exponent=0.2, random_state=0),
            cls(4, max_iter=3, **trained),
            cls(4, max_iter=2, filter_weight=0.0, loss="bpr", n_negatives=4, contrastive_weight=0.1, **trained),
        ]

    @property
    def search_space(self) -> dict[str, Any]:
        """Values worth trying, those of training where ``trainable`` is True."""
        return self._filter_space | self._training_space if self.trainable else dict(self._filter_space)

    def _check_state(self) -> None:
        super()._check_state()
        if not self.__dict__.get("_is_fitted", False):
            return
        n_users, n_items = len(self._user_index), len(self._item_index)
        check_array(self._item_vectors, "_item_vectors", (n_items, None), dtype=np.float32)
        check_user_vectors(self._user_vectors, "_user_vectors", n_users, n_items, self._item_vectors.shape[1])
        if self._item_graph is not None:
            check_graph(self._item_graph, "_item_graph", n_items)
        if self._item_matrix is not None:
            check_matrix(self._item_matrix, "_item_matrix", (n_items, None))
        check_number(self._seed, "_seed", 0, whole=True)
        if self._nodes is not None:
            NodeVectors.check(self._nodes, "_nodes", n_users, n_items)
        if self._links is not None:
            check_links(self._links, "_links")

    # Rank ------------------------------------------------------------------------------------------

    def _query_vectors(self, queries: Queries) -> NDArray[np.float32]:
        return self._user_vectors.vectors(queries)

    def _is_cold(self, queries: Queries) -> NDArray[np.bool_]:
        if self._item_graph is None:
            return super()._is_cold(queries)
        weights = self._user_vectors.event_weights(queries)
        cold: NDArray[np.bool_] = np.bincount(queries.histories.row_of_event(), weights, len(queries)) == 0
        return cold if self._user_vectors.own is None else cold & is_zero_row(self._query_vectors(queries))

    def _score_with_cold_start(self, queries: Queries, items: NDArray[np.int64] | None) -> NDArray[np.float32]:
        if self._item_graph is None:
            return super()._score_with_cold_start(queries, items)
        scores = self._item_graph.score(queries.histories, self._user_vectors.event_weights(queries), items)
        scores += inner_products(self._query_vectors(queries), self._item_vectors, items)
        cold = self._is_cold(queries)
        if cold.any():
            scores[cold] = self._cold_start_scores(items)
        return scores

    def _score_pairs(self, queries: Queries, rows: NDArray[np.int64], items: NDArray[np.int64]) -> NDArray[np.floating]:
        if self._item_graph is None:
            return super()._score_pairs(queries, rows, items)
        return self._score_pairs_from_rows(queries, rows, items)

    def _contributions(self, queries: Queries, items: NDArray[np.int64]) -> NDArray[np.floating]:
        """What each event adds to the score of one item per query, by its edge."""
        histories = queries.histories
        if not len(histories.items):
            return np.zeros(0, np.float32)
        targets = items[histories.row_of_event()]
        added = row_dots(self._user_vectors.sources[histories.items], self._item_vectors[targets])
        if self._item_graph is not None:
            added = added + np.asarray(self._item_graph.matrix[histories.items, targets], np.float32)
        contributions: NDArray[np.floating] = added * self._user_vectors.event_weights(queries)
        return contributions

    def _text_space(self, texts: list[str]) -> tuple[Matrix, Matrix]:
        return text_space(self.item_encoder_, texts, self._item_matrix)
