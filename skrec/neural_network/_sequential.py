"""The next item, from the order of a history."""

from __future__ import annotations

import warnings
from numbers import Integral, Real
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import loguniform, uniform
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

from skrec.base import PartialFitMixin, VectorRecommender, text_space
from skrec.exceptions import ColdStartWarning
from skrec.interactions import Interactions, Queries, check_histories
from skrec.neural_network._components import check_components
from skrec.neural_network._fit import EpochFitMixin, with_training_attributes
from skrec.neural_network._learning import LearningMixin
from skrec.neural_network._numpy_network import check_network
from skrec.neural_network._preparation import check_context_scale
from skrec.neural_network._solver import SequenceSolver
from skrec.utils import (
    MOST_FACTORS,
    Matrix,
    Verbose,
    caller_level,
    check_array,
    check_matrix,
    check_number,
    refuse_state,
)


@with_training_attributes
class SequentialRecommender(LearningMixin, EpochFitMixin, PartialFitMixin, VectorRecommender):
    """Recommend the next item by a network that reads a history in its order.

    A causal transformer, or a recurrent network, is trained to tell each event of a history from those before it. An
    item is a learned vector plus a linear map of its features, such as a text vector; so an item without events is
    scored by its features alone. A user is nothing but a history: new users are served without a refit.

    It is trained by torch and serves from NumPy: ``recommend`` of a loaded model imports no torch.

    Parameters
    ----------
    n_factors : int, default=128
        Width of the network.
    architecture : {"transformer", "gru"}, default="transformer"
        Pre-norm self-attention, or gated recurrent units.
    n_layers : int, default=2
    n_heads : int, default=4
        Attention heads of a transformer; divides ``n_factors``.
    max_length : int, default=50
        Events of a history that are read: the latest ones.
    item_encoder : transformer, "auto" or None, default=None
        Fitted on ``item_features`` (without the id column) inside ``fit``. None takes numeric features as they are;
        ``"auto"`` encodes each column by its type.
    n_components : int, default=256
        Leading components of the encoded features that are used, each divided by the square root of its standard
        deviation.
    time_gaps : bool, default=False
        Whether the time between events is read too, where X has a ``timestamp``.
    order : {"auto", "time"}, default="auto"
        "auto" takes the order of ``timestamp`` where X has one, else that of the rows; "time" requires one.
    loss : {"auto", "softmax", "sampled_softmax", "in_batch_softmax", "bce", "bpr"}, default="auto"
        "softmax" compares the target with the whole catalogue, "in_batch_softmax" with the other targets of the batch,
        corrected for how often an item is one (log-Q), the others with ``n_negatives`` items that are drawn by
        their popularity. "auto" is "softmax" where the scores of a batch fit in memory, else "sampled_softmax".
    n_negatives : int, default=512
        Negative samples per batch.
    seen_negatives : bool, default=True
        Whether items of the history count against the next one. False suits lists without what was seen, as
        ``recommend`` makes them by default, where nobody chooses an item twice: the network need not learn what is left
        out in any case.
    dropout : float in [0, 1), default=0.4
    id_dropout : float in [0, 1), default=0
        How often an item with features is read in training without its learned vector, as an item without events always
        is. It makes such items rank better among themselves.
    cold_smoothing : float in [0, 1], default=0
        Share of the vector of an item without events that is the mean of the trained items with the most similar
        features; the rest is the map of its own.
    learning_rate : float in (0, 1], default=1e-3
        Of AdamW.
    learning_rate_schedule : {"constant", "linear", "cosine"}, default="constant"
        How the learning rate falls, to nothing at ``max_iter``.
    warmup : float in [0, 1), default=0
        Share of all steps in which the learning rate rises.
    regularization : float, default=0.01
        Decoupled weight decay of AdamW.
    batch_size : int, default=128
        Histories, or parts of long ones, per step.
    max_iter : int, default=30
        Epochs at most.
    early_stopping : bool, default=True
        Hold out the last event of some users, keep the epoch that ranks them best, and stop ``n_iter_no_change``
        epochs after it. Where fewer than 20 users could be held out, all epochs are trained.
    validation_fraction : float in (0, 1), default=0.1
        Share of the users with three events or more whose last event is held out: 10,000 at most, and 1,000 at least
        where their events are less than a fiftieth of all.
    n_iter_no_change : int or "auto", default="auto"
        Epochs without a better NDCG@10 of held-out events before training stops; "auto" is 5, or as many as make 400
        steps where an epoch has few.
    refit : bool, default=False
        Whether to train again on all events, for as many epochs as were best.
    device : str or None, default=None
        Where torch trains: None for the CPU, "auto" for CUDA where there is one. "accelerate" for the processes of
        ``accelerate launch`` (``pip install 'skrec-text[accelerate]'``), each calls ``fit`` with the same data.
    random_state : int, RandomState or None, default=None
        The same seed and number of threads of torch give the same bits.
    verbose : bool, int or "auto", default="auto"
        Progress, with loss and NDCG@10; "auto" shows it where someone watches.

    Attributes
    ----------
    {training_attributes}

    Notes
    -----
    Events with ``y`` = 0 count as seen and are not read; other values of ``y`` are not used. Context columns of X move
    the query of a request; those of past events are not read. ``user_features`` are ignored.

    Users without any event that can be read get popular items; with context, what the network says of a beginning.

    ``partial_fit`` adds items and events, and trains a tenth of ``max_iter`` epochs on the users who have new events
    and as many others; with context columns, on the new events.

    Several fits in one process may run at a time. Random numbers and threads of torch are left as they are.

    References
    ----------
    Kang and McAuley, "Self-Attentive Sequential Recommendation", ICDM 2018. Hidasi et al., "Session-based
    Recommendations with Recurrent Neural Networks", ICLR 2016. Klenitskiy and Vasilev, "Turning Dross Into Gold Loss:
    is BERT4Rec really better than SASRec?", RecSys 2023, for the softmax.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.neural_network import SequentialRecommender
    >>> rng = np.random.default_rng(0)
    >>> starts = rng.integers(0, 6, 60)  # each user goes round the same circle of six items
    >>> X = np.array([[user, (start + step) % 6] for user, start in enumerate(starts) for step in range(4)])
    >>> rec = SequentialRecommender(n_factors=16, n_layers=1, n_heads=2, dropout=0, learning_rate=0.01, random_state=0)
    >>> rec.fit(X).recommend(history=[[99, 2], [99, 3]], k=1).items
    array([[4]])
    """

    _uses_context = True
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_factors": [Interval(Integral, 1, MOST_FACTORS, closed="both")],
        "architecture": [StrOptions({"transformer", "gru"})],
        "n_layers": [Interval(Integral, 1, 100, closed="both")],
        "n_heads": [Interval(Integral, 1, None, closed="left")],
        "max_length": [Interval(Integral, 1, 10_000, closed="both")],
        "item_encoder": [HasMethods(["fit_transform", "transform"]), StrOptions({"auto"}), None],
        "n_components": [Interval(Integral, 1, MOST_FACTORS, closed="both")],
        "time_gaps": ["boolean"],
        "order": [StrOptions({"auto", "time"})],
        "loss": [StrOptions({"auto", "softmax", "sampled_softmax", "in_batch_softmax", "bce", "bpr"})],
        "n_negatives": [Interval(Integral, 1, 1_000_000, closed="both")],
        "seen_negatives": ["boolean"],
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
        "n_factors": [64, 128, 256],
        "n_layers": [1, 2, 3],
        "dropout": uniform(0.1, 0.5),
        "learning_rate": loguniform(3e-4, 3e-3),
        "max_length": [20, 50, 100],
    }

    def __init__(
        self,
        n_factors: int = 128,
        *,
        architecture: str = "transformer",
        n_layers: int = 2,
        n_heads: int = 4,
        max_length: int = 50,
        item_encoder: BaseEstimator | Literal["auto"] | None = None,
        n_components: int = 256,
        time_gaps: bool = False,
        order: str = "auto",
        loss: str = "auto",
        n_negatives: int = 512,
        seen_negatives: bool = True,
        dropout: float = 0.4,
        id_dropout: float = 0.0,
        cold_smoothing: float = 0.0,
        learning_rate: float = 1e-3,
        learning_rate_schedule: Literal["constant", "linear", "cosine"] = "constant",
        warmup: float = 0.0,
        regularization: float = 0.01,
        batch_size: int = 128,
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
        self.architecture = architecture
        self.n_layers = n_layers
        self.n_heads = n_heads
        self.max_length = max_length
        self.item_encoder = item_encoder
        self.n_components = n_components
        self.time_gaps = time_gaps
        self.order = order
        self.loss = loss
        self.n_negatives = n_negatives
        self.seen_negatives = seen_negatives
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
        small: dict[str, Any] = {"n_factors": 16, "n_layers": 1, "n_heads": 2, "max_length": 6, "max_iter": 3}
        return [
            cls(**small, learning_rate=0.01, random_state=0),
            cls(**small, architecture="gru", time_gaps=True, loss="bpr", n_negatives=4, random_state=0),
        ]

    # Fit -------------------------------------------------------------------------------------------

    def _fit(self, data: Interactions, item_matrix: Matrix | None, user_matrix: Matrix | None) -> None:
        data.check_order(self.order)
        if self.architecture == "transformer" and self.n_factors % self.n_heads:
            raise ValueError(
                f"n_factors={self.n_factors} is not a multiple of n_heads={self.n_heads}; pass a multiple, or fewer "
                "heads."
            )
        self._learn(data, item_matrix)
        if not self.n_iter_:
            warnings.warn(
                "No user has two events, so there is no next item to learn from: SequentialRecommender ranks by "
                "popularity.",
                ColdStartWarning,
                stacklevel=caller_level(),
            )

    def _solver(self) -> SequenceSolver:
        return SequenceSolver(
            self._trainer_settings(),
            self.loss,
            int(self.n_negatives),
            int(self.batch_size),
            float(self.dropout),
            float(self.id_dropout),
            bool(self.seen_negatives),
            self.device,
        )

    def _check_state(self) -> None:
        super()._check_state()
        if not self.__dict__.get("_is_fitted", False):
            return
        n_items = len(self._item_index)
        check_network(self._network, "_network", n_items)
        shape = self._network.shape
        check_matrix(self._item_vectors, "_item_vectors", (n_items, shape.n_factors))
        check_array(self._item_bias, "_item_bias", (n_items,), dtype=np.float32)
        for name in ("_active", "_usable"):
            check_array(getattr(self, name), name, (n_items,), dtype=np.bool_)
        check_histories(self._trained, "_trained", len(self._user_index), n_items)
        if len(self._trained.items) != len(self._histories.items):
            refuse_state("_trained", f"{len(self._trained.items)} events", f"the {len(self._histories.items)} of fit")
        check_number(self._gap_unit, "_gap_unit", np.finfo(np.float64).tiny)
        if (self._components is None) != (shape.n_features == 0) or (self._scale is None) != (shape.n_context == 0):
            refuse_state("_network.shape", "not that of the other parts", "columns for features and context")
        if self._components is not None:
            check_matrix(self._item_matrix, "_item_matrix", (n_items, None))
            check_components(self._components, "_components", self._item_matrix.shape[1], shape.n_features)
        if self._scale is not None:
            check_context_scale(self._scale, "_scale", shape.n_context)

    # Rank ------------------------------------------------------------------------------------------

    def _query_vectors(self, queries: Queries) -> NDArray[np.float32]:
        sequences = self._sequences(queries.histories)
        context = None
        if self._scale is not None and queries.context is not None:
            context = self._scale.transform(queries.context)
        assert isinstance(self._item_vectors, np.ndarray)
        return self._network.query_vectors(sequences, self._item_vectors, context)

    def _text_space(self, texts: list[str]) -> tuple[Matrix, Matrix]:
        return text_space(self.item_encoder_, texts, self._item_matrix)
