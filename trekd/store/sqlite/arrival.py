"""
Adding messages: reading them and writing large ones to files before the transaction, their rows inside it.
"""

from __future__ import annotations

import os
import secrets
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from trekd.errors import LimitReached, StoreFull
from trekd.store.interfaces import Appended, MessageFacts, MessageReader, NewMessage
from trekd.store.rendering import internal_date, internal_day
from trekd.store.sqlite import flags as flag_lists
from trekd.store.sqlite import keywords, mailboxes
from trekd.store.sqlite.mailboxes import Tally
from trekd.store.sqlite.paths import AccountFiles, sync_directory
from trekd.store.sqlite.transactions import Transaction
from trekd.values import MAX_UID, Flag, MailboxName

_PLACE_BITS = 20
"""Identifiers of emails are a modification sequence and the place among the messages that share it."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """
    A message that was read, and written to its file if it is large.

    @ivar header: C{None} when it is as large as messages that get files.
    @ivar text: what follows the header; C{None} when the message is in a file.
    """

    objectid: str
    size: int
    header_length: int
    facts: MessageFacts
    header: bytes | None
    text: bytes | None
    flags: frozenset[Flag]
    internal_date: datetime | None


class Arrivals:
    """The messages of one append, on their way."""

    def __init__(self, name: MailboxName, files: AccountFiles, reader: MessageReader, threshold: int) -> None:
        """@param threshold: octets; larger messages get files."""
        self._name = name
        self._files = files
        self._reader = reader
        self._threshold = threshold
        self._arrivals: list[Arrival] = []

    def prepare(self, messages: Sequence[NewMessage], octets: Sequence[bytes]) -> None:
        """
        Read the messages and make the files of large ones durable.

        @param octets: of each message, prefix included.
        @raise StoreFull: the file system refuses; L{abandon} must be called all the same.
        """
        written = False
        for message, whole in zip(messages, octets, strict=True):
            arrival = self._read(message, whole)
            self._arrivals.append(arrival)
            if arrival.text is None:
                _write(self._files, arrival.objectid, whole)
                written = True
        if written:
            sync_directory(self._files.bodies)

    def add(self, transaction: Transaction) -> Appended:
        """Write the rows."""
        mailbox = mailboxes.named(transaction.database, self._name)
        first = mailbox.uid_next
        if not self._arrivals:
            return Appended(mailbox.id, mailbox.uid_validity, array("I"))
        if first + len(self._arrivals) > MAX_UID:
            raise LimitReached("UIDs")
        octets = sum(arrival.size for arrival in self._arrivals)
        transaction.require_space(octets)
        modseq = transaction.next_modseq(octets, len(self._arrivals))
        unseen = deleted = 0
        for uid, arrival in enumerate(self._arrivals, first):
            bits = flag_lists.bits(arrival.flags)
            unseen += not bits & flag_lists.SEEN_BIT
            deleted += bool(bits & flag_lists.DELETED_BIT)
            _insert(transaction, (modseq << _PLACE_BITS) + uid - first, mailbox.base + uid, modseq, bits, arrival)
        lists = [(flag_lists.wire(arrival.flags), 1) for arrival in self._arrivals if arrival.flags]
        keywords.count(transaction, mailbox, lists, 1)
        tally = Tally(len(self._arrivals), unseen, deleted, octets)
        state = mailboxes.count(transaction.database, mailbox, modseq, tally, first + len(self._arrivals))
        transaction.touched[mailbox.row] = state
        transaction.arrived.setdefault(mailbox.id, first)
        return Appended(mailbox.id, mailbox.uid_validity, array("I", range(first, first + len(self._arrivals))))

    def abandon(self) -> None:
        """Remove the files: the messages were not added."""
        remove_bodies(self._files, [arrival.objectid for arrival in self._arrivals if arrival.text is None])

    def _read(self, message: NewMessage, octets: bytes) -> Arrival:
        facts = self._reader.scan(octets)
        length = facts.header_length
        in_file = len(octets) > self._threshold
        return Arrival(
            "E" + secrets.token_hex(12),
            len(octets),
            length,
            facts,
            None if in_file and length > self._threshold else octets[:length],
            None if in_file else octets[length:],
            message.flags,
            message.internal_date,
        )


def remove_bodies(files: AccountFiles, objectids: Sequence[str]) -> None:
    """Remove the files of messages; what cannot be removed is found when the account is next opened."""
    for objectid in objectids:
        try:
            files.body(objectid).unlink()
        except OSError:
            pass


def _write(files: AccountFiles, objectid: str, octets: bytes) -> None:
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with open(os.open(files.body(objectid), flags, 0o600), "wb", buffering=0) as file:
            rest = memoryview(octets)
            while rest:
                rest = rest[file.write(rest) :]
            os.fsync(file.fileno())
    except OSError as error:
        raise StoreFull(f"a message could not be written: {error.strerror}") from None


def _insert(transaction: Transaction, email: int, key: int, modseq: int, bits: int, arrival: Arrival) -> None:
    database = transaction.database
    facts = arrival.facts
    moment = arrival.internal_date or datetime.fromtimestamp(transaction.now, UTC)
    rendered = len(facts.envelope) + len(facts.bodystructure) + len(facts.body)
    database.execute(
        "INSERT INTO email (id, objectid, size, header_length, file, rendered, sent, sent_day, envelope, bodystructure,"
        " body, parts, subject_key, from_key, to_key, cc_key, bcc_key)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            email,
            arrival.objectid,
            arrival.size,
            arrival.header_length,
            int(arrival.text is None),
            rendered,
            facts.sent,
            facts.sent_date,
            facts.envelope,
            facts.bodystructure,
            facts.body,
            facts.parts,
            *map(_storable, (facts.subject_key, facts.from_key, facts.to_key, facts.cc_key, facts.bcc_key)),
        ),
    )
    database.execute("INSERT INTO body (email, header, text) VALUES (?, ?, ?)", (email, arrival.header, arrival.text))
    database.execute(
        "INSERT INTO slot (key, email, modseq, bits, flags, internal_date, internal_day, size, saved)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            key,
            email,
            modseq,
            bits,
            flag_lists.wire(arrival.flags),
            internal_date(moment).decode("ascii"),
            internal_day(moment),
            arrival.size,
            int(transaction.now),
        ),
    )


def _storable(text: str) -> str:
    """C{text} without lone surrogates, which UTF-8 cannot hold."""
    return text.encode("utf-8", "replace").decode("utf-8")
