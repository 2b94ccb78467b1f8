"""Means over the queries for which a metric is defined."""

import warnings

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import UndefinedMetricWarning

from skrec.utils import caller_level


def mean_of_defined(values: NDArray[np.float64], name: str, reason: str) -> float:
    """Mean without NaN; NaN and a warning where nothing is left."""
    defined = values[~np.isnan(values)]
    if len(defined):
        return float(defined.mean())
    warnings.warn(f"{name} is undefined and set to nan: {reason}.", UndefinedMetricWarning, stacklevel=caller_level())
    return float("nan")
