"""
The embedded directory's file: its tables, their migrations, and who may read it.
"""

from __future__ import annotations

import os
import sqlite3
import stat

from trekd.errors import ConfigFault

_ACCOUNTS = """
CREATE TABLE account (
    address      TEXT PRIMARY KEY,             -- canonical: lower case
    password     TEXT,                         -- Argon2id in a PHC string; NULL cannot log in
    plan         TEXT NOT NULL,
    display_name TEXT NOT NULL,
    quota        INTEGER,                      -- octets; NULL is the plan's
    status       TEXT NOT NULL,
    subscription TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE name (                            -- every address at which mail arrives, so that none has two owners
    address TEXT PRIMARY KEY,                  -- lower case
    account TEXT NOT NULL REFERENCES account ON DELETE CASCADE,
    rank    INTEGER NOT NULL                   -- 0 for the account's own address, then its aliases in order
) WITHOUT ROWID;
CREATE INDEX name_account ON name (account, rank);
CREATE TABLE sender (                          -- further addresses from which an account may send
    account TEXT NOT NULL REFERENCES account ON DELETE CASCADE,
    address TEXT NOT NULL,
    PRIMARY KEY (account, address)
) WITHOUT ROWID;
"""

_SCRAM = """
-- SCRAM keys of the same password (RFC 5803 §2), NULL: none yet
ALTER TABLE account ADD COLUMN scram TEXT;
CREATE TABLE secret (
    name   TEXT PRIMARY KEY,                   -- 'scram': from which salts for unknown names are made
    octets BLOB NOT NULL
) WITHOUT ROWID;
INSERT INTO secret VALUES ('scram', randomblob(32));
"""

MIGRATIONS = (_ACCOUNTS, _SCRAM)
"""Migration n, from 1, makes schema version n (C{PRAGMA user_version}) out of version n - 1."""


def open_database(path: str) -> sqlite3.Connection:
    """
    Open the file, made with mode 0600 when it is not there, and bring its tables up to date.

    @return: a connection without implicit transactions, for one thread at a time.
    @raise ConfigFault: it cannot be used; the complaint says what to do.
    """
    try:
        _make_private_file(path)
        return _connect(path)
    except OSError as fault:
        raise ConfigFault(f"{path}: {os.strerror(fault.errno or 0)}") from fault
    except sqlite3.Error as fault:
        raise ConfigFault(f"{path}: not a usable account database: {fault}") from fault


def _make_private_file(path: str) -> None:
    """Make the file, or refuse one that others can read."""
    try:
        mode = stat.S_IMODE(os.stat(path).st_mode)
    except FileNotFoundError:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        if os.geteuid() == 0:
            owner = os.stat(os.path.dirname(path) or ".")
            os.chown(path, owner.st_uid, owner.st_gid)
        return
    if mode & 0o077:
        raise ConfigFault(f"{path}: mode {mode:04o} lets others at the password hashes; type: chmod 600 {path}")


def _connect(path: str) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=5, isolation_level=None, check_same_thread=False)
    try:
        database.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;")
        _migrate(database, path)
    except BaseException:
        database.close()
        raise
    return database


def _migrate(database: sqlite3.Connection, path: str) -> None:
    """Apply the migrations that are missing, all in one transaction."""
    if _version(database) == len(MIGRATIONS):
        return
    database.execute("BEGIN IMMEDIATE")
    version = _version(database)
    if version > len(MIGRATIONS):
        raise ConfigFault(f"{path}: written by a newer TrekMail (schema {version}, this one knows {len(MIGRATIONS)})")
    for script in MIGRATIONS[version:]:
        for statement in script.split(";\n"):
            database.execute(statement)
    database.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
    database.execute("COMMIT")


def _version(database: sqlite3.Connection) -> int:
    return int(database.execute("PRAGMA user_version").fetchone()[0])
