"""Free-busy (RFC 4791 §7.10) and availability (RFC 7953)."""

from __future__ import annotations

import pytest

from tests.unit.calendar.samples import at, component, event, octets, single
from trekd.calendar.availability import availability_spans, read_availabilities
from trekd.calendar.contentlines import Property, parse
from trekd.calendar.freebusy import FreeBusy, busy_periods, free_busy_calendar, object_spans, with_availability
from trekd.calendar.spans import clipped, merged, without
from trekd.calendar.times import ALWAYS, UTC, Window
from trekd.errors import InvalidCalendar, InvalidCalendarObject, UnsupportedComponent

DAY = Window(at("20240102"), at("20240103"))


def test_arithmetic_of_spans() -> None:
    assert clipped([(0, 10, "B"), (20, 30, "B"), (5, 5, "B")], Window(5, 25)) == [(5, 10, "B"), (20, 25, "B")]
    assert clipped([(0, 1, "B")], ALWAYS) == [(0, 1, "B")]
    assert merged([(4, 6, "B"), (0, 3, "B"), (3, 4, "B"), (2, 5, "T"), (8, 9, "B")]) == [
        (0, 6, "B"), (2, 5, "T"), (8, 9, "B"),
    ]  # fmt: skip
    assert list(without([(0, 10, "U"), (12, 14, "U")], [(2, 3, "B"), (3, 4, "T"), (9, 13, "B")])) == [
        (0, 2, "U"), (4, 9, "U"), (13, 14, "U"),
    ]  # fmt: skip


def test_busy_periods_are_merged_by_letter_and_cut_to_the_window() -> None:
    morning, noon = at("20240102"), at("20240102T120000")
    spans = [
        (0, morning + 10, "B"),
        (noon, noon + 60, "B"),
        (noon + 60, noon + 90, "B"),
        (noon + 20, noon + 30, "T"),
        (noon + 200, noon + 300, "F"),
        (noon + 400, noon + 400, "B"),
    ]
    assert busy_periods(spans, DAY) == (
        (morning, morning + 10, "B"),
        (noon, noon + 90, "B"),
        (noon + 20, noon + 30, "T"),
    )


def test_a_free_busy_object() -> None:
    about = FreeBusy(
        at("20240102"), at("20240103"), at("20240101"), "42", "-//X//EN", "REPLY",
        (Property("ATTENDEE", "mailto:a@x"),),
    )  # fmt: skip
    periods = [(at("20240102T100000"), at("20240102T110000"), "U")]
    assert free_busy_calendar(about, periods).decode().split("\r\n") == [
        "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//X//EN", "METHOD:REPLY", "BEGIN:VFREEBUSY",
        "DTSTAMP:20240101T000000Z", "UID:42", "DTSTART:20240102T000000Z", "DTEND:20240103T000000Z",
        "ATTENDEE:mailto:a@x", "FREEBUSY;FBTYPE=BUSY-UNAVAILABLE:20240102T100000Z/20240102T110000Z",
        "END:VFREEBUSY", "END:VCALENDAR", "",
    ]  # fmt: skip


def test_nothing_busy_is_an_object_without_periods() -> None:
    """RFC 4791 §7.10: never an empty answer."""
    (inner,) = parse(free_busy_calendar(FreeBusy(0, 1, 0), ())).components
    assert inner.kind == "VFREEBUSY"
    assert inner.first("FREEBUSY") is None


def test_how_objects_count() -> None:
    meeting = event("DTSTART:20240101T230000Z\nDURATION:PT2H\nRRULE:FREQ=DAILY\nSTATUS:TENTATIVE")
    assert object_spans(meeting, DAY, UTC) == (
        (at("20240102"), at("20240102T010000"), "T"), (at("20240102T230000"), at("20240103"), "T"),
    )  # fmt: skip
    assert object_spans(single("VTODO", "DTSTART:20240102T100000Z\nDURATION:PT1H"), DAY, UTC) == ()
    stored = single("VFREEBUSY", "FREEBUSY;FBTYPE=BUSY-UNAVAILABLE:20240102T100000Z/PT1H")
    assert object_spans(stored, DAY, UTC) == ((at("20240102T100000"), at("20240102T110000"), "U"),)


# --- Availability ---------------------------------------------------------------------------------

OFFICE = (
    "BEGIN:AVAILABLE\nUID:a\nDTSTART:20240101T090000Z\nDTEND:20240101T170000Z\nRRULE:FREQ=DAILY\n"
    "EXDATE:20240103T090000Z\nEND:AVAILABLE"
)


def test_outside_office_hours_nobody_is_there() -> None:
    found = read_availabilities(octets(component("VAVAILABILITY", OFFICE)))
    assert availability_spans(found, DAY, UTC) == (
        (at("20240102"), at("20240102T090000"), "U"), (at("20240102T170000"), at("20240103"), "U"),
    )  # fmt: skip
    third = Window(at("20240103"), at("20240104"))
    assert availability_spans(found, third, UTC) == ((at("20240103"), at("20240104"), "U"),)


def test_availability_speaks_for_its_own_time_only() -> None:
    lines = f"DTSTART:20240102T120000Z\nDTEND:20240102T200000Z\nBUSYTYPE:BUSY-TENTATIVE\n{OFFICE}"
    found = read_availabilities(octets(component("VAVAILABILITY", lines)))
    assert availability_spans(found, DAY, UTC) == ((at("20240102T170000"), at("20240102T200000"), "T"),)


def test_the_highest_priority_is_heard() -> None:
    """RFC 7953 §5: 1 before 9, no PRIORITY last."""
    lines = "PRIORITY:1\nDTSTART:20240102T100000Z\nDTEND:20240102T120000Z\nBUSYTYPE:BUSY"
    away = component("VAVAILABILITY", lines, "2")
    low = component("VAVAILABILITY", f"PRIORITY:5\n{OFFICE}")
    for both in (away + component("VAVAILABILITY", OFFICE), low + away):
        assert availability_spans(read_availabilities(octets(both)), DAY, UTC) == (
            (at("20240102"), at("20240102T090000"), "U"),
            (at("20240102T100000"), at("20240102T120000"), "B"),
            (at("20240102T170000"), at("20240103"), "U"),
        )


def test_an_override_of_available_time() -> None:
    moved = (
        "BEGIN:AVAILABLE\nUID:a\nRECURRENCE-ID:20240102T090000Z\nDTSTART:20240102T120000Z\n"
        "DTEND:20240102T130000Z\nEND:AVAILABLE"
    )
    found = read_availabilities(octets(component("VAVAILABILITY", f"{OFFICE}\n{moved}")))
    assert availability_spans(found, DAY, UTC) == (
        (at("20240102"), at("20240102T120000"), "U"), (at("20240102T130000"), at("20240103"), "U"),
    )  # fmt: skip


def test_events_come_before_availability() -> None:
    noon = at("20240102T120000")
    assert with_availability([(noon, noon + 60, "T")], [(noon - 60, noon + 30, "U")]) == (
        (noon - 60, noon, "U"), (noon, noon + 60, "T"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", InvalidCalendarObject),
        (component("VEVENT", "DTSTART:20240101"), UnsupportedComponent),
        (component("VAVAILABILITY", "BEGIN:AVAILABLE\nEND:AVAILABLE"), InvalidCalendar),
        ("BEGIN:VAVAILABILITY", InvalidCalendar),
    ],
)
def test_what_is_no_availability(text: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        read_availabilities(octets(text))
