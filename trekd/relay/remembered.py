"""
What is remembered across restarts of other domains' TLS: MTA-STS policies, and counts for reports.

One SQLite file.  Everything in L{RememberedFile} blocks; L{Remembered} runs it in a thread of its caller's.  Losing the
file loses nothing that cannot be learnt again, so that a file that cannot be read is begun anew.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import DeferredLock
from twisted.logger import Logger

from trekd.relay.interfaces import Session
from trekd.relay.sts import STSPolicy

log = Logger()

T = TypeVar("T")

KEPT_DAYS = 30
"""Days of counts that are kept."""

MAX_POLICIES = 100_000

_SCHEMA = """
CREATE TABLE IF NOT EXISTS policy (
    domain TEXT PRIMARY KEY, id TEXT NOT NULL, mode TEXT NOT NULL, exchangers TEXT NOT NULL,
    max_age INTEGER NOT NULL, fetched REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS session (
    day TEXT NOT NULL, domain TEXT NOT NULL, policy TEXT NOT NULL, exchanger TEXT NOT NULL, result TEXT NOT NULL,
    number INTEGER NOT NULL, PRIMARY KEY (domain, day, policy, exchanger, result)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS session_day ON session(day);
PRAGMA user_version = 1;
"""


class RunInThread(Protocol):
    """Runs a blocking call elsewhere, such as C{partial(deferToThreadPool, reactor, pool)}."""

    def __call__(self, function: Callable[..., T], *args: Any) -> Awaitable[T]: ...


@dataclass(frozen=True, slots=True)
class KeptPolicy:
    """
    A policy as it was fetched.

    @ivar identifier: of the TXT record at that time.
    @ivar fetched: Unix seconds.
    """

    policy: STSPolicy
    identifier: str
    fetched: float

    def is_valid(self, now: float) -> bool:
        """Whether it still holds; one from the future came from a clock that was wrong."""
        return self.fetched - 86400 <= now < self.fetched + self.policy.max_age


class RememberedFile:
    """The file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None

    def load(self, domain: str) -> KeptPolicy | None:
        """A domain's policy, in force or not."""
        query = "SELECT id, mode, exchangers, max_age, fetched FROM policy WHERE domain = ?"
        row = self._open().execute(query, (domain,)).fetchone()
        if row is None:
            return None
        return KeptPolicy(STSPolicy(row[1], tuple(json.loads(row[2])), row[3]), row[0], row[4])

    def save(self, domain: str, kept: KeptPolicy) -> None:
        """Keep a policy in place of the one before; those out of force for long go."""
        policy = kept.policy
        row = (domain, kept.identifier, policy.mode, json.dumps(policy.exchangers), policy.max_age, kept.fetched)
        with self._open() as connection:
            connection.execute("INSERT OR REPLACE INTO policy VALUES (?, ?, ?, ?, ?, ?)", row)
            connection.execute("DELETE FROM policy WHERE fetched + max_age < ?", (kept.fetched,))
            surplus = "SELECT domain FROM policy ORDER BY fetched DESC LIMIT -1 OFFSET ?"
            connection.execute(f"DELETE FROM policy WHERE domain IN ({surplus})", (MAX_POLICIES,))

    def add(self, counts: Mapping[Session, int], oldest: str) -> None:
        """Add to the counts; what is before a day goes."""
        rows = [(one.day, one.domain, one.policy, one.exchanger, one.result, count) for one, count in counts.items()]
        with self._open() as connection:
            connection.executemany(
                "INSERT INTO session VALUES (?, ?, ?, ?, ?, ?) "
                "ON CONFLICT DO UPDATE SET number = number + excluded.number",
                rows,
            )
            connection.execute("DELETE FROM session WHERE day < ?", (oldest,))

    def counts(self, domain: str) -> Sequence[tuple[Session, int]]:
        """What was counted of a domain, by day."""
        columns = "day, domain, policy, exchanger, result, number"
        query = f"SELECT {columns} FROM session WHERE domain = ? ORDER BY {columns}"
        return [(Session(*row[:5]), row[5]) for row in self._open().execute(query, (domain,))]

    def close(self) -> None:
        """Close it; the next use opens it again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                self._connection = self._connected()
            except sqlite3.DatabaseError as fault:
                if isinstance(fault, sqlite3.OperationalError):
                    raise
                log.warn("{path} cannot be read and is begun anew", path=str(self._path))
                self._path.unlink()
                self._connection = self._connected()
        return self._connection

    def _connected(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, check_same_thread=False, timeout=10.0)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.executescript(_SCHEMA)
        except sqlite3.Error:
            connection.close()
            raise
        return connection


class Remembered:
    """
    The file, without blocking, one call after the other.  A disk that fails is logged and told as nothing remembered:
    no mail waits for it.
    """

    def __init__(self, file: RememberedFile, in_thread: RunInThread) -> None:
        self._file = file
        self._in_thread = in_thread
        self._lock = DeferredLock()

    async def load(self, domain: str) -> KeptPolicy | None:
        """See L{RememberedFile.load}."""
        return await self._run(None, self._file.load, domain)

    async def save(self, domain: str, kept: KeptPolicy) -> None:
        """See L{RememberedFile.save}."""
        await self._run(None, self._file.save, domain, kept)

    async def add(self, counts: Mapping[Session, int], oldest: str) -> None:
        """See L{RememberedFile.add}."""
        await self._run(None, self._file.add, counts, oldest)

    async def counts(self, domain: str) -> Sequence[tuple[Session, int]]:
        """See L{RememberedFile.counts}."""
        return await self._run((), self._file.counts, domain)

    async def close(self) -> None:
        """See L{RememberedFile.close}."""
        await self._run(None, self._file.close)

    async def _run(self, otherwise: T, function: Callable[..., T], *arguments: Any) -> T:
        await self._lock.acquire()
        try:
            return await self._in_thread(function, *arguments)
        except (sqlite3.Error, OSError, ValueError) as fault:
            log.error("what is remembered of TLS cannot be used: {fault}", fault=str(fault))
            return otherwise
        finally:
            self._lock.release()
