"""People one may know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import check_is_fitted

from skrec.graph._people import People, read_signal_weights
from skrec.graph._user_recommendations import UserRecommendations
from skrec.interactions import Ids, LinkSource, UserLinks, as_column, check_k, read_links
from skrec.utils import on_snapshot


class RecommendUsersMixin:
    """``recommend_users`` of a recommender that knows links, in ``_links`` and ``_people``."""

    people_weights: Mapping[str, float] | None
    _links: UserLinks
    _people: People

    @on_snapshot
    def recommend_users(
        self, users: Ids | None = None, k: int = 10, *, blocked: LinkSource | None = None
    ) -> UserRecommendations:
        """Rank people whom users may know.

        Who is linked to the user, blocked by the user or has blocked the user is never among them.

        Parameters
        ----------
        users : array-like of ids, default=None
            None means all, those without events included. An unknown user gets those with most links.
        k : int, default=10
            Rows are padded where there are fewer people.
        blocked : pairs of users, as a table or an iterable, default=None
            Further pairs that are never shown to each other, in both directions.

        Returns
        -------
        UserRecommendations
            Unpacks as ``people, scores``; ``reasons`` has a text for each. Reasons tell of links that are not private
            alone, also in their counts.

        Raises
        ------
        TypeError, ValueError
            If ``k`` or ``blocked`` cannot be read.
        """
        check_is_fitted(self)
        k = check_k(k)
        index = self._links.user_index
        ids = index.values if users is None else np.asarray(as_column(users, "users"))
        rows = index.codes(ids, "users") if len(ids) else np.zeros(0, np.int64)
        hidden: Any = self._people.blocked
        if blocked is not None:
            pairs = read_links(blocked, "blocked").of_users(index)
            hidden = sp.csr_array(hidden + pairs.matrix() + pairs.matrix().T + pairs.blocked_matrix())
        codes, scores = self._people.top(rows, k, read_signal_weights(self.people_weights), hidden)
        items = np.asarray(self.items_)  # type: ignore[attr-defined]
        reasons = [
            ["" if other < 0 else self._people.reason(user, other, hidden, index, items) for other in row]
            for user, row in zip(rows.tolist(), codes.tolist(), strict=True)
        ]
        return UserRecommendations(codes, scores, ids, index, reasons)
