"""
Figures for Prometheus: a registry of this host's own, filled when it is asked for and by two meters that run.

Rooms count in plain attributes and know nothing of this.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from prometheus_client import CollectorRegistry, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from zope.interface import implementer

from trekd.directory.interfaces import Account, Alias, DirectoryEntry, Group, IDirectory, IDirectoryServers
from trekd.errors import Refused
from trekd.queue.figures import QueueFigures
from trekd.values import Address

T = TypeVar("T")

LAG_INTERVAL = 0.5
"""Seconds between looks at the reactor's clock."""
_LAG_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)
_DIRECTORY_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Sources:
    """
    Where figures come from.

    @ivar census: gives connections by service and plan.
    @ivar refused: connections refused, by reason.
    @ivar logins: by result.
    @ivar cache: gives passwords judged from memory, and those that were not.
    @ivar ghosts: gives connections whose peer had vanished.
    @ivar queue: gives the figures of the queue.
    @ivar servers: of the directory; C{None} when it asks none.
    """

    census: Callable[[], Mapping[tuple[str, str], int]]
    refused: Mapping[str, int]
    logins: Mapping[str, int]
    cache: Callable[[], tuple[int, int]]
    ghosts: Callable[[], int]
    queue: Callable[[], Awaitable[QueueFigures]]
    servers: IDirectoryServers | None = None


class Metrics:
    """
    The figures of one host.

    @ivar directory: seconds that the directory took, by question and outcome.
    @ivar lag: seconds that the reactor was late.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.directory = Histogram(
            "trekmail_directory_seconds",
            "Time that the directory took to answer, caches aside.",
            ["question", "outcome"],
            registry=self.registry,
            buckets=_DIRECTORY_BUCKETS,
        )
        self.lag = Histogram(
            "trekmail_reactor_lag_seconds",
            "How late the event loop was.",
            registry=self.registry,
            buckets=_LAG_BUCKETS,
        )
        ProcessCollector(registry=self.registry)
        self._sources: Sources | None = None

    def show(self, sources: Sources) -> None:
        """Take figures from there too, at each request."""
        self._sources = sources

    async def text(self) -> bytes:
        """All figures in Prometheus' text format 0.0.4."""
        own = generate_latest(self.registry)
        if self._sources is None:
            return own
        moment = CollectorRegistry()
        moment.register(_Moment(self._sources, await self._sources.queue()))
        return own + generate_latest(moment)


class _Moment(Collector):
    """What the rooms' counts are now."""

    def __init__(self, sources: Sources, queue: QueueFigures) -> None:
        self._sources = sources
        self._queue = queue

    def collect(self) -> Iterator[Metric]:
        """See C{Collector}."""
        sources = self._sources
        connections = GaugeMetricFamily(
            "trekmail_connections", "Open connections; plan none before login.", labels=("service", "plan")
        )
        for (service, plan), count in sources.census().items():
            connections.add_metric((service, plan or "none"), count)
        yield connections
        yield _counter("trekmail_refused_connections", "Connections refused.", "reason", sources.refused)
        yield _counter("trekmail_logins", "Logins by result.", "result", sources.logins)
        hits, misses = sources.cache()
        looked_up = {"hit": hits, "miss": misses}
        yield _counter("trekmail_credential_cache", "Passwords judged from memory, or not.", "result", looked_up)
        yield CounterMetricFamily("trekmail_ghosts", "Connections whose peer had vanished.", value=sources.ghosts())
        yield from _queue_metrics(self._queue)
        if sources.servers is not None:
            yield from _directory(sources.servers)


def _directory(directory: IDirectoryServers) -> Iterator[Metric]:
    """How the directory's servers are, and what they answered."""
    is_up = GaugeMetricFamily("trekmail_directory_server_up", "Directory servers that are used.", labels=("server",))
    outages = CounterMetricFamily("trekmail_directory_server_outages", "Servers found down.", labels=("server",))
    for server in directory.servers():
        is_up.add_metric((server.uri,), not server.fault)
        outages.add_metric((server.uri,), server.outages)
    results = CounterMetricFamily(
        "trekmail_directory_results", "Answers of directory servers.", labels=("operation", "result")
    )
    for labels, count in directory.results().items():
        results.add_metric(labels, count)
    yield from (is_up, outages, results)
    yield GaugeMetricFamily(
        "trekmail_directory_requests", "Questions that are asked now or wait.", value=directory.waiting()
    )


def _queue_metrics(queue: QueueFigures) -> Iterator[Metric]:
    total = sum(queue.waiting.values())
    yield GaugeMetricFamily("trekmail_queue_messages", "Copies of messages that wait in the queue.", value=total)
    copies = GaugeMetricFamily(
        "trekmail_queue_copies", "The same by kind of route, and by who holds them.", labels=("route", "held_by")
    )
    for (route, held_by), count in queue.waiting.items():
        copies.add_metric((route, held_by or "nobody"), count)
    yield copies
    yield GaugeMetricFamily("trekmail_queue_oldest_seconds", "Age of the oldest copy in the queue.", value=queue.oldest)
    yield GaugeMetricFamily(
        "trekmail_queue_troubled_lanes", "Lanes whose server cannot be reached or refuses us.", value=queue.troubled
    )
    yield _counter("trekmail_queue_attempts", "Attempts of queued copies by result.", "result", queue.attempts)
    yield _counter("trekmail_deliveries", "Deliveries into mailboxes by result.", "result", queue.deliveries)
    yield _counter("trekmail_notices", "Delivery status notifications by action.", "action", queue.notices)


def _counter(name: str, text: str, label: str, counts: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(name, text, labels=(label,))
    for key, count in counts.items():
        family.add_metric((key,), count)
    return family


class LagMeter:
    """Measures how late the reactor calls what is due."""

    def __init__(self, lag: Histogram, clock: IReactorTime) -> None:
        self._lag = lag
        self._clock = clock
        self._next: IDelayedCall | None = None

    def start(self) -> None:
        """Measure from now on."""
        self._next = self._clock.callLater(LAG_INTERVAL, self._measure, self._clock.seconds() + LAG_INTERVAL)

    def stop(self) -> None:
        """Measure no more."""
        if self._next is not None and self._next.active():
            self._next.cancel()

    def _measure(self, due: float) -> None:
        self._lag.observe(max(0.0, self._clock.seconds() - due))
        self.start()


@implementer(IDirectory)
class TimedDirectory:
    """A directory whose answers are timed."""

    def __init__(self, directory: IDirectory, seconds: Histogram, clock: IReactorTime) -> None:
        self._directory = directory
        self._seconds = seconds
        self._clock = clock

    async def authenticate(self, login: Address, password: str) -> Account:
        """See L{IDirectory.authenticate}."""
        return await self._timed("authenticate", self._directory.authenticate(login, password))

    async def find(self, address: Address) -> Account | Group | Alias | None:
        """See L{IDirectory.find}."""
        return await self._timed("find", self._directory.find(address))

    async def search(self, text: str, limit: int) -> tuple[DirectoryEntry, ...]:
        """See L{IDirectory.search}."""
        return await self._timed("search", self._directory.search(text, limit))

    async def describe(self, address: Address) -> DirectoryEntry | None:
        """See L{IDirectory.describe}."""
        return await self._timed("describe", self._directory.describe(address))

    async def close(self) -> None:
        """See L{IDirectory.close}."""
        await self._directory.close()

    async def _timed(self, question: str, answer: Awaitable[T]) -> T:
        start, outcome = self._clock.seconds(), "failed"
        try:
            result = await answer
            outcome = "answered"
            return result
        except Refused:
            outcome = "refused"
            raise
        finally:
            self._seconds.labels(question, outcome).observe(max(0.0, self._clock.seconds() - start))
