"""
VAVAILABILITY: when somebody can be asked at all (RFC 7953).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from trekd.calendar.contentlines import TREE_LIMITS, Component, TreeLimits, parse
from trekd.calendar.objects import CalendarObject, calendar_object
from trekd.calendar.overlap import LETTERS, availability_span, is_within
from trekd.calendar.recurrence import instances
from trekd.calendar.spans import Span, clipped, merged, without
from trekd.calendar.times import Window, Zone
from trekd.calendar.timing import Timing, read_timing
from trekd.calendar.zones import ZoneTable
from trekd.errors import InvalidCalendar, InvalidCalendarObject, SyntaxFault


def read_availabilities(octets: bytes, limits: TreeLimits = TREE_LIMITS) -> tuple[CalendarObject, ...]:
    """
    Read a calendar-availability property: an iCalendar object of VAVAILABILITY components (RFC 7953 §7.2.4).

    @return: one object for each component.
    @raise InvalidCalendar: it is something else.
    @raise InvalidCalendarObject: a component breaks the rules of a calendar object.
    """
    try:
        calendar = parse(octets, limits)
    except SyntaxFault as fault:
        raise InvalidCalendar(str(fault)) from None
    zones = tuple(calendar.inside("VTIMEZONE"))
    found = [
        calendar_object(Component(calendar.name, calendar.properties, (*zones, each)), ("VAVAILABILITY",))
        for each in calendar.components
        if each.kind != "VTIMEZONE"
    ]
    if not found:
        raise InvalidCalendarObject("no VAVAILABILITY")
    return tuple(found)


def availability_spans(found: Iterable[CalendarObject], window: Window, floating: Zone) -> tuple[Span, ...]:
    """
    When somebody is busy by all their VAVAILABILITY, within a window that has both bounds (RFC 7953 §5).

    Each speaks for its time: busy (C{U} when its BUSYTYPE says nothing else) but where it is AVAILABLE; where several
    speak, the one with the highest PRIORITY is heard.

    @raise TooManyInstances: an AVAILABLE recurs too often in the window.
    """
    result: list[Span] = []
    timings = [(each, timing) for each in found if each.component == "VAVAILABILITY" for timing in each.timings]
    for each, timing in sorted(timings, key=lambda pair: -_rank(pair[1].component)):
        whole = availability_span(timing, floating)
        if not is_within(whole, window):
            continue
        spoken = clipped([(whole[0], whole[1], _letter(timing.component))], window)
        free = merged(_available(each, timing, window, floating))
        result = [*without(result, spoken), *without(spoken, free)]
    return tuple(sorted(result))


def _letter(component: Component) -> str:
    return LETTERS.get(component.value("BUSYTYPE").strip().upper() or "BUSY-UNAVAILABLE", "B")


def _rank(component: Component) -> int:
    """1 is heard first; 0 and no PRIORITY last (RFC 7953 §3.1)."""
    value = component.value("PRIORITY").strip()
    return (int(value) or 10) if value.isascii() and value.isdecimal() and len(value) < 3 else 10


def _available(found: CalendarObject, timing: Timing, window: Window, floating: Zone) -> Iterator[Span]:
    for each in available_objects(timing, found.zones):
        for instance in instances(each, window, floating):
            yield instance.start, instance.end, "F"


def available_objects(timing: Timing, zones: ZoneTable) -> Iterator[CalendarObject]:
    """
    The AVAILABLE components of a VAVAILABILITY, each with its overrides, as objects that recur by themselves.
    """
    if timing.kind != "VAVAILABILITY":
        return
    groups: dict[str, list[Timing]] = {}
    for number, inner in enumerate(timing.component.inside("AVAILABLE")):
        groups.setdefault(inner.value("UID").strip() or f"\n{number}", []).append(read_timing(inner, zones))
    for uid, timings in groups.items():
        masters = [each for each in timings if each.recurrence_id is None]
        overrides = tuple(each for each in timings if each.recurrence_id is not None)
        if not masters:
            yield CalendarObject(timing.component, "AVAILABLE", uid, zones, None, overrides)
        for master in masters:
            yield CalendarObject(timing.component, "AVAILABLE", uid, zones, master, overrides)
