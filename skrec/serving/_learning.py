"""What a model makes of the log of feedback: versions, each with the events up to a number."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from typing import Any, Literal

from skrec.interactions import TIMESTAMP
from skrec.serving._feedback_log import FeedbackLog, LoggedEvent
from skrec.serving._metrics import ServiceMetrics
from skrec.serving._model import Publisher, ServedModel
from skrec.serving._tables import as_pairs, as_rows, frame_of
from skrec.utils import detached

_logger = logging.getLogger("skrec.serving")
_MOST_EVENTS = 5_000
"""Events of one update."""

Replay = Literal["newer", "all", "none"]


class Learner:
    """Keeps one published model up to the log; the model itself is never changed, a copy takes its place.

    Parameters
    ----------
    log : FeedbackLog
    publisher : Publisher
    metrics : ServiceMetrics
    replay : {"newer", "all", "none"}
        Which events of the log a model file lacks: those after it was written, all, or none.
    """

    def __init__(self, log: FeedbackLog, publisher: Publisher, metrics: ServiceMetrics, replay: Replay) -> None:
        self._log = log
        self._publisher = publisher
        self._metrics = metrics
        self._replay = replay
        self._lock = threading.Lock()  # of the published model, between updates and new files
        self._applied = 0

    def take_over(self, model: ServedModel) -> None:
        """Publish a model with the events of the log that it lacks."""
        with self._lock:
            after = self._first_missing(model)
            missing = self._log.count(after)
            if missing and not model.can("partial_fit"):
                _logger.warning("%d events of feedback are not learned: %s has no partial_fit", missing, model.kind)
            elif missing:
                _logger.info("%s: replaying %d events of feedback", model.name, missing)
            elif after:
                _logger.info("%s: the %d events of feedback in the log are not replayed", model.name, after)
            self._publisher.current, self._applied = self._caught_up(model, after)

    def _first_missing(self, model: ServedModel) -> int:
        if self._replay == "all":
            return 0
        return self._log.last(model.modified if self._replay == "newer" else None)

    def catch_up(self) -> None:
        """Publish the model with what the log has got since."""
        with self._lock:
            self._publisher.current, self._applied = self._caught_up(self._publisher.current, self._applied)

    def has_learned(self, number: int) -> bool:
        """Whether the published model has an event of the log."""
        return self._publisher.current.can("partial_fit") and self._applied >= number

    def _caught_up(self, model: ServedModel, after: int) -> tuple[ServedModel, int]:
        """The model with the events behind a number of the log, and the number of the last."""
        if not model.can("partial_fit"):
            return model, after
        while rows := self._log.read(after, _MOST_EVENTS):
            model = self._learned(model, rows)
            after = rows[-1].number
        return model, after

    def _learned(self, model: ServedModel, rows: Sequence[LoggedEvent]) -> ServedModel:
        """The model after some events. What it refuses is found by halves, marked in the log, and skipped."""
        recommender = detached(model.recommender)
        try:
            recommender.partial_fit(*_table(model, rows))
        except Exception as error:
            if len(rows) > 1:
                half = len(rows) // 2
                return self._learned(self._learned(model, rows[:half]), rows[half:])
            _logger.warning("the model refuses event %d of the log: %s", rows[0].number, error)
            self._log.refuse(rows[0].number, f"{type(error).__name__}: {error}")
            self._metrics.feedback.labels("refused").inc()
            return model
        self._metrics.feedback.labels("learned").inc(len(rows))
        return model.updated(recommender, rows[-1].number)


def _table(model: ServedModel, rows: Sequence[LoggedEvent]) -> tuple[Any, Any]:
    """X and y of events, with the column names of fit."""
    names = getattr(model.recommender, "feature_names_in_", None)
    values = [row.value for row in rows]
    y = None if all(value is None for value in values) else [1.0 if value is None else value for value in values]
    if names is None:
        cells = [[row.user, row.item, *(row.context or {}).values()] for row in rows]
        return (as_rows(cells) if model.n_context else as_pairs([(row.user, row.item) for row in rows])), y
    user, item, *context = [str(name) for name in names]
    records = [{user: row.user, item: row.item, **{c: (row.context or {})[c] for c in context}} for row in rows]
    if model.times is None:
        return frame_of(records, [user, item, *context]), y
    for record, row in zip(records, rows, strict=True):
        record[TIMESTAMP] = model.times.time_of(row.timestamp, row.logged)
    return frame_of(records, [user, item, *context, TIMESTAMP]), y
