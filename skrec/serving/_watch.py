"""A new model file: found by its digest, loaded beside the old model, and refused where it is no better than none."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from os import PathLike
from typing import Any

from skrec.serving._errors import ModelFileError
from skrec.serving._metrics import ServiceMetrics
from skrec.serving._model_file import ModelFile, read_model

_logger = logging.getLogger("skrec.serving")


class FileWatcher:
    """Looks at a file, and passes on what has changed.

    Parameters
    ----------
    path : path
    digest : str
        Of the file that is served.
    every : float
        Seconds between two looks.
    take_over : callable
        Called with the :class:`ModelFile` that was read, in the thread of the watcher.
    metrics : ServiceMetrics
    **options
        Of :func:`read_model`.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        digest: str,
        every: float,
        take_over: Callable[[ModelFile], None],
        metrics: ServiceMetrics,
        **options: Any,
    ) -> None:
        self._path = path
        self._digest = digest
        self._every = every
        self._take_over = take_over
        self._metrics = metrics
        self._options = options
        self._seen = self._state()
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="skrec-watch", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, when a look that has begun is over."""
        self._ends.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ends.wait(self._every):
            self.look()

    def _state(self) -> tuple[int, ...] | None:
        try:
            found = os.stat(self._path)
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino

    def look(self) -> None:
        """Take over the file where it is another one than before; whatever is wrong with it is logged."""
        state = self._state()
        if state == self._seen:
            return
        self._seen = state
        try:
            found = read_model(self._path, unless=self._digest, **self._options)
            if found is None:
                return
            self._take_over(found)
        except Exception as error:
            said = str(error) if isinstance(error, ModelFileError) else f"{type(error).__name__}: {error}"
            _logger.error("the new model file is refused, the model before it goes on: %s", said)
            self._metrics.reloads.labels("refused").inc()
            return
        self._digest = found.digest
        _logger.info("took over the model file %s, version %s", self._path, found.digest)
        self._metrics.reloads.labels("taken").inc()
