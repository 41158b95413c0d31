"""
Verification of an account's invariants, which SCHEMA.md lists.

It runs as an operation of the account's queue, so that nothing changes meanwhile.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator

from trekd.store.sqlite import flags as flag_lists
from trekd.store.sqlite.collectionrules import COLLECTION_RULES
from trekd.store.sqlite.database import Database, Row
from trekd.store.sqlite.paths import AccountFiles
from trekd.store.sqlite.transactions import Transaction
from trekd.store.sqlite.views import all_uids, expunged_uids, unpacked

_RULES = (
    (
        "mailbox {}: total, unseen, deleted, octets are not those of its messages",
        "SELECT name FROM mailbox LEFT JOIN (SELECT key >> 32 AS id, count(*) AS total, sum((bits & 8) = 0) AS unseen,"
        " sum((bits & 4) != 0) AS deleted, sum(size) AS octets FROM slot GROUP BY key >> 32) AS found USING (id)"
        " WHERE (mailbox.total, mailbox.unseen, mailbox.deleted, mailbox.octets) != (coalesce(found.total, 0),"
        " coalesce(found.unseen, 0), coalesce(found.deleted, 0), coalesce(found.octets, 0))",
    ),
    (
        "mailbox {}: UIDNEXT is not above UID {}",
        "SELECT name, max(key & 4294967295) FROM mailbox JOIN slot ON slot.key >> 32 = mailbox.id"
        " GROUP BY mailbox.id HAVING max(key & 4294967295) >= uid_next",
    ),
    (
        "mailbox {}: UIDNEXT is not above expunged UID {}",
        "SELECT name, max(uid) FROM mailbox JOIN expunged ON expunged.mailbox = mailbox.id"
        " GROUP BY mailbox.id HAVING max(uid) >= uid_next",
    ),
    (
        "mailbox {}: message {} has a modification sequence above the mailbox's",
        "SELECT name, key & 4294967295 FROM mailbox JOIN slot ON slot.key >> 32 = mailbox.id"
        " WHERE slot.modseq > mailbox.modseq OR slot.modseq < 1",
    ),
    (
        "mailbox {}: expunged UID {} has a modification sequence out of bounds",
        "SELECT name, uid FROM mailbox JOIN expunged ON expunged.mailbox = mailbox.id"
        " WHERE expunged.modseq > mailbox.modseq OR expunged.modseq <= mailbox.expunged_floor",
    ),
    (
        "mailbox {}: message {} is there and expunged",
        "SELECT mailbox.name, uid FROM expunged JOIN slot ON slot.key = (expunged.mailbox << 32) + expunged.uid"
        " JOIN mailbox ON mailbox.id = expunged.mailbox",
    ),
    (
        "mailbox {}: modification sequence or UIDVALIDITY above the account's",
        "SELECT name FROM mailbox, account"
        " WHERE mailbox.modseq > account.modseq OR mailbox.uid_validity > account.uid_validity",
    ),
    (
        "message {} is in a mailbox that does not exist",
        "SELECT key FROM slot WHERE key >> 32 NOT IN (SELECT id FROM mailbox)",
    ),
    (
        "{} {} belongs to a mailbox that does not exist",
        "SELECT 'expunge record', uid FROM expunged WHERE mailbox NOT IN (SELECT id FROM mailbox)"
        " UNION ALL SELECT 'keyword', name FROM keyword WHERE mailbox NOT IN (SELECT id FROM mailbox)"
        " UNION ALL SELECT 'snapshot', modseq FROM snapshot WHERE mailbox NOT IN (SELECT id FROM mailbox)"
        " UNION ALL SELECT 'annotation', entry FROM annotation"
        " WHERE mailbox != 0 AND mailbox NOT IN (SELECT id FROM mailbox)",
    ),
    (
        "message {} has no email, or one of another size",
        "SELECT key FROM slot LEFT JOIN email ON email.id = slot.email WHERE email.size IS NOT slot.size",
    ),
    ("email {} is in no mailbox", "SELECT objectid FROM email WHERE id NOT IN (SELECT email FROM slot)"),
    (
        "email {}: its octets are missing or of another length",
        "SELECT objectid FROM email LEFT JOIN body ON body.email = email.id"
        " WHERE (file = 0 AND (length(header) IS NOT header_length OR length(header) + length(text) IS NOT size))"
        " OR (file = 1 AND (text IS NOT NULL OR body.email IS NULL OR coalesce(length(header), header_length)"
        " != header_length)) OR rendered != length(envelope) + length(bodystructure) + length(email.body)",
    ),
    ("body {} has no email", "SELECT email FROM body WHERE email NOT IN (SELECT id FROM email)"),
    ("two emails have the identifier {}", "SELECT objectid FROM email GROUP BY objectid HAVING count(*) > 1"),
    (
        "quota counts {} octets, {} messages; there are {}, {}",
        "SELECT account.octets, account.messages, found.octets, found.messages FROM account,"
        " (SELECT coalesce(sum(size), 0) + (SELECT coalesce(sum(size), 0) FROM item) AS octets, count(*) AS messages"
        " FROM slot) AS found"
        " WHERE (account.octets, account.messages) != (found.octets, found.messages)",
    ),
    ("there is no INBOX", "SELECT 1 FROM account WHERE NOT EXISTS (SELECT 1 FROM mailbox WHERE name = 'INBOX')"),
)
"""What to say of each row that a query finds, and the query."""


def complaints(transaction: Transaction) -> tuple[str, ...]:
    """One line for each invariant that does not hold."""
    return tuple(_complaints(transaction.database, transaction.files))


def _complaints(database: Database, files: AccountFiles) -> Iterator[str]:
    for (line,) in database.rows("PRAGMA integrity_check"):
        if line != "ok":
            yield f"database: {line}"
    owners = [owner for (owner,) in database.rows("SELECT principal FROM account")]
    if owners != [files.principal]:
        yield f"database belongs to {owners}"
    for text, query in (*_RULES, *COLLECTION_RULES):
        for row in database.rows(query):
            yield text.format(*row)
    yield from _of_flags(database)
    yield from _of_files(database, files)
    for row in database.rows(
        "SELECT id, name, mailbox.modseq, expunged_floor, snapshot.modseq, uids FROM mailbox"
        " JOIN snapshot ON snapshot.mailbox = mailbox.id"
    ):
        yield from _of_snapshot(database, row)


def _of_flags(database: Database) -> Iterator[str]:
    """Wire-ready lists against bits, and the keywords of each mailbox."""
    counted: Counter[tuple[int, str]] = Counter()
    for mailbox, text, bits, messages in database.rows(
        "SELECT key >> 32, flags, bits, count(*) FROM slot GROUP BY 1, 2, 3"
    ):
        flags = flag_lists.parsed(text)
        if flag_lists.bits(flags) != bits or flag_lists.wire(flags) != text:
            yield f"mailbox {mailbox}: {messages} messages have the bits {bits} and the flags {text}"
        for flag in flags:
            if flag.is_keyword:
                counted[mailbox, flag.text.lower()] += messages
    rows = database.rows("SELECT mailbox, name, messages FROM keyword")
    stored = {(mailbox, name): messages for mailbox, name, messages in rows}
    for mailbox, name in sorted(counted.keys() | stored.keys()):
        if counted[mailbox, name] != stored.get((mailbox, name), 0):
            yield f"mailbox {mailbox}: keyword {name} is counted wrongly"


def _of_files(database: Database, files: AccountFiles) -> Iterator[str]:
    query = "SELECT objectid, size FROM email WHERE file = 1"
    query += " UNION ALL SELECT file, size FROM item WHERE file IS NOT NULL"
    wanted: dict[str, int] = dict(database.rows(query))
    for name in sorted(os.listdir(files.bodies)):
        if name not in wanted:
            yield f"file {name} belongs to no message"
        elif files.body(name).stat().st_size != wanted.pop(name):
            yield f"file {name} has another size than its message"
    for name in sorted(wanted):
        yield f"file {name} is missing"


def _of_snapshot(database: Database, row: Row) -> Iterator[str]:
    """A snapshot with what came and went since has to be the mailbox's UIDs."""
    mailbox, name, modseq, floor, since, packed = row
    if since > modseq:
        yield f"mailbox {name}: its snapshot is of the future"
    elif since >= floor:
        old = set(unpacked(packed))
        now = set(all_uids(database, mailbox))
        gone = set(expunged_uids(database, mailbox, since))
        last = max(old, default=0)
        if {uid for uid in now if uid <= last} != old - gone:
            yield f"mailbox {name}: its snapshot is wrong"
