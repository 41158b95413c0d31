"""
Copying, moving and removing messages, many with each statement.  Public functions are operations of a transaction.
"""

from __future__ import annotations

import json
from array import array
from dataclasses import dataclass

from trekd.errors import LimitReached, NoSuchMailbox, NoSuchMessage
from trekd.store.interfaces import Copied, MailboxView
from trekd.store.sqlite import keywords, mailboxes
from trekd.store.sqlite.database import value
from trekd.store.sqlite.mailboxes import TALLY, MailboxRow, Tally
from trekd.store.sqlite.transactions import Transaction
from trekd.values import MAX_UID, UID, MailboxId, MailboxName

SELECTED = "json_each(?1) AS wanted CROSS JOIN slot ON slot.key = ?2 + wanted.value"
"""Slots of the UIDs in the JSON array C{?1} in the mailbox whose base is C{?2}, in that order."""


def uids_at(view: MailboxView, positions: tuple[range, ...]) -> list[int]:
    """The UIDs at these positions of a view."""
    uids: list[int] = []
    for span in positions:
        uids += view.uids[span.start : span.stop]
    return uids


def copy(transaction: Transaction, view: MailboxView, positions: tuple[range, ...], target: MailboxName) -> Copied:
    """Copy messages, all or none."""
    mailbox = mailboxes.named(transaction.database, target)
    messages = _existing(transaction, view, positions)
    if messages is None or not messages.uids:
        return Copied(mailbox.uid_validity, array("I"), array("I"))
    transaction.require_space(messages.tally.octets)
    modseq = transaction.next_modseq(messages.tally.octets, messages.tally.total)
    return _copy(transaction, messages, mailbox, modseq)


def move(transaction: Transaction, view: MailboxView, positions: tuple[range, ...], target: MailboxName) -> Copied:
    """Move messages in one step."""
    mailbox = mailboxes.named(transaction.database, target)
    messages = _existing(transaction, view, positions)
    if messages is None or not messages.uids:
        return Copied(mailbox.uid_validity, array("I"), array("I"))
    return _move(transaction, messages, mailbox)


def move_all(transaction: Transaction, source: MailboxRow, target: MailboxRow) -> None:
    """Move whatever a mailbox holds."""
    messages = _selected(transaction, source, _all_uids(transaction, source))
    if messages.uids:
        _move(transaction, messages, target)


def expunge(transaction: Transaction, mailbox: MailboxId, uids: array[int] | None) -> array[int]:
    """Remove the messages with C{\\Deleted}, only among C{uids} if given."""
    database = transaction.database
    source = mailboxes.identified(database, mailbox)
    if uids is None:
        found = value(
            database,
            "SELECT json_group_array(key & 4294967295) FROM (SELECT key FROM slot INDEXED BY slot_deleted"
            " WHERE (bits & 4) != 0 AND key BETWEEN ? AND ? ORDER BY key)",
            (source.base, source.base + MAX_UID),
        )
    else:
        found = value(
            database,
            f"SELECT json_group_array(slot.key & 4294967295) FROM {SELECTED} WHERE (bits & 4) != 0",
            (json.dumps(uids.tolist()), source.base),
        )
    messages = _selected(transaction, source, found)
    if messages.uids:
        modseq = transaction.next_modseq(-messages.tally.octets, -messages.tally.total)
        _remove(transaction, messages, modseq, free=True)
    return array("I", messages.uids)


def remove(transaction: Transaction, mailbox: MailboxId, uid: UID) -> None:
    """
    Remove a message, whatever its flags.

    @raise NoSuchMessage: it is not there.
    """
    try:
        source = mailboxes.identified(transaction.database, mailbox)
    except NoSuchMailbox:
        raise NoSuchMessage from None
    if not value(transaction.database, "SELECT count(*) FROM slot WHERE key = ?", (source.base + uid,)):
        raise NoSuchMessage
    messages = _selected(transaction, source, f"[{uid}]")
    modseq = transaction.next_modseq(-messages.tally.octets, -messages.tally.total)
    _remove(transaction, messages, modseq, free=True)


def empty(transaction: Transaction, mailbox: MailboxRow) -> int:
    """
    Remove all messages of a mailbox.

    @return: the modification sequence of it.
    """
    messages = _selected(transaction, mailbox, _all_uids(transaction, mailbox))
    modseq = transaction.next_modseq(-messages.tally.octets, -messages.tally.total)
    if messages.uids:
        _remove(transaction, messages, modseq, free=True)
    return modseq


@dataclass(frozen=True, slots=True)
class _Messages:
    """
    Messages that exist.

    @ivar wanted: the UIDs as JSON; likewise C{uids}, ascending.
    """

    mailbox: MailboxRow
    wanted: str
    uids: list[int]
    tally: Tally


def _all_uids(transaction: Transaction, mailbox: MailboxRow) -> str:
    text: str = value(
        transaction.database,
        "SELECT json_group_array(key & 4294967295) FROM (SELECT key FROM slot WHERE key BETWEEN ? AND ? ORDER BY key)",
        (mailbox.base, mailbox.base + MAX_UID),
    )
    return text


def _existing(transaction: Transaction, view: MailboxView, positions: tuple[range, ...]) -> _Messages | None:
    try:
        source = mailboxes.identified(transaction.database, view.mailbox)
    except NoSuchMailbox:
        return None
    found = value(
        transaction.database,
        f"SELECT json_group_array(slot.key & 4294967295) FROM {SELECTED}",
        (json.dumps(uids_at(view, positions)), source.base),
    )
    return _selected(transaction, source, found)


def _selected(transaction: Transaction, mailbox: MailboxRow, wanted: str) -> _Messages:
    row = transaction.database.rows(f"SELECT {TALLY} FROM {SELECTED}", (wanted, mailbox.base))[0]
    return _Messages(mailbox, wanted, json.loads(wanted), Tally(*row))


def _move(transaction: Transaction, messages: _Messages, target: MailboxRow) -> Copied:
    modseq = transaction.next_modseq()
    copied = _copy(transaction, messages, target, modseq)
    _remove(transaction, messages, modseq, free=False)
    return copied


def _copy(transaction: Transaction, messages: _Messages, target: MailboxRow, modseq: int) -> Copied:
    database = transaction.database
    count = len(messages.uids)
    first = target.uid_next
    if first + count > MAX_UID:
        raise LimitReached("UIDs")
    keywords.count(transaction, target, _flags_in(transaction, messages), 1)
    database.execute(
        "INSERT INTO slot (key, email, modseq, bits, flags, internal_date, internal_day, size, saved)"
        " SELECT ?3 + row_number() OVER (ORDER BY slot.key), email, ?4, bits, flags, internal_date, internal_day,"
        f" size, ?5 FROM {SELECTED}",
        (messages.wanted, messages.mailbox.base, target.base + first - 1, modseq, int(transaction.now)),
    )
    transaction.touched[target.row] = mailboxes.count(database, target, modseq, messages.tally, first + count)
    transaction.arrived.setdefault(target.id, first)
    return Copied(target.uid_validity, array("I", messages.uids), array("I", range(first, first + count)))


def _remove(transaction: Transaction, messages: _Messages, modseq: int, free: bool) -> None:
    """
    Take messages out of their mailbox.

    @param free: their octets go too, unless another mailbox has them.
    """
    database = transaction.database
    mailbox = messages.mailbox
    keywords.count(transaction, mailbox, _flags_in(transaction, messages), -1)
    database.execute(
        "INSERT INTO expunged (mailbox, modseq, uid) SELECT ?, ?, value FROM json_each(?)",
        (mailbox.row, modseq, messages.wanted),
    )
    emails = value(database, f"SELECT json_group_array(email) FROM {SELECTED}", (messages.wanted, mailbox.base))
    database.execute(
        "DELETE FROM slot WHERE key IN (SELECT ? + value FROM json_each(?))", (mailbox.base, messages.wanted)
    )
    transaction.touched[mailbox.row] = mailboxes.count(database, mailbox, modseq, -messages.tally)
    if free:
        _free(transaction, emails)


def _free(transaction: Transaction, emails: str) -> None:
    """Remove those of the emails, a JSON array, that are in no mailbox."""
    database = transaction.database
    gone = database.rows(
        "DELETE FROM email WHERE id IN (SELECT value FROM json_each(?))"
        " AND NOT EXISTS (SELECT 1 FROM slot WHERE slot.email = email.id) RETURNING id, objectid, file",
        (emails,),
    )
    database.execute(
        "DELETE FROM body WHERE email IN (SELECT value FROM json_each(?))", (json.dumps([row[0] for row in gone]),)
    )
    transaction.freed += [objectid for _, objectid, file in gone if file]


def _flags_in(transaction: Transaction, messages: _Messages) -> list[tuple[str, int]]:
    """Flag lists with keywords among these messages, and how many have each."""
    return [
        (flags, number)
        for flags, number in transaction.database.rows(
            f"SELECT flags, count(*) FROM {SELECTED} WHERE (bits & 32) != 0 GROUP BY flags",
            (messages.wanted, messages.mailbox.base),
        )
    ]
