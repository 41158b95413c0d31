"""
The durable queue: one object per transaction, one row per recipient that waits.

A SQLite file holds the rows and the octets of small messages; larger messages are files beside it, synced
before the commit that names them.  What a commit does not name is swept away when the queue is opened, so a
crash at any point leaves whole messages or none.  Everything here blocks; L{Spool} runs it in a thread of its
caller's.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import DeferredLock
from twisted.logger import Logger

from trekd.errors import QueueFull, StoreCorrupt, StoreFull
from trekd.queue.interfaces import MailTransaction, Recipient, Route, RouteKind
from trekd.values import Address, PrincipalId

log = Logger()

INLINE = 65536
"""Octets up to which a message is kept inside the database."""

VERSION = 1

_SCHEMA = """
CREATE TABLE message (
    id TEXT PRIMARY KEY, reverse_path TEXT, principal TEXT, smtputf8 INTEGER NOT NULL, eight_bit INTEGER NOT
    NULL, envelope_id TEXT NOT NULL, ret TEXT NOT NULL, size INTEGER NOT NULL, arrived REAL NOT NULL, content
    BLOB
) WITHOUT ROWID;
CREATE TABLE recipient (
    number INTEGER PRIMARY KEY AUTOINCREMENT, message TEXT NOT NULL REFERENCES message(id), address TEXT NOT
    NULL, kind TEXT NOT NULL, profile TEXT NOT NULL, notify TEXT NOT NULL, original TEXT NOT NULL,
    attempts INTEGER NOT NULL, due REAL NOT NULL, failure TEXT NOT NULL
);
CREATE INDEX recipient_message ON recipient(message);
CREATE INDEX recipient_due ON recipient(kind, due);
"""

_ENTRY = """
SELECT number, message, address, kind, profile, notify, original, attempts, due, failure,
    reverse_path, principal, smtputf8, eight_bit, envelope_id, ret, size, arrived
FROM recipient JOIN message ON id = message
"""

T = TypeVar("T")


class RunInThread(Protocol):
    """Runs a blocking call elsewhere, such as C{partial(deferToThreadPool, reactor, pool)}."""

    def __call__(self, function: Callable[..., T], *args: Any) -> Awaitable[T]: ...


@dataclass(frozen=True, slots=True)
class Entry:
    """
    A recipient's copy that waits.

    @ivar number: names the row.
    @ivar message: identifier of the spooled message, shared by the recipients of its transaction.
    @ivar transaction: with this recipient alone.
    @ivar size: octets.
    @ivar attempts: made so far.
    @ivar arrived: Unix seconds, as C{due}.
    @ivar failure: what became of the last attempt; C{""} before the first.
    """

    number: int
    message: str
    transaction: MailTransaction
    size: int
    attempts: int
    arrived: float
    due: float
    failure: str

    @property
    def recipient(self) -> Recipient:
        """Who waits for it."""
        return self.transaction.recipients[0]


class SpoolFile:
    """The queue on disk; calls block, come from any thread, and must not overlap."""

    def __init__(self, directory: Path, max_messages: int) -> None:
        self._directory = directory
        self._messages = directory / "messages"
        self._max_messages = max_messages
        self._database: sqlite3.Connection | None = None

    def open(self) -> None:
        """
        Open or make the queue, and sweep away what no commit names.

        @raise OSError: the directory cannot be used.
        @raise StoreFull: the database cannot.
        """
        for directory in (self._directory, self._messages):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            self._database = self._connect(self._directory / "queue.sqlite")
            self._sweep(self._database)
        except sqlite3.Error as error:
            raise StoreFull(str(error)) from None
        _sync_directory(self._directory)

    @staticmethod
    def _connect(path: Path) -> sqlite3.Connection:
        database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute("PRAGMA foreign_keys = ON")
        if database.execute("PRAGMA user_version").fetchone()[0] == 0:
            database.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")
            os.chmod(path, 0o600)
        return database

    def _sweep(self, database: sqlite3.Connection) -> None:
        named = {row[0] for row in database.execute("SELECT id FROM message WHERE content IS NULL")}
        for path in self._messages.iterdir():
            if path.name not in named:
                path.unlink()

    def put(self, transaction: MailTransaction, content: bytes, now: float) -> str:
        """
        Queue a message for all recipients of C{transaction}; durable when this returns.

        @raise QueueFull: nothing was queued.
        @raise StoreFull: nothing was queued.
        """
        id = secrets.token_hex(12)
        path = self._messages / id
        try:
            database = self._opened()
            if database.execute("SELECT count(*) FROM message").fetchone()[0] >= self._max_messages:
                raise QueueFull
            if len(content) > INLINE:
                _write_synced(path, content)
            with AtomicChange(database):
                self._insert(database, id, transaction, content, now)
        except (OSError, sqlite3.Error) as error:
            log.error("a message cannot be queued: {reason}", reason=str(error))
            path.unlink(missing_ok=True)
            raise StoreFull from None
        return id

    @staticmethod
    def _insert(
        database: sqlite3.Connection, id: str, transaction: MailTransaction, content: bytes, now: float
    ) -> None:
        reverse_path = str(transaction.reverse_path) if transaction.reverse_path is not None else None
        database.execute(
            "INSERT INTO message VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                id,
                reverse_path,
                transaction.principal,
                transaction.smtputf8,
                transaction.eight_bit,
                transaction.envelope_id,
                transaction.ret,
                len(content),
                now,
                content if len(content) <= INLINE else None,
            ),
        )
        database.executemany(
            "INSERT INTO recipient VALUES (NULL, ?, ?, ?, ?, ?, ?, 0, ?, '')",
            [
                (
                    id,
                    str(recipient.address),
                    recipient.route.kind.value,
                    recipient.route.profile,
                    ",".join(recipient.notify),
                    recipient.original,
                    now,
                )
                for recipient in transaction.recipients
            ],
        )

    def due(self, kind: RouteKind, now: float, limit: int) -> tuple[Entry, ...]:
        """At most C{limit} entries of one route whose time has come, longest waiting first."""
        rows = self._opened().execute(
            f"{_ENTRY} WHERE kind = ? AND due <= ? ORDER BY due LIMIT ?", (kind.value, now, limit)
        )
        return tuple(map(_entry, rows))

    def entries(self, limit: int) -> tuple[Entry, ...]:
        """At most C{limit} entries, oldest first."""
        return tuple(map(_entry, self._opened().execute(f"{_ENTRY} ORDER BY number LIMIT ?", (limit,))))

    def count(self) -> int:
        """Recipients' copies that wait."""
        return int(self._opened().execute("SELECT count(*) FROM recipient").fetchone()[0])

    def content(self, message: str) -> bytes:
        """
        A message's octets.

        @raise StoreCorrupt: they are not there.
        """
        row = self._opened().execute("SELECT content FROM message WHERE id = ?", (message,)).fetchone()
        if row is not None and row[0] is not None:
            return bytes(row[0])
        try:
            return (self._messages / message).read_bytes()
        except OSError:
            raise StoreCorrupt(f"queued message {message} is gone") from None

    def postpone(self, number: int, due: float, failure: str) -> None:
        """An attempt failed; try again at C{due}."""
        self._opened().execute(
            "UPDATE recipient SET attempts = attempts + 1, due = ?, failure = ? WHERE number = ?",
            (due, failure, number),
        )

    def finish(self, entry: Entry) -> None:
        """An entry is done with; its message goes with the last one."""
        database = self._opened()
        with AtomicChange(database):
            database.execute("DELETE FROM recipient WHERE number = ?", (entry.number,))
            gone = database.execute(
                "DELETE FROM message WHERE id = ?1 AND NOT EXISTS "
                "(SELECT 1 FROM recipient WHERE message = ?1)",
                (entry.message,),
            ).rowcount
        if gone:
            (self._messages / entry.message).unlink(missing_ok=True)

    def close(self) -> None:
        """Close the file."""
        database, self._database = self._database, None
        if database is not None:
            database.close()

    def _opened(self) -> sqlite3.Connection:
        if self._database is None:
            raise StoreFull("the queue is closed")
        return self._database


class Spool:
    """The queue for callers that must not block, one call at a time; see L{SpoolFile} for each."""

    def __init__(self, file: SpoolFile, run_in_thread: RunInThread) -> None:
        """
        @param file: open already.
        """
        self._file = file
        self._thread = run_in_thread
        self._turn = DeferredLock()

    async def _run(self, function: Callable[..., T], *args: Any) -> T:
        await self._turn.acquire()
        try:
            return await self._thread(function, *args)
        finally:
            self._turn.release()

    async def put(self, transaction: MailTransaction, content: bytes, now: float) -> str:
        """
        Queue a message for all recipients of C{transaction}; durable when this returns.

        @return: its identifier.
        @raise QueueFull: nothing was queued.
        @raise StoreFull: nothing was queued.
        """
        return await self._run(self._file.put, transaction, content, now)

    async def due(self, kind: RouteKind, now: float, limit: int) -> Sequence[Entry]:
        """Entries of one route whose time has come."""
        return await self._run(self._file.due, kind, now, limit)

    async def entries(self, limit: int) -> Sequence[Entry]:
        """What waits, oldest first (C{trekctl queue list})."""
        return await self._run(self._file.entries, limit)

    async def count(self) -> int:
        """How many recipients' copies wait."""
        return await self._run(self._file.count)

    async def content(self, message: str) -> bytes:
        """
        A message's octets.

        @raise StoreCorrupt: they are not there.
        """
        return await self._run(self._file.content, message)

    async def postpone(self, number: int, due: float, failure: str) -> None:
        """An attempt failed; try again at C{due}."""
        await self._run(self._file.postpone, number, due, failure)

    async def finish(self, entry: Entry) -> None:
        """An entry is done with."""
        await self._run(self._file.finish, entry)

    async def close(self) -> None:
        """Close the queue after what runs."""
        await self._run(self._file.close)


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


def _entry(row: tuple[Any, ...]) -> Entry:
    (number, message, address, kind, profile, notify, original, attempts, due, failure) = row[:10]
    (reverse_path, principal, smtputf8, eight_bit, envelope_id, ret, size, arrived) = row[10:]
    words = tuple(notify.split(",")) if notify else ()
    transaction = MailTransaction(
        reverse_path=_address(reverse_path) if reverse_path is not None else None,
        recipients=(Recipient(_address(address), Route(RouteKind(kind), profile), words, original),),
        principal=PrincipalId(principal) if principal is not None else None,
        smtputf8=bool(smtputf8),
        eight_bit=bool(eight_bit),
        envelope_id=envelope_id,
        ret=ret,
    )
    return Entry(number, message, transaction, size, attempts, arrived, due, failure)


def _address(text: str) -> Address:
    local, _, domain = text.rpartition("@")
    return Address(local, domain)


def _write_synced(path: Path, content: bytes) -> None:
    """Write a file so that it survives a crash: its octets and its name."""
    with open(path, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    _sync_directory(path.parent)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
