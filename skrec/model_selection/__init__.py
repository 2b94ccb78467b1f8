"""Splitters for ``cv=``; each says what it leaks."""

from skrec.model_selection._cold import ColdItemSplit, ColdUserSplit
from skrec.model_selection._per_user import LeaveKOut, LeaveLastOut
from skrec.model_selection._time import TimeSplit

__all__ = ["ColdItemSplit", "ColdUserSplit", "LeaveKOut", "LeaveLastOut", "TimeSplit"]
