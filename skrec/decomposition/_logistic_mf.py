"""Logistic matrix factorization."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar, Literal

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.stats import loguniform, randint
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval

from skrec.base import SampleWeightMixin
from skrec.decomposition._implicit_fold_in import LogisticUserLoss
from skrec.decomposition._implicit_models import SHARED_CONSTRAINTS, ImplicitFactorRecommender
from skrec.interactions import Interactions
from skrec.utils import Matrix, Verbose, check_array


class LogisticMFRecommender(SampleWeightMixin, ImplicitFactorRecommender):
    """Matrix factorization of the probability that a user chooses an item.

    The log odds of a choice are ``p.q`` plus biases of user and item. Fitted by the implicit library
    (``implicit.cpu.lmf``): alternating gradient steps with AdaGrad; negative samples are drawn by popularity.

    Parameters
    ----------
    n_factors : int, default=32
        Length of the vectors.
    alpha : float, default=0.0
        A seen pair has confidence 1 + alpha * y; with 0, all count equally.
    learning_rate : float, default=1.0
        Length of the first AdaGrad step.
    regularization : float, default=3.0
        L2 penalty.
    max_iter : int, default=30
        Passes over both sides.
    n_negatives : int, default=30
        Negative samples per seen pair, for users and for items in turn. implicit draws at most ``n_factors + 2``
        for one row.
    item_encoder, user_encoder : transformer, "auto" or None, default=None
        Fitted on ``item_features`` and ``user_features`` (without the id column) inside ``fit``. None takes
        numeric features as they are; ``"auto"`` embeds texts, one-hot encodes
        categories, and imputes and standardises numbers.
    feature_regularization : float, default=10.0
        Penalty of the ridge maps from features to factors, in units of the mean squared length of the
        feature rows.
    popularity_weight : float or "auto", default="auto"
        How much of the logarithm of an item's number of users is added to its bias. "auto" holds out a tenth of the
        events, at most 10,000, fits a first model to the rest, and takes the weight from 0 to 16 by which they rank
        highest, the larger one in doubt; then all events are fitted. It is 0.5 where fewer than 20 events can be held
        out. A number spares the first model, and 0 keeps the scores of implicit.
    random_state : int, RandomState instance or None, default=None
        Draws the first factors and the negative samples. A value makes ``fit`` run on one thread, since each
        thread of implicit draws its own: the result is then the same for any ``n_jobs``.
    n_jobs : int, default=None
        Threads; None means all cores.
    verbose : bool, int or "auto", default="auto"
        Whether to show a progress bar. "auto" shows one on a terminal or in a notebook, once the work has lasted two
        seconds. What is nested does the same, unless it has a setting of its own.

    Attributes
    ----------
    user_factors_, item_factors_ : float32 arrays of shape (n_users, n_factors) and (n_items, n_factors)
        In catalogue order.
    user_biases_, item_biases_ : float32 arrays of shape (n_users,) and (n_items,)
        Scores do not include ``user_biases_``, which changes no ranking: the log odds are the score plus it.
    fold_in_scale_, fold_in_prior_ : float
        The shrunken mean of n distinct items, from which a new user starts, is the sum of their vectors, times
        ``fold_in_scale_ / (n + fold_in_prior_)``. Where that is nearer to fitted users, the mean item is taken off and
        the mean user added, more of both the more events there are.
    popularity_weight_ : float
        The weight used.
    user_map_, item_map_ : Ridge or None
        From features to factors (and bias, for items); for rows without events.
    user_encoder_, item_encoder_ : transformer or None
        The fitted encoders.
    popularity_ : float32 array of shape (n_items,)
        Ranks items for unknown users without history.
    n_features_in_ : int
        Columns of X, ``timestamp`` not counted.
    feature_names_in_ : ndarray of str
        Their names, where X is a frame.

    Notes
    -----
    Context is accepted and ignored; order is not used. No object of implicit is kept: ranking is done here,
    and a saved model loads without it.

    *New histories* are folded in without a refit: the user vector is where the loss of fit is least, given the items
    and the expected negative samples. Its L2 penalty is on the distance from the mean of the item vectors, shrunk by a
    prior and scaled so that some events of fitted users come nearest to their vectors: after a few events that says
    more than fit does, and after many the loss decides. A known user with new events is folded in with the whole
    history. *Items without events* get their vector from their features, or
    without features the least bias and zero factors. Users without events get theirs from their features, or
    popular items.

    ``partial_fit`` fits from scratch to all events, the earlier ones included, and equals ``fit`` on them up to the
    order of ids: implicit restarts AdaGrad each time, and its first steps would leave little of the old factors. The
    encoders stay.

    References
    ----------
    Johnson, "Logistic Matrix Factorization for Implicit Feedback Data", NIPS workshop on distributed machine
    learning and matrix computations, 2014.

    Examples
    --------
    >>> import numpy as np
    >>> from skrec.decomposition import LogisticMFRecommender
    >>> # Even users choose even items, odd users odd items; each has not chosen one of them.
    >>> X = np.array([[u, i] for u in range(20) for i in range(10) if u % 2 == i % 2 and u % 10 != i])
    >>> rec = LogisticMFRecommender(n_factors=8, random_state=0).fit(X)
    >>> rec.recommend([3, 4], k=1).items
    array([[3],
           [4]])
    """

    user_biases_: NDArray[np.float32]
    _mean_user: NDArray[np.float32]

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **SHARED_CONSTRAINTS,
        "alpha": [Interval(Real, 0, None, closed="left")],
        "n_negatives": [Interval(Integral, 1, None, closed="left")],
    }
    search_space: ClassVar[dict[str, Any]] = {
        "n_factors": [8, 16, 32, 64],
        "learning_rate": loguniform(0.3, 1.5),
        "regularization": loguniform(0.3, 10),
        "max_iter": randint(15, 60),
        "popularity_weight": [0.0, 0.25, 0.5, 1.0, "auto"],
    }

    def __init__(
        self,
        n_factors: int = 32,
        *,
        alpha: float = 0.0,
        learning_rate: float = 1.0,
        regularization: float = 3.0,
        max_iter: int = 30,
        n_negatives: int = 30,
        item_encoder: BaseEstimator | Literal["auto"] | None = None,
        user_encoder: BaseEstimator | Literal["auto"] | None = None,
        feature_regularization: float = 10.0,
        popularity_weight: float | Literal["auto"] = "auto",
        random_state: int | np.random.RandomState | None = None,
        n_jobs: int | None = None,
        verbose: Verbose = "auto",
    ) -> None:
        super().__init__(
            n_factors,
            learning_rate=learning_rate,
            regularization=regularization,
            max_iter=max_iter,
            item_encoder=item_encoder,
            user_encoder=user_encoder,
            feature_regularization=feature_regularization,
            popularity_weight=popularity_weight,
            random_state=random_state,
            n_jobs=n_jobs,
            verbose=verbose,
        )
        self.alpha = alpha
        self.n_negatives = n_negatives

    @classmethod
    def __skrec_test_instances__(cls) -> list[Any]:
        """Small instances for the estimator checks."""
        return [cls(n_factors=4, random_state=0)]

    def _make_model(self, **options: Any) -> Any:
        from implicit.cpu.lmf import LogisticMatrixFactorization

        return LogisticMatrixFactorization(
            factors=self.n_factors,
            learning_rate=self.learning_rate,
            regularization=self.regularization,
            iterations=self.max_iter,
            neg_prop=self.n_negatives,
            **options,
        )

    def _entries(self, chosen: sp.csr_matrix) -> sp.csr_matrix:
        chosen.data = 1 + np.float32(self.alpha) * chosen.data
        return chosen

    def _add_rows(self, items: Matrix | None, users: Matrix | None, data: Interactions) -> None:
        added = np.zeros(data.n_users - len(self.user_biases_), np.float32)
        self.user_biases_ = np.concatenate([self.user_biases_, added])
        super()._add_rows(items, users, data)

    def _scale_fold_in(self) -> None:
        super()._scale_fold_in()
        fitted = np.column_stack([self.user_factors_, self.user_biases_])[self._user_is_active]
        self._mean_user = fitted.mean(axis=0) if len(fitted) else np.zeros(self.n_factors + 1, np.float32)

    def _fold_in(self, chosen: sp.csr_array) -> NDArray[np.float32]:
        """Where the loss of fit is least, its L2 penalty on the distance from the shrunken mean of the items."""
        users, _ = self._users_and_prior(chosen)
        return np.ascontiguousarray(users[:, :-1])

    def _fold_in_parts(self, chosen: sp.csr_array) -> NDArray[np.float32]:
        moved = self._user_loss.parts(*self._users_and_prior(chosen), self._entries(chosen.copy()))
        parts: NDArray[np.float32] = super()._fold_in_parts(chosen) + moved[:, :-1]
        return parts

    def _users_and_prior(self, chosen: sp.csr_array) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Both end with a bias."""
        mean, shrunken = self._mean_user, super()._fold_in(chosen)
        prior = np.column_stack([shrunken, np.full(len(shrunken), mean[-1], np.float32)])
        return self._user_loss.users(prior, mean, self._entries(chosen.copy())), prior

    @property
    def _user_loss(self) -> LogisticUserLoss:
        return LogisticUserLoss(
            self.item_factors_,
            self.item_biases_,
            self._item_counts,
            self.popularity_weight_,
            self.n_negatives,
            self.regularization,
        )

    def _check_state(self) -> None:
        super()._check_state()
        if self.__dict__.get("_is_fitted", False):
            check_array(self.user_biases_, "user_biases_", (len(self._user_index),), dtype=np.float32)
            check_array(self._mean_user, "_mean_user", (self.user_factors_.shape[1] + 1,), dtype=np.float32)

    def _read(self, model: Any) -> None:
        # Column -2 is ones for users and the bias for items; column -1 the reverse.
        self.user_factors_ = np.ascontiguousarray(model.user_factors[:, :-2])
        self.user_biases_ = model.user_factors[:, -1].copy()
        self.item_factors_ = np.ascontiguousarray(model.item_factors[:, :-2])
        self.item_biases_ = model.item_factors[:, -2].copy()
