"""The recommender base class: ids, tables, histories and rankings, done once for every model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Self

import narwhals as nw
import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from skrec._explain import ExplainMixin
from skrec.base._contract import RecommenderMixin
from skrec.base._fit_data import FeatureSide, SideTable
from skrec.base._given_features import GivenTable
from skrec.base._loaded_state import LoadedStateMixin
from skrec.base._no_events import check_without_events
from skrec.base._predict import PredictMixin
from skrec.base._ranker import ExactRanker, Ranker
from skrec.base._text_requests import RequestRanker, read_requests
from skrec.exceptions import UnsupportedArgumentError
from skrec.interactions import (
    CandidateIds,
    Candidates,
    ContextColumns,
    FeatureMatrix,
    FeatureSource,
    Histories,
    History,
    IdIndex,
    Ids,
    Interactions,
    Queries,
    Recommendations,
    Table,
    as_column,
    check_rows,
    is_empty,
    list_length,
    read_events,
    read_exclusions,
    read_flag,
    read_history,
    read_target,
    warn_of_ratings_in_array,
    warn_of_unused_encoder,
)
from skrec.utils import Matrix, atomic_update, fit_context, frame_backend, on_snapshot


# Think twice before adding anything here: every model carries it. What one family needs belongs in the family,
# what two need in one of the two ways to rank, and what reads tables or requests in interactions.
class BaseRecommender(PredictMixin, RecommenderMixin, ExplainMixin, LoadedStateMixin, BaseEstimator):
    """The way of the data: tables in, codes through the model, rankings out.

    A subclass gives

    - ``_fit(data, item_matrix, user_matrix)``: learn from :class:`~skrec.interactions.Interactions` and
      from feature matrices in catalogue order, or None;
    - ``_score(queries, items)``: a writeable float32 array (n_queries, n_items), for all items or for the
      given codes. Rows of queries for which
      ``_is_cold(queries)`` is true are overwritten by ``_cold_start_scores``.

    A model that uses context sets ``_uses_context = True``. Where X has context columns, ``data.context`` is
    then a float32 array (n_events, n_context) in the order of the events, and ``queries.context`` one of
    (n_queries, n_context): the training mean for ``context=None``. Both are None where X has none.

    Parameters ``item_encoder``, ``user_encoder``, ``feedback`` and ``n_jobs`` are read here where a
    subclass has them. A model without an encoder parameter for a side ignores that side's features, and
    takes the ids of the table into its catalogue all the same.

    A model that ranks by features alone sets ``_fits_without_events = True``: then ``X`` may be None in ``fit``.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {}
    _uses_context: bool = False
    _fits_without_events: bool = False
    _context: ContextColumns | None = None
    popularity_: NDArray[np.float32]

    # What a model writes ---------------------------------------------------------------------------

    def _fit(self, data: Interactions, item_matrix: Matrix | None, user_matrix: Matrix | None) -> None:
        raise NotImplementedError(f"{type(self).__name__} must define _fit(data, item_matrix, user_matrix)")

    def _score(self, queries: Queries, items: NDArray[np.int64] | None) -> NDArray[np.float32]:
        raise NotImplementedError(f"{type(self).__name__} must define _score(queries, items)")

    def _is_cold(self, queries: Queries) -> NDArray[np.bool_]:
        """Which queries get the cold start: by default those without events."""
        return queries.histories.lengths == 0

    def _cold_start_scores(self, items: NDArray[np.int64] | None) -> NDArray[np.float32]:
        """Scores of a query without usable data: popularity."""
        return self.popularity_ if items is None else self.popularity_[items]

    def _history_rating(self) -> float:
        """The y of a history event that comes without one."""
        return 1.0

    # Fit -------------------------------------------------------------------------------------------

    @fit_context(prefer_skip_nested_validation=True)
    @atomic_update
    def fit(
        self,
        X: Table | None = None,
        y: ArrayLike | None = None,
        *,
        item_features: FeatureSource | None = None,
        user_features: FeatureSource | None = None,
    ) -> Self:
        """Fit to an event log.

        Parameters
        ----------
        X : array-like or frame of shape (n_events, n_columns)
            User id, item id, then context columns; a frame column named ``timestamp`` gives the time. None for a
            catalogue without events, where the model ranks by features alone.
        y : array-like of shape (n_events,), default=None
            Strength (implicit feedback, at least 0) or rating (explicit); None means 1.
        item_features, user_features : frame, pair (ids, matrix) or FeatureTable, default=None
            One row per item or user; the first column of a frame is the id. Items that are only here
            can be recommended too.

        Returns
        -------
        self : object
        """
        return self._fit_events(X, y, None, item_features, user_features)

    def _fit_events(self, X: Any, y: Any, sample_weight: Any, item_features: Any, user_features: Any) -> Any:
        if X is None:
            check_without_events(self, y, item_features)
            data = Interactions.without_events()
        else:
            events = read_events(X, estimator=self, reset=True)
            warn_of_ratings_in_array(X, y)
            target = read_target(y, len(events), feedback=self._feedback, is_fit=True)
            if sample_weight is not None:
                events, target = self._weighted(events, target, sample_weight)  # of SampleWeightMixin
            data = Interactions.from_events(events, target)
        self._frame_backend = frame_backend(item_features if X is None else X)
        self._read_event_context(data, reset=True)
        items = self._fit_side("item", item_features, data.item_index, len(data))
        users = self._fit_side("user", user_features, data.user_index, len(data))
        self.item_texts_ = items.texts()
        self._keep(data, items, users)
        self._fit(data, items.matrix, users.matrix)
        self._is_fitted = True
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return getattr(self, "_is_fitted", False)

    def _read_event_context(self, data: Interactions, *, reset: bool) -> None:
        """Replace ``data.context`` by numbers in the order of the events, for a model that uses context."""
        if reset:
            self._context = None
            if not self._uses_context or data.context is None:
                return
            self._context, matrix = ContextColumns.fit(data.context, type(self).__name__)
        elif self._context is None:
            return
        else:
            matrix = self._context.read_events(data.context)
            self._context = self._context.with_events(matrix)
        data.context = matrix if data.order is None else matrix[data.order]

    def _fit_side(self, name: str, table: Any, index: IdIndex, n_events: int) -> SideTable:
        is_used, encoder = hasattr(self, f"{name}_encoder"), getattr(self, f"{name}_encoder", None)
        names = self._column_names
        id_name = None if names is None else str(names[1 if name == "item" else 0])
        if table is None and encoder is not None:
            warn_of_unused_encoder(type(self).__name__, name)
        return FeatureSide.fit(name, table, index, n_events, is_used=is_used, encoder=encoder, id_name=id_name)

    def _keep(self, data: Interactions, items: SideTable, users: SideTable, before: Histories | None = None) -> None:
        """Keep the catalogue and the events, behind those from ``before``."""
        data.item_index, data.user_index = items.index, users.index
        self._item_side, self._user_side = items.side, users.side
        self._item_index, self._user_index = items.index, users.index
        later = data.histories
        self._histories = later if before is None else before.with_rows(data.n_users).followed_by(later)
        changed = None if before is None else np.unique(later.items)
        totals = self._histories.item_totals(data.n_items, items=changed, count=self._feedback == "explicit")
        popularity = totals.astype(np.float32)
        if changed is not None:
            is_kept = np.ones(len(self.popularity_), bool)
            is_kept[changed[changed < len(is_kept)]] = False
            popularity[: len(is_kept)][is_kept] = self.popularity_[is_kept]
        self.popularity_ = popularity

    # The fitted catalogue ---------------------------------------------------------------------------------

    @property
    def users_(self) -> NDArray:
        """User ids in catalogue order."""
        check_is_fitted(self)
        return self._user_index.values

    @property
    def items_(self) -> NDArray:
        """Item ids in catalogue order: position is code."""
        check_is_fitted(self)
        return self._item_index.values

    @property
    def item_encoder_(self) -> Any:
        """The fitted encoder of the item features, None where there is none."""
        return self._item_side.encoder

    @property
    def user_encoder_(self) -> Any:
        """The fitted encoder of the user features, None where there is none."""
        return self._user_side.encoder

    @property
    def _column_names(self) -> Any:
        """Of the X of fit, or None where it had none."""
        return getattr(self, "feature_names_in_", None)

    @property
    def _feedback(self) -> str:
        return getattr(self, "feedback", "implicit")

    @on_snapshot
    def seen_items(self, users: Ids) -> Histories:
        """Item codes that each user has events with in fit, one row per user; empty for unknown users."""
        check_is_fitted(self)
        return self._histories.take(self._user_index.codes(users, "users", check_kind=False))

    # Recommend -------------------------------------------------------------------------------------

    @on_snapshot
    def recommend(
        self,
        users: Ids | None = None,
        k: int = 10,
        *,
        context: Table | None = None,
        history: History | None = None,
        candidates: CandidateIds | None = None,
        exclude_seen: bool = True,
        exclude: Table | None = None,
        request: str | Sequence[str | None] | None = None,
        request_weight: float = 0.5,
        user_features: FeatureSource | FeatureMatrix | None = None,
    ) -> Recommendations:
        """Rank items for users.

        Parameters
        ----------
        users : array-like of ids, default=None
            Repeats are allowed. An unknown user gets the cold start. None means every known user, or those
            of ``history`` in order of first appearance and those of ``user_features``.
        k : int, default=10
            Items per user. Lists are as long as the catalogue at most, and padded where fewer items are eligible.
        context : array-like of shape (n_users, n_context) or (1, n_context), default=None
            The context columns of X: one row per user, or one for all. None means the mean of training. Models
            that cannot use context ignore it.
        history : events ``[user, item, ...]`` or pair (events, y), default=None
            Events that were not in fit: appended to those of known users, folded in for new ones. For
            explicit feedback an event without y counts as the highest rating seen in fit. A frame that names
            both ids as the X of fit did may have them in any place; else they come first.
        candidates : list of item ids, or one list per user, default=None
            The eligible items; unknown ids are skipped.
        exclude_seen : bool, default=True
            Whether to exclude items of the user's events, in fit and in ``history``.
        exclude : pairs ``[user, item]``, default=None
            Further items to exclude, read as ``history`` is.
        request : str, or list of n_users str or None, default=None
            What the user wants now, in free text: one text for all, or one per user; a blank one is none. Scores are
            then a blend of the score of the model and the similarity of text and item. Each is scaled by the distance
            of its ten best items (in a small catalogue, of a quarter of all) from the median item. A user who gets
            the cold start gets the ranking of the text alone.
        request_weight : float in [0, 1], default=0.5
            Weight of the text in that blend: 0 is the model alone, 1 the text alone.
        user_features : frame, pair (ids, matrix) or array-like of shape (n_users, n_features), default=None
            Features of users, with the columns of fit: of new ones, or in place of those that fit had. Rows are found
            by id. A frame without the id column and a matrix alone have one row per user, in the order of ``users``.
            For a model that was fitted with user features.

        Returns
        -------
        Recommendations
            Unpacks as ``items, scores``, two (n_users, k) arrays.

        Raises
        ------
        ValueError
            If ``k`` < 1, no candidate is known, or rows or columns of ``context`` do not fit; if there is a
            request and the model cannot read text; if there are user features and the model does not use them.
        TypeError
            If no user is known and the ids are text where numbers were fitted, or the reverse.
        """
        check_is_fitted(self)
        k = list_length(k, len(self._item_index))
        user_ids, queries = self._read_queries(users, context, history, user_features)
        eligible = None if candidates is None else Candidates(candidates, self._item_index, len(queries))
        hidden = queries.histories if read_flag(exclude_seen, "exclude_seen") else Histories.empty(len(queries))
        if exclude is not None and not is_empty(exclude):
            excluded = read_exclusions(exclude, self._item_index, self._column_names).by_query(user_ids, "exclude")
            hidden = hidden.followed_by(excluded)
        texts = read_requests(request, request_weight, len(queries))
        ranker = self._ranker()
        if texts is not None:
            exact = self._exact_ranker()
            ranker = RequestRanker.of_texts(texts, self._text_space, float(request_weight), exact, self._is_cold)
        codes, scores = ranker.top_k(queries, k, eligible, hidden)
        return self._listed(codes, scores, user_ids)

    def _listed(
        self, codes: NDArray[np.int32], scores: NDArray[np.float32], queries: NDArray, query_name: str = "user"
    ) -> Recommendations:
        """Ranked codes as what the caller gets, with the titles that the model keeps."""
        titles = None if self.item_texts_ is None else self.item_texts_.names
        return Recommendations(
            codes,
            scores,
            queries,
            self._item_index,
            backend=self._frame_backend,
            query_name=query_name,
            titles=titles,
        )

    def _text_space(self, texts: list[str]) -> tuple[Matrix, Matrix]:
        """Vectors of texts, and of the items in the same space."""
        raise UnsupportedArgumentError(
            f"{type(self).__name__} cannot read text, so it has no search and takes no request; use a model with an "
            "item_encoder, such as HybridMFRecommender(item_encoder=LLMTextEmbedder()), or wrap this one in "
            "skrec.llm.LLMReranker.",
            "request",
        )

    def _read_queries(
        self, users: Any, context: Any, history: Any, user_features: Any = None
    ) -> tuple[NDArray, Queries]:
        events = None
        if history is not None and not (is_empty(history) and users is not None):
            rating = self._history_rating()
            events = read_history(history, self._item_index, self._feedback, rating, self._column_names)
        given = None
        if user_features is not None:
            given = GivenTable(user_features, self._user_side, self._user_index, type(self).__name__)
            if users is None:
                users = given.users(np.zeros(0, np.int64) if events is None else events.users_in_order())
        if users is None and events is None:
            user_ids, codes = self._user_index.values, np.arange(len(self._user_index))
            histories = self._histories
        else:
            assert events is not None or users is not None
            column = events.users_in_order() if users is None and events is not None else as_column(users, "users")
            user_ids = np.array(column.to_numpy() if isinstance(column, nw.Series) else column)
            codes = self._user_index.codes(column, "users", check_kind=events is None)
            histories = self._histories.take(codes)
        if events is not None:
            histories = histories.followed_by(events.by_query(user_ids, "history"))
        features = None if given is None else given.of(user_ids)
        return user_ids, Queries(codes, histories, self._read_context(context, len(codes)), features)

    def _read_context(self, context: Any, n_queries: int) -> NDArray[np.float32] | None:
        if self._context is not None:
            return self._context.read_queries(context, n_queries)
        if context is None:
            return None
        check_rows(context, n_queries)
        if self._uses_context:
            raise ValueError(
                f"context was given, but X had no context columns when {type(self).__name__} was fitted: leave it "
                "out, or fit with the columns [user, item, context...]."
            )
        return None

    def _exact_ranker(self) -> ExactRanker:
        """Ranks by the scores of all items."""
        return ExactRanker(self._score_with_cold_start, len(self._item_index), getattr(self, "n_jobs", None))

    def _ranker(self) -> Ranker:
        """What makes the lists of ``recommend``. A model with a faster way than scores of all items overrides it."""
        return self._exact_ranker()

    def _score_with_cold_start(self, queries: Queries, items: NDArray[np.int64] | None) -> NDArray[np.float32]:
        """Scores of a block, the cold start included."""
        scores, cold = self._score(queries, items), self._is_cold(queries)
        if cold.any():
            scores[cold] = self._cold_start_scores(items)
        return scores
