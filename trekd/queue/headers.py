"""
The header of a message that is read in pieces.
"""

from __future__ import annotations

from trekd.mime.addresses import from_addresses
from trekd.mime.header import split_header
from trekd.store.interfaces import IMessageSource

FIRST = 16384
"""Octets looked at first; nearly every header ends within them."""

MAX_HEADER = 1024 * 1024
"""Octets read of a header; sessions take no longer ones."""


async def read_header(source: IMessageSource) -> bytes:
    """
    A message's header with its empty line; cut off where it is longer than L{MAX_HEADER}.

    @raise StoreFull: the message cannot be read.
    @raise StoreCorrupt: it is not there any more.
    """
    octets = await source.read(0, FIRST)
    while (length := split_header(octets)) == len(octets) < min(source.size, MAX_HEADER):
        more = await source.read(len(octets), 4 * len(octets))
        if not more:
            break
        octets += more
    return octets[: min(length, MAX_HEADER)]


def author_domain(header: bytes) -> str:
    """The domain of the author, in lower case; C{""} when the header does not name one domain."""
    domains = {address.rpartition("@")[2].lower().removesuffix(".") for address in from_addresses(header)}
    return domains.pop() if len(domains) == 1 else ""
