"""
The free-busy-query report (RFC 4791 §7.10), with VAVAILABILITY (RFC 7953 §5).
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from trekd.calendar.availability import availability_spans
from trekd.calendar.freebusy import FreeBusy, busy_periods, free_busy_calendar, object_spans, with_availability
from trekd.calendar.spans import Span
from trekd.calendar.times import Window, Zone
from trekd.dav.calendars.answers import Pair, batches, understood
from trekd.dav.calendars.limits import MOST_AVAILABILITY, MOST_SPANS
from trekd.dav.calendars.requests import free_busy_query
from trekd.dav.calendars.storing import MEDIA_TYPE, supported
from trekd.dav.calendars.timezones import zone_of
from trekd.dav.errors import Fault
from trekd.dav.exchange import Answer, Exchange
from trekd.dav.nodes import CollectionNode, HomeNode, Node, permitted
from trekd.dav.xml.names import dav
from trekd.dav.xml.reading import Element
from trekd.errors import TooManyInstances
from trekd.portal.access import Permission
from trekd.store import collections
from trekd.store.collections import CollectionKind


def applies(exchange: Exchange, node: Node) -> bool:
    """Calendars and homes are asked, never an object (RFC 4791 §7.10)."""
    if isinstance(node, HomeNode):
        return CollectionKind.CALENDAR in node.kinds
    return isinstance(node, CollectionNode) and node.state.kind is CollectionKind.CALENDAR


async def perform(exchange: Exchange, node: Node, root: Element) -> Answer:
    """
    Tell when the owner of a calendar is busy.

    Deviates from RFC 4791 §7.10: with any Depth a collection speaks for what is in it, since without that there is
    nothing to tell.

    @raise Fault: 404 for somebody who may not know; 507, too much happens in that time.
    """
    if Permission.SEE_BUSY not in await permitted(exchange, node):
        raise Fault(404, text="There is nothing at this address.")
    start, end = free_busy_query(root)
    window = Window(start, end)
    members = [node] if isinstance(node, CollectionNode) else await _own_calendars(exchange, node)
    busy: list[Span] = []
    unavailable: list[Span] = []
    for each in members:
        busy += await busy_spans(exchange, each, window)
        unavailable += await unavailable_spans(exchange, each, window)
    stamp = int(exchange.site.time_of_day())
    about = FreeBusy(start, end, stamp, str(uuid.uuid4()))
    octets = await exchange.site.off_reactor(_written, about, window, busy, unavailable)
    return Answer(200, octets, ((b"content-type", MEDIA_TYPE.encode()),))


async def _own_calendars(exchange: Exchange, node: Node) -> list[CollectionNode]:
    """Those of a home's owner; what others share with them is not their own time."""
    assert isinstance(node, HomeNode)
    collections = await node.collections(exchange, Permission.SEE_BUSY)
    return [each for each in collections if each.state.kind is CollectionKind.CALENDAR]


def _written(about: FreeBusy, window: Window, busy: Sequence[Span], unavailable: Sequence[Span]) -> bytes:
    spans = with_availability(busy_periods(busy, window), unavailable)
    return free_busy_calendar(about, busy_periods(spans, window))


async def busy_spans(exchange: Exchange, calendar: CollectionNode, window: Window) -> list[Span]:
    """
    When the events of a calendar take place; free ones are left out, overlapping ones are not put together.

    @raise Fault: 507, too much happens in that time.
    """
    stored = collections.Window(window.start, window.end)
    known, unsure = await calendar.shelf.busy(calendar.state.id, stored, MOST_SPANS)
    if len(known) == MOST_SPANS:
        raise _too_much()
    spans = [(each.start, each.end, each.letter) for each in known]
    states = await calendar.shelf.items(calendar.state.id, unsure) if unsure else ()
    for batch in batches(states):
        pairs = await calendar.shelf.contents(calendar.state.id, [state.name for state in batch])
        spans += await exchange.site.off_reactor(_object_spans, pairs, window, zone_of(calendar))
        if len(spans) > MOST_SPANS:
            raise _too_much()
    return spans


async def unavailable_spans(exchange: Exchange, calendar: CollectionNode, window: Window) -> list[Span]:
    """
    When the VAVAILABILITY components in a calendar let nobody in (RFC 7953 §5).

    @raise Fault: 507, they change too often in that time.
    """
    if "VAVAILABILITY" not in supported(calendar.state):
        return []
    stored = collections.Window(window.start, window.end)
    found = await calendar.shelf.overlapping(calendar.state.id, stored, "VAVAILABILITY")
    if sum(each.state.size for each in found) > MOST_AVAILABILITY:
        raise _too_much()
    pairs: list[Pair] = []
    for batch in batches(each.state for each in found):
        pairs += await calendar.shelf.contents(calendar.state.id, [state.name for state in batch])
    if not pairs:
        return []
    spans: list[Span] = await exchange.site.off_reactor(_availability_spans, pairs, window, zone_of(calendar))
    return spans


def _object_spans(pairs: Sequence[Pair], window: Window, zone: Zone) -> list[Span]:
    spans: list[Span] = []
    for _, octets in pairs:
        found = understood(octets)
        try:
            spans += () if found is None else object_spans(found, window, zone)
        except TooManyInstances:
            raise _too_much() from None
        if len(spans) > MOST_SPANS:
            raise _too_much()
    return spans


def _availability_spans(pairs: Sequence[Pair], window: Window, zone: Zone) -> list[Span]:
    found = [each for _, octets in pairs if (each := understood(octets)) is not None]
    try:
        return list(availability_spans(found, window, zone))
    except TooManyInstances:
        raise _too_much() from None


def _too_much() -> Fault:
    return Fault(507, dav("number-of-matches-within-limits"), "Too much happens in that time; ask for less.")
