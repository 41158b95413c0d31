"""
What the queue costs by itself: C{python -m bench.queue DIRECTORY}, on a real disk.

It measures durable submissions into the spool by one writer and by sixteen at once, the same while 100,000 copies wait
already, and how long a queue of 100,000 messages takes to open and to tell what is due.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.threads import deferToThreadPool

from trekd.queue.interfaces import MailTransaction, Recipient, Route, RouteKind
from trekd.queue.spool import Spool
from trekd.queue.spoolfile import SpoolFile
from trekd.store.contents import InMemory
from trekd.values import Address, PrincipalId

reactor: Any = _reactor

MESSAGE = b"Subject: x\r\n\r\n" + b"x" * 76 * 100 + b"\r\n"
WAITING = 100_000
MANY = 2000


def transaction(number: int) -> MailTransaction:
    """For one of 1,000 domains."""
    recipient = Recipient(Address("a", f"d{number % 1000}.example"), Route(RouteKind.RELAY))
    return MailTransaction(Address("alice", "example.com"), (recipient,), PrincipalId("alice@example.com"))


def in_thread(function: Callable[..., Any], *arguments: Any) -> Any:
    """As the daemon runs it."""
    return deferToThreadPool(reactor, reactor.getThreadPool(), function, *arguments)


def opened(directory: Path) -> Spool:
    """A queue."""
    file = SpoolFile(directory, 10 * WAITING)
    file.open()
    return Spool(file, in_thread)


async def rate(spool: Spool, writers: int, count: int) -> float:
    """Durable messages a second."""
    numbers = iter(range(count))

    async def write() -> None:
        for number in numbers:
            await spool.put(transaction(number), InMemory(MESSAGE), b"", time.time())

    start = time.perf_counter()
    await gatherResults([Deferred.fromCoroutine(write()) for _ in range(writers)])
    return count / (time.perf_counter() - start)


async def fsyncs(directory: Path, count: int) -> float:
    """Files written and synced one by one, a second: what a queue of files does for each message."""
    start = time.perf_counter()
    for number in range(count):
        descriptor = os.open(directory / str(number), os.O_WRONLY | os.O_CREAT)
        os.write(descriptor, MESSAGE)
        os.fsync(descriptor)
        os.close(descriptor)
    return count / (time.perf_counter() - start)


async def measure(directory: Path) -> None:
    """All lines."""
    print(f"one file and fsync for each, one by one: {await fsyncs(directory, 500):.0f}/s")
    spool = opened(directory / "queue")
    for writers in (1, 16):
        print(f"durable put of 8 KB, {writers} at once: {await rate(spool, writers, MANY):.0f}/s")
    await rate(spool, 200, WAITING)
    for writers in (1, 16):
        print(f"the same with {WAITING} waiting, {writers} at once: {await rate(spool, writers, MANY):.0f}/s")
    await spool.close()
    start, used = time.perf_counter(), time.process_time()
    spool = opened(directory / "queue")
    print(f"opening it: {1000 * (time.perf_counter() - start):.0f} ms")
    lanes = await spool.lanes()
    await spool.closed_lanes()
    now = time.time()
    await spool.turn_back(now, now, now + 86400)
    took, cpu = time.perf_counter() - start, time.process_time() - used
    print(f"... and knowing its {len(lanes)} lanes: {1000 * took:.0f} ms, {1000 * cpu:.0f} ms CPU")
    start = time.perf_counter()
    for name, _ in list(lanes)[:200]:
        await spool.take(name, now, 100)
    print(f"taking what one lane has due: {1000 * (time.perf_counter() - start) / 200:.1f} ms")
    start = time.perf_counter()
    await spool.entries(1000)
    print(f"the list of the oldest 1,000: {1000 * (time.perf_counter() - start):.0f} ms")
    await spool.close()


def main(where: str) -> None:
    """Run and end."""

    async def run() -> None:
        try:
            await measure(Path(mkdtemp(dir=where)))
        finally:
            reactor.stop()

    reactor.callWhenRunning(lambda: Deferred.fromCoroutine(run()).addErrback(lambda failure: failure.printTraceback()))
    reactor.run()


if __name__ == "__main__":
    main(sys.argv[1])
