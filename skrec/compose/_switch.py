"""Switch: the recommender that answers is chosen by what is known of the user, or by a segment."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from numbers import Integral
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import StrOptions

from skrec.compose._query_options import QueryOptions
from skrec.compose._routing import RoutingRecommender
from skrec.compose._rules import Cells, TableColumns, check_table_columns, context_cells, user_cells
from skrec.interactions import ids_in_front
from skrec.utils import Recommender, as_object_array

Segments = Callable[[NDArray], Sequence[str | None]]


class SwitchRecommender(RoutingRecommender):
    """Choose the recommender that answers a query.

    Parameters
    ----------
    recommenders : list of (name, recommender)
        ``fit`` fits a clone of each; a :class:`~sklearn.frozen.FrozenEstimator` keeps a fitted one.
    by : {"known", "n_events", "user_features", "context"} or callable, default="known"
        "known": the first recommender answers users who have an event in ``fit`` or in ``history=``, the second all
        others. "n_events": by the number of these events, see ``edges``. "user_features" and "context": by the value
        in ``column``. A callable gets the ids of the users and returns a name, or None, for each.
    edges : sequence of int, default=None
        For "n_events", rising and one fewer than the recommenders: the first recommender answers users with fewer
        events than the first edge, the last one those with at least the last edge.
    column : str or int, default=None
        Name of the column of ``user_features`` or of the context; an int is its position, without the id columns.
    segments : dict, default=None
        Name of the recommender for each value of the column, or for each name of the callable. None: the values are
        the names.
    default : str, default=None
        Name of the recommender that answers users of an unknown segment: whose value is missing, names no
        recommender, or is not in ``segments``, and users without a row in ``user_features``. None is the last one.

    Attributes
    ----------
    recommenders_ : list of recommender
        The fitted parts.
    named_recommenders_ : Bunch
        The same by name.

    See Also
    --------
    FallbackRecommender : The first recommender that knows the user; it also fills short lists.

    Notes
    -----
    All parts are fitted to all events. If the chosen part fails, or has nothing to recommend, the default one answers,
    then the others in order. A short list stays short; put a :class:`FallbackRecommender` inside to fill it.
    ``predict`` and ``explain`` go by the user of each pair. ``similar_items`` and ``search`` go to the first part
    that can answer.

    The ``report`` of the result counts the queries that each part answered (``answered``) and those of an unknown
    segment (``n_unknown``).

    Examples
    --------
    >>> from skrec.compose import SwitchRecommender
    >>> from skrec.dummy import PopularRecommender
    >>> from skrec.neighbors import ItemKNNRecommender
    >>> X = [["ann", "tea"], ["ann", "rye"], ["bob", "tea"], ["bob", "oat"], ["eve", "rye"]]
    >>> parts = [("popular", PopularRecommender()), ("knn", ItemKNNRecommender())]
    >>> rec = SwitchRecommender(parts, by="n_events", edges=[2]).fit(X)
    >>> rec.recommend(["ann", "eve", "new user"], k=1).report["answered"]
    {'popular': 2, 'knn': 1}
    """

    _fills: ClassVar[bool] = False
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "recommenders": [list, tuple],
        "by": [StrOptions({"known", "n_events", "user_features", "context"}), callable],
        "edges": ["array-like", None],
        "column": [str, Integral, None],
        "segments": [Mapping, None],
        "default": [str, None],
    }
    _user_columns: TableColumns

    def __init__(
        self,
        recommenders: Sequence[tuple[str, Recommender]],
        *,
        by: Literal["known", "n_events", "user_features", "context"] | Segments = "known",
        edges: Sequence[int] | None = None,
        column: str | int | None = None,
        segments: Mapping[Any, str] | None = None,
        default: str | None = None,
    ) -> None:
        self.recommenders = recommenders
        self.by = by
        self.edges = edges
        self.column = column
        self.segments = segments
        self.default = default

    @classmethod
    def __skrec_test_instances__(cls) -> list[Any]:
        """Small instances for the estimator checks."""
        from skrec.dummy import PopularRecommender
        from skrec.neighbors import ItemKNNRecommender

        parts = [("popular", PopularRecommender()), ("knn", ItemKNNRecommender(n_neighbors=5))]
        return [cls(parts, by="n_events", edges=[7])]

    # Fit -----------------------------------------------------------------------------------------------

    def _check_composite(self) -> None:
        names = [name for name, _ in self.recommenders]
        if self.by == "known" and len(names) != 2:
            raise ValueError(
                f"by='known' needs two recommenders, for known users and for new ones; got {len(names)}: {names}."
            )
        if self.by == "n_events":
            self._checked_edges()
        if self.by in ("user_features", "context"):
            self._column()
        for name in [*(self.segments or {}).values(), *([] if self.default is None else [self.default])]:
            if name not in names:
                raise ValueError(f"segments and default must name recommenders, which are {names}; got {name!r}.")

    def _checked_edges(self) -> NDArray[np.int64]:
        n_edges = len(self.recommenders) - 1
        edges = np.asarray([] if self.edges is None else self.edges)
        if edges.shape != (n_edges,) or (n_edges and edges.dtype.kind not in "iu") or (np.diff(edges) <= 0).any():
            raise ValueError(
                f"edges={self.edges!r}; by='n_events' needs {n_edges} rising whole numbers, one fewer than there are "
                "recommenders."
            )
        return edges.astype(np.int64)

    def _fit_composite(self, X: Any, y: Any, *, user_features: Any = None, **tables: Any) -> None:
        self._user_columns = self._read_users(user_features)

    def _after_partial_fit(self, X: Any, y: Any, *, user_features: Any = None, **tables: Any) -> None:
        self._user_columns = self._user_columns.updated(self._read_users(user_features))

    def _read_users(self, user_features: Any) -> TableColumns:
        if user_features is not None:
            user_features = ids_in_front(user_features, "user_features", self._user_index, self._user_column)
        return TableColumns.read(user_features, "user_features")

    def _check_state(self) -> None:
        super()._check_state()
        if "_user_columns" in self.__dict__:
            check_table_columns(self._user_columns, "_user_columns")

    def _reads(self, argument: str) -> bool:
        return argument == "user_features" and self.by == "user_features"

    # Choose --------------------------------------------------------------------------------------------

    def _orders(self, queries: QueryOptions) -> tuple[NDArray[np.int64], dict[str, Any]]:
        n_parts, default = len(self._part_names), self._default()
        chosen = self._chosen(queries)
        rank = np.tile(np.arange(n_parts) + 2, (len(queries), 1))
        rank[:, default] = 1
        rank[np.arange(len(queries)), np.where(chosen < 0, default, chosen)] = 0
        return np.argsort(rank, axis=1), {"n_unknown": int((chosen < 0).sum())}

    def _default(self) -> int:
        return len(self._part_names) - 1 if self.default is None else self._part_names.index(self.default)

    def _chosen(self, queries: QueryOptions) -> NDArray[np.int64]:
        """Position of the part that answers each query; -1 for an unknown segment."""
        if self.by == "known":
            return np.where(self._n_events(queries) > 0, 0, 1)
        if self.by == "n_events":
            return np.searchsorted(self._checked_edges(), self._n_events(queries), side="right")
        if callable(self.by):
            segments = list(self.by(queries.users))
            if len(segments) != len(queries):
                raise ValueError(f"by returned {len(segments)} names for {len(queries)} users; one each is needed.")
            return self._parts_of(Cells.of(as_object_array(segments)))
        if self.by == "context":
            names = getattr(self, "feature_names_in_", None)
            in_context = None if names is None else [str(name) for name in names[2:]]
            return self._parts_of(context_cells(queries, self._column(), in_context))
        return self._parts_of(user_cells(queries, self._user_columns, self._column()))

    def _column(self) -> str | int:
        if self.column is None:
            raise ValueError(f"by={self.by!r} needs the name of a column, as in column='country'; got column=None.")
        return self.column

    def _parts_of(self, cells: Cells) -> NDArray[np.int64]:
        position = {name: at for at, name in enumerate(self._part_names)}
        named: Mapping[Any, str] = {name: name for name in position} if self.segments is None else self.segments
        of_value = [position.get(named.get(value, ""), -1) for value in cells.values.tolist()]
        return np.array([*of_value, -1], np.int64)[cells.codes]

    def _n_events(self, queries: QueryOptions) -> NDArray[np.int64]:
        n_events = self.seen_items(queries.users).lengths
        history = queries.given.get("history")
        if history is not None:
            n_events = n_events + self._read_history(history).by_query(queries.users, "history").lengths
        return n_events
