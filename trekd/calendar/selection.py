"""
CALDAV:calendar-data in a request: which parts of an object are wanted (RFC 4791 §9.6).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from trekd.calendar.contentlines import Component, Property, split_values, write
from trekd.calendar.objects import CalendarObject
from trekd.calendar.overlap import is_within, span_of
from trekd.calendar.recurrence import BOUNDS, Bounds, Instance, instances, single
from trekd.calendar.times import (
    UTC,
    Moment,
    Window,
    Zone,
    date_value,
    local_value,
    read_period,
    utc_value,
    wall_clock,
    wall_seconds,
)
from trekd.calendar.timing import Timing, read_property_moment
from trekd.errors import InvalidCalendar, InvalidCalendarObject

_RECURRENCE = frozenset(("RRULE", "RDATE", "EXDATE", "EXRULE", "RECURRENCE-ID"))


@dataclass(frozen=True, slots=True)
class PropSelection:
    """
    CALDAV:prop (RFC 4791 §9.6.4).

    @ivar name: in upper case.
    @ivar no_value: name and parameters only.
    """

    name: str
    no_value: bool = False


@dataclass(frozen=True, slots=True)
class CompSelection:
    """
    CALDAV:comp (RFC 4791 §9.6.1).

    @ivar name: in upper case.
    @ivar props: C{None} is all of them.
    @ivar comps: C{None} is all of them, whole.
    """

    name: str
    props: tuple[PropSelection, ...] | None = None
    comps: tuple[CompSelection, ...] | None = None


@dataclass(frozen=True, slots=True)
class Selection:
    """
    What of each object a report returns.

    @ivar comp: for C{VCALENDAR}; C{None} is everything.
    @ivar expand: instances in this window instead of rules (RFC 4791 §9.6.5).
    @ivar limit_recurrence: overrides only where they matter to this window (RFC 4791 §9.6.6).
    @ivar limit_free_busy: FREEBUSY periods only in this window (RFC 4791 §9.6.7).
    """

    comp: CompSelection | None = None
    expand: Window | None = None
    limit_recurrence: Window | None = None
    limit_free_busy: Window | None = None

    @property
    def is_whole(self) -> bool:
        """Whether objects are wanted as they are stored."""
        return self == Selection()


def select(wanted: Selection, found: CalendarObject, floating: Zone = UTC, bounds: Bounds = BOUNDS) -> bytes:
    """
    The octets that are wanted of an object.

    @param floating: the zone of dates and of times without one.
    @raise TooManyInstances: there are more to expand than C{bounds} allow.
    """
    return write(selected(wanted, found, floating, bounds))


def selected(wanted: Selection, found: CalendarObject, floating: Zone = UTC, bounds: Bounds = BOUNDS) -> Component:
    """
    The same as a tree.

    @raise TooManyInstances: there are more to expand than C{bounds} allow.
    """
    calendar = found.calendar
    if wanted.expand is not None and found.component in ("VEVENT", "VTODO", "VJOURNAL"):
        start, end = wanted.expand.start, wanted.expand.end
        wide = Window(None if start is None else start - 1, None if end is None else end + 1)
        every = tuple(
            _expanded(each, found) for each in instances(found, wide, floating, bounds)
            if is_within(span_of(each), wanted.expand)
        )  # fmt: skip
        calendar = Component(calendar.name, calendar.properties, every)
    elif wanted.limit_recurrence is not None:
        calendar = _limited(found, wanted.limit_recurrence, floating)
    if wanted.limit_free_busy is not None:
        inner = tuple(_free_busy_limited(each, wanted.limit_free_busy) for each in calendar.components)
        calendar = replace(calendar, components=inner)
    return calendar if wanted.comp is None else _picked(wanted.comp, calendar)


# --- Parts ----------------------------------------------------------------------------------------


def _picked(wanted: CompSelection, component: Component) -> Component:
    properties, components = component.properties, component.components
    if wanted.props is not None:
        chosen = {each.name: each.no_value for each in wanted.props}
        named = ((each, chosen.get(each.name.upper())) for each in properties)
        properties = tuple(replace(each, value="") if bare else each for each, bare in named if bare is not None)
    if wanted.comps is not None:
        inner = {each.name: each for each in wanted.comps}
        components = tuple(_picked(inner[each.kind], each) for each in components if each.kind in inner)
    return Component(component.name, properties, components)


# --- Expanding ------------------------------------------------------------------------------------


def _expanded(each: Instance, found: CalendarObject) -> Component:
    """An instance as a component of its own, in UTC, without rules."""
    timing = each.timing
    properties = []
    for line in timing.component.properties:
        name = line.name.upper()
        if name == "DTSTART" and each.moment is not None:
            properties.append(_at(line, each.start, each.moment))
            if each.recurrence_id is not None:
                properties.append(_recurrence_id(each.recurrence_id))
        elif name in ("DTEND", "DUE") and timing.end is not None and each.moment is not None:
            properties.append(_end(line, each, timing.end))
        elif name not in _RECURRENCE:
            properties.append(_in_utc(line, found))
    return replace(timing.component, properties=tuple(properties))


def _recurrence_id(moment: Moment) -> Property:
    if moment.is_date:
        return Property("RECURRENCE-ID", date_value(moment.local), (("VALUE", ("DATE",)),))
    local = moment.zone is None
    return Property("RECURRENCE-ID", local_value(moment.local) if local else utc_value(moment.seconds(UTC)))


def _end(line: Property, each: Instance, end: Moment) -> Property:
    """DTEND or DUE of an instance; it is a date or floating when the start is."""
    if end.zone is not None:
        return _at(line, each.end, end)
    assert each.moment is not None
    if each.timing.start is not None and each.timing.start.zone is None:
        gone = wall_seconds(end.local) - wall_seconds(each.timing.start.local)
        return _at(line, each.end, end.at(wall_clock(wall_seconds(each.moment.local) + gone)))
    return line


def _at(line: Property, seconds: int, moment: Moment) -> Property:
    """A property at another time: a date stays one, a floating time stays floating, the rest is in UTC."""
    kept = tuple(each for each in line.parameters if each[0].upper() not in ("TZID", "VALUE"))
    if moment.is_date:
        return replace(line, value=date_value(moment.local), parameters=(*kept, ("VALUE", ("DATE",))))
    value = local_value(moment.local) if moment.zone is None else utc_value(seconds)
    return replace(line, value=value, parameters=kept)


def _in_utc(line: Property, found: CalendarObject) -> Property:
    """Any other property: when it names a zone, the time it tells in UTC (RFC 4791 §9.6.5)."""
    if not line.parameters or line.parameter("TZID") is None:
        return line
    try:
        moment = read_property_moment(line, found.zones)
    except (InvalidCalendar, InvalidCalendarObject):
        return line
    return _at(line, moment.seconds(UTC), moment)


# --- Limiting -------------------------------------------------------------------------------------


def _limited(found: CalendarObject, window: Window, floating: Zone) -> Component:
    """The object without overrides that change nothing in a window."""
    dropped = {
        id(each.component) for each in found.overrides if not _matters(each, found.master, window, floating)
    }
    kept = tuple(each for each in found.calendar.components if id(each) not in dropped)
    return replace(found.calendar, components=kept)


def _matters(override: Timing, master: Timing | None, window: Window, floating: Zone) -> bool:
    if is_within(span_of(single(override, floating)), window):
        return True
    original = override.recurrence_id
    if original is None:
        return True
    start = original.seconds(floating)
    if override.and_future:
        return window.end is None or start < window.end
    if master is None:
        return is_within((start, start, "F"), window)
    end = master.end_after(original, floating)
    return is_within(span_of(Instance(start, end, master, original, original)), window)


def _free_busy_limited(component: Component, window: Window) -> Component:
    if component.kind != "VFREEBUSY":
        return component
    return replace(component, properties=tuple(_periods_within(component, window)))


def _periods_within(component: Component, window: Window) -> Iterator[Property]:
    for each in component.properties:
        if each.name.upper() != "FREEBUSY":
            yield each
            continue
        kept = [
            value for value in split_values(each.value)
            if value.strip() and is_within((*read_period(value, None, "FREEBUSY").bounds(UTC), "B"), window)
        ]  # fmt: skip
        if kept:
            yield replace(each, value=",".join(kept))
