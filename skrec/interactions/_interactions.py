"""Events with ids as integer codes."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from skrec.interactions._columns import Column, factorize
from skrec.interactions._events import EventTable
from skrec.interactions._histories import Histories
from skrec.interactions._id_index import IdIndex


@dataclass
class Interactions:
    """Events with ids as integer codes, in time order (row order where there is no ``timestamp``).

    Attributes
    ----------
    user_index, item_index : IdIndex
        Catalogue order of users and items.
    users, items : int64 arrays of shape (n_events,)
        Codes.
    y : float32 array of shape (n_events,)
    timestamp : array of shape (n_events,) or None
    context : frame or ndarray of n_events rows, or None
        Context columns in the order of the rows of X; ``order`` sorts them. For a model that uses context, the
        base class makes them a float32 array in the order of the events.
    order : int64 array of shape (n_events,) or None
        Row of X of each event, None where nothing was moved.
    user_rows, item_rows : int64 arrays or None
        In ``partial_fit``, the codes that the new feature tables cover.
    """

    user_index: IdIndex
    item_index: IdIndex
    users: NDArray[np.int64]
    items: NDArray[np.int64]
    y: NDArray[np.float32]
    timestamp: NDArray | None = None
    context: Any = None
    order: NDArray[np.int64] | None = None
    user_rows: NDArray[np.int64] | None = None
    item_rows: NDArray[np.int64] | None = None
    _histories: Histories | None = field(default=None, repr=False)

    @classmethod
    def from_events(
        cls,
        events: EventTable,
        y: NDArray[np.float32],
        users: IdIndex | None = None,
        items: IdIndex | None = None,
    ) -> "Interactions":
        """Encode events; ids that ``users`` and ``items`` lack are added behind theirs."""
        user_index, user_codes = _encode(events.users, users, "user ids")
        item_index, item_codes = _encode(events.items, items, "item ids")
        data = cls(user_index, item_index, user_codes, item_codes, y, events.timestamp, events.context)
        if events.timestamp is not None and (events.timestamp[1:] < events.timestamp[:-1]).any():
            order = np.argsort(events.timestamp, kind="stable")
            data.users, data.items, data.y = user_codes[order], item_codes[order], y[order]
            data.timestamp, data.order = events.timestamp[order], order
        return data

    @classmethod
    def without_events(
        cls, users: IdIndex | None = None, items: IdIndex | None = None, *, has_times: bool = False
    ) -> "Interactions":
        """No events beside the given catalogue, or an empty one."""
        nobody, codes = IdIndex(np.zeros(0, np.int64)), np.zeros(0, np.int64)
        times = np.zeros(0) if has_times else None
        return cls(users or nobody, items or nobody, codes, codes, np.zeros(0, np.float32), times)

    def __len__(self) -> int:
        return len(self.users)

    @property
    def n_users(self) -> int:
        """Users in the catalogue, those without events included."""
        return len(self.user_index)

    @property
    def n_items(self) -> int:
        """Items in the catalogue, those without events included."""
        return len(self.item_index)

    @property
    def histories(self) -> Histories:
        """Events grouped by user."""
        if self._histories is None or len(self._histories) != self.n_users:
            self._histories = Histories.group(self.users, self.items, self.y, self.timestamp, self.n_users)
        return self._histories

    def check_order(self, order: str) -> bool:
        """Whether a model with this ``order`` parameter uses time order.

        Raises
        ------
        ValueError
            If ``order="time"`` and there is no ``timestamp``.
        """
        if order == "time" and self.timestamp is None:
            raise ValueError(
                "order='time' needs a frame X with a column named 'timestamp'. Add that column, or pass order='auto', "
                "which uses row order then."
            )
        return order != "none" and self.timestamp is not None

    def to_csr(self) -> sp.csr_array:
        """(n_users, n_items) float32 matrix of ``y``, repeats of a pair added up."""
        return self.histories.to_csr(self.n_items)

    def last_rating(self) -> sp.csr_array:
        """(n_users, n_items) float32 matrix of the last ``y`` of each pair."""
        return self.histories.last_rating(self.n_items)


def _encode(ids: Column, index: IdIndex | None, what: str) -> tuple[IdIndex, NDArray[np.int64]]:
    uniques, inverse = factorize(ids, what)
    if index is None:
        return IdIndex(uniques), inverse
    if len(index):
        index.check_kind(uniques, what)
    index = index.extended(uniques)
    return index, index.codes(uniques, what)[inverse]
