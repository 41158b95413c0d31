"""
The plugin that makes SQLite stores (C{store.backend = "sqlite"}).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.plugin import IPlugin
from zope.interface import implementer

from trekd.store.interfaces import IStore, IStoreProvider, MessageReader
from trekd.store.sqlite.store import Settings, SQLiteStore
from trekd.store.sqlite.transactions import Limits


@implementer(IPlugin, IStoreProvider)
class SQLiteStoreProvider:
    """Makes stores with one SQLite database per account."""

    name = "sqlite"

    def make(self, config: Any, reader: MessageReader, reactor: Any) -> IStore:
        """
        The store in C{server.data_dir}.

        @raise ConfigFault: the directory cannot be used, or the engine is not installed.
        """
        section = config.store
        settings = Settings(
            Path(config.server.data_dir),
            section.engine,
            section.open_databases,
            section.reader_threads,
            section.writer_threads,
            section.body_file_threshold,
            Limits(section.max_mailboxes, section.max_keywords),
            section.text_index,
        )
        return SQLiteStore(settings, reader, reactor)
