"""
Ranges of octets (RFC 9110 §14): which are asked for, and several of them in one answer.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from trekd.store.interfaces import IMessageSource

PIECE = 64 * 1024
"""Octets of a large item that are in memory at once."""
MOST_RANGES = 16
"""Ranges in one answer; who asks for more gets all (RFC 9110 §14.2)."""

_RANGE = re.compile(r"(\d{0,18})-(\d{0,18})")


@dataclass(frozen=True, slots=True)
class Span:
    """A part: from, to before, in octets."""

    start: int
    end: int

    def content_range(self, size: int) -> bytes:
        """The value of C{Content-Range}."""
        return b"bytes %d-%d/%d" % (self.start, self.end - 1, size)


def read_ranges(value: str, size: int) -> tuple[Span, ...] | None:
    """
    Read a C{Range} field.

    @param size: of the whole, in octets.
    @return: the parts that there are, in the order asked for; C{None}: the field says nothing that is obeyed, as with
        too many ranges, or with more octets than the whole has.
    """
    unit, _, listed = value.replace(" ", "").replace("\t", "").lower().partition("=")
    words = [word for word in listed.split(",") if word]
    if unit != "bytes" or not 0 < len(words) <= MOST_RANGES:
        return None
    spans = []
    for word in words:
        match = _RANGE.fullmatch(word)
        if match is None or match[1] == match[2] == "" or (match[1] and match[2] and int(match[2]) < int(match[1])):
            return None
        if match[1]:
            span = Span(int(match[1]), min(int(match[2]) + 1, size) if match[2] else size)
        else:
            span = Span(max(0, size - int(match[2])), size)
        if span.start < span.end:
            spans.append(span)
    if len(spans) > 1 and sum(span.end - span.start for span in spans) > size:
        return None
    return tuple(spans)


class Parts:
    """
    Several parts in one body (RFC 9110 §14.6).

    @ivar media_type: of the whole answer.
    @ivar size: octets of the body.
    """

    def __init__(self, source: IMessageSource, spans: Sequence[Span], size: int, media_type: bytes) -> None:
        """
        @param size: octets of the whole item.
        @param media_type: the item's.
        """
        boundary = secrets.token_hex(16).encode()
        self.media_type = b"multipart/byteranges; boundary=" + boundary
        self._source = source
        self._parts = [
            (
                b"\r\n--%b\r\nContent-Type: %b\r\nContent-Range: %b\r\n\r\n"
                % (boundary, media_type, span.content_range(size)),
                span,
            )
            for span in spans
        ]
        self._end = b"\r\n--" + boundary + b"--\r\n"
        self.size = len(self._end) + sum(len(head) + span.end - span.start for head, span in self._parts)

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body."""
        for head, span in self._parts:
            yield head
            async for piece in pieces(self._source, span):
                yield piece
        yield self._end


async def pieces(source: IMessageSource, span: Span) -> AsyncIterator[bytes]:
    """One part."""
    at = span.start
    while at < span.end:
        piece = await source.read(at, min(PIECE, span.end - at))
        if not piece:
            return
        at += len(piece)
        yield piece
