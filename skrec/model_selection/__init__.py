"""Splitters for ``cv=``, each of which says what it leaks, and tuning."""

from skrec.model_selection._cold import ColdItemSplit, ColdUserSplit
from skrec.model_selection._per_user import LeaveKOut, LeaveLastOut
from skrec.model_selection._search_spaces import search_space
from skrec.model_selection._splits import read_splits
from skrec.model_selection._time import TimeSplit
from skrec.model_selection._tuned import TunedRecommender

__all__ = [
    "ColdItemSplit",
    "ColdUserSplit",
    "LeaveKOut",
    "LeaveLastOut",
    "TimeSplit",
    "TunedRecommender",
    "search_space",
]
