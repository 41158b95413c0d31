"""
C{python -m bench.ledger}: what 10,000 connections cost the ledger and the sweep, and how long the reactor waits.

The connections are real ones over loopback, so that TCP_INFO and keepalive cost what they cost; their other
ends in a child.
"""

from __future__ import annotations

import os
import resource
import socket
import sys
import time
import tracemalloc
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred
from twisted.internet.task import deferLater, react

from bench.ldap import Lag
from tests.fakes.connections import FakeConnection
from trekd.config.schema import PLANS, LimitsConfig
from trekd.directory.interfaces import Account
from trekd.portal.limits import ConnectionLedger
from trekd.portal.liveness import LivenessProbe
from trekd.portal.plans import Plans
from trekd.portal.prefixes import Prefixes
from trekd.values import Address

CONNECTIONS = 10_000


class Connection(FakeConnection):
    """One of the connections."""

    def __init__(self, number: int, handle: socket.socket) -> None:
        super().__init__(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
        self.handle = handle

    def kernel_socket(self) -> Any:
        """See L{FakeConnection}."""
        return self.handle


def accepted() -> tuple[list[socket.socket], int]:
    """Our ends, and the process that has the others."""
    server = socket.create_server(("127.0.0.1", 0), backlog=4096)
    child = os.fork()
    if not child:
        others = [socket.create_connection(server.getsockname()) for _ in range(CONNECTIONS)]
        time.sleep(600)
        os._exit(len(others) & 0)
    return [server.accept()[0] for _ in range(CONNECTIONS)], child


async def measured(title: str, work: Any) -> None:
    """Print the CPU of some work, and the worst lag."""
    lag, cpu = Lag(), time.process_time()
    await work
    cost = time.process_time() - cpu
    print(f"| {title} | {1000 * cost:.1f} | {lag.stop()} |", flush=True)


async def main(_: Any) -> None:
    """All lines."""
    handles, child = accepted()
    probe = LivenessProbe(reactor)
    ledger = ConnectionLedger(Plans(PLANS), LimitsConfig(), Prefixes(), reactor, probe)  # type: ignore[arg-type]
    connections = [Connection(number, handle) for number, handle in enumerate(handles)]
    accounts = [Account(Address(f"u{number}", "example.com"), "nano") for number in range(CONNECTIONS)]
    leases = []
    tracemalloc.start()
    before, _peak = tracemalloc.get_traced_memory()
    for connection, account in zip(connections, accounts, strict=True):
        lease = ledger.open(connection)
        await ensureDeferred(lease.log_in(account, True))  # type: ignore[arg-type]
        leases.append(lease)
    print(f"ledger: {(tracemalloc.get_traced_memory()[0] - before) / 1e6:.2f} MB for {CONNECTIONS} accounts")
    tracemalloc.stop()
    print("| | CPU, ms | reactor lag, ms: 50% / 99% / worst |\n|---|---|---|")
    await measured("nothing, for comparison", ensureDeferred(idle(2)))
    await measured("sweep, nobody silent", ensureDeferred(probe.sweep(ledger.counted(), 3600)))
    await idle(1.1)
    await measured("sweep, everybody has to be asked", ensureDeferred(probe.sweep(ledger.counted(), 1)))
    os.kill(child, 9)
    os.waitpid(child, 0)


async def idle(seconds: float) -> None:
    """Let time pass."""
    await deferLater(reactor, seconds)  # type: ignore[arg-type]


if __name__ == "__main__":
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    react(main, sys.argv[1:])
