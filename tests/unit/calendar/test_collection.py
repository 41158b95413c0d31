"""Many objects in one stream."""

from __future__ import annotations

import pytest

from tests.unit.calendar.samples import BERLIN, component, event, octets
from trekd.calendar.collection import joined, split
from trekd.calendar.contentlines import Property, parse
from trekd.errors import InvalidCalendar, InvalidCalendarObject, SyntaxFault

LOCAL = "DTSTART;TZID=Berlin by content:20240701T100000"


def test_one_calendar_of_many_has_each_zone_once() -> None:
    first, second = event(LOCAL, BERLIN), event(LOCAL + "\nSUMMARY:b", BERLIN)
    whole = parse(b"".join(joined([first.calendar, second.calendar], [Property("X-WR-CALNAME", "Work")])))
    assert [each.kind for each in whole.components] == ["VTIMEZONE", "VEVENT", "VEVENT"]
    assert [each.name for each in whole.properties] == ["VERSION", "X-WR-CALNAME"]


def test_different_zones_of_one_name_are_told_apart() -> None:
    other = BERLIN.replace("+0200", "+0300")
    whole = parse(b"".join(joined([event(LOCAL, BERLIN).calendar, event(LOCAL, other).calendar])))
    assert [each.value("TZID") for each in whole.inside("VTIMEZONE")] == ["Berlin by content", "Berlin by content (2)"]
    starts = [each.first("DTSTART") for each in whole.inside("VEVENT")]
    assert [each.parameter("TZID") for each in starts if each] == ["Berlin by content", "Berlin by content (2)"]


def test_zones_that_everybody_knows_are_not_told_apart() -> None:
    named = BERLIN.replace("Berlin by content", "Europe/Berlin")
    start = "DTSTART;TZID=Europe/Berlin:20240701T100000"
    calendars = [event(start, named).calendar, event(start, named.replace("1981", "1982")).calendar]
    whole = parse(b"".join(joined(calendars)))
    assert [each.value("TZID") for each in whole.inside("VTIMEZONE")] == ["Europe/Berlin"]


def test_no_calendar_is_an_empty_one() -> None:
    assert b"".join(joined([])) == b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n"


def test_a_calendar_is_split_by_uid() -> None:
    text = octets(
        "METHOD:PUBLISH\n"
        + BERLIN
        + component("VEVENT", f"{LOCAL}\nRRULE:FREQ=DAILY", "a")
        + component("VTODO", "SUMMARY:x", "b")
        + component("VEVENT", "RECURRENCE-ID;TZID=Berlin by content:20240702T100000\n" + LOCAL, "a")
    )
    first, second = split(text)
    assert (first.uid, second.uid) == ("a", "b")
    assert first.found is not None and len(first.found.overrides) == 1
    assert [each.kind for each in first.found.calendar.components] == ["VTIMEZONE", "VEVENT", "VEVENT"]
    assert second.found is not None
    assert [each.kind for each in second.found.calendar.components] == ["VTODO"]
    assert b"METHOD" not in first.octets
    assert parse(first.octets) == first.found.calendar


def test_several_calendars_may_follow_each_other() -> None:
    two = octets(component("VEVENT", "DTSTART:20240101", "a")) + octets(component("VEVENT", "DTSTART:20240101", "b"))
    assert [each.uid for each in split(two)] == ["a", "b"]


def test_a_missing_uid_is_made_the_same_each_time() -> None:
    text = octets("BEGIN:VEVENT\nDTSTART:20240101\nEND:VEVENT\nBEGIN:VEVENT\nDTSTART:20240102\nEND:VEVENT")
    first, second = split(text)
    assert first.uid and first.uid != second.uid
    assert [each.uid for each in split(text)] == [first.uid, second.uid]
    assert first.found is not None and first.found.uid == first.uid


def test_what_cannot_be_stored_is_told_and_the_rest_goes_on() -> None:
    text = octets(
        component("VEVENT", "SUMMARY:no start", "a")
        + component("VEVENT", "DTSTART;TZID=Nowhere:20240101T100000", "b")
        + component("VEVENT", "DTSTART:20240101", "c")
    )
    faults = [each.fault for each in split(text)]
    assert [type(each) for each in faults] == [InvalidCalendar, InvalidCalendarObject, type(None)]


def test_what_is_no_calendar_at_all() -> None:
    with pytest.raises(SyntaxFault):
        list(split(b"Hello\n"))
    assert list(split(b"")) == []
