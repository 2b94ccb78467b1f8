"""What ``recommend_users`` returns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, SupportsIndex

import narwhals as nw
import numpy as np
from numpy.typing import ArrayLike, NDArray

from skrec.interactions import IdIndex, Recommendations


class UserRecommendations(Recommendations):
    """Ranked people, one row per user who was asked for, best first, with reasons.

    Unpacks as ``people, scores = found``, two (n_users, k) arrays, None and -inf where a row has no further person.

    Parameters
    ----------
    codes, scores, users
        As in :class:`~skrec.interactions.Recommendations`; codes are of users.
    user_index : IdIndex
        All people.
    reasons : sequence of n_queries lists of k str
        In plain English; empty where a row has no further person.
    """

    _item_column = "recommended_user"

    def __init__(
        self,
        codes: NDArray[np.int32],
        scores: NDArray[np.float32],
        users: NDArray,
        user_index: IdIndex,
        reasons: Sequence[Sequence[str]],
    ) -> None:
        super().__init__(codes, scores, users, user_index)
        self.reasons = [list(row) for row in reasons]

    def __getitem__(self, queries: SupportsIndex | slice | ArrayLike) -> UserRecommendations:
        """The people for one user, or for several.

        Parameters
        ----------
        queries : int, slice or array of int or bool
            Positions among the users.
        """
        part = super().__getitem__(queries)
        at = np.atleast_1d(np.arange(len(self))[queries if isinstance(queries, slice) else np.asarray(queries)])
        reasons = [self.reasons[place] for place in at.tolist()]
        return UserRecommendations(part.codes, part.scores, part.users, self._item_index, reasons)

    def to_frame(self, *, titles: bool = False) -> Any:
        """One row per person: user, recommended_user, score, rank (from 1) and reason; padding is dropped.

        Parameters
        ----------
        titles : bool, default=False
            People have no titles.

        Returns
        -------
        frame
        """
        frame = nw.from_native(super().to_frame(titles=titles), eager_only=True)
        rows, columns = np.nonzero(self.codes >= 0)
        reasons = [self.reasons[row][column] for row, column in zip(rows.tolist(), columns.tolist(), strict=True)]
        reason = nw.new_series("reason", reasons, nw.String(), backend=frame.implementation)
        return frame.with_columns(reason).to_native()
