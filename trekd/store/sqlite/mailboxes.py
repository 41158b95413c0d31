"""
Rows of mailboxes: reading them, and the counters that every change keeps.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache

from trekd.errors import NoSuchMailbox
from trekd.store.interfaces import MailboxState
from trekd.store.sqlite.database import Database, Row
from trekd.values import UID, MailboxId, MailboxName, ModSeq, UIDValidity

_ROW = "SELECT id, objectid, uid_validity, uid_next, modseq, expunged_floor FROM mailbox"
_COUNTERS = (
    "objectid, name, uid_validity, uid_next, modseq, total, unseen, deleted, octets, special_use,"
    " EXISTS (SELECT 1 FROM subscription WHERE subscription.name = mailbox.name)"
)
_STATE = f"SELECT {_COUNTERS} FROM mailbox"


@dataclass(frozen=True, slots=True)
class MailboxRow:
    """
    What changes and views need of a mailbox.

    @ivar row: its number in this database; it leads the keys of its messages.
    @ivar expunged_floor: expunges up to this modification sequence are recorded no more.
    """

    row: int
    id: MailboxId
    uid_validity: UIDValidity
    uid_next: int
    modseq: int
    expunged_floor: int

    @property
    def base(self) -> int:
        """The key of UID 0."""
        return self.row << 32


def named(database: Database, name: MailboxName) -> MailboxRow:
    """
    The mailbox of that name.

    @raise NoSuchMailbox: there is none.
    """
    rows = database.rows(f"{_ROW} WHERE name = ?", (name.text,))
    if not rows:
        raise NoSuchMailbox(name.text)
    return MailboxRow(*rows[0])


def identified(database: Database, mailbox: MailboxId) -> MailboxRow:
    """
    The mailbox of that identifier.

    @raise NoSuchMailbox: it was deleted.
    """
    rows = database.rows(f"{_ROW} WHERE objectid = ?", (mailbox,))
    if not rows:
        raise NoSuchMailbox(mailbox)
    return MailboxRow(*rows[0])


def state(database: Database, row: int) -> MailboxState:
    """The counters of a mailbox that exists."""
    return _state(database.rows(f"{_STATE} WHERE id = ?", (row,))[0])


def states(database: Database, rows: Collection[int] | None = None) -> tuple[MailboxState, ...]:
    """Counters of the mailboxes with these row numbers that exist; of all for C{None}."""
    if rows is None:
        return tuple(map(_state, database.rows(_STATE)))
    return tuple(_each(database, rows))


def count(database: Database, mailbox: MailboxRow, modseq: int, change: Tally, uid_next: int = 0) -> MailboxState:
    """
    Add to a mailbox's counters; its UIDNEXT rises to C{uid_next}.

    @return: its state then.
    """
    rows = database.rows(
        "UPDATE mailbox SET modseq = ?, uid_next = max(uid_next, ?), total = total + ?, unseen = unseen + ?,"
        f" deleted = deleted + ?, octets = octets + ? WHERE id = ? RETURNING {_COUNTERS}",
        (modseq, uid_next, change.total, change.unseen, change.deleted, change.octets, mailbox.row),
    )
    return _state(rows[0])


@dataclass(frozen=True, slots=True)
class Tally:
    """Counters over some messages."""

    total: int = 0
    unseen: int = 0
    deleted: int = 0
    octets: int = 0

    def __neg__(self) -> Tally:
        return Tally(-self.total, -self.unseen, -self.deleted, -self.octets)


TALLY = "count(*), coalesce(sum((bits & 8) = 0), 0), coalesce(sum((bits & 4) != 0), 0), coalesce(sum(slot.size), 0)"
"""SQL of a L{Tally} over rows of C{slot}."""


def _each(database: Database, rows: Collection[int]) -> Iterator[MailboxState]:
    for row in rows:
        yield from map(_state, database.rows(f"{_STATE} WHERE id = ?", (row,)))


def _state(row: Row) -> MailboxState:
    objectid, name, uid_validity, uid_next, modseq, total, unseen, deleted, octets, special_use, subscribed = row
    return MailboxState(
        MailboxId(objectid),
        _name(name),
        UIDValidity(uid_validity),
        UID(uid_next),
        ModSeq(modseq),
        total,
        unseen,
        deleted,
        octets,
        tuple(special_use.split()),
        bool(subscribed),
    )


_name = lru_cache(1024)(MailboxName)
