"""
Free-busy: many spans put together to one VFREEBUSY (RFC 4791 §7.10, RFC 5545 §3.6.4).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from trekd.calendar.contentlines import Component, Property, write
from trekd.calendar.objects import CalendarObject
from trekd.calendar.overlap import free_busy_spans
from trekd.calendar.recurrence import BOUNDS, Bounds, instances
from trekd.calendar.spans import Span, clipped, merged, without
from trekd.calendar.times import Window, Zone, utc_value

_TYPES = {"B": "BUSY", "T": "BUSY-TENTATIVE", "U": "BUSY-UNAVAILABLE"}


@dataclass(frozen=True, slots=True)
class FreeBusy:
    """
    What a VFREEBUSY says beside its periods.

    @ivar start: Unix seconds.
    @ivar end: Unix seconds, after the start.
    @ivar stamp: Unix seconds, for DTSTAMP.
    @ivar uid: C{""} for none.
    @ivar product: PRODID.
    @ivar method: of an answer to a request (RFC 5546 §3.3), C{""} for none.
    @ivar people: ORGANIZER and ATTENDEE, as they are to stand.
    """

    start: int
    end: int
    stamp: int
    uid: str = ""
    product: str = "-//TrekMail//EN"
    method: str = ""
    people: tuple[Property, ...] = ()


def busy_periods(spans: Iterable[Span], window: Window) -> tuple[Span, ...]:
    """
    The busy periods in a window, by start: each letter's merged; free ones and those of no length left out.
    """
    return tuple(merged(clipped((each for each in spans if each[2] in _TYPES), window)))


def with_availability(busy: Iterable[Span], unavailable: Iterable[Span]) -> tuple[Span, ...]:
    """
    Busy periods, and those of VAVAILABILITY where nothing else is (RFC 7953 §5).

    @param unavailable: from L{trekd.calendar.availability.availability_spans}.
    """
    taken = [*busy]
    return tuple(sorted([*taken, *without(unavailable, taken)]))


def object_spans(
    found: CalendarObject, window: Window, floating: Zone, bounds: Bounds = BOUNDS
) -> tuple[Span, ...]:
    """
    How one object counts in a window, for those that an index cannot tell about.

    @raise TooManyInstances: it takes place too often there.
    """
    if found.component == "VFREEBUSY":
        return tuple(clipped((span for each in found.timings for span in free_busy_spans(each)), window))
    if found.component != "VEVENT":
        return ()
    every = ((each.start, each.end, each.timing.letter) for each in instances(found, window, floating, bounds))
    return tuple(clipped(every, window))


def free_busy_calendar(about: FreeBusy, periods: Iterable[Span]) -> bytes:
    """
    A whole iCalendar object with one VFREEBUSY.

    @param periods: from L{busy_periods}; one FREEBUSY line for each.
    """
    properties = [Property("DTSTAMP", utc_value(about.stamp))]
    if about.uid:
        properties.append(Property("UID", about.uid))
    properties += [Property("DTSTART", utc_value(about.start)), Property("DTEND", utc_value(about.end)), *about.people]
    for start, end, letter in periods:
        period = f"{utc_value(start)}/{utc_value(end)}"
        properties.append(Property("FREEBUSY", period, (("FBTYPE", (_TYPES[letter],)),)))
    outer = [Property("VERSION", "2.0"), Property("PRODID", about.product)]
    if about.method:
        outer.append(Property("METHOD", about.method))
    return write(Component("VCALENDAR", tuple(outer), (Component("VFREEBUSY", tuple(properties)),)))
