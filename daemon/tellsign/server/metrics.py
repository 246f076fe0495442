"""What the daemon counts of itself, for Prometheus: numbers, never what a picture or a page is."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from tellsign.server.errors import Handler
from tellsign.server.job import Priority

if TYPE_CHECKING:
    from tellsign.detector import Detector
    from tellsign.server.daemon import Daemon

BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20)
"""Seconds, up to the deadline of an answer."""


class Metrics:
    """Of one daemon, in a registry of its own: tests and a second daemon count for themselves."""

    def __init__(self, daemon: "Daemon") -> None:
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "tellsign_requests",
            "Requests by route and status.",
            ["route", "status"],
            registry=registry,
        )
        self._verdicts = Counter(
            "tellsign_verdicts", "Verdicts that were given.", ["verdict"], registry=registry
        )
        self._lookups = Counter(
            "tellsign_cache_lookups",
            "Pictures that were looked for among those seen before.",
            ["result"],
            registry=registry,
        )
        self._stages = Histogram(
            "tellsign_stage_seconds",
            "Steps on the way of a picture that was not seen before.",
            ["stage"],
            buckets=BUCKETS,
            registry=registry,
        )
        registry.register(_Now(daemon))

    def request(self, route: str, status: int) -> None:
        self._requests.labels(route, str(status)).inc()

    def lookup(self, hit: bool) -> None:
        self._lookups.labels("hit" if hit else "miss").inc()

    def verdict(self, report: dict[str, Any]) -> None:
        self._verdicts.labels(report["verdict"]).inc()

    def checked(self, report: dict[str, Any]) -> None:
        for stage, milliseconds in report["timings"].items():
            self._stages.labels(stage).observe(milliseconds / 1000)

    def text(self) -> bytes:
        """The text format, https://prometheus.io/docs/instrumenting/exposition_formats/."""
        return generate_latest(self._registry)


class _Now(Collector):
    """What is read off the daemon when somebody asks."""

    def __init__(self, daemon: "Daemon") -> None:
        self._daemon = daemon

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        pictures = GaugeMetricFamily(
            "tellsign_queue_pictures", "Pictures on their way, by priority.", labels=["priority"]
        )
        size = GaugeMetricFamily(
            "tellsign_queue_bytes", "Their encoded bytes, by priority.", labels=["priority"]
        )
        for priority, load in self._daemon.queue.load().items():
            pictures.add_metric([_name(priority)], load.pictures)
            size.add_metric([_name(priority)], load.bytes)
        yield pictures
        yield size
        cache, ready = self._daemon.cache, self._daemon.state == "ready"
        bodies = self._daemon.room.bytes
        yield GaugeMetricFamily("tellsign_body_bytes", "Of bodies that are in memory.", bodies)
        yield GaugeMetricFamily("tellsign_cache_entries", "Verdicts that are kept.", len(cache))
        yield GaugeMetricFamily("tellsign_cache_bytes", "Their size in memory.", cache.bytes)
        yield GaugeMetricFamily("tellsign_ready", "Whether pictures can be checked.", ready)
        if self._daemon.model.current:
            yield _model(self._daemon.model.current)


def _model(detector: "Detector") -> Metric:
    info, engine = detector.info, detector.engine
    labels = {
        "id": info.id,
        "digest": info.digest,
        "calibration": info.calibration,
        "engine": engine.engine,
        "device": engine.device,
        "precision": engine.precision,
    }
    return InfoMetricFamily("tellsign_model", "The model in use and what runs it.", labels)


def _name(priority: Priority) -> str:
    return priority.name.lower()


METRICS = web.AppKey("metrics", Metrics)
"""As KEYS of the guard: the daemon itself imports this module."""


@web.middleware
async def count_requests(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every request, by the router's name of its route: what a client makes up has no series."""
    status = 499  # as in the log: the client went away
    try:
        response = await handler(request)
        status = response.status
    finally:
        resource = request.match_info.route.resource
        route = f"{request.method} {resource.canonical}" if resource else "unknown"
        request.app[METRICS].request(route, status)
    return response
