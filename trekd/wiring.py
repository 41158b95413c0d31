"""
From the configuration to objects: the only module that knows which room stands behind which interface.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

from twisted.cred.portal import Portal
from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.threads import deferToThreadPool
from twisted.protocols.tls import TLSMemoryBIOFactory

from trekd import __version__
from trekd.config.schema import Config, PlanConfig
from trekd.directory.cache import CachedAdministration, CachedDirectory
from trekd.directory.interfaces import IAccountAdministration, IDirectory, IDirectoryDiagnosis, IDirectoryServers
from trekd.directory.watch import AccountWatch
from trekd.dns.resolver import Resolver
from trekd.errors import ConfigFault, TrekError
from trekd.filters.filter import AccountFilter, Post
from trekd.filters.settings import Settings
from trekd.imap.protocol import IMAPFactory
from trekd.imap.session import Services
from trekd.mailauth.keyring import Keyring
from trekd.mailauth.signer import Signer
from trekd.mailauth.verifier import Verifier
from trekd.metrics import LagMeter, Metrics, Sources, TimedDirectory
from trekd.opening import (
    name_service,
    open_demands,
    open_directory,
    open_filters,
    open_keys,
    open_relay,
    open_resolver,
    open_rewriting,
    open_settings,
    open_store,
    own_sts_policy,
)
from trekd.portal.checkers import FullAddressChecker
from trekd.portal.guessing import Guessing
from trekd.portal.limits import ConnectionLedger
from trekd.portal.liveness import LivenessProbe, Sweep
from trekd.portal.plans import Plans
from trekd.portal.prefixes import Prefixes
from trekd.portal.realm import MailRealm
from trekd.proxy.factory import Balancers, ProxiedFactory
from trekd.queue.control import QueueControl
from trekd.queue.delivery import LocalDelivery
from trekd.queue.dispatcher import Dispatcher, make_dispatcher
from trekd.queue.figures import queue_figures
from trekd.queue.flow import MailFlow, Outward
from trekd.queue.routing import Routing
from trekd.queue.schedule import Schedule
from trekd.queue.spool import Spool
from trekd.queue.spoolfile import SpoolFile
from trekd.queue.suppression import Suppressions
from trekd.queue.usage import UsageLedger
from trekd.queue.usagefile import UsageFile
from trekd.relay.demands import Demands
from trekd.relay.probing import Probe
from trekd.relay.profilefile import ProfileFile
from trekd.relay.profiles import Profiles
from trekd.relay.relay import Relay, Surroundings
from trekd.relay.sealing import KeyFile
from trekd.smtp.greylist import Greylist
from trekd.smtp.protocol import SubmissionFactory
from trekd.smtp.reception import Reception
from trekd.smtp.session import EXCHANGE, LMTP, SUBMISSION, SUBMISSIONS, Site
from trekd.store.interfaces import IStore
from trekd.tls import ClientTLS, ServerTLS
from trekd.web.collaborators import Collaborators
from trekd.web.control import control_site
from trekd.web.metrics import metrics_site
from trekd.web.operations import Operations
from trekd.web.site import public_site, redirect_site

Reload = Callable[[], tuple[tuple[str, ...], tuple[str, ...]]]

RELOADABLE = frozenset({"tls", "plans", "limits", "dns", "mta_sts"})
"""Sections whose change a running daemon takes over."""

WATCH_INTERVAL = 300.0
"""Seconds between looks at accounts that are logged in, when no cache's time says it."""

_PROXIED = ("imaps", "imap", "submissions", "submission", "smtp", "https", "http")
"""Listeners that a load balancer may stand before."""
_SECTIONS = tuple(section.name for section in fields(Config))


def _cached(directory: IDirectory, config: Config, reactor: Any) -> CachedDirectory:
    """The directory behind a memory, which whoever changes the embedded one through the daemon tells to forget."""
    if config.directory.backend == "local":
        local = config.directory.local
        return CachedDirectory(
            directory, reactor, local.cache_ttl, local.cache_negative_ttl, find_ttl=local.cache_ttl
        )
    ldap = config.directory.ldap
    times = (ldap.cache_ttl, ldap.cache_negative_ttl)
    return CachedDirectory(directory, reactor, *times, find_ttl=ldap.cache_ttl, stale=ldap.cache_stale_max)


@dataclass(slots=True)
class Host:
    """
    The parts of a running daemon.

    @ivar config: what is in force, which after a reload is not all that the file says.
    @ivar plan_figures: the plans in force, shared with every room that asks for one.
    @ivar servers: those that the directory asks; C{None} when it asks none.
    @ivar watch: looks after accounts that are logged in; idle with the embedded directory, whose changes are ours.
    @ivar tls: C{None} when no listener speaks TLS.
    @ivar started: Unix seconds.
    @ivar listeners: key of C{[listen]}, endpoint string, factory; in the order in which they are opened.
    """

    config: Config
    reactor: Any
    store: IStore
    directory: CachedDirectory
    servers: IDirectoryServers | None
    watch: AccountWatch
    plan_figures: dict[str, PlanConfig]
    guessing: Guessing
    ledger: ConnectionLedger
    sweep: Sweep
    metrics: Metrics
    lag: LagMeter
    balancers: Balancers
    resolver: Resolver
    keys: Keyring
    demands: Demands
    spool: Spool
    profiles: Profiles
    usage: UsageLedger
    flow: MailFlow
    dispatcher: Dispatcher
    settings: Settings
    relay: Relay
    tls: ServerTLS | None
    started: float = field(default_factory=time.time)
    listeners: tuple[tuple[str, str, IProtocolFactory], ...] = ()

    def start(self) -> None:
        """Start what works without being asked."""
        self.dispatcher.start()
        self.usage.start()
        if self.config.directory.backend != "local":
            self.watch.start(self.config.directory.ldap.cache_ttl or WATCH_INTERVAL)
        self.sweep.start()
        self.lag.start()

    async def close(self) -> None:
        """Finish and close everything; sessions are gone by now."""
        self.watch.stop()
        self.sweep.stop()
        self.lag.stop()
        await self.dispatcher.stop()
        self.relay.close()
        await self.spool.close()
        await self.settings.close()
        await self.demands.close()
        await self.usage.stop()
        await self.profiles.close()
        await self.store.close()
        await self.directory.close()

    def reconfigure(self, config: Config) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """
        Take over what of a new configuration can be taken over; certificates are read again in any case, and what
        is remembered of the directory is forgotten.

        @return: sections now in force, and those whose change needs a restart.
        @raise ConfigFault: nothing was taken over.
        """
        if self.tls is not None:
            self.tls.reload(config.tls)
        self.directory.flush()
        changed = {name for name in _SECTIONS if getattr(config, name) != getattr(self.config, name)}
        left = changed - RELOADABLE
        # What needs a restart stays as it runs, so that the next reload still tells of it.
        self.config = replace(config, **{name: getattr(self.config, name) for name in left})
        self.plan_figures.clear()
        self.plan_figures.update(config.plans)
        prefixes = _prefixes(config)
        self.ledger.reconfigure(config.limits, prefixes)
        self.guessing.reconfigure(config.limits, prefixes)
        self.balancers.replace(config.limits.proxy_networks)
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
        if self.servers is not None:
            facts["directory"] = [[each.uri, each.fault] for each in self.servers.servers()]
        return facts


def compose(config: Config, reactor: Any, reload: Reload) -> Host:
    """
    Make all parts; nothing listens and no thread runs yet.

    @param reload: what C{trekctl reload} calls.
    @raise ConfigFault: a file, plugin or directory cannot be used.
    """
    plan_figures = dict(config.plans)
    plans, prefixes = Plans(plan_figures), _prefixes(config)
    # The directory sees the plans in force, those of later reloads too.
    own_directory = open_directory(replace(config, plans=plan_figures), reactor)
    metrics = Metrics()
    directory = _cached(TimedDirectory(own_directory, metrics.directory, reactor), config, reactor)
    probe = LivenessProbe(reactor)
    ledger = ConnectionLedger(plans, config.limits, prefixes, reactor, probe)
    store = open_store(config, reactor)
    resolver = open_resolver(config.dns, reactor)
    demands = open_demands(config, resolver, _in_thread(reactor), reactor)
    profiles, usage = _open_profiles(config, reactor), _open_usage(config, plans, reactor)
    around = _around_relay(config, resolver, demands, profiles, reactor)
    relay = open_relay(config.relay, around)
    spool = Spool(_open_spool(config), _in_thread(reactor), relay.lane)
    delivery = LocalDelivery(store, plans)
    routing = Routing(directory, config.server, plans, profiles, config.relay.own_smtp_help)
    keys = open_keys(config, _in_thread(reactor))
    signer = Signer(keys, reactor, _in_thread(reactor))
    outward = Outward(spool, signer, Suppressions(spool, config.queue.suppression, reactor), usage)
    flow = MailFlow(routing, delivery, outward, reactor)
    settings = _add_filters(config, flow, routing, reactor)
    host = Host(
        config=config,
        reactor=reactor,
        store=store,
        directory=directory,
        servers=IDirectoryServers(own_directory, None),
        watch=_watch(directory, ledger, reactor),
        plan_figures=plan_figures,
        guessing=Guessing(config.limits, prefixes, reactor),
        ledger=ledger,
        sweep=Sweep(probe, ledger.counted, lambda: host.config.limits.heartbeat_interval, reactor),
        metrics=metrics,
        lag=LagMeter(metrics.lag, reactor),
        balancers=Balancers(config.limits.proxy_networks),
        resolver=resolver,
        keys=keys,
        demands=demands,
        spool=spool,
        profiles=profiles,
        usage=usage,
        flow=flow,
        dispatcher=make_dispatcher(flow, relay, Schedule(config.queue), config.queue, reactor),
        settings=settings,
        relay=relay,
        tls=_server_tls(config),
    )
    checker = FullAddressChecker(directory, config.server.domains, host.guessing, reactor)
    portal = Portal(MailRealm(directory, store, plans), [checker])
    profiles.watch(host.dispatcher.profile_changed)
    _show_metrics(host, checker, probe)
    operations = _operations(host, own_directory, around, plans, reload)
    host.listeners = tuple(_listeners(host, portal, operations))
    return host


def _watch(directory: CachedDirectory, ledger: ConnectionLedger, reactor: Any) -> AccountWatch:
    return AccountWatch(
        directory.refresh,
        lambda: [each.principal for each in ledger.sessions() if each.principal is not None],
        lambda principal: ledger.kick(principal=principal),
        reactor,
    )


def _show_metrics(host: Host, checker: FullAddressChecker, probe: LivenessProbe) -> None:
    host.metrics.show(
        Sources(
            census=host.ledger.census,
            refused=host.ledger.refused,
            logins=checker.results,
            cache=lambda: (host.directory.hits, host.directory.misses),
            ghosts=lambda: probe.found,
            queue=lambda: queue_figures(host.flow, host.dispatcher, host.reactor),
            servers=host.servers,
        )
    )


def _operations(
    host: Host, own_directory: IDirectory, around: Surroundings, plans: Plans, reload: Reload
) -> Operations:
    """
    What trekctl can ask for.

    @param own_directory: the one behind the cache, for what a cache has no part in.
    """
    administration = IAccountAdministration(own_directory, None)
    return Operations(
        Collaborators(
            config=lambda: host.config,
            directory=host.directory,
            administration=administration and CachedAdministration(administration, host.directory),
            store=lambda: host.store,
            quota=plans.quota,
            ledger=host.ledger,
            status=host.status,
            reload=reload,
            failures=host.guessing.failures,
            forgive=host.guessing.forget,
            diagnosis=IDirectoryDiagnosis(own_directory, None),
            flush=host.directory.flush,
            settings=lambda: host.settings,
            keys=host.keys,
            resolver=host.resolver,
            sts_policy=partial(_own_policy, host),
            demands=host.demands,
            counts=host.demands,
            queue=QueueControl(host.spool, host.dispatcher, host.flow.outward.suppressions),
            profiles=host.profiles,
            usage=host.usage,
            lanes=lambda: {
                lane.name: {"open": not lane.closed, "reply": lane.closed or lane.failure}
                for lane in host.dispatcher.states()
            },
            probe=Probe(host.config.relay, around),
        )
    )


def _add_filters(config: Config, flow: MailFlow, routing: Routing, reactor: Any) -> Settings:
    """What accounts have set applies to their mail, and bounces of what was forwarded find their way back."""
    settings, rewriting = open_settings(config, _in_thread(reactor)), open_rewriting(config)
    routing.restore = lambda address: rewriting.restore(address, reactor.seconds())
    post = Post(routing.resolve, routing.is_served, config.server.hostname, reactor)
    flow.judge = AccountFilter(settings, rewriting, post)
    return settings


def _own_policy(host: Host) -> bytes:
    """Our MTA-STS policy as the configuration in force has it."""
    return own_sts_policy(host.config)


def _around_relay(
    config: Config, resolver: Resolver, demands: Demands, profiles: Profiles, reactor: Any
) -> Surroundings:
    """
    @raise ConfigFault: the authorities to trust cannot be read.
    """
    return Surroundings(
        hostname=config.server.hostname,
        resolver=resolver,
        demands=demands,
        profiles=profiles,
        tls=ClientTLS(config.relay.trusted),
        reactor=reactor,
    )


def _reception(config: Config, resolver: Resolver, reactor: Any) -> Reception:
    """What mail from other servers has to pass."""
    settings = config.reception
    greylist = Greylist(settings, reactor) if settings.greylisting else None
    verifier = Verifier(resolver, config.server.hostname, reactor, _in_thread(reactor))
    return Reception(settings, verifier, open_filters(config, reactor), greylist)


def _prefixes(config: Config) -> Prefixes:
    return Prefixes(config.limits.ipv6_prefix, config.limits.trusted_networks)


def _server_tls(config: Config) -> ServerTLS | None:
    listen = config.listen
    wanted = listen.imaps or listen.imap or listen.submissions or listen.submission or listen.https
    return ServerTLS(config.tls) if wanted or (listen.smtp and config.tls.certificate) else None


def _open_spool(config: Config) -> SpoolFile:
    data_dir = config.server.data_dir
    file = SpoolFile(Path(data_dir) / "queue", config.queue.max_messages)
    try:
        file.open()
    except (OSError, TrekError) as error:
        raise ConfigFault(f"[server] data_dir = {data_dir!r}: the queue cannot be opened: {error}") from None
    return file


def _open_profiles(config: Config, reactor: Any) -> Profiles:
    """
    @raise ConfigFault: they cannot be read.
    """
    data_dir = Path(config.server.data_dir)
    file = ProfileFile(data_dir / "own-smtp.sqlite")
    file.open()
    keys = KeyFile(Path(config.relay.secret_key_file or data_dir / "keys" / "own-smtp.key"))
    return Profiles(file, keys, _in_thread(reactor))


def _open_usage(config: Config, plans: Plans, reactor: Any) -> UsageLedger:
    data_dir = config.server.data_dir
    file = UsageFile(Path(data_dir) / "usage.sqlite")
    try:
        file.open()
    except (OSError, TrekError) as error:
        raise ConfigFault(f"[server] data_dir = {data_dir!r}: what was sent cannot be counted: {error}") from None
    return UsageLedger(file, plans, reactor, _in_thread(reactor))


def _in_thread(reactor: Any) -> Callable[..., Any]:
    """Run blocking calls in the reactor's own pool, which starts with the reactor."""

    def in_thread(function: Callable[..., Any], *arguments: Any) -> Any:
        return deferToThreadPool(reactor, reactor.getThreadPool(), function, *arguments)

    return in_thread


def _listeners(
    host: Host, portal: Portal, operations: Operations
) -> Iterator[tuple[str, str, IProtocolFactory]]:
    config, reactor, tls = host.config, host.reactor, host.tls
    services = Services(portal, host.store, config.imap, config.server.hostname)
    sts_policy = partial(_own_policy, host)
    reception = _reception(config, host.resolver, reactor)
    site = Site(config.server.hostname, config.smtp, host.flow, host.ledger, portal, reactor, reception)
    factories: dict[str, Callable[[], IProtocolFactory]] = {
        "imaps": lambda: _inside_tls(tls, IMAPFactory(services, host.ledger, reactor)),
        "imap": lambda: IMAPFactory(services, host.ledger, reactor, tls),
        "submissions": lambda: _inside_tls(tls, SubmissionFactory(site, SUBMISSIONS)),
        "submission": lambda: SubmissionFactory(site, SUBMISSION, tls),
        "smtp": lambda: SubmissionFactory(site, EXCHANGE, tls),
        "lmtp": lambda: SubmissionFactory(site, LMTP),
        "https": lambda: _inside_tls(tls, public_site(config.server.hostname, reactor, sts_policy, host.ledger)),
        "http": lambda: redirect_site(config.server.hostname, reactor, host.ledger),
        "control": lambda: control_site(operations),
        "metrics": lambda: metrics_site(host.metrics.text, reactor),
    }
    for service, make in factories.items():
        for endpoint in getattr(config.listen, service):
            factory = make()
            if service in _PROXIED:
                factory = ProxiedFactory(factory, host.balancers, reactor)
            yield service, endpoint, factory


def _inside_tls(tls: Any, factory: IProtocolFactory) -> IProtocolFactory:
    return TLSMemoryBIOFactory(tls, isClient=False, wrappedFactory=factory)
