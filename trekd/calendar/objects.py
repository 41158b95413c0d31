"""
Calendar object resources (RFC 4791 §4.1): one UID's components, with the zones they need.

Strict where the object would mean something else, or nothing, to another program; lenient where clients break rules
and nothing is in doubt: VERSION, PRODID and DTSTAMP may be missing, a VTIMEZONE as well when its TZID is known by
name, and an end before its start counts as the start.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from trekd.calendar.contentlines import TREE_LIMITS, Component, TreeLimits, parse
from trekd.calendar.times import UTC, Moment, Period
from trekd.calendar.timing import Timing, free_busy_periods, read_timing
from trekd.calendar.zones import ZoneTable
from trekd.errors import (
    DateTooEarly,
    DateTooLate,
    InvalidCalendar,
    InvalidCalendarObject,
    SyntaxFault,
    TooManyAttendees,
    TooManyInstances,
    UnsupportedComponent,
)

KINDS = ("VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VAVAILABILITY")
"""Components that can be a calendar object."""

_MOST_ZONES = 50
"""Of one calendar object; each may take some milliseconds to understand."""

_MOST_SEGMENTS = 100
"""Overrides with RANGE=THISANDFUTURE, each of which is expanded by itself."""


@dataclass(frozen=True, slots=True)
class ObjectLimits:
    """
    How large one calendar object may be.

    @ivar instances: RDATE, EXDATE and overridden components together; COUNT of a rule.
    @ivar attendees: ATTENDEE of one component.
    @ivar earliest: Unix seconds; no time may lie before it.
    @ivar latest: Unix seconds; every time has to lie before it.
    """

    tree: TreeLimits = TREE_LIMITS
    instances: int = 20_000
    attendees: int = 2_000
    earliest: int | None = None
    latest: int | None = None


OBJECT_LIMITS = ObjectLimits()
"""When nothing else is configured."""


@dataclass(frozen=True, slots=True)
class CalendarObject:
    """
    A calendar object resource, understood.

    @ivar calendar: the whole tree.
    @ivar component: the kind of its components, in upper case.
    @ivar master: C{None} when there are overridden instances only.
    @ivar overrides: components with RECURRENCE-ID, as sent.
    """

    calendar: Component
    component: str
    uid: str
    zones: ZoneTable
    master: Timing | None
    overrides: tuple[Timing, ...]

    @property
    def timings(self) -> tuple[Timing, ...]:
        """Master and overrides."""
        return (self.master, *self.overrides) if self.master else self.overrides


def read_calendar_object(
    octets: bytes, supported: Collection[str] = KINDS, limits: ObjectLimits = OBJECT_LIMITS
) -> CalendarObject:
    """
    Read what a client wants to store.

    @param supported: kinds of components that the collection takes, in upper case.
    @raise InvalidCalendar: valid-calendar-data.
    @raise InvalidCalendarObject: valid-calendar-object-resource.
    @raise UnsupportedComponent: supported-calendar-component.
    @raise TooManyInstances: max-instances.
    @raise TooManyAttendees: max-attendees-per-instance.
    @raise DateTooEarly: min-date-time.
    @raise DateTooLate: max-date-time.
    """
    try:
        calendar = parse(octets, limits.tree)
    except SyntaxFault as fault:
        raise InvalidCalendar(str(fault)) from None
    return calendar_object(calendar, supported, limits)


def calendar_object(
    calendar: Component, supported: Collection[str] = KINDS, limits: ObjectLimits = OBJECT_LIMITS
) -> CalendarObject:
    """
    The same of a tree.

    @raise CollectionRefused: any of those of L{read_calendar_object}.
    """
    kind, components = _components(calendar)
    if kind not in supported:
        raise UnsupportedComponent(kind)
    uid = _uid(components)
    _check_lists(components, limits)
    zones = ZoneTable(calendar)
    timings = [read_timing(each, zones) for each in components]
    masters = [each for each in timings if each.recurrence_id is None]
    if len(masters) > 1:
        raise InvalidCalendarObject(f"two {kind} without RECURRENCE-ID")
    found = CalendarObject(
        calendar, kind, uid, zones, masters[0] if masters else None,
        tuple(each for each in timings if each.recurrence_id is not None),
    )  # fmt: skip
    _check_required(found)
    _check_limits(found, limits)
    return found


def _components(calendar: Component) -> tuple[str, list[Component]]:
    """The components that are not zones, all of one kind."""
    if calendar.kind != "VCALENDAR":
        raise InvalidCalendar("no VCALENDAR")
    if calendar.value("VERSION").strip() not in ("", "2.0"):
        raise InvalidCalendar("VERSION: not 2.0")
    if calendar.value("CALSCALE").strip().upper() not in ("", "GREGORIAN"):
        raise InvalidCalendar("CALSCALE: not GREGORIAN")
    if calendar.first("METHOD"):
        raise InvalidCalendarObject("METHOD")
    components = [each for each in calendar.components if each.kind != "VTIMEZONE"]
    if len(calendar.components) - len(components) > _MOST_ZONES:
        raise InvalidCalendarObject("too many VTIMEZONE")
    kinds = {each.kind for each in components}
    known = [kind for kind in KINDS if kind in kinds]
    if not components:
        raise InvalidCalendarObject("no component")
    if len(known) > 1:
        raise InvalidCalendarObject(f"{known[0]} and {known[1]}")
    if not known:
        raise UnsupportedComponent(components[0].kind[:40])
    return known[0], [each for each in components if each.kind == known[0]]


def _uid(components: list[Component]) -> str:
    """The one UID of all components."""
    uids = {each.value("UID").strip() for each in components}
    if "" in uids:
        raise InvalidCalendarObject("no UID")
    if len(uids) > 1:
        raise InvalidCalendarObject("two UIDs")
    return uids.pop()


def _check_lists(components: list[Component], limits: ObjectLimits) -> None:
    """Lists of times that are too long are not read at all."""
    lines = (line for each in components for name in ("RDATE", "EXDATE") for line in each.every(name))
    if sum(line.value.count(",") + 1 for line in lines) > limits.instances:
        raise TooManyInstances(limits.instances)


def _check_required(found: CalendarObject) -> None:
    """What cannot be missing or twice, and values that only matter later."""
    seen: set[tuple[Moment, bool]] = set()
    for each in found.timings:
        if each.start is None and (found.component == "VEVENT" or each.component.first("RRULE")):
            raise InvalidCalendar(f"{found.component}: no DTSTART")
        if each.recurrence_id is not None:
            key = (each.recurrence_id, each.and_future)
            if key in seen:
                raise InvalidCalendarObject("two components with the same RECURRENCE-ID")
            seen.add(key)
    if found.component == "VFREEBUSY":
        for each in found.timings:
            for line in each.component.every("FREEBUSY"):
                list(free_busy_periods(line, "FREEBUSY"))
    if found.component == "VAVAILABILITY":
        for inner in (inner for each in found.timings for inner in each.component.inside("AVAILABLE")):
            if read_timing(inner, found.zones).start is None:
                raise InvalidCalendar("AVAILABLE: no DTSTART")


def _check_limits(found: CalendarObject, limits: ObjectLimits) -> None:
    explicit = len(found.overrides)
    for each in found.timings:
        attendees = sum(1 for _ in each.component.every("ATTENDEE"))
        if attendees > limits.attendees:
            raise TooManyAttendees(limits.attendees)
        explicit += len(each.added) + len(each.removed)
        if any(rule.count is not None and rule.count > limits.instances for rule in each.rules):
            raise TooManyInstances(limits.instances)
    if explicit > limits.instances or sum(each.and_future for each in found.overrides) > _MOST_SEGMENTS:
        raise TooManyInstances(limits.instances)
    if limits.earliest is None and limits.latest is None:
        return
    for moment in _moments(found):
        seconds = moment.seconds(UTC)
        if limits.earliest is not None and seconds < limits.earliest:
            raise DateTooEarly(limits.earliest)
        if limits.latest is not None and seconds >= limits.latest:
            raise DateTooLate(limits.latest)


def _moments(found: CalendarObject) -> Iterator[Moment]:
    """Every time that the object names."""
    for each in found.timings:
        named = (each.start, each.end, each.recurrence_id, *each.removed)
        yield from (moment for moment in named if moment is not None)
        yield from (moment.start if isinstance(moment, Period) else moment for moment in each.added)
