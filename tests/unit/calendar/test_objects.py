"""Calendar object resources (RFC 4791 §4.1, §5.3.2.1)."""

from __future__ import annotations

import pytest

from tests.unit.calendar.samples import at, component, event, octets
from trekd.calendar.objects import ObjectLimits, read_calendar_object
from trekd.errors import (
    DateTooEarly,
    DateTooLate,
    InvalidCalendar,
    InvalidCalendarObject,
    TooManyAttendees,
    TooManyInstances,
    UnsupportedComponent,
)

EVENT = component("VEVENT", "DTSTART:20240101T100000Z")


def test_a_master_and_its_overrides() -> None:
    found = event(
        "DTSTART:20240101T100000Z\nRRULE:FREQ=DAILY",
        "RECURRENCE-ID:20240103T100000Z\nDTSTART:20240103T120000Z",
        "RECURRENCE-ID;RANGE=THISANDFUTURE:20240105T100000Z\nDTSTART:20240105T120000Z",
    )
    assert (found.component, found.uid, len(found.overrides)) == ("VEVENT", "1", 2)
    assert found.master is not None and found.master.is_recurring
    assert [each.and_future for each in found.overrides] == [False, True]


def test_what_clients_leave_out_is_not_missed() -> None:
    found = read_calendar_object(
        b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART;TZID=W. Europe Standard Time:20240101T100000\n"
        b"DTEND;TZID=W. Europe Standard Time:20240101T090000\nEND:VEVENT\nEND:VCALENDAR\n"
    )
    assert found.master is not None and found.master.start is not None
    assert found.master.start.zone is not None


@pytest.mark.parametrize(
    "text",
    [
        "BEGIN:VEVENT\nUID:1\nEND:VEVENT",
        component("VEVENT", "DTSTART:20240230T000000Z"),
        component("VEVENT", "DTSTART:tomorrow"),
        component("VEVENT", "DTSTART:20240101\nDURATION:1h"),
        component("VEVENT", "DTSTART:20240101\nRRULE:FREQ=FORTNIGHTLY"),
        component("VEVENT", "DTSTART:20240101\nRRULE:FREQ=DAILY;INTERVAL=0"),
        component("VEVENT", "DTSTART:20240101\nRRULE:FREQ=DAILY;BYMONTH=13"),
        component("VEVENT", "DTSTART:20240101\nRRULE:FREQ=HOURLY"),
        component("VEVENT", "DTSTART:20240101\nRRULE:FREQ=DAILY;COUNT=-1"),
        component("VEVENT", "DTSTART:20240101\nEXDATE:20240101/P1D"),
        component("VTODO", "RRULE:FREQ=DAILY"),
        component("VFREEBUSY", "FREEBUSY:20240101T100000Z"),
        "BEGIN:VEVENT\nUID:1\n",
        "what is this",
    ],
)
def test_invalid_calendar(text: str) -> None:
    """CALDAV:valid-calendar-data."""
    with pytest.raises(InvalidCalendar) as refusal:
        read_calendar_object(octets(text))
    assert refusal.value.reason


def test_no_calendar_at_all() -> None:
    with pytest.raises(InvalidCalendar):
        read_calendar_object(b"BEGIN:VCARD\nEND:VCARD\n")
    with pytest.raises(InvalidCalendar):
        read_calendar_object(b"BEGIN:VCALENDAR\nVERSION:1.0\nEND:VCALENDAR\n")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "METHOD:REQUEST\n" + EVENT,
        EVENT + component("VTODO", "SUMMARY:x"),
        EVENT + component("VEVENT", "DTSTART:20240101T100000Z", uid="2"),
        EVENT + EVENT,
        "BEGIN:VEVENT\nDTSTART:20240101\nEND:VEVENT",
        component("VEVENT", "DTSTART;TZID=Nowhere:20240101T100000"),
        EVENT + 2 * component("VEVENT", "RECURRENCE-ID:20240101T100000Z\nDTSTART:20240101T100000Z"),
    ],
)
def test_invalid_object(text: str) -> None:
    """CALDAV:valid-calendar-object-resource."""
    with pytest.raises(InvalidCalendarObject) as refusal:
        read_calendar_object(octets(text))
    assert refusal.value.reason


def test_unsupported_component() -> None:
    with pytest.raises(UnsupportedComponent) as refusal:
        read_calendar_object(octets(EVENT), ("VTODO",))
    assert refusal.value.component == "VEVENT"
    with pytest.raises(UnsupportedComponent):
        read_calendar_object(octets("BEGIN:VPOLL\nEND:VPOLL"))


def test_limits() -> None:
    attendees = "\n".join(f"ATTENDEE:mailto:{number}@x" for number in range(4))
    with pytest.raises(TooManyAttendees) as refusal:
        read_calendar_object(
            octets(component("VEVENT", f"DTSTART:20240101\n{attendees}")), limits=ObjectLimits(attendees=3)
        )
    assert refusal.value.limit == 3
    for lines in ("RRULE:FREQ=DAILY;COUNT=11", "RDATE:" + ",".join(f"202401{day:02}" for day in range(10, 21))):
        with pytest.raises(TooManyInstances):
            read_calendar_object(
                octets(component("VEVENT", f"DTSTART:20240101\n{lines}")), limits=ObjectLimits(instances=10)
            )


def test_dates_out_of_range() -> None:
    limits = ObjectLimits(earliest=at("20240101T100000"), latest=at("20240102"))
    read_calendar_object(octets(EVENT), limits=limits)
    with pytest.raises(DateTooEarly):
        read_calendar_object(octets(component("VEVENT", "DTSTART:20240101T095959Z")), limits=limits)
    with pytest.raises(DateTooLate):
        read_calendar_object(octets(component("VEVENT", "DTSTART:20240102T000000Z")), limits=limits)


def test_what_would_take_too_long_is_refused() -> None:
    rules = "\n".join(["RRULE:FREQ=DAILY"] * 21)
    with pytest.raises(InvalidCalendar):
        read_calendar_object(octets(component("VEVENT", f"DTSTART:20240101\n{rules}")))
    zones = "".join(f"BEGIN:VTIMEZONE\nTZID:{number}\nEND:VTIMEZONE\n" for number in range(51))
    with pytest.raises(InvalidCalendarObject):
        read_calendar_object(octets(zones + EVENT))
    overrides = "".join(
        component("VEVENT", f"RECURRENCE-ID;RANGE=THISANDFUTURE:{day}\nDTSTART:{day}")
        for day in range(20240101, 20240131)
    )
    read_calendar_object(octets(EVENT + overrides))
    many = "".join(
        component("VEVENT", f"RECURRENCE-ID;RANGE=THISANDFUTURE:{year}0101\nDTSTART:{year}0101")
        for year in range(1900, 2001)
    )
    with pytest.raises(TooManyInstances):
        read_calendar_object(octets(EVENT + many))
