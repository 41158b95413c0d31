"""
When a calendar object takes place: RRULE, RDATE, EXDATE and RECURRENCE-ID put together (RFC 5545 §3.8.4.4, §3.8.5).

Everything is bounded: by the window, by the number of instances and by L{steps <Bounds>}, so that no rule costs more
than some milliseconds wherever the window lies.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import merge
from itertools import pairwise
from operator import attrgetter, itemgetter
from typing import NamedTuple

from trekd.calendar.objects import CalendarObject
from trekd.calendar.rules import Budget, BudgetSpent, Range, Rule, occurrences
from trekd.calendar.times import (
    ALWAYS,
    DAY,
    EARLIEST,
    LATEST,
    UTC,
    FixedZone,
    Moment,
    Period,
    Window,
    Zone,
    wall_clock,
    wall_seconds,
)
from trekd.calendar.timing import Timing
from trekd.errors import TooManyInstances


@dataclass(frozen=True, slots=True)
class Bounds:
    """
    How much an expansion may cost.

    @ivar instances: that are given out.
    @ivar steps: taken inside; one costs about a microsecond.
    """

    instances: int = 10_000
    steps: int = 50_000


BOUNDS = Bounds()
"""When nothing else is configured."""


@dataclass(frozen=True, slots=True)
class Instance:
    """
    One time at which an object takes place.

    @ivar start: Unix seconds; without DTSTART (a VTODO) that of what there is.
    @ivar end: Unix seconds, not before the start.
    @ivar timing: the component that describes it: the master's, or the override's.
    @ivar moment: the start as on the clock; C{None} without DTSTART.
    @ivar recurrence_id: where the recurrence set has it; C{None} for what does not recur.
    """

    start: int
    end: int
    timing: Timing
    moment: Moment | None
    recurrence_id: Moment | None


def instances(
    found: CalendarObject,
    window: Window = ALWAYS,
    floating: Zone = UTC,
    bounds: Bounds = BOUNDS,
    budget: Budget | None = None,
) -> Iterator[Instance]:
    """
    All instances that have a second in the window or touch it, by start.

    The window is taken generously: what ends where it starts, or starts where it ends, is given out as well, since
    conditions differ by component (RFC 4791 §9.9).

    @param floating: the zone of dates and of times without one (RFC 4791 §7.3).
    @param budget: steps that several expansions share, instead of C{bounds.steps}.
    @raise TooManyInstances: there are more, or finding them would take more steps; those before were given out.
    """
    left = bounds.instances
    try:
        streams = list(_streams(found, window, floating, budget or Budget(bounds.steps)))
        for each in streams[0] if len(streams) == 1 else merge(*streams, key=attrgetter("start")):
            if left <= 0:
                raise TooManyInstances(bounds.instances)
            left -= 1
            yield each
    except BudgetSpent:
        raise TooManyInstances(bounds.instances) from None


def single(timing: Timing, floating: Zone) -> Instance:
    """The one instance of a component as it stands, whatever it says about recurrence."""
    moment = timing.start or timing.end
    if moment is None:
        return Instance(EARLIEST, LATEST, timing, None, timing.recurrence_id)
    start = moment.seconds(floating)
    end = timing.end_after(timing.start, floating) if timing.start else start
    return Instance(start, end, timing, timing.start, timing.recurrence_id)


def _touches(each: Instance, window: Window) -> bool:
    return (window.end is None or each.start <= window.end) and (window.start is None or each.end >= window.start)


def _streams(
    found: CalendarObject, window: Window, floating: Zone, budget: Budget
) -> Iterator[Iterator[Instance]]:
    """Instances from several sources, each by start."""
    fixed = [single(each, floating) for each in found.overrides]
    master = found.master
    if master is not None and (not master.is_recurring or master.start is None):
        fixed.append(single(master, floating))
    if fixed:
        yield iter(sorted((each for each in fixed if _touches(each, window)), key=attrgetter("start")))
    if master is None or master.start is None or not master.is_recurring:
        return
    series = _Series(found, master, floating, budget)
    for segment in series.segments():
        yield series.within(segment, window)


@dataclass(frozen=True, slots=True)
class _Segment:
    """
    Part of a recurrence set that one component describes: all of it, or from a THISANDFUTURE override on.

    @ivar since: the first recurrence identifier, Unix seconds; C{None} is no bound.
    @ivar until: that of the next segment.
    """

    timing: Timing
    since: int | None
    until: int | None


class _Recurrence(NamedTuple):
    """
    A member of a recurrence set.

    @ivar seconds: when it starts.
    @ivar period: of an RDATE that has an end of its own.
    """

    seconds: int
    moment: Moment
    period: Period | None


class _Series:
    """A recurring master component with its exceptions."""

    def __init__(self, found: CalendarObject, master: Timing, floating: Zone, budget: Budget) -> None:
        assert master.start is not None
        self._master = master
        self._start = master.start
        self._zone = master.start.zone or floating
        self._floating = floating
        self._budget = budget
        self._exact = master.exact_length(floating)
        periods = (each.bounds(floating) for each in master.added if isinstance(each, Period))
        self._longest_period = max((end - start for start, end in periods), default=0)
        self._overrides = [each for each in found.overrides if each.recurrence_id is not None]
        self._seconds: set[int] = set()
        self._days: set[datetime] = set()
        for each in (*master.removed, *(each.recurrence_id for each in self._overrides if each.recurrence_id)):
            if each.is_date and not self._start.is_date:
                self._days.add(each.local)
            else:
                self._seconds.add(self._identity(each))

    def _identity(self, moment: Moment) -> int:
        """What two names of one recurrence share: the instant; the day when the set is of dates."""
        if self._start.is_date and not moment.is_date:
            return self._zone.seconds(datetime.combine(moment.local.date(), datetime.min.time()))
        return moment.seconds(self._floating)

    def segments(self) -> list[_Segment]:
        """By time, without gaps."""
        later = sorted(
            ((each.recurrence_id.seconds(self._floating), at) for at, each in enumerate(self._overrides)
             if each.and_future and each.recurrence_id)
        )  # fmt: skip
        bounds = [None, *(seconds for seconds, _ in later), None]
        timings = [self._master, *(self._overrides[at] for _, at in later)]
        return [
            _Segment(timing, since, until)
            for timing, (since, until) in zip(timings, pairwise(bounds), strict=True)
        ]

    def within(self, segment: _Segment, window: Window) -> Iterator[Instance]:
        """The instances of a segment that touch the window; those that an override replaces are left out."""
        timing = segment.timing
        shift = self._shift(timing)
        length = self._longest(timing)
        slack = self._slack(timing)
        since = max(_or(segment.since, EARLIEST), _or(window.start, EARLIEST) - shift - length) - slack
        until = min(_or(segment.until, LATEST), _or(window.end, LATEST) - shift) + slack
        last = None
        for seconds, moment, period in self._recurrences(since, until):
            if seconds == last or (segment.since is not None and seconds < segment.since):
                continue
            if segment.until is not None and seconds >= segment.until:
                break
            last = seconds
            if self._is_replaced(seconds, moment):
                continue
            each = self._instance(timing, _Recurrence(seconds, moment, period))
            if _touches(each, window):
                yield each

    def _is_replaced(self, seconds: int, moment: Moment) -> bool:
        """Whether an exception or an override names a recurrence."""
        if not self._seconds and not self._days:
            return False
        if (self._identity(moment) if moment.is_date != self._start.is_date else seconds) in self._seconds:
            return True
        return bool(self._days) and datetime.combine(moment.local.date(), datetime.min.time()) in self._days

    def _instance(self, timing: Timing, found: _Recurrence) -> Instance:
        start, seconds = found.moment, found.seconds
        if timing is self._master:
            if found.period is not None:
                end = found.period.bounds(self._floating)[1]
            else:
                end = seconds + self._exact if self._exact is not None else timing.end_after(start, self._floating)
            return Instance(seconds, end, timing, start, start)
        start = self._shifted(timing, start)
        end = timing.end_after(start, self._floating)
        return Instance(start.seconds(self._floating), end, timing, start, found.moment)

    def _shift(self, timing: Timing) -> int:
        """How much later than the recurrence identifier a segment's instances start, about."""
        if timing is self._master or timing.start is None or timing.recurrence_id is None:
            return 0
        return timing.start.seconds(self._floating) - timing.recurrence_id.seconds(self._floating)

    def _shifted(self, timing: Timing, moment: Moment) -> Moment:
        """Where a THISANDFUTURE override moves an instance (RFC 5545 §3.8.4.4): as far on the wall clock."""
        if timing.start is None or timing.recurrence_id is None:
            return moment
        zone = timing.start.zone or self._floating
        here = zone.local(moment.seconds(self._floating))
        was = zone.local(timing.recurrence_id.seconds(self._floating))
        return timing.start.at(wall_clock(wall_seconds(here) + wall_seconds(timing.start.local) - wall_seconds(was)))

    def _longest(self, timing: Timing) -> int:
        """No instance of a segment is longer."""
        if timing.start is None:
            return self._longest_period
        length = timing.end_after(timing.start, self._floating) - timing.start.seconds(self._floating)
        return max(length, self._longest_period)

    def _slack(self, timing: Timing) -> int:
        """By how many seconds clocks that change may put an instance elsewhere than arithmetic does."""
        if isinstance(self._zone, FixedZone) and timing is self._master:
            return 0
        return 3 * 3600 if any(rule.is_within_days for rule in self._master.rules) else DAY + 3600

    def _recurrences(self, since: int, until: int) -> Iterator[_Recurrence]:
        """The recurrence set without exceptions, by time, at least what lies between two instants."""
        wanted = Range(
            self._start.local,
            self._zone.local(max(since, EARLIEST)),
            self._zone.local(min(until, LATEST)),
        )
        streams = [self._of_rule(rule, wanted) for rule in self._master.rules]
        if len(streams) == 1 and not self._master.added and self._last(self._master.rules[0]) >= self._start.local:
            return streams[0]
        dates = [self._added(each) for each in self._master.added]
        dates.append(_Recurrence(self._start.seconds(self._floating), self._start, None))
        self._budget.spend(len(dates))
        streams.append(iter(sorted(dates, key=itemgetter(0))))
        return merge(*streams, key=itemgetter(0))

    def _added(self, each: Moment | Period) -> _Recurrence:
        moment, period = (each.start, each) if isinstance(each, Period) else (each, None)
        return _Recurrence(moment.seconds(self._floating), moment, period)

    def _of_rule(self, rule: Rule, wanted: Range) -> Iterator[_Recurrence]:
        until = min(wanted.until, self._last(rule))
        every = occurrences(rule, Range(wanted.start, wanted.since, until), self._budget)
        seconds, start = self._zone.seconds, self._start
        return (_Recurrence(seconds(local), Moment(local, start.zone, start.is_date), None) for local in every)

    def _last(self, rule: Rule) -> datetime:
        """UNTIL on the clock of DTSTART; a date reaches to its end (RFC 5545 §3.3.10)."""
        until = rule.until
        if until is None:
            return datetime.max
        if until.is_date:
            return until.local if self._start.is_date else until.local + timedelta(seconds=DAY - 1)
        if until.zone is None or self._start.is_date:
            return until.local
        seconds = until.seconds(self._floating)
        local = self._zone.local(seconds)
        return wall_clock(wall_seconds(local) + max(0, seconds - self._zone.seconds(local)))


def _or(bound: int | None, default: int) -> int:
    return default if bound is None else bound
