"""EASE: each item as a linear function of all others, in closed form."""

from numbers import Integral, Real
from typing import Any, ClassVar, Literal

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.stats import loguniform, uniform
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

from skrec.base import HeldOutEvents, ItemGraphRecommender, PartialFitMixin, PopularityPriorMixin
from skrec.interactions import Interactions
from skrec.utils import Matrix, Verbose, check_array, check_matrix, check_number, with_rows


class EASERecommender(PopularityPriorMixin, PartialFitMixin, ItemGraphRecommender):
    r"""Recommend by a linear function of a user's history: EASE, a shallow autoencoder.

    The weights B with a zero diagonal that minimise :math:`\|X - XB\|^2 + \lambda \|B\|^2` for the (users, items)
    matrix X have a closed form: :math:`B_{ij} = -P_{ij} / P_{jj}` with :math:`P = (G + \lambda I)^{-1}`. The
    Gram matrix is

    .. math:: G = X^T X + order\_weight \sum_u X_u^T K_u X_u + side\_weight \, F F^T

    where K holds ``pair_decay`` to the power of the number of steps between two events of a user (weights below
    1e-4 are 0), so that items of one session get larger weights. F holds the encoded item features, centred if
    dense, in rows of unit length.

    Parameters
    ----------
    regularization : float, default=300.0
        The L2 penalty :math:`\lambda`. A log with more events needs a larger one.
    regularization_exponent : float, default=0.25
        The penalty of an item is multiplied by its sum of squared strengths, relative to the mean over items, to
        this power. 0 gives all items the same penalty.
    popularity_prior : float or "auto", default="auto"
        Weight of an item's share of all events, which is added to its score: on sparse data the score alone ranks below
        popularity. 0 adds nothing. "auto" chooses the weight in ``fit``. Up to 1,000 events are ranked by the scores
        that the model would give without them, and the weight with the largest mean of 1 / log2(1 + rank) is taken:
        0 unless a weight is better by two standard errors, and popularity alone unless the model is better by one.
        In time order they are the latest events of users; with ``recency_decay=1``, events anywhere in a history.
    order_weight : float, default=1.0
        Weight of the pairs by distance, if the model uses time order.
    pair_decay : float in (0, 1], default=0.9
        Factor on this weight for each step between two events.
    recency_decay : float in (0, 1], default=0.9
        Factor on the weight of an event of the history for each later event. Below 1 suits the prediction of the
        next event; 1 suits held-out events that lie anywhere in a history.
    order : {"auto", "time", "none"}, default="auto"
        "auto" uses time order if X has a ``timestamp``; "time" requires one; "none" ignores it.
    item_encoder : transformer, "auto" or None, default=None
        Fitted on ``item_features`` (without the id column) inside ``fit``. None takes numeric features;
        ``"auto"`` embeds texts, one-hot encodes categories, and imputes and standardises numbers.
    side_weight : float, default=10.0
        Weight of the Gram matrix of features. Through it, items without events get weights.
    n_neighbors : int, default=None
        None solves for all items at once. With a number, each item is regressed on that many others, the nearest
        by cosine of X (and of F): a sparse approximation for a catalogue whose dense matrix exceeds the memory.
    n_jobs : int, default=None
        Threads, besides those of BLAS; None means all cores.
    verbose : bool, int or "auto", default="auto"
        Whether to show a progress bar. "auto" shows one on a terminal or in a notebook, once the work has lasted two
        seconds. What is nested does the same, unless it has a setting of its own.

    Attributes
    ----------
    weights_ : float32 array or CSR array of shape (n_items, n_items)
        Row: the source item, of a history; column: the target item.
    popularity_prior_ : float
        The weight of popularity.
    item_encoder_ : transformer or None
        The fitted encoder.
    popularity_ : float32 array of shape (n_items,)
        Cold-start scores of users without events.
    n_features_in_ : int
        Columns of X, ``timestamp`` not counted.
    feature_names_in_ : ndarray of str
        Their names, where X is a frame.

    Notes
    -----
    Context and ``user_features`` are accepted and ignored.

    The dense model is solved in float32. Where this leaves the weights less than about three digits, as for
    strengths of very different size, it is solved in float64, with three times the memory.

    Cost: n_items**3 multiplications, and 4 n_items**2 bytes that hold the Gram matrix, its factor, its inverse
    and the weights, one after the other. With ``n_neighbors``: n_items n_neighbors**3 / 3 multiplications, 12
    n_items n_neighbors bytes for the weights, and per thread 16 bytes per event and per user and 16
    n_neighbors**2 bytes. With all items as neighbours it is the dense solution.

    ``partial_fit`` equals ``fit`` on all data up to rounding, except that the encoder stays as first fitted, and a
    ``popularity_prior`` that is chosen from the data until the events have doubled. If
    ``regularization_exponent=0``, the model does not use time order and is dense, then new events are a change of
    r rows; they cost 4 n_items**2 r multiplications and one more matrix (Woodbury's identity). Otherwise the
    model is solved from scratch from all events.

    Raises
    ------
    ValueError
        In fit, if ``regularization`` is too small for the matrix to be positive definite in float64.

    References
    ----------
    Steck, "Embarrassingly shallow autoencoders for sparse data", WWW 2019. Jeunen et al., "Closed-form models
    for collaborative filtering with side-information", RecSys 2020. Choe et al., "Session-aware linear
    item-item models for session-based recommendation", WWW 2021. Ning and Karypis, "SLIM: sparse linear
    methods for top-N recommender systems", ICDM 2011, for regressing on neighbours.
    The choice of ``popularity_prior`` follows the one-standard-error rule of Breiman, Friedman, Olshen and Stone,
    "Classification and Regression Trees", 1984.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.linear_model import EASERecommender
    >>> X = np.array([[1, 10], [1, 20], [2, 10], [2, 20], [2, 30], [3, 30], [3, 40]])
    >>> rec = EASERecommender(regularization=1).fit(X)
    >>> rec.recommend(history=[[9, 10]], k=2).items
    array([[20, 30]])
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "regularization": [Interval(Real, 0, None, closed="neither")],
        "regularization_exponent": [Interval(Real, 0, 10, closed="both")],
        "popularity_prior": [Interval(Real, 0, 1e12, closed="both"), StrOptions({"auto"})],
        "order_weight": [Interval(Real, 0, None, closed="left")],
        "pair_decay": [Interval(Real, 0, 1, closed="right")],
        "recency_decay": [Interval(Real, 0, 1, closed="right")],
        "order": [StrOptions({"auto", "time", "none"})],
        "item_encoder": [HasMethods(["fit_transform", "transform"]), StrOptions({"auto"}), None],
        "side_weight": [Interval(Real, 0, 1e6, closed="both")],
        "n_neighbors": [Interval(Integral, 1, None, closed="left"), None],
        "n_jobs": [None, int],
        "verbose": [StrOptions({"auto"}), "verbose"],
    }
    search_space: ClassVar[dict[str, Any]] = {
        "regularization": loguniform(10, 3000),
        "regularization_exponent": uniform(0, 0.8),
        "order_weight": uniform(0, 2),
        "pair_decay": uniform(0.6, 0.4),
        "recency_decay": uniform(0.4, 0.6),
        "side_weight": loguniform(1, 100),
    }
    _dtype: ClassVar[type[np.floating]] = np.float32

    def __init__(
        self,
        regularization: float = 300.0,
        *,
        regularization_exponent: float = 0.25,
        popularity_prior: float | str = "auto",
        order_weight: float = 1.0,
        pair_decay: float = 0.9,
        recency_decay: float = 0.9,
        order: str = "auto",
        item_encoder: BaseEstimator | Literal["auto"] | None = None,
        side_weight: float = 10.0,
        n_neighbors: int | None = None,
        n_jobs: int | None = None,
        verbose: Verbose = "auto",
    ) -> None:
        self.regularization = regularization
        self.regularization_exponent = regularization_exponent
        self.popularity_prior = popularity_prior
        self.order_weight = order_weight
        self.pair_decay = pair_decay
        self.recency_decay = recency_decay
        self.order = order
        self.item_encoder = item_encoder
        self.side_weight = side_weight
        self.n_neighbors = n_neighbors
        self.n_jobs = n_jobs
        self.verbose = verbose

    def _check_state(self) -> None:
        super()._check_state()
        if not self.__dict__.get("_is_fitted", False):
            return
        n_items = len(self._item_index)
        check_matrix(self.weights_, "weights_", (n_items, n_items))
        if self._inverse_diagonal is not None:
            check_array(self._inverse_diagonal, "_inverse_diagonal", (n_items,))
        check_number(self._fitted_regularization, "_fitted_regularization", 0)

    def _fit(self, data: Interactions, item_matrix: Matrix | None, user_matrix: Matrix | None) -> None:
        self._use_time = data.check_order(self.order)
        self._item_matrix = item_matrix
        self._solve(is_update=False)

    def _partial_fit(self, data: Interactions, item_matrix: Matrix | None, user_matrix: Matrix | None) -> None:
        was_use_time, self._use_time = self._use_time, data.check_order(self.order) and self._use_time
        if self._item_matrix is None and not was_use_time and self._is_updatable():
            self._update(data)
            return
        if self._item_matrix is not None:
            self._item_matrix = with_rows(self._item_matrix, item_matrix, data.item_rows, data.n_items)
        self._solve(is_update=True)

    def _is_updatable(self) -> bool:
        """Whether new events change the Gram matrix by a product of few rows, and no penalty."""
        return (
            self._inverse_diagonal is not None
            and self.n_neighbors is None
            and self.regularization_exponent == 0
            and self.regularization == self._fitted_regularization
        )

    def _solve(self, *, is_update: bool) -> None:
        from skrec.linear_model import _closed_form as closed_form

        n_items = len(self._item_index)
        order_weight = self.order_weight if self._use_time else 0.0
        pairs, near_pairs = closed_form.gram_pairs(
            self._histories, n_items, order_weight=order_weight, pair_decay=self.pair_decay, dtype=self._dtype
        )
        features = None if self._item_matrix is None else closed_form.unit_features(self._item_matrix)
        penalty = closed_form.penalties(self._histories, n_items, self.regularization, self.regularization_exponent)
        self._fitted_regularization = self.regularization
        self._inverse_diagonal = None
        if self.n_neighbors is None:
            self.weights_, self._inverse_diagonal = closed_form.dense_weights(
                pairs, near_pairs, features, side_weight=self.side_weight, penalty=penalty, n_jobs=self.n_jobs
            )
        else:
            self.weights_ = closed_form.sparse_weights(
                *closed_form.in_double_precision(pairs, near_pairs),
                self._histories.to_csr(n_items, narrow=True),
                features,
                side_weight=self.side_weight,
                penalty=penalty,
                n_neighbors=self.n_neighbors,
                n_jobs=self.n_jobs,
                dtype=self._dtype,
            )
        self._set_graph(self.weights_, self._weighted_popularity(is_update=is_update))

    def _update(self, data: Interactions) -> None:
        from skrec.linear_model._closed_form import updated_weights

        changed = np.unique(data.users)
        after = self._histories.take(changed).to_csr(data.n_items)
        before = after - data.histories.take(changed).to_csr(data.n_items)
        before.eliminate_zeros()
        assert self._inverse_diagonal is not None
        self.weights_, self._inverse_diagonal = updated_weights(
            self.weights_, self._inverse_diagonal, before, after, self.regularization, self.n_jobs
        )
        self._set_graph(self.weights_, self._weighted_popularity(is_update=True))

    def _leave_one_out_scores(self, events: HeldOutEvents) -> NDArray[np.float32]:
        """The scores less what the pairs of the held-out events have brought about.

        The weights of an item are those of a ridge regression on the others. Without the event they are lower by
        A^-1 d, where A is the Gram matrix of the others and d holds the pairs of the event. Where the inverse is not
        known, it is that of the diagonal of A.
        """
        histories = events.histories
        weights, scores = self._history_weights(histories), self._graph_scores(self.weights_, histories)
        pairs = np.where(events.is_same, 0, histories.y.astype(np.float64))
        if self._use_time:
            pairs *= 1 + self.order_weight * self.pair_decay ** np.abs(events.steps()).astype(np.float64)
        if self._inverse_diagonal is None:
            own = self._own_by_diagonal(events, weights * pairs)
        else:
            own = self._own_by_inverse(events, weights, pairs, scores)
        scores[np.arange(len(events)), events.items] -= (events.y * own).astype(np.float32)
        return scores

    def _own_by_inverse(
        self, events: HeldOutEvents, weights: NDArray, pairs: NDArray[np.float64], scores: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        """w A^-1 d of each held-out event; w holds the weights of its history, without the held-out item.

        The inverse P of the whole Gram matrix follows from the weights of the items, I - P / diag(P), and so w P from
        w and its scores. Taking the row and column i of an item out of the matrix leaves P - P_i P_i / P_ii.
        """
        assert self._inverse_diagonal is not None
        histories, row = events.histories, events.histories.row_of_event()
        n, items, held = len(events), histories.items, events.items[row]
        diagonal = self._inverse_diagonal.astype(np.float64)
        totals = sp.csr_array((weights, items, histories.indptr), shape=scores.shape)
        repeats = np.bincount(row, weights=weights * events.is_same, minlength=n)
        of_others = scores[row, items] - repeats[row] * self.weights_[held, items]
        through = pairs * (totals[row, items] - of_others) * diagonal[items]
        own, at = (np.bincount(row, part, minlength=n) for part in (through, pairs * self.weights_[items, held]))
        return own - scores[np.arange(n), events.items] * at * diagonal[events.items]

    def _own_by_diagonal(self, events: HeldOutEvents, products: NDArray[np.floating]) -> NDArray[np.float64]:
        """w D^-1 d of each held-out event: ``products`` of w and d over the diagonal of the Gram matrix."""
        from skrec.linear_model._closed_form import penalties

        histories, n_items = events.histories, len(self._item_index)
        strength = self._histories.y.astype(np.float64) ** 2 * (1 + self.order_weight * self._use_time)
        penalty = penalties(self._histories, n_items, self._fitted_regularization, self.regularization_exponent)
        diagonal = np.bincount(self._histories.items, strength, minlength=n_items) + penalty
        terms = products / diagonal[histories.items] * events.is_edge(self.weights_)
        return np.bincount(histories.row_of_event(), terms, minlength=len(events)).astype(np.float64)
