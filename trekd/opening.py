"""
What the daemon and C{trekctl} open alike: the configuration file, the directory, the store, the resolver.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twisted.plugin import getPlugins

from trekd.config.schema import Config, DNSConfig
from trekd.directory.interfaces import IDirectory, IDirectoryProvider
from trekd.dns.cache import Cache
from trekd.dns.exchange import NetworkExchange
from trekd.dns.resolver import Patience, Resolver
from trekd.dns.servers import Servers, configured, hosts_file, resolv_conf
from trekd.errors import ConfigFault
from trekd.filters.secret import read_secret
from trekd.filters.settings import RunInThread, Settings
from trekd.filters.settingsfile import SettingsFile
from trekd.filters.srs import SenderRewriting
from trekd.mime.reader import MimeReader
from trekd.store.interfaces import IStore, IStoreProvider

RESOLV_CONF = "/etc/resolv.conf"


def _provider(interface: Any, name: str, key: str) -> Any:
    """
    The plugin of that name (C{twisted/plugins}; ours register the same way).

    @raise ConfigFault: there is none.
    """
    found = {provider.name: provider for provider in getPlugins(interface)}
    if name not in found:
        raise ConfigFault(f"{key} = {name!r}: no such provider; known are {', '.join(sorted(found))}")
    return found[name]


def _ensure_folder(config: Config) -> None:
    """Make C{server.data_dir} at first use, for this user alone."""
    try:
        os.makedirs(config.server.data_dir, 0o700, exist_ok=True)
    except OSError as error:
        raise ConfigFault(f"[server] data_dir = {config.server.data_dir!r}: {error.strerror}") from None


def open_directory(config: Config, reactor: Any) -> IDirectory:
    """
    The directory that the configuration names, without a cache.

    @raise ConfigFault: it cannot be used.
    """
    _ensure_folder(config)
    provider: IDirectoryProvider = _provider(IDirectoryProvider, config.directory.backend, "[directory] backend")
    return provider.make(config, reactor)


def open_store(config: Config, reactor: Any) -> IStore:
    """
    The store that the configuration names.

    @raise ConfigFault: it cannot be used.
    """
    _ensure_folder(config)
    provider: IStoreProvider = _provider(IStoreProvider, config.store.backend, "[store] backend")
    return provider.make(config, MimeReader(), reactor)


def open_settings(config: Config, run_in_thread: RunInThread) -> Settings:
    """
    What accounts have set about their incoming mail.

    @raise ConfigFault: the file cannot be used.
    """
    _ensure_folder(config)
    path = Path(config.server.data_dir) / "filters.sqlite"
    return Settings(SettingsFile(path), run_in_thread)


def open_rewriting(config: Config) -> SenderRewriting:
    """
    What rewrites senders of forwarded mail, with the secret of C{data_dir/keys}.

    @raise ConfigFault: the secret cannot be used.
    """
    return SenderRewriting(read_secret(Path(config.server.data_dir) / "keys" / "srs.secret"))


def open_resolver(config: DNSConfig, reactor: Any) -> Resolver:
    """The resolver of the configuration; what the host's own files say is read now."""
    return Resolver(
        *name_service(config, reactor), NetworkExchange(reactor), Cache(config.cache_size, reactor.seconds)
    )


def name_service(config: DNSConfig, reactor: Any) -> tuple[Servers, Patience, Mapping[str, tuple[str, ...]]]:
    """Whom a resolver asks, how long, and what it need not ask."""
    listed = tuple(map(configured, config.servers)) or resolv_conf(_text_of(RESOLV_CONF))
    hosts = hosts_file(_text_of(config.hosts_file) if config.hosts_file else "")
    return Servers(listed, reactor.seconds), Patience(config.timeout, config.attempts), hosts


def _text_of(path: str) -> str:
    """A file of the host, nothing when it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
