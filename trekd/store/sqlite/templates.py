"""
Line templates compiled to SQL that renders many messages with one statement.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from trekd.store.interfaces import Column, Extract, LineTemplate

MOST_ITEMS = 200
"""A longer template is rendered message by message: SQLite bounds the depth of an expression."""
LONGEST_RENDERED = 16 * 1024
"""A message with stored values longer than this is rendered by itself, so that memory stays bounded."""

_EXPRESSIONS = {
    Column.SEQ: "(?3 + wanted.key)",
    Column.UID: "wanted.value",
    Column.FLAGS: "slot.flags",
    Column.INTERNALDATE: "slot.internal_date",
    Column.SIZE: "slot.size",
    Column.MODSEQ: "slot.modseq",
    Column.ENVELOPE: "email.envelope",
    Column.BODYSTRUCTURE: "email.bodystructure",
    Column.BODY: "email.body",
    Column.HEADER: "'{' || email.header_length || '}' || char(13, 10) || body.header",
}
_RECENT = (
    "CASE WHEN wanted.value < {recent} THEN slot.flags WHEN slot.flags = '()' THEN '(\\Recent)'"
    " ELSE '(\\Recent ' || substr(slot.flags, 2) END"
)
_OF_EMAIL = frozenset((Column.ENVELOPE, Column.BODYSTRUCTURE, Column.BODY, Column.HEADER))
_EXPECTED = {
    Column.FLAGS: 20,
    Column.INTERNALDATE: 28,
    Column.ENVELOPE: 500,
    Column.BODYSTRUCTURE: 500,
    Column.BODY: 400,
    Column.HEADER: 3000,
}


@dataclass(frozen=True, slots=True)
class Bulk:
    """
    A template in SQL.

    The statement takes the UIDs and sequence numbers as L{Places.take <trekd.store.sqlite.listing.Places.take>} gives
    them (C{?1}, C{?3}), the mailbox's base (C{?2}), then the constants; it gives the octets, the number of messages
    found and the number rendered, which is less when some are too long.

    @ivar octets_expected: of one message, as a first guess.
    """

    sql: str
    constants: tuple[bytes | int, ...]
    octets_expected: int


@lru_cache(256)
def bulk_of(template: LineTemplate) -> Bulk | None:
    """The template in SQL; C{None} when it has to be rendered message by message."""
    items = tuple(_merged(template))
    if len(items) > MOST_ITEMS or any(isinstance(item, Extract) or item in _STEPWISE for item in items):
        return None
    constants: list[bytes | int] = []
    expressions = []
    expected = 1
    for item in items:
        if isinstance(item, bytes):
            constants.append(item)
            expressions.append(f"?{3 + len(constants)}")
            expected += len(item)
        elif item is Column.FLAGS and template.recent_from > 0:
            constants.append(template.recent_from)
            expressions.append(_RECENT.format(recent=f"?{3 + len(constants)}"))
            expected += 30
        elif isinstance(item, Column):
            expressions.append(_EXPRESSIONS[item])
            expected += _EXPECTED.get(item, 8)
    return Bulk(_statement(items, expressions), tuple(constants), expected)


_STEPWISE = (Column.OCTETS, Column.TEXT)


def _merged(template: LineTemplate) -> Iterator[bytes | Column | Extract]:
    """The items with neighbouring constants joined."""
    constant = b""
    for item in template.items:
        if isinstance(item, bytes):
            constant += item
            continue
        if constant:
            yield constant
            constant = b""
        yield item
    if constant:
        yield constant


def _statement(items: tuple[bytes | Column | Extract, ...], expressions: list[str]) -> str:
    tables = "json_each(?1) AS wanted CROSS JOIN slot ON slot.key = ?2 + wanted.value"
    short = ["1"]
    if Column.FLAGS in items:
        short.append(f"length(slot.flags) <= {LONGEST_RENDERED}")
    if _OF_EMAIL.intersection(items):
        tables += " CROSS JOIN email ON email.id = slot.email"
        short.append(f"email.rendered <= {LONGEST_RENDERED}")
    if Column.HEADER in items:
        tables += " CROSS JOIN body ON body.email = slot.email"
        short.append(f"email.header_length <= {LONGEST_RENDERED} AND body.header IS NOT NULL")
    line = " || ".join(f"({expression})" for expression in expressions) or "''"
    condition = " AND ".join(short)
    return (
        f"SELECT CAST(group_concat(CASE WHEN {condition} THEN {line} END, '') AS BLOB), count(*),"
        f" coalesce(sum({condition}), 0) FROM {tables} WHERE ?3 >= 0"
    )
