"""What may reach out of this process, and who loaded it: a pickle, which is trusted, or skops, which is not."""

from __future__ import annotations

import inspect
import sys
from typing import Any, TypeVar

from skrec.exceptions import ExternalAccessError

T = TypeVar("T")

_UNPICKLED = "_unpickled_inactive"  # in the state of an object between its creation by pickle and __setstate__


class RestoredMixin:
    """Pickles and copies carry a mark that what skops loads lacks.

    A pickle, and a copy, creates the object by a function of this module. skops calls no function of a file: it creates
    the type, and passes the state to ``__setstate__``. So what comes without the mark of that function is not trusted,
    whatever the state says.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        return _new_for_pickle, (type(self), bool(self.__dict__.get("_is_inactive", False))), self.__getstate__() or {}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.pop(_UNPICKLED, None)
        parent = getattr(super(), "__setstate__", None)
        if parent is None:
            self.__dict__.update(state)
        else:
            parent(state)

    def _is_unpickled(self) -> bool:
        return _UNPICKLED in self.__dict__


def _new_for_pickle(cls: type[T], is_inactive: bool) -> T:
    """An object without a state, for pickle to fill."""
    new = cls.__new__(cls)
    new.__dict__[_UNPICKLED] = is_inactive
    return new


class ExternalMixin(RestoredMixin):
    """An object that may contact a server, load a model or write to a path; inactive where skops loaded it.

    First in the bases. A subclass says in ``_external`` what it would do, and calls ``_check_active`` first.
    """

    _is_inactive: bool = False

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        signature = inspect.signature(cls.__init__)  # help() and documentation would show that of __new__
        cls.__signature__ = signature.replace(parameters=list(signature.parameters.values())[1:])  # type: ignore[attr-defined]

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        new = super().__new__(cls)
        # skops also calls a type with arguments, where a file written by hand says so.
        if sys._getframe(1).f_globals.get("__name__", "").partition(".")[0] == "skops":
            new._set_active(False)
        return new

    def __setstate__(self, state: dict[str, Any]) -> None:
        is_inactive = self.__dict__.get(_UNPICKLED, True)
        super().__setstate__(state)
        self._set_active(not is_inactive)  # whatever the state says

    def _external(self) -> list[str]:
        """What a use of this object would contact, load or write: short phrases that follow "it would"."""
        raise NotImplementedError(f"{type(self).__name__} must define _external")

    def _set_active(self, is_active: bool) -> None:
        """Allow what :meth:`_external` says, or no longer."""
        self.__dict__.pop("_is_inactive", None)
        if not is_active:
            self.__dict__["_is_inactive"] = True

    def _check_active(self) -> None:
        """Refuse a use that would reach out of this process, of an object that skops loaded.

        Raises
        ------
        ExternalAccessError
            With everything that it would contact, load or write.
        """
        if self.__dict__.get("_is_inactive") and (external := self._external()):
            raise ExternalAccessError(
                f"This {type(self).__name__} was loaded by skops, which is for files that may come from strangers. It "
                f"would {'; '.join(external)}. If you want that, call skrec.persistence.allow_external(estimator) on "
                "what you have loaded."
            )
