"""The models of the implicit library: fitted by that library, ranked with here."""

from __future__ import annotations

from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

from skrec.base import PartialFitMixin, VectorRecommender, text_space
from skrec.decomposition._implicit_fold_in import ShrunkenMean
from skrec.decomposition._popularity_weight import best_popularity_weight, log_popularity
from skrec.decomposition._sgd_fold_in import row_of_entry
from skrec.decomposition._state_checks import check_ridge
from skrec.interactions import Histories, Interactions, Queries
from skrec.utils import (
    MOST_FACTORS,
    Matrix,
    Verbose,
    check_array,
    check_codes,
    check_matrix,
    check_number,
    is_zero_row,
    note_pools,
    pools_are_lost,
    progress,
    with_rows,
)

if TYPE_CHECKING:
    from sklearn.linear_model import Ridge

_MAX_SEED = 2**31 - 1
SHARED_CONSTRAINTS: dict[str, list[Any]] = {
    "n_factors": [Interval(Integral, 1, MOST_FACTORS, closed="both")],
    "learning_rate": [Interval(Real, 0, None, closed="neither")],
    "regularization": [Interval(Real, 0, None, closed="left")],
    "max_iter": [Interval(Integral, 1, None, closed="left")],
    "item_encoder": [HasMethods(["fit_transform", "transform"]), StrOptions({"auto"}), None],
    "user_encoder": [HasMethods(["fit_transform", "transform"]), StrOptions({"auto"}), None],
    "feature_regularization": [Interval(Real, 0, None, closed="left")],
    "popularity_weight": [Interval(Real, 0, None, closed="left"), StrOptions({"auto"})],
    "random_state": ["random_state"],
    "n_jobs": [None, Integral],
    "verbose": [StrOptions({"auto"}), "verbose"],
}


class ImplicitFactorRecommender(PartialFitMixin, VectorRecommender):
    """Factors that a model of the implicit library learns, kept as plain arrays.

    A subclass gives ``_make_model(**options)`` and ``_read(model)``; where it fits more than zeros and ones
    ``_entries(chosen)``, and where it can start from fitted factors ``_warm_start(model, ...)``.
    """

    user_factors_: NDArray[np.float32]
    item_factors_: NDArray[np.float32]
    item_biases_: NDArray[np.float32]
    popularity_weight_: float
    fold_in_scale_: float
    fold_in_prior_: float
    _fold_in_means: NDArray[np.float32]
    _learned_biases: NDArray[np.float32]
    _user_is_active: NDArray[np.bool_]
    _item_is_active: NDArray[np.bool_]
    _item_counts: NDArray[np.int64]

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = SHARED_CONSTRAINTS

    def __init__(
        self,
        n_factors: int,
        *,
        learning_rate: float,
        regularization: float,
        max_iter: int,
        item_encoder: BaseEstimator | Literal["auto"] | None,
        user_encoder: BaseEstimator | Literal["auto"] | None,
        feature_regularization: float,
        popularity_weight: float | Literal["auto"],
        random_state: int | np.random.RandomState | None,
        n_jobs: int | None,
        verbose: Verbose,
    ) -> None:
        self.n_factors = n_factors
        self.learning_rate = learning_rate
        self.regularization = regularization
        self.max_iter = max_iter
        self.item_encoder = item_encoder
        self.user_encoder = user_encoder
        self.feature_regularization = feature_regularization
        self.popularity_weight = popularity_weight
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    def _make_model(self, **options: Any) -> Any:
        """The unfitted model of implicit; ``options`` are the seed and the number of threads."""
        raise NotImplementedError

    def _entries(self, chosen: sp.csr_matrix) -> sp.csr_matrix:
        """What the model is fitted to, from sums of ``y`` above 0."""
        return chosen

    def _read(self, model: Any) -> None:
        """Set ``user_factors_``, ``item_factors_`` and ``item_biases_``, without popularity."""
        raise NotImplementedError

    def _warm_start(self, model: Any, n_users: int, n_items: int, rng: np.random.Generator) -> None:
        """Start a model from the fitted factors, with drawn ones for new rows; by default from scratch."""

    # Fit -------------------------------------------------------------------------------------------

    def _fit(self, data: Interactions, item_matrix: Matrix | None, user_matrix: Matrix | None) -> None:
        self._learn(item_matrix, user_matrix, warm_start=False)

    def _partial_fit(self, data: Interactions, item_matrix: Matrix | None, user_matrix: Matrix | None) -> None:
        items, users = self._item_matrix, self._user_matrix
        if items is not None:
            items = with_rows(items, item_matrix, data.item_rows, data.n_items)
        if users is not None:
            users = with_rows(users, user_matrix, data.user_rows, data.n_users)
        if len(data):
            self._learn(items, users, warm_start=True)
        else:
            self._add_rows(items, users, data)

    def _add_rows(self, items: Matrix | None, users: Matrix | None, data: Interactions) -> None:
        """Rows of users and items that come with features alone; what was learned stays."""
        self._item_matrix, self._user_matrix = items, users
        self._user_is_active = _grown(self._user_is_active, data.n_users)
        self._item_is_active = _grown(self._item_is_active, data.n_items)
        self._item_counts = _grown(self._item_counts, data.n_items)
        self.user_factors_ = _grown(self.user_factors_, data.n_users)
        self.item_factors_ = _grown(self.item_factors_, data.n_items)
        self.item_biases_ = _grown(self.item_biases_, data.n_items)
        self._complete()

    def _learn(self, item_matrix: Matrix | None, user_matrix: Matrix | None, *, warm_start: bool) -> None:
        self._item_matrix, self._user_matrix = item_matrix, user_matrix
        self._train(warm_start=warm_start)
        self.user_map_ = self._map_features(user_matrix, self._user_is_active, self.user_factors_)
        targets = np.column_stack([self.item_factors_, self.item_biases_])
        self.item_map_ = self._map_features(item_matrix, self._item_is_active, targets)
        self._complete()

    def _complete(self) -> None:
        self._complete_users()
        self._complete_items()
        self._item_vectors, self._item_bias = self.item_factors_, self.item_biases_
        self._scale_fold_in()

    def _train(self, *, warm_start: bool) -> None:
        """Fit by implicit, on one BLAS thread, as it asks for."""
        chosen = sp.csr_matrix(self._histories.to_csr(len(self._item_index)))
        chosen.eliminate_zeros()
        chosen.sort_indices()
        self._user_is_active = np.diff(chosen.indptr) > 0
        self._item_counts = np.bincount(chosen.indices, minlength=chosen.shape[1])
        self._item_is_active = self._item_counts > 0
        seed = int(check_random_state(self.random_state).randint(_MAX_SEED))

        def make() -> Any:
            return self._make_model(random_state=seed, num_threads=self._n_threads())

        def fit_part(part: sp.csr_matrix) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
            model = make()
            fit_model(model, self._entries(part), label=type(self).__name__, verbose=self.verbose)
            return model.user_factors, model.item_factors

        if not isinstance(self.popularity_weight, str):
            self.popularity_weight_ = float(self.popularity_weight)
        elif not warm_start:
            self.popularity_weight_ = best_popularity_weight(chosen, fit_part)
        model = make()
        if warm_start:
            self._warm_start(model, chosen.shape[0], chosen.shape[1], np.random.default_rng(seed))
        fit_model(model, self._entries(chosen), label=type(self).__name__, verbose=self.verbose)
        self._read(model)
        self._learned_biases = self.item_biases_
        popularity = np.float32(self.popularity_weight_) * log_popularity(self._item_counts)
        self.item_biases_ = self._learned_biases + popularity

    def _n_threads(self) -> int:
        from skrec._kernels.threads import effective_n_threads

        if self.random_state is not None or pools_are_lost():
            return 1
        note_pools()  # implicit's loops run on the pool of OpenMP
        return effective_n_threads(self.n_jobs)

    def _map_features(self, features: Matrix | None, active: NDArray[np.bool_], targets: NDArray) -> Ridge | None:
        """A ridge map from features to the learned vectors of the rows with events."""
        if features is None:
            return None
        from sklearn.linear_model import Ridge

        values = features.data if sp.issparse(features) else features
        scale = float(np.square(values, dtype=np.float64).sum())
        penalty = self.feature_regularization * scale / features.shape[0]
        return Ridge(alpha=max(penalty, np.finfo(np.float32).tiny)).fit(features[active], targets[active])

    def _complete_users(self) -> None:
        """Users without events get their vector from their features, else zeros."""
        missing = ~self._user_is_active
        self.user_factors_[missing] = 0
        if self.user_map_ is not None and self._user_matrix is not None:
            described = missing & ~is_zero_row(self._user_matrix)
            self.user_factors_[described] = _predict(self.user_map_, self._user_matrix[described])

    def _complete_items(self) -> None:
        """Items without events get their vector and bias from their features, else zeros and the least bias."""
        missing = ~self._item_is_active
        self.item_factors_[missing] = 0
        self.item_biases_[missing] = 0 if missing.all() else self.item_biases_[~missing].min()
        if self.item_map_ is not None and self._item_matrix is not None:
            described = missing & ~is_zero_row(self._item_matrix)
            predicted = _predict(self.item_map_, self._item_matrix[described])
            self.item_factors_[described], self.item_biases_[described] = predicted[:, :-1], predicted[:, -1]

    def _scale_fold_in(self) -> None:
        chosen = self._chosen_items(self._histories) != 0
        found = ShrunkenMean.fitted(chosen, self.user_factors_, self.item_factors_)
        self.fold_in_scale_, self.fold_in_prior_ = found.scale, found.prior
        self._fold_in_means = np.stack([found.mean_user, found.mean_item])

    def _check_state(self) -> None:
        super()._check_state()
        if not self.__dict__.get("_is_fitted", False):
            return
        n_users, n_items, width = len(self._user_index), len(self._item_index), self._item_vectors.shape[1]
        check_array(self.user_factors_, "user_factors_", (n_users, width), dtype=np.float32)
        check_array(self.item_factors_, "item_factors_", (n_items, width), dtype=np.float32)
        check_array(self.item_biases_, "item_biases_", (n_items,), dtype=np.float32)
        check_array(self._user_is_active, "_user_is_active", (n_users,), kinds="b")
        check_array(self._item_is_active, "_item_is_active", (n_items,), kinds="b")
        check_codes(self._item_counts, "_item_counts", n_users + 1, size=n_items)
        check_ridge(self.user_map_, "user_map_", width)
        check_ridge(self.item_map_, "item_map_", width + 1)
        for name, n in (("_item_matrix", n_items), ("_user_matrix", n_users)):
            if getattr(self, name) is not None:
                check_matrix(getattr(self, name), name, (n, None))
        check_number(self.fold_in_scale_, "fold_in_scale_", 0)
        check_number(self.fold_in_prior_, "fold_in_prior_", 0)
        check_array(self._fold_in_means, "_fold_in_means", (2, width), dtype=np.float32)
        check_number(self.popularity_weight_, "popularity_weight_", 0)

    # Rank ------------------------------------------------------------------------------------------

    def _chosen_items(self, histories: Histories) -> sp.csr_array:
        """The strength of the distinct items of each row."""
        chosen = histories.to_csr(len(self._item_index))
        chosen.eliminate_zeros()
        chosen.sort_indices()
        return chosen

    def _fold_in(self, chosen: sp.csr_array) -> NDArray[np.float32]:
        """What a row's distinct items say of it; see :class:`ShrunkenMean`."""
        n_chosen = np.diff(chosen.indptr)
        factor, added = self._shrunken_mean.per_item(n_chosen)
        folded: NDArray[np.float32] = factor * ((chosen != 0) @ self.item_factors_) + n_chosen[:, None] * added
        return folded.astype(np.float32)

    def _fold_in_parts(self, chosen: sp.csr_array) -> NDArray[np.float32]:
        """What each entry adds to the vector of its row, in the order of ``chosen.indices``."""
        n_chosen = np.diff(chosen.indptr)
        factor, added = self._shrunken_mean.per_item(n_chosen)
        owner = np.repeat(np.arange(len(n_chosen)), n_chosen)
        parts: NDArray[np.float32] = factor[owner] * self.item_factors_[chosen.indices] + added[owner]
        return parts

    @property
    def _shrunken_mean(self) -> ShrunkenMean:
        return ShrunkenMean(self.fold_in_scale_, self.fold_in_prior_, *self._fold_in_means)

    def _query_vectors(self, queries: Queries) -> NDArray[np.float32]:
        known = queries.users >= 0
        vectors = np.zeros((len(queries), self.item_factors_.shape[1]), np.float32)
        vectors[known] = self.user_factors_[queries.users[known]]
        fitted = self._histories.lengths_of(queries.users)
        more = np.flatnonzero(queries.histories.lengths != fitted)
        if len(more):
            folded = self._fold_in(self._chosen_items(queries.histories.take(more)))
            vectors[more] = np.where(~is_zero_row(folded)[:, None], folded, vectors[more])
        if queries.features is not None and self.user_map_ is not None:
            histories = queries.histories
            n_chosen = np.bincount(histories.row_of_event()[histories.y > 0], minlength=len(queries))
            rows = queries.features.matrix
            described = np.flatnonzero(queries.features.is_given & (n_chosen == 0) & ~is_zero_row(rows))
            vectors[described] = _predict(self.user_map_, rows[described])
        return vectors

    def _text_space(self, texts: list[str]) -> tuple[Matrix, Matrix]:
        return text_space(self.item_encoder_, texts, self._item_matrix)

    def _contributions(self, queries: Queries, items: NDArray[np.int64]) -> NDArray[np.floating]:
        """Parts of the score of the folded-in history; the score of a fitted user is only near their sum."""
        histories = queries.histories
        rows, chosen = histories.row_of_event(), histories.y > 0
        # An item counts once, however often it was chosen: its contribution is divided among its events.
        entries = self._chosen_items(histories)
        owner = row_of_entry(entries)
        of_entries = np.einsum("ij,ij->i", self._fold_in_parts(entries), self.item_factors_[items[owner]])
        pairs = rows[chosen] * np.int64(len(self._item_index)) + histories.items[chosen]
        _, number = np.unique(pairs, return_inverse=True)
        added = np.zeros(len(rows))
        added[chosen] = (of_entries / np.bincount(number, minlength=len(of_entries)))[number]
        return added


def _grown(rows: NDArray, n: int) -> NDArray:
    """A copy with zero rows behind it up to ``n``."""
    return np.concatenate([rows, np.zeros((n - len(rows), *rows.shape[1:]), rows.dtype)])


def _predict(ridge: Ridge, features: Matrix) -> NDArray[np.float32]:
    """Predictions of a map, in two dimensions even where there is one row or one factor."""
    if not features.shape[0]:
        return np.zeros((0, np.shape(ridge.coef_)[0]), np.float32)
    return ridge.predict(features).reshape(features.shape[0], -1).astype(np.float32)


def fit_model(model: Any, entries: sp.csr_matrix, *, label: str, verbose: Verbose) -> None:
    """Fit a model of implicit; if it diverges, the error says what to change."""
    from implicit.recommender_base import ModelFitError
    from threadpoolctl import threadpool_limits

    # Set now, after implicit is loaded: the limit applies to libraries that are loaded already.
    try:
        with threadpool_limits(1, user_api="blas"), progress(model.iterations, label, "epoch", verbose=verbose) as bar:
            model.fit(entries, show_progress=False, callback=lambda *_: bar.update())
    except ModelFitError as error:
        raise ValueError(
            f"{type(model).__name__} of implicit diverged ({error}); lower learning_rate={model.learning_rate} "
            f"or raise regularization={model.regularization}."
        ) from error
