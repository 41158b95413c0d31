"""
FETCH's attributes, octets to values (RFC 3501 §9, fetch-att).
"""

from __future__ import annotations

import re

from trekd.imap.grammar.fetch import (
    MACROS,
    BinarySection,
    BinarySize,
    BodySection,
    FetchAttribute,
    FetchItem,
    Partial,
    Preview,
    SectionKind,
)
from trekd.imap.grammar.tokens import Cursor
from trekd.imap.grammar.writing import astring

_NAME = re.compile(rb"[A-Za-z0-9.]+")
_SECTION = re.compile(
    rb"\[([1-9][0-9]{0,9}(?:\.[1-9][0-9]{0,9})*+|)(\.?)"
    rb"(HEADER\.FIELDS\.NOT|HEADER\.FIELDS|HEADER|TEXT|MIME|)(?=[ \]])",
    re.IGNORECASE,
)
"""section-spec = section-msgtext / (section-part ["." section-text])"""
_BINARY = re.compile(rb"\[([1-9][0-9]{0,9}(?:\.[1-9][0-9]{0,9})*+|)\]")
"""section-binary = "[" [section-part] "]" (RFC 3516 §7)"""
_LAZY = re.compile(rb" \(LAZY(?: LAZY)*+\)", re.IGNORECASE)
_PARTIAL = re.compile(rb"<([0-9]{1,19})\.([0-9]{1,19})>")
"""partial = "<" number64 "." nz-number64 ">" (RFC 9051 §9)"""
_FIELD_NAME = re.compile(rb"[!-9;-~]+")
"""field-name = 1*ftext, ftext = %d33-57 / %d59-126 (RFC 5322 §3.6.8)"""


def _whole(label: bytes, kind: SectionKind, peek: bool) -> BodySection:
    return BodySection((), kind, (), peek, None, label)


_NAMED: dict[bytes, FetchAttribute] = {
    **{item.value: item for item in FetchItem},
    b"RFC822": _whole(b"RFC822", SectionKind.ALL, False),
    b"RFC822.HEADER": _whole(b"RFC822.HEADER", SectionKind.HEADER, True),
    b"RFC822.TEXT": _whole(b"RFC822.TEXT", SectionKind.TEXT, False),
    # RFC 1730 §6.4.5, still seen on the wire (quirk rfc822-peek).
    b"RFC822.PEEK": _whole(b"RFC822", SectionKind.ALL, True),
    b"RFC822.TEXT.PEEK": _whole(b"RFC822.TEXT", SectionKind.TEXT, True),
}
_BINARIES = frozenset((b"BINARY", b"BINARY.PEEK", b"BINARY.SIZE"))
_SECTIONED = {b"BODY": False, b"BODY.PEEK": True}


def fetch_attributes(cursor: Cursor) -> tuple[FetchAttribute, ...]:
    """
    "ALL" / "FULL" / "FAST" / fetch-att / "(" fetch-att *(SP fetch-att) ")"

    @return: macros spelled out, repetitions left out.
    """
    if cursor.peek() == b"(":
        attributes = cursor.some_of(lambda: _fetch_att(cursor, cursor.match(_NAME, "fetch-att")[0].upper()))
        return tuple(dict.fromkeys(attributes))
    name = cursor.match(_NAME, "fetch-att")[0].upper()
    return MACROS.get(name) or (_fetch_att(cursor, name),)


def _fetch_att(cursor: Cursor, name: bytes) -> FetchAttribute:
    """One attribute, the cursor behind its name."""
    if name in _SECTIONED and cursor.peek() == b"[":
        return _body_section(cursor, _SECTIONED[name])
    if name in _BINARIES:
        return _binary(cursor, name)
    if name == b"PREVIEW":
        return _preview(cursor)
    attribute = _NAMED.get(name)
    if attribute is None:
        cursor.fail("fetch-att")
    return attribute


def _body_section(cursor: Cursor, peek: bool) -> BodySection:
    """("BODY" / "BODY.PEEK") section ["<" number "." nz-number ">"]"""
    found = cursor.match(_SECTION, "section")
    path = tuple(map(int, found[1].split(b"."))) if found[1] else ()
    kind = SectionKind(found[3].upper())
    if bool(found[2]) != (bool(path) and kind is not SectionKind.ALL):
        cursor.fail("section-spec")
    if kind is SectionKind.MIME and not path:
        cursor.fail("section-msgtext")
    fields: tuple[str, ...] = ()
    if kind in (SectionKind.HEADER_FIELDS, SectionKind.HEADER_FIELDS_NOT):
        cursor.sp()
        fields = cursor.some_of(lambda: _header_fld_name(cursor))
    cursor.expect(b"]")
    partial = _partial(cursor) if cursor.peek() == b"<" else None
    return BodySection(path, kind, fields, peek, partial, _label(path, kind, fields, partial))


def _binary(cursor: Cursor, name: bytes) -> BinarySection | BinarySize:
    """"BINARY" [".PEEK"] section-binary [partial] / "BINARY.SIZE" section-binary (RFC 3516 §7)"""
    found = cursor.match(_BINARY, "section-binary")
    path = tuple(map(int, found[1].split(b"."))) if found[1] else ()
    section = b"[" + b".".join(b"%d" % part for part in path) + b"]"
    if name == b"BINARY.SIZE":
        return BinarySize(path, name + section)
    partial = _partial(cursor) if cursor.peek() == b"<" else None
    origin = b"<%d>" % partial.origin if partial else b""
    return BinarySection(path, name == b"BINARY.PEEK", partial, b"BINARY" + section + origin)


def _preview(cursor: Cursor) -> Preview:
    """"PREVIEW" [SP "(" preview-mod *(SP preview-mod) ")"], preview-mod = "LAZY" (RFC 8970 §6)"""
    if not cursor.test(_LAZY):
        return Preview(lazy=False)
    cursor.match(_LAZY, "preview-mod")
    return Preview(lazy=True)


def _header_fld_name(cursor: Cursor) -> str:
    """header-fld-name = astring"""
    name = cursor.astring()
    if not _FIELD_NAME.fullmatch(name):
        cursor.fail("header-fld-name")
    return name.decode("ascii")


def _partial(cursor: Cursor) -> Partial:
    found = cursor.match(_PARTIAL, "partial")
    origin, length = int(found[1]), int(found[2])
    if length == 0 or max(origin, length) >= 1 << 63:
        cursor.fail("partial")
    return Partial(origin, length)


def _label(
    path: tuple[int, ...], kind: SectionKind, fields: tuple[str, ...], partial: Partial | None
) -> bytes:
    """The section as the response repeats it: only the origin of the range (RFC 3501 §7.4.2)."""
    spec = b".".join([*(b"%d" % part for part in path), *([kind.value] if kind.value else [])])
    if fields:
        spec += b" (" + b" ".join(map(astring, fields)) + b")"
    origin = b"<%d>" % partial.origin if partial else b""
    return b"BODY[" + spec + b"]" + origin
