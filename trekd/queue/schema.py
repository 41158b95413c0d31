"""
The queue's database: its tables, and the numbered steps that bring an older one up to date.
"""

from __future__ import annotations

import sqlite3

from trekd.errors import ConfigFault

VERSION = 2

_TABLES = """
CREATE TABLE message (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, reverse_path TEXT, principal TEXT,
    smtputf8 INTEGER NOT NULL, eight_bit INTEGER NOT NULL, require_tls INTEGER NOT NULL,
    tls_optional INTEGER NOT NULL, junk INTEGER NOT NULL, envelope_id TEXT NOT NULL,
    ret TEXT NOT NULL, hold_until REAL NOT NULL, size INTEGER NOT NULL,
    arrived REAL NOT NULL, priority INTEGER NOT NULL, is_file INTEGER NOT NULL
);
CREATE TABLE content (message INTEGER PRIMARY KEY, octets BLOB NOT NULL);
CREATE TABLE recipient (
    number INTEGER PRIMARY KEY AUTOINCREMENT, message INTEGER NOT NULL REFERENCES message(number),
    address TEXT NOT NULL, kind TEXT NOT NULL, profile TEXT NOT NULL, notify TEXT NOT NULL, original TEXT NOT NULL,
    lane TEXT NOT NULL, priority INTEGER NOT NULL, due REAL NOT NULL, since REAL NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0, noted INTEGER NOT NULL DEFAULT 0,
    held_by TEXT NOT NULL DEFAULT '', held TEXT NOT NULL DEFAULT '',
    failure TEXT NOT NULL DEFAULT '', host TEXT NOT NULL DEFAULT '', status TEXT NOT NULL DEFAULT '',
    tried REAL NOT NULL DEFAULT 0
);
CREATE TABLE suppressed (
    principal TEXT NOT NULL, address TEXT NOT NULL, since REAL NOT NULL, until REAL NOT NULL,
    status TEXT NOT NULL, host TEXT NOT NULL, reply TEXT NOT NULL, PRIMARY KEY (principal, address)
) WITHOUT ROWID;
"""

_INDEXES = """
CREATE INDEX message_file ON message(id) WHERE is_file = 1;
CREATE INDEX recipient_message ON recipient(message);
CREATE INDEX recipient_lane ON recipient(lane, priority, due) WHERE held_by = '';
CREATE INDEX recipient_held ON recipient(held_by, lane) WHERE held_by != '';
CREATE INDEX recipient_since ON recipient(noted, since);
"""

_FROM_1 = f"""
ALTER TABLE message RENAME TO message_1;
ALTER TABLE recipient RENAME TO recipient_1;
DROP INDEX recipient_message;
DROP INDEX recipient_due;
{_TABLES}
INSERT INTO message SELECT NULL, id, reverse_path, principal, smtputf8, eight_bit, 0, 0, 0, envelope_id, ret, 0,
    size, arrived, reverse_path IS NULL, content IS NULL FROM message_1 ORDER BY arrived;
INSERT INTO content SELECT number, content FROM message_1 JOIN message USING (id) WHERE content IS NOT NULL;
INSERT INTO recipient (number, message, address, kind, profile, notify, original, lane, priority, due, since, attempts,
    failure)
    SELECT one.number, message.number, address, kind, profile, notify, original,
        CASE kind WHEN 'local' THEN 'local' WHEN 'own-smtp' THEN 'profile:' || profile ELSE 'relay' END,
        priority, due, arrived, attempts, failure
    FROM recipient_1 AS one JOIN message ON message.id = one.message;
DROP TABLE recipient_1;
DROP TABLE message_1;
{_INDEXES}
"""

_STEPS = {0: _TABLES + _INDEXES, 1: _FROM_1}
"""What brings a database of a version to L{VERSION}; 0 is an empty file."""


def migrate(database: sqlite3.Connection) -> None:
    """
    Bring the database up to date, whole or not at all.

    @raise ConfigFault: a later version of TrekMail wrote it.
    @raise sqlite3.Error: it is no database, or is damaged.
    """
    found = int(database.execute("PRAGMA user_version").fetchone()[0])
    if found > VERSION:
        raise ConfigFault(f"a later version wrote the queue's database: it has version {found}, this is {VERSION}")
    if found == VERSION:
        return
    database.execute("PRAGMA foreign_keys = OFF")
    try:
        database.executescript(f"BEGIN IMMEDIATE; {_STEPS[found]} PRAGMA user_version = {VERSION}; COMMIT;")
    finally:
        if database.in_transaction:
            database.execute("ROLLBACK")
        database.execute("PRAGMA foreign_keys = ON")
