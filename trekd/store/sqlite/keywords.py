"""
How many messages of a mailbox have each keyword.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from trekd.errors import LimitReached
from trekd.store.sqlite import flags as flag_lists
from trekd.store.sqlite.database import value
from trekd.store.sqlite.mailboxes import MailboxRow
from trekd.store.sqlite.transactions import Transaction
from trekd.values import Flag

Change = tuple[frozenset[Flag], frozenset[Flag], int]


def count(transaction: Transaction, mailbox: MailboxRow, lists: Iterable[tuple[str, int]], sign: int) -> None:
    """
    Count messages in (C{sign} 1) or out (-1).

    @param lists: stored flag lists, and how many messages have each.
    @raise LimitReached: the mailbox would have too many keywords.
    """
    changes: Counter[Flag] = Counter()
    for text, messages in lists:
        for flag in flag_lists.parsed(text):
            if flag.is_keyword:
                changes[flag] += sign * messages
    if changes:
        _apply(transaction, mailbox, changes)


def recount(transaction: Transaction, mailbox: MailboxRow, changes: Iterable[Change]) -> None:
    """
    Count a change of flags.

    @param changes: flags before and after, and how many messages changed so.
    """
    balance: Counter[Flag] = Counter()
    for before, after, messages in changes:
        for flag in after:
            balance[flag] += messages
        for flag in before:
            balance[flag] -= messages
    moved = Counter({flag: number for flag, number in balance.items() if flag.is_keyword and number})
    if moved:
        _apply(transaction, mailbox, moved)


def require(transaction: Transaction, mailbox: MailboxRow, flags: Iterable[Flag]) -> None:
    """
    @raise LimitReached: with these flags the mailbox would have too many keywords.
    """
    most = transaction.limits.keywords
    wanted = {flag.text.lower() for flag in flags if flag.is_keyword} if most else None
    if not wanted:
        return
    rows = transaction.database.rows("SELECT name FROM keyword WHERE mailbox = ?", (mailbox.row,))
    names = {name for (name,) in rows}
    if wanted - names and len(wanted | names) > most:
        raise LimitReached("keywords")


def _apply(transaction: Transaction, mailbox: MailboxRow, changes: Counter[Flag]) -> None:
    database = transaction.database
    require(transaction, mailbox, (flag for flag, change in changes.items() if change > 0))
    database.many(
        "INSERT INTO keyword (mailbox, name, spelling, messages) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (mailbox, name) DO UPDATE SET messages = messages + excluded.messages",
        [(mailbox.row, flag.text.lower(), flag.text, change) for flag, change in changes.items()],
    )
    database.execute("DELETE FROM keyword WHERE mailbox = ? AND messages = 0", (mailbox.row,))
    below = value(database, "SELECT name FROM keyword WHERE mailbox = ? AND messages < 0", (mailbox.row,))
    assert below is None, f"fewer than no messages with {below}"
