"""
The SQLite store does what a naive model does.
"""

from __future__ import annotations

from pathlib import Path

from tests.fakes.running import PumpedReactor
from tests.property.storemodel import BOUNDED, StoreMachine
from trekd.store.interfaces import IStore, MessageReader
from trekd.store.sqlite.store import Settings, SQLiteStore
from trekd.store.sqlite.transactions import Limits


def sqlite_store(reactor: PumpedReactor, directory: Path, reader: MessageReader) -> IStore:
    """A store in which files and closed databases are met often."""
    return SQLiteStore(Settings(directory, "auto", 1, 1, 1, 100, Limits(100, 100)), reader, reactor)


class SQLiteMachine(StoreMachine):
    """The model beside the SQLite store."""

    make_store = staticmethod(sqlite_store)


TestSQLiteStoreModel = SQLiteMachine.TestCase
TestSQLiteStoreModel.settings = BOUNDED
