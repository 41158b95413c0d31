PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE message (
    id TEXT PRIMARY KEY, reverse_path TEXT, principal TEXT, smtputf8 INTEGER NOT NULL, eight_bit INTEGER NOT
    NULL, envelope_id TEXT NOT NULL, ret TEXT NOT NULL, size INTEGER NOT NULL, arrived REAL NOT NULL, content
    BLOB
) WITHOUT ROWID;
INSERT INTO "message" VALUES('c6b7e4cf6b34d7e1ff728d79',NULL,NULL,0,0,'','',70018,1700000001.0,NULL);
INSERT INTO "message" VALUES('fb8785d80f3e5b6e7e4956e3','odd "@ one@example.com','alice@example.com',1,1,'QQ','HDRS',25,1700000000.0,X'5375626A6563743A20736D616C6C0D0A0D0A736D616C6C0D0A');
CREATE TABLE recipient (
    number INTEGER PRIMARY KEY AUTOINCREMENT, message TEXT NOT NULL REFERENCES message(id), address TEXT NOT
    NULL, kind TEXT NOT NULL, profile TEXT NOT NULL, notify TEXT NOT NULL, original TEXT NOT NULL,
    attempts INTEGER NOT NULL, due REAL NOT NULL, failure TEXT NOT NULL
);
INSERT INTO "recipient" VALUES(1,'fb8785d80f3e5b6e7e4956e3','bob@example.com','local','','SUCCESS,DELAY','rfc822;b',1,1700000450.0,'StoreBusy');
INSERT INTO "recipient" VALUES(2,'fb8785d80f3e5b6e7e4956e3','jürgen@elsewhere.example','own-smtp','mine','','',0,1700000000.0,'');
INSERT INTO "recipient" VALUES(3,'c6b7e4cf6b34d7e1ff728d79','a@other.example','relay','','','',0,1700000001.0,'');
CREATE INDEX recipient_message ON recipient(message);
CREATE INDEX recipient_due ON recipient(kind, due);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('recipient',3);
COMMIT;
-- the message kept in a file

