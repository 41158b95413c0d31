"""
Collections, their grants and mounts as rows.  Functions that take a transaction are operations of one.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from trekd.errors import CollectionExists, LimitReached, NoSuchCollection, NotPermitted
from trekd.store.collections import (
    MOST_COLLECTIONS,
    NO_PROPERTIES,
    CollectionId,
    CollectionKind,
    CollectionState,
    Mount,
    NewCollection,
    Properties,
    Right,
)
from trekd.store.items import in_order, storable, with_changes
from trekd.store.sqlite.database import Database, Row, value
from trekd.store.sqlite.transactions import Transaction
from trekd.values import ModSeq, PrincipalId

_INSIDE = (
    "WITH RECURSIVE inside(id) AS (VALUES(?) UNION ALL"
    " SELECT collection.id FROM collection JOIN inside ON collection.parent = inside.id) "
)
_STATES = (
    "SELECT own.objectid, superior.objectid, own.name, own.kind, own.components, own.modseq, own.items, own.octets,"
    " own.created, own.modified, own.properties FROM collection AS own"
    " LEFT JOIN collection AS superior ON superior.id = own.parent"
)


@dataclass(frozen=True, slots=True)
class Place:
    """
    A collection's row.

    @ivar row: its number.
    """

    row: int
    id: CollectionId
    name: str
    kind: CollectionKind
    modseq: int
    floor: int


def written(properties: Properties) -> str:
    """Dead properties as a column; '' for none."""
    return json.dumps(dict(properties), separators=(",", ":")) if properties else ""


def read(column: str) -> Properties:
    """The properties that were L{written}."""
    return json.loads(column) if column else NO_PROPERTIES


def find(database: Database, collection: CollectionId) -> Place:
    """
    The row of a collection.

    @raise NoSuchCollection: there is none.
    """
    rows = database.rows("SELECT id, name, kind, modseq, floor FROM collection WHERE objectid = ?", (collection,))
    if not rows:
        raise NoSuchCollection(collection)
    row, name, kind, modseq, floor = rows[0]
    return Place(row, collection, name, CollectionKind(kind), modseq, floor)


def states(database: Database) -> tuple[CollectionState, ...]:
    """All collections, superior ones first."""
    return in_order(map(_state, database.rows(_STATES)))


def those(database: Database, collections: Iterable[CollectionId]) -> tuple[CollectionState, ...]:
    """The collections that are there of some, in no order."""
    among = "WHERE own.objectid IN (SELECT value FROM json_each(?))"
    return tuple(map(_state, database.rows(f"{_STATES} {among}", (json.dumps(list(collections)),))))


def touch(transaction: Transaction, place: Place, octets: int = 0, items: int = 0) -> int:
    """The collection changes, by so many octets and items; returns the modification sequence."""
    modseq = transaction.next_modseq(octets)
    transaction.shelves.add(place.id)
    transaction.database.execute(
        "UPDATE collection SET modseq = ?, modified = ?, octets = octets + ?, items = items + ? WHERE id = ?",
        (modseq, int(transaction.now), octets, items, place.row),
    )
    return modseq


def create(transaction: Transaction, new: NewCollection) -> CollectionState:
    """Make a collection."""
    database = transaction.database
    parent = None if new.parent is None else find(database, new.parent).row
    require_free(database, parent, new.kind, new.name)
    if value(database, "SELECT count(*) FROM collection") >= MOST_COLLECTIONS:
        raise LimitReached("collections")
    modseq, now, objectid = transaction.next_modseq(), int(transaction.now), "C" + secrets.token_hex(12)
    database.execute(
        "INSERT INTO collection (objectid, parent, name, kind, components, modseq, floor, items, octets, created,"
        " modified, properties) VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0, ?, ?, ?)",
        (
            objectid,
            parent,
            storable(new.name),
            new.kind.value,
            " ".join(new.components),
            modseq,
            modseq,
            now,
            now,
            written(new.properties),
        ),
    )
    transaction.shelves.add(CollectionId(objectid))
    return _one(database, objectid)


def remove(transaction: Transaction, collection: CollectionId) -> None:
    """Remove a collection and everything in it."""
    database = transaction.database
    place = find(database, collection)
    query = _INSIDE + "SELECT id, objectid FROM inside JOIN collection USING (id)"
    inside = database.rows(query, (place.row,))
    transaction.shelves.update(CollectionId(objectid) for _, objectid in inside)
    listed = json.dumps([row for row, _ in inside])
    among = "IN (SELECT value FROM json_each(?))"
    octets = value(database, f"SELECT coalesce(sum(octets), 0) FROM collection WHERE id {among}", (listed,))
    transaction.next_modseq(-octets)
    files = database.rows(f"SELECT file FROM item WHERE collection {among} AND file IS NOT NULL", (listed,))
    transaction.freed += [file for (file,) in files]
    database.execute(f"DELETE FROM content WHERE item IN (SELECT id FROM item WHERE collection {among})", (listed,))
    for table in ("item", "removed_item", "span", "item_text", "collection_grant"):
        database.execute(f"DELETE FROM {table} WHERE collection {among}", (listed,))
    database.execute(f"DELETE FROM collection WHERE id {among}", (listed,))


def move(transaction: Transaction, collection: CollectionId, parent: CollectionId | None, name: str) -> None:
    """Give a collection another place or name."""
    database = transaction.database
    place = find(database, collection)
    target = None if parent is None else find(database, parent).row
    inside = database.rows(_INSIDE + "SELECT 1 FROM inside WHERE id = ?", (place.row, target))
    if target is not None and inside:
        raise NotPermitted(place.name)
    (before,) = database.rows("SELECT parent, name FROM collection WHERE id = ?", (place.row,))
    if before == (target, storable(name)):
        return
    require_free(database, target, place.kind, name)
    touch(transaction, place)
    database.execute(
        "UPDATE collection SET parent = ?, name = ? WHERE id = ?", (target, storable(name), place.row)
    )


def change_properties(
    transaction: Transaction, collection: CollectionId, values: Properties, removed: Sequence[str]
) -> CollectionState:
    """Change dead properties."""
    database = transaction.database
    place = find(database, collection)
    old = read(value(database, "SELECT properties FROM collection WHERE id = ?", (place.row,)))
    touch(transaction, place)
    properties = written(with_changes(old, values, removed))
    database.execute("UPDATE collection SET properties = ? WHERE id = ?", (properties, place.row))
    return _one(database, collection)


def require_free(database: Database, parent: int | None, kind: CollectionKind, name: str) -> None:
    """
    @raise CollectionExists: something there has the name.
    """
    name = storable(name)
    if parent is None:
        where = "SELECT 1 FROM collection WHERE parent IS NULL AND kind = ?1 AND name = ?2"
        where += " UNION ALL SELECT 1 FROM mount WHERE kind = ?1 AND name = ?2"
        taken = database.rows(where, (kind.value, name))
    else:
        where = "SELECT 1 FROM collection WHERE parent = ?1 AND name = ?2"
        where += " UNION ALL SELECT 1 FROM item WHERE collection = ?1 AND name = ?2"
        taken = database.rows(where, (parent, name))
    if taken:
        raise CollectionExists(name)


def has_inside(database: Database, parent: Place, name: str) -> bool:
    """Whether a collection inside has the name."""
    query = "SELECT 1 FROM collection WHERE parent = ? AND name = ?"
    return bool(database.rows(query, (parent.row, storable(name))))


def grants(database: Database, collection: CollectionId) -> Mapping[PrincipalId, Right]:
    """Who else may do what."""
    row = find(database, collection).row
    rows = database.rows("SELECT grantee, right FROM collection_grant WHERE collection = ?", (row,))
    return {PrincipalId(grantee): Right(right) for grantee, right in rows}


def all_grants(database: Database) -> Mapping[CollectionId, Mapping[PrincipalId, Right]]:
    """Who else may do what with which collection."""
    found: dict[CollectionId, dict[PrincipalId, Right]] = {}
    query = "SELECT objectid, grantee, right FROM collection_grant JOIN collection ON collection.id = collection"
    for collection, grantee, right in database.rows(query):
        found.setdefault(CollectionId(collection), {})[PrincipalId(grantee)] = Right(right)
    return found


def grant(
    transaction: Transaction, collection: CollectionId, changes: Mapping[PrincipalId, Right | None]
) -> None:
    """Give and take rights."""
    database = transaction.database
    row = find(database, collection).row
    for grantee, right in changes.items():
        database.execute("DELETE FROM collection_grant WHERE (collection, grantee) = (?, ?)", (row, grantee))
        if right is not None:
            database.execute("INSERT INTO collection_grant VALUES (?, ?, ?)", (row, grantee, right.value))


def mounts(database: Database) -> tuple[Mount, ...]:
    """The collections of others that are shown."""
    rows = database.rows("SELECT name, owner, collection, kind, properties FROM mount ORDER BY name, kind")
    return tuple(
        Mount(name, PrincipalId(owner), CollectionId(collection), CollectionKind(kind), read(properties))
        for name, owner, collection, kind, properties in rows
    )


def mount(transaction: Transaction, new: Mount) -> None:
    """Show a collection of somebody else's."""
    database = transaction.database
    unmount(transaction, new.owner, new.collection)
    require_free(database, None, new.kind, new.name)
    database.execute(
        "INSERT INTO mount (owner, collection, kind, name, properties) VALUES (?, ?, ?, ?, ?)",
        (new.owner, new.collection, new.kind.value, storable(new.name), written(new.properties)),
    )


def unmount(transaction: Transaction, owner: PrincipalId, collection: CollectionId) -> None:
    """Show it no longer."""
    transaction.database.execute("DELETE FROM mount WHERE (owner, collection) = (?, ?)", (owner, collection))


def _one(database: Database, collection: str) -> CollectionState:
    return _state(database.rows(f"{_STATES} WHERE own.objectid = ?", (collection,))[0])


def _state(row: Row) -> CollectionState:
    objectid, parent, name, kind, components, modseq, items, octets, created, modified, properties = row
    return CollectionState(
        CollectionId(objectid),
        None if parent is None else CollectionId(parent),
        name,
        CollectionKind(kind),
        tuple(components.split()),
        ModSeq(modseq),
        items,
        octets,
        created,
        modified,
        read(properties),
    )
