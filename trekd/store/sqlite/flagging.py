"""
STORE: other flags for many messages, with one statement for each list of flags that they have.
"""

from __future__ import annotations

import json
from array import array
from dataclasses import dataclass

from trekd.store.interfaces import FlagOperation, MailboxChanges, MailboxView
from trekd.store.sqlite import flags as flag_lists
from trekd.store.sqlite import keywords, mailboxes, views
from trekd.store.sqlite.mailboxes import MailboxRow, Tally
from trekd.store.sqlite.transactions import Transaction
from trekd.store.sqlite.transfer import SELECTED, uids_at
from trekd.values import Flag, ModSeq


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a STORE asks for."""

    view: MailboxView
    positions: tuple[range, ...]
    operation: FlagOperation
    flags: frozenset[Flag]


@dataclass(frozen=True, slots=True)
class _Change:
    """Messages that get another list of flags; C{uids} is a JSON array."""

    before: frozenset[Flag]
    after: frozenset[Flag]
    uids: str
    messages: int


def change_flags(transaction: Transaction, wanted: Wanted) -> MailboxChanges:
    """Change flags, all in one modification sequence."""
    mailbox = mailboxes.identified(transaction.database, wanted.view.mailbox)
    previous = ModSeq(mailbox.modseq)
    changes = _changes(transaction, mailbox, wanted)
    if changes:
        if wanted.operation is not FlagOperation.REMOVE:
            keywords.require(transaction, mailbox, wanted.flags)
        _apply(transaction, mailbox, changes)
        mailbox = mailboxes.identified(transaction.database, wanted.view.mailbox)
    known = views.current(transaction.database, mailbox, transaction.views)
    changed = array("I", sorted(uid for change in changes for uid in json.loads(change.uids)))
    return MailboxChanges(known.view, changed, known.keywords, previous)


def _changes(transaction: Transaction, mailbox: MailboxRow, wanted: Wanted) -> list[_Change]:
    found = transaction.database.rows(
        f"SELECT flags, json_group_array(slot.key & 4294967295), count(*) FROM {SELECTED} GROUP BY flags",
        (json.dumps(uids_at(wanted.view, wanted.positions)), mailbox.base),
    )
    changes = []
    for text, uids, messages in found:
        before = flag_lists.parsed(text)
        after = flag_lists.changed(before, wanted.operation, wanted.flags)
        if after != before:
            changes.append(_Change(before, after, uids, messages))
    return changes


def _apply(transaction: Transaction, mailbox: MailboxRow, changes: list[_Change]) -> None:
    modseq = transaction.next_modseq()
    unseen = deleted = 0
    for change in changes:
        before, after = flag_lists.bits(change.before), flag_lists.bits(change.after)
        transaction.database.execute(
            "UPDATE slot SET flags = ?, bits = ?, modseq = ? WHERE key IN (SELECT ? + value FROM json_each(?))",
            (flag_lists.wire(change.after), after, modseq, mailbox.base, change.uids),
        )
        unseen += change.messages * (bool(before & flag_lists.SEEN_BIT) - bool(after & flag_lists.SEEN_BIT))
        deleted += change.messages * (bool(after & flag_lists.DELETED_BIT) - bool(before & flag_lists.DELETED_BIT))
    keywords.recount(transaction, mailbox, ((change.before, change.after, change.messages) for change in changes))
    state = mailboxes.count(transaction.database, mailbox, modseq, Tally(0, unseen, deleted, 0))
    transaction.touched[mailbox.row] = state
