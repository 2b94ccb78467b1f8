"""The parts of a service, and what they do together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from skrec.serving._endpoints import Endpoint, feedback_endpoint, model_endpoints
from skrec.serving._errors import ServiceError
from skrec.serving._feedback import FeedbackWriter, check_events
from skrec.serving._feedback_log import FeedbackLog
from skrec.serving._guard import RateLimit
from skrec.serving._learning import Learner, Replay
from skrec.serving._limits import ServiceLimits
from skrec.serving._metrics import ServiceMetrics
from skrec.serving._model import Publisher, ServedModel
from skrec.serving._model_file import ModelFile
from skrec.serving._pool import WorkPool
from skrec.serving._watch import FileWatcher


class Service:
    """What answers requests.

    Parameters
    ----------
    models : sequence of ServedModel
        The first version of each, under names of their own; the first one answers where a request names none.
    limits : ServiceLimits
    key : bytes or None
        The API key.
    user_list : bool, default=False
        Whether to list the ids of users.
    """

    def __init__(
        self, models: Sequence[ServedModel], limits: ServiceLimits, key: bytes | None, user_list: bool = False
    ) -> None:
        self._publishers = {model.name: Publisher(model) for model in models}
        self.limits = limits
        self.key = key
        self.user_list = user_list
        self.metrics = ServiceMetrics()
        self.pool = WorkPool(limits.threads, limits.queue, limits.timeout)
        self.rate = RateLimit(limits.rate, limits.burst)
        self.endpoints = model_endpoints(limits, list(self._publishers))
        self._learners: dict[str, Learner] = {}
        self._writer: FeedbackWriter | None = None
        self.watchers: list[FileWatcher] = []

    @property
    def models(self) -> list[ServedModel]:
        """The version of each model that new requests get."""
        return [publisher.current for publisher in self._publishers.values()]

    def model(self, name: str | None = None) -> ServedModel:
        """The version of one of them; None names the first.

        Raises
        ------
        ServiceError
            422 where there is none of that name.
        """
        if name is None:
            return self.models[0]
        if name not in self._publishers:
            message = f"model must be one of {list(self._publishers)}; got {name!r:.100}."
            raise ServiceError(422, "invalid", message, path="model")
        return self._publishers[name].current

    def keep_feedback(self, log: FeedbackLog, replay: Replay) -> None:
        """Take feedback into a log, and into each model."""
        for name, publisher in self._publishers.items():
            self._learners[name] = Learner(log, publisher, self.metrics, replay)
        self._writer = FeedbackWriter(log, list(self._learners.values()), self.metrics, self.limits.queue)
        self.endpoints = [*self.endpoints, feedback_endpoint(self.limits)]

    def watch(self, name: str, path: Any, digest: str, every: float, **options: Any) -> None:
        """Take over what comes in the place of a model file."""

        def take_over(found: ModelFile) -> None:
            model = ServedModel.of(found.recommender, found.digest, found.modified, name)
            if name in self._learners:
                self._learners[name].take_over(model)
            else:
                self._publishers[name].current = model

        self.watchers.append(FileWatcher(path, digest, every, take_over, self.metrics, **options))

    def _threads(self) -> list[FeedbackWriter | FileWatcher]:
        return [*self.watchers] if self._writer is None else [self._writer, *self.watchers]

    def start(self) -> None:
        """Begin what runs beside requests."""
        for name, learner in self._learners.items():
            learner.take_over(self._publishers[name].current)
        for part in self._threads():
            part.start()

    async def stop(self) -> None:
        """End it; what was accepted is finished."""
        for part in reversed(self._threads()):
            await asyncio.to_thread(part.stop)
        await asyncio.to_thread(self.pool.close)

    async def answer(self, endpoint: Endpoint, body: dict[str, Any]) -> dict[str, Any]:
        """The answer to a body, by one version of the model that it names."""
        model = self.model(body.get("model"))
        try:
            if endpoint.answer is None:
                return await self._feedback(body)
            return {**model.named, **await self.pool.run(endpoint.answer, model, body, self.limits)}
        except ServiceError as error:
            error.answered_by = model.named
            raise

    async def _feedback(self, body: dict[str, Any]) -> dict[str, Any]:
        assert self._writer is not None
        await self.pool.run(check_events, self.models, body["events"])
        waits = body.get("wait", False)
        try:
            async with asyncio.timeout(self.limits.timeout):
                fate = await asyncio.shield(asyncio.wrap_future(self._writer.submit(body["events"], waits)))
        except TimeoutError:
            message = "The events wait to be written; send them again with the same event_id to be sure."
            raise ServiceError(503, "timeout", message, headers={"Retry-After": "2"}) from None
        return {**self.model().named, **fate, "versions": {model.name: model.version for model in self.models}}
