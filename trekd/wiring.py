"""
From the configuration to objects: with L{trekd.assembly}, all that knows which room stands behind which interface.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trekd.assembly.accounts import Accounts
from trekd.assembly.dav import shares
from trekd.assembly.entries import entry_rules
from trekd.assembly.host import Host
from trekd.assembly.mailout import MailOut
from trekd.assembly.posts import listening_posts
from trekd.assembly.threads import in_thread_of
from trekd.config.schema import Config
from trekd.metrics import LagMeter, Metrics, Sources
from trekd.opening import open_resolver
from trekd.tls import ServerTLS
from trekd.web.collaborators import Collaborators
from trekd.web.operations import Operations

Reload = Callable[[], tuple[tuple[str, ...], tuple[str, ...]]]


def compose(config: Config, reactor: Any, reload: Reload, time_of_day: Any = None) -> Host:
    """
    Make all parts; nothing listens and no thread runs yet.

    @param reload: what C{trekctl reload} calls.
    @param time_of_day: the reactor for those who need dates; C{None} for the reactor itself.
    @raise ConfigFault: a file, plugin or directory cannot be used.
    """
    time_of_day = time_of_day or reactor
    metrics = Metrics()
    accounts = Accounts(config, metrics, reactor, time_of_day)
    resolver = open_resolver(config.dns, reactor)
    mail_out = MailOut(config, accounts, resolver, reactor, time_of_day)
    parts = (accounts, mail_out)
    lag, tls = LagMeter(metrics.lag, reactor), _server_tls(config)
    host = Host(config, reactor, time_of_day, metrics, lag, resolver, accounts, mail_out, parts, tls)
    _show_metrics(host)
    host.listeners = tuple(listening_posts(host, _operations(host, reload)))
    return host


def _server_tls(config: Config) -> ServerTLS | None:
    listen = config.listen
    wanted = listen.imaps or listen.imap or listen.submissions or listen.submission or listen.https
    return ServerTLS(config.tls) if wanted or (listen.smtp and config.tls.certificate) else None


def _show_metrics(host: Host) -> None:
    accounts = host.accounts
    host.metrics.show(
        Sources(
            census=accounts.ledger.census,
            refused=accounts.ledger.refused,
            logins=accounts.checker.results,
            cache=lambda: (accounts.directory.hits, accounts.directory.misses),
            ghosts=lambda: accounts.probe.found,
            queue=host.mail_out.figures,
            servers=accounts.servers,
        )
    )


def _operations(host: Host, reload: Reload) -> Operations:
    """What C{trekctl} can ask for."""
    accounts, mail_out = host.accounts, host.mail_out
    return Operations(
        Collaborators(
            config=lambda: host.config,
            directory=accounts.directory,
            administration=accounts.administration,
            store=lambda: accounts.store,
            quota=accounts.plans.quota,
            ledger=accounts.ledger,
            status=host.status,
            reload=reload,
            failures=accounts.guessing.failures,
            forgive=accounts.guessing.forget,
            diagnosis=accounts.diagnosis,
            flush=accounts.directory.flush,
            settings=lambda: mail_out.settings,
            keys=mail_out.keys,
            resolver=host.resolver,
            sts_policy=host.sts_policy,
            demands=mail_out.demands,
            counts=mail_out.demands,
            queue=mail_out.control,
            profiles=mail_out.profiles,
            usage=mail_out.usage,
            lanes=mail_out.lanes,
            entries=entry_rules(in_thread_of(host.reactor)),
            probe=mail_out.probe,
            shares=shares(host),
        )
    )
