"""
Queries: in SQL as far as columns answer, the rest asked of one message at a time.
"""

from __future__ import annotations

import json
import time
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from trekd.errors import NoSuchMailbox, StoreCorrupt
from trekd.store.interfaces import (
    MailboxView,
    MessageReader,
)
from trekd.store.matching import FOLDED_FIELDS, Predicate, needs_octets, predicate
from trekd.store.sqlite import flags as flag_lists
from trekd.store.sqlite import mailboxes
from trekd.store.sqlite.database import Database, Value, value
from trekd.store.sqlite.paths import AccountFiles
from trekd.store.terms import (
    AllOf,
    AnyOf,
    BodyText,
    ChangedSince,
    Dated,
    DateKind,
    HasFlag,
    HasUID,
    HeaderText,
    Not,
    Size,
    Term,
)
from trekd.values import Flag

MOST_NODES = 100
"""A larger term is asked message by message: SQLite bounds the depth of an expression."""
AT_ONCE = 32
STEP_SECONDS = 0.05


class Search:
    """One search under way; L{step} is called in reader threads, one call at a time."""

    def __init__(self, view: MailboxView, query: Term, reader: MessageReader, files: AccountFiles) -> None:
        self._view = view
        self._files = files
        self._sql, self._parameters, rest = _compiled(query, reader)
        self._matches: Predicate | None = predicate(AllOf(rest), reader) if rest else None
        self._candidates: list[int] | None = None
        self._base = 0
        self.found: array[int] = array("I")

    def step(self, database: Database) -> bool:
        """
        Search on for a while.

        @return: whether that was all; then C{found} has the UIDs, ascending.
        """
        if self._candidates is None:
            self._candidates = self._narrowed(database)
        if self._matches is None:
            self.found = array("I", self._candidates)
            return True
        end = time.monotonic() + STEP_SECONDS
        while self._candidates and time.monotonic() < end:
            some, self._candidates = self._candidates[:AT_ONCE], self._candidates[AT_ONCE:]
            self.found.extend(self._matching(database, some, self._matches))
        return not self._candidates

    def _narrowed(self, database: Database) -> list[int]:
        """UIDs of the view's messages that the part in SQL matches."""
        if not self._view.uids:
            return []
        try:
            self._base = mailboxes.identified(database, self._view.mailbox).base
        except NoSuchMailbox:
            return []
        uids = value(
            database,
            "SELECT group_concat(key & 4294967295) FROM (SELECT slot.key AS key FROM slot CROSS JOIN email"
            f" ON email.id = slot.email WHERE slot.key BETWEEN ?1 + 1 AND ?1 + ?2 AND {self._sql} ORDER BY slot.key)",
            (self._base, self._view.uids[-1], *self._parameters),
        )
        return json.loads(f"[{uids or ''}]")  # type: ignore[no-any-return]

    def _matching(self, database: Database, uids: list[int], matches: Predicate) -> list[int]:
        rows = database.rows(
            "SELECT wanted.value, slot.flags, slot.modseq, slot.size, slot.internal_day, email.id, email.sent_day,"
            " email.parts, email.file, email.objectid, email.subject_key, email.from_key, email.to_key, email.cc_key,"
            " email.bcc_key FROM json_each(?1) AS wanted CROSS JOIN slot ON slot.key = ?2 + wanted.value"
            " CROSS JOIN email ON email.id = slot.email",
            (json.dumps(uids), self._base),
        )
        found = []
        for row in rows:
            message = _Candidate(database, self._files, row[10:], *row[:10])
            try:
                if matches(message):
                    found.append(message.uid)
            except _Expunged:
                pass
        return found


class _Expunged(Exception):
    """The message went while it was looked at."""


@dataclass(slots=True)
class _Candidate:
    """A message as L{matching <trekd.store.matching>} sees it."""

    _database: Database
    _files: AccountFiles
    keys: Sequence[str]
    uid: int
    flag_list: str
    modseq: int
    size: int
    internal_day: int
    email: int
    sent_date: int | None
    parts: bytes
    in_file: int
    objectid: str

    @property
    def flags(self) -> frozenset[Flag]:
        return flag_lists.parsed(self.flag_list)

    def folded_field(self, field: str) -> str:
        return self.keys[("subject", "from", "to", "cc", "bcc").index(field)]

    def header(self) -> bytes:
        header, _ = self._body("header, NULL")
        if header is not None:
            return header
        return self._file()[: value(self._database, "SELECT header_length FROM email WHERE id = ?", (self.email,))]

    def octets(self) -> bytes:
        if self.in_file:
            return self._file()
        header, text = self._body("header, text")
        return (header or b"") + (text or b"")

    def _body(self, columns: str) -> tuple[bytes | None, bytes | None]:
        rows = self._database.rows(f"SELECT {columns} FROM body WHERE email = ?", (self.email,))
        if not rows:
            raise _Expunged
        return rows[0]

    def _file(self) -> bytes:
        try:
            return self._files.body(self.objectid).read_bytes()
        except OSError as error:
            if value(self._database, "SELECT 1 FROM email WHERE id = ?", (self.email,)):
                raise StoreCorrupt(f"{self._files.body(self.objectid)}: {error.strerror}") from None
            raise _Expunged from None


def _compiled(query: Term, reader: MessageReader) -> tuple[str, list[Value], tuple[Term, ...]]:
    """
    A query in SQL, as far as that goes.

    @return: a condition whose parameters begin at C{?3}, its parameters, and the terms that are left: all of them must
        match too.
    """
    conditions, rest = ["1"], []
    compiler = _Compiler(reader)
    nodes = 0
    for term in _conjuncts(query):
        nodes += _nodes(term)
        if needs_octets(term) or nodes > MOST_NODES:
            rest.append(term)
        else:
            conditions.append(compiler.condition(term))
    return " AND ".join(conditions), compiler.parameters, tuple(rest)


def _conjuncts(query: Term) -> list[Term]:
    if not isinstance(query, AllOf):
        return [query]
    return [conjunct for term in query.terms for conjunct in _conjuncts(term)]


def _nodes(term: Term) -> int:
    match term:
        case Not(inner):
            return 1 + _nodes(inner)
        case AllOf(terms) | AnyOf(terms):
            return 1 + sum(map(_nodes, terms))
        case _:
            return 1


class _Compiler:
    """
    Terms that need no octets to SQL conditions that are 0 or 1, never NULL.

    @ivar parameters: from C{?3} on.
    """

    def __init__(self, reader: MessageReader) -> None:
        self._reader = reader
        self.parameters: list[Value] = []

    def condition(self, term: Term) -> str:
        """The term's condition."""
        match term:
            case Not(inner):
                return f"(NOT {self.condition(inner)})"
            case AllOf(terms):
                return "(" + " AND ".join(["1", *map(self.condition, terms)]) + ")"
            case AnyOf(terms):
                return "(" + " OR ".join(["0", *map(self.condition, terms)]) + ")"
            case HasFlag(flag):
                return self._flag(flag)
            case HasUID(uids):
                wanted = self._parameter(json.dumps(uids.tolist()))
                return f"(slot.key IN (SELECT ?1 + value FROM json_each({wanted})))"
            case Size(above, below):
                return self._between("slot.size", None if above is None else above + 1, below)
            case ChangedSince(modseq):
                return f"(slot.modseq > {self._parameter(_storable(modseq))})"
            case Dated(kind, since, before):
                column = "slot.internal_day" if kind is DateKind.INTERNAL else "email.sent_day"
                return self._between(column, since, before)
            case HeaderText(field, text) if field.lower() in FOLDED_FIELDS:
                needle = self._reader.fold(text).encode("utf-8", "replace").decode("utf-8")
                return f"(instr(email.{field.lower()}_key, {self._parameter(needle)}) > 0)"
            case BodyText() | HeaderText():
                return "1"  # BodyText of no text, which every message has
        raise AssertionError(term)

    def _flag(self, flag: Flag) -> str:
        bit = flag_lists.BITS.get(flag)
        if bit is not None:
            return f"((slot.bits & {bit}) != 0)"
        needle = self._parameter(f" {flag.text.lower()} ")
        return (
            f"((slot.bits & {flag_lists.KEYWORD_BIT}) != 0 AND"
            f" instr(lower(' ' || substr(slot.flags, 2, length(slot.flags) - 2) || ' '), {needle}) > 0)"
        )

    def _between(self, column: str, least: int | None, below: int | None) -> str:
        conditions = [f"{column} IS NOT NULL"]
        if least is not None:
            conditions.append(f"{column} >= {self._parameter(_storable(least))}")
        if below is not None:
            conditions.append(f"{column} < {self._parameter(_storable(below))}")
        return "(" + " AND ".join(conditions) + ")"

    def _parameter(self, content: Value) -> str:
        self.parameters.append(content)
        return f"?{2 + len(self.parameters)}"


def _storable(number: int) -> int:
    """C{number} within what SQLite can compare."""
    return max(-(2**62), min(2**62, number))
