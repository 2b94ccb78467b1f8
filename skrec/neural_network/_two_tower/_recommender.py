"""Users and items as vectors of two towers."""

from __future__ import annotations

import warnings
from numbers import Integral, Real
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import loguniform, uniform
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skrec.base import PartialFitMixin, VectorRecommender, text_space
from skrec.exceptions import ColdStartWarning
from skrec.interactions import Interactions, Queries, Table
from skrec.neural_network._fit import EpochFitMixin, with_training_attributes
from skrec.neural_network._two_tower._calibration import calibrated
from skrec.neural_network._two_tower._checks import check_tower_parameters, check_tower_state
from skrec.neural_network._two_tower._events import is_positive
from skrec.neural_network._two_tower._learning import TowerLearningMixin
from skrec.neural_network._two_tower._network import latest
from skrec.neural_network._two_tower._solver import TowerSolver
from skrec.utils import (
    MOST_FACTORS,
    Matrix,
    Verbose,
    caller_level,
    on_snapshot,
    row_dots,
)

_PAIR_BLOCK = 1 << 16


def _has_calibration(recommender: TwoTowerRecommender) -> bool:
    if recommender.calibration is None:
        raise AttributeError('predict_proba needs calibration="sigmoid" or calibration="isotonic"')
    return True


@with_training_attributes
class TwoTowerRecommender(TowerLearningMixin, EpochFitMixin, PartialFitMixin, VectorRecommender):
    """Compare a vector of the user with a vector of the item, each made by a tower of its own.

    The tower of a user adds up a learned vector, a map of the user's features, what the user chose before (a learned
    vector and a map of the features of each item, summed over the latest events and divided by the root of their
    number), and a map of the context columns of X. The tower of an item adds up a learned vector and a map of its
    features, such as a text vector. Towers are linear, or a sum plus a multilayer perceptron of it.

    A part that is missing is zero: new items enter by their features, new users by features or a history, without a
    refit. It is trained by torch and serves from NumPy: ``recommend`` of a loaded model imports no torch.

    Parameters
    ----------
    n_factors : int, default=64
        Length of the vectors.
    hidden_layer_sizes : tuple of int, default=()
        Hidden layers of each tower; none for linear towers.
    interaction : {"dot", "cosine", "additive"}, default="dot"
        "dot" is the inner product, "cosine" that of unit vectors; both plus a bias of the item. "additive" adds a score
        of the user to a score of the item: the order of items is the same for every user, and a warning says so.
    temperature : float, default=1.0
        Divides scores, but for the bias; with "cosine", .05 to .3 is usual.
    use_history : bool, default=True
        Whether the items of a user's events are pooled in the tower of the user.
    max_length : int, default=100
        Events of a history that are pooled: the latest ones.
    item_encoder, user_encoder : transformer, "auto" or None, default=None
        Fitted on the feature table (without the id column) inside ``fit``. None takes numeric features as they are;
        ``"auto"`` encodes each column by its type.
    n_components : int, default=256
        Leading components of the encoded features that are used, each divided by the square root of its standard
        deviation.
    threshold : float or None, default=None
        Events with y of at least so much are positive, the others negative. None: those with y above 0.
    loss : {"auto", "softmax", "multinomial", "sampled_softmax", "in_batch_softmax", "bce"}, default="auto"
        "softmax" compares each positive event with the whole catalogue. "multinomial" does so for a whole history at
        once, as Mult-DAE: the share ``dropout`` of its items is predicted from the rest; an epoch costs a fraction,
        and some 100 are needed. "sampled_softmax" compares with ``n_negatives`` items, drawn by their popularity, and
        "in_batch_softmax" with the items of the other events of the batch, both corrected for how often an item is
        drawn (log-Q). "bce" is the logistic loss of the positive event and of the drawn items, and of the negative
        events of y; the others read positive events alone. "auto" is "softmax" where the scores of a batch fit in
        memory, else "sampled_softmax"; with "additive" it is "bce".
    n_negatives : int, default=512
        Negative samples per batch. With "bce", 0 trains on the positive and negative events of y alone: then the model
        tells which items a user likes among those that the user meets, and does not rank the catalogue.
    calibration : {"sigmoid", "isotonic"} or None, default=None
        How :meth:`predict_proba` is calibrated on held-out later events, or those of ``validation_data``, where y has
        positive and negative ones.
    dropout : float in [0, 1), default=0.2
        Of the events of a history, and of hidden layers.
    id_dropout : float in [0, 1), default=0.2
        Share of the learned vectors of users and items that a step leaves out where features or a history stand for
        them too: so that new ones are served by these alone.
    cold_smoothing : float in [0, 1], default=0
        Share of the vector of an item without events that is the mean of the trained items with the most similar
        features; the rest is that of its own features.
    learning_rate : float in (0, 1], default=3e-3
        Of AdamW.
    learning_rate_schedule : {"constant", "linear", "cosine"}, default="constant"
        How the learning rate falls, to nothing at ``max_iter``.
    warmup : float in [0, 1), default=0
        Share of all steps in which the learning rate rises.
    regularization : float, default=0.01
        Decoupled weight decay of AdamW.
    batch_size : int, default=1024
        Events per step; with "multinomial" those of whole histories.
    max_iter : int, default=30
        Epochs at most.
    early_stopping : bool, default=True
        Hold out events, keep the epoch that ranks them best, and stop ``n_iter_no_change`` epochs after it. Where
        fewer than 20 could be held out, all epochs are trained.
    validation_fraction : float in (0, 1), default=0.1
        Share of the users with three events or more of whom an event is held out: the last one where X has a
        ``timestamp``, any one where it has not. It is 10,000 users at most, and 1,000 at least where their events are
        less than a fiftieth of all. With ``calibration``, the share of each user's events, the last ones.
    n_iter_no_change : int or "auto", default="auto"
        Epochs without a better NDCG@10 of held-out events before training stops; "auto" is 5, or as many as make 400
        steps where an epoch has few.
    refit : bool, default=False
        Whether to train again on all events, for as many epochs as were best.
    device : str or None, default=None
        Where torch trains: None for the CPU, "auto" for CUDA where there is one.
    random_state : int, RandomState or None, default=None
        The same seed and number of threads of torch give the same bits.
    verbose : bool, int or "auto", default="auto"
        Progress, with loss and NDCG@10; "auto" shows it where someone watches.

    Attributes
    ----------
    {training_attributes}

    Notes
    -----
    An event is predicted from the other events of its user: where its item is in the history, it is left out there.
    Negative events count as seen; they are not pooled.

    Users of whom nothing is known get popular items. :meth:`explain` names the events whose absence from the history
    would lower a score most; what is in the user's learned vector is not taken apart.

    ``partial_fit`` adds users, items and events, and trains a tenth of ``max_iter`` epochs on the new events and as
    many old ones; with context columns, on the new events. The calibration stays.

    References
    ----------
    Huang et al., "Learning Deep Structured Semantic Models for Web Search using Clickthrough Data", CIKM 2013.
    Covington, Adams and Sargin, "Deep Neural Networks for YouTube Recommendations", RecSys 2016. Yi et al.,
    "Sampling-Bias-Corrected Neural Modeling for Large Corpus Item Recommendations", RecSys 2019. Liang et al.,
    "Variational Autoencoders for Collaborative Filtering", WWW 2018, for "multinomial". Volkovs, Yu and
    Poutanen, "DropoutNet: Addressing Cold Start in Recommender Systems", NeurIPS 2017, for ``id_dropout``. Kabbur, Ning
    and Karypis, "FISM", KDD 2013, for the pooled history.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.neural_network import TwoTowerRecommender
    >>> rng = np.random.default_rng(0)
    >>> X = np.array([[user, 2 * item + user % 2] for user in range(60) for item in rng.permutation(8)[:4]])
    >>> rec = TwoTowerRecommender(n_factors=8, learning_rate=0.02, batch_size=32, random_state=0).fit(X)
    >>> bool((rec.recommend([0, 1], k=3).items % 2 == [[0], [1]]).all())  # even users choose even items
    True
    """

    _uses_context = True
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_factors": [Interval(Integral, 1, MOST_FACTORS, closed="both")],
        "hidden_layer_sizes": ["array-like"],
        "interaction": [StrOptions({"dot", "cosine", "additive"})],
        "temperature": [Interval(Real, 0, None, closed="neither")],
        "use_history": ["boolean"],
        "max_length": [Interval(Integral, 1, 100_000, closed="both")],
        "item_encoder": [HasMethods(["fit_transform", "transform"]), StrOptions({"auto"}), None],
        "user_encoder": [HasMethods(["fit_transform", "transform"]), StrOptions({"auto"}), None],
        "n_components": [Interval(Integral, 1, MOST_FACTORS, closed="both")],
        "threshold": [Interval(Real, 0, None, closed="neither"), None],
        "loss": [StrOptions({"auto", "softmax", "multinomial", "sampled_softmax", "in_batch_softmax", "bce"})],
        "n_negatives": [Interval(Integral, 0, 1_000_000, closed="both")],
        "calibration": [StrOptions({"sigmoid", "isotonic"}), None],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "id_dropout": [Interval(Real, 0, 1, closed="left")],
        "cold_smoothing": [Interval(Real, 0, 1, closed="both")],
        "learning_rate": [Interval(Real, 0, 1, closed="right")],
        "learning_rate_schedule": [StrOptions({"constant", "linear", "cosine"})],
        "warmup": [Interval(Real, 0, 1, closed="left")],
        "regularization": [Interval(Real, 0, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "refit": ["boolean"],
        "device": [str, None],
        "random_state": ["random_state"],
        "verbose": [StrOptions({"auto"}), "verbose"],
    }
    search_space: ClassVar[dict[str, Any]] = {
        "n_factors": [32, 64, 128],
        "hidden_layer_sizes": [(), (128,)],
        "learning_rate": loguniform(1e-3, 1e-2),
        "regularization": loguniform(0.01, 3),
        "dropout": uniform(0, 0.6),
    }

    def __init__(
        self,
        n_factors: int = 64,
        *,
        hidden_layer_sizes: tuple[int, ...] = (),
        interaction: str = "dot",
        temperature: float = 1.0,
        use_history: bool = True,
        max_length: int = 100,
        item_encoder: BaseEstimator | Literal["auto"] | None = None,
        user_encoder: BaseEstimator | Literal["auto"] | None = None,
        n_components: int = 256,
        threshold: float | None = None,
        loss: str = "auto",
        n_negatives: int = 512,
        calibration: str | None = None,
        dropout: float = 0.2,
        id_dropout: float = 0.2,
        cold_smoothing: float = 0.0,
        learning_rate: float = 3e-3,
        learning_rate_schedule: Literal["constant", "linear", "cosine"] = "constant",
        warmup: float = 0.0,
        regularization: float = 0.01,
        batch_size: int = 1024,
        max_iter: int = 30,
        early_stopping: bool = True,
        validation_fraction: float = 0.1,
        n_iter_no_change: int | Literal["auto"] = "auto",
        refit: bool = False,
        device: str | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: Verbose = "auto",
    ) -> None:
        self.n_factors = n_factors
        self.hidden_layer_sizes = hidden_layer_sizes
        self.interaction = interaction
        self.temperature = temperature
        self.use_history = use_history
        self.max_length = max_length
        self.item_encoder = item_encoder
        self.user_encoder = user_encoder
        self.n_components = n_components
        self.threshold = threshold
        self.loss = loss
        self.n_negatives = n_negatives
        self.calibration = calibration
        self.dropout = dropout
        self.id_dropout = id_dropout
        self.cold_smoothing = cold_smoothing
        self.learning_rate = learning_rate
        self.learning_rate_schedule = learning_rate_schedule
        self.warmup = warmup
        self.regularization = regularization
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.refit = refit
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    @classmethod
    def __skrec_test_instances__(cls) -> list[Any]:
        small: dict[str, Any] = {"n_factors": 4, "max_iter": 2, "batch_size": 256, "random_state": 0}
        return [
            cls(**small, learning_rate=0.02),
            cls(**small, hidden_layer_sizes=(8,), interaction="cosine", temperature=0.2, loss="bce", n_negatives=8),
        ]

    # Fit -------------------------------------------------------------------------------------------

    def _fit(self, data: Interactions, item_matrix: Matrix | None, user_matrix: Matrix | None) -> None:
        check_tower_parameters(self)
        self._learn(data, item_matrix, user_matrix)
        if not self.n_iter_:
            warnings.warn(
                "No event is positive, so there is nothing to learn from: TwoTowerRecommender ranks by popularity. An "
                f"event is positive where y is {'above 0' if self.threshold is None else f'at least {self.threshold}'}"
                ".",
                ColdStartWarning,
                stacklevel=caller_level(),
            )

    def _solver(self) -> TowerSolver:
        return TowerSolver(
            self._trainer_settings(),
            self.loss,
            int(self.n_negatives),
            int(self.batch_size),
            int(self.max_length),
            float(self.dropout),
            float(self.id_dropout),
            self.device,
        )

    def _history_rating(self) -> float:
        return 1.0 if self.threshold is None else float(self.threshold)

    def _check_state(self) -> None:
        super()._check_state()
        if self.__dict__.get("_is_fitted", False):
            check_tower_state(self)

    # Rank ------------------------------------------------------------------------------------------

    def _query_vectors(self, queries: Queries) -> NDArray[np.float32]:
        context = None
        if self._scale is not None and queries.context is not None:
            context = self._scale.transform(queries.context)
        return self._vectors_of(queries, context)

    def _vectors_of(self, queries: Queries, context: NDArray[np.float32] | None) -> NDArray[np.float32]:
        """Vectors of queries; ``context`` is standardised."""
        histories = queries.histories
        if self._history_vectors is not None:
            kept = is_positive(histories.y, self.threshold) & self._usable[histories.items]
            histories = latest(histories if kept.all() else histories.where(kept), int(self.max_length))
        features = None
        if self._user_components is not None and self._user_parts is not None:
            features = np.zeros((len(queries), self._user_components.shape[1]), np.float32)
            known = queries.users >= 0
            features[known] = self._user_components[queries.users[known]]
            if queries.features is not None:
                given = queries.features.is_given
                features[given] = self._user_parts.transform(queries.features.matrix[given])
        return self._network.query_vectors(queries.users, histories, self._history_vectors, features, context)

    def _pair_scores(
        self, vectors: NDArray[np.float32], rows: NDArray[np.int64], items: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Scores of pairs without the cold start."""
        scores = np.empty(len(rows))
        for start in range(0, len(rows), _PAIR_BLOCK):
            at = slice(start, start + _PAIR_BLOCK)
            scores[at] = row_dots(vectors[rows[at]], self._item_vectors[items[at]])
        return scores if self._item_bias is None else scores + self._item_bias[items]

    @available_if(_has_calibration)
    @on_snapshot
    def predict_proba(self, X: Table) -> NDArray[np.float64]:
        """Probability that an event of a user and an item is positive, calibrated on later events than training saw.

        Parameters
        ----------
        X : array-like or frame of shape (n_events, n_columns)
            As in fit; ``timestamp`` is optional.

        Returns
        -------
        ndarray of shape (n_events, 2)
            Of a negative and of a positive event: y above 0, or at least ``threshold``.

        Raises
        ------
        ValueError
            If the held-out events of fit were all positive, or all negative.
        """
        check_is_fitted(self)
        scores = self.predict(X)
        if self._calibrator is None:
            raise ValueError(
                "predict_proba learns from positive and negative events, and the later events of fit were of one class "
                f"alone (threshold={self.threshold}): fit with y of 0 and 1, or with ratings and a threshold between "
                "them, and with three events or more of some users."
            )
        return calibrated(self._calibrator, scores)

    def _text_space(self, texts: list[str]) -> tuple[Matrix, Matrix]:
        return text_space(self.item_encoder_, texts, self._item_matrix)
