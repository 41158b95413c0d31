"""
One face over the two SQLite libraries, apsw and Python's own sqlite3, with the same SQL.

A L{Database} may be used in any thread, by one at a time.  Transactions are the caller's: both libraries are kept from
beginning or ending any on their own.  Errors of either become those of L{trekd.errors}.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from trekd.errors import Broken, ConfigFault, StoreBusy, StoreCorrupt, StoreFull, TrekError

Value = int | str | bytes | None
Row = tuple[Any, ...]

_FULL = {7, 8, 10, 13}  # NOMEM, READONLY, IOERR, FULL
_BUSY = {5, 6, 9, 14, 15}  # BUSY, LOCKED, INTERRUPT, CANTOPEN, PROTOCOL
_CORRUPT = {11, 26}  # CORRUPT, NOTADB

BUSY_MILLISECONDS = 10_000
"""How long a connection waits for another's lock."""

CREATION = ("PRAGMA page_size = 8192", "PRAGMA auto_vacuum = INCREMENTAL")
"""Take effect while a database is empty, and are harmless later."""

PRAGMAS: tuple[tuple[str, str | int, str | int], ...] = (
    ("busy_timeout", BUSY_MILLISECONDS, BUSY_MILLISECONDS),
    ("journal_mode", "WAL", "wal"),
    ("synchronous", "FULL", 2),
    ("wal_autocheckpoint", 0, 0),
    ("journal_size_limit", 16 * 1024 * 1024, 16 * 1024 * 1024),
    ("cache_size", -1024, -1024),
    ("temp_store", "MEMORY", 2),
    ("secure_delete", "OFF", 0),
    ("trusted_schema", "OFF", 0),
)
"""Name, setting, and what reading it back must give; of each connection."""


class Database(Protocol):
    """A connection to one account's database."""

    def execute(self, sql: str, parameters: Sequence[Value] = ()) -> None:
        """Run one statement to its end."""

    def many(self, sql: str, rows: Iterable[Sequence[Value]]) -> None:
        """Run one statement for each row of parameters."""

    def rows(self, sql: str, parameters: Sequence[Value] = ()) -> list[Row]:
        """All rows of one statement."""

    def stream(self, sql: str, parameters: Sequence[Value] = ()) -> Iterator[Row]:
        """The rows of one statement as they are found; close the iterator to end the statement early."""

    def vacuum(self, pages: int) -> None:
        """Give so many free pages back to the file system, outside of a transaction."""

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""

    @property
    def changes(self) -> int:
        """Rows changed since the connection was opened."""

    def close(self) -> None:
        """Close the connection; a second call does nothing."""


class OpenDatabase(Protocol):
    """Opens a database file that exists."""

    def __call__(self, path: Path) -> Database: ...


def library(engine: str) -> OpenDatabase:
    """
    The opener for C{store.engine}.

    @param engine: C{apsw}, C{sqlite3}, or C{auto} for apsw when it can be imported.
    @raise ConfigFault: no such library.
    """
    if engine == "sqlite3" or (engine == "auto" and find_spec("apsw") is None):
        return open_sqlite3
    if engine not in ("auto", "apsw"):
        raise ConfigFault(f"store.engine = {engine!r}: auto, apsw or sqlite3")
    if find_spec("apsw") is None:
        raise ConfigFault('store.engine = "apsw": the apsw module is not installed')
    return open_apsw


def open_sqlite3(path: Path) -> Database:
    """Open with Python's own module."""
    return _configured(_Sqlite3(path))


def open_apsw(path: Path) -> Database:
    """Open with apsw."""
    return _configured(_Apsw(path))


def value(database: Database, sql: str, parameters: Sequence[Value] = ()) -> Any:
    """The first column of the first row, C{None} without one."""
    rows = database.rows(sql, parameters)
    return rows[0][0] if rows else None


@contextmanager
def reading(database: Database) -> Iterator[None]:
    """All reads inside see one commit."""
    database.execute("BEGIN")
    try:
        yield
    finally:
        if database.in_transaction:
            database.execute("COMMIT")


@contextmanager
def changing(database: Database) -> Iterator[None]:
    """All changes inside are one transaction; it is undone when an exception leaves it."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise


def fault(code: int, text: str) -> TrekError:
    """The error of ours for a primary or extended result code of SQLite."""
    primary = code & 0xFF
    if primary in _FULL:
        return StoreFull(text)
    if primary in _BUSY:
        return StoreBusy(text)
    if primary in _CORRUPT:
        return StoreCorrupt(text)
    return Broken(text)


def _configured(database: Database) -> Database:
    """Set and verify the pragmas; a library that skips one silently would cost durability."""
    try:
        database.rows(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")  # first of all: the others may have to wait
        for statement in CREATION:
            database.rows(statement)
        for name, setting, expected in PRAGMAS:
            database.rows(f"PRAGMA {name} = {setting}")
            found = value(database, f"PRAGMA {name}")
            if found != expected:
                raise Broken(f"PRAGMA {name} is {found!r}, not {expected!r}")
    except BaseException:
        database.close()
        raise
    return database


class _Sqlite3:
    """L{Database} on Python's own module."""

    def __init__(self, path: Path) -> None:
        with _sqlite3_errors():
            self._connection = sqlite3.connect(
                f"file:{quote(str(path))}?mode=rw",
                uri=True,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=128,
            )

    def execute(self, sql: str, parameters: Sequence[Value] = ()) -> None:
        with _sqlite3_errors(), closing(self._connection.execute(sql, parameters)) as cursor:
            cursor.fetchall()

    def many(self, sql: str, rows: Iterable[Sequence[Value]]) -> None:
        with _sqlite3_errors(), closing(self._connection.cursor()) as cursor:
            cursor.executemany(sql, rows)

    def rows(self, sql: str, parameters: Sequence[Value] = ()) -> list[Row]:
        with _sqlite3_errors(), closing(self._connection.execute(sql, parameters)) as cursor:
            return cursor.fetchall()

    def stream(self, sql: str, parameters: Sequence[Value] = ()) -> Iterator[Row]:
        with _sqlite3_errors(), closing(self._connection.execute(sql, parameters)) as cursor:
            yield from cursor

    def vacuum(self, pages: int) -> None:
        with _sqlite3_errors():
            # Each step of the statement frees a page; C{execute} makes only one.
            self._connection.executescript(f"PRAGMA incremental_vacuum({pages})")

    @property
    def in_transaction(self) -> bool:
        return self._connection.in_transaction

    @property
    def changes(self) -> int:
        return self._connection.total_changes

    def close(self) -> None:
        self._connection.close()


@contextmanager
def _sqlite3_errors() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise fault(getattr(error, "sqlite_errorcode", 1), str(error)) from error


class _Apsw:
    """L{Database} on apsw, which runs lazily: every statement is read to its end here."""

    def __init__(self, path: Path) -> None:
        self._apsw: Any = import_module("apsw")
        with self._errors():
            self._connection = self._apsw.Connection(
                str(path), flags=self._apsw.SQLITE_OPEN_READWRITE, statementcachesize=128
            )

    def execute(self, sql: str, parameters: Sequence[Value] = ()) -> None:
        self.rows(sql, parameters)

    def many(self, sql: str, rows: Iterable[Sequence[Value]]) -> None:
        with self._errors():
            self._connection.executemany(sql, rows).fetchall()

    def rows(self, sql: str, parameters: Sequence[Value] = ()) -> list[Row]:
        try:
            rows: list[Row] = self._connection.execute(sql, parameters).fetchall()
        except self._apsw.Error as error:
            raise _apsw_fault(error) from error
        return rows

    def stream(self, sql: str, parameters: Sequence[Value] = ()) -> Iterator[Row]:
        with self._errors(), closing(self._connection.execute(sql, parameters)) as cursor:
            yield from cursor

    def vacuum(self, pages: int) -> None:
        self.execute(f"PRAGMA incremental_vacuum({pages})")

    @property
    def in_transaction(self) -> bool:
        return bool(self._connection.in_transaction)

    @property
    def changes(self) -> int:
        # apsw 3.40, which Debian 12 ships, has only the old name.
        count = getattr(self._connection, "total_changes", None) or self._connection.totalchanges
        return int(count())

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except self._apsw.Error as error:
            raise _apsw_fault(error) from error


def _apsw_fault(error: Exception) -> TrekError:
    return fault(getattr(error, "result", 1), str(error))
