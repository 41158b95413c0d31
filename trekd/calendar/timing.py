"""
When a component takes place: its properties of time, read once (RFC 5545 §3.6, §3.8.2, §3.8.5).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from trekd.calendar.contentlines import Component, Property, split_values
from trekd.calendar.rules import Rule, read_rule
from trekd.calendar.times import (
    Duration,
    Moment,
    Period,
    Zone,
    read_duration,
    read_moment,
    read_period,
    wall_clock,
    wall_seconds,
)
from trekd.calendar.zones import ZoneTable
from trekd.errors import InvalidCalendar, InvalidCalendarObject


@dataclass(frozen=True, slots=True)
class Timing:
    """
    A component and when it takes place.

    @ivar end: DTEND, of a VTODO its DUE.
    @ivar recurrence_id: C{None} in a master component.
    @ivar and_future: RANGE=THISANDFUTURE.
    @ivar added: RDATE; a L{Period} has an end of its own.
    @ivar removed: EXDATE.
    @ivar letter: how it counts for free-busy (RFC 4791 §7.10): only an opaque VEVENT takes time.
    """

    component: Component
    kind: str
    start: Moment | None = None
    end: Moment | None = None
    duration: Duration | None = None
    recurrence_id: Moment | None = None
    and_future: bool = False
    rules: tuple[Rule, ...] = ()
    added: tuple[Moment | Period, ...] = ()
    removed: tuple[Moment, ...] = ()
    letter: str = "F"

    @property
    def is_recurring(self) -> bool:
        """Whether it may take place more than once."""
        return bool(self.rules or self.added)

    @property
    def is_floating(self) -> bool:
        """Whether some of its times hang in no zone."""
        moments = (self.start, self.end, self.recurrence_id)
        return any(each is not None and each.zone is None for each in moments) or any(
            (each.start if isinstance(each, Period) else each).zone is None for each in self.added
        )

    def exact_length(self, floating: Zone) -> int | None:
        """
        Seconds that every occurrence lasts; C{None} when that depends on where clocks change.
        """
        if self.start is None or self.start.is_date:
            return None
        if self.end is not None:
            return max(0, self.end.seconds(floating) - self.start.seconds(floating))
        if self.duration is None:
            return 0
        return max(0, self.duration.seconds) if not self.duration.days else None

    def end_after(self, start: Moment, floating: Zone) -> int:
        """
        The instant at which an occurrence ends that starts then, not before its start.

        A DTEND or DUE gives all occurrences the same exact length, a DURATION the same nominal one (RFC 5545
        §3.8.5.3); a date lasts a day unless more is said (RFC 4791 §9.9), but a VTODO's end is its start.
        """
        begins = start.seconds(floating)
        if self.end is not None and self.start is not None:
            if start.is_date:
                days = (self.end.local.date() - self.start.local.date()).days
                if days <= 0 and self.kind == "VEVENT":
                    days = 1
                return max(begins, Duration(days).after(start, floating))
            return max(begins, begins + self.end.seconds(floating) - self.start.seconds(floating))
        if self.duration is not None:
            return max(begins, self.duration.after(start, floating))
        if start.is_date and self.kind != "VTODO":
            return Duration(1).after(start, floating)
        return begins

    def moved(self, start: Moment, by: int) -> Moment:
        """A moment so many seconds later on the wall clock."""
        return start.at(wall_clock(wall_seconds(start.local) + by))


def read_timing(component: Component, zones: ZoneTable) -> Timing:
    """
    Read the properties of time of a component.

    @raise InvalidCalendar: one of them has no valid value.
    @raise InvalidCalendarObject: a TZID that has no VTIMEZONE and is not known by its name.
    """
    found: dict[str, Property] = {}
    rules, added, removed = [], [], []
    for each in component.properties:
        name = each.name.upper()
        if name in _SINGLE:
            found.setdefault(name, each)
        elif name == "RRULE":
            rules.append(each.value)
        elif name == "RDATE":
            added.append(each)
        elif name == "EXDATE":
            removed.append(each)
    if len(rules) > _MOST_RULES:
        raise InvalidCalendar("RRULE: too many")
    moments = {name: _moment(found[name], zones) for name in _MOMENTS if name in found}
    start = moments.get("DTSTART")
    rid = found.get("RECURRENCE-ID")
    return Timing(
        component,
        kind := component.kind,
        start,
        moments.get("DUE" if kind == "VTODO" else "DTEND"),
        read_duration(found["DURATION"].value, "DURATION") if "DURATION" in found else None,
        moments.get("RECURRENCE-ID"),
        rid is not None and (rid.parameter("RANGE") or "").upper() == "THISANDFUTURE",
        tuple(read_rule(value, start) for value in rules) if start else (),
        tuple(moment for each in added for moment in _listed(each, zones)) if start else (),
        tuple(_dates(removed, zones)) if start else (),
        _letter(component) if kind == "VEVENT" else "F",
    )


def _letter(component: Component) -> str:
    status = component.value("STATUS").strip().upper()
    if status == "CANCELLED" or component.value("TRANSP").strip().upper() == "TRANSPARENT":
        return "F"
    return "T" if status == "TENTATIVE" else "B"


_MOMENTS = ("DTSTART", "DTEND", "DUE", "RECURRENCE-ID")
_SINGLE = frozenset((*_MOMENTS, "DURATION"))

_MOST_RULES = 20
"""Of one component; RFC 5545 §3.8.5.3 advises one."""


def read_property_moment(each: Property, zones: ZoneTable) -> Moment:
    """
    A property whose value is one DATE or DATE-TIME.

    @raise InvalidCalendar: it is none.
    @raise InvalidCalendarObject: its TZID is unknown.
    """
    return _moment(each, zones)


def zone_of(each: Property, zones: ZoneTable) -> Zone | None:
    """
    The zone that a property's TZID names, C{None} without one.

    @raise InvalidCalendar: its VTIMEZONE cannot be understood.
    @raise InvalidCalendarObject: it is unknown.
    """
    tzid = each.parameter("TZID")
    if not tzid:
        return None
    zone = zones.zone(tzid)
    if zone is None:
        raise InvalidCalendarObject(f"{each.name.upper()}: a TZID without VTIMEZONE")
    return zone


def _moment(each: Property, zones: ZoneTable) -> Moment:
    zone = zone_of(each, zones) if each.parameters else None
    return read_moment(each.value, zone, each.name.upper())


def _listed(each: Property, zones: ZoneTable) -> Iterator[Moment | Period]:
    zone, name = zone_of(each, zones), each.name.upper()
    for value in split_values(each.value):
        if value.strip():
            yield read_period(value, zone, name) if "/" in value else read_moment(value, zone, name)


def _dates(properties: list[Property], zones: ZoneTable) -> Iterator[Moment]:
    for each in properties:
        for found in _listed(each, zones):
            if isinstance(found, Period):
                raise InvalidCalendar("EXDATE: a period")
            yield found


def free_busy_periods(each: Property, name: str) -> Iterator[Period]:
    """
    The periods of a FREEBUSY property, in UTC.

    @raise InvalidCalendar: one is no period.
    """
    for value in split_values(each.value):
        if value.strip():
            yield read_period(value, None, name)


