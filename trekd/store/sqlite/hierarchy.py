"""
Changes of the account's set of mailboxes and subscriptions.  Each function is one operation of a transaction.
"""

from __future__ import annotations

import secrets

from trekd.errors import LimitReached, MailboxExists, NotPermitted
from trekd.store.interfaces import MailboxState
from trekd.store.naming import FIRST_MAILBOXES, missing_superiors, plan_renaming
from trekd.store.sqlite import entries, mailboxes, transfer
from trekd.store.sqlite.database import Database, value
from trekd.store.sqlite.transactions import Transaction
from trekd.values import INBOX, MailboxName


def found_account(transaction: Transaction, least_validity: int) -> None:
    """
    Write a new account's rows and first mailboxes.

    @param least_validity: UIDVALIDITY is greater than this.
    """
    transaction.database.execute(
        "INSERT INTO account (id, principal, modseq, uid_validity, octets, messages) VALUES (1, ?, 0, ?, 0, 0)",
        (transaction.files.principal, least_validity),
    )
    for name, special_use in FIRST_MAILBOXES:
        _make(transaction, name, special_use)
        subscribe(transaction, name)


def create(transaction: Transaction, name: MailboxName, special_use: tuple[str, ...]) -> MailboxState:
    """Make a mailbox and the superior ones that are missing."""
    taken = _names(transaction.database)
    if name in taken:
        raise MailboxExists(name.text)
    superiors = missing_superiors(name, taken)
    _require_room(transaction, len(taken) + len(superiors) + 1)
    for superior in superiors:
        _make(transaction, superior, ())
    return mailboxes.state(transaction.database, _make(transaction, name, special_use))


def delete(transaction: Transaction, name: MailboxName) -> None:
    """Remove a mailbox and its messages."""
    database = transaction.database
    mailbox = mailboxes.named(database, name)
    if name.is_inbox:
        raise NotPermitted(name.text)
    transaction.deleted[mailbox.id] = transfer.empty(transaction, mailbox)
    transaction.touched.pop(mailbox.row, None)
    for table in ("annotation", "expunged", "keyword", "snapshot"):
        database.execute(f"DELETE FROM {table} WHERE mailbox = ?", (mailbox.row,))
    database.execute("DELETE FROM mailbox WHERE id = ?", (mailbox.row,))


def rename(transaction: Transaction, source: MailboxName, target: MailboxName) -> None:
    """Rename a mailbox and its inferior ones, or empty INBOX into the target."""
    database = transaction.database
    taken = _names(database)
    plan = plan_renaming(source, target, taken)
    if plan.create:
        _require_room(transaction, len(taken) + len(plan.create))
    for name in plan.create:
        _make(transaction, name, ())
    for old, new in plan.moves:
        rows = database.rows("UPDATE mailbox SET name = ? WHERE name = ? RETURNING id", (new.text, old.text))
        transaction.touched[rows[0][0]] = None
    if source.is_inbox:
        inbox, emptied_into = mailboxes.named(database, INBOX), mailboxes.named(database, target)
        transfer.move_all(transaction, inbox, emptied_into)
        entries.copy(database, inbox.row, emptied_into.row)


def subscribe(transaction: Transaction, name: MailboxName) -> None:
    """
    Add a name to the subscriptions.

    @raise LimitReached: there are as many as an account may have mailboxes.
    """
    database = transaction.database
    if value(database, "SELECT 1 FROM subscription WHERE name = ?", (name.text,)):
        return
    if value(database, "SELECT count(*) FROM subscription") >= transaction.limits.mailboxes:
        raise LimitReached("subscriptions")
    database.execute("INSERT INTO subscription (name) VALUES (?)", (name.text,))
    _touch_named(transaction, name)


def unsubscribe(transaction: Transaction, name: MailboxName) -> None:
    """Remove a name from the subscriptions."""
    transaction.database.execute("DELETE FROM subscription WHERE name = ?", (name.text,))
    _touch_named(transaction, name)


def subscriptions(database: Database) -> tuple[MailboxName, ...]:
    """Subscribed names, sorted."""
    return tuple(sorted(MailboxName(name) for (name,) in database.rows("SELECT name FROM subscription")))


def _touch_named(transaction: Transaction, name: MailboxName) -> None:
    rows = transaction.database.rows("SELECT id FROM mailbox WHERE name = ?", (name.text,))
    transaction.touched.update((row, None) for (row,) in rows)
    transaction.is_account_changed = transaction.is_account_changed or not rows


def _names(database: Database) -> set[MailboxName]:
    return {MailboxName(name) for (name,) in database.rows("SELECT name FROM mailbox")}


def _require_room(transaction: Transaction, mailboxes_then: int) -> None:
    if mailboxes_then > transaction.limits.mailboxes:
        raise LimitReached("mailboxes")


def _make(transaction: Transaction, name: MailboxName, special_use: tuple[str, ...]) -> int:
    database = transaction.database
    validity = database.rows(
        "UPDATE account SET uid_validity = max(?, uid_validity + 1) RETURNING uid_validity", (int(transaction.now),)
    )[0][0]
    row: int = database.rows(
        "INSERT INTO mailbox (objectid, name, uid_validity, uid_next, modseq, expunged_floor, total, unseen, deleted,"
        " octets, special_use) VALUES (?, ?, ?, 1, ?, 0, 0, 0, 0, 0, ?) RETURNING id",
        ("M" + secrets.token_hex(12), name.text, validity, transaction.next_modseq(), " ".join(special_use)),
    )[0][0]
    transaction.touched[row] = None
    return row
