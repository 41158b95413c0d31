"""
Connections to the queue's database, and transactions on them.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

PAGE_SIZE = 8192


def connect(path: Path) -> sqlite3.Connection:
    """
    Open a connection whose commits are durable.

    @raise sqlite3.Error: it cannot be opened.
    """
    database = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=10.0)
    database.execute(f"PRAGMA page_size = {PAGE_SIZE}")
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("PRAGMA foreign_keys = ON")
    return database


class AtomicChange:
    """One SQLite transaction; committed at the end, rolled back by an error, that of the commit included."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def __enter__(self) -> None:
        self._database.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._database.execute("COMMIT")
        finally:
            # SQLite has rolled back by itself when the disk is full, but not after every error.
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
