"""
When alarms ring (RFC 5545 §3.6.6, §3.8.6).
"""

from __future__ import annotations

from dataclasses import dataclass

from trekd.calendar.contentlines import Component
from trekd.calendar.recurrence import Instance
from trekd.calendar.times import DAY, UTC, Duration, Moment, Window, read_duration, read_moment
from trekd.errors import InvalidCalendar

_MOST_REPEATS = 10_000


@dataclass(frozen=True, slots=True)
class Alarm:
    """
    A VALARM's times.

    @ivar instant: Unix seconds of an absolute TRIGGER; C{None} for one that follows each instance.
    @ivar offset: from the instance's start or end.
    @ivar from_end: RELATED=END.
    @ivar repeats: how often it rings once more.
    @ivar interval: seconds between two rings.
    """

    instant: int | None
    offset: Duration
    from_end: bool
    repeats: int
    interval: int

    def reach(self, window: Window) -> Window:
        """Where instances lie whose alarm may ring in a window: a day more than that on either side."""
        last = self.offset.days * DAY + self.offset.seconds + self.repeats * self.interval
        first = self.offset.days * DAY + self.offset.seconds
        return Window(
            None if window.start is None else window.start - last - DAY,
            None if window.end is None else window.end - first + DAY,
        )

    def rings_within(self, window: Window, each: Instance) -> bool:
        """Whether it rings for an instance in the window (RFC 4791 §9.9)."""
        ring = self.instant if self.instant is not None else self._first_ring(each)
        if window.start is not None and ring < window.start and self.repeats:
            skipped = -((ring - window.start) // self.interval)
            ring += min(skipped, self.repeats) * self.interval
        return (window.start is None or window.start <= ring) and (window.end is None or ring < window.end)

    def _first_ring(self, each: Instance) -> int:
        if each.moment is not None and not self.from_end:
            zone = each.moment.zone or UTC
            return self.offset.after(each.moment, zone) + each.start - each.moment.seconds(zone)
        base = each.end if self.from_end else each.start
        return base + self.offset.days * DAY + self.offset.seconds


def read_alarm(component: Component) -> Alarm | None:
    """A VALARM's times; C{None} when its TRIGGER makes no sense, for then it never rings."""
    trigger = component.first("TRIGGER")
    if trigger is None:
        return None
    repeats, interval = _repetition(component)
    try:
        if (trigger.parameter("VALUE") or "").upper() == "DATE-TIME" or trigger.value[:1].isdigit():
            moment: Moment = read_moment(trigger.value, UTC, "TRIGGER")
            return Alarm(moment.seconds(UTC), Duration(), False, repeats, interval)
        offset = read_duration(trigger.value, "TRIGGER")
    except InvalidCalendar:
        return None
    return Alarm(None, offset, (trigger.parameter("RELATED") or "").upper() == "END", repeats, interval)


def _repetition(component: Component) -> tuple[int, int]:
    """REPEAT and DURATION, which go together."""
    count, length = component.value("REPEAT").strip(), component.value("DURATION")
    if not (count.isascii() and count.isdecimal() and len(count) < 10 and length):
        return 0, 0
    try:
        duration = read_duration(length, "DURATION")
    except InvalidCalendar:
        return 0, 0
    return (min(int(count), _MOST_REPEATS), duration.days * DAY + duration.seconds) if duration.is_positive else (0, 0)
