"""
A message with another header than it arrived with, without a copy of its body.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from zope.interface import implementer

from trekd.mime.header import raw_fields
from trekd.store.interfaces import IMessageSource

_NAME = re.compile(r"[!-9;-~]{1,76}")
_UNFIT = re.compile(r"[\x00-\x1f\x7f]+")
MAX_VALUE = 900
"""Octets of the value of a field that somebody else wants added; a line may have 998 (RFC 5322 §2.1.1)."""


@implementer(IMessageSource)
class Amended:
    """A message that begins with other octets than it was received with."""

    def __init__(self, head: bytes, message: IMessageSource, skip: int) -> None:
        """
        @param head: what it begins with.
        @param skip: octets of C{message} that C{head} stands for.
        """
        self.size = len(head) + message.size - skip
        self._head = head
        self._message = message
        self._skip = skip

    async def read(self, offset: int, length: int) -> bytes:
        """See L{IMessageSource.read}."""
        piece = self._head[offset : offset + length]
        if len(piece) == length:
            return piece
        start = max(0, offset - len(self._head)) + self._skip
        return piece + await self._message.read(start, length - len(piece))

    async def octets(self) -> bytes:
        """See L{IMessageSource.octets}."""
        return self._head + (await self._message.octets())[self._skip :]


def amend(header: bytes, front: bytes, removed: Iterable[str], subject: str | None) -> bytes:
    """
    Change a header.

    @param header: whole, blank line included.
    @param front: fields to put in front, each with its CRLF.
    @param removed: names of fields to take out, in any letter case.
    @param subject: the Subject to have instead; C{None} leaves it.
    """
    unwanted = {name.lower().encode("ascii", "replace") for name in removed}
    if subject is not None:
        unwanted.add(b"subject")
        front += written([("Subject", subject)])
    kept = b"".join([raw for name, raw in raw_fields(header) if not name or name not in unwanted])
    return front + kept


def written(fields: Sequence[tuple[str, str]]) -> bytes:
    """
    Fields as octets, fit for a header whatever they hold; one whose name is none is left out (RFC 5322 §2.2).
    """
    parts = []
    for name, value in fields:
        if _NAME.fullmatch(name):
            text = _UNFIT.sub(" ", value).strip().encode()[:MAX_VALUE].decode(errors="ignore")
            parts.append(f"{name}: {text}\r\n".encode())
    return b"".join(parts)
