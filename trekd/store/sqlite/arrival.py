"""
Adding messages: reading them and writing large ones to files before the transaction, their rows inside it.
"""

from __future__ import annotations

import os
import secrets
from array import array
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from trekd.errors import LimitReached, StoreFull
from trekd.store.interfaces import Appended, IMessageSource, MessageFacts, MessageReader, NewMessage
from trekd.store.rendering import internal_date, internal_day
from trekd.store.sinks import whole_message
from trekd.store.sqlite import flags as flag_lists
from trekd.store.sqlite import keywords, mailboxes
from trekd.store.sqlite.mailboxes import Tally
from trekd.store.sqlite.paths import AccountFiles, sync_directory
from trekd.store.sqlite.transactions import Transaction
from trekd.values import MAX_UID, Flag, MailboxName

PIECE = 1024 * 1024
"""Octets of a large message in memory at a time."""

WriteInThread = Callable[[Callable[[], None]], Awaitable[None]]
"""Runs a function in one of the store's writer threads."""

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
    facts: MessageFacts
    header: bytes | None
    text: bytes | None
    flags: frozenset[Flag]
    internal_date: datetime | None


@dataclass(frozen=True, slots=True)
class _Gathered:
    """
    A message before it is read.

    @ivar octets: all of it, prefix included; C{None} when it is in its file already.
    """

    message: NewMessage
    objectid: str
    octets: bytes | None


class Arrivals:
    """The messages of one append, on their way."""

    def __init__(
        self, name: MailboxName, files: AccountFiles, reader: MessageReader, threshold: int, write: WriteInThread
    ) -> None:
        """@param threshold: octets; larger messages get files."""
        self._name = name
        self._files = files
        self._reader = reader
        self._threshold = threshold
        self._write = write
        self._gathered: list[_Gathered] = []
        self._arrivals: list[Arrival] = []
        self._in_files: list[str] = []

    def memory(self, message: NewMessage) -> int:
        """Octets in memory while a message is worked on."""
        if isinstance(message.content, bytes):
            return len(message.content)
        return min(message.content.size, max(PIECE, self._threshold))

    async def gather(self, messages: Sequence[NewMessage]) -> None:
        """
        Get the messages' octets, of large ones into their files; in the reactor's thread.

        @raise StoreFull: a sink could not keep them, or the file system refuses; nothing is left of them.
        """
        try:
            for message in messages:
                gathered = _Gathered(message, "E" + secrets.token_hex(12), None)
                source = message.content
                if isinstance(source, bytes) or source.size + len(message.prefix) <= self._threshold:
                    gathered = replace(gathered, octets=await whole_message(message))
                self._gathered.append(gathered)
                if gathered.octets is None:
                    assert not isinstance(source, bytes)
                    await self._copy(source, message.prefix, gathered.objectid)
        except BaseException:
            self.abandon()
            raise

    async def _copy(self, source: IMessageSource, prefix: bytes, objectid: str) -> None:
        """Write a message to its file piece by piece."""
        self._in_files.append(objectid)
        path, offset = self._files.body(objectid), 0
        while offset < source.size:
            piece = await source.read(offset, PIECE)
            if not piece:
                raise StoreFull("a message in arrival is shorter than it was")
            await self._write(partial(append_to, path, piece if offset else prefix + piece))
            offset += len(piece)

    def prepare(self) -> None:
        """
        Read the messages and make the files of large ones durable; in a writer thread.

        @raise StoreFull: the file system refuses; L{abandon} must be called all the same.
        """
        gathered, self._gathered = self._gathered, []
        for one in gathered:
            if one.octets is not None and len(one.octets) <= self._threshold:
                self._arrivals.append(self._read(one, one.octets))
                continue
            if one.octets is not None:
                self._in_files.append(one.objectid)
                append_to(self._files.body(one.objectid), one.octets)
            self._arrivals.append(self._read_file(one))
        if self._in_files:
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
            insert(transaction, (modseq << _PLACE_BITS) + uid - first, mailbox.base + uid, modseq, bits, arrival)
        lists = [(flag_lists.wire(arrival.flags), 1) for arrival in self._arrivals if arrival.flags]
        keywords.count(transaction, mailbox, lists, 1)
        tally = Tally(len(self._arrivals), unseen, deleted, octets)
        state = mailboxes.count(transaction.database, mailbox, modseq, tally, first + len(self._arrivals))
        transaction.touched[mailbox.row] = state
        transaction.arrived.setdefault(mailbox.id, first)
        return Appended(mailbox.id, mailbox.uid_validity, array("I", range(first, first + len(self._arrivals))))

    def abandon(self) -> None:
        """Remove the files: the messages were not added."""
        remove_bodies(self._files, self._in_files)

    def _read(self, gathered: _Gathered, octets: bytes) -> Arrival:
        facts = self._reader.scan(octets)
        header, text = octets[: facts.header_length], octets[facts.header_length :]
        message = gathered.message
        return Arrival(gathered.objectid, len(octets), facts, header, text, message.flags, message.internal_date)

    def _read_file(self, gathered: _Gathered) -> Arrival:
        """Read a large message; its file is durable but for its name."""
        try:
            with open(self._files.body(gathered.objectid), "rb", buffering=0) as file:
                os.fsync(file.fileno())
                size = os.fstat(file.fileno()).st_size
                facts = self._reader.scan_file(file.fileno(), size)
                header = file.read(facts.header_length) if facts.header_length <= self._threshold else None
        except OSError as error:
            raise StoreFull(f"a message could not be written: {error.strerror}") from None
        message = gathered.message
        return Arrival(gathered.objectid, size, facts, header, None, message.flags, message.internal_date)


def remove_bodies(files: AccountFiles, objectids: Sequence[str]) -> None:
    """Remove the files of messages; what cannot be removed is found when the account is next opened."""
    for objectid in objectids:
        try:
            files.body(objectid).unlink()
        except OSError:
            pass


def append_to(path: Path, octets: bytes) -> None:
    """
    Add to the file of a message or item, or make it.

    @raise StoreFull: the file system refuses.
    """
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        with open(os.open(path, flags, 0o600), "wb", buffering=0) as file:
            rest = memoryview(octets)
            while rest:
                rest = rest[file.write(rest) :]
    except OSError as error:
        raise StoreFull(f"a message could not be written: {error.strerror}") from None


def insert(transaction: Transaction, email: int, key: int, modseq: int, bits: int, arrival: Arrival) -> None:
    """
    Write the rows of one message.

    @param email: a number that no email has; likewise C{key} of slots.
    """
    database = transaction.database
    facts = arrival.facts
    moment = arrival.internal_date or datetime.fromtimestamp(transaction.now, UTC)
    rendered = len(facts.envelope) + len(facts.bodystructure) + len(facts.body)
    database.execute(
        "INSERT INTO email (id, objectid, size, header_length, file, rendered, sent, sent_day, envelope, bodystructure,"
        " body, parts, subject_key, from_key, to_key, cc_key, bcc_key, preview)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            email,
            arrival.objectid,
            arrival.size,
            arrival.facts.header_length,
            int(arrival.text is None),
            rendered,
            facts.sent,
            facts.sent_date,
            facts.envelope,
            facts.bodystructure,
            facts.body,
            facts.parts,
            *map(_storable, (facts.subject_key, facts.from_key, facts.to_key, facts.cc_key, facts.bcc_key)),
            facts.preview,
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
