"""Weights of the parts of a fusion: those that are given, and those that are tried."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from numbers import Integral, Real
from typing import Any, NamedTuple

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from skrec.utils import installed_frame_library

_MOST_EQUAL = 0.5
"""Concentration of the random weights: below 1 they favour few of the parts."""

_N_ERRORS = 2


class WeightSearch(NamedTuple):
    """What :meth:`FusionRecommender.search_weights` found.

    Attributes
    ----------
    table : frame
        One row per setting, the best first: the weight of each part by its name, and ``score``. With ``by_segment``
        the settings of each segment, in a column ``segment``.
    weights : ndarray of shape (n_parts,) or (n_segments, n_parts)
        The best, for the parameter ``weights``: the first of the table if it is better than equal weights by two
        standard errors, else equal weights.
    score : float
        Their score; with ``by_segment``, the mean over the held-out rows.
    """

    table: Any
    weights: NDArray[np.float64]
    score: float


def read_weights(weights: Any, n_parts: int, n_segments: int) -> NDArray[np.float64]:
    """Weights of shape (n_segments, n_parts), of which each row sums to 1.

    Raises
    ------
    ValueError, TypeError
        If they are not one non-negative number per part, or per segment and part, or a row is 0.
    """
    if weights is None:
        return np.full((n_segments, n_parts), 1 / n_parts)
    rows = list(weights)
    if not rows or isinstance(rows[0], Real):
        rows = [rows] * n_segments
    rows = [list(row) if np.ndim(row) == 1 else row for row in rows]
    if len(rows) != n_segments:
        raise ValueError(f"weights has {len(rows)} rows for {n_segments} segments of users; pass one row per segment.")
    for row in rows:
        _check_row(row, n_parts)
    read = np.asarray(rows, dtype=np.float64)
    return read / read.sum(axis=1, keepdims=True)


def _check_row(row: Any, n_parts: int) -> None:
    if not isinstance(row, list):
        raise TypeError(f"weights must be numbers, one per part; got {row!r} among them.")
    if len(row) != n_parts:
        raise ValueError(f"weights has {len(row)} numbers for {n_parts} recommenders; pass one per part.")
    wrong = [weight for weight in row if not isinstance(weight, Real) or isinstance(weight, bool | np.bool_)]
    if wrong:
        raise TypeError(f"weights must be numbers; got {wrong[0]!r} among them.")
    if not all(0 <= weight < np.inf for weight in row) or not 0 < sum(row) < np.inf:
        raise ValueError(f"weights must be finite, at least 0 and not all 0; got {row}.")


def read_edges(by_segment: Any) -> NDArray[np.int64]:
    """The numbers of events at which a next segment begins; none for None.

    Raises
    ------
    ValueError, TypeError
    """
    if by_segment is None:
        return np.zeros(0, np.int64)
    edges = list(by_segment)
    if not all(isinstance(edge, Integral) and not isinstance(edge, bool | np.bool_) for edge in edges):
        raise TypeError(f"by_segment must hold numbers of events, such as [5, 20]; got {edges}.")
    if not edges or edges[0] < 1 or any(later <= edge for edge, later in pairwise(edges)):
        raise ValueError(f"by_segment must hold rising numbers of events from 1 on, such as [5, 20]; got {edges}.")
    return np.asarray(edges, dtype=np.int64)


def weights_to_try(n_parts: int, n_settings: int, random_state: np.random.RandomState) -> NDArray[np.float64]:
    """Each part alone, equal weights, then random points of the simplex; at least the first of these."""
    drawn = random_state.dirichlet(np.full(n_parts, _MOST_EQUAL), max(n_settings - n_parts - 1, 0))
    settings = np.vstack([np.full((1, n_parts), 1 / n_parts), np.eye(n_parts), drawn])
    return settings[: max(n_settings, n_parts + 1)] if n_parts > 1 else settings[:1]


def best_weights(settings: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The setting of the highest mean, or the first, of equal weights, where none is better by two standard errors.

    The highest of many means is high by chance too: on half of the validation users of MovieLens 100K it was chosen
    .0014 below equal weights on the other half, and this rule was not.

    Parameters
    ----------
    settings : array of shape (n_settings, n_parts)
    values : array of shape (n_settings, n_queries)
        The score of each query; NaN where it is undefined. With a single value, the highest counts.
    """
    values = values[:, ~np.isnan(values).any(axis=0)]
    if not values.shape[1]:
        return settings[0]
    top = int(values.mean(axis=1).argmax())
    ahead = values[top] - values[0]
    if len(ahead) > 1 and ahead.mean() <= _N_ERRORS * ahead.std(ddof=1) / np.sqrt(len(ahead)):
        return settings[0]
    return settings[top]


def weight_table(names: Sequence[str], settings: NDArray[np.float64], scores: NDArray[np.float64]) -> Any:
    """A frame of the settings, the best first; ``scores`` are those of each segment."""
    parts = []
    for at, of_segment in enumerate(scores):
        order = np.argsort(-np.where(np.isnan(of_segment), -np.inf, of_segment), kind="stable")
        parts.append((np.full(len(order), at), settings[order], of_segment[order]))
    segment, weights, score = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    columns: dict[str, Any] = {"segment": segment} if len(scores) > 1 else {}
    columns |= {name: weights[:, at] for at, name in enumerate(names)}
    columns["score"] = score
    backend: Any = installed_frame_library()
    return nw.from_dict(columns, backend=backend).to_native()
