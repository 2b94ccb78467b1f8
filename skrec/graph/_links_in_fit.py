"""``user_links`` in ``fit`` and ``partial_fit`` of a graph model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike

from skrec._training import Callback, EpochsMixin, FitOptions, with_training_arguments
from skrec.graph._adjacency import symmetric
from skrec.interactions import (
    FeatureSource,
    Histories,
    Interactions,
    LinkSource,
    Table,
    UserLinks,
    read_links,
)
from skrec.utils import atomic_update, fit_context


class LinksInFitMixin(EpochsMixin):
    """Reads links between users. First in the bases.

    Attributes
    ----------
    _links : UserLinks or None
        Of the users of the catalogue.
    """

    _links: UserLinks | None

    @with_training_arguments
    @fit_context(prefer_skip_nested_validation=True)
    @atomic_update
    def fit(
        self,
        X: Table | None = None,
        y: ArrayLike | None = None,
        *,
        item_features: FeatureSource | None = None,
        user_features: FeatureSource | None = None,
        user_links: LinkSource | None = None,
        callbacks: Callback | Sequence[Callback] | None = None,
        checkpoint: str | PathLike[str] | None = None,
    ) -> Self:
        """Fit to an event log.

        Parameters
        ----------
        X : array-like or frame of shape (n_events, n_columns)
            User id, item id, then context columns.
        y : array-like of shape (n_events,), default=None
            At least 0. An event of 0 counts as seen and is no edge.
        item_features, user_features : frame, pair (ids, matrix) or FeatureTable, default=None
            One row per item or user; the first column of a frame is the id. Items that are only here can be recommended
            too. ``user_features`` are not used.
        user_links : LinkTable, frame, array or iterable of pairs, default=None
            Edges between users. Users who have links alone are part of the catalogue.
        {training_arguments}

        Returns
        -------
        self : object

        Raises
        ------
        ValueError, TypeError
            If the links cannot be read, or are a bare table with as many rows as X.
        """
        self._links = None if user_links is None else read_links(user_links, events=X)
        return self._fit_with(FitOptions.read(callbacks, checkpoint), X, y, item_features, user_features)

    @fit_context(prefer_skip_nested_validation=True)
    @atomic_update
    def partial_fit(
        self,
        X: Table | None = None,
        y: ArrayLike | None = None,
        *,
        item_features: FeatureSource | None = None,
        user_features: FeatureSource | None = None,
        user_links: LinkSource | None = None,
    ) -> Self:
        """Update the model with new events, users, items and links; the first call fits.

        Parameters
        ----------
        X, y, item_features, user_features
            As in :meth:`fit`, for what is new. New rows of a feature table are encoded by the encoder that was fitted
            before. With tables and no events, ``X`` is None.
        user_links : LinkTable, frame, array or iterable of pairs, default=None
            Further links; known ones stay.

        Returns
        -------
        self : object
        """
        if not self.__sklearn_is_fitted__():  # type: ignore[attr-defined]
            return self.fit(X, y, item_features=item_features, user_features=user_features, user_links=user_links)
        if user_links is not None:
            more = read_links(user_links, events=X)
            self._links = more if self._links is None else self._links.with_more(more)
        if X is None and user_links is not None and item_features is None and user_features is None:
            self._update_without_events()
        else:
            self._update_from(X, y, item_features, user_features)  # type: ignore[attr-defined]
        return self

    def _update_without_events(self: Any) -> None:
        data = Interactions.without_events(
            self._user_index, self._item_index, has_times=self._histories.timestamp is not None
        )
        items, users = (side.read(None, index) for side, index in self._sides())
        self._keep(data, items, users, before=self._histories)
        data.item_rows = data.user_rows = None
        self._partial_fit(data, None, None)

    def _sides(self: Any) -> list[tuple[Any, Any]]:
        return [(self._item_side, self._item_index), (self._user_side, self._user_index)]

    def _keep(self: Any, data: Interactions, items: Any, users: Any, before: Histories | None = None) -> None:
        if self._links is not None:
            self._links = self._links.of_users(users.index, with_unknown=True)
            users = replace(users, index=self._links.user_index)
        super()._keep(data, items, users, before)  # type: ignore[misc]

    def _user_edges(self: Any) -> sp.csr_array | None:
        """Edges between users, each with the weight of its link times ``link_weight``."""
        if self._links is None or not len(self._links) or not self.link_weight:
            return None
        return symmetric(sp.csr_array(self._links.matrix() * np.float32(self.link_weight), dtype=np.float32))
