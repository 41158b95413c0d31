"""
Storing items: their octets before the transaction, their rows inside it; removing, copying, moving.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from trekd.errors import CollectionExists, NoSuchItem, StoreFull, UIDTaken
from trekd.store.collections import (
    CollectionId,
    Condition,
    ItemFacts,
    ItemState,
    NewItem,
    Properties,
    Stored,
)
from trekd.store.items import (
    REMOVED_KEPT,
    EtagMaker,
    judge,
    kept_properties,
    kept_schedule_tag,
    storable,
    with_changes,
    within_bounds,
)
from trekd.store.sqlite import shelves
from trekd.store.sqlite.arrival import PIECE, WriteInThread, append_to, remove_bodies
from trekd.store.sqlite.batches import Operation
from trekd.store.sqlite.connections import Connections
from trekd.store.sqlite.database import Database, Row, value
from trekd.store.sqlite.paths import AccountFiles, sync_directory
from trekd.store.sqlite.shelves import Place
from trekd.store.sqlite.transactions import Transaction
from trekd.values import ModSeq

COLUMNS = (
    "item.name, item.etag, item.size, item.media_type, item.component, item.uid, item.modseq, item.created,"
    " item.modified, item.schedule_tag, item.properties"
)
"""What L{item_state} reads, in this order."""

REMOVED_LOOK = 64
"""One removal in so many looks whether old ones can be forgotten."""


@dataclass(frozen=True, slots=True)
class Found:
    """An item's row."""

    row: int
    file: str | None
    state: ItemState


class Arriving:
    """An item's octets on their way: in memory, or into a file when they are many."""

    def __init__(self, new: NewItem, files: AccountFiles, threshold: int, write: WriteInThread) -> None:
        self.new = new
        self.etag = ""
        self.size = 0
        self.file: str | None = None
        self.octets: bytes | None = None
        self._files = files
        self._threshold = threshold
        self._write = write
        self._maker = EtagMaker()

    @property
    def memory(self) -> int:
        """Octets in memory while the item is worked on."""
        content = self.new.content
        return len(content) if isinstance(content, bytes) else min(content.size, max(PIECE, self._threshold))

    async def gather(self) -> None:
        """
        Get the octets; in the reactor's thread.

        @raise StoreFull: the file system refuses them; nothing is left of them.
        """
        content = self.new.content
        if isinstance(content, bytes):
            self.octets = content
        elif content.size <= self._threshold:
            self.octets = await content.octets()
        else:
            try:
                await self._copy()
            except BaseException:
                self.abandon()
                raise

    async def _copy(self) -> None:
        content = self.new.content
        assert not isinstance(content, bytes)
        self.file = "I" + secrets.token_hex(12)
        while self.size < content.size:
            piece = await content.read(self.size, PIECE)
            if not piece:
                raise StoreFull("an item in arrival is shorter than it was")
            await self._write(partial(self._add, piece))
            self.size += len(piece)

    def _add(self, piece: bytes) -> None:
        assert self.file is not None
        self._maker.feed(piece)
        append_to(self._files.body(self.file), piece)

    def prepare(self) -> None:
        """
        Digest the octets and make a file durable; in a writer thread.

        @raise StoreFull: the file system refuses.
        """
        if self.octets is not None:
            self.size = len(self.octets)
            if self.size <= self._threshold:
                self._maker.feed(self.octets)
            else:
                self.file = "I" + secrets.token_hex(12)
                self._add(self.octets)
                self.octets = None
        self.etag = self._maker.etag()
        if self.file is not None:
            try:
                with open(self._files.body(self.file), "rb", buffering=0) as file:
                    os.fsync(file.fileno())
                sync_directory(self._files.bodies)
            except OSError as error:
                raise StoreFull(f"an item could not be written: {error.strerror}") from None

    def abandon(self) -> None:
        """Remove the file: the item was not stored."""
        if self.file is not None:
            remove_bodies(self._files, [self.file])


class Put(Operation[Stored]):
    """An operation that stores an item."""

    def __init__(self, apply: Callable[[Transaction], Stored], arriving: Arriving) -> None:
        super().__init__(apply)
        self._arriving = arriving
        self.octets = arriving.memory

    def gather(self) -> Awaitable[None]:
        """See L{Arriving.gather}."""
        return self._arriving.gather()

    def prepare(self) -> None:
        """See L{Arriving.prepare}."""
        self._arriving.prepare()

    def abandon(self) -> None:
        """See L{Arriving.abandon}."""
        self._arriving.abandon()


ItemPlace = tuple[CollectionId, str]
"""A collection, and a name in it."""


class Copy(Operation[Stored]):
    """
    An operation that copies an item: what is in a file gets another name on disk before the transaction.
    """

    def __init__(
        self,
        source: ItemPlace,
        target: ItemPlace,
        condition: Condition,
        files: AccountFiles,
        connections: Connections,
    ) -> None:
        super().__init__(self._copied)
        self._source, self._target, self._condition = source, target, condition
        self._files, self._connections = files, connections
        self._link: Link | None = None

    def prepare(self) -> None:
        """
        Link the file.

        @raise StoreFull: the file system refuses.
        """
        with self._connections.lent(self._files) as database:
            rows = database.rows(_FILE_OF, (self._source[0], storable(self._source[1])))
        if rows and rows[0][0] is not None:
            self._link = _linked(self._files, rows[0][0])

    def abandon(self) -> None:
        """Remove the link: the item was not copied."""
        if self._link is not None:
            remove_bodies(self._files, [self._link.name])

    def _copied(self, transaction: Transaction) -> Stored:
        return copy(transaction, self._source, self._target, self._condition, self._link)


@dataclass(frozen=True, slots=True)
class Link:
    """
    A second name of a file, durable.

    @ivar file: the first.
    """

    file: str
    name: str


_FILE_OF = (
    "SELECT item.file FROM item JOIN collection ON collection.id = item.collection"
    " WHERE collection.objectid = ? AND item.name = ?"
)


def item_state(row: Row) -> ItemState:
    """The state in a row of L{COLUMNS}."""
    return ItemState._make((*row[:10], shelves.read(row[10])))


def found_item(database: Database, place: Place, name: str) -> Found | None:
    """The item of that name."""
    rows = database.rows(
        f"SELECT id, file, {COLUMNS} FROM item WHERE collection = ? AND name = ?", (place.row, storable(name))
    )
    return Found(rows[0][0], rows[0][1], item_state(rows[0][2:])) if rows else None


def required_item(database: Database, place: Place, name: str) -> Found:
    """
    The item of that name.

    @raise NoSuchItem: there is none.
    """
    found = found_item(database, place, name)
    if found is None:
        raise NoSuchItem(name)
    return found


def put(transaction: Transaction, collection: CollectionId, arriving: Arriving, condition: Condition) -> Stored:
    """Write an item's rows, in place of what has its name."""
    database, new = transaction.database, arriving.new
    place = shelves.find(database, collection)
    old = _judged(database, place, new.name, condition)
    uid = storable(new.facts.uid)
    _require_uid(database, place, new.name, uid)
    before = None if old is None else old.state
    growth = arriving.size - (before.size if before else 0)
    transaction.require_space(growth)
    modseq, now = shelves.touch(transaction, place, growth, int(old is None)), int(transaction.now)
    state = ItemState(
        storable(new.name),
        arriving.etag,
        arriving.size,
        new.media_type,
        new.facts.component,
        uid,
        ModSeq(modseq),
        now if before is None else before.created,
        now,
        kept_schedule_tag(new, before),
        kept_properties(new, before),
    )
    if old is not None:
        _forget(transaction, old)
    row = _insert(database, place, state, arriving.file)
    if arriving.octets is not None:
        database.execute("INSERT INTO content (item, octets) VALUES (?, ?)", (row, arriving.octets))
    _describe(database, place, row, new.facts)
    return Stored(state, old is not None)


def remove(transaction: Transaction, collection: CollectionId, name: str, condition: Condition) -> None:
    """Remove an item."""
    database = transaction.database
    place = shelves.find(database, collection)
    found = found_item(database, place, name)
    judge(condition, found.state if found else None, shelves.has_inside(database, place, name))
    if found is None:
        raise NoSuchItem(name)
    _leave(transaction, place, found)
    _forget(transaction, found)


def copy(
    transaction: Transaction, source: ItemPlace, target: ItemPlace, condition: Condition, link: Link | None
) -> Stored:
    """
    Copy an item whose octets are in the database, or in a file.

    @param link: of the file that the item had before the transaction; not needed when nothing is copied.
    """
    database, (place, found), goal = transaction.database, _source(transaction, source), target[1]
    there = shelves.find(database, target[0])
    old = _judged(database, there, goal, condition)
    if (there.row, storable(goal)) == (place.row, found.state.name):
        transaction.freed += [] if link is None else [link.name]
        return Stored(found.state, True)
    _require_uid(database, there, goal, found.state.uid)
    growth = found.state.size - (old.state.size if old else 0)
    transaction.require_space(growth)
    state = _arrived(transaction, there, found.state, goal, old, growth)
    row = _insert(database, there, state, _file_of_copy(transaction, found.file, link))
    database.execute("INSERT INTO content SELECT ?, octets FROM content WHERE item = ?", (row, found.row))
    database.execute(
        "INSERT INTO span SELECT ?, level, start, ?, place, finish, letter, floating FROM span WHERE item = ?",
        (there.row, row, found.row),
    )
    database.execute(
        "INSERT INTO item_text SELECT ?, property, ?, place, value FROM item_text WHERE item = ?",
        (there.row, row, found.row),
    )
    database.execute(
        "UPDATE item SET (floating, open_from) = (SELECT floating, open_from FROM item WHERE id = ?) WHERE id = ?",
        (found.row, row),
    )
    return Stored(state, old is not None)


def move(
    transaction: Transaction, source: tuple[CollectionId, str], target: tuple[CollectionId, str], condition: Condition
) -> Stored:
    """Move an item."""
    database, (place, found), goal = transaction.database, _source(transaction, source), target[1]
    there = shelves.find(database, target[0])
    old = _judged(database, there, goal, condition)
    if (there.row, storable(goal)) == (place.row, found.state.name):
        return Stored(found.state, True)
    if there.row != place.row:
        _require_uid(database, there, goal, found.state.uid)
    _leave(transaction, place, found)
    state = _arrived(transaction, there, found.state, goal, old, found.state.size - (old.state.size if old else 0))
    database.execute(
        "UPDATE item SET collection = ?, name = ?, modseq = ?, created = ?, modified = ? WHERE id = ?",
        (there.row, state.name, state.modseq, state.created, state.modified, found.row),
    )
    for table in ("span", "item_text"):
        database.execute(f"UPDATE {table} SET collection = ? WHERE item = ?", (there.row, found.row))
    return Stored(state, old is not None)


def change_properties(
    transaction: Transaction, collection: CollectionId, name: str, change: tuple[Properties, tuple[str, ...]]
) -> ItemState:
    """Change dead properties."""
    database = transaction.database
    place = shelves.find(database, collection)
    found = required_item(database, place, name)
    properties = with_changes(found.state.properties, *change)
    state = found.state._replace(modseq=ModSeq(shelves.touch(transaction, place)), properties=properties)
    database.execute(
        "UPDATE item SET modseq = ?, properties = ? WHERE id = ?",
        (state.modseq, shelves.written(properties), found.row),
    )
    return state


def _source(transaction: Transaction, source: tuple[CollectionId, str]) -> tuple[Place, Found]:
    place = shelves.find(transaction.database, source[0])
    return place, required_item(transaction.database, place, source[1])


def _judged(database: Database, place: Place, name: str, condition: Condition) -> Found | None:
    """What has the name, when the condition holds."""
    old, is_collection = found_item(database, place, name), shelves.has_inside(database, place, name)
    judge(condition, old.state if old else None, is_collection)
    if is_collection:
        raise CollectionExists(name)
    return old


def _require_uid(database: Database, place: Place, name: str, uid: str) -> None:
    query = "SELECT name FROM item WHERE uid = ? AND uid != '' AND collection = ?"
    other = value(database, query, (uid, place.row)) if uid else None
    if other not in (None, storable(name)):
        raise UIDTaken(other)


def _arrived(
    transaction: Transaction, there: Place, state: ItemState, name: str, old: Found | None, growth: int
) -> ItemState:
    """The state of an item under its new name; what had that is gone."""
    now = int(transaction.now)
    modseq = ModSeq(shelves.touch(transaction, there, growth, int(old is None)))
    if old is not None:
        _forget(transaction, old)
    created = now if old is None else old.state.created
    return state._replace(name=storable(name), modseq=modseq, created=created, modified=now)


def _leave(transaction: Transaction, place: Place, found: Found) -> None:
    """Remember that an item is gone from its collection, and count it no more."""
    database = transaction.database
    modseq = shelves.touch(transaction, place, -found.state.size, -1)
    database.execute(
        "INSERT OR REPLACE INTO removed_item (collection, name, modseq) VALUES (?, ?, ?)",
        (place.row, found.state.name, modseq),
    )
    if modseq % REMOVED_LOOK == 0:
        _prune(database, place)


def _prune(database: Database, place: Place) -> None:
    """Forget the older half of the removals when there are too many."""
    query = "SELECT count(*) FROM removed_item WHERE collection = ?"
    if value(database, query, (place.row,)) <= REMOVED_KEPT:
        return
    floor = value(
        database,
        "SELECT modseq FROM removed_item WHERE collection = ? ORDER BY modseq LIMIT 1 OFFSET ?",
        (place.row, REMOVED_KEPT // 2),
    )
    database.execute("DELETE FROM removed_item WHERE collection = ? AND modseq <= ?", (place.row, floor))
    database.execute("UPDATE collection SET floor = ? WHERE id = ?", (floor, place.row))


def _forget(transaction: Transaction, found: Found) -> None:
    """Delete an item's rows; its file is not needed when the commit is made."""
    database = transaction.database
    for table, column in (("item", "id"), ("content", "item"), ("span", "item"), ("item_text", "item")):
        database.execute(f"DELETE FROM {table} WHERE {column} = ?", (found.row,))
    if found.file is not None:
        transaction.freed.append(found.file)


def _file_of_copy(transaction: Transaction, file: str | None, link: Link | None) -> str | None:
    """The file of a copy; where the item was changed just before, the link was made for nothing."""
    if link is not None and link.file == file:
        return link.name
    transaction.freed += [] if link is None else [link.name]
    return None if file is None else _linked(transaction.files, file).name


def _linked(files: AccountFiles, file: str) -> Link:
    """Another name for a file, which never changes; an orphan is found when the account is next opened."""
    name = "I" + secrets.token_hex(12)
    try:
        os.link(files.body(file), files.body(name))
        sync_directory(files.bodies)
    except OSError as error:
        raise StoreFull(f"an item could not be copied: {error.strerror}") from None
    return Link(file, name)


def _insert(database: Database, place: Place, state: ItemState, file: str | None) -> int:
    database.execute("DELETE FROM removed_item WHERE (collection, name) = (?, ?)", (place.row, state.name))
    row: int = database.rows(
        "INSERT INTO item (collection, name, etag, size, media_type, component, uid, modseq, created, modified,"
        " schedule_tag, properties, file, floating) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0) RETURNING id",
        (place.row, *state[:10], shelves.written(state.properties), file),
    )[0][0]
    return row


def _describe(database: Database, place: Place, row: int, facts: ItemFacts) -> None:
    """Index an item."""
    open_from = None if facts.open_from is None else within_bounds(facts.open_from)
    if facts.is_floating or open_from is not None:
        database.execute(
            "UPDATE item SET floating = ?, open_from = ? WHERE id = ?", (int(facts.is_floating), open_from, row)
        )
    rows = []
    for number, (start, end, letter) in enumerate(facts.spans):
        start, end = within_bounds(start), within_bounds(end)
        level = (end - start).bit_length()
        rows.append((place.row, level, start, row, number, end, letter, int(facts.is_floating)))
    database.many("INSERT INTO span VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
    texts = [(place.row, name, row, number, storable(text)) for number, (name, text) in enumerate(facts.texts)]
    database.many("INSERT INTO item_text VALUES (?, ?, ?, ?, ?)", texts)
