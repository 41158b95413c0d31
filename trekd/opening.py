"""
What the daemon and C{trekctl} open alike: the configuration file, the directory, the store, the resolver, the signing
keys; and the relay.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from twisted.plugin import getPlugins

from trekd.config.schema import Config, DNSConfig, RelayConfig
from trekd.directory.interfaces import IDirectory, IDirectoryProvider
from trekd.dns.cache import Cache
from trekd.dns.exchange import NetworkExchange
from trekd.dns.interfaces import IResolver
from trekd.dns.labels import a_name
from trekd.dns.resolver import Patience, Resolver
from trekd.dns.servers import Servers, configured, hosts_file, resolv_conf
from trekd.errors import ConfigFault
from trekd.mailauth.keyring import Keyring
from trekd.mailauth.keys import KeyFiles
from trekd.mime.reader import MimeReader
from trekd.relay.addresses import AddressPolicy
from trekd.relay.certificates import public_authorities
from trekd.relay.demands import Demands
from trekd.relay.fetching import PolicyFetch, trust_of
from trekd.relay.policies import Policies
from trekd.relay.relay import Relay, Surroundings
from trekd.relay.remembered import Remembered, RememberedFile, RunInThread
from trekd.relay.sts import STSPolicy, write_policy
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


def open_keys(config: Config, in_thread: Callable[..., Awaitable[Any]]) -> Keyring:
    """
    The keys that mail is signed with, in data_dir/dkim.

    @param in_thread: calls a function in a thread.
    """
    return Keyring(KeyFiles(Path(config.server.data_dir) / "dkim"), in_thread)


def open_resolver(config: DNSConfig, reactor: Any) -> Resolver:
    """The resolver of the configuration; what the host's own files say is read now."""
    return Resolver(
        *name_service(config, reactor), NetworkExchange(reactor), Cache(config.cache_size, reactor.seconds)
    )


def open_demands(config: Config, resolver: IResolver, in_thread: RunInThread, reactor: Any) -> Demands:
    """
    What deliveries to other servers demand of TLS.

    @raise ConfigFault: the file of authorities cannot be used.
    """
    trusted = config.relay.trusted
    try:
        authorities = public_authorities(trusted)
        trust = trust_of(trusted) if trusted else None
    except (OSError, ValueError):
        raise ConfigFault(f"[relay] trusted = {trusted!r}: holds no PEM certificates") from None
    remembered = Remembered(RememberedFile(Path(config.server.data_dir) / "tls.sqlite"), in_thread)
    fetch = PolicyFetch(resolver, reactor, AddressPolicy(config.relay.allowed_networks).refusal, trust)
    policies = Policies(resolver, fetch, remembered, reactor.seconds)
    return Demands(resolver, policies, remembered, authorities, reactor, config.relay.mx_port)


def own_sts_policy(config: Config) -> bytes:
    """What other servers are told of TLS to our exchangers (RFC 8461 §3.2)."""
    ours = config.mta_sts
    exchangers = tuple(map(a_name, ours.exchangers or (config.server.hostname,)))
    return write_policy(STSPolicy(ours.mode, exchangers, ours.max_age))


def name_service(config: DNSConfig, reactor: Any) -> tuple[Servers, Patience, Mapping[str, tuple[str, ...]]]:
    """Whom a resolver asks, how long, and what it need not ask."""
    listed = tuple(map(configured, config.servers)) or resolv_conf(_text_of(RESOLV_CONF))
    hosts = hosts_file(_text_of(config.hosts_file) if config.hosts_file else "")
    return Servers(listed, reactor.seconds), Patience(config.timeout, config.attempts), hosts


def open_relay(config: RelayConfig, surroundings: Surroundings) -> Relay:
    """
    The relay of the configuration; the smart host's password is read now.

    @raise ConfigFault: the password's file cannot be read, or is empty.
    """
    return Relay(config, _smarthost_password(config), surroundings)


def _smarthost_password(config: RelayConfig) -> str:
    path = config.smarthost_password_file
    if not config.smarthost_user or not path:
        return ""
    complaint = f"[relay] smarthost_password_file = {path!r}"
    try:
        with open(path, encoding="utf-8") as file:
            password = file.readline().rstrip("\r\n")
    except OSError as error:
        raise ConfigFault(f"{complaint}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigFault(f"{complaint}: is no text") from None
    if not password:
        raise ConfigFault(f"{complaint}: its first line is empty")
    return password


def _text_of(path: str) -> str:
    """A file of the host, nothing when it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
