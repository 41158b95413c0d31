"""
An account's collections on SQLite: questions in reader threads, changes in the account's queue.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

from twisted.internet.defer import Deferred
from zope.interface import implementer

from trekd.errors import NoSuchCollection, NoSuchMailbox, StoreCorrupt
from trekd.store.collections import (
    ALWAYS,
    BusySpan,
    Candidate,
    CollectionId,
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
from trekd.store.sqlite import questions, shelves, shelving
from trekd.store.sqlite.batches import Committed, Operation
from trekd.store.sqlite.database import Database
from trekd.store.sqlite.paths import AccountFiles
from trekd.store.sqlite.queue import Workshop
from trekd.store.sqlite.shelfstates import ShelfStates
from trekd.store.sqlite.threads import Threads
from trekd.store.sqlite.transactions import Transaction
from trekd.values import ModSeq, PrincipalId

T = TypeVar("T")


class Read(Protocol):
    """Calls a function in a reader thread; all that it reads is of one commit."""

    def __call__(self, function: Callable[[Database], T]) -> Deferred[T]: ...


class Submit(Protocol):
    """Makes a change, in the account's queue."""

    def __call__(self, operation: Operation[T]) -> Deferred[T]: ...


@dataclass(frozen=True, slots=True)
class Desk:
    """
    How the account does things.

    @ivar require_open: raises C{StoreBusy} when the store is closed.
    """

    read: Read
    submit: Submit
    require_open: Callable[[], None]


@implementer(IMessageSource)
class OpenFile:
    """An item's file, open: its octets stay while somebody holds this, whatever becomes of the item."""

    def __init__(self, descriptor: int, size: int, threads: Threads) -> None:
        self.size = size
        self._file = os.fdopen(descriptor, "rb", buffering=0)
        self._threads = threads

    async def read(self, offset: int, length: int) -> bytes:
        """See L{IMessageSource.read}."""
        return await self._threads.read(partial(os.pread, self._file.fileno(), length, offset))

    async def octets(self) -> bytes:
        """See L{IMessageSource.octets}."""
        return await self.read(0, self.size)


@implementer(ICollections)
class SQLiteCollections:
    """The collections of one account."""

    def __init__(self, files: AccountFiles, shop: Workshop, desk: Desk) -> None:
        self.principal: PrincipalId = files.principal
        self._files = files
        self._shop = shop
        self._desk = desk
        self._states: ShelfStates | None = None
        self._latest = Committed(())

    def committed(self, committed: Committed) -> None:
        """Take over what a batch did, in the reactor's thread, before its results are delivered."""
        self._latest = committed
        if self._states is not None:
            self._states.update(committed.shelves, committed.shelves_gone)

    # Collections

    async def collections(self) -> tuple[CollectionState, ...]:
        """All collections, superior ones first."""
        self._desk.require_open()
        if self._files.removed:
            return ()
        if self._states is None:
            loaded = await self._write(lambda transaction: shelves.states(transaction.database))
            if self._states is None:
                self._states = ShelfStates(loaded)
                # Others of the same batch came behind what was read.
                self._states.update(self._latest.shelves, self._latest.shelves_gone)
        return self._states.all

    async def create_collection(self, new: NewCollection) -> CollectionState:
        """Make a collection."""
        return await self._write(partial(shelves.create, new=new))

    async def remove_collection(self, collection: CollectionId) -> None:
        """Remove a collection and everything in it."""
        await self._write(partial(shelves.remove, collection=collection))

    async def move_collection(self, collection: CollectionId, parent: CollectionId | None, name: str) -> None:
        """Give a collection another place or name."""
        await self._write(partial(shelves.move, collection=collection, parent=parent, name=name))

    async def change_collection_properties(
        self, collection: CollectionId, values: Properties, removed: Sequence[str] = ()
    ) -> CollectionState:
        """Change dead properties."""
        change = partial(shelves.change_properties, collection=collection, values=values, removed=removed)
        return await self._write(change)

    # Items

    async def items(self, collection: CollectionId, names: Sequence[str] | None = None) -> tuple[ItemState, ...]:
        """Items by name."""
        return await self._read(partial(questions.items, collection=collection, names=names))

    async def contents(
        self, collection: CollectionId, names: Sequence[str]
    ) -> tuple[tuple[ItemState, bytes], ...]:
        """Items with their octets."""
        return await self._read(partial(questions.contents, collection=collection, names=names, files=self._files))

    async def item_source(self, collection: CollectionId, name: str) -> tuple[ItemState, IMessageSource]:
        """One item."""
        return await self._read(partial(self._open, collection=collection, name=name))

    def _open(
        self, database: Database, collection: CollectionId, name: str
    ) -> tuple[ItemState, IMessageSource]:
        state, file, octets = questions.located(database, collection, name)
        if file is None:
            return state, InMemory(octets)
        try:
            descriptor = os.open(self._files.body(file), os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise StoreCorrupt(f"{file}: {error.strerror}") from None
        return state, OpenFile(descriptor, state.size, self._shop.threads)

    async def put(self, collection: CollectionId, new: NewItem, condition: Condition = ALWAYS) -> Stored:
        """Store an item."""
        arriving = shelving.Arriving(new, self._files, self._shop.threshold, self._shop.threads.write)
        change = partial(shelving.put, collection=collection, arriving=arriving, condition=condition)
        return await self._submit(shelving.Put(change, arriving))

    async def remove_item(self, collection: CollectionId, name: str, condition: Condition = ALWAYS) -> None:
        """Remove an item."""
        await self._write(partial(shelving.remove, collection=collection, name=name, condition=condition))

    async def copy_item(
        self,
        collection: CollectionId,
        name: str,
        target: CollectionId,
        new_name: str,
        condition: Condition = ALWAYS,
    ) -> Stored:
        """Copy an item."""
        there = (target, new_name)
        source = (collection, name)
        return await self._submit(shelving.Copy(source, there, condition, self._files, self._shop.connections))

    async def move_item(
        self,
        collection: CollectionId,
        name: str,
        target: CollectionId,
        new_name: str,
        condition: Condition = ALWAYS,
    ) -> Stored:
        """Move an item."""
        there = (target, new_name)
        return await self._write(
            partial(shelving.move, source=(collection, name), target=there, condition=condition)
        )

    async def change_item_properties(
        self, collection: CollectionId, name: str, values: Properties, removed: Sequence[str] = ()
    ) -> ItemState:
        """Change dead properties."""
        change = (values, tuple(removed))
        return await self._write(
            partial(shelving.change_properties, collection=collection, name=name, change=change)
        )

    # Questions

    async def item_changes(
        self, collection: CollectionId, since: ModSeq, limit: int | None = None
    ) -> ItemChanges:
        """What happened behind C{since}."""
        return await self._read(partial(questions.changes, collection=collection, since=since, limit=limit))

    async def identified(self, collection: CollectionId, uid: str) -> ItemState | None:
        """The item with that UID."""
        return await self._read(partial(questions.identified, collection=collection, uid=uid))

    async def scheduled(self, uid: str) -> tuple[tuple[CollectionId, ItemState], ...]:
        """The items with that UID in all calendars."""
        return await self._read(partial(questions.scheduled, uid=uid))

    async def overlapping(
        self, collection: CollectionId, window: Window, component: str = ""
    ) -> tuple[Candidate, ...]:
        """Items that take place, or may, in the window."""
        ask = partial(questions.overlapping, collection=collection, window=window, component=component)
        return await self._read(ask)

    async def busy(
        self, collection: CollectionId, window: Window, limit: int
    ) -> tuple[tuple[BusySpan, ...], tuple[str, ...]]:
        """When items take place in the window."""
        return await self._read(partial(questions.busy, collection=collection, window=window, limit=limit))

    async def containing(
        self, collection: CollectionId, properties: Sequence[str], text: str, match: Match, limit: int | None = None
    ) -> tuple[ItemState, ...]:
        """Items one of whose properties has the text."""
        how = (match, limit)
        ask = partial(questions.containing, collection=collection, properties=properties, text=text, how=how)
        return await self._read(ask)

    # Sharing

    async def grants(self, collection: CollectionId) -> Mapping[PrincipalId, Right]:
        """Who else may do what."""
        return await self._read(partial(shelves.grants, collection=collection))

    async def all_grants(self) -> Mapping[CollectionId, Mapping[PrincipalId, Right]]:
        """Who else may do what with which collection."""
        return {} if self._files.removed else await self._read(shelves.all_grants)

    async def grant(self, collection: CollectionId, grants: Mapping[PrincipalId, Right | None]) -> None:
        """Give and take rights."""
        await self._write(partial(shelves.grant, collection=collection, changes=grants))

    async def mounts(self) -> tuple[Mount, ...]:
        """The collections of others that are shown."""
        return () if self._files.removed else await self._read(shelves.mounts)

    async def mount(self, mount: Mount) -> None:
        """Show a collection of somebody else's."""
        await self._write(partial(shelves.mount, new=mount))

    async def unmount(self, owner: PrincipalId, collection: CollectionId) -> None:
        """Show it no longer."""
        await self._write(partial(shelves.unmount, owner=owner, collection=collection))

    # How it is done

    async def _read(self, function: Callable[[Database], T]) -> T:
        try:
            return await self._desk.read(function)
        except NoSuchMailbox:
            raise NoSuchCollection("the account was removed") from None

    async def _write(self, apply: Callable[[Transaction], T]) -> T:
        return await self._submit(Operation(apply))

    async def _submit(self, operation: Operation[T]) -> T:
        try:
            return await self._desk.submit(operation)
        except NoSuchMailbox:
            raise NoSuchCollection("the account was removed") from None
