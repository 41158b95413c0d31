"""
The profiles' file: a SQLite database of their settings, their sealed secrets, and whose mail takes which.

Everything here blocks; calls come from any thread and must not overlap.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from trekd.errors import ConfigFault, StoreFull
from trekd.relay.interfaces import ProfileSettings, TLSMode
from trekd.values import Address

_TABLES = """
CREATE TABLE profile (
    name     TEXT PRIMARY KEY,
    owner    TEXT NOT NULL,                    -- address, domain or '' for everybody
    host     TEXT NOT NULL,
    port     INTEGER NOT NULL,
    tls      TEXT NOT NULL,
    user     TEXT NOT NULL,
    secret   BLOB,                             -- sealed; NULL without a login
    sender   TEXT,                             -- forced reverse-path
    revision INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE assignment (
    subject TEXT PRIMARY KEY,                  -- address, domain or '*' for domains without one of their own
    profile TEXT NOT NULL                      -- '' is the server's own way
) WITHOUT ROWID;
"""

VERSION = 1


@dataclass(frozen=True, slots=True)
class Row:
    """
    A profile as it is stored.

    @ivar sealed: its secret, C{None} without a login.
    """

    settings: ProfileSettings
    sealed: bytes | None


class ProfileFile:
    """The file, closed until L{open}."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._database: sqlite3.Connection | None = None

    def open(self) -> None:
        """
        Open the file, made with mode 0600 when it is not there.

        @raise ConfigFault: it cannot be used; the complaint says what to do.
        """
        try:
            self._make_private()
            self._database = sqlite3.connect(self.path, timeout=5, check_same_thread=False)
            self._database.execute("PRAGMA synchronous = FULL")
            self._migrate(self._database)
        except OSError as fault:
            raise ConfigFault(f"{self.path}: {os.strerror(fault.errno or 0)}") from None
        except sqlite3.Error as fault:
            self.close()
            raise ConfigFault(f"{self.path}: not a usable database of SMTP profiles: {fault}") from None

    def _make_private(self) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileExistsError):
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        mode = stat.S_IMODE(self.path.stat().st_mode)
        if mode & 0o077:
            raise ConfigFault(f"{self.path}: mode {mode:04o} lets others read it; type: chmod 600 {self.path}")

    def _migrate(self, database: sqlite3.Connection) -> None:
        version = database.execute("PRAGMA user_version").fetchone()[0]
        if version > VERSION:
            raise ConfigFault(f"{self.path}: written by a newer TrekMail (schema {version}, this one knows {VERSION})")
        if version == 0:
            database.executescript(f"BEGIN; {_TABLES} PRAGMA user_version = {VERSION}; COMMIT;")

    def load(self) -> tuple[list[Row], dict[str, str]]:
        """
        All there is.

        @return: profiles by name, and subject to profile.
        @raise StoreFull: it cannot be read.
        """
        try:
            database = self._opened()
            rows = [_row(each) for each in database.execute("SELECT * FROM profile ORDER BY name")]
            return rows, dict(database.execute("SELECT subject, profile FROM assignment"))
        except sqlite3.Error as fault:
            raise StoreFull(str(fault)) from None

    def put(self, rows: Sequence[Row]) -> None:
        """
        Add or replace profiles, all or none; durable when this returns.

        @raise StoreFull: nothing changed.
        """
        values = [_values(row) for row in rows]
        self._change("INSERT OR REPLACE INTO profile VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values)

    def remove(self, name: str) -> None:
        """
        Remove a profile; durable when this returns.

        @raise StoreFull: nothing changed.
        """
        self._change("DELETE FROM profile WHERE name = ?", [(name,)])

    def assign(self, subject: str, profile: str | None) -> None:
        """
        Let a subject's mail take a profile; durable when this returns.

        @param profile: C{None} forgets the subject.
        @raise StoreFull: nothing changed.
        """
        if profile is None:
            self._change("DELETE FROM assignment WHERE subject = ?", [(subject,)])
        else:
            self._change("INSERT OR REPLACE INTO assignment VALUES (?, ?)", [(subject, profile)])

    def _change(self, statement: str, values: Sequence[tuple[object, ...]]) -> None:
        try:
            with self._opened() as database:
                database.executemany(statement, values)
        except sqlite3.Error as fault:
            raise StoreFull(str(fault)) from None

    def close(self) -> None:
        """Close the file."""
        database, self._database = self._database, None
        if database is not None:
            database.close()

    def _opened(self) -> sqlite3.Connection:
        if self._database is None:
            raise StoreFull("the profiles are closed")
        return self._database


def _row(values: tuple[object, ...]) -> Row:
    name, owner, host, port, tls, user, sealed, sender, revision = values
    settings = ProfileSettings(
        name=str(name),
        owner=str(owner),
        host=str(host),
        port=int(str(port)),
        tls=TLSMode(tls),
        user=str(user),
        sender=Address.parse(str(sender)) if sender is not None else None,
        revision=int(str(revision)),
    )
    return Row(settings, sealed if isinstance(sealed, bytes) else None)


def _values(row: Row) -> tuple[object, ...]:
    of = row.settings
    sender = str(of.sender) if of.sender is not None else None
    return (of.name, of.owner, of.host, of.port, of.tls.value, of.user, row.sealed, sender, of.revision)
