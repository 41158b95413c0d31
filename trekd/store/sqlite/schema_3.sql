-- Version 3: annotations of mailboxes.  SCHEMA.md says what each column means.

CREATE TABLE annotation (
    mailbox INTEGER NOT NULL,
    entry TEXT NOT NULL,
    value BLOB,
    modseq INTEGER NOT NULL,
    PRIMARY KEY (mailbox, entry)
) STRICT, WITHOUT ROWID;

CREATE INDEX annotation_modseq ON annotation (modseq);
