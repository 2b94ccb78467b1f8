"""The version of what is saved, and the checks of what is loaded."""

from __future__ import annotations

import inspect
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sklearn.utils.validation import _is_fitted

from skrec.exceptions import DamagedStateError, FormatVersionError
from skrec.utils._loading._checks import check_columns
from skrec.utils._loading._external import RestoredMixin
from skrec.utils._loading._nested import check_nested, drop_memory

FORMAT_VERSION = 1
"""Raised whenever an older skrec could not read what a newer one writes."""


class PersistenceMixin(RestoredMixin):
    """Store a format version with the state; refuse to load a newer one, or a damaged state.

    Placed before :class:`sklearn.base.BaseEstimator` in the bases. A subclass that leaves something out
    of its state, such as weights that have a path, overrides ``__getstate__`` and calls this one first. One with arrays
    that compiled code reads overrides ``_check_state``.
    """

    if TYPE_CHECKING:
        _validate_params: Any

    def __getstate__(self) -> dict[str, Any]:
        state: Any = super().__getstate__()
        return {**state, "_format_version": FORMAT_VERSION}

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        found = state.pop("_format_version", None)
        if isinstance(found, bool) or not isinstance(found, int) or found > FORMAT_VERSION:
            raise FormatVersionError(
                f"{type(self).__name__} was saved in format version {found}; this skrec reads versions up to "
                f"{FORMAT_VERSION}. Load it with the skrec that saved it, or a newer one."
            )
        is_pickle = self._is_unpickled()
        super().__setstate__(state)
        if not is_pickle:
            _check_names(type(self), state)
        check_loaded(self)
        if not is_pickle:
            drop_memory(self)

    def _check_state(self) -> None:
        """Refuse what compiled code would trust blindly: called once, on what was loaded, and by no copy.

        A subclass that overrides it calls it first. It may raise any exception; ``check_array`` and its like name the
        attribute.
        """


def check_loaded(estimator: PersistenceMixin) -> None:
    """Check the state of an estimator that was loaded: of a fitted one, parameters and columns as well.

    Raises
    ------
    DamagedStateError
    """
    cls = type(estimator)
    try:
        if _is_fitted(estimator):
            if hasattr(cls, "_parameter_constraints"):
                estimator._validate_params()
            check_columns(estimator)
        cls._check_state(estimator)
        for name, value in vars(estimator).items():
            check_nested(value, name, PersistenceMixin)
    except Exception as error:  # what a damaged state raises depends on its values
        said = str(error) if isinstance(error, DamagedStateError) else f"{type(error).__name__}: {error}"
        raise DamagedStateError(
            f"A {cls.__name__} was loaded whose state is damaged: {said}. Load another copy of the file, or fit again."
        ) from error


def _check_names(cls: type, state: dict[str, Any]) -> None:
    """Refuse data in the place of a method, which would be called instead of it."""
    for name in state:
        attribute = inspect.getattr_static(cls, name, None)
        if hasattr(attribute, "__get__") and not isinstance(attribute, cached_property):
            raise DamagedStateError(f"The file of a {cls.__name__} has data named {name!r}, which is a method of it.")
