"""
What keeps a database small and quick, done by a writer thread after the replies have left.
"""

from __future__ import annotations

from trekd.store.sqlite import mailboxes
from trekd.store.sqlite.database import Database, changing, value
from trekd.store.sqlite.views import SNAPSHOT_AGE, SNAPSHOT_FROM, KnownViews, current, store_snapshot

CHECKPOINT_OCTETS = 4 * 1024 * 1024
EXPUNGED_KEPT = 20_000
"""Expunge records of a mailbox; when there are more, the older half is dropped."""
FREE_PAGES = 1024
PAGES_AT_ONCE = 512


def checkpoint(database: Database) -> bool:
    """
    Move the write-ahead log into the database, as far as no reader needs it.

    @return: whether all of it was moved, so that the log begins anew.
    """
    _, logged, moved = database.rows("PRAGMA wal_checkpoint(PASSIVE)")[0]
    return bool(logged == moved)


def give_back_pages(database: Database) -> bool:
    """
    Shrink the file by some of its free pages, if it has many.

    @return: whether it is worth another call.
    """
    free = value(database, "PRAGMA freelist_count")
    if free < FREE_PAGES or free * 5 < value(database, "PRAGMA page_count"):
        return False
    database.vacuum(PAGES_AT_ONCE)
    return True


def forget_expunged(database: Database) -> None:
    """Drop old expunge records; one transaction."""
    full = database.rows(
        "SELECT mailbox, count(*) FROM expunged GROUP BY mailbox HAVING count(*) > ?", (EXPUNGED_KEPT,)
    )
    if not full:
        return
    with changing(database):
        for mailbox, count in full:
            floor = value(
                database,
                "SELECT modseq FROM expunged WHERE mailbox = ? ORDER BY modseq LIMIT 1 OFFSET ?",
                (mailbox, count - EXPUNGED_KEPT // 2),
            )
            database.execute("DELETE FROM expunged WHERE mailbox = ? AND modseq <= ?", (mailbox, floor))
            database.execute("UPDATE mailbox SET expunged_floor = ? WHERE id = ?", (floor, mailbox))


def renew_snapshots(database: Database) -> None:
    """Store the UIDs of large mailboxes that changed much since that was last done; one transaction."""
    old = database.rows(
        "SELECT mailbox.objectid FROM mailbox LEFT JOIN snapshot ON snapshot.mailbox = mailbox.id WHERE total >= ?"
        " AND (uids IS NULL OR abs(total - length(uids) / 4) >= ? OR snapshot.modseq < expunged_floor)",
        (SNAPSHOT_FROM, SNAPSHOT_AGE),
    )
    if not old:
        return
    with changing(database):
        for (objectid,) in old:
            mailbox = mailboxes.identified(database, objectid)
            store_snapshot(database, mailbox, current(database, mailbox, KnownViews()).view)
