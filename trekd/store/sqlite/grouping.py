"""
Conversations: the headers are read a while at a time, then the messages are grouped.
"""

from __future__ import annotations

import json
import time
from array import array

from trekd.errors import NoSuchMailbox
from trekd.store.interfaces import MailboxView, MessageReader
from trekd.store.sorting import threadable
from trekd.store.sqlite import mailboxes
from trekd.store.sqlite.database import Database
from trekd.store.sqlite.paths import AccountFiles
from trekd.store.sqlite.sorting import ARRIVED, AT_ONCE, STEP_SECONDS, Row
from trekd.store.terms import Threading
from trekd.store.threading import Threadable, threaded


class Grouping:
    """
    One grouping under way; L{step} is called in reader threads, one call at a time.

    @ivar found: levels and UIDs, when that was all.
    """

    def __init__(
        self, view: MailboxView, uids: array[int], way: Threading, reader: MessageReader, files: AccountFiles
    ) -> None:
        self.found: list[tuple[int, int]] = []
        self._view = view
        self._uids = uids
        self._way = way
        self._reader = reader
        self._files = files
        self._messages: list[Threadable] = []
        self._at = 0
        # By subject no header is needed.
        self._header = "body.header" if way is Threading.REFERENCES else "X''"

    def step(self, database: Database) -> bool:
        """
        Read on for a while.

        @return: whether that was all.
        """
        try:
            base = mailboxes.identified(database, self._view.mailbox).base
        except NoSuchMailbox:
            return True
        end = time.monotonic() + STEP_SECONDS
        while self._at < len(self._uids) and time.monotonic() < end:
            some = self._uids[self._at : self._at + AT_ONCE]
            self._at += AT_ONCE
            rows = database.rows(
                f"SELECT wanted.value, slot.size, {ARRIVED}, email.sent, email.subject_key, NULL, {self._header},"
                " email.objectid, email.header_length FROM json_each(?1) AS wanted"
                " CROSS JOIN slot ON slot.key = ?2 + wanted.value CROSS JOIN email ON email.id = slot.email"
                " LEFT JOIN body ON body.email = email.id",
                (json.dumps(some.tolist()), base),
            )
            for uid, *columns, header, objectid, length in rows:
                octets = self._from_file(objectid, length) if header is None else header
                self._messages.append(threadable(uid, Row(*columns), octets, self._reader))
        if self._at < len(self._uids):
            return False
        self.found = threaded(self._messages, self._way)
        return True

    def _from_file(self, objectid: str, length: int) -> bytes:
        """A header that is too large for the database; nothing when its file is gone."""
        try:
            with open(self._files.body(objectid), "rb") as file:
                return file.read(length)
        except OSError:
            return b""
