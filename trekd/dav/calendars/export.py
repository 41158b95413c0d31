"""
GET on a calendar: all of it as one C{.ics}, piece by piece.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from trekd.calendar.collection import Joiner
from trekd.calendar.contentlines import Property, escape
from trekd.dav.calendars.answers import Pair, batches, understood
from trekd.dav.calendars.storing import MEDIA_TYPE
from trekd.dav.exchange import Answer, Exchange
from trekd.dav.methods.whole import whole
from trekd.dav.nodes import CollectionNode
from trekd.dav.xml import reading
from trekd.dav.xml.names import apple_ical, dav

_SHOWN = (
    (dav("displayname"), "X-WR-CALNAME"),
    (apple_ical("calendar-color"), "X-APPLE-CALENDAR-COLOR"),
)


async def perform(exchange: Exchange, node: CollectionNode) -> Answer:
    """All objects of a calendar in one."""
    return whole(exchange, node, MEDIA_TYPE, lambda: _pieces(exchange, node))


async def _pieces(exchange: Exchange, node: CollectionNode) -> AsyncIterator[bytes]:
    joiner = Joiner()
    yield joiner.head((Property("PRODID", "-//TrekMail//EN"), *_properties(node)))
    for batch in batches(await node.shelf.items(node.state.id)):
        pairs = await node.shelf.contents(node.state.id, [state.name for state in batch])
        yield await exchange.site.off_reactor(_joined, joiner, pairs)
    yield joiner.tail


def _joined(joiner: Joiner, pairs: Sequence[Pair]) -> bytes:
    found = (understood(octets) for _, octets in pairs)
    return b"".join(joiner.inside(each.calendar) for each in found if each is not None)


def _properties(node: CollectionNode) -> list[Property]:
    """Name and colour, as programs write them."""
    found = []
    for name, line in _SHOWN:
        kept = node.dead_properties.get(name)
        text = reading.text(reading.parse(kept.encode())) if kept else ""
        if text:
            found.append(Property(line, escape(text)))
    return found
