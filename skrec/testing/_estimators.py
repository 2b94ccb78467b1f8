"""Every public estimator, found by walking the public modules."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from typing import Any

from sklearn.base import BaseEstimator

import skrec


def all_estimators() -> Iterator[Any]:
    """Instances, ready for the estimator checks, of every public estimator and transformer.

    A class is found where a public module names it in ``__all__``. One that needs arguments, or is to be checked
    in several settings, gives its instances by a class method ``__skrec_test_instances__``.

    Yields
    ------
    estimator : estimator
        Small and quick to fit; text transformers come with a tiny deterministic encoder.
    """
    for cls in public_estimators():
        give = getattr(cls, "__skrec_test_instances__", None)
        yield from [cls()] if give is None else give()


def public_estimators() -> list[type[BaseEstimator]]:
    """Classes that the public modules list, those to inherit from in :mod:`skrec.base` excluded; by module and name."""
    found = set()
    for module in pkgutil.iter_modules(skrec.__path__, "skrec."):
        if module.name in ("skrec.base", "skrec.testing") or module.name.split(".")[-1].startswith("_"):
            continue
        namespace = importlib.import_module(module.name)
        values = [getattr(namespace, name) for name in getattr(namespace, "__all__", [])]
        found |= {value for value in values if inspect.isclass(value) and issubclass(value, BaseEstimator)}
    return sorted(found, key=lambda cls: (cls.__module__, cls.__qualname__))
