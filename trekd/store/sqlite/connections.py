"""
Open databases: a bounded number of idle connections, so that many accounts need few files.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from trekd.errors import NoSuchMailbox, TrekError
from trekd.store.sqlite.database import Database, OpenDatabase
from trekd.store.sqlite.paths import AccountFiles


class Connections:
    """
    Lends connections to threads, one borrower each, and keeps the idle ones by time of last use.

    Any thread may call anything.  A connection opens and closes in the borrower's thread.
    """

    def __init__(self, open_database: OpenDatabase, kept: int) -> None:
        """@param kept: how many idle connections stay open."""
        self._open_database = open_database
        self._kept = kept
        self._lock = Lock()
        self._idle: OrderedDict[Database, AccountFiles] = OrderedDict()
        self._by_account: dict[AccountFiles, list[Database]] = {}

    @contextmanager
    def lent(self, files: AccountFiles) -> Iterator[Database]:
        """
        A connection to an account's database; what its borrower leaves open is rolled back.

        @raise NoSuchMailbox: the account was removed.
        @raise StoreBusy: the file cannot be opened now.
        """
        database = self._take(files) or self._opened(files)
        sound = False
        try:
            yield database
            sound = True
        except TrekError:
            sound = not database.in_transaction
            raise
        finally:
            self._give_back(files, database, sound)

    def forget(self, files: AccountFiles) -> None:
        """Close the account's idle connections; lent ones are closed when they come back."""
        files.removed = True
        with self._lock:
            databases = self._by_account.pop(files, [])
            for database in databases:
                del self._idle[database]
        for database in databases:
            database.close()

    def close(self) -> None:
        """Close all idle connections."""
        with self._lock:
            databases = list(self._idle)
            self._idle.clear()
            self._by_account.clear()
        for database in databases:
            database.close()

    def _opened(self, files: AccountFiles) -> Database:
        if files.removed or not files.database.exists():
            raise NoSuchMailbox("the account was removed")
        return self._open_database(files.database)

    def _take(self, files: AccountFiles) -> Database | None:
        with self._lock:
            mine = self._by_account.get(files)
            if not mine:
                return None
            database = mine.pop()
            if not mine:
                del self._by_account[files]
            del self._idle[database]
            return database

    def _give_back(self, files: AccountFiles, database: Database, sound: bool) -> None:
        surplus = [database]
        if sound and not database.in_transaction and not files.removed:
            with self._lock:
                self._idle[database] = files
                self._by_account.setdefault(files, []).append(database)
                surplus = self._surplus()
        for old in surplus:
            old.close()

    def _surplus(self) -> list[Database]:
        surplus = []
        while len(self._idle) > self._kept:
            old, files = self._idle.popitem(last=False)
            mine = self._by_account[files]
            mine.remove(old)
            if not mine:
                del self._by_account[files]
            surplus.append(old)
        return surplus
