"""Matrix factorization with side features, by alternating least squares."""

from __future__ import annotations

from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

from skrec._features import Matrix, with_rows
from skrec._fitting import PartialFitMixin, SampleWeightMixin
from skrec.decomposition._defaults import (
    auto_alpha,
    auto_regularization,
    mean_events,
    mean_squared_length,
    resolve_device,
    row_penalty,
)
from skrec.decomposition._factor_model import FactorModel
from skrec.interactions import Interactions

if TYPE_CHECKING:
    from skrec._kernels.als import Rows, Side

_INIT_SCALE = 0.01
_UPDATE_SWEEPS = 3


class HybridMFRecommender(SampleWeightMixin, PartialFitMixin, FactorModel):
    """Matrix factorization by alternating least squares, with item and user features as priors.

    A user is a vector p and an item a vector q, so that p.q tells how much the user likes the item. Each is
    what its features say (a linear map, learned along the way) and what its own events add. Items and users
    without events are what their features say: cold items can be recommended, and cold users get lists.

    Minimises ``sum_ui c_ui (r_ui - p_u.q_i)^2 + sum_u l_u |p_u - A x_u|^2 + sum_i l_i |q_i - B z_i|^2
    + rho (|A|^2 + |B|^2)`` over the users and items with events.

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
    Context is accepted and ignored. Order is not used. A history that was not in fit is folded in: the
    user's row is solved with the items as they are.

    ``regularization="auto"`` is ``0.7 * s * sqrt(1 + alpha * mean(y)) * (sqrt(d_u) + sqrt(d_i))``, where d_u
    and d_i are the mean events of a user and of an item, s = 1 (implicit) or the standard deviation of the
    ratings (explicit): the order of the largest singular value of a matrix of noise alone.
    ``alpha="auto"`` is ``min(0.07 * density ** -0.75, 40) / mean(y)``. Both were chosen on held-out parts of
    three public data sets between 0.07 and 6 percent dense.

    ``partial_fit`` solves the rows of the new events again, and those alone; A, B and the encoders stay.

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

    def _fit(self, data: Interactions, item_matrix: Matrix | None, user_matrix: Matrix | None) -> None:
        from skrec._kernels.als import fit_als
        from skrec._kernels.threads import single_threaded_blas

        # Kept: set_params must not change what a fitted model means.
        self._explicit, self._n_factors = self.feedback == "explicit", self.n_factors
        self._frequency_scaling = self.frequency_scaling
        entries = self._entries(data.histories)
        by_item = sp.csr_array(entries.T.tocsr())
        self.mean_ = float(entries.data.mean(dtype=np.float64)) if self._explicit else 0.0
        self._best_rating = float(data.y.max())
        self.alpha_ = auto_alpha(entries) if isinstance(self.alpha, str) else self.alpha
        if isinstance(self.regularization, str):
            self.regularization_ = auto_regularization(entries, None if self._explicit else self.alpha_)
        else:
            self.regularization_ = self.regularization
        self._mean_events = mean_events(entries), mean_events(by_item)
        with single_threaded_blas():
            users, items = self._sides(entries, by_item)
            self._add_features(users, user_matrix)
            self._add_features(items, item_matrix)
            self._draw(items.factors, check_random_state(self.random_state))
            self.loss_curve_ = fit_als(
                users,
                items,
                max_iter=self.max_iter,
                tol=self.tol,
                bias=self._bias,
                mean=self.mean_,
                callback=self._report if self.verbose else None,
            )
        self.n_iter_ = len(self.loss_curve_)
        self.user_coef_, self.item_coef_ = self._coef(users), self._coef(items)
        self._item_texts = item_matrix if self.item_encoder_ is not None else None
        self._set_sides(users, items)

    def _coef(self, side: Side) -> NDArray[np.float32] | None:
        if side.ridge is None or side.ridge.coef is None:
            return None
        return side.ridge.coef[:, : self._n_columns].copy()

    def _sides(self, entries: sp.csr_array, by_item: sp.csr_array) -> tuple[Side, Side]:
        from skrec._kernels.als import Side, aligned_zeros

        sides = []
        for rows, mean in zip((entries, by_item), self._mean_events, strict=True):
            penalty = row_penalty(rows, mean, self.regularization_, self._frequency_scaling)
            sides.append(Side(self._rows(rows), aligned_zeros(rows.shape[0], self._n_columns), penalty))
        return sides[0], sides[1]

    def _add_features(self, side: Side, features: Matrix | None) -> None:
        from skrec._kernels.als_features import RidgeMap

        if features is not None:
            rho = self.feature_regularization * self.regularization_ * mean_squared_length(features)
            side.ridge = RidgeMap(features, side.penalty * side.active, rho)

    def _rows(self, entries: sp.csr_array) -> Rows:
        from skrec._kernels.als import make_rows

        alpha = None if self._explicit else self.alpha_
        return make_rows(entries, alpha, n_jobs=self.n_jobs, device=resolve_device(self.device))

    def _draw(self, factors: NDArray[np.float32], rng: np.random.RandomState) -> None:
        factors[:, : self._n_factors] = _INIT_SCALE * rng.standard_normal((len(factors), self._n_factors))

    def _report(self, iteration: int, loss: float) -> None:
        print(f"HybridMFRecommender: sweep {iteration + 1} of at most {self.max_iter}, loss {loss:.6g}")

    # More events -----------------------------------------------------------------------------------

    def _partial_fit(self, data: Interactions, item_matrix: Matrix | None, user_matrix: Matrix | None) -> None:
        from skrec._kernels.als import update_rows
        from skrec._kernels.threads import single_threaded_blas

        entries = self._entries(self._histories)
        by_item = sp.csr_array(entries.T.tocsr())
        user_codes, item_codes = _touched(data.users, data.user_rows), _touched(data.items, data.item_rows)
        with single_threaded_blas():
            users, items = self._sides(entries, by_item)
            rng = check_random_state(self.random_state)
            for side, factors in ((users, self._users), (items, self._items)):
                side.factors[: len(factors)] = factors
                self._draw(side.factors[len(factors) :], rng)
            self._go_on(users, self._user_prior, self.user_coef_, user_matrix, data.user_rows)
            self._go_on(items, self._item_prior, self.item_coef_, item_matrix, data.item_rows)
            for _ in range(_UPDATE_SWEEPS):
                update_rows(users, items, user_codes, self._bias, self.mean_, self._rows)
                update_rows(items, users, item_codes, self._bias, self.mean_, self._rows)
        if self._item_texts is not None:
            self._item_texts = with_rows(self._item_texts, item_matrix, data.item_rows, data.n_items)
        self._set_sides(users, items)

    def _go_on(
        self,
        side: Side,
        prior: NDArray[np.float32],
        coef: NDArray[np.float32] | None,
        features: Matrix | None,
        codes: NDArray[np.int64] | None,
    ) -> None:
        """Priors of the rows there were, and of new ones by the maps that were learned."""
        from skrec._kernels.als import aligned_zeros

        if coef is None:
            return
        side.prior = aligned_zeros(len(side.factors), self._n_columns)
        side.prior[: len(prior)] = prior
        if features is not None:
            side.prior[codes, : self._n_columns] = features[codes] @ coef
        side.factors[~side.active] = side.prior[~side.active]


def _touched(codes: NDArray[np.int64], table_rows: NDArray[np.int64] | None) -> NDArray[np.int64]:
    """Distinct codes of the new events and of the new feature rows."""
    return np.unique(codes if table_rows is None else np.concatenate([codes, table_rows]))
