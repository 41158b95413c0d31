-- Version 4: previews of messages.  SCHEMA.md says what each column means.

ALTER TABLE email ADD COLUMN preview BLOB;

ALTER TABLE account ADD COLUMN previews_from INTEGER NOT NULL DEFAULT 0;

UPDATE account SET previews_from = (SELECT coalesce(max(id) + 1, 0) FROM email);
