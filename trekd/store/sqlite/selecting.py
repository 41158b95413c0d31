"""
Opening a mailbox and learning what changed in it.
"""

from __future__ import annotations

import json
from array import array
from bisect import bisect_left
from dataclasses import dataclass

from trekd.errors import NoSuchMailbox
from trekd.store.interfaces import MailboxState, MailboxView
from trekd.store.sqlite import mailboxes
from trekd.store.sqlite.database import Database, value
from trekd.store.sqlite.mailboxes import MailboxRow
from trekd.store.sqlite.transactions import Transaction
from trekd.store.sqlite.transfer import SELECTED
from trekd.store.sqlite.views import Known, KnownViews, changed_uids, current, expunged_uids, store_snapshot
from trekd.values import MAX_UID, MailboxId, MailboxName


@dataclass(frozen=True, slots=True)
class Opened:
    """What C{Selection} holds, of one commit."""

    state: MailboxState
    known: Known
    first_unseen: int


def open_mailbox(database: Database, name: MailboxName, views: KnownViews) -> Opened:
    """Read what SELECT needs; C{database} reads one commit."""
    mailbox = mailboxes.named(database, name)
    state = mailboxes.state(database, mailbox.row)
    known = current(database, mailbox, views)
    return Opened(state, known, _first_unseen(database, mailbox, known.view) if state.unseen else 0)


def changed_since(
    database: Database, mailbox: MailboxId, since: int, views: KnownViews
) -> tuple[Known, array[int]]:
    """The mailbox's view, and the UIDs of messages changed behind C{since}; C{database} reads one commit."""
    found = mailboxes.identified(database, mailbox)
    return current(database, found, views), changed_uids(database, found.row, since)


def vanished_since(database: Database, mailbox: MailboxId, since: int) -> array[int] | None:
    """UIDs expunged behind C{since}, C{None} when not all of them are recorded; C{database} reads one commit."""
    found = mailboxes.identified(database, mailbox)
    return expunged_uids(database, found.row, since) if since >= found.expunged_floor else None


def highest_modseq(database: Database, mailbox: MailboxId, uids: array[int]) -> int:
    """The highest modification sequence among messages, 0 for none."""
    base = mailboxes.identified(database, mailbox).base
    highest = value(database, f"SELECT max(modseq) FROM {SELECTED}", (json.dumps(uids.tolist()), base))
    return int(highest or 0)


def keep_snapshot(transaction: Transaction, view: MailboxView) -> None:
    """Store the UIDs of a view that was dear to make; an operation of a transaction."""
    try:
        mailbox = mailboxes.identified(transaction.database, view.mailbox)
    except NoSuchMailbox:
        return
    store_snapshot(transaction.database, mailbox, view)


def _first_unseen(database: Database, mailbox: MailboxRow, view: MailboxView) -> int:
    key = value(
        database,
        "SELECT key FROM slot INDEXED BY slot_unseen WHERE (bits & 8) = 0 AND key BETWEEN ? AND ? ORDER BY key LIMIT 1",
        (mailbox.base, mailbox.base + MAX_UID),
    )
    return 0 if key is None else bisect_left(view.uids, key - mailbox.base) + 1
