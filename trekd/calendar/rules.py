"""
Recurrence rules (RFC 5545 §3.3.10): read, and expanded on a wall clock from any point on.

An expansion never walks from DTSTART to where it is wanted: it computes the period in which to begin.  Only C{COUNT}
together with other parts makes it count from the start.  Each step costs, and a L{Budget} says how many there may be,
so a rule that hardly ever or never comes true ends soon as well.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from calendar import isleap, monthrange
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from trekd.calendar.times import Moment, read_moment
from trekd.errors import InvalidCalendar

_UNITS = {"HOURLY": 3600, "MINUTELY": 60, "SECONDLY": 1}
_FREQUENCIES = ("YEARLY", "MONTHLY", "WEEKLY", "DAILY", *_UNITS)
_WEEKDAYS = {"MO": 0, "TU": 1, "WE": 2, "TH": 3, "FR": 4, "SA": 5, "SU": 6}
_RANGES = {
    "BYSECOND": (0, 60),
    "BYMINUTE": (0, 59),
    "BYHOUR": (0, 23),
    "BYMONTHDAY": (-31, 31),
    "BYYEARDAY": (-366, 366),
    "BYWEEKNO": (-53, 53),
    "BYMONTH": (1, 12),
    "BYSETPOS": (-366, 366),
}
_SIGNED = re.compile(r"[+-]?[0-9]{1,4}")
_BYDAY = re.compile(r"([+-]?[0-9]{1,2})?(MO|TU|WE|TH|FR|SA|SU)")
_LAST_YEAR = 9998


@dataclass(slots=True)
class Budget:
    """
    Steps that may still be taken.

    @ivar steps: one takes about a microsecond.
    """

    steps: int

    def spend(self, steps: int) -> None:
        """@raise BudgetSpent: there are not as many left."""
        self.steps -= steps
        if self.steps < 0:
            raise BudgetSpent


class BudgetSpent(Exception):
    """An expansion was cut short by its L{Budget}; stays within this room."""


@dataclass(frozen=True, slots=True)
class Rule:
    """
    A RECUR value; all tuples ascending and without repetition.

    @ivar byday: (ordinal or 0, weekday with Monday 0).
    @ivar wkst: weekday on which weeks start.
    """

    freq: str
    interval: int = 1
    count: int | None = None
    until: Moment | None = None
    bysecond: tuple[int, ...] = ()
    byminute: tuple[int, ...] = ()
    byhour: tuple[int, ...] = ()
    byday: tuple[tuple[int, int], ...] = ()
    bymonthday: tuple[int, ...] = ()
    byyearday: tuple[int, ...] = ()
    byweekno: tuple[int, ...] = ()
    bymonth: tuple[int, ...] = ()
    bysetpos: tuple[int, ...] = ()
    wkst: int = 0

    @property
    def is_plain(self) -> bool:
        """Whether it has no BY part, so that all its times lie equally far apart."""
        return self.freq not in ("YEARLY", "MONTHLY") and not (
            self.bysecond or self.byminute or self.byhour or self.byday or self.bymonthday
            or self.byyearday or self.byweekno or self.bymonth or self.bysetpos
        )  # fmt: skip

    @property
    def weight(self) -> int:
        """Steps that its lists add to each of its periods."""
        days = len(self.bymonthday) + len(self.byday)
        if self.freq == "YEARLY":
            return 12 * days + len(self.byyearday) + 7 * len(self.byweekno)
        return days if self.freq == "MONTHLY" else (days + len(self.byyearday)) // 16

    @property
    def is_within_days(self) -> bool:
        """Whether it may come true several times a day."""
        return self.freq in _UNITS


# --- Reading --------------------------------------------------------------------------------------


def read_rule(value: str, start: Moment) -> Rule:
    """
    Read a RECUR value; C{X-} parts and parts that mean nothing with its FREQ are left out.

    @param start: DTSTART, for the zone of a local UNTIL.
    @raise InvalidCalendar: it is no rule.
    """
    parts: dict[str, str] = {}
    for part in value.strip().rstrip(";").upper().split(";"):
        name, equals, text = part.partition("=")
        if not equals or name in parts:
            raise InvalidCalendar("RRULE: no name=value, or a part twice")
        parts[name] = text
    freq = parts.pop("FREQ", "")
    if freq not in _FREQUENCIES:
        raise InvalidCalendar("RRULE: no FREQ")
    if start.is_date and freq in _UNITS:
        raise InvalidCalendar("RRULE: a FREQ of less than a day with a DTSTART that is a date")
    interval = _positive(parts.pop("INTERVAL", "1"), "INTERVAL")
    count = _positive(parts.pop("COUNT"), "COUNT") if "COUNT" in parts else None
    until = read_moment(parts.pop("UNTIL"), start.zone, "RRULE UNTIL") if "UNTIL" in parts else None
    wkst = parts.pop("WKST", "MO")
    if wkst not in _WEEKDAYS or parts.pop("RSCALE", "GREGORIAN") != "GREGORIAN" or parts.pop("SKIP", "OMIT") != "OMIT":
        raise InvalidCalendar("RRULE: WKST, RSCALE or SKIP")
    byday = _weekdays(parts.pop("BYDAY")) if "BYDAY" in parts else ()
    lists = {name: _numbers(name, text) for name, text in parts.items() if not name.startswith("X-")}
    by = {name.lower(): each for name, each in lists.items()}
    rule = Rule(freq, interval, count, until, byday=byday, wkst=_WEEKDAYS[wkst], **by)
    return _completed(rule, start)


def _positive(text: str, name: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 9 and int(text)):
        raise InvalidCalendar(f"RRULE: {name} is no positive number")
    return int(text)


def _numbers(name: str, text: str) -> tuple[int, ...]:
    least, most = _RANGES.get(name, (1, 0))
    found = set()
    for each in text.split(","):
        number = int(each) if _SIGNED.fullmatch(each) else None
        if number is None or not least <= number <= most or (number == 0 and least < 0):
            raise InvalidCalendar(f"RRULE: {name[:20]!a}")
        found.add(min(number, 59) if name == "BYSECOND" else number)
    return tuple(sorted(found))


def _weekdays(text: str) -> tuple[tuple[int, int], ...]:
    found = set()
    for each in text.split(","):
        day = _BYDAY.fullmatch(each)
        ordinal = int(day[1] or 0) if day else 0
        if day is None or (day[1] and not 1 <= abs(ordinal) <= 53):
            raise InvalidCalendar("RRULE: BYDAY")
        found.add((ordinal, _WEEKDAYS[day[2]]))
    return tuple(sorted(found))


def _completed(rule: Rule, start: Moment) -> Rule:
    """What the rule leaves out, taken from DTSTART, and what means nothing with its FREQ left out."""
    at, freq = start.local, rule.freq
    byday, bymonth, bymonthday = rule.byday, rule.bymonth, rule.bymonthday
    byweekno = rule.byweekno if freq == "YEARLY" else ()
    ordinals = freq == "MONTHLY" or (freq == "YEARLY" and not byweekno)
    if not ordinals:
        byday = tuple(sorted({(0, day) for _, day in byday}))
    days_named = bool(byday or bymonthday or rule.byyearday)
    if freq == "YEARLY" and not days_named and not byweekno:
        bymonth, bymonthday = bymonth or (at.month,), (at.day,)
    elif freq == "MONTHLY" and not days_named:
        bymonthday = (at.day,)
    elif freq in ("WEEKLY", "YEARLY") and not days_named and (byweekno or bymonth or rule.bysetpos or _timed(rule)):
        byday = ((0, at.weekday()),)
    times = ((), (), ()) if start.is_date else (rule.byhour, rule.byminute, rule.bysecond)
    return Rule(
        freq, rule.interval, rule.count, rule.until, times[2], times[1], times[0],
        byday, bymonthday, rule.byyearday, byweekno, bymonth, rule.bysetpos, rule.wkst,
    )  # fmt: skip


def _timed(rule: Rule) -> bool:
    return bool(rule.byhour or rule.byminute or rule.bysecond)


# --- Expanding ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Range:
    """
    What of a rule is wanted.

    @ivar start: DTSTART's wall clock, which is the first time whatever the rule says.
    @ivar since: nothing before it.
    @ivar until: nothing after it, itself included.
    """

    start: datetime
    since: datetime = field(default=datetime.min)
    until: datetime = field(default=datetime.max)


def occurrences(rule: Rule, wanted: Range, budget: Budget) -> Iterator[datetime]:
    """
    Wall-clock times of a rule, ascending, DTSTART the first of them.

    UNTIL is not looked at: C{wanted} has it, because only the caller knows the zone.

    @raise BudgetSpent: it would take more steps.
    """
    if rule.is_plain:
        yield from _plain(rule, wanted, budget)
        return
    left = rule.count
    since = wanted.start if left is not None else max(wanted.since, wanted.start)
    inner = Range(wanted.start, since, wanted.until)
    if wanted.since <= wanted.start <= wanted.until:
        yield wanted.start
    for each in _within_days(rule, inner, budget) if rule.is_within_days else _by_period(rule, inner, budget):
        if left is not None:
            left -= each > wanted.start
            if left <= 0:
                return
        if each > wanted.until:
            return
        if each > wanted.start and each >= wanted.since:
            yield each


def _plain(rule: Rule, wanted: Range, budget: Budget) -> Iterator[datetime]:
    """A rule whose times lie equally far apart: pure arithmetic, COUNT as well."""
    unit = _UNITS.get(rule.freq) or (7 * 86400 if rule.freq == "WEEKLY" else 86400)
    step = timedelta(seconds=unit * rule.interval)
    number = max(0, -((wanted.start - wanted.since) // step)) if wanted.since > wanted.start else 0
    last = (min(wanted.until, datetime(_LAST_YEAR, 12, 31)) - wanted.start) // step
    if wanted.start <= wanted.until:
        last = max(last, 0)
    if rule.count is not None:
        last = min(last, rule.count - 1)
    while number <= last:
        budget.spend(1)
        yield wanted.start + number * step
        number += 1


# --- Periods of a day and more --------------------------------------------------------------------


def _by_period(rule: Rule, wanted: Range, budget: Budget) -> Iterator[datetime]:
    """Times of the periods that hold C{since} to C{until}, about."""
    start, since = wanted.start, wanted.since
    times = _Times(rule.byhour or (start.hour,), rule.byminute or (start.minute,), rule.bysecond or (start.second,))
    first = _period_of(rule, start)
    number = first + max(0, (_period_of(rule, since) - first) // rule.interval) * rule.interval
    cost = {"YEARLY": 40, "MONTHLY": 4, "WEEKLY": 2, "DAILY": 1}[rule.freq] + rule.weight
    last = _period_of(rule, wanted.until)
    while number <= last:
        budget.spend(cost)
        days = _days(rule, number)
        if days is None:
            return
        if rule.bysetpos:
            yield from _chosen(rule.bysetpos, days, times, budget)
        else:
            for day in days:
                midnight = datetime.fromordinal(day)
                if midnight.date() >= since.date():
                    budget.spend(1)
                    yield from times.of(midnight, budget)
        number += rule.interval


@dataclass(frozen=True, slots=True)
class _Times:
    """Times of a day: every hour with every minute with every second."""

    hours: Sequence[int]
    minutes: Sequence[int]
    seconds: Sequence[int]

    def __len__(self) -> int:
        return len(self.hours) * len(self.minutes) * len(self.seconds)

    def of(self, midnight: datetime, budget: Budget) -> Iterator[datetime]:
        """All of a day, ascending."""
        for hour in self.hours:
            for minute in self.minutes:
                budget.spend(len(self.seconds))
                for second in self.seconds:
                    yield midnight.replace(hour=hour, minute=minute, second=second)

    def on(self, midnight: datetime, index: int) -> datetime:
        """The one of that 0-based number."""
        index, second = divmod(index, len(self.seconds))
        hour, minute = divmod(index, len(self.minutes))
        return midnight.replace(hour=self.hours[hour], minute=self.minutes[minute], second=self.seconds[second])


def _chosen(
    places: Sequence[int], days: Sequence[int], times: _Times, budget: Budget
) -> Iterator[datetime]:
    """What BYSETPOS takes of a period's times."""
    total = len(days) * len(times)
    budget.spend(len(places))
    for index in sorted({place - 1 if place > 0 else total + place for place in places}):
        if 0 <= index < total:
            day, time = divmod(index, len(times))
            yield times.on(datetime.fromordinal(days[day]), time)


def _period_of(rule: Rule, at: datetime) -> int:
    """Number of the year, month, week or day that holds a time."""
    if rule.freq == "YEARLY":
        return at.year
    if rule.freq == "MONTHLY":
        return at.year * 12 + at.month - 1
    day = at.toordinal()
    return (day - 1 - rule.wkst) // 7 if rule.freq == "WEEKLY" else day


def _days(rule: Rule, number: int) -> list[int] | None:
    """The days (proleptic ordinals) of a period on which the rule comes true; C{None} past the calendar's end."""
    if rule.freq == "YEARLY":
        return _days_of_year(rule, number) if number <= _LAST_YEAR else None
    if rule.freq == "MONTHLY":
        year, month = divmod(number, 12)
        if year > _LAST_YEAR:
            return None
        days = _days_of_month(rule, year, month + 1) if not rule.bymonth or month + 1 in rule.bymonth else []
        return [day for day in days if _is_yearday(rule, day)] if rule.byyearday else days
    days = [number] if rule.freq == "DAILY" else [number * 7 + 1 + rule.wkst + each for each in range(7)]
    if days[-1] > date(_LAST_YEAR, 12, 31).toordinal():
        return None
    return [day for day in days if day > 0 and _is_day(rule, day)]


def _is_day(rule: Rule, day: int) -> bool:
    """Whether all parts that name days allow one, weekdays without ordinals."""
    if rule.byday and (0, (day + 6) % 7) not in rule.byday:
        return False
    if rule.bymonth or rule.bymonthday:
        at = date.fromordinal(day)
        if rule.bymonth and at.month not in rule.bymonth:
            return False
        if rule.bymonthday:
            last = monthrange(at.year, at.month)[1]
            if at.day not in rule.bymonthday and at.day - last - 1 not in rule.bymonthday:
                return False
    return not rule.byyearday or _is_yearday(rule, day)


def _is_yearday(rule: Rule, day: int) -> bool:
    year = date.fromordinal(day).year
    number = day - date(year, 1, 1).toordinal() + 1
    return number in rule.byyearday or number - 366 - isleap(year) in rule.byyearday


def _days_of_month(rule: Rule, year: int, month: int) -> list[int]:
    """By BYMONTHDAY and BYDAY, ordinals counted within the month; all its days when there is neither."""
    weekday, length = monthrange(year, month)
    before = date(year, month, 1).toordinal() - 1
    found = range(1, length + 1) if not rule.bymonthday else sorted(
        {day if day > 0 else length + 1 + day for day in rule.bymonthday}
    )
    allowed = _weekdays_within(rule.byday, weekday, length) if rule.byday else None
    return [before + day for day in found if 0 < day <= length and (allowed is None or day in allowed)]


def _weekdays_within(byday: Sequence[tuple[int, int]], weekday: int, length: int) -> set[int]:
    """1-based days of a month or year that BYDAY means; C{weekday} is that of its first day."""
    found: set[int] = set()
    for ordinal, day in byday:
        every = range(1 + (day - weekday) % 7, length + 1, 7)
        if not ordinal:
            found.update(every)
        elif -len(every) <= ordinal <= len(every):
            found.add(every[ordinal - 1 if ordinal > 0 else ordinal])
    return found


def _days_of_year(rule: Rule, year: int) -> list[int]:
    """A YEARLY rule's days: what each part names, as far as the other parts allow (RFC 5545 §3.3.10, table)."""
    first = date(year, 1, 1).toordinal()
    length = 365 + isleap(year)
    if not (rule.byweekno or rule.byyearday) and (rule.bymonth or (rule.bymonthday and not rule.byday)):
        months = rule.bymonth or range(1, 13)
        return [day for month in months for day in _days_of_month(rule, year, month)]
    if rule.byweekno:
        days = _days_of_weeks(rule, year)
    elif rule.byyearday:
        days = sorted({first + (day - 1 if day > 0 else length + day) for day in rule.byyearday})
    else:
        days = list(range(first, first + length))
    if rule.byday:
        weekday = (first + 6) % 7
        allowed = _weekdays_within(rule.byday, weekday, length)
        days = [day for day in days if day - first + 1 in allowed]
    weekless = Rule("DAILY", bymonth=rule.bymonth, bymonthday=rule.bymonthday, byyearday=rule.byyearday)
    return [day for day in days if first <= day < first + length and _is_day(weekless, day)]


def _days_of_weeks(rule: Rule, year: int) -> list[int]:
    """Days of the year that lie in the weeks of BYWEEKNO, which may be weeks of the years beside it."""
    first, end = date(year, 1, 1).toordinal(), date(year + 1, 1, 1).toordinal()
    found: set[int] = set()
    for each in (year - 1, year, year + 1):
        if each < 1:
            continue
        start, after = _first_week(each, rule.wkst), _first_week(each + 1, rule.wkst)
        weeks = (after - start) // 7
        for week in rule.byweekno:
            number = week if week > 0 else weeks + 1 + week
            if 1 <= number <= weeks:
                found.update(range(start + 7 * (number - 1), start + 7 * number))
    return sorted(day for day in found if first <= day < end)


def _first_week(year: int, wkst: int) -> int:
    """The day on which week 1 starts: the first week with four days in the year."""
    fourth = date(year, 1, 4).toordinal()
    return fourth - (fourth + 6 - wkst) % 7


# --- Periods of less than a day -------------------------------------------------------------------


def _within_days(rule: Rule, wanted: Range, budget: Budget) -> Iterator[datetime]:
    """Hours, minutes or seconds counted from DTSTART's, whole days, hours and minutes skipped that cannot match."""
    unit, start, since, cost = _UNITS[rule.freq], wanted.start, wanted.since, 1 + rule.weight
    inner = _Times(
        (0,),
        (rule.byminute or (start.minute,)) if unit == 3600 else (0,),
        (rule.bysecond or (start.second,)) if unit > 1 else (0,),
    )
    first = (start.toordinal() * 86400 + start.hour * 3600 + start.minute * 60 + start.second) // unit
    begin = (since.toordinal() * 86400 + since.hour * 3600 + since.minute * 60 + since.second) // unit
    number = first + max(0, -((first - begin) // rule.interval)) * rule.interval
    last = min(wanted.until, datetime(_LAST_YEAR, 12, 31)).toordinal() * 86400 // unit + 86400 // unit
    places = rule.bysetpos
    while number < last:
        budget.spend(cost)
        skip = _ruled_out(rule, number * unit)
        if skip:
            after = (number * unit // skip + 1) * skip // unit
            number = first - (first - after) // rule.interval * rule.interval
            continue
        day, second = divmod(number * unit, 86400)
        base = datetime.fromordinal(day) + timedelta(seconds=second)
        indexes = range(len(inner)) if not places else sorted(
            {place - 1 if place > 0 else len(inner) + place for place in places}
        )
        budget.spend(len(indexes))
        for index in indexes:
            if 0 <= index < len(inner):
                minute, offset = divmod(index, len(inner.seconds))
                yield base + timedelta(minutes=inner.minutes[minute], seconds=inner.seconds[offset])
        number += rule.interval


def _ruled_out(rule: Rule, second: int) -> int:
    """The length of the day, hour, minute or second that the rule leaves out; 0 when it comes true."""
    day, rest = divmod(second, 86400)
    if not _is_day(rule, day):
        return 86400
    if rule.byhour and not _has(rule.byhour, rest // 3600):
        return 3600
    if rule.freq != "HOURLY" and rule.byminute and not _has(rule.byminute, rest // 60 % 60):
        return 60
    return 1 if rule.freq == "SECONDLY" and rule.bysecond and not _has(rule.bysecond, rest % 60) else 0


def _has(numbers: Sequence[int], number: int) -> bool:
    at = bisect_left(numbers, number)
    return at < len(numbers) and numbers[at] == number
