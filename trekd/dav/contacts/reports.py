"""
The reports addressbook-query (RFC 6352 §8.6) and addressbook-multiget (RFC 6352 §8.7).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from urllib.parse import quote

from trekd.dav.contacts.books import is_book, is_card
from trekd.dav.contacts.cards import told, told_entries
from trekd.dav.contacts.directory import MOST_CARDS, DirectoryBook, DirectoryCard
from trekd.dav.contacts.requests import Query, Wanted, addressbook_multiget, addressbook_query
from trekd.dav.contacts.searching import search, verified
from trekd.dav.errors import ErrorAnswer
from trekd.dav.exchange import Answer, Exchange, xml_answer
from trekd.dav.methods.propfind import PREFER, applied
from trekd.dav.multistatus import status_response, streamed
from trekd.dav.nodes import CollectionNode, ItemNode, Node
from trekd.dav.paths import Location, read_reference
from trekd.dav.xml.names import dav
from trekd.dav.xml.reading import Element
from trekd.errors import SyntaxFault
from trekd.store.collections import ItemState

TRUNCATED = ErrorAnswer(507, dav("number-of-matches-within-limits"))

_SLICE = 500
"""Cards that are looked up at once."""
_URI_SIGNS = "%:/?#[]@!$&'()*+,;="
"""Of an href that is no address of ours, and is told as it came."""


def applies(exchange: Exchange, node: Node) -> bool:
    """Whether it is an address book or a card."""
    return is_book(node) or is_card(node) or isinstance(node, DirectoryBook)


async def query(exchange: Exchange, node: Node, root: Element) -> Answer:
    """
    Tell of the cards that fulfil a filter.

    @raise Fault: supported-filter, supported-collation or supported-address-data.
    """
    asked = addressbook_query(root)
    if isinstance(node, DirectoryBook):
        cards, is_truncated = ([], False) if exchange.depth == "0" else await _searched(exchange, node, asked)
        pieces = told_entries(exchange, cards, asked.wanted)
        return _answer(exchange, _with_truncation(pieces, node, is_truncated))
    book = _book(node)
    is_truncated = False
    if isinstance(node, ItemNode):
        found = await verified(exchange, book, [node.state], asked.filter)
        states = [node.state] if found else []
    elif exchange.depth == "0":
        # RFC 6352 §8.6: the book itself is no card.
        states = []
    else:
        states, is_truncated = await search(exchange, book, asked.filter, asked.limit)
    pieces = told(exchange, book, states, asked.wanted)
    return _answer(exchange, _with_truncation(pieces, node, is_truncated))


async def _searched(exchange: Exchange, node: DirectoryBook, asked: Query) -> tuple[list[DirectoryCard], bool]:
    return await node.search(exchange, asked.filter, asked.limit)


async def _with_truncation(pieces: AsyncIterator[bytes], node: Node, is_truncated: bool) -> AsyncIterator[bytes]:
    """RFC 6352 §8.6.2."""
    if is_truncated:
        yield status_response(node.path, 507, TRUNCATED)
    async for piece in pieces:
        yield piece


async def multiget(exchange: Exchange, node: Node, root: Element) -> Answer:
    """
    Tell of cards by their addresses, in the order asked for.

    @raise Fault: supported-address-data, or no card is named.
    """
    asked = addressbook_multiget(root)
    if isinstance(node, ItemNode) and not asked.references:
        pieces = told(exchange, node.collection, [node.state], asked.wanted)
    elif not asked.references:
        raise SyntaxFault("href")
    elif isinstance(node, DirectoryBook):
        pieces = _described(exchange, node, asked.references, asked.wanted)
    else:
        pieces = _named(exchange, _book(node), asked.references, asked.wanted)
    return _answer(exchange, pieces)


async def _named(
    exchange: Exchange, book: CollectionNode, references: Sequence[str], wanted: Wanted
) -> AsyncIterator[bytes]:
    """Cards by their hrefs; one that is not in the book is told as missing under the name it was asked by."""
    for start in range(0, len(references), _SLICE):
        named = {reference: member_name(exchange, book, reference) for reference in references[start : start + _SLICE]}
        names = tuple(dict.fromkeys(name for name in named.values() if name))
        there = {state.name: state for state in await book.shelf.items(book.state.id, names)}
        states: list[ItemState] = [there[name] for name in names if name in there]
        async for piece in told(exchange, book, states, wanted):
            yield piece
        missing = [reference for reference, name in named.items() if name not in there]
        yield b"".join(missing_response(exchange, reference) for reference in missing)


async def _described(
    exchange: Exchange, book: DirectoryBook, references: Sequence[str], wanted: Wanted
) -> AsyncIterator[bytes]:
    """Entries of the directory by their hrefs, with their pictures; each is a question to it."""
    for reference in references[:MOST_CARDS]:
        card = await book.described(exchange, member_name(exchange, book, reference))
        if card is None:
            yield missing_response(exchange, reference)
        else:
            async for piece in told_entries(exchange, [card], wanted):
                yield piece
    if len(references) > MOST_CARDS:
        yield status_response(book.path, 507, TRUNCATED)


def member_name(exchange: Exchange, book: Node, reference: str) -> str:
    """The name in a book that an href stands for; '' for what is elsewhere, or no href."""
    location = _location(exchange, reference)
    return location.name if location is not None and location.parent == book.location else ""


def missing_response(exchange: Exchange, reference: str) -> bytes:
    """What is said of an href that leads to no card of a book."""
    location = _location(exchange, reference)
    path = quote(reference, safe=_URI_SIGNS).encode() if location is None else location.path(False)
    return status_response(path, 404)


def _location(exchange: Exchange, reference: str) -> Location | None:
    try:
        return read_reference(reference, exchange.header("host"))
    except SyntaxFault:
        return None


def _book(node: Node) -> CollectionNode:
    found = node.collection if isinstance(node, ItemNode) else node
    assert isinstance(found, CollectionNode)
    return found


def _answer(exchange: Exchange, pieces: AsyncIterator[bytes]) -> Answer:
    return xml_answer(207, streamed(pieces), PREFER, *applied(exchange))
