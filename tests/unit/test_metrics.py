"""Figures for Prometheus."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from twisted.internet.defer import ensureDeferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import implementer
from zope.interface.verify import verifyObject

from trekd.directory.interfaces import Account, DirectoryServer, IDirectory, IDirectoryServers
from trekd.errors import BadCredentials, DirectoryDown
from trekd.metrics import LAG_INTERVAL, LagMeter, Metrics, Sources, TimedDirectory
from trekd.queue.figures import QueueFigures
from trekd.values import Address

ALICE = Address("alice", "example.com")


def result_of(work: Any) -> Any:
    """What a coroutine gives that never waits."""
    found: list[Any] = []
    ensureDeferred(work).addBoth(found.append)
    (result,) = found
    if isinstance(result, Failure):
        result.raiseException()
    return result


async def _three() -> QueueFigures:
    waiting = {("relay", ""): 2, ("local", "operator"): 1}
    return QueueFigures(waiting, 7.5, {"delivered": 9}, {"failed": 1}, {"delivered": 4, "refused": 5}, 2)


def samples(metrics: Metrics) -> dict[tuple[str, ...], float]:
    """Name and label values in alphabetical order to value."""
    text = result_of(metrics.text()).decode()
    families = text_string_to_metric_families(text)
    return {(one.name, *sorted(one.labels.values())): one.value for family in families for one in family.samples}


def test_figures_of_all_rooms_are_shown() -> None:
    metrics = Metrics()
    refused = Counter({"per address": 2})
    metrics.show(
        Sources(
            census=lambda: {("imap", "nano"): 10, ("imap", ""): 1},
            refused=refused,
            logins=Counter({"accepted": 11}),
            cache=lambda: (8, 3),
            ghosts=lambda: 4,
            queue=_three,
        )
    )
    found = samples(metrics)
    assert found["trekmail_connections", "imap", "nano"] == 10
    assert found["trekmail_connections", "imap", "none"] == 1
    assert found["trekmail_refused_connections_total", "per address"] == 2
    assert found["trekmail_logins_total", "accepted"] == 11
    assert found["trekmail_credential_cache_total", "hit"] == 8
    assert found["trekmail_credential_cache_total", "miss"] == 3
    assert found["trekmail_ghosts_total",] == 4
    assert found["trekmail_queue_messages",] == 3
    assert found["trekmail_queue_copies", "nobody", "relay"] == 2
    assert found["trekmail_queue_copies", "local", "operator"] == 1
    assert found["trekmail_queue_oldest_seconds",] == 7.5
    assert found["trekmail_queue_troubled_lanes",] == 2
    assert found["trekmail_queue_attempts_total", "delivered"] == 9
    assert found["trekmail_deliveries_total", "refused"] == 5
    assert found["trekmail_notices_total", "failed"] == 1
    refused["total"] += 1
    assert samples(metrics)["trekmail_refused_connections_total", "total"] == 1


@implementer(IDirectoryServers)
class Servers:
    """One that is up, one that is down."""

    def servers(self) -> tuple[DirectoryServer, ...]:
        return DirectoryServer("ldap://a"), DirectoryServer("ldap://b", "Connection refused", 2)

    def results(self) -> dict[tuple[str, str], int]:
        return {("bind", "invalidCredentials"): 5}

    def waiting(self) -> int:
        return 6


def test_servers_of_the_directory_are_shown() -> None:
    metrics = Metrics()
    nothing: Counter[str] = Counter()
    metrics.show(Sources(dict, nothing, nothing, lambda: (0, 0), int, _three, Servers()))
    verifyObject(IDirectoryServers, Servers())
    found = samples(metrics)
    assert found["trekmail_directory_server_up", "ldap://a"] == 1
    assert found["trekmail_directory_server_up", "ldap://b"] == 0
    assert found["trekmail_directory_server_outages_total", "ldap://b"] == 2
    assert found["trekmail_directory_results_total", "bind", "invalidCredentials"] == 5
    assert found["trekmail_directory_requests",] == 6


def test_two_hosts_share_no_figures() -> None:
    first, second = Metrics(), Metrics()
    first.lag.observe(1)
    assert samples(first)["trekmail_reactor_lag_seconds_count",] == 1
    assert samples(second)["trekmail_reactor_lag_seconds_count",] == 0


def test_lag_is_how_late_the_reactor_was() -> None:
    metrics, clock = Metrics(), Clock()
    meter = LagMeter(metrics.lag, clock)
    meter.start()
    clock.advance(LAG_INTERVAL)
    clock.advance(LAG_INTERVAL + 0.3)
    found = samples(metrics)
    assert found["trekmail_reactor_lag_seconds_count",] == 2
    assert found["trekmail_reactor_lag_seconds_sum",] == pytest.approx(0.3)
    meter.stop()
    assert clock.getDelayedCalls() == []


class Directory:
    """Takes a second for each answer."""

    def __init__(self, clock: Clock, fault: Exception | None = None) -> None:
        self.clock = clock
        self.fault = fault

    async def authenticate(self, login: Address, password: str) -> Account:
        self.clock.advance(1)
        if self.fault is not None:
            raise self.fault
        return Account(login, "nano")

    async def find(self, address: Address) -> Account | None:
        self.clock.advance(0.25)
        return None

    async def search(self, text: str, limit: int) -> tuple[()]:
        return ()

    async def describe(self, address: Address) -> None:
        self.clock.advance(0.5)

    async def close(self) -> None:
        pass


@pytest.mark.parametrize(
    ("fault", "outcome"), [(None, "answered"), (BadCredentials(), "refused"), (DirectoryDown(), "failed")]
)
def test_directory_is_timed_by_question_and_outcome(fault: Exception | None, outcome: str) -> None:
    metrics, clock = Metrics(), Clock()
    directory = TimedDirectory(Directory(clock, fault), metrics.directory, clock)
    verifyObject(IDirectory, directory)
    try:
        result_of(directory.authenticate(ALICE, "x"))
    except (BadCredentials, DirectoryDown):
        pass
    assert result_of(directory.find(ALICE)) is None
    found = samples(metrics)
    assert found["trekmail_directory_seconds_sum", *sorted(("authenticate", outcome))] == 1
    assert found["trekmail_directory_seconds_sum", "answered", "find"] == 0.25
    result_of(directory.describe(ALICE))
    assert samples(metrics)["trekmail_directory_seconds_sum", "answered", "describe"] == 0.5
