"""Feedback: written to the log, then learned, by one thread; requests go on reading the version before."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from skrec.interactions import RecommenderView
from skrec.serving._errors import ServiceError
from skrec.serving._feedback_log import FeedbackLog
from skrec.serving._learning import Learner
from skrec.serving._metrics import ServiceMetrics
from skrec.serving._model import ServedModel, plain
from skrec.serving._tables import as_ids
from skrec.utils import unwrap_recommender

_logger = logging.getLogger("skrec.serving")
_POLL = 1.0
"""Seconds between two looks for what other processes have written."""


@dataclass(frozen=True)
class _Job:
    events: Sequence[dict[str, Any]]
    waits: bool
    result: Future


class FeedbackWriter:
    """The one thread of this process that writes to the log, and passes what is in it to every model.

    Parameters
    ----------
    log : FeedbackLog
    learners : sequence of Learner
        One per model.
    metrics : ServiceMetrics
    most : int
        Requests that wait; further ones are refused.
    """

    def __init__(self, log: FeedbackLog, learners: Sequence[Learner], metrics: ServiceMetrics, most: int) -> None:
        self._log = log
        self._learners = learners
        self._metrics = metrics
        self._jobs: queue.Queue[_Job | None] = queue.Queue(most)
        self._thread = threading.Thread(target=self._run, name="skrec-feedback", daemon=True)

    def start(self) -> None:
        """Begin; each model has what it lacks by then."""
        self._thread.start()

    def stop(self) -> None:
        """End, when all that was accepted is in the log."""
        self._jobs.put(None)
        self._thread.join()

    def submit(self, events: Sequence[dict[str, Any]], waits: bool) -> Future:
        """Events to write; the future has their fate, with ``waits`` once the models have learned them.

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

    def _run(self) -> None:
        while True:
            jobs, ends = self._collect()
            written = [(job, fate) for job in jobs if (fate := self._write(job)) is not None]
            for learner in self._learners:
                try:
                    learner.catch_up()
                except Exception:
                    _logger.exception("feedback could not be learned; it is in the log")
            for job, fate in written:
                if job.waits:
                    learned = all(learner.has_learned(fate["last_event"]) for learner in self._learners)
                    job.result.set_result(fate | {"learned": learned})
            if ends:
                return

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


def check_events(models: Sequence[ServedModel], events: Sequence[dict[str, Any]]) -> None:
    """Refuse, before anything is logged, what a model could not learn.

    Raises
    ------
    ServiceError
        404 for an item that no model knows, 422 for ids of another kind, missing contexts and values.
    """
    _check_items(models, [event["item"] for event in events])
    columns = {name for model in models for name in model.context_columns}
    for model in models:
        _check_for(model, events, columns)


def _check_items(models: Sequence[ServedModel], items: list[Any]) -> None:
    """A later model may know items that an earlier one lacks; that one learns them by the events."""
    for model in models[:-1]:
        try:
            codes = model.catalogue.index.codes(as_ids(items), "items", check_kind=False)
        except (ValueError, TypeError):
            continue
        items = [item for item, code in zip(items, codes.tolist(), strict=True) if code < 0]
        if not items:
            return
    models[-1].catalogue.check_items(as_ids(items))


def _check_for(model: ServedModel, events: Sequence[dict[str, Any]], every: set[str]) -> None:
    """What one model asks for; a column of context may be another model's."""
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
        fault = model.times.fault(event["timestamp"]) if model.times and "timestamp" in event else None
        if fault is not None:
            raise _wrong(at, "timestamp", fault)
        given = event.get("context", {})
        if set(columns) - set(given) or set(given) - every or len(columns) != model.n_context:
            raise _wrong(at, "context", f"must have the fields {sorted(every)}; got {sorted(given)!s:.200}.")


def _check_users(model: ServedModel, users: Sequence[Any]) -> None:
    """Refuse what is no id, as a float that stands for several integers."""
    try:
        model.known_users(as_ids(users))
    except (ValueError, TypeError) as error:
        raise ServiceError(422, "refused", str(error)[:1000]) from error


def _wrong(at: int, name: str, message: str) -> ServiceError:
    path = f"events[{at}].{name}"
    return ServiceError(422, "invalid", f"{path}: {message}", path=path)
