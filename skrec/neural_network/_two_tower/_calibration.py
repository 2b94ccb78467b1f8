"""From scores to probabilities, learned on later events than the towers saw."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from skrec.utils import check_kind

_NEARLY_FREE = 1e6


def fit_calibrator(
    scores: NDArray[np.floating], labels: NDArray[np.bool_], method: str
) -> LogisticRegression | IsotonicRegression:
    """Platt's sigmoid, or a monotone step function.

    References
    ----------
    Niculescu-Mizil and Caruana, "Predicting Good Probabilities with Supervised Learning", ICML 2005.
    """
    if method == "isotonic":
        return IsotonicRegression(y_min=0, y_max=1, increasing=True, out_of_bounds="clip").fit(scores, labels)
    return LogisticRegression(C=_NEARLY_FREE).fit(scores[:, None], labels)


def calibrated(calibrator: Any, scores: NDArray[np.floating]) -> NDArray[np.float64]:
    """(n, 2) probabilities that an event is negative, and positive."""
    if isinstance(calibrator, LogisticRegression):
        both: NDArray[np.float64] = calibrator.predict_proba(scores[:, None])
        return both
    chance = calibrator.predict(scores)
    return np.column_stack([1 - chance, chance])


def check_calibrator(value: object, name: str) -> None:
    """Check a loaded calibrator.

    Raises
    ------
    DamagedStateError
    """
    if value is not None:
        check_kind(value, name, (LogisticRegression, IsotonicRegression))
