"""The parts of a running service, and what they do together."""

from __future__ import annotations

import asyncio
from typing import Any

from skrec.serving._endpoints import Endpoint, feedback_endpoint, model_endpoints
from skrec.serving._errors import ServiceError
from skrec.serving._feedback import FeedbackWriter, Replay, check_events
from skrec.serving._feedback_log import FeedbackLog
from skrec.serving._guard import RateLimit
from skrec.serving._limits import ServiceLimits
from skrec.serving._metrics import ServiceMetrics
from skrec.serving._model import Publisher, ServedModel
from skrec.serving._pool import WorkPool
from skrec.serving._watch import FileWatcher


class Service:
    """What answers requests.

    Parameters
    ----------
    model : ServedModel
        The first version.
    limits : ServiceLimits
    key : bytes or None
        The API key.
    """

    def __init__(self, model: ServedModel, limits: ServiceLimits, key: bytes | None) -> None:
        self.publisher = Publisher(model)
        self.limits = limits
        self.key = key
        self.metrics = ServiceMetrics()
        self.pool = WorkPool(limits.threads, limits.queue, limits.timeout)
        self.rate = RateLimit(limits.rate, limits.burst)
        self.endpoints = model_endpoints(limits)
        self.writer: FeedbackWriter | None = None
        self.watcher: FileWatcher | None = None

    def keep_feedback(self, log: FeedbackLog, replay: Replay) -> None:
        """Take feedback into a log, and into the model."""
        self.writer = FeedbackWriter(log, self.publisher, self.metrics, self.limits.queue, replay)
        self.endpoints = [*self.endpoints, feedback_endpoint(self.limits)]

    def watch(self, path: Any, digest: str, every: float, **options: Any) -> None:
        """Take over what comes in the place of a model file."""
        self.watcher = FileWatcher(path, digest, every, self._take_over, self.metrics, **options)

    def _take_over(self, model: ServedModel) -> None:
        if self.writer is None:
            self.publisher.current = model
        else:
            self.writer.take_over(model)

    def start(self) -> None:
        """Begin what runs beside requests."""
        if self.writer is not None:
            self.writer.start()
        if self.watcher is not None:
            self.watcher.start()

    async def stop(self) -> None:
        """End it; what was accepted is finished."""
        for part in (self.watcher, self.writer):
            if part is not None:
                await asyncio.to_thread(part.stop)
        await asyncio.to_thread(self.pool.close)

    async def answer(self, endpoint: Endpoint, model: ServedModel, body: dict[str, Any]) -> dict[str, Any]:
        """The answer to a body, by one version of the model."""
        if endpoint.answer is None:
            return await self._feedback(model, body)
        return {"version": model.version, **await self.pool.run(endpoint.answer, model, body, self.limits)}

    async def _feedback(self, model: ServedModel, body: dict[str, Any]) -> dict[str, Any]:
        assert self.writer is not None
        await self.pool.run(check_events, model, body["events"])
        waits = body.get("wait", False)
        try:
            async with asyncio.timeout(self.limits.timeout):
                fate = await asyncio.shield(asyncio.wrap_future(self.writer.submit(body["events"], waits)))
        except TimeoutError:
            message = "The events wait to be written; send them again with the same event_id to be sure."
            raise ServiceError(503, "timeout", message, headers={"Retry-After": "2"}) from None
        return {"version": self.publisher.current.version, **fate}
