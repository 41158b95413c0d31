"""
Operations on calendars and address books as files: listed, exported, added to.

Nobody is invited and nobody is told: entries come as they are, and go as they are.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import Deferred, DeferredList

from trekd.errors import (
    ConditionFailed,
    NoSuchCollection,
    NotPermitted,
    OverQuota,
    Refused,
    SyntaxFault,
)
from trekd.store.collections import (
    CollectionKind,
    CollectionState,
    Condition,
    ICollections,
    ItemFacts,
    NewItem,
)
from trekd.store.interfaces import IAccountStore
from trekd.web.collaborators import Collaborators, Facts
from trekd.web.replies import describe

T = TypeVar("T")

AT_ONCE = 32
"""Entries that wait for the disk together."""
READ_AT_ONCE = 200
"""Entries of an export that are in memory at once."""

_USABLE = re.compile(r"[A-Za-z0-9_@-][A-Za-z0-9._@-]{0,150}").fullmatch


class Joiner(Protocol):
    """Makes one file of entries."""

    def head(self) -> bytes:
        """What stands before all entries."""

    def add(self, entries: Sequence[bytes]) -> bytes:
        """The next entries, as they stand in the file; takes its time."""

    def tail(self) -> bytes:
        """What stands behind all entries."""


@dataclass(frozen=True, slots=True)
class EntryKind:
    """
    Entries of calendars, or of address books.

    @ivar usual: name of the collection that is meant when none is named.
    @ivar suffix: of the names of new entries.
    @ivar title: what people call a collection; '' for no such name.
    @ivar read: what an entry is, with its media type; raises L{Refused} when it cannot be stored there.
    """

    kind: CollectionKind
    usual: str
    suffix: str
    title: Callable[[CollectionState], str]
    read: Callable[[bytes, CollectionState], tuple[ItemFacts, str]]
    joiner: Callable[[CollectionState], Joiner]


@dataclass(frozen=True, slots=True)
class EntryRules:
    """
    What the operations have to be told of calendars and address books.

    @ivar kinds: by the word that requests have.
    @ivar complete: makes the collections that every account has.
    @ivar off_reactor: calls a function in a thread.
    """

    kinds: Mapping[str, EntryKind]
    complete: Callable[[ICollections], Awaitable[None]]
    off_reactor: Callable[..., Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Entry:
    """
    One entry of an import.

    @ivar number: its place in the file.
    """

    number: int
    octets: bytes


class EntryOperations:
    """Calendars and address books of accounts."""

    def __init__(self, collaborators: Collaborators) -> None:
        self._with = collaborators

    async def list_all(self, word: str, address: str) -> list[Facts]:
        """The calendars or address books of an account."""
        rules = self._rules()
        kind = rules.kinds[word]
        shelf = await self._shelf(await self._with.open_stored(await self._with.stored(address)))
        states = [state for state in await shelf.collections() if state.kind is kind.kind and state.parent is None]
        return [
            {"name": state.name, "title": kind.title(state), "entries": state.items, "octets": state.octets}
            for state in states
        ]

    async def export(self, word: str, address: str, name: str | None) -> AsyncIterator[bytes]:
        """All entries of a calendar or address book, as one file."""
        rules = self._rules()
        kind = rules.kinds[word]
        shelf = await self._shelf(await self._with.open_stored(await self._with.stored(address)))
        state = await _collection(shelf, kind, name)
        joiner = kind.joiner(state)
        yield joiner.head()
        names = [item.name for item in await shelf.items(state.id)]
        for start in range(0, len(names), READ_AT_ONCE):
            found = await shelf.contents(state.id, names[start : start + READ_AT_ONCE])
            yield await rules.off_reactor(joiner.add, [octets for _, octets in found])
        yield joiner.tail()

    async def add(self, word: str, address: str, name: str | None, body: object) -> Facts:
        """
        Add entries to a calendar or address book; what cannot be stored is named, the rest goes in.

        @param body: C{{"entries": [{"number": 1, "text": ...}], "existing": "skip" | "replace"}}.
        @return: how many were C{added}, C{replaced} and C{skipped}, and C{failed}: number and reason of each.
        @raise OverQuota: what was added before stays; likewise L{Unavailable}.
        """
        entries, replace = _request(body)
        rules = self._rules()
        kind = rules.kinds[word]
        shelf = await self._shelf(await self._with.open_store(await self._with.account(address)))
        state = await _collection(shelf, kind, name)
        most = self._with.config().dav.max_item
        judged = await rules.off_reactor(_judged, entries, kind, state, most)
        counts, failed = {"added": 0, "replaced": 0, "skipped": 0}, []
        for group in _groups(judged):
            results = await _together([_stored(shelf, state, kind, new, replace) for _, new in group])
            for (entry, _), result in zip(group, results, strict=True):
                if isinstance(result, Exception):
                    failed.append(_failure(entry, result))
                else:
                    counts[result] += 1
        return {**counts, "failed": sorted(failed, key=lambda each: int(each["number"]))}

    def _rules(self) -> EntryRules:
        if self._with.entries is None:
            raise NotPermitted("no calendars and contacts are kept here")
        return self._with.entries

    async def _shelf(self, store: IAccountStore) -> ICollections:
        shelf: ICollections | None = ICollections(store, None)
        if shelf is None:
            raise NotPermitted("this host's storage keeps mail only")
        await self._rules().complete(shelf)
        return shelf


async def _collection(shelf: ICollections, kind: EntryKind, name: str | None) -> CollectionState:
    """
    The collection of that name, or else the only one of that title.

    @raise NoSuchCollection: there is none.
    """
    wanted = kind.usual if name is None else name
    mine = [each for each in await shelf.collections() if each.kind is kind.kind and each.parent is None]
    found = [each for each in mine if each.name == wanted] or [each for each in mine if kind.title(each) == wanted]
    if len(found) != 1:
        raise NoSuchCollection(wanted)
    return found[0]


def _request(body: object) -> tuple[list[Entry], bool]:
    """
    @raise SyntaxFault: it has another shape.
    """
    match body:
        case {"entries": list(listed), "existing": "skip" | "replace" as existing}:
            return [_entry(each) for each in listed], existing == "replace"
    raise SyntaxFault('"entries", and "existing": "skip" or "replace"')


def _entry(each: object) -> Entry:
    match each:
        case {"number": int(number), "text": str(text)}:
            return Entry(number, text.encode("utf-8", "replace"))
    raise SyntaxFault('an entry with "number" and "text"')


def _judged(
    entries: Sequence[Entry], kind: EntryKind, state: CollectionState, most: int
) -> list[tuple[Entry, NewItem | Exception]]:
    """What each entry is, or why it cannot be stored; in a thread."""
    found: list[tuple[Entry, NewItem | Exception]] = []
    for entry in entries:
        try:
            if len(entry.octets) > most:
                raise SyntaxFault(f"an entry of at most {most} octets")
            facts, media_type = kind.read(entry.octets, state)
        except (Refused, SyntaxFault) as error:
            found.append((entry, error))
        else:
            found.append((entry, NewItem(_name(facts.uid) + kind.suffix, entry.octets, facts, media_type)))
    return found


def _name(uid: str) -> str:
    """A name for an entry: its UID where that can be one, the same name each time where not."""
    return uid if _USABLE(uid) else hashlib.sha256(uid.encode("utf-8", "surrogateescape")).hexdigest()[:32]


def _groups(
    judged: Sequence[tuple[Entry, NewItem | Exception]],
) -> list[list[tuple[Entry, NewItem | Exception]]]:
    """Entries that can be stored together: a second one with a UID waits for the first."""
    groups: list[list[tuple[Entry, NewItem | Exception]]] = [[]]
    uids: set[str] = set()
    for entry, new in judged:
        uid = new.facts.uid if isinstance(new, NewItem) else ""
        if len(groups[-1]) == AT_ONCE or uid in uids:
            groups.append([])
            uids = set()
        groups[-1].append((entry, new))
        uids |= {uid} - {""}
    return groups


async def _together(work: Sequence[Awaitable[T]]) -> list[T]:
    """All results, when the last is there; the first error is raised then."""

    async def awaited(one: Awaitable[T]) -> T:
        return await one

    started = [Deferred.fromCoroutine(awaited(one)) for one in work]
    outcomes: list[tuple[bool, Any]] = await DeferredList(started, consumeErrors=True)
    for is_good, result in outcomes:
        if not is_good:
            result.raiseException()
    return [result for _, result in outcomes]


async def _stored(
    shelf: ICollections, state: CollectionState, kind: EntryKind, new: NewItem | Exception, replace: bool
) -> str | Exception:
    """
    Store one entry.

    @return: what became of it, or why it was refused.
    """
    if isinstance(new, Exception):
        return new
    try:
        there = await shelf.identified(state.id, new.facts.uid)
        if there is None:
            await _add(shelf, state, kind, new)
            return "added"
        if not replace:
            return "skipped"
        item = NewItem(there.name, new.content, new.facts, new.media_type)
        await shelf.put(state.id, item, Condition(is_present=True))
        return "replaced"
    except OverQuota:
        raise
    except Refused as error:
        return error


async def _add(shelf: ICollections, state: CollectionState, kind: EntryKind, new: NewItem) -> None:
    try:
        await shelf.put(state.id, new, Condition(is_absent=True))
    except ConditionFailed:
        # Something else has the name that would be the entry's.
        item = NewItem(str(uuid.uuid4()) + kind.suffix, new.content, new.facts, new.media_type)
        await shelf.put(state.id, item, Condition(is_absent=True))


def _failure(entry: Entry, error: Exception) -> Facts:
    return {"number": entry.number, "reason": describe(error)[1]["text"]}
