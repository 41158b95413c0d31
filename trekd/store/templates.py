"""
Listings of messages: what is asked of each, and the pieces that come (L{IAccountStore.list_messages
<trekd.store.interfaces.IAccountStore.list_messages>}).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum


class Column(Enum):
    """A stored value, rendered as it goes on the wire."""

    SEQ = "seq"
    UID = "uid"
    FLAGS = "flags"  # (\Seen $Forwarded), parentheses included
    INTERNALDATE = "internaldate"  # "17-Jul-1996 02:44:25 -0700", quotes included
    SIZE = "size"
    MODSEQ = "modseq"
    EMAILID = "emailid"  # the identifier that copies share
    SAVEDATE = "savedate"  # when it came into this mailbox, as INTERNALDATE, in UTC
    ENVELOPE = "envelope"
    BODYSTRUCTURE = "bodystructure"
    BODY = "body"
    PREVIEW = "preview"  # the beginning of its text, found out first where it is not known
    PREVIEW_LAZY = "preview lazy"  # the same, NIL where it is not known
    OCTETS = "octets"  # the whole message as a literal
    HEADER = "header"  # its header, blank line included, as a literal
    TEXT = "text"  # what follows the header, as a literal


class Form(Enum):
    """How the octets of an extract go on the wire."""

    LITERAL = "literal"
    BINARY = "binary"  # a literal, or a literal8 when there is a NUL in it (RFC 3516 §4.3)
    SIZE = "size"  # how many they are, 0 when there is no such part


@dataclass(frozen=True, slots=True)
class Extract:
    """
    Some of a message's octets, rendered as a literal, C{NIL} when there is no such part.

    @ivar locate: (parts, header length, size) to the range wanted, or C{None}; without it, the message's header.
    @ivar select: applied to the octets of the range (to pick header fields), if given.
    @ivar partial: (origin, length) in octets of what was selected (RFC 3501 §6.4.5); past the end is empty.
    @ivar decode: (parts, octets of the range) to the octets that the others are about, if given.  What it raises
        ends the listing before the message, and what was listed before may come or not.
    """

    locate: Callable[[bytes, int, int], tuple[int, int] | None] | None = None
    select: Callable[[bytes], bytes] | None = None
    partial: tuple[int, int] | None = None
    decode: Callable[[bytes, bytes], bytes] | None = None
    form: Form = Form.LITERAL


@dataclass(frozen=True, slots=True)
class LineTemplate:
    """
    One response per message: octets as they stand, columns and extracts filled in.

    Example: C{(b"* ", Column.SEQ, b" FETCH (UID ", Column.UID, b" FLAGS ", Column.FLAGS, b")\\r\\n")}.

    @ivar recent_from: messages from this UID on show C{\\Recent} among their flags; 0 for none.
    """

    items: tuple[bytes | Column | Extract, ...]
    recent_from: int = 0


@dataclass(frozen=True, slots=True)
class Listing:
    """
    A piece of a listing.

    @ivar octets: to be written as they are; a large message spans several pieces.
    @ivar messages: how many messages begin in this piece.
    """

    octets: bytes
    messages: int
