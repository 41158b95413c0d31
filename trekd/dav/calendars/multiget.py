"""
The calendar-multiget report (RFC 4791 §7.9): any number of objects, as fast as the client takes them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from trekd.dav.calendars.answers import Answers, batches
from trekd.dav.calendars.query import holds_objects
from trekd.dav.calendars.requests import MultigetWanted, calendar_multiget, read_large
from trekd.dav.calendars.timezones import zone_of
from trekd.dav.exchange import Answer, Exchange, xml_answer
from trekd.dav.methods.propfind import PREFER, applied
from trekd.dav.multistatus import status_response, streamed
from trekd.dav.nodes import CollectionNode, Node, find, permitted
from trekd.dav.paths import Location, read_reference
from trekd.dav.xml.reading import Element
from trekd.errors import NotPermitted, SyntaxFault
from trekd.portal.access import Permission
from trekd.store.collections import ItemState

SLICE = 500
"""References that are looked up at once."""


async def perform(exchange: Exchange, node: Node, root: Element) -> Answer:
    """
    Give the objects that a client names.

    @raise Fault: the request breaks a precondition.
    """
    wanted = await read_large(exchange, calendar_multiget, root)
    return xml_answer(207, streamed(_pieces(exchange, node, wanted)), PREFER, *applied(exchange))


async def _pieces(exchange: Exchange, node: Node, wanted: MultigetWanted) -> AsyncIterator[bytes]:
    answers = Answers(exchange, wanted.items)
    for start in range(0, len(wanted.references), SLICE):
        groups: dict[Location, tuple[CollectionNode, list[str]]] = {}
        for reference in wanted.references[start : start + SLICE]:
            location = _location(exchange, node, reference)
            if location is None:
                yield status_response(_sent(reference), 404)
                continue
            found = await _collection(exchange, location)
            if isinstance(found, CollectionNode):
                groups.setdefault(location.parent, (found, []))[1].append(location.name)
            else:
                yield status_response(location.path(False), found)
        for collection, names in groups.values():
            async for piece in _group(answers, collection, tuple(dict.fromkeys(names))):
                yield piece


async def _group(answers: Answers, collection: CollectionNode, names: Sequence[str]) -> AsyncIterator[bytes]:
    """Items of one collection; those that are not there get a 404 of their own."""
    missing = dict.fromkeys(names)
    zone = zone_of(collection)
    states: Sequence[ItemState] = await collection.shelf.items(collection.state.id, names)
    for batch in batches(states):
        kept = await answers.read(collection, batch, zone) if answers.needs_octets else answers.bare(batch)
        for each in kept:
            missing.pop(each.state.name, None)
        async for piece in answers.written(collection, kept):
            yield piece
    yield b"".join(status_response(collection.location.child(name).path(False), 404) for name in missing)


def _location(exchange: Exchange, node: Node, reference: str) -> Location | None:
    """Where a reference leads, when that is inside what was asked."""
    try:
        location = read_reference(reference, exchange.header("host"))
    except SyntaxFault:
        return None
    if location is None or not location.segments or not location.is_within(node.location):
        return None
    return location


async def _collection(exchange: Exchange, location: Location) -> CollectionNode | int:
    """The collection in which an item is, or the status that tells why there is none."""
    try:
        parent = await find(exchange, location.parent)
    except NotPermitted:
        return 403
    if not isinstance(parent, CollectionNode) or not holds_objects(parent):
        return 404
    return parent if Permission.READ in await permitted(exchange, parent) else 403


def _sent(reference: str) -> bytes:
    """A reference that leads nowhere, as it was sent."""
    return reference.encode("ascii", "replace").replace(b"?", b"%3F")[:4096]
