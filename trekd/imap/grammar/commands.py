"""
One value class per IMAP command, complete and valid once it exists.

Names and text are decoded (C{str}); tags, passwords and SASL responses are octets (C{bytes}).  C{name} is the
command's name as in C{TAG NAME arguments}; the C{UID} forms share the class of the plain command and say
C{uid=True}, except C{UID EXPUNGE}, which has no plain counterpart with an argument.
"""

from __future__ import annotations

import datetime
import enum
from dataclasses import dataclass, field
from typing import ClassVar, TypeAlias

from trekd.imap.grammar.fetch import FetchAttribute
from trekd.imap.grammar.metadata import MetadataOptions
from trekd.imap.grammar.notify import Wishes
from trekd.imap.grammar.search import Criterion
from trekd.imap.grammar.sequence import SequenceSet
from trekd.values import Flag, MailboxName


@dataclass(frozen=True, slots=True)
class Command:
    """
    What a client asks for.

    @ivar tag: as sent, to be echoed.
    """

    name: ClassVar[str]
    tag: bytes


# --- Any state (RFC 3501 §6.1) --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Capability(Command):
    """CAPABILITY (RFC 3501 §6.1.1)."""

    name = "CAPABILITY"


@dataclass(frozen=True, slots=True)
class Noop(Command):
    """NOOP (RFC 3501 §6.1.2)."""

    name = "NOOP"


@dataclass(frozen=True, slots=True)
class Logout(Command):
    """LOGOUT (RFC 3501 §6.1.3)."""

    name = "LOGOUT"


@dataclass(frozen=True, slots=True)
class Id(Command):
    """
    ID (RFC 2971 §3.1).

    @ivar parameters: field and value pairs in the client's order; empty for C{NIL}.
    """

    name = "ID"
    parameters: tuple[tuple[str, str | None], ...]


# --- Not authenticated state (RFC 3501 §6.2) ------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StartTLS(Command):
    """STARTTLS (RFC 3501 §6.2.1)."""

    name = "STARTTLS"


@dataclass(frozen=True, slots=True)
class Authenticate(Command):
    """
    AUTHENTICATE (RFC 3501 §6.2.2, RFC 4959 §3).

    @ivar mechanism: upper case.
    @ivar initial_response: decoded, C{b""} for C{=}, C{None} when the client sent none.
    """

    name = "AUTHENTICATE"
    mechanism: str
    initial_response: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Login(Command):
    """
    LOGIN (RFC 3501 §6.2.3).

    @ivar password: octets as the client sent them, unquoted.
    """

    name = "LOGIN"
    username: str
    password: bytes = field(repr=False)


# --- Authenticated state (RFC 3501 §6.3) ----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Enable(Command):
    """
    ENABLE (RFC 5161 §3.1).

    @ivar capabilities: upper case, one or more, known to us or not.
    """

    name = "ENABLE"
    capabilities: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unauthenticate(Command):
    """UNAUTHENTICATE (RFC 8437 §3)."""

    name = "UNAUTHENTICATE"


@dataclass(frozen=True, slots=True)
class Compress(Command):
    """
    COMPRESS (RFC 4978 §3).

    @ivar mechanism: upper case.
    """

    name = "COMPRESS"
    mechanism: str


@dataclass(frozen=True, slots=True)
class Resync:
    """
    What a client knows of a mailbox (RFC 7162 §3.2.5).

    @ivar known: UIDs it knows, C{None} for all.
    @ivar sample: sequence numbers and their UIDs, as many of each.
    """

    uid_validity: int
    modseq: int
    known: SequenceSet | None = None
    sample: tuple[SequenceSet, SequenceSet] | None = None


@dataclass(frozen=True, slots=True)
class Select(Command):
    """
    SELECT (RFC 3501 §6.3.1, RFC 7162 §3.1.8).

    @ivar condstore: whether the client wants modification sequences from now on.
    """

    name = "SELECT"
    mailbox: MailboxName
    condstore: bool = False
    resync: Resync | None = None


@dataclass(frozen=True, slots=True)
class Examine(Select):
    """EXAMINE (RFC 3501 §6.3.2)."""

    name = "EXAMINE"


@dataclass(frozen=True, slots=True)
class Create(Command):
    """
    CREATE (RFC 3501 §6.3.3, RFC 6154 §3).

    @ivar mailbox: without the trailing delimiter that announces inferior names.
    @ivar special_uses: as in C{trekd.values.SPECIAL_USES} where known, else as sent, with backslash.
    """

    name = "CREATE"
    mailbox: MailboxName
    special_uses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Delete(Command):
    """DELETE (RFC 3501 §6.3.4)."""

    name = "DELETE"
    mailbox: MailboxName


@dataclass(frozen=True, slots=True)
class Rename(Command):
    """RENAME (RFC 3501 §6.3.5)."""

    name = "RENAME"
    source: MailboxName
    target: MailboxName


@dataclass(frozen=True, slots=True)
class Subscribe(Command):
    """SUBSCRIBE (RFC 3501 §6.3.6)."""

    name = "SUBSCRIBE"
    mailbox: MailboxName


@dataclass(frozen=True, slots=True)
class Unsubscribe(Command):
    """UNSUBSCRIBE (RFC 3501 §6.3.7)."""

    name = "UNSUBSCRIBE"
    mailbox: MailboxName


STATUS_ITEMS = frozenset(
    {"MESSAGES", "RECENT", "UIDNEXT", "UIDVALIDITY", "UNSEEN", "SIZE"}
    | {"HIGHESTMODSEQ", "DELETED", "DELETED-STORAGE", "APPENDLIMIT", "MAILBOXID"}
)
"""
What STATUS can ask for (RFC 3501 §6.3.10, RFC 8438 §3, RFC 7162 §3.1.7, RFC 9051 §6.3.11, RFC 9208 §4.1.4, RFC 7889
§3).
"""


@dataclass(frozen=True, slots=True)
class List(Command):
    """
    LIST, plain or extended (RFC 3501 §6.3.8, RFC 5258 §3, RFC 5819 §2, RFC 6154 §5.2).

    @ivar reference: decoded, may be empty.
    @ivar patterns: decoded, one or more, with C{*} and C{%}; see L{trekd.imap.grammar.names.list_pattern}.
    @ivar extended: whether the client used any of RFC 5258's syntax; only without it does the pattern C{""}
        ask for the delimiter.
    @ivar selection: of C{SUBSCRIBED}, C{REMOTE}, C{RECURSIVEMATCH}, C{SPECIAL-USE}.
    @ivar returns: of C{SUBSCRIBED}, C{CHILDREN}, C{SPECIAL-USE}, C{STATUS}, C{METADATA}.
    @ivar status_items: of L{STATUS_ITEMS}, when C{returns} holds C{STATUS}.
    @ivar entries: annotations, when C{returns} holds C{METADATA} (RFC 9590 §4).
    """

    name = "LIST"
    reference: str
    patterns: tuple[str, ...]
    extended: bool = False
    selection: frozenset[str] = frozenset()
    returns: frozenset[str] = frozenset()
    status_items: tuple[str, ...] = ()
    entries: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Lsub(Command):
    """LSUB (RFC 3501 §6.3.9); reference and pattern decoded."""

    name = "LSUB"
    reference: str
    pattern: str


@dataclass(frozen=True, slots=True)
class XList(Command):
    """XLIST, Google's forerunner of SPECIAL-USE that Outlook sends; arguments as LSUB's."""

    name = "XLIST"
    reference: str
    pattern: str


@dataclass(frozen=True, slots=True)
class Namespace(Command):
    """NAMESPACE (RFC 2342 §5)."""

    name = "NAMESPACE"


@dataclass(frozen=True, slots=True)
class Status(Command):
    """
    STATUS (RFC 3501 §6.3.10).

    @ivar items: of L{STATUS_ITEMS}, one or more, in the client's order without repetition.
    """

    name = "STATUS"
    mailbox: MailboxName
    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GetQuota(Command):
    """GETQUOTA (RFC 9208 §4.1.1)."""

    name = "GETQUOTA"
    root: bytes


@dataclass(frozen=True, slots=True)
class GetQuotaRoot(Command):
    """GETQUOTAROOT (RFC 9208 §4.1.2)."""

    name = "GETQUOTAROOT"
    mailbox: MailboxName


@dataclass(frozen=True, slots=True)
class SetQuota(Command):
    """SETQUOTA (RFC 9208 §4.1.3); which limits it wants is of no matter here."""

    name = "SETQUOTA"
    root: bytes


@dataclass(frozen=True, slots=True)
class AppendMessage:
    """
    A message of APPEND begins (RFC 3501 §6.3.11).

    @ivar flags: without those that no client can set.
    @ivar internal_date: with the client's zone, C{None} for the time of arrival.
    """

    flags: tuple[Flag, ...]
    internal_date: datetime.datetime | None


@dataclass(frozen=True, slots=True)
class MessageURL:
    """
    The octets that a URL names come next in the message (RFC 4469 §3).

    @ivar url: as sent.
    """

    url: bytes


@dataclass(frozen=True, slots=True)
class MessageComplete:
    """All parts of the message came (RFC 4469 §5)."""


AppendStep: TypeAlias = AppendMessage | MessageURL | MessageComplete


class LiteralUse(enum.Enum):
    """What a literal of APPEND is."""

    MESSAGE = "a message"
    TEXT = "a part of one"
    URL = "the URL of a part"


@dataclass(frozen=True, slots=True)
class AppendPiece:
    """
    What stands before a literal of APPEND, or behind its last one.

    @ivar literal: what the literal is that comes next, C{None} at the command's end.
    """

    steps: tuple[AppendStep, ...]
    literal: LiteralUse | None


@dataclass(frozen=True, slots=True)
class Append(Command):
    """
    APPEND up to the octets of its first message (RFC 3501 §6.3.11, RFC 3502 §6.3.11); further pieces follow each
    literal.

    @ivar piece: of one message or more; its first step is an L{AppendMessage}.
    """

    name = "APPEND"
    mailbox: MailboxName
    piece: AppendPiece


@dataclass(frozen=True, slots=True)
class Replace(Append):
    """
    REPLACE and UID REPLACE up to the octets of the message (RFC 8508 §3).

    @ivar replaced: one number, or C{*}.
    """

    name = "REPLACE"
    replaced: SequenceSet
    uid: bool


@dataclass(frozen=True, slots=True)
class Idle(Command):
    """IDLE (RFC 2177 §3)."""

    name = "IDLE"


@dataclass(frozen=True, slots=True)
class Notify(Command):
    """NOTIFY (RFC 5465 §3.1)."""

    name = "NOTIFY"
    wishes: Wishes


@dataclass(frozen=True, slots=True)
class GetMetadata(Command):
    """
    GETMETADATA (RFC 5464 §4.2).

    @ivar mailbox: C{None} for the server.
    @ivar entries: as sent.
    """

    name = "GETMETADATA"
    mailbox: MailboxName | None
    entries: tuple[str, ...]
    options: MetadataOptions


@dataclass(frozen=True, slots=True)
class SetMetadata(Command):
    """
    SETMETADATA (RFC 5464 §4.3).

    @ivar mailbox: C{None} for the server.
    @ivar values: by entry, in lower case; C{None} removes it.
    """

    name = "SETMETADATA"
    mailbox: MailboxName | None
    values: tuple[tuple[str, bytes | None], ...]


# --- Selected state (RFC 3501 §6.4) ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Check(Command):
    """CHECK (RFC 3501 §6.4.1)."""

    name = "CHECK"


@dataclass(frozen=True, slots=True)
class Close(Command):
    """CLOSE (RFC 3501 §6.4.2)."""

    name = "CLOSE"


@dataclass(frozen=True, slots=True)
class Unselect(Command):
    """UNSELECT (RFC 3691 §2)."""

    name = "UNSELECT"


@dataclass(frozen=True, slots=True)
class Expunge(Command):
    """EXPUNGE (RFC 3501 §6.4.3)."""

    name = "EXPUNGE"


@dataclass(frozen=True, slots=True)
class UidExpunge(Command):
    """UID EXPUNGE (RFC 4315 §2.1)."""

    name = "UID EXPUNGE"
    uids: SequenceSet


@dataclass(frozen=True, slots=True)
class Search(Command):
    """
    SEARCH and UID SEARCH (RFC 3501 §6.4.4, RFC 4731 §3).

    @ivar returns: of C{MIN}, C{MAX}, C{ALL}, C{COUNT}, for an ESEARCH response, and C{SAVE} (RFC 5182 §2.1); C{None}
        for an untagged SEARCH.
    """

    name = "SEARCH"
    criterion: Criterion
    uid: bool = False
    returns: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Fetch(Command):
    """
    FETCH and UID FETCH (RFC 3501 §6.4.5).

    @ivar attributes: one or more in the client's order, macros spelled out, without repetition; with C{uid}
        always with C{FetchItem.UID} (RFC 3501 §6.4.8), with C{changed_since} always with C{FetchItem.MODSEQ}.
    @ivar changed_since: only of messages with a higher modification sequence (RFC 7162 §3.1.4.1).
    @ivar vanished: tell also which messages of the set are gone since then (RFC 7162 §3.2.6).
    """

    name = "FETCH"
    sequence_set: SequenceSet
    attributes: tuple[FetchAttribute, ...]
    uid: bool = False
    changed_since: int | None = None
    vanished: bool = False


class StoreOperation(enum.Enum):
    """What STORE does with the flags named."""

    REPLACE = "FLAGS"
    ADD = "+FLAGS"
    REMOVE = "-FLAGS"


@dataclass(frozen=True, slots=True)
class Store(Command):
    """
    STORE and UID STORE (RFC 3501 §6.4.6).

    @ivar flags: without those that no client can set.
    @ivar unchanged_since: only for messages without a higher modification sequence (RFC 7162 §3.1.3).
    """

    name = "STORE"
    sequence_set: SequenceSet
    operation: StoreOperation
    silent: bool
    flags: tuple[Flag, ...]
    uid: bool = False
    unchanged_since: int | None = None


@dataclass(frozen=True, slots=True)
class Copy(Command):
    """COPY and UID COPY (RFC 3501 §6.4.7)."""

    name = "COPY"
    sequence_set: SequenceSet
    mailbox: MailboxName
    uid: bool = False


@dataclass(frozen=True, slots=True)
class Move(Command):
    """MOVE and UID MOVE (RFC 6851 §3)."""

    name = "MOVE"
    sequence_set: SequenceSet
    mailbox: MailboxName
    uid: bool = False
