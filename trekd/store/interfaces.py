"""
The contract of the store: accounts, mailboxes, messages.

No database type, path or row number shows through it.  Every coroutine that changes something is atomic (all or
nothing) and returns only when the change is durable; readers see whole commits only.  Changes of one account are
serialised in the order in which the coroutines were called.  Whatever fails for want of space or time raises an
L{Unavailable <trekd.errors.Unavailable>} and changed nothing.

Messages are parsed once, on arrival, by the L{MessageReader} that the store is made with; what C{FETCH} needs is
kept as wire-ready octets, so that a listing is a concatenation (DESIGN §5).
"""

from __future__ import annotations

from array import array
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Protocol

from zope.interface import Attribute, Interface

from trekd.store.contents import IMessageSink as IMessageSink
from trekd.store.contents import IMessageSource as IMessageSource
from trekd.store.contents import InMemory as InMemory
from trekd.store.templates import Column as Column
from trekd.store.templates import Extract as Extract
from trekd.store.templates import Form as Form
from trekd.store.templates import LineTemplate as LineTemplate
from trekd.store.templates import Listing as Listing
from trekd.store.terms import Term
from trekd.values import UID, Flag, MailboxId, MailboxName, ModSeq, PrincipalId, UIDValidity

# --- What is handed in ----------------------------------------------------------------------------


class MessageFacts(Protocol):
    """What one pass over a message finds (L{trekd.mime}); octets are wire-ready IMAP data."""

    @property
    def header_length(self) -> int:
        """Octets of the header, the blank line included."""

    @property
    def envelope(self) -> bytes:
        """ENVELOPE (RFC 3501 §7.4.2)."""

    @property
    def bodystructure(self) -> bytes:
        """BODYSTRUCTURE with extension data."""

    @property
    def body(self) -> bytes:
        """BODY, the structure without extension data."""

    @property
    def parts(self) -> bytes:
        """Where each part lies; opaque to the store."""

    @property
    def preview(self) -> bytes:
        """The beginning of the text, a string (RFC 8970 §3.2)."""

    @property
    def subject_key(self) -> str:
        """Decoded and folded Subject, for substring search; likewise the four below."""

    @property
    def from_key(self) -> str: ...

    @property
    def to_key(self) -> str: ...

    @property
    def cc_key(self) -> str: ...

    @property
    def bcc_key(self) -> str: ...

    @property
    def sent(self) -> int | None:
        """Date field as Unix seconds, C{None} without a usable one."""

    @property
    def sent_date(self) -> int | None:
        """Day of the Date field as written, zone disregarded, as a proleptic ordinal (RFC 3501 §6.4.4)."""


class MessageReader(Protocol):
    """What the store asks of the MIME room.  Pure; called in the store's threads."""

    def scan(self, octets: bytes) -> MessageFacts:
        """Read a whole message; never raises."""

    def scan_file(self, descriptor: int, size: int) -> MessageFacts:
        """
        Read a message in an open file of C{size} octets, in pieces.

        @raise OSError: it cannot be read.
        """

    def header_contains(self, header: bytes, field: bytes, needle: str) -> bool:
        """Whether a field of that name has C{needle} (folded) in its decoded text; '' asks for presence."""

    def text_contains(self, octets: bytes, parts: bytes, needle: str, with_header: bool) -> bool:
        """Whether the decoded text of the text parts (and of the headers) has C{needle} (folded)."""

    def texts(self, octets: bytes, parts: bytes, header: bool) -> Iterator[Iterator[str]]:
        """
        What C{text_contains} looks at: each text in folded pieces.

        @param header: the message's own header, else the texts behind it.
        """

    def fold(self, text: str) -> str:
        """Fold for comparison (i;unicode-casemap, RFC 5051)."""


# --- Mailboxes ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MailboxState:
    """
    A mailbox's counters at one commit.

    @ivar octets: sum of the messages' sizes.
    @ivar deleted: messages with C{\\Deleted}.
    @ivar special_use: attributes of RFC 6154, each with its backslash.
    """

    id: MailboxId
    name: MailboxName
    uid_validity: UIDValidity
    uid_next: UID
    modseq: ModSeq
    total: int
    unseen: int
    deleted: int
    octets: int
    special_use: tuple[str, ...]
    subscribed: bool


@dataclass(frozen=True, slots=True, weakref_slot=True)
class MailboxView:
    """
    The UIDs of a mailbox at one commit, in order: message C{seq} has UID C{uids[seq - 1]}.

    Shared among sessions; C{uids} (typecode C{I}) must never be changed by whoever holds it.
    """

    mailbox: MailboxId
    modseq: ModSeq
    uids: array[int]


@dataclass(frozen=True, slots=True)
class Selection:
    """
    What opening a mailbox needs, all of one commit (RFC 3501 §6.3.1).

    @ivar first_unseen: 1-based sequence number, 0 when all are seen.
    @ivar keywords: every keyword in use in the mailbox, sorted.
    """

    state: MailboxState
    view: MailboxView
    first_unseen: int
    keywords: tuple[Flag, ...]


@dataclass(frozen=True, slots=True)
class MailboxChanges:
    """
    What happened to a mailbox behind a modification sequence.

    @ivar view: the mailbox now; compare with an older view for what came and went.
    @ivar changed: UIDs, ascending, of messages new or with other flags since then.
    @ivar keywords: as in L{Selection}.
    @ivar previous: (of C{change_flags}) the mailbox's modification sequence right before the change: whoever
        knew the mailbox at that one knows it now.
    @ivar refused: (of C{change_flags}) UIDs, ascending, of messages left alone because they changed meanwhile.
    """

    view: MailboxView
    changed: array[int]
    keywords: tuple[Flag, ...]
    previous: ModSeq | None = None
    refused: array[int] = field(default_factory=lambda: array("I"))


# --- Messages -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NewMessage:
    """
    A message to append.

    @ivar content: the octets, CRLF line ends as received; NUL and 8-bit octets are kept.
    @ivar prefix: octets that stand before the content (trace fields of this delivery).
    @ivar flags: initial flags.
    @ivar internal_date: with a time zone, which is kept; C{None} is now.
    """

    content: bytes | IMessageSource
    prefix: bytes = b""
    flags: frozenset[Flag] = frozenset()
    internal_date: datetime | None = None


@dataclass(frozen=True, slots=True)
class Appended:
    """
    Where messages went (RFC 4315 §3).

    @ivar uids: in the order of the messages given.
    """

    mailbox: MailboxId
    uid_validity: UIDValidity
    uids: array[int]


@dataclass(frozen=True, slots=True)
class Copied:
    """
    Which copies a COPY or MOVE made (RFC 4315 §3).

    @ivar source: UIDs that existed, ascending.
    @ivar target: their new UIDs, in the same order.
    """

    uid_validity: UIDValidity
    source: array[int]
    target: array[int]


class FlagOperation(Enum):
    """What STORE does with the flags given (RFC 3501 §6.4.6)."""

    ADD = "+"
    REMOVE = "-"
    REPLACE = "="


# --- The interfaces -------------------------------------------------------------------------------


MOST_ANNOTATIONS = 100
"""Of one mailbox, and of the account itself."""
MOST_ANNOTATION_OCTETS = 4 * 1024 * 1024
"""Of all values of an account together."""


class IAccountStore(Interface):
    """One account's mailboxes and messages.  Cheap to hold: an idle holder keeps nothing open."""

    principal: PrincipalId = Attribute("whose account this is")
    quota: int = Attribute("octets, as L{IStore.open} was told last; 0 is no limit")

    # Mailboxes

    def mailboxes() -> Awaitable[tuple[MailboxState, ...]]:
        """All mailboxes of one commit, INBOX first, the others by name."""

    def mailbox(name: MailboxName) -> Awaitable[MailboxState]:
        """
        One mailbox's counters.

        @raise NoSuchMailbox: there is none of that name.
        """

    def create(name: MailboxName, special_use: tuple[str, ...] = ()) -> Awaitable[MailboxState]:
        """
        Make a mailbox and the superior ones that are missing (RFC 3501 §6.3.3); it is not subscribed.

        A name used before gets a greater UIDVALIDITY.

        @raise MailboxExists: nothing changed.
        @raise LimitReached: the account has too many mailboxes.
        """

    def delete(name: MailboxName) -> Awaitable[None]:
        """
        Remove a mailbox and its messages; inferior ones stay (RFC 3501 §6.3.4).  A subscription stays.

        @raise NoSuchMailbox: nothing changed.
        @raise NotPermitted: it is INBOX.
        """

    def rename(source: MailboxName, target: MailboxName) -> Awaitable[None]:
        """
        Rename a mailbox and its inferior ones, keeping their ids, UIDs and UIDVALIDITY; missing superior ones
        of the target are made.  INBOX itself is emptied into the target instead (RFC 3501 §6.3.5).

        @raise NoSuchMailbox: no C{source} (nor any inferior to it).
        @raise MailboxExists: C{target}, or a name that an inferior would get, is taken.
        @raise NotPermitted: C{target} is inferior to C{source}.
        """

    def subscribe(name: MailboxName) -> Awaitable[None]:
        """
        Add a name to the subscriptions; the mailbox need not exist (RFC 3501 §6.3.6).

        @raise LimitReached: as many names are subscribed as the account may have mailboxes.
        """

    def unsubscribe(name: MailboxName) -> Awaitable[None]:
        """Remove a name from the subscriptions, if it is there."""

    def subscriptions() -> Awaitable[tuple[MailboxName, ...]]:
        """Subscribed names, sorted, with and without a mailbox."""

    # Annotations (RFC 5464); entries in lower case, C{NO_MAILBOX} for the account itself

    def annotations(mailbox: MailboxId | None = None) -> Awaitable[Mapping[MailboxId, Mapping[str, bytes]]]:
        """
        Values by mailbox and entry.

        @param mailbox: of this one only; C{None} is of all.
        @raise NoSuchMailbox: it was deleted.
        """

    def annotate(mailbox: MailboxId, values: Mapping[str, bytes | None]) -> Awaitable[None]:
        """
        Set entries, or remove those given C{None}, all or none.  They go with the mailbox when it is renamed or
        deleted; INBOX keeps its own and gives them to what it is emptied into (RFC 5464 §4.1).

        @raise NoSuchMailbox: it was deleted.
        @raise LimitReached: there would be more than L{MOST_ANNOTATIONS}, or L{MOST_ANNOTATION_OCTETS}.
        """

    def annotated(since: ModSeq) -> Awaitable[tuple[ModSeq, Mapping[MailboxId, tuple[str, ...]]]]:
        """
        Entries set or removed behind C{since} in mailboxes that exist, of which removed ones may be forgotten in time.

        @return: what to ask from the next time, and the entries, sorted.
        """

    # Reading

    def open(name: MailboxName) -> Awaitable[Selection]:
        """
        What SELECT, EXAMINE need.

        @raise NoSuchMailbox: there is none of that name.
        """

    def changes(mailbox: MailboxId, since: ModSeq) -> Awaitable[MailboxChanges]:
        """
        What happened behind C{since}; costs little when nothing did.

        @raise NoSuchMailbox: it was deleted.
        """

    def vanished(mailbox: MailboxId, since: ModSeq) -> Awaitable[array[int] | None]:
        """
        UIDs, ascending, of the messages expunged behind C{since}; C{None} when that is no longer recorded
        (RFC 7162 §3.2.10).

        @raise NoSuchMailbox: it was deleted.
        """

    def claim_recent(mailbox: MailboxId) -> Awaitable[UID]:
        """
        The first UID that no session was told of yet; those from it on are now told (RFC 3501 §2.3.2).

        Not durable: after a restart nothing that was there at its time is recent.
        """

    def list_messages(
        view: MailboxView, positions: tuple[range, ...], template: LineTemplate
    ) -> AsyncIterator[Listing]:
        """
        Render one response per message, in view order, in pieces of bounded size.

        Expunged messages are left out.  Flags are those at the time of reading.

        @param positions: 0-based positions in C{view.uids}; ascending, disjoint, step 1.
        """

    def search(view: MailboxView, query: Term) -> Awaitable[array[int]]:
        """UIDs, ascending, of the messages in the view that the query matches and that still exist."""

    def highest_modseq(mailbox: MailboxId, uids: array[int]) -> Awaitable[ModSeq]:
        """The highest modification sequence among messages, 0 when none of them exists."""

    # Writing

    def append(name: MailboxName, messages: Sequence[NewMessage]) -> Awaitable[Appended]:
        """
        Add messages, all or none (RFC 3502 §6.3.11).

        @raise NoSuchMailbox: nothing was added.
        @raise OverQuota: nothing was added.
        @raise StoreFull: nothing was added.
        """

    def replace(mailbox: MailboxId, uid: UID, name: MailboxName, message: NewMessage) -> Awaitable[Appended]:
        """
        Add a message and remove another for good, whatever its flags, in one step (RFC 8508 §3.4): the quota counts
        what is left of both, and whatever is raised, the old message is there as before.

        @param mailbox: where the old message is.
        @param name: where the new one goes, the same or another.
        @raise NoSuchMailbox: there is none of that name.
        @raise NoSuchMessage: the old one is gone.
        @raise OverQuota: the new message is larger than the old one by more than there is room.
        @raise StoreFull: nothing changed.
        """

    def copy(view: MailboxView, positions: tuple[range, ...], target: MailboxName) -> Awaitable[Copied]:
        """
        Copy messages with flags and internal dates, all or none (RFC 3501 §6.4.7).

        @param positions: as for L{list_messages}; expunged ones are skipped.
        @raise NoSuchMailbox: nothing was copied.
        @raise OverQuota: nothing was copied.
        """

    def move(view: MailboxView, positions: tuple[range, ...], target: MailboxName) -> Awaitable[Copied]:
        """
        Move messages in one step (RFC 6851 §3.3): as L{copy}, and the source's are expunged.

        Within one mailbox they get new UIDs.
        """

    def change_flags(
        view: MailboxView,
        positions: tuple[range, ...],
        operation: FlagOperation,
        flags: frozenset[Flag],
        unchanged_since: ModSeq | None = None,
    ) -> Awaitable[MailboxChanges]:
        """
        Change flags, all in one modification sequence.

        @param unchanged_since: leave messages alone that have a higher modification sequence (RFC 7162 §3.1.3), unless
            they have the flags as they are wanted already (§3.1.12); those count as changed by nobody.  0 leaves all
            alone.
        @return: C{changed} holds the messages whose flags are other than before; a message that has them
            already keeps its modification sequence.
        @raise LimitReached: the mailbox has too many keywords.
        """

    def expunge(mailbox: MailboxId, uids: array[int] | None = None) -> Awaitable[array[int]]:
        """
        Remove the messages with C{\\Deleted} for good.

        @param uids: only among these, ascending (UID EXPUNGE, RFC 4315 §2.1); C{None} is all.
        @return: the UIDs removed, ascending.
        """

    # Care

    def usage() -> Awaitable[tuple[int, int]]:
        """(octets, messages) counted against the quota; a copy counts like its original."""

    def index_text(anew: bool = False) -> Awaitable[tuple[int, int]]:
        """
        Work on the index of messages' text, if there is one, for some tenths of a second; call it until all is done.

        @param anew: forget what is indexed first.
        @return: messages indexed, and messages; both the same where there is nothing to index.
        @raise StoreFull: it cannot be written.
        """

    def check() -> Awaitable[tuple[str, ...]]:
        """Verify every invariant of the account; one line for each that does not hold."""

    def repair() -> Awaitable[tuple[str, ...]]:
        """
        Mend what L{check} complains of, as far as that is possible; no mail is deleted, and messages that lost their
        mailbox are in one called C{Recovered}.

        @return: one line for each thing that was wrong, which begins with C{mended:}, C{lost:} or C{left:}.
        @raise StoreCorrupt: it cannot even be read.
        """


ChangeListener = Callable[[MailboxId, ModSeq], None]

NO_MAILBOX = MailboxId("")
"""Stands for the account itself where a change is of no mailbox: a name without one was subscribed, for example."""


class IStore(Interface):
    """All accounts.  Made by L{IStoreProvider}; ended by L{close}."""

    def open(principal: PrincipalId, quota: int = 0) -> Awaitable[IAccountStore]:
        """
        The account's store, made with its first mailboxes (INBOX, Drafts, Sent, Junk, Trash, Archive, each
        with its special use, all subscribed) when it does not exist.

        @param quota: octets; 0 is no limit.  The value given last counts for all holders.
        """

    def accounts() -> Awaitable[tuple[PrincipalId, ...]]:
        """The accounts that have a store, sorted."""

    def remove(principal: PrincipalId) -> Awaitable[None]:
        """Remove an account's store and all in it; nothing when there is none."""

    def receive() -> IMessageSink:
        """A new sink for one message."""

    def subscribe(principal: PrincipalId, listener: ChangeListener) -> Callable[[], None]:
        """
        Call C{listener}, in the reactor's thread, after each commit that changed one of the account's
        mailboxes, or its subscriptions or annotations (L{NO_MAILBOX}): a hint, which may be lost or come twice, never
        before the commit.

        @return: call it to end the subscription.
        """

    def close() -> Awaitable[None]:
        """Finish what was accepted, then close everything; what is asked later raises C{StoreBusy}."""


class IStoreProvider(Interface):
    """A plugin that makes stores (C{store.backend} names it)."""

    name: str = Attribute("the name that the configuration uses")

    def make(config: object, reader: MessageReader, reactor: object) -> IStore:
        """
        Make the store.

        @param config: L{trekd.config.schema.Config}.
        @raise ConfigFault: its section cannot be used.
        """
