"""
The digest of a body, read in pieces.

Small messages are done at once; the pieces of larger ones are worked on in a thread, so that nobody waits for them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from trekd.mailauth.canonical import RelaxedBody, SimpleBody
from trekd.store.interfaces import IMessageSource

PIECE = 65536
"""
Octets read and worked on at once.  It takes a millisecond or two, in which the interpreter does nothing else, thread
or not.
"""

AT_ONCE = 65536
"""Octets of a message that is not worth a thread."""

MAX_HEADER = 1 << 20
"""Octets of a header that is looked at; a longer one is no header."""

InThread = Callable[..., Awaitable[Any]]
"""Calls a function in a thread."""


class BodyDigest:
    """
    SHA-256 of the first octets of a canonical body.

    @ivar limit: how many; C{None} for all (C{l=}, RFC 6376 §3.5).
    @ivar size: octets of the whole canonical body so far.
    """

    def __init__(self, limit: int | None = None) -> None:
        self.limit = limit
        self.size = 0
        self._hash = hashlib.sha256()

    def update(self, octets: bytes) -> None:
        """The next octets."""
        if self.limit is None:
            self._hash.update(octets)
        elif self.size < self.limit:
            self._hash.update(octets[: self.limit - self.size])
        self.size += len(octets)

    def digest(self) -> bytes:
        """Of what was fed."""
        return self._hash.digest()


class Bodies:
    """
    One pass over a body for any number of digests.
    """

    def __init__(self, relaxed: Iterable[BodyDigest], simple: Iterable[BodyDigest] = ()) -> None:
        forms = ((RelaxedBody(), tuple(relaxed)), (SimpleBody(), tuple(simple)))
        self._forms = [(form, digests) for form, digests in forms if digests]

    def feed(self, octets: bytes) -> None:
        """The next octets of the body."""
        for form, digests in self._forms:
            for piece in form.feed(octets):
                for digest in digests:
                    digest.update(piece)

    def finish(self) -> None:
        """There are no more."""
        for form, digests in self._forms:
            for piece in form.finish():
                for digest in digests:
                    digest.update(piece)

    async def read(self, message: IMessageSource, offset: int, in_thread: InThread) -> None:
        """
        Read and take a message's body.

        @param offset: where it begins.
        @raise StoreFull: the message cannot be read.
        @raise StoreCorrupt: likewise.
        """
        is_small = message.size - offset <= AT_ONCE
        while offset < message.size:
            octets = await message.read(offset, PIECE)
            if not octets:
                break
            offset += len(octets)
            if is_small:
                self.feed(octets)
            else:
                await in_thread(self.feed, octets)
        self.finish()


async def read_header(message: IMessageSource) -> tuple[bytes, int]:
    """
    A message's header, its empty line left out, and where the body begins.

    @return: no header when it does not end within L{MAX_HEADER}: all is body then.
    @raise StoreFull: the message cannot be read.
    @raise StoreCorrupt: likewise.
    """
    held = bytearray()
    while len(held) < MAX_HEADER:
        octets = await message.read(len(held), AT_ONCE)
        if not octets:
            return bytes(held), len(held)
        searched = max(0, len(held) - 3)
        held += octets
        if held.startswith(b"\r\n"):
            return b"", 2
        end = held.find(b"\r\n\r\n", searched)
        if end >= 0:
            return bytes(held[: end + 2]), end + 4
    return b"", 0
