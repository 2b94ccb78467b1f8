"""What ``cv=`` may be, and the rows that it stands for."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import check_cv

from skrec.interactions import read_events
from skrec.model_selection._base import Split, user_codes
from skrec.model_selection._per_user import LeaveLastOut
from skrec.model_selection._time import TimeSplit

_LAST_SHARE = 0.2
_EXPECTED = "cv must be a splitter, such as LeaveLastOut(), a number of folds, or a list of pairs (train, test) of rows"


def last_events(X: Any) -> list[Split]:
    """One split: the last event of each user that has several, else the last fifth of the events."""
    events = read_events(X)
    if len(events) < 2:
        raise ValueError("Tuning needs events to fit to and events to test on; got n_samples=1. Pass more events.")
    if np.bincount(user_codes(events)).max() > 1:
        return list(LeaveLastOut().split(X))
    return list(TimeSplit(1, test_size=max(1, round(_LAST_SHARE * len(events)))).split(X))


def read_cv(cv: Any, X: Any) -> Any:
    """A splitter for what ``cv=`` was given.

    Parameters
    ----------
    cv : splitter, iterable of splits, int or None
        None takes the last event of each user that has several, else the last fifth of the events.
    X : events

    Raises
    ------
    TypeError
        If ``cv`` is something else, or holds no pairs of rows.
    ValueError
        If it holds no split, or rows that X does not have.
    """
    if cv is None:
        return check_cv(last_events(X))
    if hasattr(cv, "split") and not isinstance(cv, str | bytes):
        return check_cv(cv)
    if isinstance(cv, int | np.integer) and not isinstance(cv, bool):
        return check_cv(cv)
    if not isinstance(cv, Iterable) or isinstance(cv, str | bytes) or (isinstance(cv, np.ndarray) and not cv.ndim):
        raise TypeError(f"{_EXPECTED}; got {_shown(cv)}.")
    return check_cv(_checked(list(cv), _n_rows(X), cv))


def read_splits(cv: Any, X: Any, y: Any) -> list[Split]:
    """The rows to fit to and the rows to test on of each split.

    Parameters
    ----------
    cv : splitter, iterable of splits, int or None
        As in :func:`read_cv`.
    X, y : events, and their targets or None

    Raises
    ------
    TypeError, ValueError
        As :func:`read_cv`, or as the splitter itself.
    """
    return _checked(list(read_cv(cv, X).split(X, y)), _n_rows(X), cv)


def _checked(splits: list[Any], n_rows: int, cv: Any) -> list[Split]:
    if not splits:
        raise ValueError(f"{_EXPECTED}; got {_shown(cv)}, which holds none.")
    for split in splits:
        if isinstance(split, str | bytes) or not hasattr(split, "__len__") or len(split) != 2:
            raise TypeError(f"{_EXPECTED}; got {_shown(cv)}, which holds {_shown(split)}.")
    return [(_rows(train, n_rows, "train"), _rows(test, n_rows, "test")) for train, test in splits]


def _rows(rows: Any, n_rows: int, what: str) -> NDArray[np.int64]:
    """Positions of the rows of one part, given by position, as a mask, or as a slice."""
    given = f"cv: the {what} part of a split is {_shown(rows)}"
    expected = f"expected numbers of rows of X, from 0 to {n_rows - 1}, as a splitter yields them"
    try:
        part = rows if isinstance(rows, slice) else np.asarray(rows)
        if isinstance(part, np.ndarray) and part.ndim == 1 and not len(part):
            part = part.astype(np.int64)
        found: NDArray[np.int64] = np.arange(n_rows)[part]
    except (IndexError, TypeError, ValueError) as error:
        raise ValueError(f"{given}; {expected} ({error}).") from None
    if found.ndim != 1:
        raise ValueError(f"{given}; {expected}.")
    if what == "train" and not len(found):
        raise ValueError(f"{given}, so that nothing is left to fit to; {expected}.")
    return found


def _n_rows(X: Any) -> int:
    return len(read_events(X))


def _shown(value: Any) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= 100 else f"{text[:97]}..."
