"""
Mending of an account whose invariants do not hold (L{trekd.store.sqlite.check}).

Mail is never deleted.  What lost its place goes to the mailbox C{Recovered}, what lost its octets keeps its place and
says so, and files that belong to nothing are put aside.  Everything that can be counted is counted anew, and every
client that resynchronises is told all of every mailbox, because nobody knows what the damage did to what it was told.
"""

from __future__ import annotations

import os
import secrets
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime

from trekd.errors import MailboxExists
from trekd.store.interfaces import MessageFacts, MessageReader
from trekd.store.rendering import internal_date, internal_day
from trekd.store.sqlite import flags as flag_lists
from trekd.store.sqlite import hierarchy, mailboxes
from trekd.store.sqlite.arrival import Arrival, insert
from trekd.store.sqlite.check import complaints
from trekd.store.sqlite.database import Database
from trekd.store.sqlite.mailboxes import MailboxRow
from trekd.store.sqlite.transactions import Transaction
from trekd.values import INBOX, MailboxName

RECOVERED = MailboxName("Recovered")
PUT_ASIDE = "lost+found"
"""The folder beside the database for files that belong to nothing."""
_AGE = 3600
"""Seconds; a younger file may be of a message that is arriving."""
_LOST = (
    b"The octets of this message were lost: the server's storage was damaged. A backup of the server may have them.\r\n"
)
_NO_HEADER = b"Subject: A message that was lost\r\n\r\n"
_MOST_HEADER = 64 * 1024


def repair(transaction: Transaction, reader: MessageReader) -> tuple[str, ...]:
    """
    Mend what can be mended.

    @return: one line for each thing that was wrong: C{mended}, C{lost} or, what needs a backup, C{left}.
    """
    before = complaints(transaction)
    if not before:
        return ()
    if any(line.startswith("database: ") for line in before):
        transaction.database.execute("REINDEX")
    work = _Repair(transaction, reader)
    work.run()
    after = complaints(transaction)
    mended = [f"mended: {line}" for line in before if line not in after]
    return (*mended, *(f"lost: {line}" for line in work.lost), *(f"left: {line}" for line in after))


class _Repair:
    """
    One account's mending.

    @ivar lost: what could not be brought back.
    """

    def __init__(self, transaction: Transaction, reader: MessageReader) -> None:
        self.lost: list[str] = []
        self._transaction = transaction
        self._database: Database = transaction.database
        self._reader = reader
        self._modseq = 0

    def run(self) -> None:
        """All steps; each relies on those before it."""
        self._find_modseq()
        self._make_inbox()
        self._rename_twins()
        self._read_anew()
        self._place_the_lost()
        self._drop_empty_places()
        self._put_files_aside()
        self._mend_rows()
        self._count_keywords()
        self._count()

    def _find_modseq(self) -> None:
        """One above all that were ever told, so that everything is news."""
        self._database.execute(
            "UPDATE account SET modseq = max(modseq, (SELECT max(modseq) FROM mailbox)) + 1,"
            " uid_validity = max(uid_validity, (SELECT max(uid_validity) FROM mailbox))"
        )
        self._modseq = self._database.rows("SELECT modseq FROM account")[0][0]

    def _make_inbox(self) -> None:
        try:
            hierarchy.create(self._transaction, INBOX, ())
        except MailboxExists:
            pass

    def _rename_twins(self) -> None:
        """Of emails with one identifier all but one get a new one; a file is named by it and cannot be told apart."""
        twins = self._database.rows(
            "SELECT id FROM email WHERE file = 0 AND objectid IN (SELECT objectid FROM email GROUP BY objectid"
            " HAVING count(*) > 1)"
        )
        for (email,) in twins:
            objectid = "E" + secrets.token_hex(12)
            self._database.execute("UPDATE email SET objectid = ? WHERE id = ?", (objectid, email))

    # --- Octets -------------------------------------------------------------------------------------

    def _read_anew(self) -> None:
        """Emails whose octets are not those that were read: what is there is read again."""
        broken = self._database.rows(
            "SELECT email.id, objectid, file, header, text FROM email LEFT JOIN body ON body.email = email.id"
            " WHERE file = 1 OR header IS NULL OR text IS NULL OR length(header) != header_length"
            " OR length(header) + length(text) != size"
            " OR rendered != length(envelope) + length(bodystructure) + length(email.body)"
        )
        for email, objectid, in_file, header, text in broken:
            if not in_file:
                self._read_body(email, header, text)
            elif not self._read_file(email, objectid):
                self._read_body(email, header, None)

    def _read_body(self, email: int, header: bytes | None, text: bytes | None) -> None:
        if header is None or text is None:
            self.lost.extend(f"{place}: its text" for place in self._places(email))
            text = (text or b"") + _LOST
        octets = (header or _NO_HEADER) + text
        length = self._store_facts(email, octets, in_file=False)
        self._store_body(email, octets[:length], octets[length:])

    def _read_file(self, email: int, objectid: str) -> bool:
        """Whether the message's file is there; it stays as it is, and what is known of it follows."""
        path = self._transaction.files.body(objectid)
        try:
            with open(path, "rb", buffering=0) as file:
                size = os.fstat(file.fileno()).st_size
                row = self._database.rows("SELECT size FROM email WHERE id = ?", (email,))
                is_known = row[0][0] == size and self._is_sound(email)
                if is_known:
                    return True
                facts = self._reader.scan_file(file.fileno(), size)
                header = file.read(facts.header_length) if facts.header_length <= _MOST_HEADER else None
        except OSError:
            return False
        self.lost.extend(f"{place}: it has another size, perhaps a part of it" for place in self._places(email))
        self._update_email(email, facts, size, in_file=True)
        self._store_body(email, header, None)
        return True

    def _is_sound(self, email: int) -> bool:
        """Whether what is known of a message in a file is in order."""
        return bool(
            self._database.rows(
                "SELECT 1 FROM email JOIN body ON body.email = email.id WHERE id = ? AND text IS NULL"
                " AND coalesce(length(header), header_length) = header_length"
                " AND rendered = length(envelope) + length(bodystructure) + length(email.body)",
                (email,),
            )
        )

    def _places(self, email: int) -> Iterator[str]:
        """Where a message is, as a user knows it."""
        rows = self._database.rows(
            "SELECT coalesce(name, key >> 32), key & 4294967295 FROM slot LEFT JOIN mailbox ON mailbox.id = key >> 32"
            " WHERE email = ?",
            (email,),
        )
        for name, uid in rows:
            yield f"mailbox {name}: message {uid}"

    def _store_facts(self, email: int, octets: bytes, in_file: bool) -> int:
        facts = self._reader.scan(octets)
        self._update_email(email, facts, len(octets), in_file)
        return facts.header_length

    def _update_email(self, email: int, facts: MessageFacts, size: int, in_file: bool) -> None:
        self._database.execute(
            "UPDATE email SET size = ?, header_length = ?, file = ?, rendered = ?, envelope = ?, bodystructure = ?,"
            " body = ?, parts = ?, preview = ? WHERE id = ?",
            (
                size,
                facts.header_length,
                int(in_file),
                len(facts.envelope) + len(facts.bodystructure) + len(facts.body),
                facts.envelope,
                facts.bodystructure,
                facts.body,
                facts.parts,
                facts.preview,
                email,
            ),
        )

    def _store_body(self, email: int, header: bytes | None, text: bytes | None) -> None:
        self._database.execute("DELETE FROM body WHERE email = ?", (email,))
        self._database.execute("INSERT INTO body (email, header, text) VALUES (?, ?, ?)", (email, header, text))

    # --- Places -------------------------------------------------------------------------------------

    def _place_the_lost(self) -> None:
        """Emails in no mailbox, messages of mailboxes that are gone and octets of no email are found again."""
        now = datetime.fromtimestamp(self._transaction.now, UTC)
        keys = self._database.rows("SELECT key FROM slot WHERE key >> 32 NOT IN (SELECT id FROM mailbox) ORDER BY key")
        for (key,) in keys:
            self._database.execute("UPDATE slot SET key = ? WHERE key = ?", (self._next_key(), key))
        emails = self._database.rows("SELECT id, size FROM email WHERE id NOT IN (SELECT email FROM slot) ORDER BY id")
        for email, size in emails:
            self._database.execute(
                "INSERT INTO slot (key, email, modseq, bits, flags, internal_date, internal_day, size, saved)"
                " VALUES (?, ?, ?, 0, '()', ?, ?, ?, ?)",
                (
                    self._next_key(),
                    email,
                    self._modseq,
                    internal_date(now).decode("ascii"),
                    internal_day(now),
                    size,
                    int(self._transaction.now),
                ),
            )
        bodies = self._database.rows("SELECT email, header, text FROM body WHERE email NOT IN (SELECT id FROM email)")
        for email, header, text in bodies:
            self._database.execute("DELETE FROM body WHERE email = ?", (email,))
            octets = (header or b"") + (text or b"")
            facts = self._reader.scan(octets)
            length = facts.header_length
            arrival = Arrival(
                "E" + secrets.token_hex(12), len(octets), facts, octets[:length], octets[length:], frozenset(), None
            )
            insert(self._transaction, self._next_email(), self._next_key(), self._modseq, 0, arrival)

    def _next_email(self) -> int:
        number: int = self._database.rows("SELECT coalesce(max(id), 0) + 1 FROM email")[0][0]
        return number

    def _next_key(self) -> int:
        """A place in L{RECOVERED}."""
        try:
            hierarchy.create(self._transaction, RECOVERED, ())
        except MailboxExists:
            pass
        mailbox: MailboxRow = mailboxes.named(self._database, RECOVERED)
        self._database.execute("UPDATE mailbox SET uid_next = uid_next + 1 WHERE id = ?", (mailbox.row,))
        return mailbox.base + mailbox.uid_next

    def _drop_empty_places(self) -> None:
        """A place whose message is gone, header and all, is no message."""
        empty = self._database.rows(
            "SELECT coalesce(name, key >> 32), key & 4294967295, key FROM slot"
            " LEFT JOIN mailbox ON mailbox.id = key >> 32 WHERE email NOT IN (SELECT id FROM email)"
        )
        for name, uid, key in empty:
            self.lost.append(f"mailbox {name}: message {uid}")
            self._database.execute("UPDATE mailbox SET uid_next = max(uid_next, ?) WHERE id = ?", (uid + 1, key >> 32))
            self._database.execute("DELETE FROM slot WHERE key = ?", (key,))

    def _put_files_aside(self) -> None:
        files = self._transaction.files
        query = "SELECT objectid FROM email WHERE file = 1 UNION ALL SELECT file FROM item WHERE file IS NOT NULL"
        wanted = {name for (name,) in self._database.rows(query)}
        aside = files.directory / PUT_ASIDE
        for name in sorted(set(os.listdir(files.bodies)) - wanted):
            path = files.body(name)
            if self._transaction.now - path.stat().st_mtime < _AGE:
                continue
            aside.mkdir(mode=0o700, exist_ok=True)
            path.rename(aside / name)

    # --- Counters -----------------------------------------------------------------------------------

    def _mend_rows(self) -> None:
        """What says of a message or a mailbox what the message says itself."""
        run = self._database.execute
        run("UPDATE slot SET size = (SELECT size FROM email WHERE email.id = slot.email)")
        for flags, bits in self._database.rows("SELECT DISTINCT flags, bits FROM slot"):
            parsed = flag_lists.parsed(flags)
            wire, right = flag_lists.wire(parsed), flag_lists.bits(parsed)
            if (wire, right) != (flags, bits):
                run("UPDATE slot SET flags = ?, bits = ? WHERE flags = ? AND bits = ?", (wire, right, flags, bits))
        run("UPDATE slot SET modseq = ? WHERE modseq > ? OR modseq < 1", (self._modseq, self._modseq))
        run(
            "UPDATE mailbox SET modseq = ?1, expunged_floor = ?1, uid_next = max(uid_next,"
            " (SELECT coalesce(max(key & 4294967295), 0) + 1 FROM slot WHERE key >> 32 = mailbox.id),"
            " (SELECT coalesce(max(uid), 0) + 1 FROM expunged WHERE mailbox = mailbox.id))",
            (self._modseq,),
        )
        run("DELETE FROM expunged")
        run("DELETE FROM snapshot")
        run("DELETE FROM annotation WHERE mailbox != 0 AND mailbox NOT IN (SELECT id FROM mailbox)")

    def _count_keywords(self) -> None:
        counted: Counter[tuple[int, str]] = Counter()
        spellings: dict[tuple[int, str], str] = {}
        for mailbox, text, messages in self._database.rows("SELECT key >> 32, flags, count(*) FROM slot GROUP BY 1, 2"):
            for flag in flag_lists.parsed(text):
                if flag.is_keyword:
                    place = mailbox, flag.text.lower()
                    counted[place] += messages
                    spellings.setdefault(place, flag.text)
        self._database.execute("DELETE FROM keyword")
        self._database.many(
            "INSERT INTO keyword (mailbox, name, spelling, messages) VALUES (?, ?, ?, ?)",
            [(*place, spellings[place], messages) for place, messages in counted.items()],
        )

    def _count(self) -> None:
        self._database.execute(
            "UPDATE mailbox SET (total, unseen, deleted, octets) = (SELECT count(*), coalesce(sum((bits & 8) = 0), 0),"
            " coalesce(sum((bits & 4) != 0), 0), coalesce(sum(size), 0) FROM slot WHERE key >> 32 = mailbox.id)"
        )
        self._database.execute(
            "UPDATE account SET (octets, messages) = (SELECT coalesce(sum(size), 0)"
            " + (SELECT coalesce(sum(size), 0) FROM item), count(*) FROM slot)"
        )
        for (row,) in self._database.rows("SELECT id FROM mailbox"):
            self._transaction.touched[row] = None
