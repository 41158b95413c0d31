"""
What the daemon and C{trekctl} open alike: the configuration file, the directory, the store.
"""

from __future__ import annotations

import os
from typing import Any

from twisted.plugin import getPlugins

from trekd.config.loader import load
from trekd.config.schema import Config
from trekd.directory.interfaces import IDirectory, IDirectoryProvider
from trekd.errors import ConfigFault
from trekd.mime.reader import MimeReader
from trekd.smtp.interfaces import IMessageFilter, IMessageFilterProvider
from trekd.store.interfaces import IStore, IStoreProvider

DEFAULT_CONFIG = "/etc/trekmail/trekmail.toml"


def read_config(path: str) -> Config:
    """
    Read a configuration file.

    @raise ConfigFault: with every complaint.
    """
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except OSError as error:
        raise ConfigFault(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigFault(f"{path}: is not UTF-8 text") from None
    return load(text, os.path.abspath(path))


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


def open_filters(config: Config, reactor: Any) -> tuple[IMessageFilter, ...]:
    """
    The content scanners that the configuration names, in its order.

    @raise ConfigFault: one cannot be used.
    """
    key = "[reception] filters"
    return tuple(
        _provider(IMessageFilterProvider, name, key).make(config, reactor) for name in config.reception.filters
    )
