"""Further ways to fit: sample weights, and more events later."""

import warnings
from copy import copy
from typing import Any, ClassVar

from sklearn.base import _fit_context

from skrec._explain import ItemTexts
from skrec.interactions import (
    Features,
    IdIndex,
    Interactions,
    as_unique_ids,
    encode_features,
    read_events,
    read_features,
    read_target,
)
from skrec.utils import Matrix, align


class SampleWeightMixin:
    """``sample_weight`` in fit, for models that ignore the order of rows. First in the bases."""

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self, X: Any, y: Any = None, sample_weight: Any = None, *, item_features: Any = None, user_features: Any = None
    ) -> Any:
        """Fit to an event log.

        Parameters
        ----------
        X : array-like or frame of shape (n_events, n_columns)
            User id, item id, then context columns; a frame column named ``timestamp`` gives the time.
        y : array-like of shape (n_events,), default=None
            Strength (implicit feedback, at least 0) or rating (explicit); None means 1.
        sample_weight : array-like of shape (n_events,), default=None
            Multiplies y; rows of weight 0 are dropped before ids are learnt. For implicit feedback.
        item_features, user_features : frame, pair (ids, matrix) or FeatureTable, default=None
            One row an item or user; the first column of a frame is the id. Items that are only here
            can be recommended too.

        Returns
        -------
        self : object
        """
        return self._fit_events(X, y, sample_weight, item_features, user_features)  # type: ignore[attr-defined]


class PartialFitMixin:
    """``partial_fit`` for models that can go on. A model gives ``_partial_fit``; ids are handled here."""

    __metadata_request__partial_fit: ClassVar = {"item_features": True, "user_features": True}

    def _partial_fit(self, data: Interactions, item_matrix: Matrix | None, user_matrix: Matrix | None) -> None:
        """Go on with new events, in the codes of the grown catalogue.

        The matrices hold the rows of the new tables in the grown catalogue (zero rows elsewhere).
        ``data.item_rows`` and ``data.user_rows`` are the codes that the new tables cover.
        """
        raise NotImplementedError(f"{type(self).__name__} must define _partial_fit(data, item_matrix, user_matrix)")

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self: Any, X: Any, y: Any = None, *, item_features: Any = None, user_features: Any = None) -> Any:
        """Go on with new events, users and items; the first call fits.

        Parameters
        ----------
        X, y, item_features, user_features
            As in :meth:`fit`, for what is new. New rows of a feature table are encoded by the encoder that
            was fitted before.

        Returns
        -------
        self : object
        """
        if not self.__sklearn_is_fitted__():
            return self._fit_events(X, y, None, item_features, user_features)
        before = {**self.__dict__, "_context": copy(self._context)}
        try:
            self._update_from(X, y, item_features, user_features)
        except Exception:
            self.__dict__ = before  # refused events leave the model as it was
            raise
        return self

    def _update_from(self: Any, X: Any, y: Any, item_features: Any, user_features: Any) -> None:
        events = read_events(X, estimator=self, reset=False)
        target = read_target(y, len(events), feedback=self._feedback)
        data = Interactions.from_events(events, target, self._user_index, self._item_index)
        if (
            self._histories.timestamp is not None
            and data.timestamp is None
            and getattr(self, "order", "none") != "none"
        ):
            warnings.warn(
                "X has no 'timestamp', and fit had one: from here on the events of this model have no order. Pass the "
                "times to partial_fit too.",
                UserWarning,
                stacklevel=4,
            )
        self._read_event_context(data, reset=False)
        item_matrix = self._read_more("item", item_features, data)
        user_matrix = self._read_more("user", user_features, data)
        self._user_index, self._item_index = data.user_index, data.item_index
        self._histories = self._histories.with_rows(data.n_users).followed_by(data.histories)
        if self._item_texts_ is not None:
            self._item_texts_ = self._item_texts_.grown(data.n_items)
        self._set_popularity()
        self._partial_fit(data, item_matrix, user_matrix)

    def _read_more(self: Any, side: str, table: Any, data: Interactions) -> Matrix | None:
        if table is None:
            return None
        what = f"{side}_features"
        features = read_features(table, what)
        index = getattr(data, f"{side}_index").extended(as_unique_ids(features))
        setattr(data, f"{side}_index", index)
        if side == "item":
            self._read_more_texts(features, index)
        if not hasattr(self, f"{side}_encoder"):
            return None
        fitted = getattr(self, f"_n_{side}_features")
        if fitted is None:
            raise ValueError(f"{what} was not given to fit, so no model of it can go on; call fit with {what}.")
        matrix, _ = encode_features(features, getattr(self, f"{side}_encoder_"), what, fit=False)
        if matrix.shape[1] != fitted:
            raise ValueError(f"{what} has {matrix.shape[1]} feature columns, but fit had {fitted}.")
        rows = index.codes(features.ids, what)
        setattr(data, f"{side}_rows", rows)
        return align(matrix, rows, len(index))

    def _read_more_texts(self: Any, features: Features, index: IdIndex) -> None:
        codes = index.codes(features.ids, "item_features")
        later = ItemTexts.read(features, codes, len(index))
        if later is not None:
            known = self._item_texts_ or ItemTexts([], [])
            self._item_texts_ = known.grown(len(index)).replaced(later, codes)
