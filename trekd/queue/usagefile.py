"""
What accounts have sent, on disk: a SQLite database that is written every few seconds.

It is not synced at each commit: a daemon that is killed loses the last seconds, a machine that loses its power a
little more, and nobody's mail depends on it.  Everything here blocks, and calls must not overlap.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twisted.logger import Logger

from trekd.errors import StoreBusy

log = Logger()

VERSION = 1
_DAYS_REMEMBERED = 730
"""Days after which a recipient that was not written to again is a new one."""
_DAYS_TRUE = 30
"""Days within which a recipient's last date is not written again."""
_MINUTES_OF_DAY = 24 * 60

_TABLES = """
CREATE TABLE account (id INTEGER PRIMARY KEY, principal TEXT NOT NULL UNIQUE);
CREATE TABLE sent (
    account INTEGER NOT NULL, minute INTEGER NOT NULL, messages INTEGER NOT NULL, newcomers INTEGER NOT NULL,
    PRIMARY KEY (account, minute)
) WITHOUT ROWID;
CREATE INDEX sent_minute ON sent (minute);
CREATE TABLE known (
    account INTEGER NOT NULL, recipient INTEGER NOT NULL, day INTEGER NOT NULL, PRIMARY KEY (account, recipient)
) WITHOUT ROWID;
CREATE TABLE salt (octets BLOB NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Counted:
    """
    What changed of one account.

    @ivar minutes: minute, messages and new recipients, in all.
    @ivar met: digests of recipients written to.
    @ivar unmet: digests of recipients that were not written to after all.
    """

    principal: str
    minutes: tuple[tuple[int, int, int], ...] = ()
    met: tuple[int, ...] = ()
    unmet: tuple[int, ...] = ()


class UsageFile:
    """The file, closed until L{open}."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.salt = b""
        self._database: sqlite3.Connection | None = None

    def open(self) -> None:
        """
        Open the file; one that cannot be read is set aside and counting begins anew.

        @raise OSError: its directory cannot be used.
        @raise StoreBusy: no file can be written there.
        """
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            self._connect()
            return
        except sqlite3.Error as fault:
            reason = str(fault)
        self.close()
        aside = self.path.with_name(self.path.name + ".damaged")
        log.error(
            "{path} cannot be read ({reason}); it is kept as {aside}, and counting begins anew",
            path=str(self.path),
            reason=reason,
            aside=aside.name,
        )
        os.replace(self.path, aside)
        for more in ("-wal", "-shm"):
            self.path.with_name(self.path.name + more).unlink(missing_ok=True)
        try:
            self._connect()
        except sqlite3.Error as fault:
            raise StoreBusy(str(fault)) from None

    def _connect(self) -> None:
        with suppress(FileExistsError):
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        database = self._database = sqlite3.connect(self.path, timeout=5, check_same_thread=False)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        if database.execute("PRAGMA user_version").fetchone()[0] == 0:
            database.executescript(f"BEGIN; {_TABLES} PRAGMA user_version = {VERSION}; COMMIT;")
            with database:
                database.execute("INSERT INTO salt VALUES (?)", (secrets.token_bytes(16),))
        self.salt = bytes(database.execute("SELECT octets FROM salt").fetchone()[0])

    def load(self, principal: str, since: int) -> list[tuple[int, int, int]]:
        """
        What an account sent.

        @param since: the first minute wanted.
        @return: minute, messages, new recipients, by minute.
        @raise StoreBusy: it cannot be read.
        """
        return self._asked(
            "SELECT minute, messages, newcomers FROM sent JOIN account ON id = account "
            "WHERE principal = ? AND minute >= ? ORDER BY minute",
            (principal, since),
        )

    def known(self, principal: str, recipients: Sequence[int]) -> frozenset[int]:
        """
        Which of these recipients an account has written to before.

        @raise StoreBusy: it cannot be read.
        """
        found: set[int] = set()
        for start in range(0, len(recipients), 500):
            some = recipients[start : start + 500]
            marks = ", ".join("?" * len(some))
            statement = (
                "SELECT recipient FROM known WHERE account = (SELECT id FROM account WHERE principal = ?) "
                f"AND recipient IN ({marks})"
            )
            found.update(row[0] for row in self._asked(statement, (principal, *some)))
        return frozenset(found)

    def top(self, since: int, most: int) -> list[tuple[str, int, int]]:
        """
        Who sent most since a minute.

        @return: principal, messages, new recipients; most messages first.
        @raise StoreBusy: it cannot be read.
        """
        return self._asked(
            "SELECT principal, sum(messages) AS total, sum(newcomers) FROM sent JOIN account ON id = account "
            "WHERE minute >= ? GROUP BY account HAVING total > 0 ORDER BY total DESC, principal LIMIT ?",
            (since, most),
        )

    def save(self, changes: Sequence[Counted], minute: int) -> None:
        """
        Write what changed, all or nothing, and forget what is too old to matter.

        @param minute: the present one.
        @raise StoreBusy: nothing was written.
        """
        day = minute // _MINUTES_OF_DAY
        try:
            with self._opened() as database:
                for each in changes:
                    self._save(database, each, day)
                database.execute("DELETE FROM sent WHERE minute < ?", (minute - _MINUTES_OF_DAY - 1,))
        except sqlite3.Error as fault:
            raise StoreBusy(str(fault)) from None

    @staticmethod
    def _save(database: sqlite3.Connection, each: Counted, day: int) -> None:
        database.execute("INSERT OR IGNORE INTO account (principal) VALUES (?)", (each.principal,))
        (account,) = database.execute("SELECT id FROM account WHERE principal = ?", (each.principal,)).fetchone()
        database.executemany(
            "INSERT OR REPLACE INTO sent VALUES (?, ?, ?, ?)", [(account, *counts) for counts in each.minutes]
        )
        database.executemany(
            "INSERT INTO known VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET day = excluded.day "
            f"WHERE day < excluded.day - {_DAYS_TRUE}",
            [(account, recipient, day) for recipient in each.met],
        )
        database.executemany(
            "DELETE FROM known WHERE account = ? AND recipient = ?", [(account, recipient) for recipient in each.unmet]
        )

    def prune(self, minute: int) -> None:
        """
        Forget recipients not written to for two years; worth doing once a start.

        @raise StoreBusy: nothing was forgotten.
        """
        try:
            with self._opened() as database:
                database.execute("DELETE FROM known WHERE day < ?", (minute // _MINUTES_OF_DAY - _DAYS_REMEMBERED,))
        except sqlite3.Error as fault:
            raise StoreBusy(str(fault)) from None

    def close(self) -> None:
        """Close the file."""
        database, self._database = self._database, None
        if database is not None:
            database.close()

    def _asked(self, statement: str, values: tuple[object, ...]) -> list[Any]:
        try:
            return self._opened().execute(statement, values).fetchall()
        except sqlite3.Error as fault:
            raise StoreBusy(str(fault)) from None

    def _opened(self) -> sqlite3.Connection:
        if self._database is None:
            raise StoreBusy("the counters are closed")
        return self._database
