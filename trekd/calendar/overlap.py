"""
When a component overlaps a time range (RFC 4791 §9.9), as half-open spans.

The tables there differ by component in which ends are part of it.  Times are whole seconds, so each row is the same
as one half-open span, widened by a second where an end counts: one test serves all kinds, in an index as here.
"""

from __future__ import annotations

from collections.abc import Iterator

from trekd.calendar.contentlines import Component
from trekd.calendar.objects import CalendarObject
from trekd.calendar.recurrence import Bounds, Instance, instances
from trekd.calendar.spans import Span
from trekd.calendar.times import ALWAYS, EARLIEST, LATEST, UTC, Window, Zone, read_moment
from trekd.calendar.timing import Timing, free_busy_periods
from trekd.errors import InvalidCalendar, TooManyInstances

SPAN_LIMIT = 400
"""Spans of one object that are kept."""

HORIZON = 150 * 366 * 86400
"""Seconds after an object's first time in which its spans lie: longer than anybody's birthdays."""

LETTERS = {"BUSY-TENTATIVE": "T", "BUSY-UNAVAILABLE": "U", "FREE": "F"}
"""FBTYPE and BUSYTYPE; everything else is C{B}."""


def is_within(span: Span, window: Window) -> bool:
    """Whether a span and a time range have a second in common; an instant is a second for this."""
    start, end = span[0], span[1]
    if window.end is not None and start >= window.end:
        return False
    return window.start is None or end > window.start or (start == end and start >= window.start)


def span_of(each: Instance) -> Span:
    """The span of one instance of a VEVENT, VTODO, VJOURNAL or VAVAILABILITY."""
    if each.timing.kind == "VTODO":
        return (*_to_do(each), "F")
    if each.timing.kind == "VJOURNAL" and each.moment is None:
        return (LATEST, EARLIEST, "F")
    return each.start, each.end, each.timing.letter


def spans(found: CalendarObject, floating: Zone, limit: int) -> tuple[tuple[Span, ...], int | None]:
    """
    The spans of an object by start, at most C{limit}, and from when on there may be more.
    """
    if found.component == "VFREEBUSY":
        every = sorted({span for timing in found.timings for span in free_busy_spans(timing)})
        return tuple(every[:limit]), every[limit][0] if len(every) > limit else None
    if found.component == "VAVAILABILITY":
        return tuple(sorted(availability_span(timing, floating) for timing in found.timings)), None
    kept: list[Span] = []
    open_from = None
    try:
        for each in instances(found, ALWAYS, floating, Bounds(limit + 1)):
            span = span_of(each)
            if len(kept) == limit or (kept and span[0] - kept[0][0] > HORIZON):
                open_from = span[0]
                break
            if span[0] <= span[1]:
                kept.append(span)
    except TooManyInstances:
        open_from = kept[-1][0] if kept else EARLIEST
    if open_from is not None and _is_uneven(found):
        open_from -= 86400
    return tuple(sorted(kept)), open_from


def _is_uneven(found: CalendarObject) -> bool:
    """Whether instances may come out of order where clocks change, or by widened spans."""
    master = found.master
    return found.component == "VTODO" or (master is not None and any(each.is_within_days for each in master.rules))


# --- VTODO ----------------------------------------------------------------------------------------


def _to_do(each: Instance) -> tuple[int, int]:
    """The rows of RFC 4791 §9.9 for VTODO."""
    timing = each.timing
    if each.moment is not None:
        start, end = each.start, each.end
        if timing.end is not None:
            return (start, end) if end > start else (start - 1, start + 1)
        if timing.duration is not None:
            return (start, end + 1) if end > start else (start - 1, start + 1)
        return start, start
    if timing.end is not None:
        return each.start - 1, each.start
    completed, created = _utc(timing.component, "COMPLETED"), _utc(timing.component, "CREATED")
    if completed is not None:
        return min(completed, _or(created, completed)) - 1, max(completed, _or(created, completed)) + 1
    return (created, LATEST) if created is not None else (EARLIEST, LATEST)


def _or(value: int | None, default: int) -> int:
    return default if value is None else value


def _utc(component: Component, name: str) -> int | None:
    """A property that is always in UTC; C{None} when it is missing or makes no sense."""
    value = component.value(name)
    try:
        return read_moment(value, UTC, name).seconds(UTC) if value else None
    except InvalidCalendar:
        return None


# --- VFREEBUSY and VAVAILABILITY ------------------------------------------------------------------


def free_busy_spans(timing: Timing) -> Iterator[Span]:
    """
    Periods of FREEBUSY with their letters; DTSTART to DTEND, its end included, as a free one.
    """
    if timing.start is not None and timing.end is not None:
        start, end = timing.start.seconds(UTC), timing.end.seconds(UTC) + 1
        yield start, max(start, end), "F"
    for line in timing.component.every("FREEBUSY"):
        letter = LETTERS.get((line.parameter("FBTYPE") or "").upper(), "B")
        for period in free_busy_periods(line, "FREEBUSY"):
            yield (*period.bounds(UTC), letter)


def availability_span(timing: Timing, floating: Zone) -> Span:
    """The time for which a VAVAILABILITY speaks: without bounds where it names none (RFC 7953 §3.1)."""
    start = timing.start.seconds(floating) if timing.start else EARLIEST
    end = LATEST
    if timing.end is not None:
        end = max(start, timing.end.seconds(floating))
    elif timing.start is not None and timing.duration is not None:
        end = timing.end_after(timing.start, floating)
    return start, end, "F"


