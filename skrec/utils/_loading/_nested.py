"""A walk through a loaded state, to what compiled code of scipy and scikit-learn trusts."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp

from skrec.utils._loading._checks import check_array, check_csr_places, check_number, refuse_state
from skrec.utils._loading._external import ExternalMixin, RestoredMixin
from skrec.utils._warnings import caller_level

_LEAVES = frozenset({str, bytes, int, float, bool, complex, type(None), np.ndarray, np.memmap})
_LIBRARIES = ("sklearn", "skrec")


def check_nested(value: Any, name: str, skip: type) -> None:
    """Check every sparse matrix, k-means and vocabulary that an object holds, however deep.

    Parameters
    ----------
    value : object
    name : str
    skip : type
        Estimators that have checked themselves when they were loaded.

    Raises
    ------
    DamagedStateError
    """
    for inner, path in _walk(value, name, skip):
        if sp.issparse(inner):
            _check_sparse(inner, path)
        elif (check := _check_of(type(inner))) is not None:
            check(inner, path)


def drop_memory(estimator: Any) -> None:
    """Set ``memory`` of pipelines that skops has loaded to None: a path that is written to, and read as pickles."""
    for inner, _ in _walk(estimator, "", ()):
        if _is_a(type(inner), "sklearn.pipeline.Pipeline") and vars(inner).get("memory") is not None:
            warnings.warn(
                f"memory={inner.memory!r:.60} of a Pipeline that skops has loaded is not used, since pickles are read "
                "from there. Set it again, by set_params, if the folder is yours.",
                UserWarning,
                stacklevel=caller_level(),
            )
            inner.memory = None


def external_parts(estimator: Any) -> list[ExternalMixin]:
    """All in an estimator that may reach out of this process, itself included."""
    return [inner for inner, _ in _walk(estimator, "", ()) if isinstance(inner, ExternalMixin)]


def _walk(value: Any, name: str, skip: type | tuple[type, ...]) -> Iterator[tuple[Any, str]]:
    """An object and all that it holds in containers and in objects of scikit-learn and skrec, with their names.

    What is an instance of ``skip`` is not given, and not entered.
    """
    seen: set[int] = set()
    stack: list[tuple[Any, str]] = [(value, name)]
    while stack:
        value, name = stack.pop()
        if type(value) in _LEAVES or id(value) in seen or isinstance(value, skip):
            continue
        seen.add(id(value))
        if isinstance(value, dict):
            stack += [(inner, f"{name}[{key!r:.40}]") for key, inner in value.items() if type(inner) not in _LEAVES]
        elif isinstance(value, list | tuple | set | frozenset):
            stack += [(inner, f"{name}[{i}]") for i, inner in enumerate(value) if type(inner) not in _LEAVES]
        elif sp.issparse(value):
            yield value, name
        elif _is_ours(value):
            yield value, name
            held = getattr(value, "__dict__", {})
            stack += [(inner, f"{name}.{key}") for key, inner in held.items() if type(inner) not in _LEAVES]


def _is_ours(value: Any) -> bool:
    """Whether to look into an object: those of other libraries are not ours to judge."""
    if isinstance(value, type):
        return False
    return isinstance(value, RestoredMixin) or type(value).__module__.partition(".")[0] in _LIBRARIES


def _check_sparse(value: Any, name: str) -> None:
    if value.format == "csc":
        value = value.T  # the same arrays
    if value.format == "csr":
        check_csr_places(value, name)
    elif isinstance(value, sp.coo_array | sp.coo_matrix):
        for coords, n in zip(value.coords, value.shape, strict=True):
            if len(coords) and not (coords.min() >= 0 and coords.max() < n):
                refuse_state(name, "a sparse matrix with entries outside of it", f"shape {value.shape}")
    else:
        refuse_state(name, f"a sparse matrix in the format {value.format!r}", "rows, columns or coordinates")


def _check_of(cls: type) -> Callable[[Any, str], None] | None:
    """The check of a class of scikit-learn, found without importing it."""
    return next((check for name, check in _CHECKS.items() if _is_a(cls, name)), None)


def _is_a(cls: type, name: str) -> bool:
    return any(f"{base.__module__}.{base.__name__}" == name for base in cls.__mro__)


def _check_kmeans(kmeans: Any, name: str) -> None:
    """The loops of k-means trust the shape of its centres; OpenMP ends a process that asks for too many threads."""
    if "cluster_centers_" not in vars(kmeans):
        return
    n_features, n_clusters = kmeans.n_features_in_, kmeans.n_clusters
    check_number(n_features, f"{name}.n_features_in_", 1, whole=True)
    check_number(n_clusters, f"{name}.n_clusters", 1, whole=True)
    check_array(kmeans.cluster_centers_, f"{name}.cluster_centers_", (n_clusters, n_features))
    check_number(kmeans._n_threads, f"{name}._n_threads", 1, whole=True)
    kmeans._n_threads = min(kmeans._n_threads, os.cpu_count() or 1)


def _check_vocabulary(vectorizer: Any, name: str) -> None:
    """A vectorizer of counts makes a sparse matrix of the places in its vocabulary."""
    vocabulary = vars(vectorizer).get("vocabulary_")
    if vocabulary is None:
        return
    places = np.fromiter(vocabulary.values(), np.int64, len(vocabulary))
    if not np.array_equal(np.sort(places), np.arange(len(places))):
        refuse_state(f"{name}.vocabulary_", "not a numbering of its terms", f"each place from 0 to {len(places) - 1}")


_CHECKS = {
    "sklearn.cluster._kmeans._BaseKMeans": _check_kmeans,
    "sklearn.feature_extraction.text.CountVectorizer": _check_vocabulary,
}
