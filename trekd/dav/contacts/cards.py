"""
What reports tell of cards: properties, and CARDDAV:address-data (RFC 6352 §10.4).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from trekd.calendar.contentlines import write
from trekd.calendar.vcard import Card, card_of, read_card
from trekd.calendar.vcardconversion import converted
from trekd.calendar.vcardfilters import part_of
from trekd.dav.contacts.books import contents_of, version_of
from trekd.dav.contacts.directory import DirectoryCard
from trekd.dav.contacts.requests import ADDRESS_ELEMENT, AddressWanted, Wanted
from trekd.dav.exchange import Exchange
from trekd.dav.nodes import CollectionNode
from trekd.dav.properties import Selection
from trekd.dav.xml.writing import escape, tags
from trekd.store.collections import ItemState

_INLINE = 128 * 1024
"""Octets of cards up to which they are written at once; more are in a thread."""
_ENTRIES = 100
"""Entries of the directory that are written together."""

_OPEN, _CLOSE = tags(ADDRESS_ELEMENT)
_OPENINGS = {
    "3.0": _OPEN,
    "4.0": _OPEN[:-1] + b' content-type="text/vcard" version="4.0">',
}
"""What is said of a card's form; 3.0 is taken for granted (RFC 6352 §10.4)."""


def address_element(octets: bytes, version: str, wanted: AddressWanted) -> bytes:
    """
    A card as an answer holds it.

    @param version: in which it is stored.
    """
    asked = wanted.version or version
    if asked != version or wanted.parts:
        octets = _as_wanted(read_card(octets), asked, wanted)
    return _OPENINGS[asked] + escape(octets.decode("utf-8", "replace")) + _CLOSE


def _as_wanted(card: Card, version: str, wanted: AddressWanted) -> bytes:
    tree = converted(card, version)
    return part_of(card_of(tree).tree, wanted.parts) if wanted.parts else write(tree)


def _elements(cards: Sequence[tuple[ItemState, bytes]], wanted: AddressWanted) -> list[bytes]:
    return [address_element(octets, version_of(state), wanted) for state, octets in cards]


async def told(
    exchange: Exchange, book: CollectionNode, states: Sequence[ItemState], wanted: Wanted
) -> AsyncIterator[bytes]:
    """C{DAV:response} of stored cards, in pieces."""
    selection = Selection(exchange, wanted.properties)
    if wanted.address is None:
        async for piece in selection.of_items(book, states):
            yield piece
        return
    is_changed = bool(wanted.address.parts or wanted.address.version)
    async for cards in contents_of(book.shelf, book, states):
        if is_changed or sum(state.size for state, _ in cards) > _INLINE:
            elements = await exchange.site.off_reactor(_elements, cards, wanted.address)
        else:
            elements = _elements(cards, wanted.address)
        async for piece in selection.of_items(book, [state for state, _ in cards], elements):
            yield piece


async def told_entries(exchange: Exchange, nodes: Sequence[DirectoryCard], wanted: Wanted) -> AsyncIterator[bytes]:
    """C{DAV:response} of entries of the directory, in pieces."""
    selection = Selection(exchange, wanted.properties)
    for start in range(0, len(nodes), _ENTRIES):
        part = nodes[start : start + _ENTRIES]
        elements = [b""] * len(part)
        if wanted.address is not None:
            elements = await exchange.site.off_reactor(_entry_elements, part, wanted.address)
        for node, card in zip(part, elements, strict=True):
            yield await selection.of(node, card)


def _entry_elements(nodes: Sequence[DirectoryCard], wanted: AddressWanted) -> list[bytes]:
    return [address_element(node.card.octets, "3.0", wanted) for node in nodes]
