"""Feedback: written to the log, then learned, by one thread; requests go on reading the version before."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Literal

from skrec.interactions import RecommenderView
from skrec.serving._errors import ServiceError
from skrec.serving._feedback_log import FeedbackLog, LoggedEvent
from skrec.serving._metrics import ServiceMetrics
from skrec.serving._model import Publisher, ServedModel, plain
from skrec.serving._tables import as_ids, as_pairs, as_rows, frame_of
from skrec.utils import detached, unwrap_recommender

_logger = logging.getLogger("skrec.serving")
_MOST_EVENTS = 5_000
"""Events of one update."""
_POLL = 1.0
"""Seconds between two looks for what other processes have written."""

Replay = Literal["newer", "all", "none"]


@dataclass(frozen=True)
class _Job:
    events: Sequence[dict[str, Any]]
    waits: bool
    result: Future


class FeedbackWriter:
    """The one thread that writes and learns.

    Parameters
    ----------
    log : FeedbackLog
    publisher : Publisher
    metrics : ServiceMetrics
    most : int
        Requests that wait; further ones are refused.
    replay : {"newer", "all", "none"}
        Which events of the log a model file lacks: those after it was written, all, or none.
    """

    def __init__(
        self, log: FeedbackLog, publisher: Publisher, metrics: ServiceMetrics, most: int, replay: Replay
    ) -> None:
        self._log = log
        self._publisher = publisher
        self._metrics = metrics
        self._replay = replay
        self._jobs: queue.Queue[_Job | None] = queue.Queue(most)
        self._lock = threading.Lock()  # of the published model, between updates and new files
        self._applied = 0
        self._thread = threading.Thread(target=self._run, name="skrec-feedback", daemon=True)

    def start(self) -> None:
        """Replay what the model lacks, then begin."""
        self.take_over(self._publisher.current)
        self._thread.start()

    def stop(self) -> None:
        """End, when all that was accepted is in the log."""
        self._jobs.put(None)
        self._thread.join()

    def submit(self, events: Sequence[dict[str, Any]], waits: bool) -> Future:
        """Events to write; the future has their fate, with ``waits`` once the model has learned them.

        Raises
        ------
        ServiceError
            503 where too many wait.
        """
        job = _Job(events, waits, Future())
        try:
            self._jobs.put_nowait(job)
        except queue.Full:
            headers = {"Retry-After": "1"}
            raise ServiceError(503, "busy", "Too much feedback waits; try again.", headers=headers) from None
        return job.result

    def take_over(self, model: ServedModel) -> None:
        """Publish a model with the events of the log that it lacks."""
        with self._lock:
            after = self._first_missing(model)
            missing = self._log.last() - after
            if missing and not model.can("partial_fit"):
                _logger.warning("%d events of feedback are not learned: %s has no partial_fit", missing, model.name)
            elif missing:
                _logger.info("replaying %d events of feedback", missing)
            elif after:
                _logger.info("the %d events of feedback in the log are not replayed", after)
            self._publisher.current, self._applied = self._caught_up(model, after)

    def _first_missing(self, model: ServedModel) -> int:
        if self._replay == "all":
            return 0
        return self._log.last(model.modified if self._replay == "newer" else None)

    def _run(self) -> None:
        while True:
            jobs, ends = self._collect()
            written = [(job, fate) for job in jobs if (fate := self._write(job)) is not None]
            try:
                with self._lock:
                    self._publisher.current, self._applied = self._caught_up(self._publisher.current, self._applied)
            except Exception:
                _logger.exception("feedback could not be learned; it is in the log")
            for job, fate in written:
                if job.waits:
                    job.result.set_result(fate | {"learned": self._has_learned(fate["last_event"])})
            if ends:
                return

    def _has_learned(self, number: int) -> bool:
        return self._publisher.current.can("partial_fit") and self._applied >= number

    def _write(self, job: _Job) -> dict[str, Any] | None:
        """Put events into the log; None where that failed."""
        try:
            last, n_new = self._log.append(job.events)
        except Exception as error:
            _logger.exception("feedback could not be written")
            job.result.set_exception(error)
            return None
        self._metrics.feedback.labels("logged").inc(n_new)
        fate = {"accepted": n_new, "repeated": len(job.events) - n_new, "last_event": last}
        if not job.waits:
            job.result.set_result(fate | {"learned": False})
        return fate

    def _collect(self) -> tuple[list[_Job], bool]:
        """What waits, and whether the end has come."""
        jobs: list[_Job] = []
        try:
            job = self._jobs.get(timeout=_POLL)
            while job is not None:
                jobs.append(job)
                job = self._jobs.get_nowait()
            return jobs, True
        except queue.Empty:
            return jobs, False

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
    return frame_of(records, [user, item, *context]), y


def check_events(model: ServedModel, events: Sequence[dict[str, Any]]) -> None:
    """Refuse, before anything is logged, what the model could not learn.

    Raises
    ------
    ServiceError
        404 for an unknown item, 422 for ids of another kind, missing contexts and values.
    """
    model.catalogue.check_items(as_ids([event["item"] for event in events]))
    users = model.recommender.users_[:1].tolist()
    columns = model.context_columns
    explicit = RecommenderView(unwrap_recommender(model.recommender)).feedback == "explicit"
    _check_users(model, [event["user"] for event in events])
    for at, event in enumerate(events):
        user, value = event["user"], event.get("value")
        if users and isinstance(plain(users[0]), str) != isinstance(user, str):
            raise _wrong(at, "user", f"ids of users look like {plain(users[0])!r}; got {user!r:.100}.")
        if explicit and value is None:
            raise _wrong(at, "value", "this model learns ratings; give each event its rating as value.")
        if not explicit and value is not None and value < 0:
            raise _wrong(at, "value", f"must be at least 0, which means seen and not liked; got {value}.")
        given = event.get("context", {})
        if set(given) != set(columns) or len(columns) != model.n_context:
            raise _wrong(at, "context", f"must have the fields {columns}; got {sorted(given)!s:.200}.")


def _check_users(model: ServedModel, users: Sequence[Any]) -> None:
    """Refuse what is no id, as a float that stands for several integers."""
    try:
        model.known_users(as_ids(users))
    except (ValueError, TypeError) as error:
        raise ServiceError(422, "refused", str(error)[:1000]) from error


def _wrong(at: int, name: str, message: str) -> ServiceError:
    path = f"events[{at}].{name}"
    return ServiceError(422, "invalid", f"{path}: {message}", path=path)
