"""What the service counts, in the text format of Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest

_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class ServiceMetrics:
    """Counters of one service."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        own = self._registry
        by_result = ("result",)
        by_request = ("endpoint", "status")
        self.requests = Counter("skrec_requests", "Answers by endpoint and status.", by_request, registry=own)
        self.seconds = Histogram(
            "skrec_request_seconds", "Time to answer.", ("endpoint",), buckets=_SECONDS, registry=own
        )
        self.pending = Gauge("skrec_pending_calls", "Calls of the model that run or wait.", registry=own)
        self.reloads = Counter("skrec_reloads", "New model files, by what became of them.", by_result, registry=own)
        self.feedback = Counter("skrec_feedback_events", "Feedback, by what became of it.", by_result, registry=own)
        self.model = Info("skrec_model", "The models that answer.", ("model",), registry=own)

    def text(self) -> bytes:
        """All of them."""
        return generate_latest(self._registry)
