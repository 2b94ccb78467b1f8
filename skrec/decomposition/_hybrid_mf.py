"""Matrix factorization with side features and context."""

from __future__ import annotations

from dataclasses import replace
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.stats import loguniform, uniform
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

from skrec.base import PartialFitMixin, SampleWeightMixin
from skrec.decomposition._als import ALSSolver
from skrec.decomposition._context_als import ContextALSSolver
from skrec.decomposition._factor_model import FactorModel
from skrec.decomposition._sgd import SGDSolver
from skrec.decomposition._solver import SideFeatures, Solver, SolverData, SolverSettings
from skrec.interactions import EventTable, Interactions
from skrec.utils import Matrix, with_rows

_MAX_ITER = {"als": 30, "bpr": 300, "warp": 300, "softmax": 100}


class HybridMFRecommender(SampleWeightMixin, PartialFitMixin, FactorModel):
    """Matrix factorization with item and user features as priors, and with the context of a request.

    A user is a vector p and an item a vector q, so that p.q tells how much the user likes the item. Each is
    what its features say (a linear map, learned along the way) and what its own events add. Items and users
    without events are what their features say: cold items can be recommended, and cold users get lists.

    The score is ``b_i + (p_u + C c).q_i``: where X has context columns c, the moment moves the user. New users
    get what the moment asks for. Encode context first, as by ``make_pipeline(ContextEncoder(),
    HybridMFRecommender())``.

    ``solver="als"`` minimises ``sum_ui c_ui (r_ui - p_u.q_i)^2 + sum_u l_u |p_u - A x_u|^2
    + sum_i l_i |q_i - B z_i|^2 + rho (|A|^2 + |B|^2)`` over the users and items with events. With context, every
    event is a request of its own that is asked about all items: ``sum_e sum_i c_ei (r_ei - (p_u + C c_e).q_i)^2``.
    The other solvers learn to rank what was chosen above the rest, with a bias b_i of each item and the same pulls
    towards what features say.

    Parameters
    ----------
    n_factors : int, default=64
        Length of the vectors. More help where the catalogue is large and the data are sparse.
    regularization : float or "auto", default="auto"
        l, the pull of a row with as many events as the mean towards what its features say (towards zero
        without features). "auto" scales with the noise of the data for "als": see Notes; it is 1 for "bpr", 5 for
        "warp" and "softmax", beside the sum of losses over the events.
    alpha : float or "auto", default="auto"
        Implicit feedback: a seen pair has confidence 1 + alpha * y, an unseen one 1; 0 weighs both alike.
        "auto" grows with the sparsity of the data: see Notes. Unused for explicit feedback and by the other solvers.
    frequency_scaling : float in [0, 1], default=0.4
        A row with n times as many events as the mean has a pull of regularization * n ** frequency_scaling.
    feature_regularization : float, default=10.0
        rho, in units of the regularization and of the mean squared length of the feature rows, so that it
        depends on the scale of neither.
    feedback : {"implicit", "explicit"}, default="implicit"
        "explicit" fits the observed ratings alone, with a mean and biases of users, items and context; scores
        are then ratings. For "als".
    solver : {"als", "bpr", "warp", "softmax"}, default="als"
        "als" is alternating least squares, the quickest, and the one for ratings. "softmax" is the likelihood of
        each choice among sampled items: the best where context matters, and the slowest. "bpr" sets what was
        chosen against one random item, "warp" against one that scores too high, and weighs by the rank that this
        betrays.
    max_iter : int or "auto", default="auto"
        Most sweeps over both sides, or most epochs. "auto" is 30 for "als", 100 for "softmax", 300 for the others.
    tol : float, default=1e-4
        "als": stop when a sweep lowers the loss by less than this share of it.
    learning_rate : float, default=0.05
        Length of the first steps of the other solvers; Adagrad shortens them row by row.
    batch_size : int, default=256
        Events a step of "softmax", and on a GPU of "bpr" and "warp"; on the CPU these take one at a time.
    n_negatives : int or "auto", default="auto"
        "softmax": items drawn a batch, beside those of the batch itself; 256. "warp": most items drawn for an
        event; 20. "bpr" draws one.
    validation_fraction : float in [0, 1), default=0.1
        Share of the events, 10,000 at most, held out to find the number of epochs; the model is then learned anew
        from all events for as many. 0, or fewer than 20 whose item has others: ``max_iter`` epochs.
    n_iter_no_change : int, default=10
        Stop when the held-out score has not risen for so many epochs.
    item_encoder, user_encoder : transformer, default=None
        Fitted on ``item_features`` and ``user_features`` (without the id column) inside ``fit``. None takes
        numeric features as they are.
    random_state : int, RandomState instance or None, default=None
        Draws the first factors, and all that the other solvers draw.
    n_jobs : int, default=None
        Threads; None means all cores. The result does not depend on it. Solvers other than "als" learn on one,
        so that it does not.
    device : str, default=None
        None and "cpu" fit by compiled loops on the CPU; "cuda", or another device of torch, fits there;
        "auto" takes CUDA where there is one. Recommending is done on the CPU.
    verbose : int, default=0
        1 prints the loss after every sweep or epoch.

    Attributes
    ----------
    user_factors_, item_factors_ : float32 arrays of shape (n_users, n_factors) and (n_items, n_factors)
        In catalogue order; what the features say is included.
    user_biases_, item_biases_ : float32 arrays of shape (n_users,) and (n_items,)
        Of users, zero for implicit feedback; of items, zero for implicit feedback by "als".
    mean_ : float
        Mean rating; zero for implicit feedback.
    user_coef_, item_coef_ : float32 arrays of shape (n_features, n_factors) or None
        A and B, transposed. A last column gives the bias, where there is one.
    context_coef_ : float32 array of shape (n_context, n_factors) or None
        C, transposed. With explicit feedback, a last column gives what the context adds to every rating. None
        where X had no context.
    regularization_, alpha_ : float
        The values used; ``alpha_`` is None where it has no use.
    loss_curve_ : list of float
        The objective after every sweep of ``fit``, or the mean loss of an event in every epoch.
    validation_scores_ : list of float or None
        Mean of ``1 / log2(1 + rank)`` of held-out events after every epoch; None for "als" or without them.
    n_iter_ : int
        Sweeps done, or epochs that the final model learned for.
    item_encoder_, user_encoder_ : transformer or None
        The fitted encoders.
    popularity_ : float32 array of shape (n_items,)
        Ranks for users of whom nothing is known (implicit feedback).
    n_features_in_ : int
        Columns of X, ``timestamp`` not counted.
    feature_names_in_ : ndarray of str
        Their names, where X is a frame.

    Notes
    -----
    Order is not used. A history that was not in fit is folded in: the user's row is solved with the items as
    they are. With context, what is new in a history counts as if it had the mean context of training, and a known
    user is moved from the fitted row; ``context=None`` is the mean too. The scale of a context column does not
    matter; C is pulled to zero by a tenth of the regularization, in units of each column's root mean square where
    it is not zero.

    ``regularization="auto"`` is ``0.7 * s * sqrt(1 + alpha * mean(y)) * (sqrt(d_u) + sqrt(d_i))``, where d_u
    and d_i are the mean events of a user and of an item, s = 1 (implicit) or the standard deviation of the
    ratings (explicit): the order of the largest singular value of a matrix of noise alone.
    ``alpha="auto"`` is ``min(0.07 * density ** -0.75, 40) / mean(y)``. Both were chosen on held-out parts of
    three public data sets between 0.07 and 6 percent dense. With context, each event is a row of its own: the
    density is one over the number of items.

    *Solvers other than "als".* Events weigh as y over its mean, ten at most. Alike events in the same context
    count as one with a weight. Without context, what a user has chosen is never set against another choice of
    theirs; with context it is, since it may lose in another. Scores are comparable within a solver alone. New
    histories are folded in by the likelihood of softmax over at most 512 of the items. ``partial_fit`` passes up to
    ten times over the new events alone; rows that have moved much by then move little.

    With "als", ``partial_fit`` solves the rows of the new events again, and those alone; A, B, C and the encoders
    stay. With context, what a row was fitted to enters by its curvature around the row, since old contexts are not
    kept.

    References
    ----------
    Hu, Koren and Volinsky, "Collaborative Filtering for Implicit Feedback Datasets", ICDM 2008. Takács,
    Pilászy and Tikk, "Applications of the Conjugate Gradient Method for Implicit Feedback Collaborative
    Filtering", RecSys 2011. Rendle, Krichene, Zhang and Koren, "Revisiting the Performance of iALS on Item
    Recommendation Benchmarks", RecSys 2022. Rendle, Freudenthaler, Gantner and Schmidt-Thieme, "BPR", UAI 2009.
    Weston, Bengio and Usunier, "WSABIE", IJCAI 2011. Yi et al., "Sampling-Bias-Corrected Neural Modeling for Large
    Corpus Item Recommendations", RecSys 2019. Agarwal and Chen, "Regression-based Latent Factor Models", KDD
    2009, for features as priors.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.decomposition import HybridMFRecommender
    >>> X = np.array([[1, 10], [1, 20], [2, 10], [2, 20], [3, 30], [3, 40], [4, 30]])
    >>> rec = HybridMFRecommender(n_factors=2, random_state=0).fit(X)
    >>> rec.recommend([4], k=1).items
    array([[40]])
    """

    _uses_context = True
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_factors": [Interval(Integral, 1, None, closed="left")],
        "regularization": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
        "alpha": [Interval(Real, 0, None, closed="left"), StrOptions({"auto"})],
        "frequency_scaling": [Interval(Real, 0, 1, closed="both")],
        "feature_regularization": [Interval(Real, 0, None, closed="neither")],
        "feedback": [StrOptions({"implicit", "explicit"})],
        "solver": [StrOptions({"als", "bpr", "warp", "softmax"})],
        "max_iter": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "tol": [Interval(Real, 0, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "n_negatives": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "item_encoder": [HasMethods(["fit_transform", "transform"]), None],
        "user_encoder": [HasMethods(["fit_transform", "transform"]), None],
        "random_state": ["random_state"],
        "n_jobs": [None, Integral],
        "device": [None, str],
        "verbose": ["verbose"],
    }
    search_space: ClassVar[dict[str, Any]] = {
        "n_factors": [16, 32, 64, 128],
        "regularization": loguniform(1, 100),
        "alpha": [0.0, 1.0, 4.0, 16.0, "auto"],
        "frequency_scaling": uniform(0, 1),
    }

    def __init__(
        self,
        n_factors: int = 64,
        *,
        regularization: float | str = "auto",
        alpha: float | str = "auto",
        frequency_scaling: float = 0.4,
        feature_regularization: float = 10.0,
        feedback: str = "implicit",
        solver: str = "als",
        max_iter: int | str = "auto",
        tol: float = 1e-4,
        learning_rate: float = 0.05,
        batch_size: int = 256,
        n_negatives: int | str = "auto",
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        item_encoder: Any = None,
        user_encoder: Any = None,
        random_state: Any = None,
        n_jobs: int | None = None,
        device: str | None = None,
        verbose: int = 0,
    ) -> None:
        self.n_factors = n_factors
        self.regularization = regularization
        self.alpha = alpha
        self.frequency_scaling = frequency_scaling
        self.feature_regularization = feature_regularization
        self.feedback = feedback
        self.solver = solver
        self.max_iter = max_iter
        self.tol = tol
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.n_negatives = n_negatives
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.item_encoder = item_encoder
        self.user_encoder = user_encoder
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.device = device
        self.verbose = verbose

    @classmethod
    def __skrec_test_instances__(cls) -> list[Any]:
        """Small instances for the estimator checks."""
        return [
            cls(n_factors=4, max_iter=3, random_state=0),
            *[cls(n_factors=4, solver=s, max_iter=5, random_state=0) for s in ("bpr", "warp", "softmax")],
        ]

    # Fit -------------------------------------------------------------------------------------------

    def _fit_events(self, X: Any, y: Any, sample_weight: Any, item_features: Any, user_features: Any) -> Any:
        self._sample_weight: NDArray[np.float32] | None = None
        try:
            return super()._fit_events(X, y, sample_weight, item_features, user_features)
        finally:
            self._sample_weight = None

    def _weighted(self, events: EventTable, y: NDArray, sample_weight: Any) -> tuple[EventTable, NDArray]:
        kept, weighted = super()._weighted(events, y, sample_weight)
        weight = np.asarray(sample_weight, np.float32)
        self._sample_weight = weight[weight > 0]
        return kept, weighted

    def _fit(self, data: Interactions, item_matrix: Matrix | None, user_matrix: Matrix | None) -> None:
        from skrec._kernels.threads import single_threaded_blas

        if self.feedback == "explicit" and self.solver != "als":
            raise ValueError(
                f"solver={self.solver!r} learns rankings, and feedback='explicit' asks for ratings; pass solver='als', "
                "or feedback='implicit'."
            )
        self._best_rating = float(data.y.max())
        self._item_matrix = item_matrix if self.item_encoder_ is not None else None
        weight = self._sample_weight
        if weight is not None and data.order is not None:
            weight = weight[data.order]
        events, features = self._solver_data(data, weight), SideFeatures(user_matrix, item_matrix)
        solver = self._make_solver(self._settings(in_context=data.context is not None))
        with single_threaded_blas():
            self._set_state(solver.fit(events, features, self.random_state))

    def _partial_fit(self, data: Interactions, item_matrix: Matrix | None, user_matrix: Matrix | None) -> None:
        from skrec._kernels.threads import single_threaded_blas

        if self._item_matrix is not None:
            self._item_matrix = with_rows(self._item_matrix, item_matrix, data.item_rows, data.n_items)
        # How to learn may change between fits; what the factors mean does not.
        settings = replace(
            self._state.settings,
            learning_rate=self.learning_rate,
            batch_size=self.batch_size,
            n_jobs=self.n_jobs,
            device=self.device,
        )
        solver, features = self._make_solver(settings), SideFeatures(user_matrix, item_matrix)
        with single_threaded_blas():
            self._set_state(solver.partial_fit(self._state, self._solver_data(data), features, self.random_state))

    def _solver_data(self, data: Interactions, sample_weight: NDArray[np.float32] | None = None) -> SolverData:
        mean_context = None if self._context is None else self._context.mean
        return SolverData(data, self._histories, mean_context, sample_weight)

    def _settings(self, *, in_context: bool) -> SolverSettings:
        """The parameters as they are now."""
        return SolverSettings(
            solver=self.solver,
            explicit=self.feedback == "explicit",
            in_context=in_context,
            n_factors=self.n_factors,
            regularization=self.regularization,
            alpha=self.alpha,
            frequency_scaling=self.frequency_scaling,
            feature_regularization=self.feature_regularization,
            max_iter=_MAX_ITER[self.solver] if isinstance(self.max_iter, str) else self.max_iter,
            tol=self.tol,
            learning_rate=self.learning_rate,
            batch_size=self.batch_size,
            n_negatives=self.n_negatives,
            validation_fraction=self.validation_fraction,
            n_iter_no_change=self.n_iter_no_change,
            n_jobs=self.n_jobs,
            device=self.device,
            verbose=self.verbose,
        )

    def _make_solver(self, settings: SolverSettings) -> Solver[Any]:
        if settings.solver != "als":
            return SGDSolver(settings)
        return ContextALSSolver(settings) if settings.in_context else ALSSolver(settings)
