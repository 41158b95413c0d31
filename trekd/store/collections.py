"""
The contract of calendars, address books and files: collections of items beside an account's mailboxes.

Collections form a tree under the account; an item lies in one collection and is the octets that a client sent, never
rewritten.  What queries ask (UID, time ranges, searchable text) is found once, on arrival, by whoever stores the item
and is kept indexed, so that the cost of a question grows with its answer.

As in L{trekd.store.interfaces}: every coroutine that changes something is atomic and returns when the change is
durable; changes of one account happen in the order in which they were asked for; readers see whole commits only.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import NamedTuple, NewType, Protocol

from zope.interface import Attribute, Interface

from trekd.store.contents import IMessageSource
from trekd.values import ModSeq, PrincipalId

CollectionId = NewType("CollectionId", str)
"""Names a collection for ever, through renames, and is never used for another one of the account."""

Properties = Mapping[str, str]
"""Dead properties: expanded name C{{namespace}local} to the serialised element (RFC 4918 §4.1)."""

NO_PROPERTIES: Properties = MappingProxyType({})

MOST_COLLECTIONS = 1000
"""Of one account."""


class CollectionKind(Enum):
    """What a collection holds."""

    CALENDAR = "calendar"
    ADDRESS_BOOK = "addressbook"
    FILES = "files"  # plain WebDAV; the only kind that has collections inside
    INBOX = "inbox"  # scheduling messages (RFC 6638 §2.2)


@dataclass(frozen=True, slots=True)
class CollectionState:
    """
    A collection at one commit.

    @ivar parent: C{None} for one that lies under the account itself.
    @ivar name: one path segment, decoded; unique, among collections and items alike, within the parent, and among
        collections of one kind where there is none.
    @ivar components: what may be stored in it (C{VEVENT}, C{VTODO}…); empty is anything of its kind.
    @ivar modseq: of the last change of its items or of itself.
    @ivar items: how many there are.
    @ivar octets: sum of the items' sizes.
    @ivar created: Unix seconds; C{modified}: of the last change of its items or of itself.
    """

    id: CollectionId
    parent: CollectionId | None
    name: str
    kind: CollectionKind
    components: tuple[str, ...]
    modseq: ModSeq
    items: int
    octets: int
    created: int
    modified: int
    properties: Properties = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NewCollection:
    """
    A collection to be made.

    @ivar parent: C{None} for one under the account itself.
    """

    name: str
    kind: CollectionKind
    parent: CollectionId | None = None
    components: tuple[str, ...] = ()
    properties: Properties = field(default_factory=dict)


class ItemFacts(Protocol):
    """What one pass over an item finds (L{trekd.calendar}), kept in indexes."""

    @property
    def component(self) -> str:
        """C{VEVENT}, C{VTODO}, C{VJOURNAL}, C{VFREEBUSY}, C{VAVAILABILITY}, C{VCARD}; '' for a file."""

    @property
    def uid(self) -> str:
        """Unique within the collection; '' for a file, which has none."""

    @property
    def spans(self) -> Sequence[tuple[int, int, str]]:
        """
        When it takes place: start and end in Unix seconds, half-open (an instant ends where it starts), ascending,
        and a letter for free-busy: C{B} busy, C{T} tentative, C{U} unavailable, C{F} free.
        """

    @property
    def open_from(self) -> int | None:
        """From this instant on it may take place more often than C{spans} tell; C{None}: they are all."""

    @property
    def is_floating(self) -> bool:
        """Some of its times are in no zone: C{spans} took them for UTC."""

    @property
    def texts(self) -> Sequence[tuple[str, str]]:
        """Searchable text: property name in capitals, folded value; a property may come several times."""


@dataclass(frozen=True, slots=True)
class PlainFacts:
    """Of an item that is not looked into: a file."""

    component: str = ""
    uid: str = ""
    spans: tuple[tuple[int, int, str], ...] = ()
    open_from: int | None = None
    is_floating: bool = False
    texts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class NewItem:
    """
    An item to be stored.

    @ivar name: one path segment, decoded.
    @ivar media_type: what GET says, parameters included.
    @ivar schedule_tag: of a scheduling object resource (RFC 6638 §3.2.10), unquoted; C{None} keeps the old one,
        '' is none.
    @ivar properties: dead properties; C{None} keeps those of the item that is replaced.
    """

    name: str
    content: bytes | IMessageSource
    facts: ItemFacts = PlainFacts()
    media_type: str = "application/octet-stream"
    schedule_tag: str | None = None
    properties: Properties | None = None


class ItemState(NamedTuple):
    """
    An item at one commit.  A named tuple, because answers hold ten thousand of them, made in milliseconds.

    @ivar etag: unquoted; another one whenever the octets are others, the same while they are the same.
    @ivar created: Unix seconds; C{modified}: of the last change of the octets.
    """

    name: str
    etag: str
    size: int
    media_type: str
    component: str
    uid: str
    modseq: ModSeq
    created: int
    modified: int
    schedule_tag: str = ""
    properties: Properties = NO_PROPERTIES


@dataclass(frozen=True, slots=True)
class Condition:
    """
    What must hold for a change to happen, judged in the change's own transaction (RFC 9110 §13.1).

    @ivar etags: the item is there with one of these; C{None} does not ask.
    @ivar schedule_tag: the item is there with this one; C{None} does not ask.
    @ivar is_absent: no item and no collection has the name.
    @ivar is_present: some item has the name.
    """

    etags: tuple[str, ...] | None = None
    schedule_tag: str | None = None
    is_absent: bool = False
    is_present: bool = False


ALWAYS = Condition()


@dataclass(frozen=True, slots=True)
class Stored:
    """
    What became of a change of one item.

    @ivar replaced: the name was taken before.
    """

    state: ItemState
    replaced: bool


@dataclass(frozen=True, slots=True)
class ItemChanges:
    """
    What happened in a collection behind a modification sequence (RFC 6578 §3.2).

    @ivar modseq: everything up to here is told; ask from here the next time.
    @ivar changed: items that are new or others than before, in the order of their changes.
    @ivar removed: names of items that are gone; a name that is taken again is not among them.
    @ivar is_truncated: there is more behind C{modseq}.
    """

    modseq: ModSeq
    changed: tuple[ItemState, ...]
    removed: tuple[str, ...]
    is_truncated: bool = False


@dataclass(frozen=True, slots=True)
class Window:
    """A range of time: Unix seconds, half-open; C{None} is no bound."""

    start: int | None = None
    end: int | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """
    An item that may take place in a window.

    @ivar is_certain: a span of its own says so; else (times in no zone, more recurrences than were kept) its octets
        have to be looked at.
    """

    state: ItemState
    is_certain: bool


@dataclass(frozen=True, slots=True)
class BusySpan:
    """
    A time at which an item takes place.

    @ivar name: of the item.
    """

    start: int
    end: int
    letter: str
    name: str


class Match(Enum):
    """How a text is looked for (RFC 6352 §10.5.4)."""

    EQUALS = "equals"
    CONTAINS = "contains"
    STARTS_WITH = "starts-with"
    ENDS_WITH = "ends-with"


class Right(Enum):
    """What another principal may do with a collection (views of it: RFC 3744 §3, RFC 4791 §6.1.1)."""

    FREEBUSY = "freebusy"  # see when its owner is busy
    READ = "read"  # and everything else in it
    WRITE = "write"  # and change items


EVERYONE = PrincipalId("")
"""Grantee that stands for every account of this host."""


@dataclass(frozen=True, slots=True)
class Mount:
    """
    A collection of somebody else's that is shown in the account's home.

    @ivar name: path segment in the home of that kind.
    @ivar properties: the account's own for it (name, colour), before the owner's.
    """

    name: str
    owner: PrincipalId
    collection: CollectionId
    kind: CollectionKind
    properties: Properties = field(default_factory=dict)


class ICollections(Interface):
    """One account's collections; what L{IAccountStore <trekd.store.interfaces.IAccountStore>} is adapted to."""

    principal: PrincipalId = Attribute("whose account this is")

    # Collections

    def collections() -> Awaitable[tuple[CollectionState, ...]]:
        """All collections of one commit, superior ones first, then by name.  Costs little when nothing changed."""

    def create_collection(new: NewCollection) -> Awaitable[CollectionState]:
        """
        Make a collection.

        @raise CollectionExists: the name is taken; nothing changed.
        @raise NoSuchCollection: there is no such parent.
        @raise LimitReached: the account has too many.
        """

    def remove_collection(collection: CollectionId) -> Awaitable[None]:
        """
        Remove a collection, its items and everything inside it.

        @raise NoSuchCollection: nothing changed.
        """

    def move_collection(collection: CollectionId, parent: CollectionId | None, name: str) -> Awaitable[None]:
        """
        Give a collection another name or parent, with everything in it; ids stay.

        @raise NoSuchCollection: it, or the parent, is not there.
        @raise CollectionExists: the name is taken.
        @raise NotPermitted: the new parent lies inside it.
        """

    def change_collection_properties(
        collection: CollectionId, values: Properties, removed: Sequence[str] = ()
    ) -> Awaitable[CollectionState]:
        """
        Set and remove dead properties, all in one change.

        @raise NoSuchCollection: nothing changed.
        """

    # Items

    def items(
        collection: CollectionId, names: Sequence[str] | None = None
    ) -> Awaitable[tuple[ItemState, ...]]:
        """
        Items by name; of those asked for, the ones that are there.

        @raise NoSuchCollection: there is none.
        """

    def contents(collection: CollectionId, names: Sequence[str]) -> Awaitable[tuple[tuple[ItemState, bytes], ...]]:
        """
        Items with their octets, of one commit, in the order asked for; those that are not there are left out.

        @raise NoSuchCollection: there is none.
        """

    def item_source(collection: CollectionId, name: str) -> Awaitable[tuple[ItemState, IMessageSource]]:
        """
        One item, to be read in pieces: the same octets to the end, whatever happens to the item meanwhile.  For
        large ones; a small one costs what L{contents} costs.

        @raise NoSuchCollection: there is none.
        @raise NoSuchItem: there is no such item.
        """

    def put(collection: CollectionId, new: NewItem, condition: Condition = ALWAYS) -> Awaitable[Stored]:
        """
        Store an item under its name, in place of the one that is there.

        @raise NoSuchCollection: nothing changed.
        @raise ConditionFailed: nothing changed.
        @raise CollectionExists: a collection has the name.
        @raise UIDTaken: another item of the collection has its UID; the error names that one.
        @raise OverQuota: nothing changed.
        @raise StoreFull: nothing changed.
        """

    def remove_item(collection: CollectionId, name: str, condition: Condition = ALWAYS) -> Awaitable[None]:
        """
        Remove an item.

        @raise NoSuchCollection: nothing changed.
        @raise NoSuchItem: nothing changed.
        @raise ConditionFailed: nothing changed.
        """

    def copy_item(
        collection: CollectionId, name: str, target: CollectionId, new_name: str, condition: Condition = ALWAYS
    ) -> Awaitable[Stored]:
        """
        Copy an item with its dead properties, in place of what has the new name.

        @param condition: of the target's name.
        @raise NoSuchCollection, NoSuchItem, ConditionFailed, CollectionExists, UIDTaken, OverQuota: nothing changed.
        """

    def move_item(
        collection: CollectionId, name: str, target: CollectionId, new_name: str, condition: Condition = ALWAYS
    ) -> Awaitable[Stored]:
        """
        As L{copy_item}, and the source is gone in the same change; its own UID is not in its way.
        """

    def change_item_properties(
        collection: CollectionId, name: str, values: Properties, removed: Sequence[str] = ()
    ) -> Awaitable[ItemState]:
        """
        Set and remove dead properties, all in one change; the etag stays.

        @raise NoSuchCollection, NoSuchItem: nothing changed.
        """

    # Questions; none costs more than its answer and the indexes' depth

    def item_changes(collection: CollectionId, since: ModSeq, limit: int | None = None) -> Awaitable[ItemChanges]:
        """
        What happened behind C{since}; 0 asks for everything that is there.

        @param limit: as many changed and removed ones at most; more only where C{since} is 0 and an answer cut there
            would end at a sequence from which nothing can be asked any more.
        @raise NoSuchCollection: there is none.
        @raise SyncTokenExpired: C{since} is older than what is remembered, or was never given out.
        """

    def identified(collection: CollectionId, uid: str) -> Awaitable[ItemState | None]:
        """
        The item with that UID.

        @raise NoSuchCollection: there is none.
        """

    def scheduled(uid: str) -> Awaitable[tuple[tuple[CollectionId, ItemState], ...]]:
        """The items with that UID in all calendars of the account."""

    def overlapping(
        collection: CollectionId, window: Window, component: str = ""
    ) -> Awaitable[tuple[Candidate, ...]]:
        """
        Items that take place, or may, in the window (RFC 4791 §9.9), by name.

        Times in no zone are found up to 14 hours on either side.

        @param component: only of this kind; '' is all.
        @raise NoSuchCollection: there is none.
        """

    def busy(
        collection: CollectionId, window: Window, limit: int
    ) -> Awaitable[tuple[tuple[BusySpan, ...], tuple[str, ...]]]:
        """
        When items take place in the window, those free of it left out.

        @return: at most C{limit} spans by start, and the names of items that have to be looked at themselves
            (L{Candidate}).
        @raise NoSuchCollection: there is none.
        """

    def containing(
        collection: CollectionId, properties: Sequence[str], text: str, match: Match, limit: int | None = None
    ) -> Awaitable[tuple[ItemState, ...]]:
        """
        Items one of whose properties has the text, by name.

        @param properties: names in capitals.
        @param text: folded.
        @raise NoSuchCollection: there is none.
        """

    # Sharing

    def grants(collection: CollectionId) -> Awaitable[Mapping[PrincipalId, Right]]:
        """
        Who else may do what.

        @raise NoSuchCollection: there is none.
        """

    def all_grants() -> Awaitable[Mapping[CollectionId, Mapping[PrincipalId, Right]]]:
        """L{grants} of all the account's collections, of one commit; those with none are left out."""

    def grant(collection: CollectionId, grants: Mapping[PrincipalId, Right | None]) -> Awaitable[None]:
        """
        Give and (C{None}) take rights, all in one change.

        @raise NoSuchCollection: nothing changed.
        """

    def mounts() -> Awaitable[tuple[Mount, ...]]:
        """The collections of others that are shown in the account's homes, by name."""

    def mount(mount: Mount) -> Awaitable[None]:
        """
        Show a collection of somebody else's, or (same owner and collection) change how it is shown.

        @raise CollectionExists: the name is taken among collections and mounts of that kind.
        """

    def unmount(owner: PrincipalId, collection: CollectionId) -> Awaitable[None]:
        """Show it no longer; nothing when it is not shown."""
