"""
Who there is, what they have, and how they log in: the directory, the store, the portal and its limits.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.cred.portal import Portal

from trekd.config.schema import Config
from trekd.directory.cache import CachedAdministration, CachedDirectory
from trekd.directory.interfaces import (
    IAccountAdministration,
    IDirectory,
    IDirectoryDiagnosis,
    IDirectoryServers,
    IScramDirectory,
)
from trekd.directory.watch import AccountWatch
from trekd.metrics import Metrics, TimedDirectory
from trekd.opening import open_directory, open_store
from trekd.portal.checkers import FullAddressChecker
from trekd.portal.exchanges import Mechanisms
from trekd.portal.guessing import Guessing
from trekd.portal.limits import ConnectionLedger
from trekd.portal.liveness import LivenessProbe, Sweep
from trekd.portal.plans import Plans
from trekd.portal.prefixes import Prefixes
from trekd.portal.realm import MailRealm
from trekd.proxy.factory import Balancers
from trekd.tls import channel_binding

WATCH_INTERVAL = 300.0
"""Seconds between looks at accounts that are logged in, when no cache's time says it."""


class Accounts:
    """
    The parts that know accounts.

    @ivar directory: behind a memory; C{administration}, C{diagnosis} and C{servers} are C{None} when the directory
        is not ours to change, has nothing to say about how it answers, asks no servers.
    @ivar plan_figures: the plans in force, shared with every room that asks for one.
    @ivar probe: finds connections whose peer is gone.
    @ivar checker: where logins are judged, by the portal.
    @ivar mechanisms: how a password is proved without being said.
    """

    def __init__(self, config: Config, metrics: Metrics, reactor: Any, time_of_day: Any) -> None:
        """
        @param time_of_day: the reactor for those who need dates.
        @raise ConfigFault: the directory or the store cannot be used.
        """
        self.plan_figures = dict(config.plans)
        self.plans = Plans(self.plan_figures)
        self._heartbeat_interval = config.limits.heartbeat_interval
        # The directory sees the plans in force, those of later reloads too.
        own_directory = open_directory(replace(config, plans=self.plan_figures), reactor)
        self.directory = _cached(TimedDirectory(own_directory, metrics.directory, reactor), config, reactor)
        self.servers = IDirectoryServers(own_directory, None)
        self.diagnosis = IDirectoryDiagnosis(own_directory, None)
        administration = IAccountAdministration(own_directory, None)
        self.administration = administration and CachedAdministration(administration, self.directory)
        prefixes = _prefixes(config)
        self.probe = LivenessProbe(reactor)
        self.ledger = ConnectionLedger(self.plans, config.limits, prefixes, reactor, self.probe)
        self.guessing = Guessing(config.limits, prefixes, reactor)
        self.balancers = Balancers(config.limits.proxy_networks)
        self.store = open_store(config, time_of_day)
        # SCRAM keys are not remembered: asking for them costs little, and a new password holds at once.
        scram = IScramDirectory(own_directory, None)
        self.mechanisms = Mechanisms(config.login.mechanisms, scram, channel_binding)
        self.checker = FullAddressChecker(self.directory, config.server.domains, self.guessing, reactor, scram)
        self.portal = Portal(MailRealm(self.directory, self.store, self.plans), [self.checker])
        self._sweep = Sweep(self.probe, self.ledger.counted, lambda: self._heartbeat_interval, reactor)
        self._watch = _watch(self.directory, self.ledger, reactor)
        # Changes of the embedded directory are ours; no need to look for them.
        is_ours = config.directory.backend == "local"
        self._watch_interval = None if is_ours else config.directory.ldap.cache_ttl or WATCH_INTERVAL

    def start(self) -> None:
        """Look after accounts that are logged in, and after connections whose peer may be gone."""
        if self._watch_interval is not None:
            self._watch.start(self._watch_interval)
        self._sweep.start()

    async def close(self) -> None:
        """Finish and close everything."""
        self._watch.stop()
        self._sweep.stop()
        await self.store.close()
        await self.directory.close()

    def reconfigure(self, config: Config) -> None:
        """Take over plans and limits."""
        self.plan_figures.clear()
        self.plan_figures.update(config.plans)
        prefixes = _prefixes(config)
        self._heartbeat_interval = config.limits.heartbeat_interval
        self.ledger.reconfigure(config.limits, prefixes)
        self.guessing.reconfigure(config.limits, prefixes)
        self.balancers.replace(config.limits.proxy_networks)


def _cached(directory: IDirectory, config: Config, reactor: Any) -> CachedDirectory:
    """The directory behind a memory, which whoever changes the embedded one through the daemon tells to forget."""
    if config.directory.backend == "local":
        local = config.directory.local
        return CachedDirectory(directory, reactor, local.cache_ttl, local.cache_negative_ttl, find_ttl=local.cache_ttl)
    ldap = config.directory.ldap
    times = (ldap.cache_ttl, ldap.cache_negative_ttl)
    return CachedDirectory(directory, reactor, *times, find_ttl=ldap.cache_ttl, stale=ldap.cache_stale_max)


def _prefixes(config: Config) -> Prefixes:
    return Prefixes(config.limits.ipv6_prefix, config.limits.trusted_networks)


def _watch(directory: CachedDirectory, ledger: ConnectionLedger, reactor: Any) -> AccountWatch:
    return AccountWatch(
        directory.refresh,
        lambda: [each.principal for each in ledger.sessions() if each.principal is not None],
        lambda principal: ledger.kick(principal=principal),
        reactor,
    )
