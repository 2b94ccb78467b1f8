"""Friends in, for any recommender."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metaestimators import available_if

from skrec.base import MetaRecommender, lists_follow_predict, tables_taken
from skrec.graph._blended_lists import BlendedLists, list_range, only_wanted, wanted_items
from skrec.graph._explain_friends import ExplainFriendsMixin
from skrec.graph._friends import choices, entries, friends_choices
from skrec.graph._held_out_weight import held_out_weight
from skrec.graph._people import People, read_signal_weights
from skrec.graph._profiles import Profiles
from skrec.graph._recommend_users import RecommendUsersMixin
from skrec.interactions import (
    FeatureSource,
    IdIndex,
    LinkSource,
    LinkTable,
    Recommendations,
    Table,
    check_links,
    factorize,
    list_length,
    read_events,
    read_links,
)
from skrec.utils import (
    Recommender,
    Transformer,
    atomic_update,
    check_number,
    fit_context,
    on_snapshot,
    unwrap_recommender,
)

_SAMPLED_USERS = 200


class SocialRecommender(RecommendUsersMixin, ExplainFriendsMixin, MetaRecommender):
    """Blend what the friends of a user chose into the lists of any recommender, and recommend people.

    The links come as ``user_links`` in ``fit``, best as a :class:`~skrec.interactions.LinkTable`. What friends chose
    is scaled to the range of the user's list and weighed against the scores of the recommender. Users without events,
    of whom the recommender knows nothing, get what their friends chose. Who has no links gets the lists of the
    recommender.

    Parameters
    ----------
    recommender : recommender, Pipeline or FrozenEstimator
        A clone of it is fitted; a :class:`~sklearn.frozen.FrozenEstimator` is kept as it is.
    weight : float in [0, 1] or "auto", default="auto"
        Weight of friends against the recommender, for users with events. "auto" chooses it on the last events of up to
        1,000 users, held out from a second fit; it is 0 where no weight is better than that by two standard errors.
    cold_weight : float in [0, 1], default=0.95
        The same for users without events.
    friends_of_friends : float in [0, 1], default=0.2
        Weight of the nearest friend of friends, where a friend weighs 1.
    half_life : float, default=None
        Time after which events and links count half, in the unit of their times (seconds for date-times). None means
        that age does not matter.
    n_candidates : int, default=100
        Length of the recommender's lists into which choices of friends are blended, and most items of friends added.
    people_weights : dict, default=None
        Weights of "walks" (random walks over links), "common_friends" (Adamic-Adar), "taste" and "texts" in
        :meth:`recommend_users`. None means 1, 0, 0.75 and 0.75.
    user_encoder : transformer, default=None
        Encodes ``user_features`` for :meth:`recommend_users`. The table is then kept from a recommender that has no
        ``user_encoder`` of its own.

    Attributes
    ----------
    recommender_ : recommender
        The fitted recommender.
    weight_ : float
        The weight in use.

    Notes
    -----
    A score is (1 - w) s + w (low + range * f): s the score of the recommender, low and range those of its list for the
    user, and f how much friends chose the item, 1 for what they chose most. ``predict`` cannot know the list and takes
    the typical range of the fitted users, without low; it is that of the recommender for explicit feedback, where it
    is a rating. Private links count in scores. No reason tells of them.

    References
    ----------
    Adamic, L. and Adar, E. (2003). Friends and neighbors on the Web. Social Networks 25.

    Examples
    --------
    >>> from skrec import LinkTable, PopularRecommender, SocialRecommender
    >>> X = [["ann", "tea"], ["bob", "tea"], ["cid", "rye"]]
    >>> rec = SocialRecommender(PopularRecommender(), weight=0.5)
    >>> rec = rec.fit(X, user_links=LinkTable([("eve", "cid"), ("cid", "ann")]))
    >>> rec.recommend(["eve"], k=1).items.tolist()
    [['rye']]
    >>> found = rec.recommend_users(["eve"], k=1)
    >>> found.items.tolist(), found.reasons
    ([['ann']], [['1 friend in common: cid.']])
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "weight": [Interval(Real, 0, 1, closed="both"), StrOptions({"auto"})],
        "cold_weight": [Interval(Real, 0, 1, closed="both")],
        "friends_of_friends": [Interval(Real, 0, 1, closed="both")],
        "half_life": [Interval(Real, 0, None, closed="neither"), None],
        "n_candidates": [Interval(Integral, 1, None, closed="left")],
        "people_weights": [Mapping, None],
    }

    def __init__(
        self,
        recommender: Recommender,
        weight: float | str = "auto",
        *,
        cold_weight: float = 0.95,
        friends_of_friends: float = 0.2,
        half_life: float | None = None,
        n_candidates: int = 100,
        people_weights: Mapping[str, float] | None = None,
        user_encoder: Transformer | None = None,
    ) -> None:
        self.recommender = recommender
        self.weight = weight
        self.cold_weight = cold_weight
        self.friends_of_friends = friends_of_friends
        self.half_life = half_life
        self.n_candidates = n_candidates
        self.people_weights = people_weights
        self.user_encoder = user_encoder

    @classmethod
    def __skrec_test_instances__(cls) -> list[Any]:
        """Small instances for the estimator checks."""
        from skrec.graph._graph import GraphRecommender

        return [cls(GraphRecommender(4, random_state=0), weight=0.3)]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.lists_follow_predict = False
        return tags

    # Fit -----------------------------------------------------------------------------------------------

    def _check_wrapper(self) -> None:
        read_signal_weights(self.people_weights)

    @fit_context(prefer_skip_nested_validation=False)
    @atomic_update
    def fit(
        self,
        X: Table | None = None,
        y: ArrayLike | None = None,
        *,
        item_features: FeatureSource | None = None,
        user_features: FeatureSource | None = None,
        user_links: LinkSource | None = None,
        **tables: Any,
    ) -> Self:
        """Fit a clone of the recommender, and read the links.

        Parameters
        ----------
        X, y, item_features, user_features
            As in ``fit`` of the recommender. ``user_encoder`` reads ``user_features`` too.
        user_links : LinkTable, frame, array or iterable of pairs, default=None
            Who is linked to whom. Users without events may be among them. None means no links.
        **tables
            Further tables that ``fit`` of the recommender takes.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError, TypeError
            If the links cannot be read, or are a bare table with as many rows as X; or as the recommender does.
        """
        links = _as_table(user_links)
        given = {"item_features": item_features, "user_features": user_features} | tables
        super().fit(X, y, **self._with_links(given, links, "fit"))
        self._links = read_links([] if links is None else _as_given(user_links, links), events=X)
        self._read_profiles(user_features)
        self._derive()
        self.weight_ = self.weight
        if self.weight == "auto":
            self.weight_ = held_out_weight(self, X, y, given | {"user_links": links}) if len(self._links) else 0.0
        return self

    @available_if(lambda outer: hasattr(outer._delegate, "partial_fit"))
    @atomic_update
    def partial_fit(
        self,
        X: Table | None = None,
        y: ArrayLike | None = None,
        *,
        item_features: FeatureSource | None = None,
        user_features: FeatureSource | None = None,
        user_links: LinkSource | None = None,
        **tables: Any,
    ) -> Self:
        """Update the recommender with new events, and add links; the first call fits it.

        Parameters
        ----------
        X, y, item_features, user_features
            As in ``partial_fit`` of the recommender.
        user_links : LinkTable, frame, array or iterable of pairs, default=None
            Further links, blocks and hidden links. Known ones stay, and so does ``weight_``.
        **tables
            Further tables that ``partial_fit`` of the recommender takes.

        Returns
        -------
        self : object
        """
        given = {"item_features": item_features, "user_features": user_features} | tables
        if not self.__sklearn_is_fitted__():
            return self.fit(X, y, **given, user_links=user_links)
        links = _as_table(user_links)
        more = None if links is None else read_links(_as_given(user_links, links), events=X)
        super().partial_fit(X, y, **self._with_links(given, links, "partial_fit"))
        if more is not None:
            self._links = self._links.with_more(more)
        self._read_profiles(user_features, update=True)
        self._derive()
        return self

    def _with_links(self, tables: dict[str, Any], links: LinkTable | None, method: str) -> dict[str, Any]:
        """The tables that the recommender gets: links too, where it takes them."""
        taken = "user_links" in tables_taken(self.recommender, method)
        return tables | ({"user_links": links} if taken and links is not None else {})

    def _tables_inside(self, item_features: Any, user_features: Any, **tables: Any) -> dict[str, Any]:
        inner = unwrap_recommender(self.recommender)
        if self.user_encoder is not None and getattr(inner, "user_encoder", None) is None:
            user_features = None
        return super()._tables_inside(item_features, user_features, **tables)

    def _read_profiles(self, user_features: Any, *, update: bool = False) -> None:
        if not update:
            self._profiles = None
        if self.user_encoder is None or user_features is None:
            return
        table = self._tables_in_front(None, user_features)[1]
        known = self._profiles if update else None
        self._profiles = Profiles.fit(table, self.user_encoder) if known is None else known.updated(table)

    def _derive(self) -> None:
        """What follows from the links and the recommender."""
        self._links = self._links.of_users(IdIndex(np.asarray(self.users_)), with_unknown=True)
        n_users, n_items = len(self._links.user_index), len(self.items_)
        self._adjacency = self._links.matrix(self.half_life)
        self._blocked = self._links.blocked_matrix()
        self._public = self._links.public().matrix(self.half_life)
        explicit = self.feedback == "explicit"
        histories = self.seen_items(self.users_)
        self._chosen = choices(histories, n_users, n_items, explicit=explicit, half_life=self.half_life)
        texts = None if self._profiles is None else self._profiles.of(self._links.user_index)
        self._people = People.of(self._adjacency, self._public, self._blocked, self._chosen, texts)
        self.spread_ = self._typical_range()

    def _typical_range(self) -> float:
        """The median range of the lists of some of the users: the scale of friends in ``predict``."""
        users = np.asarray(self.users_)
        if self.n_features_in_ > 2 or not len(users) or not len(self._links):
            return 1.0
        some = users[np.unique(np.linspace(0, len(users) - 1, _SAMPLED_USERS).astype(np.int64))]
        scores = self._retrieve(some, min(self.n_candidates, len(self.items_)), exclude_seen=False).scores
        listed = np.isfinite(scores)
        low = np.where(listed, scores, np.inf).min(axis=1, initial=np.inf)
        return float(np.median(list_range(low, np.where(listed, scores, -np.inf).max(axis=1, initial=-np.inf))))

    def _check_state(self) -> None:
        super()._check_state()
        if "recommender_" not in self.__dict__:
            return
        check_links(self.__dict__.get("_links"), "_links")
        if self.__dict__.get("_profiles") is not None:
            Profiles.check(self._profiles, "_profiles")
        check_number(self.__dict__.get("weight_"), "weight_")
        self._derive()

    @on_snapshot
    def predict(self, X: Table) -> NDArray:
        """Score of each (user, item) row: of the recommender, blended with what friends chose.

        Parameters
        ----------
        X : array-like or frame of shape (n_events, n_columns)

        Returns
        -------
        ndarray of shape (n_events,)
        """
        scores = super().predict(X)
        if self.feedback == "explicit" or not len(self._links):
            return scores
        events = read_events(X)
        users, row = factorize(events.users, "user ids")
        codes = self._links.user_index.codes(users, "user ids", check_kind=False)
        items = self._item_index.codes(events.items, "item ids", check_kind=False)
        chosen = self._friends_choices(codes)
        friends = np.where(items >= 0, entries(chosen, row, np.maximum(items, 0)), 0)
        weight = np.where(np.diff(chosen.indptr) > 0, self._weights(self.seen_items(users).lengths > 0), 0)[row]
        return (1 - weight) * scores + weight * self.spread_ * friends

    def _recommend(self, users: Any, k: int, options: dict[str, Any]) -> Recommendations:
        k = list_length(k, len(self.items_))
        if not len(self._links):
            return self._retrieve(users, k, **options)
        lists = self._blended_lists(users, k, options)
        is_known = self._histories_of(lists.found.users, options["history"]).lengths > 0
        return lists.blend(self._weights(is_known), k)

    def _weights(self, is_known: NDArray[np.bool_]) -> NDArray[np.float64]:
        return np.where(is_known, float(self.weight_), float(self.cold_weight))

    def _friends_choices(self, users: NDArray[np.int64]) -> Any:
        return friends_choices(self._adjacency, self._blocked, self._chosen, users, self.friends_of_friends)

    def _blended_lists(self, users: Any, k: int, options: dict[str, Any]) -> BlendedLists:
        """The lists of the recommender, longer ones, with the items of friends that they lack."""
        n_items = len(self.items_)
        index = self._item_index
        found = self._retrieve(users, min(max(k, self.n_candidates), n_items), **options)
        chosen = self._friends_choices(self._links.user_index.codes(found.users, "users", check_kind=False))
        wanted = wanted_items(found, chosen, options.get("candidates"), index, self.n_candidates)
        width = max(map(len, wanted), default=0)
        if not width:
            return BlendedLists.of(found, None, chosen)
        # One call for all queries, whose options go by row: those that want nothing ask for a placeholder.
        lists = [index.values[codes] if len(codes) else index.values[:1] for codes in wanted]
        more = self._retrieve(found.users, width, **{**options, "candidates": lists})
        more = only_wanted(more, wanted, n_items)
        if not lists_follow_predict(self.recommender_):  # the score of an item depends on those beside it
            more = more.with_lists(more.codes, np.full(more.scores.shape, -np.inf, np.float32))
        return BlendedLists.of(found, more, chosen)


def _as_table(links: LinkSource | None) -> LinkTable | None:
    return links if links is None or isinstance(links, LinkTable) else LinkTable(links)


def _as_given(given: Any, links: LinkTable) -> Any:
    """The links as they were passed, an iterator as the list that was read from it."""
    return given if isinstance(given, LinkTable) else links.table
