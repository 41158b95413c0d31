"""
Values of time: DATE, DATE-TIME, DURATION and PERIOD (RFC 5545 §3.3.4 to §3.3.9).

Instants are Unix seconds, C{int}; wall-clock times are naive C{datetime}.  A L{Moment} is what a property says: a
wall clock, and in which zone it hangs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from trekd.errors import InvalidCalendar

DAY = 86400
"""Seconds."""

EARLIEST = -62135596800
"""The first second of year 1."""

LATEST = 253402300799
"""The last second of year 9999."""

_EPOCH = datetime(1970, 1, 1)


class Zone(Protocol):
    """How the wall clocks of a place hang together with instants."""

    @property
    def name(self) -> str:
        """What the TZID says, or C{UTC}."""

    def seconds(self, local: datetime) -> int:
        """
        The instant at which a clock shows this; one that never shows it is taken as before the change of its
        offset, one that shows it twice the first time (RFC 5545 §3.3.5).
        """

    def local(self, seconds: int) -> datetime:
        """What a clock shows at an instant, naive; at the ends of the calendar the last time it can show."""


@dataclass(frozen=True, slots=True)
class Window:
    """A range of time: Unix seconds, half-open; C{None} is no bound."""

    start: int | None = None
    end: int | None = None


ALWAYS = Window()
"""No bounds."""


def wall_seconds(local: datetime) -> int:
    """Seconds from 1970 to a wall-clock time as if there were no zones."""
    gone = local - _EPOCH
    return gone.days * DAY + gone.seconds


def wall_clock(seconds: int) -> datetime:
    """The inverse of L{wall_seconds}, kept within the years 1 to 9999."""
    return _EPOCH + timedelta(seconds=min(max(seconds, EARLIEST), LATEST))


@dataclass(frozen=True, slots=True)
class FixedZone:
    """
    A zone whose clocks never change.

    @ivar offset: seconds east of UTC.
    """

    name: str = "UTC"
    offset: int = 0

    def seconds(self, local: datetime) -> int:
        """As L{Zone.seconds}."""
        return wall_seconds(local) - self.offset

    def local(self, seconds: int) -> datetime:
        """As L{Zone.local}."""
        return wall_clock(seconds + self.offset)


UTC: Zone = FixedZone()


@dataclass(frozen=True, slots=True)
class Moment:
    """
    A DATE or DATE-TIME.

    @ivar local: the wall clock; midnight for a date.
    @ivar zone: C{None} for a floating time and for a date (RFC 4791 §7.3).
    """

    local: datetime
    zone: Zone | None = None
    is_date: bool = False

    def seconds(self, floating: Zone) -> int:
        """
        The instant.

        @param floating: the zone of what has none.
        """
        return (self.zone or floating).seconds(self.local)

    def at(self, local: datetime) -> Moment:
        """Another time of the same kind and zone."""
        return Moment(local, self.zone, self.is_date)

    @property
    def value(self) -> str:
        """As a property has it, without its zone."""
        if self.is_date:
            return date_value(self.local)
        return local_value(self.local) + ("Z" if self.zone == UTC else "")


def date_value(local: datetime) -> str:
    """A DATE."""
    return f"{local.year:04}{local.month:02}{local.day:02}"


def local_value(local: datetime) -> str:
    """A DATE-TIME without zone."""
    return f"{date_value(local)}T{local.hour:02}{local.minute:02}{local.second:02}"


def utc_value(seconds: int) -> str:
    """A DATE-TIME in UTC."""
    return local_value(wall_clock(seconds)) + "Z"


@dataclass(frozen=True, slots=True)
class Duration:
    """
    @ivar days: by the calendar: weeks and days, negative for a negative duration.
    @ivar seconds: by a stop-watch.
    """

    days: int = 0
    seconds: int = 0

    def after(self, start: Moment, floating: Zone) -> int:
        """The instant at which it is over (RFC 5545 §3.3.6: days by the calendar, then hours exactly)."""
        local = wall_clock(wall_seconds(start.local) + self.days * DAY)
        return min(max((start.zone or floating).seconds(local) + self.seconds, EARLIEST), LATEST)

    @property
    def is_positive(self) -> bool:
        """Whether it takes any time."""
        return self.days * DAY + self.seconds > 0


_DATE_TIME = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})(?:[Tt]([0-9]{2})([0-9]{2})([0-9]{2})([Zz]?))?")

_DURATION = re.compile(
    r"([+-]?)P(?:([0-9]{1,9})W)?(?:([0-9]{1,9})D)?(?:T(?:([0-9]{1,9})H)?(?:([0-9]{1,9})M)?(?:([0-9]{1,9})S)?)?",
    re.IGNORECASE,
)


def read_moment(value: str, zone: Zone | None, name: str) -> Moment:
    """
    A DATE or DATE-TIME, told apart by their form; a leap second counts as the one before it.

    @param zone: of a time that does not end in C{Z}.
    @param name: of the property, for the error.
    @raise InvalidCalendar: it is neither, or no day of the calendar.
    """
    found = _DATE_TIME.fullmatch(value.strip())
    if found is None:
        raise InvalidCalendar(f"{name}: no date or time")
    year, month, day, hour, minute, second, zulu = found.groups()
    try:
        if hour is None:
            return Moment(datetime(int(year), int(month), int(day)), None, True)
        at = datetime(int(year), int(month), int(day), int(hour), int(minute), min(int(second), 59))
    except ValueError:
        raise InvalidCalendar(f"{name}: no such date or time") from None
    return Moment(at, UTC if zulu else zone)


def read_duration(value: str, name: str) -> Duration:
    """
    A DURATION.

    @raise InvalidCalendar: it is none, or longer than the calendar.
    """
    found = _DURATION.fullmatch(value.strip())
    if found is None:
        raise InvalidCalendar(f"{name}: no duration")
    weeks, days, hours, minutes, seconds = (int(each or 0) for each in found.groups()[1:])
    sign = -1 if found[1] == "-" else 1
    total = Duration(sign * (weeks * 7 + days), sign * (hours * 3600 + minutes * 60 + seconds))
    if abs(total.days) * DAY + abs(total.seconds) > LATEST:
        raise InvalidCalendar(f"{name}: the duration is too long")
    return total


@dataclass(frozen=True, slots=True)
class Period:
    """A PERIOD: its start, and its end or how long it is (RFC 5545 §3.3.9)."""

    start: Moment
    end: Moment | Duration

    def bounds(self, floating: Zone) -> tuple[int, int]:
        """Start and end as instants; the end is not before the start."""
        start = self.start.seconds(floating)
        end = self.end.after(self.start, floating) if isinstance(self.end, Duration) else self.end.seconds(floating)
        return start, max(start, end)


def read_period(value: str, zone: Zone | None, name: str) -> Period:
    """
    A PERIOD.

    @raise InvalidCalendar: it is none.
    """
    start, slash, end = value.partition("/")
    if not slash:
        raise InvalidCalendar(f"{name}: no period")
    first = read_moment(start, zone, name)
    if end.strip()[:1] in ("P", "p", "+", "-"):
        return Period(first, read_duration(end, name))
    return Period(first, read_moment(end, zone, name))
