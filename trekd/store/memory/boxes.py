"""
What an account is made of: mailboxes, the messages in them, and counters that are kept, never counted.
"""

from __future__ import annotations

import secrets
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from trekd.errors import LimitReached, MailboxExists, NoSuchMailbox, OverQuota
from trekd.store.collections import MOST_COLLECTIONS
from trekd.store.interfaces import (
    MOST_ANNOTATION_OCTETS,
    MOST_ANNOTATIONS,
    NO_MAILBOX,
    Column,
    MailboxState,
    MailboxView,
    MessageFacts,
)
from trekd.store.memory.shelves import Shelf
from trekd.store.naming import FIRST_MAILBOXES, missing_superiors
from trekd.store.rendering import Source, flag_list, internal_date, internal_day, literal
from trekd.values import DELETED, SEEN, UID, EmailId, Flag, MailboxId, MailboxName, ModSeq, UIDValidity


@dataclass(frozen=True, slots=True)
class Limits:
    """
    Counts that the configuration bounds.

    @ivar mailboxes: of one account; as many names may be subscribed.
    @ivar keywords: in use in one mailbox; 0 is no limit.
    @ivar collections: of one account.
    """

    mailboxes: int
    keywords: int
    collections: int = MOST_COLLECTIONS


@dataclass(frozen=True, slots=True)
class Email:
    """A message's octets and what its one reading found; shared by its copies."""

    octets: bytes
    facts: MessageFacts
    objectid: EmailId

    @property
    def size(self) -> int:
        """In octets."""
        return len(self.octets)


@dataclass(slots=True)
class Message:
    """An email in a mailbox.  Provides L{Searched <trekd.store.matching.Searched>}."""

    uid: int
    email: Email
    flags: frozenset[Flag]
    internal_date: datetime
    saved: datetime
    modseq: ModSeq

    @property
    def size(self) -> int:
        """In octets."""
        return self.email.size

    @property
    def internal_day(self) -> int:
        """Day of the internal date as a proleptic ordinal."""
        return internal_day(self.internal_date)

    @property
    def saved_day(self) -> int:
        """Day that it came into its mailbox, as a proleptic ordinal."""
        return self.saved.toordinal()

    @property
    def objectid(self) -> str:
        """Identifier that its copies share."""
        return self.email.objectid

    @property
    def sent_date(self) -> int | None:
        """Day of the Date field as a proleptic ordinal."""
        return self.email.facts.sent_date

    @property
    def parts(self) -> bytes:
        """Where each part lies."""
        return self.email.facts.parts

    def folded_field(self, field: str) -> str:
        """Folded text of one of the C{FOLDED_FIELDS <trekd.store.matching.FOLDED_FIELDS>}."""
        facts = self.email.facts
        return {
            "subject": facts.subject_key,
            "from": facts.from_key,
            "to": facts.to_key,
            "cc": facts.cc_key,
            "bcc": facts.bcc_key,
        }[field]

    def header(self) -> bytes:
        """Header octets, the blank line included."""
        return self.email.octets[: self.email.facts.header_length]

    def octets(self) -> bytes:
        """All octets."""
        return self.email.octets

    def source(self) -> Source:
        """What extracts are taken from."""
        facts = self.email.facts
        return Source(facts.parts, facts.header_length, self.size, self.email.octets)

    def column(self, column: Column, seq: int) -> bytes:
        """A value as it goes on the wire."""
        facts = self.email.facts
        match column:
            case Column.SEQ:
                return b"%d" % seq
            case Column.UID:
                return b"%d" % self.uid
            case Column.FLAGS:
                return flag_list(self.flags)
            case Column.INTERNALDATE:
                return internal_date(self.internal_date)
            case Column.SIZE:
                return b"%d" % self.size
            case Column.MODSEQ:
                return b"%d" % self.modseq
            case Column.EMAILID:
                return self.email.objectid.encode("ascii")
            case Column.SAVEDATE:
                return internal_date(self.saved)
            case Column.ENVELOPE:
                return facts.envelope
            case Column.BODYSTRUCTURE:
                return facts.bodystructure
            case Column.BODY:
                return facts.body
            case Column.PREVIEW | Column.PREVIEW_LAZY:
                return facts.preview
            case Column.OCTETS:
                return literal(self.email.octets)
            case Column.HEADER:
                return literal(self.header())
            case Column.TEXT:
                return literal(self.email.octets[facts.header_length :])


@dataclass(slots=True)
class Tally:
    """Counters over a mailbox's messages."""

    total: int = 0
    unseen: int = 0
    deleted: int = 0
    octets: int = 0
    keywords: Counter[Flag] = field(default_factory=Counter)

    def count(self, message: Message, times: int) -> None:
        """Count a message in (C{times} 1) or out (-1)."""
        self.total += times
        self.octets += times * message.size
        self.unseen += times * (SEEN not in message.flags)
        self.deleted += times * (DELETED in message.flags)
        for flag in message.flags:
            if flag.is_keyword:
                self.keywords[flag] += times
                if not self.keywords[flag]:
                    del self.keywords[flag]


class Annotations:
    """
    Values by entry.

    @ivar values: C{None} for one that was removed.
    @ivar modseqs: of their last changes.
    """

    def __init__(self) -> None:
        self.values: dict[str, bytes | None] = {}
        self.modseqs: dict[str, ModSeq] = {}

    def present(self) -> dict[str, bytes]:
        """Those that are there."""
        return {entry: octets for entry, octets in self.values.items() if octets is not None}

    def changed(self, since: ModSeq) -> tuple[str, ...]:
        """Entries changed behind a modification sequence, sorted."""
        return tuple(sorted(entry for entry, modseq in self.modseqs.items() if modseq > since))

    def update(self, values: Mapping[str, bytes | None], modseq: ModSeq) -> None:
        """Set entries, or remove those that are there; the names of the last ones removed are kept."""
        for entry, octets in values.items():
            if octets is not None or entry in self.values:
                self.values[entry], self.modseqs[entry] = octets, modseq
        removed = sorted((entry for entry in self.values if self.values[entry] is None), key=self.modseqs.__getitem__)
        for entry in removed[: -MOST_ANNOTATIONS]:
            del self.values[entry], self.modseqs[entry]


class Mailbox:
    """One mailbox."""

    def __init__(self, name: MailboxName, validity: int, modseq: ModSeq, special_use: tuple[str, ...]) -> None:
        self.id = MailboxId("M" + secrets.token_hex(12))
        self.name = name
        self.uid_validity = UIDValidity(validity)
        self.uid_next = 1
        self.modseq = modseq
        self.special_use = special_use
        self.messages: dict[int, Message] = {}
        self.expunged: dict[int, ModSeq] = {}
        self.tally = Tally()
        self.annotations = Annotations()
        self.recent_from = 1
        self._view: MailboxView | None = None

    def state(self, subscribed: bool) -> MailboxState:
        """The counters now."""
        return MailboxState(
            self.id,
            self.name,
            self.uid_validity,
            UID(self.uid_next),
            self.modseq,
            self.tally.total,
            self.tally.unseen,
            self.tally.deleted,
            self.tally.octets,
            self.special_use,
            subscribed,
        )

    def view(self) -> MailboxView:
        """The view now: one object for all who ask until the next change."""
        if self._view is None or self._view.modseq != self.modseq:
            self._view = MailboxView(self.id, self.modseq, array("I", self.messages))
        return self._view

    def keywords(self) -> tuple[Flag, ...]:
        """Keywords in use, sorted."""
        return tuple(sorted(self.tally.keywords))

    def within(self, view: MailboxView, positions: Iterable[range]) -> Iterator[tuple[int, Message]]:
        """Each message at these positions that is still there, with its sequence number in the view."""
        for span in positions:
            for position, uid in enumerate(view.uids[span.start : span.stop], span.start):
                message = self.messages.get(uid)
                if message is not None:
                    yield position + 1, message

    def add(
        self, email: Email, flags: frozenset[Flag], date: datetime, saved: datetime, modseq: ModSeq
    ) -> int:
        """
        Add a message.

        @param date: its internal date.
        @param saved: now.
        @return: its UID.
        """
        uid = self.uid_next
        message = self.messages[uid] = Message(uid, email, flags, date, saved, modseq)
        self.uid_next += 1
        self.modseq = modseq
        self.tally.count(message, 1)
        return uid

    def take(self, messages: Iterable[Message], modseq: ModSeq) -> None:
        """Take messages out for good."""
        for message in messages:
            del self.messages[message.uid]
            self.expunged[message.uid] = modseq
            self.tally.count(message, -1)
            self.modseq = modseq

    def flag(self, message: Message, flags: frozenset[Flag], modseq: ModSeq) -> None:
        """Give a message other flags."""
        self.tally.count(message, -1)
        message.flags = flags
        message.modseq = self.modseq = modseq
        self.tally.count(message, 1)


class Account:
    """An account's mailboxes and what counts over all of them."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.quota = 0
        self.by_name: dict[MailboxName, Mailbox] = {}
        self.by_id: dict[MailboxId, Mailbox] = {}
        self.subscribed: set[MailboxName] = set()
        self.shelf = Shelf(limits.collections)
        self.annotations = Annotations()
        self.modseq = ModSeq(0)
        self._last_validity = 0
        self._removed = False

    @classmethod
    def with_first_mailboxes(cls, limits: Limits, now: int) -> Account:
        """
        A new account.

        @param now: Unix seconds.
        """
        account = cls(limits)
        for name, special_use in FIRST_MAILBOXES:
            account.make(name, special_use, now)
            account.subscribed.add(name)
        return account

    def usage(self) -> tuple[int, int]:
        """(octets, messages) of all mailboxes; the octets of all collections among them."""
        boxes = self.by_id.values()
        octets = sum(box.tally.octets for box in boxes) + self.shelf.octets
        return octets, sum(box.tally.total for box in boxes)

    def named(self, name: MailboxName) -> Mailbox:
        """
        The mailbox of that name.

        @raise NoSuchMailbox: there is none.
        """
        try:
            return self.by_name[name]
        except KeyError:
            raise NoSuchMailbox(name.text) from None

    def identified(self, mailbox: MailboxId) -> Mailbox:
        """
        The mailbox of that identifier.

        @raise NoSuchMailbox: it was deleted.
        """
        try:
            return self.by_id[mailbox]
        except KeyError:
            raise NoSuchMailbox(mailbox) from None

    def all_annotations(self) -> dict[MailboxId, Annotations]:
        """By mailbox; C{NO_MAILBOX} for the account's own."""
        return {NO_MAILBOX: self.annotations, **{each: box.annotations for each, box in self.by_id.items()}}

    def annotate(self, mailbox: MailboxId, values: Mapping[str, bytes | None]) -> None:
        """
        Set entries, or remove them.

        @raise LimitReached: nothing changed.
        """
        target = self.annotations if mailbox == NO_MAILBOX else self.identified(mailbox).annotations
        after = {**target.present(), **values}
        others = (each.present() for each in self.all_annotations().values() if each is not target)
        kept: list[bytes] = [value for value in after.values() if value is not None]
        octets = sum(map(len, kept)) + sum(len(value) for each in others for value in each.values())
        count = len(kept)
        if any(value is not None for value in values.values()) and (
            count > MOST_ANNOTATIONS or octets > MOST_ANNOTATION_OCTETS
        ):
            raise LimitReached("annotations")
        target.update(values, self.next_modseq())

    def next_modseq(self) -> ModSeq:
        """A modification sequence for one change."""
        self.modseq = ModSeq(self.modseq + 1)
        return self.modseq

    def require_space(self, octets: int) -> None:
        """
        @raise OverQuota: the quota has no room for so many octets more.
        """
        if self.quota and self.usage()[0] + octets > self.quota:
            raise OverQuota(self.quota)

    def require_keywords(self, mailbox: Mailbox, flags: Iterable[Flag]) -> None:
        """
        @raise LimitReached: with these flags the mailbox would have too many keywords.
        """
        most = self.limits.keywords
        fresh = {flag for flag in flags if flag.is_keyword} - mailbox.tally.keywords.keys() if most else None
        if fresh and len(mailbox.tally.keywords) + len(fresh) > most:
            raise LimitReached("keywords")

    def require_room(self, names: int) -> None:
        """
        @raise NoSuchMailbox: the account was removed.
        @raise LimitReached: so many mailboxes more are too many.
        """
        if self._removed:
            raise NoSuchMailbox("the account was removed")
        if names and len(self.by_id) + names > self.limits.mailboxes:
            raise LimitReached("mailboxes")

    def make(self, name: MailboxName, special_use: tuple[str, ...], now: int) -> Mailbox:
        """
        Make a mailbox and the superior ones that are missing.

        @param now: Unix seconds.
        @raise MailboxExists: the name is taken.
        @raise LimitReached: nothing was made.
        """
        if name in self.by_name:
            raise MailboxExists(name.text)
        superiors = missing_superiors(name, self.by_name)
        self.require_room(len(superiors) + 1)
        for superior in superiors:
            self._make(superior, (), now)
        return self._make(name, special_use, now)

    def _make(self, name: MailboxName, special_use: tuple[str, ...], now: int) -> Mailbox:
        self._last_validity = max(now, self._last_validity + 1)
        mailbox = Mailbox(name, self._last_validity, self.next_modseq(), special_use)
        self.by_name[name] = self.by_id[mailbox.id] = mailbox
        return mailbox

    def drop(self, mailbox: Mailbox) -> None:
        """Remove a mailbox and its messages."""
        del self.by_name[mailbox.name], self.by_id[mailbox.id]
        self.next_modseq()

    def remove(self) -> None:
        """Remove everything for good."""
        self._removed = True
        self.by_name.clear()
        self.by_id.clear()
        self.subscribed.clear()
        self.shelf.remove()
