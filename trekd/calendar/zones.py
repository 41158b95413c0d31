"""
Time zones: what a TZID means (RFC 5545 §3.2.19, §3.6.5).

The VTIMEZONE that came along is believed; without one, or with one that says nothing, the name is looked up in the
system's time zone database, also in the spellings of other programs (Windows, Mozilla, Evolution).  What was read is
remembered, since a calendar has the same few zones in all its objects.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache, lru_cache
from zoneinfo import ZoneInfo, available_timezones

from trekd.calendar.contentlines import Component, split_values
from trekd.calendar.rules import Budget, BudgetSpent, Range, Rule, occurrences, read_rule
from trekd.calendar.times import (
    UTC,
    FixedZone,
    Window,
    Zone,
    read_moment,
    read_period,
    wall_clock,
    wall_seconds,
)
from trekd.calendar.zonenames import WINDOWS
from trekd.errors import InvalidCalendar

_STEPS = 10_000
"""For all observances of a zone together."""

_FIRST_YEAR = 1900
_LAST_YEAR = 2200
"""Changes of offset are worked out between these; beyond them the nearest ones hold."""

_SPAN = 50
"""Years that are worked out at a time."""

_OFFSET = re.compile(r"([+-])([0-9]{2})([0-9]{2})([0-9]{2})?")
_SPELT_OFFSET = re.compile(r"\(?(?:UTC|GMT)([+-])([0-9]{1,2}):?([0-9]{2})?\)?(?: .*)?", re.IGNORECASE)

_MOST_NAMES = 512
"""Zones that are remembered, by name and by content."""

_LONGEST_NAME = 200
_MOST_LINES = 400
"""A VTIMEZONE with more is not remembered."""


@dataclass(frozen=True, slots=True)
class NamedZone:
    """A zone of the system's database."""

    name: str
    rules: ZoneInfo

    def seconds(self, local: datetime) -> int:
        """As L{Zone.seconds}."""
        offset = self.rules.utcoffset(local)
        return wall_seconds(local) - (offset.days * 86400 + offset.seconds if offset else 0)

    def local(self, seconds: int) -> datetime:
        """As L{Zone.local}."""
        clock = wall_clock(min(max(seconds, -62135000000), 253402000000))
        offset = self.rules.fromutc(clock.replace(tzinfo=self.rules)).utcoffset()
        assert offset is not None
        return wall_clock(seconds + offset.days * 86400 + offset.seconds)


@dataclass(frozen=True, slots=True)
class _Observance:
    """STANDARD or DAYLIGHT (RFC 5545 §3.6.5); offsets in seconds east of UTC, onsets on the clock before them."""

    onset: datetime
    before: int
    after: int
    rules: tuple[Rule, ...]
    extra: tuple[datetime, ...]


@dataclass(frozen=True, slots=True)
class _Changes:
    """
    A zone's changes of offset, ascending.

    @ivar instants: when each happens.
    @ivar clocks: the wall clock from which on each holds for sure.
    @ivar offsets: one more than there are changes: the first holds before all of them.
    """

    instants: tuple[int, ...]
    clocks: tuple[int, ...]
    offsets: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ContentZone:
    """A zone as its VTIMEZONE describes it; remembers what it worked out, at most seven spans of years."""

    name: str
    observances: tuple[_Observance, ...]
    known: dict[int, _Changes] = field(default_factory=dict, compare=False, repr=False)

    def seconds(self, local: datetime) -> int:
        """As L{Zone.seconds}."""
        changes = self._changes(local.year)
        clock = wall_seconds(local)
        return clock - changes.offsets[bisect_right(changes.clocks, clock)]

    def local(self, seconds: int) -> datetime:
        """As L{Zone.local}."""
        changes = self._changes(wall_clock(seconds).year)
        return wall_clock(seconds + changes.offsets[bisect_right(changes.instants, seconds)])

    def _changes(self, year: int) -> _Changes:
        span = _span_of(year)
        found = self.known.get(span)
        if found is None:
            found = self.known[span] = _changes(self.observances, span)
        return found


class ZoneTable:
    """The zones of one iCalendar object, by TZID; looked at when they are asked for."""

    def __init__(self, calendar: Component) -> None:
        self._contents: dict[str, Component] = {}
        for each in calendar.inside("VTIMEZONE"):
            self._contents.setdefault(each.value("TZID"), each)
        self._zones: dict[str, Zone | None] = {}

    def zone(self, tzid: str) -> Zone | None:
        """
        What a TZID means, C{None} when nobody knows.

        @raise InvalidCalendar: its VTIMEZONE cannot be understood, and its name says nothing either.
        """
        if tzid not in self._zones:
            self._zones[tzid] = self._look_up(tzid)
        return self._zones[tzid]

    def content(self, tzid: str) -> Component | None:
        """The VTIMEZONE of that TZID."""
        return self._contents.get(tzid)

    def _look_up(self, tzid: str) -> Zone | None:
        content = self._contents.get(tzid)
        if content is None:
            return named_zone(tzid)
        try:
            return content_zone(content)
        except InvalidCalendar:
            known = named_zone(tzid)
            if known is None:
                raise
            return known


# --- By name --------------------------------------------------------------------------------------


@cache
def _database() -> dict[str, str]:
    """Every name of the system's database by itself in lower case; not where this host happens to be."""
    return {name.lower(): name for name in available_timezones() - {"localtime", "posixrules", "Factory"}}


def named_zone(tzid: str) -> Zone | None:
    """The zone that a name means by itself, in any spelling that programs use; C{None} when it says nothing."""
    return _remembered_name(tzid) if len(tzid) <= _LONGEST_NAME else None


@lru_cache(_MOST_NAMES)
def _remembered_name(tzid: str) -> Zone | None:
    name = tzid.strip().strip('"').lower()
    if name in ("utc", "z", "gmt", "etc/utc", "etc/gmt", "tzone://microsoft/utc", "utc+0", "gmt+0"):
        return FixedZone(tzid)
    parts = name.split("/")
    database = _database()
    for each in ("/".join(parts[-count:]) for count in (len(parts), 3, 2, 1) if count <= len(parts)):
        found = database.get(each) or WINDOWS.get(each)
        if found in database.values():
            return NamedZone(tzid, ZoneInfo(str(found)))
    spelt = _SPELT_OFFSET.fullmatch(name)
    if spelt is None:
        return None
    seconds = int(spelt[2]) * 3600 + int(spelt[3] or 0) * 60
    return FixedZone(tzid, -seconds if spelt[1] == "-" else seconds) if seconds <= 86340 else None


# --- By content -----------------------------------------------------------------------------------


def content_zone(timezone: Component) -> Zone:
    """
    The zone that a VTIMEZONE describes.

    @raise InvalidCalendar: it has no observance, or one that cannot be understood.
    """
    lines = len(timezone.properties) + sum(2 + len(each.properties) for each in timezone.components)
    return _remembered_content(timezone) if lines <= _MOST_LINES else _read_content(timezone)


@lru_cache(_MOST_NAMES)
def _remembered_content(timezone: Component) -> Zone:
    return _read_content(timezone)


def _read_content(timezone: Component) -> Zone:
    found = [_observance(each) for each in timezone.components if each.kind in ("STANDARD", "DAYLIGHT")]
    if not found:
        raise InvalidCalendar("VTIMEZONE: neither STANDARD nor DAYLIGHT")
    zone = ContentZone(timezone.value("TZID"), tuple(found))
    budget = Budget(_STEPS)
    try:
        _onsets(zone.observances, _span_of(2020), budget)
    except BudgetSpent:
        raise InvalidCalendar("VTIMEZONE: too many observances") from None
    return zone


def _observance(component: Component) -> _Observance:
    start = read_moment(component.value("DTSTART"), None, "VTIMEZONE DTSTART")
    rules = tuple(read_rule(each.value, start) for each in component.every("RRULE"))
    extra: list[datetime] = []
    for each in component.every("RDATE"):
        for value in split_values(each.value):
            is_period = "/" in value
            moment = read_period(value, None, "RDATE").start if is_period else read_moment(value, None, "RDATE")
            extra.append(moment.local)
    before, after = _offset(component.value("TZOFFSETFROM")), _offset(component.value("TZOFFSETTO"))
    return _Observance(start.local, before, after, rules, tuple(extra))


def _offset(value: str) -> int:
    """UTC-OFFSET (RFC 5545 §3.3.14), seconds east of UTC."""
    found = _OFFSET.fullmatch(value.strip())
    if found is None or int(found[2]) > 23 or int(found[3]) > 59:
        raise InvalidCalendar("VTIMEZONE: no offset")
    seconds = int(found[2]) * 3600 + int(found[3]) * 60 + int(found[4] or 0)
    return -seconds if found[1] == "-" else seconds


def _span_of(year: int) -> int:
    """The first of the years that are worked out together with one."""
    return min(max(year, _FIRST_YEAR), _LAST_YEAR) // _SPAN * _SPAN


def _changes(observances: tuple[_Observance, ...], span: int) -> _Changes:
    """The changes of offset in some years, and the last one before them."""
    try:
        onsets = _onsets(observances, span, Budget(_STEPS))
    except BudgetSpent:
        onsets = []
    found = sorted((wall_seconds(onset) - each.before, each.before, each.after) for onset, each in onsets)
    instants = tuple(instant for instant, _, _ in found)
    clocks: list[int] = []
    for instant, before, after in found:
        clocks.append(max(instant + max(before, after), clocks[-1] if clocks else instant + max(before, after)))
    earliest = min(observances, key=lambda each: each.onset)
    first = found[0][1] if found else earliest.before
    return _Changes(instants, tuple(clocks), (first, *(after for _, _, after in found)))


def _onsets(
    observances: tuple[_Observance, ...], span: int, budget: Budget
) -> list[tuple[datetime, _Observance]]:
    """Onsets from two years before a span of years to two after it, and the last before of each observance."""
    since, until = datetime(max(span - 2, 1), 1, 1), datetime(span + _SPAN + 2, 1, 1)
    found: list[tuple[datetime, _Observance]] = []
    for each in observances:
        every = {each.onset, *each.extra}
        for rule in each.rules:
            every.update(_rule_onsets(each, rule, Window(wall_seconds(since), wall_seconds(until)), budget))
        budget.spend(len(every))
        early = [onset for onset in every if onset < since]
        found += [(onset, each) for onset in every if since <= onset < until]
        if early:
            found.append((max(early), each))
    return found


def _rule_onsets(each: _Observance, rule: Rule, window: Window, budget: Budget) -> list[datetime]:
    """
    A rule's onsets in a window, and when it has ended before, its last ones.
    """
    assert window.start is not None and window.end is not None
    since, until = wall_clock(window.start), wall_clock(window.end)
    if rule.until is not None:
        end = rule.until.local + timedelta(seconds=each.before if rule.until.zone is UTC else 0)
        if rule.until.is_date:
            end += timedelta(days=1)
        until = min(until, end)
        since = min(since, until - timedelta(days=800)) if until.year > 3 else datetime.min
    if rule.count is not None:
        since = datetime.min
    if until < each.onset:
        return []
    return list(occurrences(rule, Range(each.onset, since, until), budget))
