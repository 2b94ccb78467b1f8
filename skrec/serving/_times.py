"""Times of feedback, in the unit of the times that a model was fitted to."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from skrec.interactions import RecommenderView, unit_of_numbers
from skrec.utils import unwrap_recommender

_AHEAD = 86_400.0
"""Seconds that the clock of a client may be ahead: a time far away would outweigh every other by its recency."""


@dataclass(frozen=True)
class TimeScale:
    """How a model counts time.

    Attributes
    ----------
    unit : str or None
        "s", "ms", "us" or "ns" since 1970; None for smaller numbers, as steps or days.
    per_second : float
        How many of the unit a second has.
    latest : float
        The last time of fit.
    whole : bool
        Whether times were integers.
    """

    unit: str | None
    per_second: float
    latest: float
    whole: bool

    @classmethod
    def of(cls, recommender: Any) -> TimeScale | None:
        """That of a fitted recommender; None where it was fitted without times, or keeps none."""
        users = np.asarray(recommender.users_)
        times = RecommenderView(unwrap_recommender(recommender)).seen_items(users).timestamp if len(users) else None
        if times is None or not len(times):
            return None
        unit, per_second = unit_of_numbers(times) or (None, 1.0)
        return cls(unit, per_second, float(times.max()), times.dtype.kind in "iu")

    def time_of(self, given: float | None, logged: float) -> float:
        """Time of an event: as given, else when it was logged; in steps or days the last time of fit."""
        if given is None:
            given = self.latest if self.unit is None else logged * self.per_second
        return round(given) if self.whole else given

    def fault(self, given: float) -> str | None:
        """What is wrong with a time that a client gives."""
        found = unit_of_numbers(np.array([given]))
        if (found[0] if found else None) != self.unit:
            return f"must be in the unit of fit, whose last time is {self.latest:.15g}; got {given:.15g}."
        if self.unit is not None and given > (time.time() + _AHEAD) * self.per_second:
            return f"must not lie more than a day ahead; got {given:.15g}."
        return None
