"""The parts of a running service, and what they do together."""

from __future__ import annotations

import asyncio
from typing import Any

from skrec.serving._endpoints import Endpoint, model_endpoints
from skrec.serving._guard import RateLimit
from skrec.serving._limits import ServiceLimits
from skrec.serving._metrics import ServiceMetrics
from skrec.serving._model import Publisher, ServedModel
from skrec.serving._pool import WorkPool


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

    def start(self) -> None:
        """Begin what runs beside requests."""

    async def stop(self) -> None:
        """End it; what was accepted is finished."""
        await asyncio.to_thread(self.pool.close)

    async def answer(self, endpoint: Endpoint, model: ServedModel, body: dict[str, Any]) -> dict[str, Any]:
        """The answer to a body, by one version of the model."""
        return await self.pool.run(endpoint.answer, model, body, self.limits)
