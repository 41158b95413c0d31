"""
The running daemon: its parts, their start and end, and what a reload changes of them.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable
from dataclasses import dataclass, field, fields, replace
from typing import Any, Protocol

from twisted.internet.interfaces import IProtocolFactory

from trekd import __version__
from trekd.assembly.accounts import Accounts
from trekd.assembly.mailout import MailOut
from trekd.config.schema import Config
from trekd.dns.resolver import Resolver
from trekd.metrics import LagMeter, Metrics
from trekd.opening import name_service, own_sts_policy
from trekd.tls import ServerTLS

RELOADABLE = frozenset({"tls", "plans", "limits", "dns", "mta_sts"})
"""Sections whose change a running daemon takes over."""

_SECTIONS = tuple(section.name for section in fields(Config))


class Part(Protocol):
    """Rooms that start and end as one."""

    def start(self) -> None:
        """Start what works without being asked."""

    def close(self) -> Awaitable[None]:
        """Finish and close everything."""


@dataclass(slots=True)
class Host:
    """
    The parts of a running daemon.

    @ivar config: what is in force, which after a reload is not all that the file says.
    @ivar time_of_day: the reactor for those who need dates.
    @ivar parts: each needs only those before it; started in this order, ended in the opposite one.
    @ivar tls: C{None} when no listener speaks TLS.
    @ivar started: Unix seconds.
    @ivar listeners: key of C{[listen]}, endpoint string, factory; in the order in which they are opened.
    """

    config: Config
    reactor: Any
    time_of_day: Any
    metrics: Metrics
    lag: LagMeter
    resolver: Resolver
    accounts: Accounts
    mail_out: MailOut
    parts: tuple[Part, ...]
    tls: ServerTLS | None
    started: float = field(default_factory=time.time)
    listeners: tuple[tuple[str, str, IProtocolFactory], ...] = ()

    def start(self) -> None:
        """Start what works without being asked."""
        for part in self.parts:
            part.start()
        self.lag.start()

    async def close(self) -> None:
        """Finish and close everything; sessions are gone by now."""
        self.lag.stop()
        for part in reversed(self.parts):
            await part.close()

    def reconfigure(self, config: Config) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """
        Take over what of a new configuration can be taken over; certificates are read again in any case, and what
        is remembered of the directory is forgotten.

        @return: sections now in force, and those whose change needs a restart.
        @raise ConfigFault: nothing was taken over.
        """
        if self.tls is not None:
            self.tls.reload(config.tls)
        self.accounts.directory.flush()
        changed = {name for name in _SECTIONS if getattr(config, name) != getattr(self.config, name)}
        left = changed - RELOADABLE
        # What needs a restart stays as it runs, so that the next reload still tells of it.
        self.config = replace(config, **{name: getattr(self.config, name) for name in left})
        self.accounts.reconfigure(config)
        # The host's own files may have changed as well.
        self.resolver.reconfigure(*name_service(config.dns, self.reactor))
        return tuple(sorted({"tls"} | changed & RELOADABLE)), tuple(sorted(left))

    def status(self) -> dict[str, Any]:
        """What C{trekctl status} shows beside the sessions."""
        facts = {
            "version": __version__,
            "hostname": self.config.server.hostname,
            "started": self.started,
            "listeners": [[service, endpoint] for service, endpoint, _ in self.listeners],
        }
        if self.accounts.servers is not None:
            facts["directory"] = [[each.uri, each.fault] for each in self.accounts.servers.servers()]
        return facts

    def sts_policy(self) -> bytes:
        """Our MTA-STS policy as the configuration in force has it."""
        return own_sts_policy(self.config)
