"""
SEARCH's keys, octets to a tree of values (RFC 3501 §9, search-key).

The keys are read with a stack of our own, so that no nesting reaches the interpreter's; it is as deep as
C{ParseOptions.max_nesting} at most.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from encodings.aliases import aliases
from typing import TypeAlias

from trekd.errors import BadCharset, LimitExceeded
from trekd.imap.grammar.search import (
    All,
    And,
    Arrived,
    BodyContains,
    Criterion,
    HasEmailId,
    HasFlag,
    HeaderContains,
    InSeqs,
    InUids,
    Larger,
    ModSeqFrom,
    Not,
    Or,
    Recent,
    Relation,
    Saved,
    Sent,
    Smaller,
    TextContains,
    Within,
)
from trekd.imap.grammar.tokens import Cursor
from trekd.values import ANSWERED, DELETED, DRAFT, FLAGGED, SEEN, Flag

DEFAULT_CODEC = "utf_8"
"""US-ASCII by RFC 3501 §6.4.4; clients that name none and send more mean this."""

MAX_STRINGS = 500
"""Strings sought by one SEARCH: each may mean that every message is read for it."""

_ENTRY_TYPES = frozenset({"PRIV", "SHARED", "ALL"})
_NO_TEXT = frozenset(
    {"base64_codec", "bz2_codec", "hex_codec", "quopri_codec", "rot_13", "uu_codec", "zlib_codec"}
)
_CODECS = {
    re.sub("[^a-z0-9]", "", name): codec
    for alias, codec in aliases.items()
    for name in (alias, codec)
    if codec not in _NO_TEXT
} | {"koi8u": "koi8_u"}
"""Charset names, letters and digits only, to codecs; C{codecs} itself would remember whatever it is asked."""


def charset_codec(name: bytes) -> str:
    """
    The codec for a charset's name.

    @raise BadCharset: there is none.
    """
    codec = _CODECS.get(re.sub("[^a-z0-9]", "", name.decode("latin-1").lower()))
    try:
        return codecs.lookup(codec or "").name
    except LookupError:
        raise BadCharset("charset") from None


_OBJECTID = re.compile(rb"[A-Za-z0-9_-]{1,255}")
"""objectid = 1*255(ALPHA / DIGIT / "_" / "-") (RFC 8474 §7)"""

# --- Keys without keys inside ---------------------------------------------------------------------

_Leaf: TypeAlias = Callable[[Cursor, str], Criterion]


def _needle(cursor: Cursor, codec: str) -> str:
    cursor.sp()
    octets = cursor.astring()
    try:
        return octets.decode(codec)
    except (UnicodeError, ValueError):
        cursor.fail("text in the charset named")


def _fixed(criterion: Criterion) -> _Leaf:
    return lambda cursor, codec: criterion


def _flag(flag: Flag) -> tuple[_Leaf, _Leaf]:
    return _fixed(HasFlag(flag)), _fixed(Not(HasFlag(flag)))


def _flag_keyword(cursor: Cursor) -> Flag:
    """flag-keyword = atom"""
    cursor.sp()
    flag = cursor.flag()
    if flag is None or not flag.is_keyword:
        cursor.fail("flag-keyword")
    return flag


def _keyword(cursor: Cursor, codec: str) -> Criterion:
    return HasFlag(_flag_keyword(cursor))


def _unkeyword(cursor: Cursor, codec: str) -> Criterion:
    return Not(HasFlag(_flag_keyword(cursor)))


def _header(cursor: Cursor, codec: str) -> Criterion:
    """"HEADER" SP header-fld-name SP astring"""
    cursor.sp()
    name = cursor.text().lower()
    return HeaderContains(name, _needle(cursor, codec))


def _field(name: str) -> _Leaf:
    return lambda cursor, codec: HeaderContains(name, _needle(cursor, codec))


def _arrived(relation: Relation) -> _Leaf:
    def read(cursor: Cursor, codec: str) -> Criterion:
        cursor.sp()
        return Arrived(relation, cursor.date())

    return read


def _sent(relation: Relation) -> _Leaf:
    def read(cursor: Cursor, codec: str) -> Criterion:
        cursor.sp()
        return Sent(relation, cursor.date())

    return read


def _saved(relation: Relation) -> _Leaf:
    def read(cursor: Cursor, codec: str) -> Criterion:
        cursor.sp()
        return Saved(relation, cursor.date())

    return read


def _seconds(cursor: Cursor) -> int:
    seconds = cursor.number64()
    if not seconds:
        cursor.fail("nz-number")
    return seconds


def _within(is_older: bool) -> _Leaf:
    def read(cursor: Cursor, codec: str) -> Criterion:
        """("OLDER" / "YOUNGER") SP nz-number (RFC 5032 §5)"""
        cursor.sp()
        return Within(_seconds(cursor), is_older)

    return read


def _emailid(cursor: Cursor, codec: str) -> Criterion:
    cursor.sp()
    return HasEmailId(cursor.match(_OBJECTID, "objectid")[0].decode("ascii"))


def _threadid(cursor: Cursor, codec: str) -> Criterion:
    """No message has one (RFC 8474 §5.2: NIL)."""
    cursor.sp()
    cursor.match(_OBJECTID, "objectid")
    return Not(All())


def _larger(cursor: Cursor, codec: str) -> Criterion:
    cursor.sp()
    return Larger(cursor.number64())


def _smaller(cursor: Cursor, codec: str) -> Criterion:
    cursor.sp()
    return Smaller(cursor.number64())


def _modseq(cursor: Cursor, codec: str) -> Criterion:
    """
    "MODSEQ" [SP entry-name SP entry-type-req] SP mod-sequence-valzer (RFC 7162 §7)

    One modification sequence counts for all that can change, so the entry named is of no matter (§3.1.5).
    """
    cursor.sp()
    if cursor.peek() == b'"':
        cursor.quoted()
        cursor.sp()
        cursor.choice(_ENTRY_TYPES, "entry-type-req")
        cursor.sp()
    return ModSeqFrom(cursor.number64())


def _uid(cursor: Cursor, codec: str) -> Criterion:
    cursor.sp()
    return InUids(cursor.messages())


_LEAVES: dict[str, _Leaf] = {
    "ALL": _fixed(All()),
    "BCC": _field("bcc"),
    "BEFORE": _arrived(Relation.BEFORE),
    "BODY": lambda cursor, codec: BodyContains(_needle(cursor, codec)),
    "CC": _field("cc"),
    "EMAILID": _emailid,
    "FROM": _field("from"),
    "HEADER": _header,
    "KEYWORD": _keyword,
    "LARGER": _larger,
    "MODSEQ": _modseq,
    "NEW": _fixed(And((Recent(), Not(HasFlag(SEEN))))),
    "OLD": _fixed(Not(Recent())),
    "OLDER": _within(True),
    "ON": _arrived(Relation.ON),
    "RECENT": _fixed(Recent()),
    "SAVEDATESUPPORTED": _fixed(All()),
    "SAVEDBEFORE": _saved(Relation.BEFORE),
    "SAVEDON": _saved(Relation.ON),
    "SAVEDSINCE": _saved(Relation.SINCE),
    "SENTBEFORE": _sent(Relation.BEFORE),
    "SENTON": _sent(Relation.ON),
    "SENTSINCE": _sent(Relation.SINCE),
    "SINCE": _arrived(Relation.SINCE),
    "SMALLER": _smaller,
    "SUBJECT": _field("subject"),
    "TEXT": lambda cursor, codec: TextContains(_needle(cursor, codec)),
    "THREADID": _threadid,
    "TO": _field("to"),
    "UID": _uid,
    "UNKEYWORD": _unkeyword,
    "YOUNGER": _within(False),
}
for _system in (ANSWERED, DELETED, DRAFT, FLAGGED, SEEN):
    _set, _unset = _flag(_system)
    _LEAVES[_system.text[1:].upper()] = _set
    _LEAVES["UN" + _system.text[1:].upper()] = _unset

_WORD = re.compile(rb"[A-Za-z]+(?=[ )]|\Z)")
_SET = re.compile(rb"[0-9*$]")


# --- Keys with keys inside ------------------------------------------------------------------------


@dataclass(slots=True)
class _Open:
    """
    A key that still lacks keys.

    @ivar missing: how many; C{None} for a list, which a parenthesis or the command's end closes.
    """

    make: Callable[[tuple[Criterion, ...]], Criterion]
    missing: int | None
    found: list[Criterion] = field(default_factory=list)


def search_keys(cursor: Cursor, codec: str) -> Criterion:
    """
    search-key *(SP search-key), to the command's end

    @param codec: what strings are decoded with; see L{charset_codec}.
    @raise LimitExceeded: nested too deep, or more than L{MAX_STRINGS} strings.
    """
    nest = [_Open(_all_of, None)]
    strings = 0
    while True:
        if len(nest) > cursor.options.max_nesting:
            raise LimitExceeded("nesting of search-keys")
        criterion = _search_key(cursor, codec, nest)
        if criterion is not None:
            strings += isinstance(criterion, HeaderContains | BodyContains | TextContains)
            if strings > MAX_STRINGS:
                raise LimitExceeded("number of strings sought")
            whole = _close(cursor, nest, criterion)
            if whole is not None:
                return whole


def _search_key(cursor: Cursor, codec: str, nest: list[_Open]) -> Criterion | None:
    """One key, C{None} when it has been opened in C{nest}."""
    if cursor.skip(b"("):
        nest.append(_Open(_all_of, None))
        return None
    if cursor.test(_SET):
        return InSeqs(cursor.messages())
    word = cursor.match(_WORD, "search-key")[0].decode("ascii").upper()
    if word == "OR":
        cursor.sp()
        top = nest[-1]
        if top.make is _any_of and top.missing is not None:
            top.missing += 1
        else:
            nest.append(_Open(_any_of, 2))
        return None
    if word == "NOT":
        cursor.sp()
        if nest[-1].make is _none_of:
            nest.pop()
        else:
            nest.append(_Open(_none_of, 1))
        return None
    leaf = _LEAVES.get(word)
    if leaf is None:
        cursor.fail("search-key")
    return leaf(cursor, codec)


def _close(cursor: Cursor, nest: list[_Open], criterion: Criterion) -> Criterion | None:
    """Put a complete key where it belongs and close what it completes.

    @return: the whole tree at the command's end.
    """
    while True:
        top = nest[-1]
        top.found.append(criterion)
        if top.missing is None:
            if len(nest) == 1 and cursor.at_end:
                return top.make(tuple(top.found))
            if len(nest) == 1 or not cursor.skip(b")"):
                cursor.sp()
                return None
        else:
            top.missing -= 1
            if top.missing:
                cursor.sp()
                return None
        nest.pop()
        criterion = top.make(tuple(top.found))


def _all_of(found: tuple[Criterion, ...]) -> Criterion:
    if len(found) == 1:
        return found[0]
    parts: list[Criterion] = []
    for each in found:
        parts.extend(each.criteria if isinstance(each, And) else (each,))
    return And(tuple(parts))


def _any_of(found: tuple[Criterion, ...]) -> Criterion:
    parts: list[Criterion] = []
    for each in found:
        parts.extend(each.criteria if isinstance(each, Or) else (each,))
    return Or(tuple(parts))


def _none_of(found: tuple[Criterion, ...]) -> Criterion:
    return found[0].criterion if isinstance(found[0], Not) else Not(found[0])
