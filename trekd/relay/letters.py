"""
A message as it leaves: looked through once before any server sees it, then read in pieces.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass

from trekd.errors import RemoteDeferred, RemoteRefused, Unavailable
from trekd.smtp.grammar.data import MessageCheck, MessageLimits
from trekd.store.interfaces import IMessageSource

PIECE = 32768
"""Octets that are read at once."""

_ANY = MessageLimits(octets=sys.maxsize, line=sys.maxsize)
_HEADER_END = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Letter:
    """
    A message and what a server must be able to do for it.

    @ivar size: octets on the way, the CRLF that its last line may lack included.
    @ivar eight_bit: it has octets beyond ASCII (RFC 6152 §3).
    @ivar utf8_header: its header has (RFC 6532 §3).
    """

    source: IMessageSource
    size: int
    eight_bit: bool
    utf8_header: bool

    async def pieces(self) -> AsyncIterator[bytes]:
        """
        The octets in order, the last line ended.

        @raise RemoteDeferred: it cannot be read now.
        """
        offset = 0
        while octets := await read_piece(self.source, offset):
            offset += len(octets)
            yield octets
        if offset < self.size:
            yield b"\r\n"


async def read_piece(source: IMessageSource, offset: int) -> bytes:
    """
    Read a piece.

    @return: empty at the end.
    @raise RemoteDeferred: it cannot be read now.
    """
    try:
        return await source.read(offset, PIECE)
    except Unavailable:
        raise RemoteDeferred("", "the message cannot be read now", "4.3.0") from None


async def look_through(source: IMessageSource) -> Letter:
    """
    See what a message needs, and that it hides no end of data: CR and LF in pairs only, and no NUL, which some servers
    skip (RFC 5321 §2.3.8, §4.1.1.4).

    @raise RemoteRefused: it cannot be sent as it is.
    @raise RemoteDeferred: it cannot be read now.
    """
    check = MessageCheck(_ANY)
    held, end, offset = b"", b"", 0
    in_header, eight_bit, utf8_header = True, False, False
    while piece := await read_piece(source, offset):
        offset += len(piece)
        octets = held + piece
        held = b"\r" if octets.endswith(b"\r") else b""
        octets = octets[: len(octets) - len(held)]
        if not check.admit(octets):
            break
        joined = end + octets
        if not octets.isascii():
            eight_bit = True
            utf8_header |= in_header and not joined.partition(_HEADER_END)[0].isascii()
        in_header = in_header and _HEADER_END not in joined
        end = joined[-3:]
    if check.fault is not None or held:
        raise RemoteRefused("", "the message has a line that does not end in CRLF, or a NUL", "5.6.0")
    missing = 0 if end.endswith(b"\r\n") or not offset else 2
    return Letter(source, offset + missing, eight_bit, utf8_header)
