"""Types of public parameters that are no tables; those of tables are in :mod:`skrec.interactions`."""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np

RandomState: TypeAlias = int | np.random.RandomState | None
"""A seed, a generator, or None for a different draw each time."""


@runtime_checkable
class Transformer(Protocol):
    """What an encoder has: the ``fit_transform`` and ``transform`` of scikit-learn."""

    def fit_transform(self, X: Any, y: Any = None) -> Any:
        """Fit to X, and transform it."""

    def transform(self, X: Any) -> Any:
        """Transform X by what ``fit_transform`` learned."""


@runtime_checkable
class Recommender(Protocol):
    """The public contract that wrappers, metrics and inspection rely on."""

    def fit(self, X: Any, y: Any = None) -> Any:
        """Learn from events."""

    def recommend(self, users: Any = None, k: int = 10) -> Any:
        """Rank items for users."""
