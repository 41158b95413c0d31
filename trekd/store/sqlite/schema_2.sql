-- Version 2: calendars, address books, files.  SCHEMA.md says what each column means.

CREATE TABLE collection (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    objectid TEXT NOT NULL UNIQUE,
    parent INTEGER,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    components TEXT NOT NULL,
    modseq INTEGER NOT NULL,
    floor INTEGER NOT NULL,
    items INTEGER NOT NULL,
    octets INTEGER NOT NULL,
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    properties TEXT NOT NULL
) STRICT;

CREATE UNIQUE INDEX collection_place ON collection (parent, name) WHERE parent IS NOT NULL;
CREATE UNIQUE INDEX collection_first ON collection (kind, name) WHERE parent IS NULL;

CREATE TABLE item (
    id INTEGER PRIMARY KEY,
    collection INTEGER NOT NULL,
    name TEXT NOT NULL,
    etag TEXT NOT NULL,
    size INTEGER NOT NULL,
    media_type TEXT NOT NULL,
    component TEXT NOT NULL,
    uid TEXT NOT NULL,
    modseq INTEGER NOT NULL,
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    schedule_tag TEXT NOT NULL,
    properties TEXT NOT NULL,
    file TEXT,
    floating INTEGER NOT NULL,
    open_from INTEGER,
    UNIQUE (collection, name)
) STRICT;

CREATE UNIQUE INDEX item_uid ON item (uid, collection) WHERE uid != '';
CREATE INDEX item_modseq ON item (collection, modseq);
CREATE INDEX item_open ON item (collection, open_from) WHERE open_from IS NOT NULL;
CREATE UNIQUE INDEX item_file ON item (file) WHERE file IS NOT NULL;

CREATE TABLE content (
    item INTEGER PRIMARY KEY,
    octets BLOB NOT NULL
) STRICT;

CREATE TABLE removed_item (
    collection INTEGER NOT NULL,
    name TEXT NOT NULL,
    modseq INTEGER NOT NULL,
    PRIMARY KEY (collection, name)
) STRICT, WITHOUT ROWID;

CREATE INDEX removed_item_modseq ON removed_item (collection, modseq);

CREATE TABLE span (
    collection INTEGER NOT NULL,
    level INTEGER NOT NULL,
    start INTEGER NOT NULL,
    item INTEGER NOT NULL,
    place INTEGER NOT NULL,
    finish INTEGER NOT NULL,
    letter TEXT NOT NULL,
    floating INTEGER NOT NULL,
    PRIMARY KEY (collection, level, start, item, place)
) STRICT, WITHOUT ROWID;

CREATE INDEX span_item ON span (item);

CREATE TABLE item_text (
    collection INTEGER NOT NULL,
    property TEXT NOT NULL,
    item INTEGER NOT NULL,
    place INTEGER NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (collection, property, item, place)
) STRICT, WITHOUT ROWID;

CREATE INDEX item_text_item ON item_text (item);

CREATE TABLE collection_grant (
    collection INTEGER NOT NULL,
    grantee TEXT NOT NULL,
    right TEXT NOT NULL,
    PRIMARY KEY (collection, grantee)
) STRICT, WITHOUT ROWID;

CREATE TABLE mount (
    owner TEXT NOT NULL,
    collection TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    properties TEXT NOT NULL,
    PRIMARY KEY (owner, collection)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX mount_name ON mount (kind, name);
