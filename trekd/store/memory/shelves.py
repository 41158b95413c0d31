"""
What an account's collections are made of: items, names of those that are gone, mounts.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field

from trekd.errors import CollectionExists, LimitReached, NoSuchCollection, NoSuchItem
from trekd.store.collections import (
    CollectionId,
    CollectionKind,
    CollectionState,
    ItemFacts,
    ItemState,
    Mount,
    NewCollection,
    Properties,
    Right,
)
from trekd.store.items import REMOVED_KEPT, in_order
from trekd.values import ModSeq, PrincipalId


@dataclass(frozen=True, slots=True)
class Item:
    """An item, its octets and what was found in them."""

    state: ItemState
    octets: bytes
    facts: ItemFacts


@dataclass(slots=True)
class Collection:
    """
    A collection.

    @ivar floor: removals up to here are forgotten.
    @ivar removed: names of items that are gone, with the modification sequence of that, ascending.
    """

    id: CollectionId
    parent: CollectionId | None
    name: str
    kind: CollectionKind
    components: tuple[str, ...]
    properties: Properties
    modseq: ModSeq
    created: int
    modified: int
    floor: int
    items: dict[str, Item] = field(default_factory=dict)
    by_uid: dict[str, str] = field(default_factory=dict)
    removed: dict[str, ModSeq] = field(default_factory=dict)
    grants: dict[PrincipalId, Right] = field(default_factory=dict)
    octets: int = 0

    def state(self) -> CollectionState:
        """As it is now."""
        return CollectionState(
            self.id,
            self.parent,
            self.name,
            self.kind,
            self.components,
            self.modseq,
            len(self.items),
            self.octets,
            self.created,
            self.modified,
            dict(self.properties),
        )

    def item(self, name: str) -> Item:
        """
        The item of that name.

        @raise NoSuchItem: there is none.
        """
        try:
            return self.items[name]
        except KeyError:
            raise NoSuchItem(name) from None

    def place(self, item: Item) -> None:
        """Put an item in, in place of what has its name."""
        self._drop(item.state.name)
        self.items[item.state.name] = item
        self.octets += item.state.size
        if item.state.uid:
            self.by_uid[item.state.uid] = item.state.name
        self.removed.pop(item.state.name, None)

    def remove(self, name: str, modseq: ModSeq) -> None:
        """Take an item out and remember that."""
        self._drop(name)
        self.removed[name] = modseq
        if len(self.removed) > REMOVED_KEPT:
            for old in tuple(self.removed)[: REMOVED_KEPT // 2]:
                self.floor = self.removed.pop(old)

    def _drop(self, name: str) -> None:
        old = self.items.pop(name, None)
        if old is not None:
            self.octets -= old.state.size
            self.by_uid.pop(old.state.uid, None)


class Shelf:
    """All collections of an account, and those of others that it shows."""

    def __init__(self, most: int) -> None:
        """@param most: collections."""
        self.by_id: dict[CollectionId, Collection] = {}
        self.mounts: dict[tuple[PrincipalId, CollectionId], Mount] = {}
        self.is_removed = False
        self._most = most

    @property
    def octets(self) -> int:
        """Of all items."""
        return sum(collection.octets for collection in self.by_id.values())

    def states(self) -> tuple[CollectionState, ...]:
        """All collections, superior ones first."""
        return in_order(collection.state() for collection in self.by_id.values())

    def collection(self, collection: CollectionId) -> Collection:
        """
        The collection of that identifier.

        @raise NoSuchCollection: there is none.
        """
        try:
            return self.by_id[collection]
        except KeyError:
            raise NoSuchCollection(collection) from None

    def make(self, new: NewCollection, modseq: ModSeq, now: int) -> Collection:
        """Make a collection, whose name is free."""
        made = Collection(
            CollectionId("C" + secrets.token_hex(12)),
            new.parent,
            new.name,
            new.kind,
            new.components,
            dict(new.properties),
            modseq,
            now,
            now,
            modseq,
        )
        self.by_id[made.id] = made
        return made

    def require_account(self) -> None:
        """
        @raise NoSuchCollection: the account was removed.
        """
        if self.is_removed:
            raise NoSuchCollection("the account was removed")

    def require_room(self) -> None:
        """
        @raise NoSuchCollection: the account was removed.
        @raise LimitReached: there are as many collections as there may be.
        """
        self.require_account()
        if len(self.by_id) >= self._most:
            raise LimitReached("collections")

    def require_free(self, parent: CollectionId | None, kind: CollectionKind, name: str) -> None:
        """
        @raise NoSuchCollection: there is no such parent.
        @raise CollectionExists: something there has the name.
        """
        if parent is None:
            taken = any(mount.kind is kind and mount.name == name for mount in self.mounts.values())
            taken = taken or any(
                other.parent is None and other.kind is kind and other.name == name for other in self.by_id.values()
            )
        else:
            taken = name in self.collection(parent).items or self.has_inside(parent, name)
        if taken:
            raise CollectionExists(name)

    def has_inside(self, parent: CollectionId, name: str) -> bool:
        """Whether a collection inside has the name."""
        return any(other.parent == parent and other.name == name for other in self.by_id.values())

    def inside(self, collection: Collection) -> Iterator[Collection]:
        """The collection and all in it."""
        yield collection
        for other in tuple(self.by_id.values()):
            if other.parent == collection.id:
                yield from self.inside(other)

    def remove(self) -> None:
        """Remove everything for good."""
        self.is_removed = True
        self.by_id.clear()
        self.mounts.clear()
