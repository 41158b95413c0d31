"""
Line templates compiled to SQL that renders many messages with one statement.

The statement gives one row for a run of messages.  What it concatenates costs a C{printf} per message, not an operator
per item: older releases of SQLite make a new string for each C{||}.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, chain, groupby, pairwise, repeat

from trekd.store.interfaces import Column, Extract, LineTemplate
from trekd.store.rendering import chosen
from trekd.store.sqlite.database import Row

MOST_ITEMS = 100
"""A longer template is rendered message by message: SQLite bounds a function's arguments and an expression's depth."""
LONGEST_RENDERED = 16 * 1024
"""A message with stored values longer than this is rendered by itself, so that memory stays bounded."""

FROM = {
    True: ("slot", "slot.key BETWEEN ?1 AND ?2 AND ?3 >= 0 AND ?4 IS NOT NULL"),
    False: ("json_each(?1) AS wanted CROSS JOIN slot ON slot.key = ?3 + wanted.value", "?2 IS NULL AND ?4 IS NOT NULL"),
}
"""By whether UIDs have no gaps: the slots of the messages wanted and a condition, with the parameters of L{Bulk}."""
PLACE = {True: "slot.key + ?4", False: "wanted.key + ?4"}
"""The sequence number, likewise."""
UID = "slot.key - ?3"

Item = bytes | Column | Extract

_SEQ = "$seq"
_NUMBERS = frozenset((Column.SEQ, Column.UID, Column.SIZE, Column.MODSEQ))
_PRINTED = {
    Column.SEQ: _SEQ,
    Column.UID: UID,
    Column.SIZE: "slot.size",
    Column.MODSEQ: "slot.modseq",
    Column.FLAGS: "slot.flags",
    Column.INTERNALDATE: "slot.internal_date",
}
_RECENT = (
    f"CASE WHEN {UID} < {{recent}} THEN slot.flags WHEN slot.flags = '()' THEN '(\\Recent)'"
    " ELSE '(\\Recent ' || substr(slot.flags, 2) END"
)
_OCTETS = {
    Column.ENVELOPE: "email.envelope",
    Column.BODYSTRUCTURE: "email.bodystructure",
    Column.BODY: "email.body",
    Column.EMAILID: "email.objectid",
    Column.PREVIEW: "coalesce(email.preview, '\"\"')",
    Column.PREVIEW_LAZY: "coalesce(email.preview, 'NIL')",
    Column.HEADER: "'{' || email.header_length || '}' || char(13, 10) || body.header",
}
_STEPWISE = frozenset((Column.OCTETS, Column.TEXT, Column.SAVEDATE))
_EXPECTED = {
    Column.FLAGS: 20,
    Column.INTERNALDATE: 28,
    Column.ENVELOPE: 500,
    Column.BODYSTRUCTURE: 500,
    Column.BODY: 400,
    Column.HEADER: 3000,
    Column.EMAILID: 32,
    Column.PREVIEW: 200,
    Column.PREVIEW_LAZY: 200,
}
_FIRST_CONSTANT = 5


@dataclass(frozen=True, slots=True)
class Rendered:
    """
    What one statement found.

    @ivar octets: the responses of the messages, in order.
    @ivar messages: how many they are.
    @ivar read: octets that the database gave, which may be more.
    """

    octets: bytes
    messages: int
    read: int


@dataclass(frozen=True, slots=True)
class Bulk:
    """
    A template in SQL.

    Parameters of C{dense}: the first key (C{?1}), the last (C{?2}), the mailbox's base (C{?3}), what has to be added to
    a key to get the sequence number (C{?4}).  Of C{sparse}: JSON, an array of UIDs or an object from sequence numbers
    to UIDs (C{?1}), nothing (C{?2}), the base (C{?3}), what has to be added to an index of the array, or 0 (C{?4}).
    C{constants} follow in both.

    @ivar octets_expected: of one message, as a first guess.
    """

    dense: str
    sparse: str
    constants: tuple[bytes | str | int, ...]
    octets_expected: int
    _joining: _Whole | _Cut

    def rendered(self, row: Row) -> Rendered | None:
        """What a row of the statement says; C{None} when some messages are too large to be rendered so."""
        found, short, *values = row
        if found != short:
            return None
        if not found:
            return Rendered(b"", 0, 0)
        return self._joining.joined(values, found)


@dataclass(frozen=True, slots=True)
class _Whole:
    """
    Lines that come joined.

    @ivar head: what each line begins with, not in the database's octets for the first.
    @ivar tail: what each line ends with, not there for the last.
    """

    head: bytes
    tail: bytes

    def joined(self, values: Sequence[bytes | None], found: int) -> Rendered | None:
        """See L{Bulk.rendered}."""
        octets = b"".join((self.head, values[0] or b"", self.tail))
        return Rendered(octets, found, len(octets))


@dataclass(frozen=True, slots=True)
class _Cut:
    """
    Lines with octets of the header among them.

    The row has the headers in one piece, their lengths, then each C{None} of C{texts}: the lines' octets, NUL between.

    @ivar texts: what stands before, between and behind the extracts, when it is the same in all lines.
    """

    texts: tuple[bytes | None, ...]
    extracts: tuple[Extract, ...]

    def joined(self, values: Sequence[bytes | None], found: int) -> Rendered | None:
        """See L{Bulk.rendered}."""
        together, lengths, *texts = values
        octets = together or b""
        ends = accumulate(map(int, (lengths or b"").split(b",")), initial=0)
        headers = [octets[start:stop] for start, stop in pairwise(ends)]
        parts = iter([(text or b"").split(b"\0") for text in texts])
        columns: list[Iterable[bytes]] = []
        for text, extract in zip(self.texts, (*self.extracts, None), strict=True):
            if text is not None:
                columns.append(repeat(text, found))
            elif len(part := next(parts)) == found:
                columns.append(part)
            else:
                return None
            if extract is not None:
                columns.append([chosen(extract, header) for header in headers])
        line = b"".join(chain.from_iterable(zip(*columns, strict=True)))
        return Rendered(line, found, max(len(line), len(octets)))


@lru_cache(256)
def bulk_of(template: LineTemplate) -> Bulk | None:
    """The template in SQL; C{None} when it has to be rendered message by message."""
    items = tuple(_merged(template))
    extracts = tuple(item for item in items if isinstance(item, Extract))
    if len(items) > MOST_ITEMS or not _STEPWISE.isdisjoint(items):
        return None
    expressions = _Expressions(template.recent_from)
    joining: _Whole | _Cut
    if not extracts:
        head, middle, tail = _ends(items)
        joining = _Whole(head, tail)
        gathered = [(expressions.line(middle), expressions.constant(tail + head))]
    elif all(map(_can_be_cut, items)):
        segments = tuple(map(_constant_or_items, _segments(items)))
        joining = _Cut(tuple(segment if isinstance(segment, bytes) else None for segment in segments), extracts)
        gathered = [("body.header", "''"), ("length(body.header)", "','")]
        gathered += [(expressions.line(segment), "x'00'") for segment in segments if not isinstance(segment, bytes)]
    else:
        return None
    dense, sparse = (_statement(is_dense, items, gathered) for is_dense in (True, False))
    return Bulk(dense, sparse, tuple(expressions.constants), 1 + sum(map(_expected, items)), joining)


class _Expressions:
    """
    Items as SQL.

    @ivar constants: the parameters from C{?5} on.
    """

    def __init__(self, recent_from: int) -> None:
        self._recent_from = recent_from
        self.constants: list[bytes | str | int] = []

    def constant(self, content: bytes | str | int) -> str:
        """A parameter."""
        self.constants.append(content)
        return f"?{_FIRST_CONSTANT + len(self.constants) - 1}"

    def line(self, items: Iterable[Item]) -> str:
        """All items, one behind the other."""
        operands: list[str] = []
        for is_printable, run in groupby(items, _is_printable):
            if is_printable:
                operands.append(self._printf(run))
            else:
                operands += [self._octets(item) for item in run]
        return " || ".join(operands) or "''"

    def _printf(self, items: Iterable[Item]) -> str:
        form, arguments = "", []
        for item in items:
            if isinstance(item, bytes):
                form += item.decode("ascii").replace("%", "%%")
            elif item is Column.FLAGS and self._recent_from > 0:
                form += "%s"
                arguments.append(_RECENT.format(recent=self.constant(self._recent_from)))
            elif isinstance(item, Column):
                form += "%d" if item in _NUMBERS else "%s"
                arguments.append(_PRINTED[item])
        return f"printf({', '.join((self.constant(form), *arguments))})"

    def _octets(self, item: Item) -> str:
        return _OCTETS[item] if isinstance(item, Column) else self.constant(item)  # type: ignore[arg-type]


def _is_printable(item: Item) -> bool:
    """Whether printf can give it; octets that may have a NUL among them it cannot."""
    if isinstance(item, bytes):
        return item.isascii() and b"\0" not in item
    return item in _PRINTED


def _merged(template: LineTemplate) -> Iterator[Item]:
    """The items with neighbouring constants joined."""
    for is_constant, run in groupby(template.items, lambda item: isinstance(item, bytes)):
        if is_constant:
            yield b"".join(run)  # type: ignore[arg-type]
        else:
            yield from run


def _ends(items: tuple[Item, ...]) -> tuple[bytes, tuple[Item, ...], bytes]:
    """The constant that a line begins with, what is in the middle, and the constant that it ends with."""
    head = tail = b""
    if items and isinstance(items[0], bytes):
        head, items = items[0], items[1:]
    if items and isinstance(items[-1], bytes):
        tail, items = items[-1], items[:-1]
    return head, items, tail


def _expected(item: Item) -> int:
    """How many octets an item may have."""
    if isinstance(item, bytes):
        return len(item)
    return _EXPECTED.get(item, 8) if isinstance(item, Column) else _EXPECTED[Column.HEADER]


def _segments(items: tuple[Item, ...]) -> list[tuple[Item, ...]]:
    """What stands before, between and behind the extracts."""
    segments: list[tuple[Item, ...]] = [()]
    for item in items:
        if isinstance(item, Extract):
            segments.append(())
        else:
            segments[-1] += (item,)
    return segments


def _constant_or_items(segment: tuple[Item, ...]) -> bytes | tuple[Item, ...]:
    """The segment's octets when it is the same in all lines, else the segment."""
    if not segment:
        return b""
    return segment[0] if len(segment) == 1 and isinstance(segment[0], bytes) else segment


def _can_be_cut(item: Item) -> bool:
    """Whether an item may stand in a template with extracts: those are of headers, and nothing else has a NUL."""
    if isinstance(item, Extract):
        return item.locate is None
    return item is not Column.HEADER if isinstance(item, Column) else b"\0" not in item


def _statement(is_dense: bool, items: tuple[Item, ...], gathered: Iterable[tuple[str, str]]) -> str:
    tables, condition = FROM[is_dense]
    short = ["1"]
    if Column.FLAGS in items:
        short.append(f"length(slot.flags) <= {LONGEST_RENDERED}")
    if any(isinstance(item, Extract) or item in _OCTETS for item in items):
        tables += " CROSS JOIN email ON email.id = slot.email"
        short.append(f"email.rendered <= {LONGEST_RENDERED}")
    if any(isinstance(item, Extract) or item is Column.HEADER for item in items):
        tables += " CROSS JOIN body ON body.email = slot.email"
        short.append(f"email.header_length <= {LONGEST_RENDERED} AND body.header IS NOT NULL")
    is_short = " AND ".join(short)
    columns = [
        f"CAST(group_concat(CASE WHEN {is_short} THEN {line} END, {between}) AS BLOB)" for line, between in gathered
    ]
    gathering = ", ".join(columns).replace(_SEQ, PLACE[is_dense])
    return f"SELECT count(*), coalesce(sum({is_short}), 0), {gathering} FROM {tables} WHERE {condition}"
