"""
The part index: where each part of a message lies, packed for storage; sections are cut without another parse.

One record per entity in preorder, the message itself first.  The only child of a C{message/rfc822} entity is
the message inside it, whose header begins where the entity's body begins.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from struct import error as StructError

from trekd.errors import StoreCorrupt

LEAF, TEXT, MULTIPART, MESSAGE = range(4)
"""Kinds of an entity; C{TEXT} is a leaf of type text, C{LEAF} any other."""

ENCODINGS = (b"7bit", b"8bit", b"binary", b"base64", b"quoted-printable")
"""Transfer encodings that have a number; every other counts as the first."""

_ENCODING_NUMBERS = {name: number for number, name in enumerate(ENCODINGS)}
_RECORD = Struct(">BBHIIIIB")
MAX_CHARSET = 40


@dataclass(frozen=True, slots=True)
class Part:
    """
    One entity of a message.

    @ivar kind: L{LEAF}, L{TEXT}, L{MULTIPART} or L{MESSAGE}.
    @ivar header: offset of its header in the message, in octets; likewise C{body} and C{end} for its body.
    @ivar lines: line ends in the body of a text or message, else 0.
    @ivar encoding: transfer encoding in lower case, one of L{ENCODINGS}.
    @ivar charset: as declared, in lower case, C{""} when it is not.
    """

    kind: int
    header: int
    body: int
    end: int
    lines: int
    encoding: bytes
    charset: str
    children: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Region:
    """An entity's octets: where its header begins, its body begins and its body ends."""

    header: int
    body: int
    end: int


def pack(kind: int, region: Region, children: int, lines: int, encoding: bytes, charset: str) -> bytes:
    """One record; C{encoding} is as its field spells it.  The records of the children follow it."""
    number = _ENCODING_NUMBERS.get(encoding.lower(), 0)
    label = charset.encode("utf-8", "replace") if charset else b""
    label = label if len(label) <= MAX_CHARSET else b""
    return _RECORD.pack(
        kind, number, children, region.header, region.body, region.end, lines, len(label)
    ) + label


def unpack(parts: bytes) -> Part:
    """
    Read an index.

    @return: the message itself, with all its parts.
    @raise StoreCorrupt: these octets are no index.
    """
    try:
        part, end = _unpack(parts, 0)
    except (StructError, IndexError, UnicodeDecodeError, RecursionError) as error:
        raise StoreCorrupt("part index") from error
    if end != len(parts):
        raise StoreCorrupt("part index")
    return part


def _unpack(parts: bytes, offset: int) -> tuple[Part, int]:
    kind, number, count, header, body, end, lines, length = _RECORD.unpack_from(parts, offset)
    offset += _RECORD.size
    charset = parts[offset : offset + length].decode("utf-8") if length else ""
    offset += length
    children = []
    for _ in range(count):
        child, offset = _unpack(parts, offset)
        children.append(child)
    return Part(kind, header, body, end, lines, ENCODINGS[number], charset, tuple(children)), offset
