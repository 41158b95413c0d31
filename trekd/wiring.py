"""
From the configuration to objects: the only module that knows which room stands behind which interface.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from twisted.cred.portal import Portal
from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.threads import deferToThreadPool
from twisted.plugin import getPlugins
from zope.interface import Interface

from trekd.config.schema import Config
from trekd.directory.cache import CachedDirectory
from trekd.directory.interfaces import IDirectory, IDirectoryProvider
from trekd.errors import ConfigFault
from trekd.mime.reader import MimeReader
from trekd.portal.checkers import FullAddressChecker
from trekd.portal.guessing import Guessing
from trekd.portal.limits import ConnectionLedger
from trekd.portal.plans import Plans
from trekd.portal.prefixes import Prefixes
from trekd.portal.realm import MailRealm
from trekd.queue.flow import MailFlow
from trekd.store.interfaces import IStore, IStoreProvider
from trekd.tls import ServerTLS

Reload = Callable[[], tuple[tuple[str, ...], tuple[str, ...]]]

RELOADABLE = frozenset({"tls", "plans", "limits"})
"""Sections whose change a running daemon takes over."""


def _provider(interface: type[Interface], name: str, key: str) -> Any:
    """
    The plugin of that name (C{twisted/plugins}; ours register the same way).

    @raise ConfigFault: there is none.
    """
    found = {provider.name: provider for provider in getPlugins(interface)}
    if name not in found:
        raise ConfigFault(f"{key} = {name!r}: no such provider; known are {', '.join(sorted(found))}")
    return found[name]


def open_directory(config: Config, reactor: Any) -> IDirectory:
    """
    The directory that the configuration names, without a cache.

    @raise ConfigFault: it cannot be used.
    """
    provider: IDirectoryProvider = _provider(IDirectoryProvider, config.directory.backend, "[directory] backend")
    return provider.make(config, reactor)


def open_store(config: Config, reactor: Any) -> IStore:
    """
    The store that the configuration names.

    @raise ConfigFault: it cannot be used.
    """
    provider: IStoreProvider = _provider(IStoreProvider, config.store.backend, "[store] backend")
    return provider.make(config, MimeReader(), reactor)


@dataclass(slots=True)
class Host:
    """
    The parts of a running daemon.

    @ivar listeners: key of C{[listen]}, endpoint string, factory; in the order in which they are opened.
    @ivar tls: C{None} when no listener speaks TLS.
    """

    config: Config
    reactor: Any
    store: IStore
    directory: IDirectory
    plans: Plans
    guessing: Guessing
    ledger: ConnectionLedger
    flow: MailFlow
    tls: ServerTLS | None
    listeners: tuple[tuple[str, str, IProtocolFactory], ...] = ()

    def start(self) -> None:
        """Start what works without being asked."""
        self.flow.start()

    async def close(self) -> None:
        """Finish and close everything; sessions are gone by now."""
        await self.flow.close()
        await self.store.close()
        await self.directory.close()

    def reconfigure(self, config: Config) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """
        Take over what of a new configuration can be taken over; certificates are read again in any case.

        @return: sections now in force, and those whose change needs a restart.
        @raise ConfigFault: nothing was taken over.
        """
        changed = {field.name for field in fields(Config) if getattr(config, field.name) != getattr(self.config, field.name)}
        if self.tls is not None:
            self.tls.reload(config.tls)
        prefixes = _prefixes(config)
        self.plans.replace(config.plans)
        self.ledger.reconfigure(config.limits, prefixes)
        self.guessing.reconfigure(config.limits, prefixes)
        left = changed - RELOADABLE
        # What was left is compared with what runs, not with what the file said last.
        kept = {name: getattr(self.config, name) for name in left}
        self.config = _replace(config, kept)
        return tuple(sorted({"tls"} | changed & RELOADABLE)), tuple(sorted(left))


def _replace(config: Config, values: Mapping[str, Any]) -> Config:
    return Config(**{field.name: values.get(field.name, getattr(config, field.name)) for field in fields(Config)})


def _prefixes(config: Config) -> Prefixes:
    return Prefixes(config.limits.ipv6_prefix, config.limits.trusted_networks)


def compose(config: Config, reactor: Any, reload: Reload) -> Host:
    """
    Make all parts; nothing listens and no thread runs yet.

    @param reload: what C{trekctl reload} calls.
    @raise ConfigFault: a file, plugin or directory cannot be used.
    """
    listen = config.listen
    needs_tls = listen.imaps or listen.imap or listen.submissions or listen.submission or listen.https
    tls = ServerTLS(config.tls) if needs_tls else None
    plans, prefixes = Plans(config.plans), _prefixes(config)
    own_directory = open_directory(config, reactor)
    directory = CachedDirectory(
        own_directory, reactor, config.directory.local.cache_ttl, config.directory.local.cache_negative_ttl
    )
    store = open_store(config, reactor)
    ledger = ConnectionLedger(plans, config.limits, prefixes, reactor)
    guessing = Guessing(config.limits, prefixes, reactor)
    flow = MailFlow(config, directory, store, plans, reactor, _in_thread(reactor))
    host = Host(config, reactor, store, directory, plans, guessing, ledger, flow, tls)
    portal = Portal(
        MailRealm(directory, store, plans),
        [FullAddressChecker(directory, config.server.domains, guessing, reactor)],
    )
    host.listeners = tuple(_listeners(host, portal, own_directory, reload))
    return host


def _in_thread(reactor: Any) -> Callable[..., Any]:
    def in_thread(function: Callable[..., Any], *arguments: Any) -> Any:
        return deferToThreadPool(reactor, reactor.getThreadPool(), function, *arguments)

    return in_thread
