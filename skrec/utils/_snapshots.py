"""Atomic updates and consistent reads of an estimator.

A writer works on a copy and publishes what it has learned in one assignment, so that an interrupt leaves the old model
whole. A reader keeps to the state that it found, whatever is published meanwhile. Both hold only where a fitted object
that is reachable from the state is replaced, and never written into.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from functools import wraps
from threading import RLock
from typing import Any, Concatenate, ParamSpec, TypeVar, cast
from weakref import finalize

from sklearn.frozen import FrozenEstimator

from skrec.utils._progress import verbosity

E = TypeVar("E")
P = ParamSpec("P")
R = TypeVar("R")
Method = TypeVar("Method", bound=Callable[..., Any])


# One lock per estimator, by its id. They are kept here because pickles, clones and vars() are to be free of them.
_writer_locks: dict[int, Any] = {}

if hasattr(os, "register_at_fork"):
    # A forked process has none of the threads that may hold a lock.
    os.register_at_fork(after_in_child=_writer_locks.clear)


def _writer_lock(estimator: Any) -> Any:
    known = _writer_locks.get(id(estimator))
    if known is not None:
        return known
    finalize(estimator, _writer_locks.pop, id(estimator), None).atexit = False
    return _writer_locks.setdefault(id(estimator), RLock())  # one step, whatever other threads do


def atomic_update(method: Method) -> Method:
    """A method that changes its estimator either as a whole or, where it raises or is interrupted, not at all.

    The method runs on a copy of the estimator, whose state is then published in one assignment. It must replace what
    the estimator holds and not write into it. One update runs at a time; a second one waits. Parameters that
    ``set_params`` changes meanwhile keep the new value. The decorated method returns the estimator.
    """

    @wraps(method)
    def update(self: Any, *args: Any, **kwargs: Any) -> Any:
        with _writer_lock(self):
            before = dict(self.__dict__)
            work = _with_state(self, dict(before))
            with verbosity(getattr(self, "verbose", "auto")):
                method(work, *args, **kwargs)
            _publish(self, before, work.__dict__)
        return self

    update._is_atomic = True  # type: ignore[attr-defined]
    return cast(Method, update)


_GONE = object()


def _publish(estimator: Any, before: dict[str, Any], after: dict[str, Any]) -> None:
    """Replace the state of an estimator by what an update made of it; what others set meanwhile stays."""
    current = estimator.__dict__
    copied = dict(current)
    estimator.__dict__ = _changed(copied, _changes(before, after))
    late = _changes(copied, current)  # of another thread, between the copy and the assignment
    if late:
        estimator.__dict__ = _changed(estimator.__dict__, late)


def _changes(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    changed = {name: value for name, value in after.items() if before.get(name, _GONE) is not value}
    return changed | dict.fromkeys(before.keys() - after.keys(), _GONE)


def _changed(state: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**state, **changes}.items() if value is not _GONE}


@contextmanager
def kept_on_failure(*estimators: Any) -> Iterator[None]:
    """Give estimators that a block fits in place their state back where the block fails or is interrupted."""
    before = [(estimator, dict(estimator.__dict__)) for estimator in estimators if hasattr(estimator, "__dict__")]
    try:
        yield
    except BaseException:
        for estimator, state in before:
            estimator.__dict__ = state
        raise


def on_snapshot(method: Callable[Concatenate[E, P], R]) -> Callable[Concatenate[E, P], R]:
    """A method that reads one state of its estimator from beginning to end. It never waits for an update."""

    @wraps(method)
    def read(self: E, *args: P.args, **kwargs: P.kwargs) -> R:
        return method(snapshot(self), *args, **kwargs)

    read._reads_snapshot = True  # type: ignore[attr-defined]
    return read


def snapshot(estimator: E) -> E:
    """The estimator as it is now: later updates of ``estimator`` do not reach what this returns."""
    return _with_state(estimator, estimator.__dict__)


def detached(estimator: Any) -> Any:
    """A copy that can be updated by ``partial_fit`` while ``estimator`` stays as it is."""
    if isinstance(estimator, FrozenEstimator):
        return FrozenEstimator(detached(estimator.estimator))
    if getattr(getattr(type(estimator), "partial_fit", None), "_is_atomic", False):
        return _with_state(estimator, dict(estimator.__dict__))
    return deepcopy(estimator)


def _with_state(estimator: E, state: dict[str, Any]) -> E:
    twin: E = object.__new__(type(estimator))
    twin.__dict__ = state
    return twin
