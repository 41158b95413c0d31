BEGIN TRANSACTION;
CREATE TABLE account (
    address      TEXT PRIMARY KEY,             -- canonical: lower case
    password     TEXT,                         -- Argon2id in a PHC string; NULL cannot log in
    plan         TEXT NOT NULL,
    display_name TEXT NOT NULL,
    quota        INTEGER,                      -- octets; NULL is the plan's
    status       TEXT NOT NULL,
    subscription TEXT NOT NULL
) WITHOUT ROWID;
INSERT INTO "account" VALUES('alice@example.com','$argon2id$v=19$m=19456,t=2,p=1$lD3psST0YlAUvCDOXyBAlw$uD9fmN/eNoQt++xAuxN9yQ6HoVrE1iOlQspr93CT15c','pro','Alice Liddell',1000,'active','');
INSERT INTO "account" VALUES('bob@example.com','$argon2id$v=19$m=19456,t=2,p=1$5k+EnzzOqaz5HhT+6Bh1ZA$X4PuEj+B4a3lD1U/sIKsy1EtqDcQVVOen/t08/CBO1Y','nano','',NULL,'suspended','');
INSERT INTO "account" VALUES('system@example.com',NULL,'nano','',NULL,'active','');
CREATE TABLE name (                            -- every address at which mail arrives, so that none has two owners
    address TEXT PRIMARY KEY,                  -- lower case
    account TEXT NOT NULL REFERENCES account ON DELETE CASCADE,
    rank    INTEGER NOT NULL                   -- 0 for the account's own address, then its aliases in order
) WITHOUT ROWID;
INSERT INTO "name" VALUES('alice@example.com','alice@example.com',0);
INSERT INTO "name" VALUES('a.liddell@example.com','alice@example.com',1);
INSERT INTO "name" VALUES('bob@example.com','bob@example.com',0);
INSERT INTO "name" VALUES('system@example.com','system@example.com',0);
CREATE TABLE sender (                          -- further addresses from which an account may send
    account TEXT NOT NULL REFERENCES account ON DELETE CASCADE,
    address TEXT NOT NULL,
    PRIMARY KEY (account, address)
) WITHOUT ROWID;
CREATE INDEX name_account ON name (account, rank);
COMMIT;
PRAGMA user_version = 1;
