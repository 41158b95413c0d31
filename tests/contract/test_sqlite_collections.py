"""
The SQLite store keeps the contract of collections, with either library.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.contract.collections import CollectionsContract
from tests.fakes.running import PumpedReactor
from trekd.store.interfaces import IStore, MessageReader
from trekd.store.sqlite.store import Settings, SQLiteStore
from trekd.store.sqlite.transactions import Limits


class OnSQLite(CollectionsContract):
    """Stores with small thresholds, so that files are met often."""

    engine: str

    def make_store(self, reactor: PumpedReactor, directory: Path, reader: MessageReader) -> IStore:
        """A store in the directory, which may have been there before."""
        limits = Limits(self.limits.mailboxes, self.limits.keywords)
        return SQLiteStore(Settings(directory, self.engine, 2, 2, 2, 4096, limits), reader, reactor)


class TestOnSqlite3(OnSQLite):
    """With Python's own module."""

    engine = "sqlite3"


@pytest.mark.skipif(find_spec("apsw") is None, reason="apsw is not installed")
class TestOnApsw(OnSQLite):
    """With apsw."""

    engine = "apsw"
