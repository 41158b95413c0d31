"""
Address books as collections: what is taken, what GET gives (RFC 6352 §5, §6.3.2).
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator, Sequence

from trekd.calendar.contentlines import write
from trekd.calendar.vcard import Card, CardFacts, card_facts, read_card
from trekd.calendar.vcardconversion import converted
from trekd.dav.contacts.accepting import preferred_version
from trekd.dav.errors import Fault
from trekd.dav.exchange import Answer, Exchange
from trekd.dav.methods.get import validators
from trekd.dav.methods.whole import whole
from trekd.dav.nodes import CollectionNode, ItemNode, Node
from trekd.dav.xml.names import carddav
from trekd.store.collections import CollectionKind, ICollections, ItemState, NewItem
from trekd.store.interfaces import IMessageSource

UID_CONFLICT = carddav("no-uid-conflict")
CONVERSION = carddav("supported-address-data-conversion")

_TAKEN = frozenset(
    (
        "",
        "text/vcard",
        "text/x-vcard",
        "text/directory",
        "text/plain",
        "application/octet-stream",
        "application/x-www-form-urlencoded",
    )
)
"""What clients call a vCard, and what they say when they do not think of it."""

_INLINE = 16 * 1024
"""Octets of a card up to which it is read at once; larger ones are in a thread."""

_BATCH_ITEMS = 250
_BATCH_OCTETS = 512 * 1024
"""Of cards that are in memory at once, unless one alone is larger."""

_VERSION = re.compile(r";\s*version=([0-9.]+)")

_MEDIA_TYPES = {"3.0": "text/vcard; charset=utf-8", "4.0": "text/vcard; charset=utf-8; version=4.0"}
"""Programs that know nothing but 3.0 are spared the word."""


def is_book(node: Node) -> bool:
    """Whether it is a stored address book."""
    return isinstance(node, CollectionNode) and node.state.kind is CollectionKind.ADDRESS_BOOK


def is_card(node: Node) -> bool:
    """Whether it is a stored card."""
    return isinstance(node, ItemNode) and is_book(node.collection)


def version_of(state: ItemState) -> str:
    """The version in which a card is stored."""
    found = _VERSION.search(state.media_type)
    return found[1] if found else "3.0"


def media_type(version: str) -> str:
    """What GET says of a card."""
    return _MEDIA_TYPES[version]


# --- In -------------------------------------------------------------------------------------------


async def read_item(
    exchange: Exchange, collection: CollectionNode, name: str, content: bytes | IMessageSource
) -> NewItem:
    """
    See L{trekd.dav.tables.Reader}.

    @raise InvalidCard: valid-address-data.
    @raise UnsupportedCard: supported-address-data.
    """
    said = exchange.header("content-type").partition(";")[0].strip().lower()
    if said not in _TAKEN:
        raise Fault(415, carddav("supported-address-data"), "Contacts are vCards: text/vcard.")
    octets = content if isinstance(content, bytes) else await content.octets()
    if len(octets) <= _INLINE:
        card, facts = _understood(octets)
    else:
        card, facts = await exchange.site.off_reactor(_understood, octets)
    return NewItem(name, content, facts, media_type(card.version))


def _understood(octets: bytes) -> tuple[Card, CardFacts]:
    card = read_card(octets)
    return card, card_facts(card)


# --- Out ------------------------------------------------------------------------------------------


async def contents_of(
    shelf: ICollections, book: CollectionNode, states: Sequence[ItemState]
) -> AsyncIterator[tuple[tuple[ItemState, bytes], ...]]:
    """Cards with their octets, in order and as many at once as memory is meant for them; what went meanwhile is not."""
    for batch in _batches(states):
        yield await shelf.contents(book.state.id, batch)


def _batches(states: Sequence[ItemState]) -> Iterator[list[str]]:
    names: list[str] = []
    octets = 0
    for state in states:
        if names and (len(names) >= _BATCH_ITEMS or octets + state.size > _BATCH_OCTETS):
            yield names
            names, octets = [], 0
        names.append(state.name)
        octets += state.size
    if names:
        yield names


async def whole_book(exchange: Exchange, book: CollectionNode) -> Answer:
    """GET on an address book: all its cards, one after the other."""
    return whole(exchange, book, media_type("3.0"), lambda: _whole(book))


async def _whole(book: CollectionNode) -> AsyncIterator[bytes]:
    states = await book.shelf.items(book.state.id)
    async for cards in contents_of(book.shelf, book, states):
        yield b"".join(octets if octets.endswith(b"\n") else octets + b"\r\n" for _, octets in cards)


async def other_form(exchange: Exchange, node: ItemNode) -> Answer | None:
    """
    GET on a card in the version that the client would rather have (RFC 6352 §5.1.1); C{None}: as it was sent.

    The entity tag is that of the card as it is stored, which is what a change has to name.

    @raise Fault: the client takes no vCard at all.
    """
    version = preferred_version(exchange.header("accept"), version_of(node.state))
    if version is None:
        raise Fault(406, CONVERSION, "Contacts are given as text/vcard.")
    if version == version_of(node.state):
        return None
    found = await node.collection.shelf.contents(node.collection.state.id, (node.state.name,))
    if not found:
        return None
    state, octets = found[0]
    body: bytes = await exchange.site.off_reactor(in_version, octets, version)
    kept = tuple(pair for pair in validators(state) if pair[0] != b"accept-ranges")
    return Answer(200, body, (*kept, (b"content-type", media_type(version).encode()), (b"vary", b"Accept")))


def in_version(octets: bytes, version: str) -> bytes:
    """A stored card in a version."""
    return write(converted(read_card(octets), version))
