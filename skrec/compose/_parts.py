"""The parts of a composite: its parameters, how they are fitted, and their catalogue as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.utils import Bunch, get_tags
from sklearn.utils.metaestimators import _BaseComposition
from sklearn.utils.validation import check_is_fitted

from skrec.base import CompositionMixin, RecommenderMixin, given_tables, request_tables, tables_taken
from skrec.compose._united import have_one_log, reads_features, united_events, united_index
from skrec.exceptions import UnsupportedArgumentError
from skrec.interactions import (
    FeatureSource,
    Histories,
    IdIndex,
    Ids,
    Table,
)
from skrec.utils import (
    PersistenceMixin,
    atomic_update,
    detached,
    fit_context,
    on_snapshot,
    refuse_state,
    unwrap_recommender,
)


def tables_of_parts(parts: Sequence[Any], method: str, tables: dict[str, Any]) -> list[dict[str, Any]]:
    """The tables that each part is fitted or updated with: both feature tables, and of the others what it takes.

    Raises
    ------
    TypeError
        If no part takes one of them.
    """
    given = given_tables(**tables)
    taken = [{"item_features", "user_features"} | tables_taken(part, method) for part in parts]
    unknown = sorted(set(given).difference(*taken))
    if unknown:
        raise TypeError(
            f"No part takes {unknown[0]!r} in {method}; the parts take {sorted(set().union(*taken))}. Leave it out, or "
            f"add a recommender with {method}(X, y, *, {unknown[0]}=None)."
        )
    return [{name: table for name, table in given.items() if name in names} for names in taken]


def fit_parts(parts: Sequence[tuple[str, Any]], method: str, X: Any, y: Any, tables: dict[str, Any]) -> None:
    """Fit or update the parts in place; one that cannot read a feature table goes without it where another reads it.

    Raises
    ------
    Exception
        Of the part that fails, with a note of its name.
    """
    estimators = [part for _, part in parts]
    refused: dict[str, set[int]] = {}
    for at, given in enumerate(tables_of_parts(estimators, method, tables)):
        name, part = parts[at]
        while True:
            try:
                getattr(part, method)(X, y, **given)
                break
            except UnsupportedArgumentError as error:
                without = refused.setdefault(error.argument, set())
                without.add(at)
                side = error.argument.removesuffix("_features")
                others = [other for i, other in enumerate(estimators) if i not in without]
                if error.argument not in given or not any(reads_features(other, side) for other in others):
                    error.add_note(f"Raised by {method} of the part {name!r}.")
                    raise
                given = {key: table for key, table in given.items() if key != error.argument}
            except Exception as error:
                error.add_note(f"Raised by {method} of the part {name!r}.")
                raise


class PartsMixin(CompositionMixin, RecommenderMixin, PersistenceMixin, _BaseComposition):
    """Fits recommenders that a parameter lists as ``(name, recommender)``, and unites what they know."""

    _parts_parameter: ClassVar[str] = "recommenders"
    _lists_follow_predict: ClassVar[bool] = False
    _part_names: list[str]
    _item_index: IdIndex
    _user_index: IdIndex
    _has_one_log: bool

    # What a subclass says ------------------------------------------------------------------------------

    def _check_composite(self) -> None:
        """Refuse parameters, before anything is fitted."""

    def _fit_composite(self, X: Any, y: Any, **tables: Any) -> None:
        """Learn what the composite adds; its parts are fitted. Both feature tables are among the keywords, or None."""

    def _after_partial_fit(self, X: Any, y: Any, **tables: Any) -> None:
        """Update what the composite has learned itself; its parts are updated already."""

    # The parts -----------------------------------------------------------------------------------------

    @property
    def _parts(self) -> list[tuple[str, Any]]:
        """The fitted parts with their names, or before fit those to be fitted."""
        given = getattr(self, self._parts_parameter)
        fitted = getattr(self, f"{self._parts_parameter}_", None)
        if fitted is None:
            return list(given)
        return list(zip(self._part_names, fitted, strict=True))

    @property
    def named_recommenders_(self) -> Bunch:
        """The fitted parts by name."""
        check_is_fitted(self)
        return Bunch(**dict(self._parts))

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Parameters of the composite; with ``deep``, also its parts by name and their parameters.

        Parameters
        ----------
        deep : bool, default=True

        Returns
        -------
        dict
        """
        params: dict[str, Any] = self._get_params(self._parts_parameter, deep=deep)
        return params

    def set_params(self, **params: Any) -> Self:
        """Set parameters of the composite, parts by name, or their parameters as ``name__parameter``.

        Parameters
        ----------
        **params
            A part is replaced by its name.

        Returns
        -------
        self : object
        """
        self._set_params(self._parts_parameter, **params)
        return self

    def _check_parts(self) -> None:
        """Refuse a list of parts that is none.

        Raises
        ------
        TypeError, ValueError
        """
        name, parts = self._parts_parameter, getattr(self, self._parts_parameter)
        example = f'{name}=[("popular", PopularRecommender()), ("knn", ItemKNNRecommender())]'
        if not isinstance(parts, list | tuple):
            raise TypeError(f"{name} must be a list of pairs (name, recommender); got {parts!r}. Write {example}.")
        if not parts:
            raise ValueError(f"{name} is empty; pass at least one pair (name, recommender), as in {example}.")
        for pair in parts:
            if not (isinstance(pair, list | tuple) and len(pair) == 2 and isinstance(pair[0], str)):
                raise TypeError(f"{name} must hold pairs (name, recommender); got {pair!r}. Write {example}.")
            if not hasattr(pair[1], "recommend"):
                without = (
                    " To leave a part out, take its pair from the list."
                    if pair[1] is None or str(pair[1]) == "drop"
                    else ""
                )
                raise TypeError(
                    f"{name}: {pair[0]!r} must have recommend(); got {pair[1]!r}. Pass a recommender, or a "
                    f"skrec.pipeline.Pipeline that ends in one.{without}"
                )
        self._validate_names([part_name for part_name, _ in parts])

    # Fit -----------------------------------------------------------------------------------------------

    @fit_context(prefer_skip_nested_validation=False)
    @atomic_update
    def fit(
        self,
        X: Table | None = None,
        y: ArrayLike | None = None,
        *,
        item_features: FeatureSource | None = None,
        user_features: FeatureSource | None = None,
        **tables: Any,
    ) -> Self:
        """Fit a clone of each part.

        A part that cannot read a feature table, such as one of texts without an encoder, is fitted without it where
        another part reads it.

        Parameters
        ----------
        X, y, item_features, user_features
            As in ``fit`` of the parts.
        **tables
            Further tables, for the parts whose ``fit`` takes them.

        Returns
        -------
        self : object
        """
        self._check_parts()
        self._check_composite()
        given = getattr(self, self._parts_parameter)
        fitted = [clone(part) for _, part in given]
        tables = {"item_features": item_features, "user_features": user_features, **tables}
        names = [name for name, _ in given]
        fit_parts(list(zip(names, fitted, strict=True)), "fit", X, y, tables)
        setattr(self, f"{self._parts_parameter}_", fitted)
        self._part_names = names
        self._unite()
        self._fit_composite(X, y, **tables)
        return self

    def _check_has(self, method: str) -> None:
        if method == "recommend":
            return  # a part without it is refused in fit
        have = [hasattr(part, method) for _, part in self._parts]
        if not (all(have) if method == "partial_fit" else any(have)):
            which = "some part" if any(have) else "every part"
            raise AttributeError(f"{which} of {type(self).__name__} lacks {method}")

    def _update(self, X: Any, y: Any, tables: dict[str, Any]) -> None:
        updated = [detached(part) for _, part in self._parts]
        fit_parts(list(zip(self._part_names, updated, strict=True)), "partial_fit", X, y, tables)
        setattr(self, f"{self._parts_parameter}_", updated)
        self._unite()
        self._after_partial_fit(X, y, **tables)

    def _unite(self) -> None:
        """Unite the catalogues of the fitted parts.

        Raises
        ------
        ValueError
            If some parts are fitted to ratings and others to implicit feedback.
        """
        parts = [part for _, part in self._parts]
        kinds = {name: getattr(unwrap_recommender(part), "feedback", "implicit") for name, part in self._parts}
        if len(set(kinds.values())) > 1:
            raise ValueError(f"All parts must have the same feedback, implicit or explicit; got {kinds}.")
        self._item_index, self._user_index = united_index(parts, "items_"), united_index(parts, "users_")
        self._has_one_log = have_one_log(parts)

    def _check_state(self) -> None:
        """Refuse a loaded composite of something that is no recommender; the parts check themselves."""
        super()._check_state()
        fitted = self.__dict__.get(f"{self._parts_parameter}_")
        if fitted is None:
            return
        for part in fitted:
            if not hasattr(part, "recommend"):
                refuse_state(f"{self._parts_parameter}_", f"a {type(part).__name__}", "a recommender")
        names = self.__dict__.get("_part_names")
        if not isinstance(names, list) or len(names) != len(fitted):
            refuse_state("_part_names", repr(names)[:100], f"a list of {len(fitted)} names")
        self._unite()

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, f"{self._parts_parameter}_")

    def get_metadata_routing(self) -> Any:
        """What ``fit`` takes by metadata routing: what any of the parts takes.

        Returns
        -------
        MetadataRequest
        """
        return request_tables(super().get_metadata_routing(), [part for _, part in self._parts])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        parts = getattr(self, self._parts_parameter, None)
        first = parts[0][1] if isinstance(parts, list | tuple) and parts and len(parts[0]) == 2 else None
        if hasattr(unwrap_recommender(first), "__sklearn_tags__"):
            inner = get_tags(first)
            tags.target_tags, tags.input_tags = inner.target_tags, inner.input_tags
        tags.lists_follow_predict = self._lists_follow_predict
        return tags

    # The fitted catalogue ------------------------------------------------------------------------------

    @property
    def users_(self) -> NDArray:
        """User ids: those of the first part in its order, then those that are new in the others."""
        check_is_fitted(self)
        return self._user_index.values

    @property
    def items_(self) -> NDArray:
        """Item ids: those of the first part in its order, then those that are new in the others."""
        check_is_fitted(self)
        return self._item_index.values

    @property
    def n_features_in_(self) -> int:
        """Number of columns of X, without ``timestamp``."""
        check_is_fitted(self)
        n_columns: int = self._parts[0][1].n_features_in_
        return n_columns

    @property
    def feature_names_in_(self) -> NDArray:
        """Names of the columns of X, where X was a frame."""
        names: NDArray = self._parts[0][1].feature_names_in_
        return names

    @property
    def feedback(self) -> str:
        """Feedback of the parts: "implicit" or "explicit"."""
        parts = self._parts
        return getattr(unwrap_recommender(parts[0][1]), "feedback", "implicit") if parts else "implicit"

    @on_snapshot
    def seen_items(self, users: Ids) -> Histories:
        """Item codes that each user has events with in fit, one row per user; empty for unknown users.

        Where the parts were fitted to different events, those of the first part come first, then the pairs that only
        the others have.
        """
        check_is_fitted(self)
        parts = [part for _, part in self._parts]
        return united_events(parts[:1] if self._has_one_log else parts, users, self._item_index)

    @property
    def popularity_(self) -> NDArray:
        """Events per item, in catalogue order."""
        check_is_fitted(self)
        counted = getattr(unwrap_recommender(self._parts[0][1]), "popularity_", None)
        if counted is not None and self._has_one_log:
            return counted
        return np.bincount(self.seen_items(self.users_).items, minlength=len(self.items_)).astype(np.float32)
