"""Matrix factorization with side features, by alternating least squares."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

from skrec._features import Matrix, with_rows
from skrec._fitting import PartialFitMixin, SampleWeightMixin
from skrec._histories import Histories
from skrec.decomposition import _als_solver, _context_als_solver
from skrec.decomposition._factor_model import FactorModel
from skrec.interactions import EventTable, Interactions

_SOLVERS = {"als": _als_solver, "als in context": _context_als_solver}


class HybridMFRecommender(SampleWeightMixin, PartialFitMixin, FactorModel):
    """Matrix factorization by alternating least squares, with item and user features as priors.

    A user is a vector p and an item a vector q, so that p.q tells how much the user likes the item. Each is
    what its features say (a linear map, learned along the way) and what its own events add. Items and users
    without events are what their features say: cold items can be recommended, and cold users get lists.

    Minimises ``sum_ui c_ui (r_ui - p_u.q_i)^2 + sum_u l_u |p_u - A x_u|^2 + sum_i l_i |q_i - B z_i|^2
    + rho (|A|^2 + |B|^2)`` over the users and items with events.

    Where X has context columns c, the moment moves the user: the score is ``(p_u + C c).q_i``, and every event is
    a request of its own that is asked about all items, ``sum_e sum_i c_ei (r_ei - (p_u + C c_e).q_i)^2``. New
    users get what the moment asks for. Encode context first, as by
    ``make_pipeline(ContextEncoder(), HybridMFRecommender())``.

    Parameters
    ----------
    n_factors : int, default=64
        Length of the vectors. More help where the catalogue is large and the data are sparse.
    regularization : float or "auto", default="auto"
        l, the pull of a row with as many events as the mean towards what its features say (towards zero
        without features). "auto" scales with the noise of the data: see Notes.
    alpha : float or "auto", default="auto"
        Implicit feedback: a seen pair has confidence 1 + alpha * y, an unseen one 1; 0 weighs both alike.
        "auto" grows with the sparsity of the data: see Notes. Unused for explicit feedback.
    frequency_scaling : float in [0, 1], default=0.4
        A row with n times as many events as the mean has a pull of regularization * n ** frequency_scaling.
    feature_regularization : float, default=10.0
        rho, in units of the regularization and of the mean squared length of the feature rows, so that it
        depends on the scale of neither.
    feedback : {"implicit", "explicit"}, default="implicit"
        "explicit" fits the observed ratings alone, with a mean and biases of users and items; scores are
        then ratings.
    solver : {"als"}, default="als"
        Alternating least squares; rows are solved by conjugate gradient.
    max_iter : int, default=30
        Most sweeps over both sides.
    tol : float, default=1e-4
        Stop when a sweep lowers the loss by less than this share of it.
    item_encoder, user_encoder : transformer, default=None
        Fitted on ``item_features`` and ``user_features`` (without the id column) inside ``fit``. None takes
        numeric features as they are.
    random_state : int, RandomState instance or None, default=None
        Draws the first factors.
    n_jobs : int, default=None
        Threads; None means all cores. The result does not depend on it.
    device : str, default=None
        None and "cpu" fit by compiled loops on the CPU; "cuda", or another device of torch, fits there;
        "auto" takes CUDA where there is one. Recommending is done on the CPU.
    verbose : int, default=0
        1 prints the loss after every sweep.

    Attributes
    ----------
    user_factors_, item_factors_ : float32 arrays of shape (n_users, n_factors) and (n_items, n_factors)
        In catalogue order; what the features say is included.
    user_biases_, item_biases_ : float32 arrays of shape (n_users,) and (n_items,)
        Zero for implicit feedback.
    mean_ : float
        Mean rating; zero for implicit feedback.
    user_coef_, item_coef_ : float32 arrays of shape (n_features, n_factors) or None
        A and B, transposed. With explicit feedback, a last column gives the bias.
    context_coef_ : float32 array of shape (n_context, n_factors) or None
        C, transposed. With explicit feedback, a last column gives what the context adds to every rating. None
        where X had no context.
    regularization_, alpha_ : float
        The values used.
    loss_curve_ : list of float
        The objective after every sweep of ``fit``.
    n_iter_ : int
        Sweeps done.
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

    ``partial_fit`` solves the rows of the new events again, and those alone; A, B, C and the encoders stay. With
    context, what a row was fitted to enters by its curvature around the row, since old contexts are not kept.

    References
    ----------
    Hu, Koren and Volinsky, "Collaborative Filtering for Implicit Feedback Datasets", ICDM 2008. Takács,
    Pilászy and Tikk, "Applications of the Conjugate Gradient Method for Implicit Feedback Collaborative
    Filtering", RecSys 2011. Rendle, Krichene, Zhang and Koren, "Revisiting the Performance of iALS on Item
    Recommendation Benchmarks", RecSys 2022. Agarwal and Chen, "Regression-based Latent Factor Models", KDD
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
        "solver": [StrOptions({"als"})],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "item_encoder": [HasMethods(["fit_transform", "transform"]), None],
        "user_encoder": [HasMethods(["fit_transform", "transform"]), None],
        "random_state": ["random_state"],
        "n_jobs": [None, Integral],
        "device": [None, str],
        "verbose": ["verbose"],
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
        max_iter: int = 30,
        tol: float = 1e-4,
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
        self.item_encoder = item_encoder
        self.user_encoder = user_encoder
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.device = device
        self.verbose = verbose

    # Fit -------------------------------------------------------------------------------------------

    def _fit_events(self, X: Any, y: Any, sample_weight: Any, item_features: Any, user_features: Any) -> Any:
        self._sample_weight: NDArray[np.float32] | None = None
        super()._fit_events(X, y, sample_weight, item_features, user_features)
        self._sample_weight = None
        return self

    def _weighted(self, events: EventTable, y: NDArray, sample_weight: Any) -> tuple[EventTable, NDArray]:
        kept, weighted = super()._weighted(events, y, sample_weight)
        weight = np.asarray(sample_weight, np.float32)
        self._sample_weight = weight[weight > 0]
        return kept, weighted

    def _fit(self, data: Interactions, item_matrix: Matrix | None, user_matrix: Matrix | None) -> None:
        from skrec._kernels.threads import single_threaded_blas

        # Kept: set_params must not change what a fitted model means.
        self._explicit, self._n_factors = self.feedback == "explicit", self.n_factors
        self._frequency_scaling = self.frequency_scaling
        self._fitted_solver = "als" if data.context is None else "als in context"
        self._context_map = None
        if self._sample_weight is not None and data.order is not None:
            self._sample_weight = self._sample_weight[data.order]
        self._best_rating = float(data.y.max())
        self._item_texts = item_matrix if self.item_encoder_ is not None else None
        with single_threaded_blas():
            self._solver_module.fit(self, data, item_matrix, user_matrix)
        self.n_iter_ = len(self.loss_curve_)

    def _partial_fit(self, data: Interactions, item_matrix: Matrix | None, user_matrix: Matrix | None) -> None:
        from skrec._kernels.threads import single_threaded_blas

        if self._item_texts is not None:
            self._item_texts = with_rows(self._item_texts, item_matrix, data.item_rows, data.n_items)
        with single_threaded_blas():
            self._solver_module.partial_fit(self, data, item_matrix, user_matrix)

    def _fold_in(self, users: NDArray[np.int64], histories: Histories) -> NDArray[np.float32]:
        folded: NDArray[np.float32] = self._solver_module.fold_in(self, users, histories)
        return folded

    @property
    def _solver_module(self) -> Any:
        return _SOLVERS[self._fitted_solver]

    def _report(self, iteration: int, loss: float) -> None:
        print(f"HybridMFRecommender: sweep {iteration + 1} of at most {self.max_iter}, loss {loss:.6g}")
