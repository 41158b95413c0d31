"""
The zone in which dates and floating times are understood (RFC 4791 §5.2.2, §7.3, §9.8).
"""

from __future__ import annotations

from functools import lru_cache

from trekd.calendar.contentlines import parse
from trekd.calendar.times import UTC, Zone
from trekd.calendar.zones import ZoneTable, named_zone
from trekd.dav.calendars.limits import MOST_TIMEZONE
from trekd.dav.errors import Fault
from trekd.dav.nodes import CollectionNode, Node
from trekd.dav.xml import reading
from trekd.dav.xml.names import caldav
from trekd.errors import InvalidCalendar, SyntaxFault

CALENDAR_TIMEZONE = caldav("calendar-timezone")

_REMEMBERED = 256


def read_timezone(text: str) -> Zone:
    """
    An iCalendar object with one VTIMEZONE.

    @raise Fault: it is something else (RFC 4791 §5.2.2, valid-calendar-data).
    """
    try:
        return _zone(text)[1]
    except (SyntaxFault, InvalidCalendar):
        text = "This is no iCalendar object with one VTIMEZONE."
        raise Fault(403, caldav("valid-calendar-data"), text) from None


def zone_of(node: Node) -> Zone:
    """A collection's own zone, else UTC."""
    found = _kept_zone((node.dead_properties or {}).get(CALENDAR_TIMEZONE, ""))
    return UTC if found is None else found[1]


def zone_name_of(node: CollectionNode) -> str | None:
    """The name of a collection's own zone, where everybody knows it by that (RFC 7809 §5.2)."""
    found = _kept_zone(node.dead_properties.get(CALENDAR_TIMEZONE, ""))
    return None if found is None or named_zone(found[0]) is None else found[0]


def check_timezone(node: Node, element: reading.Element) -> None:
    """
    @raise Fault: a client may not set CALDAV:calendar-timezone to this.
    """
    read_timezone("".join(map(str, element.itertext())))


@lru_cache(_REMEMBERED)
def _kept_zone(serialised: str) -> tuple[str, Zone] | None:
    """
    Name and zone of a stored property.

    @param serialised: '' for none.
    """
    if not serialised:
        return None
    try:
        return _zone("".join(map(str, reading.parse(serialised.encode()).itertext())))
    except (SyntaxFault, InvalidCalendar):
        return None


def _zone(text: str) -> tuple[str, Zone]:
    """
    @raise SyntaxFault, InvalidCalendar: it is no zone.
    """
    if len(text) > MOST_TIMEZONE:
        raise InvalidCalendar("VTIMEZONE: too long")
    calendar = parse(text.strip().encode("utf-8", "replace"))
    zones = [each for each in calendar.components if each.kind == "VTIMEZONE"]
    if calendar.kind != "VCALENDAR" or len(zones) != 1 or len(calendar.components) != 1:
        raise InvalidCalendar("no VCALENDAR with one VTIMEZONE")
    tzid = zones[0].value("TZID")
    zone = ZoneTable(calendar).zone(tzid)
    if zone is None:
        raise InvalidCalendar("VTIMEZONE: no TZID")
    return tzid, zone
