"""
Sorting: what messages are sorted by is read and worked out a while at a time.
"""

from __future__ import annotations

import json
import time
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from trekd.errors import NoSuchMailbox
from trekd.store.interfaces import MailboxView, MessageReader
from trekd.store.sorting import Placed, ordered, value_of
from trekd.store.sqlite import mailboxes
from trekd.store.sqlite.database import Database, value
from trekd.store.terms import SortBy, SortKey

AT_ONCE = 500
STEP_SECONDS = 0.05

_EPOCH = date(1970, 1, 1).toordinal()
ARRIVED = (
    f"((slot.internal_day - {_EPOCH}) * 86400 + substr(slot.internal_date, 14, 2) * 3600"
    " + substr(slot.internal_date, 17, 2) * 60 + substr(slot.internal_date, 20, 2)"
    " - (substr(slot.internal_date, 23, 1) || '1')"
    " * (substr(slot.internal_date, 24, 2) * 3600 + substr(slot.internal_date, 26, 2) * 60))"
)
"""A slot's internal date as Unix seconds, from C{"17-Jul-1996 02:44:25 -0700"}, quotes included."""

_NUMBERS = {
    SortBy.ARRIVAL: ARRIVED,
    SortBy.DATE: f"coalesce(email.sent, {ARRIVED})",
    SortBy.SIZE: "slot.size",
}
"""What SQLite sorts by itself; without a usable Date the internal date stands for it (RFC 5256 §2.2)."""

_BY_ADDRESS = frozenset({SortBy.CC, SortBy.FROM, SortBy.TO, SortBy.DISPLAYFROM, SortBy.DISPLAYTO})


@dataclass(frozen=True, slots=True)
class Row:
    """A message.  Provides L{Sortable <trekd.store.sorting.Sortable>}, as far as the keys need it."""

    size: int
    arrived: int
    sent: int | None
    subject_key: str
    envelope: bytes


class Sorting:
    """
    One sorting under way; L{step} is called in reader threads, one call at a time.

    @ivar found: UIDs in order, when that was all.
    """

    def __init__(self, view: MailboxView, uids: array[int], keys: Sequence[SortKey], reader: MessageReader) -> None:
        self.found: array[int] = array("I")
        self._view = view
        self._uids = uids
        self._keys = keys
        self._values = [value_of(key, reader) for key in keys]
        self._messages: list[Placed] = []
        self._at = 0
        wanted = {key.by for key in keys}
        self._columns = (
            f"slot.size, {ARRIVED if wanted & {SortBy.ARRIVAL, SortBy.DATE} else 0}, email.sent,"
            f" {'email.subject_key' if SortBy.SUBJECT in wanted else 'NULL'},"
            f" {'email.envelope' if wanted & _BY_ADDRESS else 'NULL'}"
        )

    def step(self, database: Database) -> bool:
        """
        Sort on for a while.

        @return: whether that was all.
        """
        try:
            base = mailboxes.identified(database, self._view.mailbox).base
        except NoSuchMailbox:
            return True
        if all(key.by in _NUMBERS for key in self._keys):
            self.found = self._by_numbers(database, base)
            return True
        end = time.monotonic() + STEP_SECONDS
        while self._at < len(self._uids) and time.monotonic() < end:
            some = self._uids[self._at : self._at + AT_ONCE]
            self._at += AT_ONCE
            rows = database.rows(
                f"SELECT wanted.value, {self._columns} FROM json_each(?1) AS wanted"
                " CROSS JOIN slot ON slot.key = ?2 + wanted.value CROSS JOIN email ON email.id = slot.email",
                (json.dumps(some.tolist()), base),
            )
            for uid, *columns in rows:
                message = Row(*columns)
                self._messages.append(Placed(uid, tuple([value_in(message) for value_in in self._values])))
        if self._at < len(self._uids):
            return False
        self.found = ordered(self._messages, self._keys)
        return True

    def _by_numbers(self, database: Database, base: int) -> array[int]:
        terms = [_NUMBERS[key.by] + (" DESC" if key.reverse else "") for key in self._keys]
        uids = value(
            database,
            "SELECT group_concat(uid) FROM (SELECT wanted.value AS uid FROM json_each(?1) AS wanted"
            " CROSS JOIN slot ON slot.key = ?2 + wanted.value CROSS JOIN email ON email.id = slot.email"
            f" ORDER BY {', '.join(terms)}, slot.key)",
            (json.dumps(self._uids.tolist()), base),
        )
        return array("I", json.loads(f"[{uids or ''}]"))
