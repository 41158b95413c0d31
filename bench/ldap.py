"""
C{python -m bench.ldap}: logins against a private slapd with 10,000 accounts, and what they cost the reactor.

Lag is how late the ticks of a 5 ms timer come.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import DeferredList, ensureDeferred
from twisted.internet.task import react

from tests.fakes.slapd import Slapd, crowd
from trekd.directory.cache import CachedDirectory
from trekd.directory.ldap.directory import LDAPDirectory
from trekd.values import Address

ACCOUNTS = 10_000
TICK = 0.005


class Lag:
    """Ticks until it is stopped."""

    def __init__(self) -> None:
        self.late: list[float] = []
        self._due = 0.0
        self._call: Any = None
        self._tick()

    def _tick(self) -> None:
        now = time.perf_counter()
        if self._due:
            self.late.append(max(0.0, now - self._due))
        self._due = now + TICK
        self._call = reactor.callLater(TICK, self._tick)  # type: ignore[attr-defined]

    def stop(self) -> str:
        """The 50th and 99th percentile, and the worst, in milliseconds."""
        self._call.cancel()
        ordered = sorted(self.late) or [0.0]
        worst = (statistics.median(ordered), ordered[int(len(ordered) * 0.99)], ordered[-1])
        return " / ".join(f"{1000 * each:.1f}" for each in worst)


async def measure(title: str, directory: Any, count: int, at_once: int, accounts: int) -> None:
    """Log in; print rate, CPU of this process per login, and lag."""
    numbers = iter(range(count))

    async def some() -> None:
        for number in numbers:
            await directory.authenticate(Address(f"u{1 + number * 7 % accounts:05}", "example.com"), "password")

    lag, started, cpu = Lag(), time.perf_counter(), time.process_time()
    waiting = [ensureDeferred(some()) for _ in range(at_once)]
    await DeferredList(waiting, fireOnOneErrback=True)
    passed, cost = time.perf_counter() - started, time.process_time() - cpu
    print(f"| {title} | {count / passed:.0f} | {1000 * cost / count:.2f} | {lag.stop()} |", flush=True)


async def main(_: Any) -> None:
    """All lines."""
    slapd = Slapd(crowd(ACCOUNTS, "password"))
    directory = LDAPDirectory(slapd.config(), frozenset({"nano"}), reactor)
    over_tls = LDAPDirectory(slapd.config(uris=(slapd.tls_uri,)), frozenset({"nano"}), reactor)
    by_template = LDAPDirectory(
        slapd.config(auth="template", user_dn_template="uid={local},ou=people,dc=example,dc=com"),
        frozenset({"nano"}),
        reactor,
    )
    cache = CachedDirectory(directory, reactor, find_ttl=300)  # type: ignore[arg-type]
    try:
        print("| logins | a second | CPU ms each | lag ms 50% / 99% / worst |\n|---|---|---|---|")
        await measure("search, then bind; 1 at a time", directory, 2000, 1, ACCOUNTS)
        await measure("8 at a time", directory, 3000, 8, ACCOUNTS)
        await measure("32 at a time", directory, 3000, 32, ACCOUNTS)
        await measure("32 at a time over TLS", over_tls, 3000, 32, ACCOUNTS)
        await measure("template; 8 at a time", by_template, 3000, 8, ACCOUNTS)
        await measure("first time through the cache; 32 at a time", cache, 1000, 32, 1000)
        await measure("remembered; 1 at a time", cache, 20_000, 1, 1000)
        started = time.perf_counter()
        found = await directory.search("user 00", 50)
        print(f"address list: {len(found)} of 99 found in {time.perf_counter() - started:.3f} s")
    finally:
        for each in (directory, over_tls, by_template):
            await each.close()
        slapd.close()


if __name__ == "__main__":
    react(main)
