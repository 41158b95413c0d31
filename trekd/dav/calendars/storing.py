"""
What clients may store in a calendar (RFC 4791 §4.1, §5.3.2.1): one object, read once; its octets stay as they came.
"""

from __future__ import annotations

from collections.abc import Collection

from trekd.calendar.facts import ObjectFacts, calendar_facts
from trekd.calendar.objects import KINDS, read_calendar_object
from trekd.dav.calendars.limits import LIMITS, SMALL
from trekd.dav.errors import Fault
from trekd.dav.exchange import Exchange
from trekd.dav.nodes import CollectionNode
from trekd.dav.xml.names import caldav
from trekd.dav.xml.reading import Element, elements
from trekd.errors import UnsupportedComponent
from trekd.store.collections import CollectionState, ItemState, NewItem
from trekd.store.interfaces import IMessageSource

MEDIA_TYPE = "text/calendar; charset=utf-8"

_INSIDE = frozenset(("VTIMEZONE", "VALARM"))
"""Components that some clients list, though they are only parts of objects."""


def supported(state: CollectionState) -> tuple[str, ...]:
    """The kinds of components that a calendar takes, in capitals."""
    return state.components or KINDS


def read_object(octets: bytes, kinds: Collection[str]) -> ObjectFacts:
    """
    What there is to know of an object that is to be stored.

    @raise CollectionRefused: it cannot be (L{read_calendar_object}).
    """
    return calendar_facts(read_calendar_object(octets, kinds, LIMITS))


async def read_item(
    exchange: Exchange, collection: CollectionNode, name: str, content: bytes | IMessageSource
) -> NewItem:
    """See L{trekd.dav.tables.Reader}."""
    _require_media_type(exchange.header("content-type"))
    octets = content if isinstance(content, bytes) else await content.octets()
    kinds = supported(collection.state)
    if _is_cheap(octets):
        facts = read_object(octets, kinds)
    else:
        facts = await exchange.site.off_reactor(read_object, octets, kinds)
    return NewItem(name, content, facts, MEDIA_TYPE)


def _is_cheap(octets: bytes) -> bool:
    """Whether reading takes less than asking a thread: a small object that does not recur; its zones are known."""
    return len(octets) <= SMALL and b"RRULE" not in octets[max(0, octets.rfind(b"END:VTIMEZONE")) :]


def _require_media_type(value: str) -> None:
    """
    @raise Fault: it is something else than iCalendar 2.0 (RFC 4791 §5.3.2.1); nothing said is iCalendar.
    """
    media_type, _, parameters = value.lower().partition(";")
    fields = dict(each.strip().partition("=")[::2] for each in parameters.split(";"))
    if media_type.strip() not in ("", "text/calendar") or fields.get("version", "").strip('"') not in ("", "2.0"):
        raise Fault(415, caldav("supported-calendar-data"), "A calendar takes text/calendar, version 2.0.")


def require_fit(collection: CollectionNode, state: ItemState) -> None:
    """
    Whether an object of another calendar may be here.

    @raise UnsupportedComponent: it may not.
    """
    if state.component not in supported(collection.state):
        raise UnsupportedComponent(state.component)


def read_components(element: Element) -> tuple[str, ...]:
    """
    CALDAV:supported-calendar-component-set when a calendar is made (RFC 4791 §5.2.3).

    @raise Fault: a component that no calendar of ours takes, or none at all.
    """
    named = [each.get("name", "").upper() for each in elements(element) if each.tag == caldav("comp")]
    kinds = tuple(dict.fromkeys(name for name in named if name not in _INSIDE))
    if not kinds or any(kind not in KINDS for kind in kinds):
        raise Fault(403, caldav("supported-calendar-component"), "Calendars do not take such entries.")
    return kinds
