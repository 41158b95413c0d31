"""
What is asked of items: reads of one commit, answered from indexes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from trekd.errors import NoSuchItem, StoreCorrupt
from trekd.store.collections import (
    BusySpan,
    Candidate,
    CollectionId,
    CollectionKind,
    ItemChanges,
    ItemState,
    Match,
    Window,
)
from trekd.store.items import FLOATING_MARGIN, bounds, require_known, storable
from trekd.store.sqlite import shelves
from trekd.store.sqlite.database import Database
from trekd.store.sqlite.paths import AccountFiles
from trekd.store.sqlite.shelving import COLUMNS, found_item, item_state
from trekd.values import ModSeq

_LEVELS = "WITH RECURSIVE level(n) AS (VALUES(0) UNION ALL SELECT n + 1 FROM level WHERE n < 52) "
_SPANS = (
    " FROM level CROSS JOIN span ON span.collection = ?1 AND span.level = n"
    " AND span.start > ?2 - ?4 - (1 << n) AND span.start < ?3 + ?4"
    " WHERE span.start < ?3 + floating * ?4 AND (span.finish > ?2 - floating * ?4"
    " OR (span.start = span.finish AND span.finish = ?2 - floating * ?4))"
)
"""
Spans of collection ?1 in the window from ?2 to ?3, those in no zone within ?4 of it: one range of the index for each
power of two that spans may be long, so that nothing is read that began long before.
"""

_TESTS = {
    Match.EQUALS: "value = ?2",
    Match.CONTAINS: "instr(value, ?2)",
    Match.STARTS_WITH: "substr(value, 1, length(?2)) = ?2",
    Match.ENDS_WITH: "(?2 = '' OR substr(value, -length(?2)) = ?2)",
}


def items(database: Database, collection: CollectionId, names: Sequence[str] | None) -> tuple[ItemState, ...]:
    """Items by name."""
    place = shelves.find(database, collection)
    query, parameters = f"SELECT {COLUMNS} FROM item WHERE collection = ?", [place.row]
    if names is None:
        return tuple(map(item_state, database.rows(f"{query} ORDER BY name", parameters)))
    listed = json.dumps([storable(name) for name in names])
    query += " AND name IN (SELECT value FROM json_each(?)) ORDER BY name"
    return tuple(map(item_state, database.rows(query, (place.row, listed))))


def contents(
    database: Database, collection: CollectionId, names: Sequence[str], files: AccountFiles
) -> tuple[tuple[ItemState, bytes], ...]:
    """Items with their octets, in the order asked for."""
    place = shelves.find(database, collection)
    listed = json.dumps([storable(name) for name in names])
    rows = database.rows(
        f"SELECT file, content.octets, {COLUMNS} FROM json_each(?) AS wanted CROSS JOIN item"
        " ON item.collection = ? AND item.name = wanted.value LEFT JOIN content ON content.item = item.id"
        " ORDER BY wanted.key",
        (listed, place.row),
    )
    return tuple(
        (item_state(row[2:]), _whole(files, row[0]) if row[0] is not None else bytes(row[1])) for row in rows
    )


def located(database: Database, collection: CollectionId, name: str) -> tuple[ItemState, str | None, bytes]:
    """
    One item: its state, its file, and its octets when it has none.

    @raise NoSuchItem: there is none.
    """
    place = shelves.find(database, collection)
    found = found_item(database, place, name)
    if found is None:
        raise NoSuchItem(name)
    if found.file is not None:
        return found.state, found.file, b""
    octets = database.rows("SELECT octets FROM content WHERE item = ?", (found.row,))[0][0]
    return found.state, None, bytes(octets)


def changes(database: Database, collection: CollectionId, since: ModSeq, limit: int | None) -> ItemChanges:
    """What happened behind C{since}."""
    place = shelves.find(database, collection)
    require_known(since, place.floor, place.modseq)
    query = f"SELECT item.modseq, 0, {COLUMNS} FROM item WHERE collection = ?1 AND item.modseq > ?2"
    if since:
        nulls = ", NULL" * 10
        query += f" UNION ALL SELECT modseq, 1, name{nulls} FROM removed_item WHERE collection = ?1 AND modseq > ?2"
    rows = database.rows(f"{query} ORDER BY 1 LIMIT ?3", (place.row, since, -1 if limit is None else limit + 1))
    is_truncated = limit is not None and len(rows) > limit
    if is_truncated and not since and rows[limit - 1][0] < place.floor:  # type: ignore[operator]
        # From there nothing could be asked any more: all that is older than the floor belongs to this answer.
        rows = database.rows(f"{query} AND item.modseq <= ?3 ORDER BY 1", (place.row, since, place.floor))
        is_truncated = place.floor < place.modseq
        return ItemChanges(
            ModSeq(place.floor if is_truncated else place.modseq), tuple(item_state(row[2:]) for row in rows), (),
            is_truncated,
        )
    del rows[limit if is_truncated else len(rows) :]
    return ItemChanges(
        ModSeq(rows[-1][0] if is_truncated else place.modseq),
        tuple(item_state(row[2:]) for row in rows if not row[1]),
        tuple(row[2] for row in rows if row[1]),
        is_truncated,
    )


def identified(database: Database, collection: CollectionId, uid: str) -> ItemState | None:
    """The item with that UID."""
    place = shelves.find(database, collection)
    rows = database.rows(
        f"SELECT {COLUMNS} FROM item WHERE uid = ? AND uid != '' AND collection = ?", (storable(uid), place.row)
    )
    return item_state(rows[0]) if rows else None


def scheduled(database: Database, uid: str) -> tuple[tuple[CollectionId, ItemState], ...]:
    """The items with that UID in all calendars."""
    rows = database.rows(
        f"SELECT objectid, {COLUMNS} FROM item JOIN collection ON collection.id = item.collection"
        " WHERE uid = ? AND uid != '' AND kind = ? ORDER BY collection.id",
        (storable(uid), CollectionKind.CALENDAR.value),
    )
    return tuple((CollectionId(row[0]), item_state(row[1:])) for row in rows)


def overlapping(
    database: Database, collection: CollectionId, window: Window, component: str
) -> tuple[Candidate, ...]:
    """Items that take place, or may, in the window."""
    place = shelves.find(database, collection)
    start, end = bounds(window)
    rows = database.rows(
        f"{_LEVELS}, hit(item) AS (SELECT DISTINCT span.item{_SPANS})"
        f" SELECT 1 - item.floating, {COLUMNS} FROM hit JOIN item ON item.id = hit.item WHERE ?5 IN ('', component)"
        f" UNION ALL SELECT 0, {COLUMNS} FROM item WHERE collection = ?1 AND open_from IS NOT NULL"
        " AND open_from < ?3 + ?4 AND open_from < ?3 + floating * ?4 AND ?5 IN ('', component)"
        " AND id NOT IN (SELECT item FROM hit) ORDER BY 2",
        (place.row, start, end, FLOATING_MARGIN, component),
    )
    return tuple(Candidate(item_state(row[1:]), bool(row[0])) for row in rows)


def busy(
    database: Database, collection: CollectionId, window: Window, limit: int
) -> tuple[tuple[BusySpan, ...], tuple[str, ...]]:
    """When items take place in the window, and those that have to be looked at."""
    place = shelves.find(database, collection)
    start, end = bounds(window)
    parameters = (place.row, start, end, FLOATING_MARGIN)
    unsure = database.rows(
        f"{_LEVELS}, unsure(item) AS (SELECT DISTINCT span.item{_SPANS} AND floating AND letter != 'F' UNION"
        " SELECT id FROM item WHERE collection = ?1 AND open_from IS NOT NULL AND open_from < ?3 + floating * ?4)"
        " SELECT item.id, item.name FROM unsure JOIN item ON item.id = unsure.item ORDER BY 2",
        parameters,
    )
    among = json.dumps([row for row, _ in unsure])
    rows = database.rows(
        f"{_LEVELS} SELECT span.start, span.finish, span.letter,"
        f" (SELECT name FROM item WHERE item.id = span.item){_SPANS} AND letter != 'F'"
        " AND span.item NOT IN (SELECT value FROM json_each(?5)) ORDER BY 1, 2, 4 LIMIT ?6",
        (*parameters, among, limit),
    )
    return tuple(BusySpan(*row) for row in rows), tuple(name for _, name in unsure)


def containing(
    database: Database,
    collection: CollectionId,
    properties: Sequence[str],
    text: str,
    how: tuple[Match, int | None],
) -> tuple[ItemState, ...]:
    """Items one of whose properties has the text."""
    place = shelves.find(database, collection)
    match, limit = how
    rows = database.rows(
        f"SELECT {COLUMNS} FROM item WHERE id IN (SELECT item FROM item_text WHERE collection = ?1"
        f" AND property IN (SELECT value FROM json_each(?3)) AND {_TESTS[match]}) ORDER BY name LIMIT ?4",
        (place.row, storable(text), json.dumps(list(properties)), -1 if limit is None else limit),
    )
    return tuple(map(item_state, rows))


def _whole(files: AccountFiles, file: str) -> bytes:
    try:
        return files.body(file).read_bytes()
    except OSError as error:
        raise StoreCorrupt(f"{file}: {error.strerror}") from None
