"""The base of all splitters."""

from collections.abc import Iterator
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils import check_scalar

from skrec.interactions import EventTable, Table, factorize, read_events

Split = tuple[NDArray[np.int64], NDArray[np.int64]]


class EventSplitter(BaseCrossValidator):
    """A splitter of event logs: a subclass gives ``_split(events)``, which yields train and test rows."""

    n_splits: int

    def split(self, X: Table, y: ArrayLike | None = None, groups: ArrayLike | None = None) -> Iterator[Split]:
        """Yield the rows of each training and test part, in the order of X.

        Parameters
        ----------
        X : array-like or frame of shape (n_events, n_columns)
            User id, item id, context; a frame column named ``timestamp`` gives the time, else the order
            of the rows does.
        y, groups : object
            Ignored.

        Yields
        ------
        train, test : int arrays
            Row numbers.
        """
        yield from self._split(read_events(X))

    def get_n_splits(self, X: Table | None = None, y: ArrayLike | None = None, groups: ArrayLike | None = None) -> int:
        """Number of splits; all arguments are ignored."""
        return self.n_splits

    def _split(self, events: EventTable) -> Iterator[Split]:
        raise NotImplementedError


def check_count(value: Any, name: str) -> None:
    """An integer of at least 1."""
    if isinstance(value, bool):
        raise TypeError(f"{name} must be an integer of at least 1; got {value}.")
    check_scalar(value, name, (int, np.integer), min_val=1)


def check_test_size(test_size: float | None) -> None:
    """A share, a number, or None."""
    if test_size is None:
        return
    valid = isinstance(test_size, Real) and not isinstance(test_size, bool)
    if valid and (test_size >= 1 if isinstance(test_size, Integral) else 0 < test_size < 1):
        return
    raise ValueError(
        f"test_size must be a float between 0 and 1 (a share), an int of at least 1 (a number) or None; "
        f"got {test_size!r}."
    )


def user_codes(events: EventTable) -> NDArray[np.int64]:
    """Users as integers from 0."""
    return factorize(events.users, "user ids")[1]


def time_order(events: EventTable) -> NDArray[np.int64]:
    """Rows from the oldest event to the newest; equal times keep their order."""
    if events.timestamp is None:
        return np.arange(len(events))
    return np.argsort(events.timestamp, kind="stable")
