"""Progress of long work: one bar, on a terminal or in a notebook, after two seconds.

What is nested needs no argument: a method that sets :func:`verbosity` sets it for all that it calls, and while one bar
is open, work within one of its steps opens no other.
"""

from __future__ import annotations

import multiprocessing
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from numbers import Integral
from types import TracebackType
from typing import Any, Literal, TypeAlias
from weakref import ReferenceType, ref

import numpy as np

Verbose: TypeAlias = bool | int | Literal["auto"]
"""True or False, or "auto": where someone watches."""

_DELAY = 2.0
_verbosity: ContextVar[Verbose] = ContextVar("verbosity", default="auto")
_blocks: ContextVar[str | None] = ContextVar("blocks", default=None)
# Weak: an interrupt between the entry of a bar and the work inside would leave it open for ever, and hide all others.
_open: ContextVar[ReferenceType[Progress] | None] = ContextVar("open", default=None)


@contextmanager
def verbosity(verbose: Verbose) -> Iterator[None]:
    """What "auto" means for everything inside; "auto" leaves it as it is.

    Raises
    ------
    ValueError
        If ``verbose`` is something else than "auto", a bool or a whole number.
    """
    if not isinstance(verbose, Integral | np.bool_ | str) or (_is_auto(verbose) and verbose != "auto"):
        raise ValueError(f"verbose must be 'auto', True, False or a whole number; got {verbose!r:.60}.")
    token = _verbosity.set(_verbosity.get() if _is_auto(verbose) else verbose)
    try:
        yield
    finally:
        _verbosity.reset(token)


@contextmanager
def watched_blocks(label: str) -> Iterator[None]:
    """Inside, loops over blocks of rows show their progress under this label."""
    token = _blocks.set(label)
    try:
        yield
    finally:
        _blocks.reset(token)


def block_progress(total: int, unit: str, label: str | None = None) -> Progress:
    """The progress of a loop that shows it under its own label, or under that of :func:`watched_blocks`, or not."""
    label = _blocks.get() if label is None else label
    return Progress(total, label or "", unit, is_wanted=label is not None)


def progress(total: int, label: str, unit: str = "it", *, done: int = 0, verbose: Verbose = "auto") -> Progress:
    """A bar with the time left, as a context manager.

    Parameters
    ----------
    total : int
        Steps in all. Of one step there is no progress.
    label, unit : str
    done : int, default=0
        Steps that were done before.
    verbose : bool, int or "auto", default="auto"
        "auto" is what :func:`verbosity` says, and by default: on a terminal or in a notebook, in the main thread of
        the main process, after two seconds. True shows the bar at once, wherever stderr goes.
    """
    return Progress(total, label, unit, done=done, verbose=verbose)


def advance(n: int = 1) -> None:
    """Advance the bar that is open around the caller, if there is one."""
    bar = _bar_around()
    if bar is not None:
        bar.update(n)


def _bar_around() -> Progress | None:
    reference = _open.get()
    return None if reference is None else reference()


class Progress:
    """One bar, or none where nobody watches. It never raises: work goes on if stderr is closed."""

    def __init__(
        self,
        total: int,
        label: str,
        unit: str = "it",
        *,
        done: int = 0,
        verbose: Verbose = "auto",
        is_wanted: bool = True,
    ) -> None:
        self.total, self.label, self.unit, self.done = total, label, unit, done
        self._verbose = _verbosity.get() if _is_auto(verbose) else verbose
        self._is_wanted, self._hides_inner = is_wanted, False
        self._bar: Any = None
        self._token: Token[ReferenceType[Progress] | None] | None = None

    def __enter__(self) -> Progress:
        if self._is_wanted:
            outer = _bar_around()
            is_inner = outer is not None and outer._hides_inner
            has_steps = self.total - self.done > (1 if _is_auto(self._verbose) else 0)
            if has_steps and not is_inner and _is_shown(self._verbose):
                self._bar = _new_bar(self, _DELAY if _is_auto(self._verbose) else 0.0)
            self._hides_inner = is_inner or has_steps
            self._token = _open.set(ref(self))
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._token is not None:
            _open.reset(self._token)
        self._draw("close")

    def update(self, n: int = 1, note: str | None = None) -> None:
        """Some steps more, up to all; ``note`` is shown behind the bar."""
        n = min(n, self.total - self.done)
        self.done += n
        if self._bar is not None and note is not None:
            self._draw("set_postfix_str", note, refresh=False)
        self._draw("update", n)

    def reach(self, done: int) -> None:
        """As many steps in all."""
        if done > self.done:
            self.update(done - self.done)

    def _draw(self, method: str, *args: Any, **options: Any) -> None:
        if self._bar is None:
            return
        try:
            getattr(self._bar, method)(*args, **options)
        except Exception:  # a bar that cannot be drawn must not stop the work
            self._bar.disable, self._bar = True, None


def _is_auto(verbose: Any) -> bool:
    return isinstance(verbose, str)


def _is_shown(verbose: Verbose) -> bool:
    if multiprocessing.current_process().name != "MainProcess":  # such as a worker of joblib
        return False
    if not _is_auto(verbose):
        return bool(verbose)
    if threading.current_thread() is not threading.main_thread():
        return False
    try:
        return _is_notebook() or sys.stderr.isatty()
    except Exception:  # closed, None, or something else of the caller's
        return False


def _is_notebook() -> bool:
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return type(shell).__name__ == "ZMQInteractiveShell"


def _new_bar(progress: Progress, delay: float) -> Any:
    try:
        return _bar_class(_is_notebook() and find_spec("ipywidgets") is not None)(
            total=progress.total,
            initial=progress.done,
            desc=progress.label,
            unit=progress.unit,
            delay=delay,
            miniters=1,
            dynamic_ncols=True,
        )
    except Exception:
        return None


@cache
def _bar_class(has_widgets: bool) -> Any:
    base: Any = import_module("tqdm.notebook" if has_widgets else "tqdm").tqdm

    class Bar(base):
        """tqdm without a thread of its own, which would not survive a fork."""

        monitor_interval = 0

    Bar.set_lock(threading.RLock())
    return Bar
