"""CALDAV:calendar-data in requests (RFC 4791 §9.6)."""

from __future__ import annotations

import pytest

from tests.unit.calendar.samples import BERLIN, at, event, single
from trekd.calendar.contentlines import Component
from trekd.calendar.objects import read_calendar_object
from trekd.calendar.recurrence import Bounds
from trekd.calendar.selection import CompSelection, PropSelection, Selection, select, selected
from trekd.calendar.times import UTC, Window
from trekd.errors import TooManyInstances

MEETING = event(
    "DTSTART;TZID=Berlin by content:20240101T100000\nDTEND;TZID=Berlin by content:20240101T110000\n"
    "RRULE:FREQ=WEEKLY\nEXDATE;TZID=Berlin by content:20240115T100000\nSUMMARY:Weekly\nX-Y;Z=1:2",
    BERLIN,
    "RECURRENCE-ID;TZID=Berlin by content:20240122T100000\n"
    "DTSTART;TZID=Berlin by content:20240123T100000\nDURATION:PT2H\nSUMMARY:Moved",
)


def _window(start: str, end: str) -> Window:
    return Window(at(start), at(end))


def _lines(component: Component) -> list[str]:
    return [f"{each.name}:{each.value}" for each in component.properties]


def test_everything_is_what_was_sent() -> None:
    assert Selection().is_whole
    assert read_calendar_object(select(Selection(), MEETING)).calendar == MEETING.calendar


def test_named_properties_and_components_only() -> None:
    wanted = CompSelection(
        "VCALENDAR",
        (PropSelection("VERSION"),),
        (CompSelection("VEVENT", (PropSelection("SUMMARY"), PropSelection("X-Y", no_value=True)), ()),),
    )
    text = select(Selection(wanted), MEETING).decode()
    assert text == (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nSUMMARY:Weekly\r\nX-Y;Z=1:\r\nEND:VEVENT\r\n"
        "BEGIN:VEVENT\r\nSUMMARY:Moved\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )


def test_no_components_and_all_of_them() -> None:
    assert selected(Selection(CompSelection("VCALENDAR", None, ())), MEETING).components == ()
    assert selected(Selection(CompSelection("VCALENDAR", ())), MEETING).components == MEETING.calendar.components


def test_expanded_instances_are_in_utc_without_rules_and_zones() -> None:
    """RFC 4791 §9.6.5: across the change to summer time, the exception left out."""
    found = selected(Selection(expand=_window("20240108", "20240129")), MEETING)
    assert [_lines(each) for each in found.components] == [
        ["UID:1", "DTSTART:20240108T090000Z", "RECURRENCE-ID:20240108T090000Z", "DTEND:20240108T100000Z",
         "SUMMARY:Weekly", "X-Y:2"],
        ["UID:1", "DTSTART:20240123T090000Z", "RECURRENCE-ID:20240122T090000Z", "DURATION:PT2H", "SUMMARY:Moved"],
    ]  # fmt: skip
    (summer,) = selected(Selection(expand=_window("20240401", "20240402")), MEETING).components
    assert _lines(summer)[1] == "DTSTART:20240401T080000Z"
    assert b"TZID" not in select(Selection(expand=_window("20240101", "20240501")), MEETING)


def test_expanded_dates_stay_dates() -> None:
    found = event("DTSTART;VALUE=DATE:20240101\nDTEND;VALUE=DATE:20240103\nRRULE:FREQ=WEEKLY")
    (each,) = selected(Selection(expand=_window("20240109", "20240110")), found).components
    assert _lines(each) == ["UID:1", "DTSTART:20240108", "RECURRENCE-ID:20240108", "DTEND:20240110"]
    assert each.properties[1].parameter("VALUE") == "DATE"


def test_expanded_floating_times_stay_floating() -> None:
    found = event("DTSTART:20240101T100000\nDTEND:20240101T110000\nRRULE:FREQ=DAILY;COUNT=2")
    *_, each = selected(Selection(expand=_window("20240101", "20240201")), found).components
    assert _lines(each) == [
        "UID:1", "DTSTART:20240102T100000", "RECURRENCE-ID:20240102T100000", "DTEND:20240102T110000",
    ]  # fmt: skip


def test_what_does_not_recur_has_no_recurrence_id() -> None:
    found = event("DTSTART;TZID=Europe/Berlin:20240101T100000\nSUMMARY:x")
    (each,) = selected(Selection(expand=_window("20240101", "20240102")), found).components
    assert _lines(each) == ["UID:1", "DTSTART:20240101T090000Z", "SUMMARY:x"]
    assert selected(Selection(expand=_window("20240201", "20240202")), found).components == ()


def test_expansion_is_bounded() -> None:
    found = event("DTSTART:19700101T000000Z\nRRULE:FREQ=SECONDLY")
    with pytest.raises(TooManyInstances):
        select(Selection(expand=_window("20240101", "20240102")), found, UTC, Bounds(100))


@pytest.mark.parametrize(
    ("start", "end", "kept"),
    [
        ("20240101", "20240102", 0),
        ("20240122", "20240123", 1),
        ("20240123", "20240124", 1),
        ("20240124", "20240125", 0),
    ],
)
def test_overrides_that_matter_to_a_window(start: str, end: str, kept: int) -> None:
    """RFC 4791 §9.6.6: where the instance is now, and where it was."""
    found = selected(Selection(limit_recurrence=_window(start, end)), MEETING)
    assert [each.kind for each in found.components] == ["VEVENT", "VTIMEZONE", *["VEVENT"] * kept]


def test_an_override_of_all_that_follow_matters_ever_after() -> None:
    found = event(
        "DTSTART:20240101T100000Z\nRRULE:FREQ=WEEKLY",
        "RECURRENCE-ID;RANGE=THISANDFUTURE:20240122T100000Z\nDTSTART:20240122T110000Z",
    )
    later = selected(Selection(limit_recurrence=_window("20250101", "20250102")), found)
    assert len(later.components) == 2
    assert len(selected(Selection(limit_recurrence=_window("20240101", "20240102")), found).components) == 1


def test_free_busy_periods_of_a_window() -> None:
    """RFC 4791 §9.6.7."""
    found = single(
        "VFREEBUSY",
        "FREEBUSY:20240101T100000Z/PT1H,20240102T100000Z/PT1H\nFREEBUSY;FBTYPE=FREE:20240103T100000Z/PT1H",
    )
    limited = selected(Selection(limit_free_busy=_window("20240102", "20240103")), found)
    assert _lines(limited.components[0]) == ["UID:1", "FREEBUSY:20240102T100000Z/PT1H"]


def test_selection_after_expansion() -> None:
    wanted = Selection(
        CompSelection("VCALENDAR", (), (CompSelection("VEVENT", (PropSelection("DTSTART"),)),)),
        expand=_window("20240108", "20240109"),
    )
    assert select(wanted, MEETING) == (
        b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART:20240108T090000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
