"""
The request bodies of RFC 4791 as values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from trekd.calendar.filters import CompFilter, ParamFilter, PropFilter, TextMatch
from trekd.calendar.objects import KINDS
from trekd.calendar.selection import CompSelection, PropSelection, Selection
from trekd.calendar.times import UTC, Window, Zone, read_moment
from trekd.dav.calendars.limits import EARLIEST, LIMITS, MOST_CONDITIONS, MOST_TEXT
from trekd.dav.calendars.timezones import read_timezone
from trekd.dav.errors import Fault
from trekd.dav.exchange import LARGE_XML, Exchange
from trekd.dav.xml.names import caldav, dav
from trekd.dav.xml.reading import Element, child, elements, names, text
from trekd.dav.xml.requests import PropertiesWanted, properties_wanted
from trekd.errors import InvalidCalendar, SyntaxFault

T = TypeVar("T")

CALENDAR_OCTETS = caldav("calendar-data")

_INSTANT = re.compile(r"[0-9]{8}T[0-9]{6}Z").fullmatch
_PROPERTY_FORMS = tuple(map(dav, ("prop", "allprop", "propname")))


@dataclass(frozen=True, slots=True)
class ItemsWanted:
    """
    What a report returns of each item.

    @ivar portion: of its octets; C{None}: none of them.
    """

    properties: PropertiesWanted
    portion: Selection | None


@dataclass(frozen=True, slots=True)
class QueryWanted:
    """
    A calendar-query (RFC 4791 §9.5).

    @ivar zone: of what has none; C{None} is the collection's.
    @ivar limit: items at most; C{None} for no limit.
    """

    items: ItemsWanted
    filter: CompFilter
    zone: Zone | None
    limit: int | None


@dataclass(frozen=True, slots=True)
class MultigetWanted:
    """A calendar-multiget (RFC 4791 §9.10): references as they were sent."""

    items: ItemsWanted
    references: tuple[str, ...]


async def read_large(exchange: Exchange, read: Callable[[Element], T], root: Element) -> T:
    """A request's body as a value, understood in a thread when it is large."""
    if exchange.body.size < LARGE_XML:
        return read(root)
    wanted: T = await exchange.site.off_reactor(read, root)
    return wanted


def calendar_query(root: Element) -> QueryWanted:
    """
    @raise Fault: the filter, the zone or what is wanted of the items is not as it should be.
    """
    wanted = child(root, caldav("filter"))
    conditions = [] if wanted is None else list(elements(wanted))
    if len(conditions) != 1 or conditions[0].tag != caldav("comp-filter"):
        raise _invalid("A filter holds one comp-filter.")
    if sum(1 for _ in conditions[0].iter()) > MOST_CONDITIONS:
        raise Fault(403, caldav("supported-filter"), f"A filter has at most {MOST_CONDITIONS} conditions.")
    zone = child(root, caldav("timezone"))
    return QueryWanted(
        items_wanted(root),
        _comp_filter(conditions[0], ""),
        None if zone is None else read_timezone(_whole_text(zone)),
        _limit(child(root, dav("limit"))),
    )


def calendar_multiget(root: Element) -> MultigetWanted:
    """
    @raise Fault: what is wanted of the items is not as it should be.
    """
    references = tuple(text(each) for each in root.findall(dav("href")))
    if not references:
        raise Fault(400, text="A calendar-multiget names what it asks for.")
    return MultigetWanted(items_wanted(root), references)


def free_busy_query(root: Element) -> tuple[int, int]:
    """
    The time that a free-busy-query is about (RFC 4791 §9.11), in Unix seconds.

    @raise Fault: it has no beginning, or no end.
    """
    element = child(root, caldav("time-range"))
    window = None if element is None else time_range(element)
    if window is None or window.start is None or window.end is None:
        raise Fault(400, text="A free-busy-query has a time-range with start and end.")
    return window.start, window.end


def items_wanted(root: Element) -> ItemsWanted:
    """
    C{prop}, C{allprop} or C{propname} in a report, or none of them.

    @raise Fault: see L{_selection}.
    """
    if all(child(root, form) is None for form in _PROPERTY_FORMS):
        return ItemsWanted(PropertiesWanted(), None)
    properties = properties_wanted(root)
    asked = None if (prop := child(root, dav("prop"))) is None else child(prop, CALENDAR_OCTETS)
    listed = tuple(name for name in properties.names if name != CALENDAR_OCTETS)
    kept = PropertiesWanted(listed, properties.is_all, properties.names_only)
    return ItemsWanted(kept, None if asked is None else _selection(asked))


# --- calendar-data --------------------------------------------------------------------------------


def _selection(element: Element) -> Selection:
    """
    CALDAV:calendar-data (RFC 4791 §9.6).

    @raise Fault: another media type, or parts that cannot be.
    """
    media_type, version = element.get("content-type", "text/calendar"), element.get("version", "2.0")
    if media_type.strip().lower() != "text/calendar" or version.strip() != "2.0":
        raise Fault(403, caldav("supported-calendar-data"), "Calendars are text/calendar, version 2.0.")
    if sum(1 for _ in element.iter()) > MOST_CONDITIONS:
        raise Fault(400, text=f"At most {MOST_CONDITIONS} parts are picked.")
    comp = child(element, caldav("comp"))
    expand, limited = child(element, caldav("expand")), child(element, caldav("limit-recurrence-set"))
    if expand is not None and limited is not None:
        raise Fault(400, text="Either expand or limit-recurrence-set.")
    if comp is not None and comp.get("name", "").upper() != "VCALENDAR":
        raise Fault(400, text="The outermost component is VCALENDAR.")
    return Selection(
        None if comp is None else _comp_selection(comp),
        _whole_range(expand),
        _whole_range(limited),
        _whole_range(child(element, caldav("limit-freebusy-set"))),
    )


def _comp_selection(element: Element) -> CompSelection:
    """CALDAV:comp (RFC 4791 §9.6.1); one with nothing in it is everything, as in the examples of §7.8."""
    inside = names(element)
    props = tuple(
        PropSelection(each.get("name", "").upper(), each.get("novalue", "no") == "yes")
        for each in element.findall(caldav("prop"))
    )
    comps = tuple(_comp_selection(each) for each in element.findall(caldav("comp")))
    is_bare = not inside
    return CompSelection(
        element.get("name", "").upper(),
        None if is_bare or caldav("allprop") in inside else props,
        None if is_bare or caldav("allcomp") in inside else comps,
    )


def _whole_range(element: Element | None) -> Window | None:
    """
    @raise Fault: one of its ends is missing.
    """
    if element is None:
        return None
    window = time_range(element)
    if window.start is None or window.end is None:
        raise Fault(400, text="This range has a start and an end.")
    return window


def time_range(element: Element) -> Window:
    """
    The start and end attributes (RFC 4791 §9.9).

    @raise Fault: they are no times in UTC, not in this order, both missing, or beyond what is stored.
    """
    start, end = _instant(element.get("start")), _instant(element.get("end"))
    if (start is None and end is None) or (start is not None and end is not None and start >= end):
        raise _invalid("A time range has a start before its end, or one of them.")
    return Window(start, end)


def _instant(value: str | None) -> int | None:
    if value is None:
        return None
    try:
        seconds = read_moment(value, UTC, "time-range").seconds(UTC) if _INSTANT(value.strip()) else None
    except InvalidCalendar:
        seconds = None
    if seconds is None:
        raise _invalid("Times of a time range are dates with UTC time.")
    if seconds < EARLIEST:
        raise Fault(403, caldav("min-date-time"), "The time range begins too early.")
    assert LIMITS.latest is not None and seconds < LIMITS.latest
    return seconds


# --- Filters --------------------------------------------------------------------------------------


def _invalid(sentence: str) -> Fault:
    return Fault(403, caldav("valid-filter"), sentence)


def _conditions(element: Element, *allowed: str) -> Iterator[tuple[str, Element]]:
    """
    The conditions inside one, by their local names; those of other namespaces are ignored.

    @raise Fault: one that cannot be there.
    """
    known = {caldav(local): local for local in allowed}
    is_alone = len(element) == 1
    for each in elements(element):
        name = str(each.tag)
        if name in known and (is_alone or known[name] != "is-not-defined"):
            yield known[name], each
        elif name.startswith(caldav("")):
            raise _invalid("This condition cannot be here.")


def _comp_filter(element: Element, outer: str) -> CompFilter:
    """
    CALDAV:comp-filter (RFC 4791 §9.7.1).

    @raise Fault: it cannot be.
    """
    name = element.get("name", "").upper()
    is_misplaced = (name in KINDS and outer != "VCALENDAR") or (name == "VCALENDAR") != (not outer)
    if not name or is_misplaced:
        raise _invalid("This component cannot be here.")
    found: dict[str, list[Element]] = {}
    for kind, each in _conditions(element, "is-not-defined", "time-range", "prop-filter", "comp-filter"):
        found.setdefault(kind, []).append(each)
    return CompFilter(
        name,
        "is-not-defined" in found,
        _one_range(found),
        tuple(map(_prop_filter, found.get("prop-filter", ()))),
        tuple(_comp_filter(each, name) for each in found.get("comp-filter", ())),
    )


def _prop_filter(element: Element) -> PropFilter:
    """CALDAV:prop-filter (RFC 4791 §9.7.2)."""
    found: dict[str, list[Element]] = {}
    for kind, each in _conditions(element, "is-not-defined", "time-range", "text-match", "param-filter"):
        found.setdefault(kind, []).append(each)
    if "time-range" in found and "text-match" in found:
        raise _invalid("Either time-range or text-match.")
    return PropFilter(
        _name(element),
        "is-not-defined" in found,
        _one_range(found),
        _one_match(found),
        tuple(map(_param_filter, found.get("param-filter", ()))),
    )


def _param_filter(element: Element) -> ParamFilter:
    """CALDAV:param-filter (RFC 4791 §9.7.3)."""
    found: dict[str, list[Element]] = {}
    for kind, each in _conditions(element, "is-not-defined", "text-match"):
        found.setdefault(kind, []).append(each)
    return ParamFilter(_name(element), "is-not-defined" in found, _one_match(found))


def _name(element: Element) -> str:
    name = element.get("name", "").upper()
    if not name:
        raise _invalid("A condition has a name.")
    return name


def _one_range(found: dict[str, list[Element]]) -> Window | None:
    ranges = found.get("time-range", [])
    if len(ranges) > 1:
        raise _invalid("One time-range.")
    return time_range(ranges[0]) if ranges else None


def _one_match(found: dict[str, list[Element]]) -> TextMatch | None:
    """CALDAV:text-match (RFC 4791 §9.7.5)."""
    matches = found.get("text-match", [])
    if len(matches) > 1:
        raise _invalid("One text-match.")
    if not matches:
        return None
    negate = matches[0].get("negate-condition", "no")
    if negate not in ("yes", "no"):
        raise _invalid("negate-condition is yes or no.")
    text = _whole_text(matches[0])
    if len(text) > MOST_TEXT:
        raise Fault(403, caldav("supported-filter"), f"At most {MOST_TEXT} characters are looked for.")
    return TextMatch(text, matches[0].get("collation", "i;ascii-casemap"), negate == "yes")


def _whole_text(element: Element) -> str:
    """Character data with the white space at its ends."""
    return "".join(map(str, element.itertext()))


def _limit(element: Element | None) -> int | None:
    """
    DAV:limit.

    @raise SyntaxFault: it is no positive number.
    """
    if element is None:
        return None
    number = text(child(element, dav("nresults")))
    if not (number.isascii() and number.isdecimal() and 0 < len(number) < 10 and int(number) > 0):
        raise SyntaxFault("nresults")
    return int(number)
