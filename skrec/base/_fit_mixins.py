"""Further ways to fit: sample weights, and more events later."""

import warnings
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import _check_sample_weight

from skrec.base._no_events import check_tables_alone
from skrec.interactions import (
    EventTable,
    FeatureSource,
    Interactions,
    Table,
    check_target_size,
    read_events,
    read_numbers,
    read_target,
    warn_of_ratings_in_array,
)
from skrec.utils import Matrix, atomic_update, caller_level, fit_context, frame_backend


class SampleWeightMixin:
    """``sample_weight`` in fit, for models that ignore the order of rows. First in the bases."""

    @fit_context(prefer_skip_nested_validation=True)
    @atomic_update
    def fit(
        self,
        X: Table | None = None,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        *,
        item_features: FeatureSource | None = None,
        user_features: FeatureSource | None = None,
    ) -> Self:
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
            One row per item or user; the first column of a frame is the id. Items that are only here
            can be recommended too.

        Returns
        -------
        self : object
        """
        return self._fit_events(X, y, sample_weight, item_features, user_features)  # type: ignore[attr-defined]

    def _weighted(self: Any, events: EventTable, y: NDArray, sample_weight: Any) -> tuple[EventTable, NDArray]:
        if self._feedback == "explicit":
            raise ValueError("sample_weight multiplies y and is for feedback='implicit'; omit it for ratings.")
        weight = read_numbers(sample_weight, "sample_weight", len(events))
        if not weight.any():
            raise ValueError("sample_weight is zero for every event; at least one must be positive.")
        weight = _check_sample_weight(weight, np.empty((len(events), 1)), ensure_non_negative=True)
        weighted = y * weight
        check_target_size(weighted, "y times sample_weight")
        if (weight > 0).all():
            return events, weighted.astype(np.float32)
        kept = np.flatnonzero(weight)
        return events.take(kept), weighted[kept].astype(np.float32)


class PartialFitMixin:
    """``partial_fit`` for models that can be updated. A model defines ``_partial_fit``; ids are handled here."""

    __metadata_request__partial_fit: ClassVar = {"item_features": True, "user_features": True}

    def _partial_fit(self, data: Interactions, item_matrix: Matrix | None, user_matrix: Matrix | None) -> None:
        """Update the model with new events, in the codes of the grown catalogue.

        The matrices hold the rows of the new tables in the grown catalogue (zero rows elsewhere).
        ``data.item_rows`` and ``data.user_rows`` are the codes that the new tables cover.
        """
        raise NotImplementedError(f"{type(self).__name__} must define _partial_fit(data, item_matrix, user_matrix)")

    @fit_context(prefer_skip_nested_validation=True)
    @atomic_update
    def partial_fit(
        self,
        X: Table | None = None,
        y: ArrayLike | None = None,
        *,
        item_features: FeatureSource | None = None,
        user_features: FeatureSource | None = None,
    ) -> Self:
        """Update the model with new events, users and items; the first call fits.

        Parameters
        ----------
        X, y, item_features, user_features
            As in :meth:`fit`, for what is new. New rows of a feature table are encoded by the encoder that
            was fitted before. With tables and no events, ``X`` is None: the new users and items can be recommended
            to and recommended from here on.

        Returns
        -------
        self : object
        """
        if not self.__sklearn_is_fitted__():  # type: ignore[attr-defined]
            return self._fit_events(X, y, None, item_features, user_features)  # type: ignore[attr-defined]
        self._update_from(X, y, item_features, user_features)
        return self

    def _update_from(self: Any, X: Any, y: Any, item_features: Any, user_features: Any) -> None:
        if X is None:
            check_tables_alone(y, item_features, user_features)
            has_times = self._histories.timestamp is not None
            data = Interactions.without_events(self._user_index, self._item_index, has_times=has_times)
            if self._context is not None:
                data.context = np.zeros((0, len(self._context.mean)), np.float32)
        else:
            data = self._read_new_events(X, y)
        items = self._item_side.read(item_features, data.item_index)
        users = self._user_side.read(user_features, data.user_index)
        self.item_texts_ = items.texts(self.item_texts_)
        self._keep(data, items, users, before=self._histories)
        data.item_rows = None if items.encoded is None else items.rows
        data.user_rows = None if users.encoded is None else users.rows
        self._partial_fit(data, items.matrix, users.matrix)

    def _read_new_events(self: Any, X: Any, y: Any) -> Interactions:
        is_first = not hasattr(self, "n_features_in_")  # fit had a catalogue without events
        events = read_events(X, estimator=self, reset=is_first)
        if is_first:
            warn_of_ratings_in_array(X, y)
            self._frame_backend = frame_backend(X)
        target = read_target(y, len(events), feedback=self._feedback, is_fit=True)
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
                stacklevel=caller_level(),
            )
        self._read_event_context(data, reset=is_first)
        return data
