"""
An account's collections in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from zope.interface import implementer

from trekd.errors import CollectionExists, NotPermitted, UIDTaken
from trekd.store.collections import (
    ALWAYS,
    BusySpan,
    Candidate,
    CollectionId,
    CollectionKind,
    CollectionState,
    Condition,
    ICollections,
    ItemChanges,
    ItemState,
    Match,
    Mount,
    NewCollection,
    NewItem,
    Properties,
    Right,
    Stored,
    Window,
)
from trekd.store.contents import IMessageSource, InMemory
from trekd.store.items import (
    FLOATING_MARGIN,
    bounds,
    etag_of,
    finder,
    judge,
    kept_properties,
    kept_schedule_tag,
    overlaps,
    require_known,
    storable,
    with_changes,
)
from trekd.store.memory.boxes import Account
from trekd.store.memory.shelves import Collection, Item, Shelf
from trekd.values import ModSeq, PrincipalId


@implementer(ICollections)
class MemoryCollections:
    """A holder of an account's collections; all holders share them."""

    def __init__(
        self, principal: PrincipalId, account: Callable[[], Account], seconds: Callable[[], float]
    ) -> None:
        """
        @param account: the account; raises C{StoreBusy} when the store is closed.
        """
        self.principal = principal
        self._account = account
        self._seconds = seconds

    # Collections

    async def collections(self) -> tuple[CollectionState, ...]:
        """All collections, superior ones first."""
        return self._shelf().states()

    async def create_collection(self, new: NewCollection) -> CollectionState:
        """Make a collection."""
        shelf = self._shelf()
        shelf.require_free(new.parent, new.kind, new.name)
        shelf.require_room()
        return shelf.make(new, self._account().next_modseq(), self._now()).state()

    async def remove_collection(self, collection: CollectionId) -> None:
        """Remove a collection and everything in it."""
        shelf = self._shelf()
        for each in tuple(shelf.inside(shelf.collection(collection))):
            del shelf.by_id[each.id]
        self._account().next_modseq()

    async def move_collection(self, collection: CollectionId, parent: CollectionId | None, name: str) -> None:
        """Give a collection another place or name."""
        shelf = self._shelf()
        found = shelf.collection(collection)
        if parent is not None and shelf.collection(parent) in tuple(shelf.inside(found)):
            raise NotPermitted(found.name)
        if (found.parent, found.name) == (parent, name):
            return
        shelf.require_free(parent, found.kind, name)
        found.parent, found.name = parent, name
        self._touch(found)

    async def change_collection_properties(
        self, collection: CollectionId, values: Properties, removed: Sequence[str] = ()
    ) -> CollectionState:
        """Change dead properties."""
        found = self._shelf().collection(collection)
        found.properties = with_changes(found.properties, values, removed)
        self._touch(found)
        return found.state()

    # Items

    async def items(self, collection: CollectionId, names: Sequence[str] | None = None) -> tuple[ItemState, ...]:
        """Items by name."""
        found = self._shelf().collection(collection)
        wanted = found.items if names is None else found.items.keys() & set(names)
        return _by_name(found.items[name].state for name in wanted)

    async def contents(
        self, collection: CollectionId, names: Sequence[str]
    ) -> tuple[tuple[ItemState, bytes], ...]:
        """Items with their octets."""
        items = self._shelf().collection(collection).items
        return tuple((items[name].state, items[name].octets) for name in names if name in items)

    async def item_source(self, collection: CollectionId, name: str) -> tuple[ItemState, IMessageSource]:
        """One item."""
        item = self._shelf().collection(collection).item(name)
        return item.state, InMemory(item.octets)

    async def put(self, collection: CollectionId, new: NewItem, condition: Condition = ALWAYS) -> Stored:
        """Store an item."""
        content = new.content
        octets = content if isinstance(content, bytes) else await content.octets()
        target = self._shelf().collection(collection)
        old = self._judged(target, new.name, condition)
        self._require_uid(target, new.name, new.facts.uid)
        self._account().require_space(len(octets) - (old.size if old else 0))
        etag, now = etag_of(octets), self._now()
        state = ItemState(
            new.name,
            etag,
            len(octets),
            new.media_type,
            new.facts.component,
            new.facts.uid,
            self._touch(target),
            old.created if old else now,
            old.modified if old and old.etag == etag else now,
            kept_schedule_tag(new, old),
            dict(kept_properties(new, old)),
        )
        target.place(Item(state, octets, new.facts))
        return Stored(state, old is not None)

    async def remove_item(self, collection: CollectionId, name: str, condition: Condition = ALWAYS) -> None:
        """Remove an item."""
        found = self._shelf().collection(collection)
        judge(condition, found.item(name).state, False)
        found.remove(name, self._touch(found))

    async def copy_item(
        self, collection: CollectionId, name: str, target: CollectionId, new_name: str, condition: Condition = ALWAYS
    ) -> Stored:
        """Copy an item."""
        source, goal = self._shelf().collection(collection), self._shelf().collection(target)
        return self._transfer(source, source.item(name), goal, new_name, condition)

    async def move_item(
        self, collection: CollectionId, name: str, target: CollectionId, new_name: str, condition: Condition = ALWAYS
    ) -> Stored:
        """Move an item."""
        source, goal = self._shelf().collection(collection), self._shelf().collection(target)
        return self._transfer(source, source.item(name), goal, new_name, condition, is_move=True)

    async def change_item_properties(
        self, collection: CollectionId, name: str, values: Properties, removed: Sequence[str] = ()
    ) -> ItemState:
        """Change dead properties."""
        found = self._shelf().collection(collection)
        item = found.item(name)
        properties = with_changes(item.state.properties, values, removed)
        state = item.state._replace(modseq=self._touch(found), properties=properties)
        found.place(Item(state, item.octets, item.facts))
        return state

    # Questions

    async def item_changes(
        self, collection: CollectionId, since: ModSeq, limit: int | None = None
    ) -> ItemChanges:
        """What happened behind C{since}."""
        found = self._shelf().collection(collection)
        require_known(since, found.floor, found.modseq)
        changes: list[tuple[ModSeq, ItemState | str]] = [
            (item.state.modseq, item.state) for item in found.items.values() if item.state.modseq > since
        ]
        if since:
            changes += [(modseq, name) for name, modseq in found.removed.items() if modseq > since]
        changes.sort(key=lambda change: change[0])
        most = len(changes) if limit is None else limit
        while not since and most < len(changes) and changes[most - 1][0] < found.floor:
            most += 1
        is_truncated = most < len(changes)
        del changes[most:]
        return ItemChanges(
            changes[-1][0] if is_truncated else found.modseq,
            tuple(what for _, what in changes if not isinstance(what, str)),
            tuple(what for _, what in changes if isinstance(what, str)),
            is_truncated,
        )

    async def identified(self, collection: CollectionId, uid: str) -> ItemState | None:
        """The item with that UID."""
        found = self._shelf().collection(collection)
        name = found.by_uid.get(uid)
        return None if name is None else found.items[name].state

    async def scheduled(self, uid: str) -> tuple[tuple[CollectionId, ItemState], ...]:
        """The items with that UID in all calendars."""
        return tuple(
            (found.id, found.items[found.by_uid[uid]].state)
            for found in self._shelf().by_id.values()
            if found.kind is CollectionKind.CALENDAR and uid in found.by_uid
        )

    async def overlapping(
        self, collection: CollectionId, window: Window, component: str = ""
    ) -> tuple[Candidate, ...]:
        """Items that take place, or may, in the window."""
        found = []
        for item in self._shelf().collection(collection).items.values():
            if component in ("", item.state.component):
                hit = any(overlaps(start, end, _margins(item, window)) for start, end, _ in item.facts.spans)
                if hit or _may_go_on(item, window):
                    found.append(Candidate(item.state, hit and not item.facts.is_floating))
        return tuple(sorted(found, key=lambda candidate: candidate.state.name))

    async def busy(
        self, collection: CollectionId, window: Window, limit: int
    ) -> tuple[tuple[BusySpan, ...], tuple[str, ...]]:
        """When items take place in the window."""
        spans: list[BusySpan] = []
        names = []
        for name, item in sorted(self._shelf().collection(collection).items.items()):
            hits = [
                BusySpan(start, end, letter, name)
                for start, end, letter in item.facts.spans
                if letter != "F" and overlaps(start, end, _margins(item, window))
            ]
            if _may_go_on(item, window) or (hits and item.facts.is_floating):
                names.append(name)
            else:
                spans += hits
        spans.sort(key=lambda span: (span.start, span.end, span.name))
        return tuple(spans[:limit]), tuple(names)

    async def containing(
        self, collection: CollectionId, properties: Sequence[str], text: str, match: Match, limit: int | None = None
    ) -> tuple[ItemState, ...]:
        """Items one of whose properties has the text."""
        is_there = finder(storable(text), match)
        found = (
            item.state
            for item in self._shelf().collection(collection).items.values()
            if any(name in properties and is_there(storable(value)) for name, value in item.facts.texts)
        )
        return _by_name(found)[:limit]

    # Sharing

    async def grants(self, collection: CollectionId) -> Mapping[PrincipalId, Right]:
        """Who else may do what."""
        return dict(self._shelf().collection(collection).grants)

    async def all_grants(self) -> Mapping[CollectionId, Mapping[PrincipalId, Right]]:
        """Who else may do what with which collection."""
        found = self._shelf().by_id.items()
        return {collection: dict(each.grants) for collection, each in found if each.grants}

    async def grant(self, collection: CollectionId, grants: Mapping[PrincipalId, Right | None]) -> None:
        """Give and take rights."""
        found = self._shelf().collection(collection)
        after = {**found.grants, **grants}
        found.grants = {grantee: right for grantee, right in after.items() if right is not None}

    async def mounts(self) -> tuple[Mount, ...]:
        """The collections of others that are shown."""
        return tuple(sorted(self._shelf().mounts.values(), key=lambda mount: (mount.name, mount.kind.value)))

    async def mount(self, mount: Mount) -> None:
        """Show a collection of somebody else's."""
        shelf = self._shelf()
        shelf.require_account()
        old = shelf.mounts.pop((mount.owner, mount.collection), None)
        try:
            shelf.require_free(None, mount.kind, mount.name)
        except CollectionExists:
            if old is not None:
                shelf.mounts[old.owner, old.collection] = old
            raise
        shelf.mounts[mount.owner, mount.collection] = mount

    async def unmount(self, owner: PrincipalId, collection: CollectionId) -> None:
        """Show it no longer."""
        self._shelf().mounts.pop((owner, collection), None)

    # How it is done

    def _shelf(self) -> Shelf:
        return self._account().shelf

    def _now(self) -> int:
        return int(self._seconds())

    def _touch(self, collection: Collection) -> ModSeq:
        """The collection changes."""
        collection.modseq = self._account().next_modseq()
        collection.modified = self._now()
        return collection.modseq

    def _judged(self, target: Collection, name: str, condition: Condition) -> ItemState | None:
        """What has the name, when the condition holds."""
        old = target.items.get(name)
        is_collection = self._shelf().has_inside(target.id, name)
        judge(condition, old.state if old else None, is_collection)
        if is_collection:
            raise CollectionExists(name)
        return old.state if old else None

    def _require_uid(self, target: Collection, name: str, uid: str) -> None:
        other = target.by_uid.get(uid, name)
        if uid and other != name:
            raise UIDTaken(other)

    def _transfer(
        self, source: Collection, item: Item, target: Collection, name: str, condition: Condition, is_move: bool = False
    ) -> Stored:
        old = self._judged(target, name, condition)
        if source is target and item.state.name == name:
            return Stored(item.state, True)
        if not (is_move and source is target):
            self._require_uid(target, name, item.state.uid)
        self._account().require_space((0 if is_move else item.state.size) - (old.size if old else 0))
        if is_move:
            source.remove(item.state.name, self._touch(source))
        created = self._now() if old is None else old.created
        state = item.state._replace(name=name, modseq=self._touch(target), created=created, modified=self._now())
        target.place(Item(state, item.octets, item.facts))
        return Stored(state, old is not None)


def _by_name(states: Iterable[ItemState]) -> tuple[ItemState, ...]:
    return tuple(sorted(states, key=lambda state: state.name))


def _margins(item: Item, window: Window) -> tuple[int, int]:
    """The window as it is for that item."""
    start, end = bounds(window)
    margin = FLOATING_MARGIN if item.facts.is_floating else 0
    return start - margin, end + margin


def _may_go_on(item: Item, window: Window) -> bool:
    """Whether the item may take place in the window more often than its spans tell."""
    return item.facts.open_from is not None and item.facts.open_from < _margins(item, window)[1]
