"""
The file with what accounts have set: forwarding, answers, and who was answered when.

Everything here blocks; L{trekd.filters.settings.Settings} runs it in threads of its caller's, one call at a time.
"""

from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path

from trekd.errors import ConfigFault
from trekd.filters.interfaces import Forwarding, Vacation
from trekd.values import Address, PrincipalId

VERSION = 1

MAX_CLAIMS = 5000
"""Things of one account that are remembered as done."""

_TABLES = f"""
BEGIN IMMEDIATE;
CREATE TABLE forwarding (principal TEXT PRIMARY KEY, targets TEXT NOT NULL, keep INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE vacation (
    principal TEXT PRIMARY KEY, text TEXT NOT NULL, subject TEXT NOT NULL, since REAL NOT NULL, until REAL NOT NULL,
    days INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE claim (
    principal TEXT NOT NULL, what TEXT NOT NULL, time REAL NOT NULL, PRIMARY KEY (principal, what)
) WITHOUT ROWID;
CREATE INDEX claim_time ON claim (principal, time);
PRAGMA user_version = {VERSION};
COMMIT;
"""


class SettingsFile:
    """
    The file, open.  Every change is durable when its call returns.

    All calls raise C{sqlite3.Error} when the file cannot be used.
    """

    def __init__(self, path: Path) -> None:
        """
        Open the file, made with mode 0600 when it is not there.

        @raise ConfigFault: it cannot be opened or made, is damaged, or a later version wrote it.
        """
        try:
            os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
            self._database = _open(path)
        except (OSError, sqlite3.Error) as error:
            raise ConfigFault(f"{path}: not a usable file of settings: {error}") from None

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def forwarding_accounts(self) -> set[PrincipalId]:
        """Accounts that have set a forwarding."""
        return {PrincipalId(row[0]) for row in self._database.execute("SELECT principal FROM forwarding")}

    def vacation_accounts(self) -> set[PrincipalId]:
        """Accounts that have set an answer."""
        return {PrincipalId(row[0]) for row in self._database.execute("SELECT principal FROM vacation")}

    def forwarding(self, principal: PrincipalId) -> Forwarding | None:
        """See L{ISettings.forwarding<trekd.filters.interfaces.ISettings.forwarding>}."""
        query = "SELECT targets, keep FROM forwarding WHERE principal = ?"
        row = self._database.execute(query, (principal,)).fetchone()
        if row is None:
            return None
        return Forwarding(tuple(Address(local, domain) for local, domain in json.loads(row[0])), bool(row[1]))

    def set_forwarding(self, principal: PrincipalId, forwarding: Forwarding | None) -> None:
        """See L{ISettings.set_forwarding<trekd.filters.interfaces.ISettings.set_forwarding>}."""
        if forwarding is None:
            self._database.execute("DELETE FROM forwarding WHERE principal = ?", (principal,))
            return
        targets = json.dumps([(one.local, one.domain) for one in forwarding.targets])
        self._database.execute(
            "INSERT OR REPLACE INTO forwarding VALUES (?, ?, ?)", (principal, targets, forwarding.keep)
        )

    def vacation(self, principal: PrincipalId) -> Vacation | None:
        """See L{ISettings.vacation<trekd.filters.interfaces.ISettings.vacation>}."""
        query = "SELECT text, subject, since, until, days FROM vacation WHERE principal = ?"
        row = self._database.execute(query, (principal,)).fetchone()
        return None if row is None else Vacation(*row)

    def set_vacation(self, principal: PrincipalId, vacation: Vacation | None) -> None:
        """See L{ISettings.set_vacation<trekd.filters.interfaces.ISettings.set_vacation>}."""
        self._database.execute("BEGIN IMMEDIATE")
        try:
            self._database.execute("DELETE FROM vacation WHERE principal = ?", (principal,))
            self._database.execute("DELETE FROM claim WHERE principal = ?", (principal,))
            if vacation is not None:
                values = (vacation.text, vacation.subject, vacation.since, vacation.until, vacation.days)
                self._database.execute("INSERT INTO vacation VALUES (?, ?, ?, ?, ?, ?)", (principal, *values))
            self._database.execute("COMMIT")
        finally:
            self._end()

    def claim(self, principal: PrincipalId, what: str, now: float, seconds: float) -> bool:
        """See L{ISettings.claim<trekd.filters.interfaces.ISettings.claim>}."""
        self._database.execute("BEGIN IMMEDIATE")
        try:
            query = "SELECT time FROM claim WHERE principal = ? AND what = ?"
            row = self._database.execute(query, (principal, what)).fetchone()
            # A clock that was set back does not silence an account for ever.
            if row is not None and row[0] <= now < row[0] + seconds:
                return False
            self._database.execute("INSERT OR REPLACE INTO claim VALUES (?, ?, ?)", (principal, what, now))
            self._database.execute(
                "DELETE FROM claim WHERE principal = ? AND what IN "
                "(SELECT what FROM claim WHERE principal = ? ORDER BY time DESC LIMIT -1 OFFSET ?)",
                (principal, principal, MAX_CLAIMS),
            )
            self._database.execute("COMMIT")
            return True
        finally:
            self._end()

    def forget(self, principal: PrincipalId) -> None:
        """See L{ISettings.forget<trekd.filters.interfaces.ISettings.forget>}."""
        self._database.execute("BEGIN IMMEDIATE")
        try:
            for table in ("forwarding", "vacation", "claim"):
                self._database.execute(f"DELETE FROM {table} WHERE principal = ?", (principal,))
            self._database.execute("COMMIT")
        finally:
            self._end()

    def _end(self) -> None:
        """Undo what was not committed."""
        if self._database.in_transaction:
            self._database.execute("ROLLBACK")


def _open(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=5, isolation_level=None, check_same_thread=False)
    try:
        database.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")
        version = int(database.execute("PRAGMA user_version").fetchone()[0])
        if version > VERSION:
            raise ConfigFault(f"{path}: written by a newer TrekMail (version {version}, this one knows {VERSION})")
        if version == 0:
            database.executescript(_TABLES)
    except BaseException:
        database.close()
        raise
    return database
