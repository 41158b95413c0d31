"""
Annotations of mailboxes and of the account (RFC 5464).  A removed one leaves its name, for those who are told of it.
"""

from __future__ import annotations

from collections.abc import Mapping

from trekd.errors import LimitReached
from trekd.store.interfaces import MOST_ANNOTATION_OCTETS, MOST_ANNOTATIONS, NO_MAILBOX
from trekd.store.sqlite import mailboxes
from trekd.store.sqlite.database import Database, value
from trekd.store.sqlite.transactions import Transaction
from trekd.values import MailboxId, ModSeq

_ACCOUNT = 0
"""Stands for the account where a mailbox's row number stands."""

_NAMED = "SELECT coalesce(objectid, ''), {} FROM annotation LEFT JOIN mailbox ON mailbox.id = annotation.mailbox"


def read(database: Database, mailbox: MailboxId | None) -> dict[MailboxId, dict[str, bytes]]:
    """Values by mailbox and entry; of one mailbox, or of all."""
    sql, parameters = _NAMED.format("entry, value") + " WHERE value IS NOT NULL", ()
    if mailbox is not None:
        row = _ACCOUNT if mailbox == NO_MAILBOX else mailboxes.identified(database, mailbox).row
        sql, parameters = sql + " AND annotation.mailbox = ?", (row,)  # type: ignore[assignment]
    found: dict[MailboxId, dict[str, bytes]] = {}
    for objectid, entry, octets in database.rows(sql, parameters):
        found.setdefault(MailboxId(objectid), {})[entry] = bytes(octets)
    return found


def changed(database: Database, since: ModSeq) -> tuple[ModSeq, dict[MailboxId, tuple[str, ...]]]:
    """Entries changed behind a modification sequence, and the one up to which that is all."""
    found: dict[MailboxId, tuple[str, ...]] = {}
    rows = database.rows(_NAMED.format("entry") + " WHERE annotation.modseq > ? ORDER BY 1, 2", (since,))
    for objectid, entry in rows:
        found[MailboxId(objectid)] = (*found.get(MailboxId(objectid), ()), entry)
    return ModSeq(value(database, "SELECT modseq FROM account")), found


def annotate(transaction: Transaction, mailbox: MailboxId, values: Mapping[str, bytes | None]) -> None:
    """Set entries, or remove them; all in one modification sequence."""
    database = transaction.database
    row = _ACCOUNT if mailbox == NO_MAILBOX else mailboxes.identified(database, mailbox).row
    modseq = transaction.next_modseq()
    for entry, octets in values.items():
        if octets is not None:
            database.execute("INSERT OR REPLACE INTO annotation VALUES (?, ?, ?, ?)", (row, entry, octets, modseq))
        else:
            database.execute(
                "UPDATE annotation SET value = NULL, modseq = ? WHERE mailbox = ? AND entry = ?", (modseq, row, entry)
            )
    count = value(database, "SELECT count(value) FROM annotation WHERE mailbox = ?", (row,))
    octets_now = value(database, "SELECT coalesce(sum(length(value)), 0) FROM annotation")
    if any(octets is not None for octets in values.values()) and (
        count > MOST_ANNOTATIONS or octets_now > MOST_ANNOTATION_OCTETS
    ):
        raise LimitReached("annotations")
    database.execute(
        "DELETE FROM annotation WHERE mailbox = ?1 AND value IS NULL AND modseq <= (SELECT modseq FROM annotation"
        " WHERE mailbox = ?1 AND value IS NULL ORDER BY modseq DESC LIMIT 1 OFFSET ?2)",
        (row, MOST_ANNOTATIONS),
    )
    transaction.is_account_changed = True


def copy(database: Database, source: int, target: int) -> None:
    """Give a mailbox's annotations to another one that has none; both are row numbers."""
    database.execute(
        "INSERT INTO annotation SELECT ?, entry, value, modseq FROM annotation WHERE mailbox = ? AND value IS NOT NULL",
        (target, source),
    )
