"""
Recurrence rules against dateutil, and whole objects against recurring-ical-events (RFC 5545 §3.3.10, §3.8.5).
"""

from __future__ import annotations

import warnings
from datetime import UTC as PYTHON_UTC
from datetime import date, datetime, timedelta
from itertools import islice, takewhile

import icalendar
import recurring_ical_events
from dateutil.rrule import rrulestr
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.unit.calendar.samples import BERLIN, component, octets
from trekd.calendar.contentlines import parse
from trekd.calendar.objects import read_calendar_object
from trekd.calendar.recurrence import instances
from trekd.calendar.rules import Budget, BudgetSpent, Range, occurrences, read_rule
from trekd.calendar.times import UTC, FixedZone, Moment, Window

DAYS = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]
STARTS = st.datetimes(datetime(2000, 1, 1), datetime(2030, 1, 1)).map(lambda at: at.replace(microsecond=0))


def _listed(values: st.SearchStrategy[object]) -> st.SearchStrategy[str]:
    return st.lists(values.map(str), min_size=1, max_size=3, unique=True).map(",".join)


def _signed(last: int) -> st.SearchStrategy[str]:
    return _listed(st.integers(1, last) | st.integers(-last, -1))


@st.composite
def rules(draw: st.DrawFn) -> str:
    """RECUR values that RFC 5545 allows."""
    freq = draw(st.sampled_from(["YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY"]))
    by: dict[str, str] = {}

    def maybe(name: str, values: st.SearchStrategy[str]) -> None:
        if draw(st.integers(0, 3)) == 0:
            by[name] = draw(values)

    maybe("BYMONTH", _listed(st.integers(1, 12)))
    if freq != "WEEKLY":
        maybe("BYMONTHDAY", _signed(31))
    if freq in ("YEARLY", "HOURLY", "MINUTELY", "SECONDLY"):
        maybe("BYYEARDAY", _signed(366))
    ordinals = freq in ("YEARLY", "MONTHLY")
    # dateutil takes "MO,1MO" for Mondays that are the first, not for Mondays and the first one.
    place = st.sampled_from(["1", "2", "-1", "5", "-2"]) if ordinals and draw(st.booleans()) else st.just("")
    maybe("BYDAY", _listed(st.tuples(place, st.sampled_from(DAYS)).map("".join)))
    if freq == "YEARLY" and "BYDAY" in by and not any(sign in by["BYDAY"] for sign in "-125"):
        maybe("BYWEEKNO", _signed(53))
    maybe("BYHOUR", _listed(st.integers(0, 23)))
    maybe("BYMINUTE", _listed(st.integers(0, 59)))
    maybe("BYSECOND", _listed(st.integers(0, 59)))
    if by:
        maybe("BYSETPOS", _signed(4))
    parts = [f"FREQ={freq}", f"INTERVAL={draw(st.integers(1, 5))}", f"WKST={draw(st.sampled_from(DAYS))}"]
    return ";".join(parts + [f"{name}={value}" for name, value in by.items()])


def _ours(rule: str, start: datetime, since: datetime, until: datetime, steps: int = 100_000) -> list[datetime]:
    found = occurrences(read_rule(rule, Moment(start)), Range(start, since, until), Budget(steps))
    return list(found)


@settings(max_examples=150, deadline=None)
@given(rules(), STARTS, st.integers(0, 3000))
def test_a_window_holds_what_dateutil_finds(rule: str, start: datetime, later: int) -> None:
    """Jumping to the window gives the same as walking there; DTSTART is there whatever the rule says."""
    freq = rule[5 : rule.index(";")]
    days = {"YEARLY": 4000, "MONTHLY": 800, "WEEKLY": 200, "DAILY": 100, "HOURLY": 5, "MINUTELY": 1}.get(freq, 1)
    within = freq in ("HOURLY", "MINUTELY", "SECONDLY")
    since = start + timedelta(days=min(later, 3) if within else later)
    until = since + (timedelta(hours=3) if freq == "SECONDLY" else timedelta(days=days))
    # A rule that never comes true would keep dateutil busy for 8,000 years.
    assume(not within or not {"BYMONTH", "BYMONTHDAY", "BYYEARDAY"} & set(rule.replace("=", ";").split(";")))
    try:
        found = _ours(rule, start, since, until)
    except BudgetSpent:
        assume(False)
    assume(found and found[-1] > start)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            oracle = rrulestr(rule, dtstart=start)
        except ValueError:
            assume(False)
    reached = takewhile(lambda at: at <= found[-1], oracle)
    assert found == sorted({at for at in (*reached, start) if since <= at})


@settings(max_examples=60, deadline=None)
@given(rules(), STARTS, st.integers(1, 40))
def test_count_ends_a_rule_wherever_the_window_starts(rule: str, start: datetime, count: int) -> None:
    read = read_rule(rule, Moment(start))
    try:
        first = list(islice(occurrences(read, Range(start), Budget(100_000)), count))
        counted = _ours(f"{rule};COUNT={count}", start, datetime.min, datetime.max)
        since = first[len(first) // 2]
        late = _ours(f"{rule};COUNT={count}", start, since, datetime.max)
    except BudgetSpent:
        assume(False)
    assert counted == first
    assert late == [at for at in first if at >= since]


@settings(max_examples=100, deadline=None)
@given(rules(), STARTS, st.integers(0, 20_000), st.integers(0, 400))
def test_any_rule_ends_within_its_budget(rule: str, start: datetime, later: int, days: int) -> None:
    budget = Budget(5_000)
    since = start + timedelta(days=later)
    found = occurrences(read_rule(rule, Moment(start)), Range(start, since, since + timedelta(days=days)), budget)
    try:
        assert sum(1 for _ in found) <= 5_001
    except BudgetSpent:
        pass


# --- Whole objects --------------------------------------------------------------------------------

ZONES = st.sampled_from([";TZID=Europe/Berlin", ";TZID=Berlin by content", "Z", "", ";VALUE=DATE"])
SIMPLE = st.sampled_from(
    [
        "FREQ=DAILY",
        "FREQ=DAILY;INTERVAL=3",
        "FREQ=WEEKLY;BYDAY=MO,WE,FR,SU",
        "FREQ=WEEKLY;INTERVAL=2",
        "FREQ=MONTHLY;BYDAY=1MO,-1SU",
        "FREQ=MONTHLY;BYMONTHDAY=1,15,-1",
        "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
        "FREQ=YEARLY",
    ]
)


def _value(zone: str, at: datetime) -> str:
    if zone == ";VALUE=DATE":
        return f"{zone}:{at:%Y%m%d}"
    return f":{at:%Y%m%dT%H%M%SZ}" if zone == "Z" else f"{zone}:{at:%Y%m%dT%H%M%S}"


@st.composite
def objects(draw: st.DrawFn) -> tuple[bytes, date]:
    """A recurring VEVENT with exceptions, and a day near its start."""
    zone, rule = draw(ZONES), draw(SIMPLE)
    # Nothing starts or ends between two and three: there the oracle counts hours on the wall clock.
    day = draw(st.dates(date(2020, 1, 1), date(2024, 1, 1)))
    begin = datetime(day.year, day.month, day.day, draw(st.sampled_from([0, 5, 9, 23])), 30)
    # What COUNT means when DTSTART does not fit the rule is undefined (RFC 5545 §3.8.5.3).
    start = next(islice(occurrences(read_rule(rule, Moment(begin)), Range(begin), Budget(10_000)), 1, 2))
    starts = list(islice(occurrences(read_rule(rule, Moment(start)), Range(start), Budget(10_000)), 12))
    length = "P1D" if zone == ";VALUE=DATE" else draw(st.sampled_from(["PT1H", "PT45M", "P1D"]))
    lines = [f"DTSTART{_value(zone, start)}", f"DURATION:{length}"]
    lines.append(f"RRULE:{rule};COUNT=12" if draw(st.booleans()) else f"RRULE:{rule}")
    if draw(st.booleans()):
        lines.append(f"RDATE{_value(zone, start + timedelta(days=17, hours=-1))}")
    removed = draw(st.lists(st.sampled_from(starts), max_size=3, unique=True))
    lines += [f"EXDATE{_value(zone, each)}" for each in removed]
    text = component("VEVENT", "\n".join(lines))
    excluded = {line.partition(":")[2] for line in lines if line.startswith("EXDATE")}
    for each in draw(st.lists(st.sampled_from(starts[1:]), max_size=2, unique=True)):
        value = _value(zone, each)
        if value.partition(":")[2] not in excluded:
            moved = each + timedelta(days=draw(st.integers(-3, 3)))
            text += component("VEVENT", f"RECURRENCE-ID{value}\nDTSTART{_value(zone, moved)}\nDURATION:{length}")
    return octets(BERLIN + text), start.date()


def _seconds(at: date) -> int:
    if not isinstance(at, datetime):
        at = datetime(at.year, at.month, at.day)
    return int((at if at.tzinfo else at.replace(tzinfo=PYTHON_UTC)).timestamp())


@settings(max_examples=150, deadline=None)
@given(objects(), st.integers(0, 300), st.integers(1, 90))
def test_instances_are_those_of_recurring_ical_events(sample: tuple[bytes, date], later: int, days: int) -> None:
    text, day = sample
    since = datetime(day.year, day.month, day.day, tzinfo=PYTHON_UTC) + timedelta(days=later)
    until = since + timedelta(days=days)
    window = Window(_seconds(since), _seconds(until))
    ours = sorted(
        (each.start, each.end)
        for each in instances(read_calendar_object(text), window)
        if each.start < window.end and each.end > window.start  # type: ignore[operator]
    )
    found = recurring_ical_events.of(icalendar.Calendar.from_ical(text)).between(since, until)
    theirs = sorted((_seconds(each["DTSTART"].dt), _seconds(each["DTEND"].dt)) for each in found)
    assert ours == [each for each in theirs if each[0] < _seconds(until) and each[1] > _seconds(since)]


@settings(max_examples=100, deadline=None)
@given(objects(), st.integers(0, 2000), st.integers(1, 60))
def test_a_window_holds_what_the_whole_holds(sample: tuple[bytes, date], later: int, days: int) -> None:
    text, day = sample
    found = read_calendar_object(text)
    floating = FixedZone("east", 5 * 3600)
    start = _seconds(day) + later * 86400
    window = Window(start, start + days * 86400)
    whole = []
    for each in instances(found, floating=floating):
        if each.start > start + (days + 10) * 86400:
            break
        whole.append((each.start, each.end))
    touching = [each for each in whole if each[0] <= start + days * 86400 and each[1] >= start]
    assert [(each.start, each.end) for each in instances(found, window, floating)] == touching


def test_the_oracle_reads_what_is_generated() -> None:
    """No vacuous agreement: the two must find something."""
    text = octets(BERLIN + component("VEVENT", "DTSTART;TZID=Berlin by content:20240330T013000\nRRULE:FREQ=DAILY"))
    since = datetime(2024, 3, 30, tzinfo=PYTHON_UTC)
    found = recurring_ical_events.of(icalendar.Calendar.from_ical(text)).between(since, since + timedelta(days=3))
    window = Window(_seconds(since), _seconds(since) + 3 * 86400)
    ours = [each.start for each in instances(read_calendar_object(text), window, UTC)]
    assert ours == sorted(_seconds(each["DTSTART"].dt) for each in found)
    assert parse(text).kind == "VCALENDAR"
