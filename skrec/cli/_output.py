"""What a command says: results to stdout, everything else to stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def say(text: str) -> None:
    """A message to people, beside the output."""
    print(text, file=sys.stderr, flush=True)


@contextmanager
def step(text: str) -> Iterator[None]:
    """Say what begins, and how long it took."""
    say(f"{text} ...")
    started = time.perf_counter()
    yield
    say(f"{text}: {time.perf_counter() - started:.1f} s")


def show_warning(message: Warning | str, category: type[Warning], *place: Any) -> None:
    """A warning as one line, without the place in the code."""
    say(f"{category.__name__}: {message}")
