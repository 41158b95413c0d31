"""
Queries: in SQL as far as columns answer, the rest asked of one message at a time.
"""

from __future__ import annotations

import json
import time
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from trekd.errors import NoSuchMailbox, StoreCorrupt
from trekd.store.interfaces import (
    MailboxView,
    MessageReader,
)
from trekd.store.matching import FOLDED_FIELDS, Predicate, leaves, needs_octets, predicate
from trekd.store.sqlite import flags as flag_lists
from trekd.store.sqlite import mailboxes
from trekd.store.sqlite.database import Database, Value, value
from trekd.store.sqlite.paths import AccountFiles
from trekd.store.sqlite.sorting import ARRIVED
from trekd.store.sqlite.textindex import Answers
from trekd.store.terms import (
    Aged,
    AllOf,
    AnyOf,
    BodyText,
    ChangedSince,
    Dated,
    DateKind,
    HasEmailId,
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


Ask = Callable[[list[BodyText]], Answers]
"""What the index of the account's text knows of some terms; called in reader threads."""


_EPOCH = date(1970, 1, 1).toordinal()
_DAYS = {
    DateKind.INTERNAL: "slot.internal_day",
    DateKind.SENT: "email.sent_day",
    DateKind.SAVED: f"(slot.saved / 86400 + {_EPOCH})",
}


class Search:
    """
    One search under way; L{step} is called in reader threads, one call at a time.

    Text is sought in the index; messages that it does not know are asked themselves.

    @ivar asked_themselves: how many messages were looked at one by one for their text.
    """

    def __init__(self, view: MailboxView, query: Term, reader: MessageReader, files: AccountFiles, ask: Ask) -> None:
        self._view = view
        self._query = query
        self._reader = reader
        self._files = files
        self._ask = ask
        self._runs: list[_Run] | None = None
        self._base = 0
        self.asked_themselves = 0
        self.found: array[int] = array("I")

    def step(self, database: Database) -> bool:
        """
        Search on for a while.

        @return: whether that was all; then C{found} has the UIDs, ascending.
        """
        if self._runs is None:
            self._runs = self._narrowed(database)
        end = time.monotonic() + STEP_SECONDS
        while self._runs and time.monotonic() < end:
            run = self._runs[-1]
            if run.matches is None:
                self.found.extend(run.candidates)
                run.candidates = []
            some, run.candidates = run.candidates[:AT_ONCE], run.candidates[AT_ONCE:]
            if some and run.matches is not None:
                self.found.extend(self._matching(database, some, run.matches))
                self.asked_themselves += len(some)
            if not run.candidates:
                self._runs.pop()
        if not self._runs:
            self.found = array("I", sorted(self.found))
        return not self._runs

    def _narrowed(self, database: Database) -> list[_Run]:
        """
        The view's messages that the parts in SQL match: those that the index knows, and the others.

        The index is asked first: what it does not know then is there when the database is read.
        """
        if not self._view.uids:
            return []
        texts = list(dict.fromkeys(_texts(self._query)))
        answers = self._ask(texts) if texts else None
        try:
            self._base = mailboxes.identified(database, self._view.mailbox).base
        except NoSuchMailbox:
            return []
        if answers is None or not answers.found:
            return [self._run(database, _Compiler(self._reader))]
        known = _Compiler(self._reader, answers.found)
        known.require_known(answers)
        unknown = _Compiler(self._reader)
        unknown.require_unknown(answers)
        return [self._run(database, known), self._run(database, unknown)]

    def _run(self, database: Database, compiler: _Compiler) -> _Run:
        sql, rest = compiler.compiled(self._query)
        matches = predicate(AllOf(rest), self._reader) if rest else None
        return _Run(self._uids(database, sql, compiler.parameters), matches)

    def _uids(self, database: Database, sql: str, parameters: list[Value]) -> list[int]:
        uids = value(
            database,
            "SELECT group_concat(key & 4294967295) FROM (SELECT slot.key AS key FROM slot CROSS JOIN email"
            f" ON email.id = slot.email WHERE slot.key BETWEEN ?1 + 1 AND ?1 + ?2 AND {sql} ORDER BY slot.key)",
            (self._base, self._view.uids[-1], *parameters),
        )
        return json.loads(f"[{uids or ''}]")  # type: ignore[no-any-return]

    def _matching(self, database: Database, uids: list[int], matches: Predicate) -> list[int]:
        rows = database.rows(
            f"SELECT wanted.value, slot.flags, slot.modseq, slot.size, slot.internal_day, {ARRIVED},"
            f" {_DAYS[DateKind.SAVED]}, email.id, email.sent_day,"
            " email.parts, email.file, email.objectid, email.subject_key, email.from_key, email.to_key, email.cc_key,"
            " email.bcc_key FROM json_each(?1) AS wanted CROSS JOIN slot ON slot.key = ?2 + wanted.value"
            " CROSS JOIN email ON email.id = slot.email",
            (json.dumps(uids), self._base),
        )
        found = []
        for row in rows:
            message = _Candidate(database, self._files, row[12:], *row[:12])
            try:
                if matches(message):
                    found.append(message.uid)
            except _Expunged:
                pass
        return found


@dataclass(slots=True)
class _Run:
    """
    Messages still to be judged, by UID.

    @ivar matches: what has to be asked of each; C{None} for nothing.
    """

    candidates: list[int]
    matches: Predicate | None


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
    arrived: int
    saved_day: int
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


def _texts(query: Term) -> list[BodyText]:
    """The texts sought in bodies."""
    return [leaf for leaf in leaves(query) if isinstance(leaf, BodyText) and leaf.text]


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

    def __init__(self, reader: MessageReader, found: dict[BodyText, list[int]] | None = None) -> None:
        """@param found: the messages that have some texts, as row numbers."""
        self._reader = reader
        self._found = found or {}
        self._conditions = ["1"]
        self.parameters: list[Value] = []

    def require_known(self, answers: Answers) -> None:
        """Look only at messages that the index knows."""
        self._conditions.append(f"slot.email <= {self._parameter(answers.known)}")
        self._conditions.append(f"NOT {self._among(answers.partial)}")

    def require_unknown(self, answers: Answers) -> None:
        """Look only at the others."""
        self._conditions.append(f"(slot.email > {self._parameter(answers.known)} OR {self._among(answers.partial)})")

    def compiled(self, query: Term) -> tuple[str, tuple[Term, ...]]:
        """
        A query in SQL, as far as that goes.

        @return: a condition, and the terms that are left: all of them must match too.
        """
        conditions, rest = list(self._conditions), []
        nodes = 0
        for term in _conjuncts(query):
            nodes += _nodes(term)
            if nodes > MOST_NODES or any(needs_octets(leaf) and leaf not in self._found for leaf in leaves(term)):
                rest.append(term)
            else:
                conditions.append(self.condition(term))
        return " AND ".join(conditions), tuple(rest)

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
                return self._between(_DAYS[kind], since, before)
            case Aged(since, until):
                return self._between(ARRIVED, since, None if until is None else until + 1)
            case HasEmailId(objectid):
                return f"(email.objectid = {self._parameter(objectid)})"
            case HeaderText(field, text) if field.lower() in FOLDED_FIELDS:
                needle = self._reader.fold(text).encode("utf-8", "replace").decode("utf-8")
                return f"(instr(email.{field.lower()}_key, {self._parameter(needle)}) > 0)"
            case BodyText() if term in self._found:
                return self._among(self._found[term])
            case BodyText() | HeaderText():
                return "1"  # BodyText of no text, which every message has
        raise AssertionError(term)

    def _among(self, emails: Sequence[int]) -> str:
        """The message is one of these."""
        return f"(slot.email IN (SELECT value FROM json_each({self._parameter(json.dumps(list(emails)))})))"

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
