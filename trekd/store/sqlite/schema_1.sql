-- Version 1.  SCHEMA.md says what each column means and which of them must agree.

CREATE TABLE account (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    principal TEXT NOT NULL,
    modseq INTEGER NOT NULL,
    uid_validity INTEGER NOT NULL,
    octets INTEGER NOT NULL,
    messages INTEGER NOT NULL
) STRICT;

CREATE TABLE mailbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    objectid TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL UNIQUE,
    uid_validity INTEGER NOT NULL,
    uid_next INTEGER NOT NULL,
    modseq INTEGER NOT NULL,
    expunged_floor INTEGER NOT NULL,
    total INTEGER NOT NULL,
    unseen INTEGER NOT NULL,
    deleted INTEGER NOT NULL,
    octets INTEGER NOT NULL,
    special_use TEXT NOT NULL
) STRICT;

CREATE TABLE subscription (
    name TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

CREATE TABLE keyword (
    mailbox INTEGER NOT NULL,
    name TEXT NOT NULL,
    spelling TEXT NOT NULL,
    messages INTEGER NOT NULL,
    PRIMARY KEY (mailbox, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE email (
    id INTEGER PRIMARY KEY,
    objectid TEXT NOT NULL,
    thread TEXT,
    size INTEGER NOT NULL,
    header_length INTEGER NOT NULL,
    file INTEGER NOT NULL,
    rendered INTEGER NOT NULL,
    sent INTEGER,
    sent_day INTEGER,
    envelope BLOB NOT NULL,
    bodystructure BLOB NOT NULL,
    body BLOB NOT NULL,
    parts BLOB NOT NULL,
    subject_key TEXT NOT NULL,
    from_key TEXT NOT NULL,
    to_key TEXT NOT NULL,
    cc_key TEXT NOT NULL,
    bcc_key TEXT NOT NULL
) STRICT;

CREATE INDEX email_file ON email (objectid) WHERE file = 1;

CREATE TABLE body (
    email INTEGER PRIMARY KEY,
    header BLOB,
    text BLOB
) STRICT;

CREATE TABLE slot (
    key INTEGER PRIMARY KEY,
    email INTEGER NOT NULL,
    modseq INTEGER NOT NULL,
    bits INTEGER NOT NULL,
    flags TEXT NOT NULL,
    internal_date TEXT NOT NULL,
    internal_day INTEGER NOT NULL,
    size INTEGER NOT NULL,
    saved INTEGER NOT NULL
) STRICT;

CREATE INDEX slot_modseq ON slot (key >> 32, modseq);
CREATE INDEX slot_email ON slot (email);
CREATE INDEX slot_unseen ON slot (key) WHERE (bits & 8) = 0;
CREATE INDEX slot_deleted ON slot (key) WHERE (bits & 4) != 0;

CREATE TABLE expunged (
    mailbox INTEGER NOT NULL,
    modseq INTEGER NOT NULL,
    uid INTEGER NOT NULL,
    PRIMARY KEY (mailbox, modseq, uid)
) STRICT, WITHOUT ROWID;

CREATE TABLE snapshot (
    mailbox INTEGER PRIMARY KEY,
    modseq INTEGER NOT NULL,
    uids BLOB NOT NULL
) STRICT;
