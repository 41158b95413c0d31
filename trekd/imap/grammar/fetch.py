"""
What FETCH asks for (RFC 3501 §6.4.5), as values.

A L{FetchItem} is one of the attributes without arguments; a L{BodySection} is C{BODY[...]} in all its forms,
the C{RFC822} ones included, which differ only in their label.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import ClassVar, TypeAlias


class FetchItem(enum.Enum):
    """An attribute without arguments; the value is its label in the response."""

    FLAGS = b"FLAGS"
    UID = b"UID"
    INTERNALDATE = b"INTERNALDATE"
    RFC822_SIZE = b"RFC822.SIZE"
    ENVELOPE = b"ENVELOPE"
    BODYSTRUCTURE = b"BODYSTRUCTURE"
    BODY = b"BODY"
    """BODYSTRUCTURE without extension fields."""
    MODSEQ = b"MODSEQ"
    """Modification sequence (RFC 7162 §3.1.4.2)."""
    EMAILID = b"EMAILID"
    """Identifier of the message, shared by its copies (RFC 8474 §5.1)."""
    THREADID = b"THREADID"
    """Identifier of its thread (RFC 8474 §5.2)."""
    SAVEDATE = b"SAVEDATE"
    """When it came into this mailbox (RFC 8514 §4.2)."""


class SectionKind(enum.Enum):
    """Which octets of the message or part (RFC 3501 §9, section-text); the value is the spelling."""

    ALL = b""
    """The whole message, or the body of the part that C{path} names."""
    HEADER = b"HEADER"
    HEADER_FIELDS = b"HEADER.FIELDS"
    HEADER_FIELDS_NOT = b"HEADER.FIELDS.NOT"
    TEXT = b"TEXT"
    MIME = b"MIME"


@dataclass(frozen=True, slots=True)
class Partial:
    """
    The octets C{<origin.length>} of a section (RFC 3501 §6.4.5).

    @ivar origin: 0-based first octet; may lie past the end.
    @ivar length: at most so many octets, 1 or more.
    """

    origin: int
    length: int


@dataclass(frozen=True, slots=True)
class BodySection:
    """
    Some octets of a message: C{BODY[section]<partial>}, C{BODY.PEEK[...]}, C{RFC822} and its kin.

    @ivar path: part numbers, 1-based; empty for the message itself.
    @ivar kind: what of the part.
    @ivar fields: header field names for C{HEADER.FIELDS[.NOT]}, in the client's order and letter case.
    @ivar peek: whether C{\\Seen} stays as it is.
    @ivar partial: the range asked for, C{None} for everything.
    @ivar label: the octets that stand before the literal in the response, origin included, as
        C{BODY[HEADER.FIELDS (FROM TO)]<0>}.
    """

    path: tuple[int, ...]
    kind: SectionKind
    fields: tuple[str, ...]
    peek: bool
    partial: Partial | None
    label: bytes


@dataclass(frozen=True, slots=True)
class BinarySection:
    """
    A part without its transfer encoding: C{BINARY[section]<partial>}, C{BINARY.PEEK[...]} (RFC 3516 §4.2).

    @ivar path: as of L{BodySection}, likewise C{peek} and C{label}.
    @ivar partial: the range of the decoded octets asked for.
    """

    path: tuple[int, ...]
    peek: bool
    partial: Partial | None
    label: bytes


@dataclass(frozen=True, slots=True)
class BinarySize:
    """How long C{BINARY[section]} is: C{BINARY.SIZE[section]} (RFC 3516 §4.2)."""

    path: tuple[int, ...]
    label: bytes


@dataclass(frozen=True, slots=True)
class Preview:
    """
    The beginning of the text (RFC 8970 §3.1).

    @ivar lazy: only where it is known already (RFC 8970 §4.1).
    """

    label: ClassVar[bytes] = b"PREVIEW"
    lazy: bool


FetchAttribute: TypeAlias = FetchItem | BodySection | BinarySection | BinarySize | Preview

MACROS: dict[bytes, tuple[FetchAttribute, ...]] = {
    b"ALL": (FetchItem.FLAGS, FetchItem.INTERNALDATE, FetchItem.RFC822_SIZE, FetchItem.ENVELOPE),
    b"FAST": (FetchItem.FLAGS, FetchItem.INTERNALDATE, FetchItem.RFC822_SIZE),
    b"FULL": (
        FetchItem.FLAGS,
        FetchItem.INTERNALDATE,
        FetchItem.RFC822_SIZE,
        FetchItem.ENVELOPE,
        FetchItem.BODY,
    ),
}
"""RFC 3501 §6.4.5: a macro stands alone, not in parentheses."""
