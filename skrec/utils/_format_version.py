"""The version of what is saved."""

from typing import Any

from skrec.exceptions import FormatVersionError

FORMAT_VERSION = 1
"""Raised whenever an older skrec could not read what a newer one writes."""


class PersistenceMixin:
    """Store a format version with the state, and refuse to load a newer one.

    Placed before :class:`sklearn.base.BaseEstimator` in the bases. A subclass that leaves something out
    of its state, such as weights that have a path, overrides ``__getstate__`` and calls this one first.
    """

    def __getstate__(self) -> dict[str, Any]:
        state: Any = super().__getstate__()
        return {**state, "_format_version": FORMAT_VERSION}

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        found = state.pop("_format_version", None)
        if not isinstance(found, int) or found > FORMAT_VERSION:
            raise FormatVersionError(
                f"{type(self).__name__} was saved in format version {found}; this skrec reads versions up to "
                f"{FORMAT_VERSION}. Load it with the skrec that saved it, or a newer one."
            )
        super().__setstate__(state)  # type: ignore[misc]
