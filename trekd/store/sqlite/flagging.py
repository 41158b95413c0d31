"""
STORE: other flags for many messages, with one statement for each list of flags that they have.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable
from dataclasses import dataclass

from trekd.store.interfaces import FlagOperation, MailboxChanges, MailboxView
from trekd.store.sqlite import flags as flag_lists
from trekd.store.sqlite import keywords, mailboxes, views
from trekd.store.sqlite.mailboxes import MailboxRow, Tally
from trekd.store.sqlite.transactions import Transaction
from trekd.store.sqlite.transfer import SELECTED, uids_at
from trekd.values import MAX_MODSEQ, Flag, ModSeq


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a STORE asks for."""

    view: MailboxView
    positions: tuple[range, ...]
    operation: FlagOperation
    flags: frozenset[Flag]
    unchanged_since: ModSeq | None = None


@dataclass(frozen=True, slots=True)
class _Change:
    """
    Messages that get another list of flags.

    @ivar uids: a JSON array.
    @ivar is_refused: they changed meanwhile and keep the flags they have.
    """

    before: frozenset[Flag]
    after: frozenset[Flag]
    uids: str
    messages: int
    is_refused: bool


def change_flags(transaction: Transaction, wanted: Wanted) -> MailboxChanges:
    """Change flags, all in one modification sequence."""
    mailbox = mailboxes.identified(transaction.database, wanted.view.mailbox)
    previous = ModSeq(mailbox.modseq)
    found = _changes(transaction, mailbox, wanted)
    changes = [change for change in found if not change.is_refused]
    if changes:
        if wanted.operation is not FlagOperation.REMOVE:
            keywords.require(transaction, mailbox, wanted.flags)
        _apply(transaction, mailbox, changes)
        mailbox = mailboxes.identified(transaction.database, wanted.view.mailbox)
    known = views.current(transaction.database, mailbox, transaction.views)
    refused = _uids(change for change in found if change.is_refused)
    return MailboxChanges(known.view, _uids(changes), known.keywords, previous, refused)


def _uids(changes: Iterable[_Change]) -> array[int]:
    return array("I", sorted(uid for change in changes for uid in json.loads(change.uids)))


def _changes(transaction: Transaction, mailbox: MailboxRow, wanted: Wanted) -> list[_Change]:
    found = transaction.database.rows(
        "SELECT flags, modseq > ?3 AS is_newer, json_group_array(slot.key & 4294967295), count(*)"
        f" FROM {SELECTED} GROUP BY flags, is_newer",
        (json.dumps(uids_at(wanted.view, wanted.positions)), mailbox.base, _newest_accepted(wanted)),
    )
    changes = []
    for text, is_newer, uids, messages in found:
        before = flag_lists.parsed(text)
        after = flag_lists.changed(before, wanted.operation, wanted.flags)
        if after != before or wanted.unchanged_since == 0:
            changes.append(_Change(before, after, uids, messages, bool(is_newer)))
    return changes


def _newest_accepted(wanted: Wanted) -> int:
    return MAX_MODSEQ if wanted.unchanged_since is None else min(wanted.unchanged_since, MAX_MODSEQ)


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
