"""
A message's octets on their way: readable in pieces, so that nobody needs a large message whole in memory.
"""

from __future__ import annotations

from collections.abc import Awaitable

from zope.interface import Attribute, Interface, implementer


class IMessageSource(Interface):
    """A complete message that can be read again and again, from any room."""

    size: int = Attribute("octets")

    def read(offset: int, length: int) -> Awaitable[bytes]:
        """
        A piece of the message, shorter than asked for only at its end.

        @param offset: octets to leave out.
        @param length: octets, at most.
        @raise StoreFull: some of the message could not be written.
        @raise StoreCorrupt: it is not there any more.
        """

    def octets() -> Awaitable[bytes]:
        """
        All of the message, in memory.

        @raise StoreFull: some of it could not be written.
        @raise StoreCorrupt: it is not there any more.
        """


class IMessageSink(IMessageSource):
    """
    Takes a message's octets as they arrive; small ones stay in memory, larger ones go to a file of the store.

    One sink can be appended to several mailboxes and accounts.  Whoever made it calls L{discard} in the end.
    """

    def write(octets: bytes) -> Awaitable[None] | None:
        """
        Add octets; never raises.

        @return: C{None}, or an awaitable: write nothing more until it is done.  A failure to write is
            kept and raised as C{StoreFull} by whoever uses the sink.
        """

    def discard() -> None:
        """Free memory and file; a second call does nothing."""


@implementer(IMessageSource)
class InMemory:
    """A message that is small, or in memory already."""

    def __init__(self, octets: bytes) -> None:
        self.size = len(octets)
        self._octets = octets

    async def read(self, offset: int, length: int) -> bytes:
        """See L{IMessageSource.read}."""
        return self._octets[offset : offset + length]

    async def octets(self) -> bytes:
        """See L{IMessageSource.octets}."""
        return self._octets
