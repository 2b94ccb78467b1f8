"""Matrix factorization with side features and context."""

from __future__ import annotations

from dataclasses import replace
from numbers import Integral, Real
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import loguniform, uniform
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

from skrec.base import PartialFitMixin, SampleWeightMixin
from skrec.decomposition._als import ALSSolver
from skrec.decomposition._context_als import ContextALSSolver
from skrec.decomposition._factor_model import FactorModel
from skrec.decomposition._factor_state import SideFeatures, SolverData, SolverSettings
from skrec.decomposition._hyperparameters import MOST_NEGATIVES
from skrec.decomposition._sgd import SGDSolver
from skrec.decomposition._solver import Solver
from skrec.interactions import EventTable, Interactions, read_numbers
from skrec.utils import MOST_FACTORS, Matrix, Verbose, with_rows

_MAX_ITER = {"als": 30, "bpr": 300, "warp": 300, "softmax": 100}
_LEARNING_RATE = {"als": 0.05, "bpr": 0.05, "warp": 0.05, "softmax": 0.07}
_PATIENCE = {"als": 10, "bpr": 10, "warp": 10, "softmax": 5}


class HybridMFRecommender(SampleWeightMixin, PartialFitMixin, FactorModel):
    """Matrix factorization with item and user features as priors, and with the context of a request.

    A user is a vector p and an item a vector q; the larger p.q, the better the item suits the user. Each vector is
    the sum of a part from features (a linear map, learned too) and a part from the row's own events. Items and users
    without events have the part from features alone: cold items can be recommended, and cold users get lists.

    The score is ``b_i + (p_u + C c).q_i``, where c are the context columns of X: the context shifts the user vector.
    An unknown user gets a list from the context alone. Encode context first, for example by
    ``make_pipeline(ContextEncoder(), HybridMFRecommender())``.

    ``solver="als"`` minimises ``sum_ui c_ui (r_ui - p_u.q_i)^2 + sum_u l_u |p_u - a - A x_u|^2
    + sum_i l_i |q_i - B z_i|^2 + rho (|A|^2 + |B|^2)`` over the users and items with events. The vector a is what all
    users have in common (zero for ratings, which have biases): the fewer events a user has, the closer the list is to
    popularity. With context, every event e is compared with all items: the first sum is
    ``sum_e sum_i c_ei (r_ei - (p_u + C c_e).q_i)^2``. The other solvers learn to rank the chosen item above negative
    samples, with a bias b_i of each item and the same L2 penalties.

    Parameters
    ----------
    n_factors : int, default=64
        Length of the vectors. Longer ones help where the catalogue is large and the data are sparse.
    regularization : float or "auto", default="auto"
        l, the L2 penalty on the distance of a vector from its prior (what all users have in common, and the part from
        features), for a row with the mean number of events. With "als" and implicit feedback, "auto" is the one that
        ranks held-out events best, and with ratings it follows the noise of the data: see Notes. It is 1 for
        "bpr", and 5 for "warp" and "softmax"; their loss is the sum over the events.
    alpha : float or "auto", default="auto"
        Implicit feedback: a seen pair has confidence 1 + alpha * y, an unseen one 1; with 0, both count equally.
        "auto" grows with the sparsity of the data: see Notes. Not used for explicit feedback and by the other solvers.
    frequency_scaling : float in [0, 1], default=0.4
        A row with n times the mean number of events has the L2 penalty ``regularization * n ** frequency_scaling``; for
        "als", n is taken as at least 0.1.
    feature_regularization : float, default=10.0
        rho, in units of the regularization and of the mean squared length of the feature rows: the scale of either
        does not matter.
    feedback : {"implicit", "explicit"}, default="implicit"
        "explicit" fits observed ratings alone, with a mean and with biases of users, items and context; scores
        are then ratings. For "als" only.
    solver : {"auto", "als", "bpr", "warp", "softmax"}, default="auto"
        "auto" is "warp" for implicit feedback in context, else "als"; ``fit`` settles it, and ``partial_fit`` keeps it.
        "als" is alternating least squares: the fastest, and the one for ratings. "softmax" maximises the likelihood
        of each choice among sampled items: often the best where context matters. "bpr" compares the
        chosen item with one random item. "warp" compares it with a random item that scores too high, and weights the
        step by the rank that it estimates from the number of draws.
    max_iter : int or "auto", default="auto"
        Maximum number of sweeps over both sides, or of epochs. "auto" is 30 for "als", 100 for "softmax" and 300 for
        "bpr" and "warp".
    tol : float, default=1e-4
        "als": stop when a sweep lowers the loss by less than this share of it.
    learning_rate : float or "auto", default="auto"
        Length of the first steps of the other solvers; Adagrad shortens them row by row. "auto" is 0.07 for "softmax"
        and 0.05 for "bpr" and "warp".
    batch_size : int, default=256
        Events per step of "softmax", and of "bpr" and "warp" on a GPU; on the CPU these two take one at a time.
    n_negatives : int or "auto", default="auto"
        "softmax": negative samples drawn per batch, beside the items of the batch; "auto" is 128. "warp": maximum
        number of items drawn per event; "auto" is 20. "bpr" always draws one.
    validation_fraction : float in [0, 1), default=0.1
        Share of the events, at most 10,000, that is held out to find the number of epochs, or with "als" the
        regularization where that is "auto". The model is then fitted from scratch to all events. With 0, or where
        fewer than 20 events can be held out, it runs ``max_iter`` epochs, and the regularization follows from the noise
        of the data. An event can be held out if its item has others.
    n_iter_no_change : int or "auto", default="auto"
        Stop when the held-out score has not risen for this number of epochs; "auto" is 5 for "softmax" and 10 for "bpr"
        and "warp".
    item_encoder, user_encoder : transformer, "auto" or None, default=None
        Fitted on ``item_features`` and ``user_features`` (without the id column) inside ``fit``. None takes
        numeric features as they are; ``"auto"`` embeds texts, one-hot encodes
        categories, and imputes and standardises numbers.
    random_state : int, RandomState instance or None, default=None
        Draws the first factors; for the other solvers also negative samples and held-out events.
    n_jobs : int, default=None
        Threads; None means all cores. The result does not depend on it. The other solvers learn on one thread.
    device : str, default=None
        None and "cpu" fit by compiled loops on the CPU; "cuda", or another device of torch, fits there;
        "auto" takes CUDA where there is one. Recommending is done on the CPU.
    verbose : bool, int or "auto", default="auto"
        Whether to show a progress bar. "auto" shows one on a terminal or in a notebook, once the work has lasted two
        seconds. What is nested does the same, unless it has a setting of its own.

    Attributes
    ----------
    solver_ : str
        The solver used.
    user_factors_, item_factors_ : float32 arrays of shape (n_users, n_factors) and (n_items, n_factors)
        In catalogue order; the part from features is included.
    user_biases_, item_biases_ : float32 arrays of shape (n_users,) and (n_items,)
        Of users, zero for implicit feedback; of items, zero for implicit feedback by "als".
    mean_ : float
        Mean rating; zero for implicit feedback.
    user_intercept_ : float32 array of shape (n_factors,) or None
        a, what all users have in common; None for ratings and where items have biases.
    user_coef_, item_coef_ : float32 arrays of shape (n_features, n_factors) or None
        A and B, transposed. A last column gives the bias, where there is one.
    context_coef_ : float32 array of shape (n_context, n_factors) or None
        C, transposed. With explicit feedback, a last column gives what the context adds to every rating. None
        where X had no context.
    regularization_, alpha_ : float
        The values used; ``alpha_`` is None where it is not used.
    loss_curve_ : list of float
        The objective after every sweep of ``fit``, or the mean loss of an event in every epoch.
    validation_scores_ : list of float or None
        Mean of ``1 / log2(1 + rank)`` of held-out events after every epoch; None for "als" or without them.
    n_iter_ : int
        Sweeps done, or epochs of the final model.
    item_encoder_, user_encoder_ : transformer or None
        The fitted encoders.
    popularity_ : float32 array of shape (n_items,)
        Ranks items for unknown users without history (implicit feedback).
    n_features_in_ : int
        Columns of X, ``timestamp`` not counted.
    feature_names_in_ : ndarray of str
        Their names, where X is a frame.

    Notes
    -----
    The order of events is not used.

    *New histories.* A history that was not in fit is folded in: the user vector is solved for, given the items.
    With context, the events of such a history count as if they had the mean context of training, and the vector of a
    known user starts from the fitted one. ``context=None`` is the mean context too.

    *Context.* The scale of a context column does not matter. C has an L2 penalty of a tenth of the regularization, with
    ratings of thirty times the regularization, in units of the root mean square of each column's nonzero values.

    *Automatic values.* With "als" and implicit feedback, a tenth of the events is held out (``validation_fraction``),
    and ``regularization`` climbs in factors of two to the best mean of ``1 / log2(1 + rank)``, each model starting from
    the one before; where most events repeat a pair, or with context, items that were seen are ranked too. Where that is
    no better by a standard error than 64 times the first value, under which the items come by popularity, the latter
    is taken. This takes about as long as the fit. It starts from ``0.5 * e * sqrt(1 + alpha * mean(y))``, where e is
    the largest singular value of the events with their items shuffled, less popularity: what noise alone gives (Horn
    1965). On eight data sets the best value was 0.3 to 0.7 of e. For ratings it is ``0.7 * s * (sqrt(d_u) +
    sqrt(d_i))``, where d_u and d_i are the mean events per user and per item, and s is the standard deviation of the
    ratings.
    ``alpha="auto"`` is ``min(0.07 * density ** -0.75, 40) / mean(y)``, chosen on held-out parts of three public data
    sets between 0.07 and 6 percent dense. With context, each event is a row of its own: the density is one over the
    number of items. The other solvers take a smaller ``regularization`` where the events are too few to hold any out.

    *Solvers other than "als".* An event has the weight y over the mean y, at most ten. Equal events in the same
    context count as one with a weight. Without context, the items of a user are never negative samples for that
    user; with context they may be, in another context. Scores are comparable within one solver only. New histories
    are folded in by the loss of the solver ("warp": that of "softmax") against at most 512 of the items, and by its
    L2 penalty: from the mean of the fitted users, and at least that of a user with a fifth of the mean number of
    events.

    *More events.* With "als", ``partial_fit`` solves the rows of the users and items in the new events again, and no
    others; A, B, C and the encoders stay. With context, the old events are not kept: they enter as a quadratic form
    around the fitted vector. With the other solvers, ``partial_fit`` runs at most ten epochs on the new events alone;
    Adagrad keeps the steps small for rows that have already moved much.

    References
    ----------
    Hu, Koren and Volinsky, "Collaborative Filtering for Implicit Feedback Datasets", ICDM 2008. Takács,
    Pilászy and Tikk, "Applications of the Conjugate Gradient Method for Implicit Feedback Collaborative
    Filtering", RecSys 2011. Rendle, Krichene, Zhang and Koren, "Revisiting the Performance of iALS on Item
    Recommendation Benchmarks", RecSys 2022. Rendle, Freudenthaler, Gantner and Schmidt-Thieme, "BPR", UAI 2009.
    Weston, Bengio and Usunier, "WSABIE", IJCAI 2011. Yi et al., "Sampling-Bias-Corrected Neural Modeling for Large
    Corpus Item Recommendations", RecSys 2019. Agarwal and Chen, "Regression-based Latent Factor Models", KDD
    2009, for features as priors. Horn, "A Rationale and Test for the Number of Factors in Factor Analysis",
    Psychometrika 1965.

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
        "n_factors": [Interval(Integral, 1, MOST_FACTORS, closed="both")],
        "regularization": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
        "alpha": [Interval(Real, 0, None, closed="left"), StrOptions({"auto"})],
        "frequency_scaling": [Interval(Real, 0, 1, closed="both")],
        "feature_regularization": [Interval(Real, 0, None, closed="neither")],
        "feedback": [StrOptions({"implicit", "explicit"})],
        "solver": [StrOptions({"auto", "als", "bpr", "warp", "softmax"})],
        "max_iter": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "tol": [Interval(Real, 0, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "n_negatives": [Interval(Integral, 1, MOST_NEGATIVES, closed="both"), StrOptions({"auto"})],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "item_encoder": [HasMethods(["fit_transform", "transform"]), StrOptions({"auto"}), None],
        "user_encoder": [HasMethods(["fit_transform", "transform"]), StrOptions({"auto"}), None],
        "random_state": ["random_state"],
        "n_jobs": [None, Integral],
        "device": [None, str],
        "verbose": [StrOptions({"auto"}), "verbose"],
    }

    def __init__(
        self,
        n_factors: int = 64,
        *,
        regularization: float | Literal["auto"] = "auto",
        alpha: float | Literal["auto"] = "auto",
        frequency_scaling: float = 0.4,
        feature_regularization: float = 10.0,
        feedback: Literal["implicit", "explicit"] = "implicit",
        solver: Literal["auto", "als", "bpr", "warp", "softmax"] = "auto",
        max_iter: int | Literal["auto"] = "auto",
        tol: float = 1e-4,
        learning_rate: float | Literal["auto"] = "auto",
        batch_size: int = 256,
        n_negatives: int | Literal["auto"] = "auto",
        validation_fraction: float = 0.1,
        n_iter_no_change: int | Literal["auto"] = "auto",
        item_encoder: BaseEstimator | Literal["auto"] | None = None,
        user_encoder: BaseEstimator | Literal["auto"] | None = None,
        random_state: int | np.random.RandomState | None = None,
        n_jobs: int | None = None,
        device: str | None = None,
        verbose: Verbose = "auto",
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

    @property
    def search_space(self) -> dict[str, Any] | list[dict[str, Any]]:
        """What is worth tuning with the solver that was chosen; with "auto", one space for "als" and one for "warp"."""
        common = {"n_factors": [16, 32, 64, 128], "frequency_scaling": uniform(0, 1)}
        als = {**common, "regularization": loguniform(1, 100), "alpha": [0.0, 1.0, 4.0, 16.0, "auto"]}
        ranking = {**common, "regularization": loguniform(0.5, 50), "learning_rate": loguniform(0.01, 0.2)}
        if self.feedback == "explicit":
            return {name: values for name, values in als.items() if name != "alpha"}
        if self.solver == "auto":
            return [{"solver": ["als"], **als}, {"solver": ["warp"], **ranking}]
        return als if self.solver == "als" else ranking

    # Fit -------------------------------------------------------------------------------------------

    def _fit_events(self, X: Any, y: Any, sample_weight: Any, item_features: Any, user_features: Any) -> Any:
        self._sample_weight: NDArray[np.float32] | None = None
        try:
            return super()._fit_events(X, y, sample_weight, item_features, user_features)
        finally:
            self._sample_weight = None

    def _weighted(self, events: EventTable, y: NDArray, sample_weight: Any) -> tuple[EventTable, NDArray]:
        kept, weighted = super()._weighted(events, y, sample_weight)
        weight = read_numbers(sample_weight, "sample_weight", len(events)).astype(np.float32)
        self._sample_weight = weight[weight > 0]
        return kept, weighted

    def _fit(self, data: Interactions, item_matrix: Matrix | None, user_matrix: Matrix | None) -> None:
        from skrec._kernels.threads import single_threaded_blas

        if self.feedback == "explicit" and self.solver not in ("auto", "als"):
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
            self._learn_state(solver.fit, events, features, self.random_state)

    def _partial_fit(self, data: Interactions, item_matrix: Matrix | None, user_matrix: Matrix | None) -> None:
        from skrec._kernels.threads import single_threaded_blas

        if self._item_matrix is not None:
            self._item_matrix = with_rows(self._item_matrix, item_matrix, data.item_rows, data.n_items)
        # How to learn may change between fits; what the factors mean does not.
        settings = replace(
            self._state.settings,
            learning_rate=_resolve(self.learning_rate, _LEARNING_RATE[self._state.settings.solver]),
            batch_size=self.batch_size,
            n_jobs=self.n_jobs,
            device=self.device,
        )
        solver, features = self._make_solver(settings), SideFeatures(user_matrix, item_matrix)
        with single_threaded_blas():
            self._learn_state(solver.partial_fit, self._state, self._solver_data(data), features, self.random_state)

    def _solver_data(self, data: Interactions, sample_weight: NDArray[np.float32] | None = None) -> SolverData:
        mean_context = None if self._context is None else self._context.mean
        return SolverData(data, self._histories, mean_context, sample_weight)

    def _settings(self, *, in_context: bool) -> SolverSettings:
        """The parameters as they are now."""
        explicit, solver = self.feedback == "explicit", self.solver
        if solver == "auto":
            solver = "warp" if in_context and not explicit else "als"
        return SolverSettings(
            solver=solver,
            explicit=explicit,
            in_context=in_context,
            n_factors=self.n_factors,
            regularization=self.regularization,
            alpha=self.alpha,
            frequency_scaling=self.frequency_scaling,
            feature_regularization=self.feature_regularization,
            max_iter=_resolve(self.max_iter, _MAX_ITER[solver]),
            tol=self.tol,
            learning_rate=_resolve(self.learning_rate, _LEARNING_RATE[solver]),
            batch_size=self.batch_size,
            n_negatives=self.n_negatives,
            validation_fraction=self.validation_fraction,
            n_iter_no_change=_resolve(self.n_iter_no_change, _PATIENCE[solver]),
            n_jobs=self.n_jobs,
            device=self.device,
            verbose=self.verbose,
        )

    def _make_solver(self, settings: SolverSettings) -> Solver[Any]:
        if settings.solver != "als":
            return SGDSolver(settings)
        return ContextALSSolver(settings) if settings.in_context else ALSSolver(settings)


def _resolve(value: Any, automatic: float) -> Any:
    """The number given, or the one that "auto" means."""
    return automatic if isinstance(value, str) else value
