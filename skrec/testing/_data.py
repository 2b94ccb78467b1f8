"""Data that the checks fit to, and helpers that they share."""

import warnings
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

import narwhals as nw
import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from skrec.exceptions import ColdStartWarning, FeatureCoverageWarning
from skrec.interactions import FeatureTable

N_USERS, N_ITEMS, N_COLD = 24, 16, 2


def checkerboard(seed: int = 0) -> np.ndarray:
    """Events of users who choose items of their own parity, some withheld, shuffled."""
    users, items = np.meshgrid(np.arange(N_USERS), np.arange(N_ITEMS), indexing="ij")
    same = (users + items) % 2 == 0
    withheld = (users // 2) % (N_ITEMS // 2) == items // 2
    X = np.column_stack([users[same & ~withheld], items[same & ~withheld]])
    return np.random.default_rng(seed).permutation(X)


def item_table() -> FeatureTable:
    """Two informative features per item; the last items have no events."""
    ids = np.arange(N_ITEMS + N_COLD)
    noise = np.random.default_rng(1).normal(scale=0.1, size=(len(ids), 2))
    return FeatureTable((ids, np.column_stack([ids % 2, 1 - ids % 2]) + noise))


def text_table() -> FeatureTable:
    """A word shared by all items of a parity, and a word of one item alone; the last items have no events."""
    ids = np.arange(N_ITEMS + N_COLD)
    texts = np.array([[f"{'even' if i % 2 == 0 else 'odd'} word{i}"] for i in ids], dtype=object)
    return FeatureTable((ids, texts))


def text_encoder() -> Any:
    """A small deterministic encoder of texts."""
    from skrec.feature_extraction import HashingTextEncoder, LLMTextEmbedder

    return LLMTextEmbedder(model=HashingTextEncoder())


def frames(columns: dict[str, Any]) -> Iterator[Any]:
    """The same table in every installed frame library."""
    for backend in ("pandas", "polars", "pyarrow"):
        if find_spec(backend) is not None:
            native: Any = backend
            yield nw.from_dict({k: np.asarray(v) for k, v in columns.items()}, backend=native).to_native()


def fit(estimator: Any, X: Any, y: Any = None, **features: Any) -> Any:
    """Fit without warnings of a fallback to popularity or of missing feature rows."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ColdStartWarning)
        warnings.simplefilter("ignore", FeatureCoverageWarning)
        return estimator.fit(X, y, **features)


def raises(
    kind: type[BaseException] | tuple[type[BaseException], ...], what: str, call: Callable, *args: Any, **options: Any
) -> None:
    """Check that a call raises, and that the error has a message."""
    try:
        call(*args, **options)
    except kind as error:
        assert len(str(error)) > 10, f"{what}: the message {str(error)!r} is too short to help"
        return
    raise AssertionError(f"{what} raised nothing")


def assert_same(a: Any, b: Any) -> None:
    """Check that two results of ``recommend`` are equal, up to rounding of the scores."""
    assert_array_equal(a.items, b.items)
    assert_allclose(a.scores, b.scores, rtol=1e-4, atol=1e-5)
