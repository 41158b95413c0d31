"""Recurrence sets (RFC 5545 §3.8.4.4, §3.8.5)."""

from __future__ import annotations

import pytest

from tests.unit.calendar.samples import BERLIN, at, event, single
from trekd.calendar.objects import CalendarObject
from trekd.calendar.recurrence import Bounds, instances
from trekd.calendar.times import ALWAYS, EARLIEST, LATEST, UTC, Window, utc_value
from trekd.errors import TooManyInstances


def _starts(found: CalendarObject, window: Window = ALWAYS) -> list[str]:
    return [utc_value(each.start) for each in instances(found, window)]


def _spans(found: CalendarObject) -> list[tuple[str, str]]:
    return [(utc_value(each.start), utc_value(each.end)) for each in instances(found)]


def test_a_plain_event_is_one_instance() -> None:
    (each,) = instances(event("DTSTART:20240101T100000Z\nDURATION:PT1H"))
    assert (each.start, each.end) == (at("20240101T100000"), at("20240101T110000"))
    assert each.recurrence_id is None


def test_rules_dates_and_exceptions_together() -> None:
    found = event(
        "DTSTART:20240101T100000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=3\nRRULE:FREQ=WEEKLY;COUNT=2\n"
        "RDATE:20240105T100000Z,20240102T100000Z\nRDATE;VALUE=PERIOD:20240106T100000Z/PT3H\nEXDATE:20240102T100000Z"
    )
    assert _spans(found) == [
        ("20240101T100000Z", "20240101T110000Z"),
        ("20240103T100000Z", "20240103T110000Z"),
        ("20240105T100000Z", "20240105T110000Z"),
        ("20240106T100000Z", "20240106T130000Z"),
        ("20240108T100000Z", "20240108T110000Z"),
    ]


def test_exceptions_by_day() -> None:
    found = event("DTSTART:20240101T100000Z\nRRULE:FREQ=DAILY;COUNT=3\nEXDATE;VALUE=DATE:20240102")
    assert _starts(found) == ["20240101T100000Z", "20240103T100000Z"]


def test_the_wall_clock_stays_over_the_change_of_offset() -> None:
    found = event("DTSTART;TZID=Berlin by content:20240330T100000\nRRULE:FREQ=DAILY;COUNT=3", BERLIN)
    assert _starts(found) == ["20240330T090000Z", "20240331T080000Z", "20240401T080000Z"]


def test_an_end_is_exact_and_a_duration_is_nominal() -> None:
    """RFC 5545 §3.8.5.3, over the night that is an hour short."""
    for end, expected in (("DTEND;TZID=Europe/Berlin:20240330T120000", "20240331T110000Z"), ("DURATION:P1D", "")):
        found = event(f"DTSTART;TZID=Europe/Berlin:20240329T120000\n{end}\nRRULE:FREQ=DAILY;COUNT=2")
        assert _spans(found)[1] == ("20240330T110000Z", expected or "20240331T100000Z")


def test_until_in_utc_in_local_time_and_as_a_date() -> None:
    for until in ("20240103T080000Z", "20240103T100000", "20240103"):
        found = event(f"DTSTART;TZID=Europe/Athens:20240101T100000\nRRULE:FREQ=DAILY;UNTIL={until}")
        assert len(_starts(found)) == 3
    found = event("DTSTART;TZID=Europe/Athens:20240101T100000\nRRULE:FREQ=DAILY;UNTIL=20240103T075959Z")
    assert len(_starts(found)) == 2
    assert len(_starts(event("DTSTART;VALUE=DATE:20240101\nRRULE:FREQ=DAILY;UNTIL=20240103"))) == 3


def test_overrides_replace_their_instances() -> None:
    found = event(
        "DTSTART:20240101T100000Z\nRRULE:FREQ=DAILY;COUNT=3",
        "RECURRENCE-ID;TZID=Europe/Berlin:20240102T110000\nDTSTART:20240105T100000Z",
    )
    every = list(instances(found))
    assert [utc_value(each.start) for each in every] == ["20240101T100000Z", "20240103T100000Z", "20240105T100000Z"]
    assert every[-1].recurrence_id is not None
    assert every[-1].recurrence_id.seconds(UTC) == at("20240102T100000")
    assert every[-1].timing is found.overrides[0]


def test_overrides_without_a_master() -> None:
    """RFC 4791 §4.1."""
    found = event("RECURRENCE-ID:20240102T100000Z\nDTSTART:20240105T100000Z")
    assert _starts(found) == ["20240105T100000Z"]


def test_this_and_future_moves_what_follows() -> None:
    """RFC 5545 §3.2.13, §3.8.4.4: later and longer, until the next of its kind; single overrides stand."""
    found = event(
        "DTSTART:20240101T100000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=7",
        "RECURRENCE-ID;RANGE=THISANDFUTURE:20240103T100000Z\nDTSTART:20240103T120000Z\nDURATION:PT2H",
        "RECURRENCE-ID:20240104T100000Z\nDTSTART:20240104T150000Z\nDURATION:PT3H",
        "RECURRENCE-ID;RANGE=THISANDFUTURE:20240106T100000Z\nDTSTART:20240106T090000Z\nDURATION:PT4H",
    )
    assert _spans(found) == [
        ("20240101T100000Z", "20240101T110000Z"),
        ("20240102T100000Z", "20240102T110000Z"),
        ("20240103T120000Z", "20240103T140000Z"),
        ("20240104T150000Z", "20240104T180000Z"),
        ("20240105T120000Z", "20240105T140000Z"),
        ("20240106T090000Z", "20240106T130000Z"),
        ("20240107T090000Z", "20240107T130000Z"),
    ]
    assert _starts(found, Window(at("20240107"), at("20240108"))) == ["20240107T090000Z"]


def test_this_and_future_by_days_and_on_the_wall_clock() -> None:
    found = event(
        "DTSTART;TZID=Europe/Berlin:20240326T100000\nRRULE:FREQ=WEEKLY;COUNT=3",
        "RECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Europe/Berlin:20240326T100000\n"
        "DTSTART;TZID=Europe/Berlin:20240328T110000",
    )
    assert _starts(found) == ["20240328T100000Z", "20240404T090000Z", "20240411T090000Z"]
    assert _starts(found, Window(at("20240404"), at("20240405"))) == ["20240404T090000Z"]


def test_a_time_in_a_gap_is_taken_as_before_it() -> None:
    found = event("DTSTART;TZID=Europe/Berlin:20240330T023000\nRRULE:FREQ=DAILY;COUNT=3")
    assert _starts(found) == ["20240330T013000Z", "20240331T013000Z", "20240401T003000Z"]


def test_instances_before_the_window_that_reach_into_it() -> None:
    found = event("DTSTART:20240101T100000Z\nDURATION:P10D\nRRULE:FREQ=MONTHLY")
    assert _starts(found, Window(at("20250105"), at("20250106"))) == ["20250101T100000Z"]


def test_a_task_without_start() -> None:
    (due,) = instances(single("VTODO", "DUE:20240101T100000Z"))
    assert due.start == due.end == at("20240101T100000")
    (bare,) = instances(single("VTODO", "SUMMARY:x"))
    assert (bare.start, bare.end) == (EARLIEST, LATEST)


@pytest.mark.parametrize(
    ("rule", "few"),
    [
        ("FREQ=SECONDLY", False),
        ("FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30", True),
        ("FREQ=MINUTELY;BYYEARDAY=366;BYMONTH=1", True),
        ("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", True),
        ("FREQ=YEARLY;BYWEEKNO=53;BYMONTH=6", True),
        ("FREQ=MONTHLY;BYMONTHDAY=31;BYMONTH=2;BYSETPOS=-366", True),
        ("FREQ=YEARLY;BYHOUR=0,1;BYMINUTE=0,1;BYSECOND=0;BYDAY=MO;INTERVAL=999999999", True),
    ],
)
def test_no_rule_takes_more_steps_than_it_may(rule: str, few: bool) -> None:
    """A week in 2024, of a rule that began in 1970: at once, or refused."""
    found = event(f"DTSTART:19700101T000000Z\nRRULE:{rule}")
    week = Window(at("20240101"), at("20240108"))
    if few:
        assert list(instances(found, week, UTC, Bounds(10, 20_000))) == []
    else:
        with pytest.raises(TooManyInstances):
            list(instances(found, week, UTC, Bounds(10, 20_000)))


def test_a_rule_that_must_be_counted_is_given_up() -> None:
    found = event("DTSTART:19700101T000000Z\nRRULE:FREQ=SECONDLY;BYMINUTE=7;COUNT=20000")
    with pytest.raises(TooManyInstances):
        list(instances(found, Window(at("20240101"), at("20240102")), UTC, Bounds(10, 1_000)))


def test_times_at_the_ends_of_the_calendar() -> None:
    for start in ("00010101T000000", "99991231T235959"):
        found = event(f"DTSTART;TZID=Europe/Berlin:{start}\nDURATION:P9999D\nRRULE:FREQ=DAILY;COUNT=3")
        assert 1 <= len(_starts(found)) <= 3
    assert _starts(event("DTSTART:99981231T000000Z\nRRULE:FREQ=YEARLY")) == ["99981231T000000Z"]


def test_every_instance_knows_its_recurrence_id() -> None:
    found = event("DTSTART;VALUE=DATE:20240101\nRRULE:FREQ=DAILY;COUNT=2")
    assert [each.recurrence_id.value for each in instances(found) if each.recurrence_id] == ["20240101", "20240102"]
