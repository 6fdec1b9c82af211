"""Numbers about the server for Prometheus, in a registry of its own."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from winback_serving.web.reader import Runs

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class ServerMetrics:
    """What is counted.

    Examples
    --------
    >>> metrics = ServerMetrics()
    >>> metrics.answered("GET", "/healthz", 200, 0.002)
    >>> b'winback_http_requests_total{method="GET",route="/healthz",status="200"} 1.0' in metrics.text()
    True
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        labels = ("method", "route", "status")
        self._requests = Counter(
            "winback_http_requests", "Requests answered.", labels, registry=self.registry
        )
        self._seconds = Histogram(
            "winback_http_request_seconds",
            "Time to the end of the answer.",
            ("route",),
            buckets=BUCKETS,
            registry=self.registry,
        )
        self._as_of = Gauge(
            "winback_run_as_of_timestamp_seconds",
            "First instant (UTC) of the day served.",
            registry=self.registry,
        )
        self._counts = Gauge(
            "winback_run_contacts", "Contacts of the run served.", ("group",), registry=self.registry
        )

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request; ``route`` is the path's pattern, never the path itself."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def text(self, runs: Runs | None = None) -> bytes:
        """Return everything in Prometheus' text format, with the run that is served."""
        run = runs.newest() if runs is not None else None
        if run is not None:
            day = run.as_of
            self._as_of.set((day.toordinal() - 719_163) * 86_400)
            for group in ("contacts", "scored", "flagged", "entries", "exits", "holdout"):
                self._counts.labels(group).set(run.record["counts"].get(group, 0))
        return generate_latest(self.registry)
