"""Metrics for Prometheus: requests by route and status, counted cheaply, and features' gauges.

A feature counts with `prometheus_client.Counter` of its own; what must be read at the moment of the
scrape (an age, a backlog) is registered here as a gauge with an async reader.
"""

import asyncio
import math
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TypeVar

import structlog
from prometheus_client import REGISTRY, CollectorRegistry, Gauge, generate_latest
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

CONTENT_TYPE = "text/plain; version=1.0.0"  # Litestar adds the charset of a text

_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_READ_TIMEOUT_S = 5

_logger = structlog.get_logger(__name__)

Read = TypeVar("Read")
Reader = Callable[[], Awaitable[float]]
FamilyReader = Callable[[], Awaitable[Mapping[str, float]]]


class _Histogram:
    __slots__ = ("counts", "sum_s")

    def __init__(self) -> None:
        self.counts = [0] * (len(_BUCKETS_S) + 1)
        self.sum_s = 0.0


class _Requests(Collector):
    """Latency histograms as plain lists: a dict look-up and two additions a request."""

    def __init__(self) -> None:
        self._histograms: dict[tuple[str, str, int], _Histogram] = {}

    def count(self, key: tuple[str, str, int], seconds: float) -> None:
        histogram = self._histograms.get(key)
        if histogram is None:
            histogram = self._histograms[key] = _Histogram()
        histogram.counts[bisect_left(_BUCKETS_S, seconds)] += 1
        histogram.sum_s += seconds

    def collect(self) -> Iterable[Metric]:
        family = HistogramMetricFamily(
            "coalition_http_request_seconds",
            "Time from the first byte of a request to the last of its answer",
            labels=("method", "route", "status"),
        )
        for (method, route, status), histogram in self._histograms.items():
            total = 0
            buckets: list[tuple[str, float]] = []
            bounds = (*map(str, _BUCKETS_S), "+Inf")
            for bound, number in zip(bounds, histogram.counts, strict=True):
                total += number
                buckets.append((bound, total))
            labels = (method, route, str(status))
            family.add_metric(labels, buckets=buckets, sum_value=histogram.sum_s)
        yield family


class Metrics:
    """What one service process counts. One event loop; not for several threads."""

    def __init__(self) -> None:
        self.in_flight = 0
        """Requests that are being answered now."""
        self.idle = asyncio.Event()
        """Set while no request is being answered."""
        self.idle.set()
        self._registry = CollectorRegistry()
        self._requests = _Requests()
        self._registry.register(self._requests)
        self._in_flight = Gauge(
            "coalition_http_requests_in_flight",
            "Requests that are being answered now",
            registry=self._registry,
        )
        self._in_flight.set_function(lambda: self.in_flight)
        self._readers: list[tuple[Gauge, Reader]] = []
        self._families: list[tuple[Gauge, FamilyReader]] = []

    def request_begins(self) -> None:
        """Know of one more request in flight."""
        if not self.in_flight:
            self.idle.clear()
        self.in_flight += 1

    def request_ends(self, *, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request that was answered."""
        self.in_flight -= 1
        if not self.in_flight:
            self.idle.set()
        self._requests.count((method, route, status), seconds)

    def gauge(self, name: str, documentation: str, read: Reader) -> None:
        """Register a gauge that `read` reads at every scrape; `name` ends in its unit."""
        gauge = Gauge(name, documentation, registry=self._registry)
        self._readers.append((gauge, read))

    def gauges(self, name: str, documentation: str, *, label: str, read: FamilyReader) -> None:
        """Register gauges that `read` reads together, each by its value of `label`."""
        family = Gauge(name, documentation, (label,), registry=self._registry)
        self._families.append((family, read))

    async def exposition(self) -> bytes:
        """Return all metrics in Prometheus' text format.

        A gauge that cannot be read is NaN, and one of a family is left out.
        """
        for gauge, read in self._readers:
            gauge.set(await _read(read, gauge, otherwise=math.nan))
        for family, read_all in self._families:
            nothing: Mapping[str, float] = {}
            values = await _read(read_all, family, otherwise=nothing)
            family.clear()
            for value, number in values.items():
                family.labels(value).set(number)
        return generate_latest(self._registry) + generate_latest(REGISTRY)


async def _read(read: Callable[[], Awaitable[Read]], gauge: Gauge, *, otherwise: Read) -> Read:
    try:
        async with asyncio.timeout(_READ_TIMEOUT_S):
            return await read()
    except Exception as error:  # noqa: BLE001 - one gauge that fails must not hide the others
        name = next(iter(gauge.describe())).name
        _logger.warning("gauge_unreadable", gauge=name, error=type(error).__name__)
        return otherwise
