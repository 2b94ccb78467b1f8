"""Estimators from TOML: names of public classes and their parameters, and no code."""

from __future__ import annotations

import inspect
import tomllib
from pathlib import Path
from typing import Any

from sklearn.base import BaseEstimator

from skrec.cli._errors import CommandError
from skrec.compose import BudgetRule, CapRule, FilterRule
from skrec.testing import public_estimators

_KEY = "estimator"
_NAME = "name"
EXAMPLE = """\
estimator = "HybridMFRecommender"
n_factors = 32

[item_encoder]
estimator = "NgramTextEncoder"
"""


def read_config(path: str) -> Any:
    """The estimator of a TOML file, not fitted.

    Raises
    ------
    CommandError
        If the file is no TOML, or names what is not public, or a parameter that the class lacks.
    """
    try:
        table = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise CommandError(f"The file {path} cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CommandError(f"{path} is no TOML: {error}.") from None
    if _KEY not in table:
        raise CommandError(f"{path} lacks the key {_KEY!r}, the name of a class. An example:\n\n{EXAMPLE}")
    made = Builder(path).build(table, "")
    if not hasattr(made, "recommend"):
        raise CommandError(f"{path} describes a {type(made).__name__}, which recommends nothing.")
    return made


class Builder:
    """Builds the values of a TOML file.

    Parameters
    ----------
    path : str
        For messages.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._classes: dict[str, Any] = {cls.__name__: cls for cls in public_estimators()}
        self._classes |= {cls.__name__: cls for cls in (BudgetRule, CapRule, FilterRule)}

    def build(self, value: Any, place: str) -> Any:
        """A value: a table with the key ``estimator`` becomes one, a list of such tables a list of named ones."""
        if isinstance(value, list):
            return self._list(value, place)
        if not isinstance(value, dict):
            return value
        if _KEY not in value:
            return {key: self.build(inner, f"{place}.{key}".lstrip(".")) for key, inner in value.items()}
        return self._estimator(value, place)

    def _list(self, values: list[Any], place: str) -> list[Any]:
        built = [self.build(value, f"{place}[{at}]") for at, value in enumerate(values)]
        if not built or not all(isinstance(one, BaseEstimator) for one in built):
            return built
        named: list[tuple[str, Any]] = []
        for value, one in zip(values, built, strict=True):
            name = str(value.get(_NAME, type(one).__name__.lower()))
            taken = [other for other, _ in named]
            named.append((name if name not in taken else f"{name}-{len(named) + 1}", one))
        return named

    def _estimator(self, table: dict[str, Any], place: str) -> Any:
        where = f"{self._path}, {place}" if place else self._path
        name = table[_KEY]
        cls = self._classes.get(name) if isinstance(name, str) else None
        if cls is None:
            raise CommandError(
                f"{where}: {name!r} is no public estimator; they are {', '.join(sorted(self._classes))}."
            )
        known = _parameters(cls)
        own = {_KEY, _NAME} - set(known)  # a rule has a name of its own
        given = {key: value for key, value in table.items() if key not in own}
        unknown = sorted(set(given) - set(known))
        if unknown:
            raise CommandError(f"{where}: {name} has no parameter {unknown[0]!r}; it has {', '.join(known)}.")
        try:
            return cls(**{key: self.build(value, f"{place}.{key}".lstrip(".")) for key, value in given.items()})
        except (TypeError, ValueError) as error:
            raise CommandError(f"{where}: {name}: {error}") from error


def _parameters(cls: Any) -> list[str]:
    return [name for name in inspect.signature(cls).parameters if name not in ("args", "kwargs")]
