"""
Views that are in use, shared among sessions, and how the next one is made from one of them.
"""

from __future__ import annotations

import json
import sys
from array import array
from bisect import bisect_left
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from weakref import ref

from trekd.store.interfaces import MailboxView
from trekd.store.sqlite.database import Database, value
from trekd.store.sqlite.mailboxes import MailboxRow
from trekd.values import MAX_UID, Flag, MailboxId, ModSeq

SNAPSHOT_FROM = 20_000
"""Mailboxes of so many messages have their UIDs stored in one piece too (table C{snapshot})."""
SNAPSHOT_AGE = 2_000
"""A snapshot is renewed when a mailbox has so many messages more or less."""


@dataclass(frozen=True, slots=True)
class Known:
    """
    A view with what else is the same for everyone who has it.

    @ivar was_dear: it was read row by row, and there are many.
    """

    view: MailboxView
    keywords: tuple[Flag, ...]
    was_dear: bool = False


class KnownViews:
    """
    The views that somebody holds, and a few of the latest.  Any thread may call anything.
    """

    def __init__(self, kept: int = 64) -> None:
        """@param kept: views kept though nobody may hold them."""
        self._lock = Lock()
        self._kept = kept
        self._latest: OrderedDict[MailboxId, Known] = OrderedDict()
        self._held: dict[MailboxId, list[tuple[ref[MailboxView], tuple[Flag, ...]]]] = {}
        self._sweep_at = 1024

    def newest(self, mailbox: MailboxId, at_most: int) -> Known | None:
        """The newest view of the mailbox whose modification sequence is not above C{at_most}."""
        best: Known | None = None
        with self._lock:
            for reference, keywords in self._held.get(mailbox, ()):
                view = reference()
                if view is not None and view.modseq <= at_most and (best is None or view.modseq > best.view.modseq):
                    best = Known(view, keywords)
        return best

    def share(self, known: Known) -> Known:
        """Keep a view; returns the one to use, which is another when the same was there already."""
        mailbox = known.view.mailbox
        with self._lock:
            alive = [entry for entry in self._held.get(mailbox, ()) if entry[0]() is not None]
            for reference, keywords in alive:
                view = reference()
                if view is not None and view.modseq == known.view.modseq:
                    known = Known(view, keywords)
                    break
            else:
                alive.append((ref(known.view), known.keywords))
            self._held[mailbox] = alive
            self._keep_latest(mailbox, known)
        return known

    def forget(self, mailbox: MailboxId) -> None:
        """The mailbox was deleted."""
        with self._lock:
            self._latest.pop(mailbox, None)
            self._held.pop(mailbox, None)

    def _keep_latest(self, mailbox: MailboxId, known: Known) -> None:
        latest = self._latest.get(mailbox)
        if latest is None or latest.view.modseq <= known.view.modseq:
            self._latest[mailbox] = known
        self._latest.move_to_end(mailbox)
        while len(self._latest) > self._kept:
            self._latest.popitem(last=False)
        if len(self._held) > self._sweep_at:
            self._held = {
                key: alive
                for key, entries in self._held.items()
                if (alive := [entry for entry in entries if entry[0]() is not None])
            }
            self._sweep_at = max(1024, 2 * len(self._held))


def current(database: Database, mailbox: MailboxRow, views: KnownViews) -> Known:
    """
    The mailbox's view and keywords at the commit that C{database} reads, from the nearest one known.
    """
    base = views.newest(mailbox.id, mailbox.modseq)
    if base is not None and base.view.modseq == mailbox.modseq:
        return base
    uids = _advanced(database, mailbox, base.view.uids, base.view.modseq) if base is not None else None
    is_dear = False
    if uids is None:
        uids = _from_snapshot(database, mailbox)
    if uids is None:
        uids = all_uids(database, mailbox.row)
        is_dear = len(uids) >= SNAPSHOT_FROM
    view = MailboxView(mailbox.id, ModSeq(mailbox.modseq), uids)
    return Known(view, keywords(database, mailbox.row), is_dear)


def keywords(database: Database, row: int) -> tuple[Flag, ...]:
    """Keywords in use in the mailbox, sorted."""
    found = database.rows("SELECT spelling FROM keyword WHERE mailbox = ?", (row,))
    return tuple(sorted(Flag(spelling) for (spelling,) in found))


def all_uids(database: Database, row: int) -> array[int]:
    """The mailbox's UIDs, ascending, read from its rows."""
    text = value(
        database,
        "SELECT group_concat(key & 4294967295) FROM slot INDEXED BY slot_modseq WHERE key >> 32 = ?",
        (row,),
    )
    return array("I", sorted(json.loads(f"[{text or ''}]")))


def changed_uids(database: Database, row: int, since: int) -> array[int]:
    """UIDs, ascending, of messages with a modification sequence above C{since}."""
    text = value(
        database,
        "SELECT group_concat(key & 4294967295) FROM slot INDEXED BY slot_modseq WHERE key >> 32 = ? AND modseq > ?",
        (row, since),
    )
    return array("I", sorted(json.loads(f"[{text or ''}]")))


def expunged_uids(database: Database, row: int, since: int) -> array[int]:
    """UIDs, ascending, of messages expunged with a modification sequence above C{since}."""
    text = value(
        database, "SELECT group_concat(uid) FROM expunged WHERE mailbox = ? AND modseq > ?", (row, since)
    )
    return array("I", sorted(json.loads(f"[{text or ''}]")))


def store_snapshot(database: Database, mailbox: MailboxRow, view: MailboxView) -> None:
    """Store a view's UIDs in one piece, from which the next view is made sooner than from the rows."""
    database.execute(
        "INSERT OR REPLACE INTO snapshot (mailbox, modseq, uids) VALUES (?, ?, ?)",
        (mailbox.row, view.modseq, packed(view.uids)),
    )


def packed(uids: array[int]) -> bytes:
    """UIDs as they are stored: 4 octets each, little end first."""
    return _little(uids).tobytes()


def unpacked(octets: bytes) -> array[int]:
    """The reverse of L{packed}."""
    return _little(array("I", octets))


def _little(uids: array[int]) -> array[int]:
    if sys.byteorder == "big":
        uids = uids[:]
        uids.byteswap()
    return uids


def _from_snapshot(database: Database, mailbox: MailboxRow) -> array[int] | None:
    rows = database.rows("SELECT modseq, uids FROM snapshot WHERE mailbox = ?", (mailbox.row,))
    if not rows:
        return None
    modseq, uids = rows[0]
    return _advanced(database, mailbox, unpacked(uids), modseq)


def _advanced(database: Database, mailbox: MailboxRow, uids: array[int], since: int) -> array[int] | None:
    """
    C{uids}, true at C{since}, brought to the commit that is read; C{None} when that is no longer recorded.
    """
    if since < mailbox.expunged_floor or since > mailbox.modseq:
        return None
    new = _uids_behind(database, mailbox, uids[-1] if uids else 0)
    gone = expunged_uids(database, mailbox.row, since)
    if gone:
        uids = without(uids, gone)
    return uids + new if new else uids


def _uids_behind(database: Database, mailbox: MailboxRow, last: int) -> array[int]:
    """UIDs above C{last}: they are new to a view that ends with it, for UIDs only rise."""
    text = value(
        database,
        "SELECT group_concat(key & 4294967295) FROM (SELECT key FROM slot WHERE key BETWEEN ? AND ? ORDER BY key)",
        (mailbox.base + last + 1, mailbox.base + MAX_UID),
    )
    return array("I", json.loads(f"[{text or ''}]"))


def without(uids: array[int], gone: array[int]) -> array[int]:
    """C{uids} less those in C{gone}; both ascending."""
    if len(gone) * 16 > len(uids):
        absent = frozenset(gone)
        return array("I", [uid for uid in uids if uid not in absent])
    left: array[int] = array("I")
    start = 0
    for uid in gone:
        place = bisect_left(uids, uid, start)
        if place < len(uids) and uids[place] == uid:
            left += uids[start:place]
            start = place + 1
    return left + uids[start:]
