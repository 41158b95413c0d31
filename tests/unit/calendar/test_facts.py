"""What goes into an index (RFC 4791 §7.10, §9.9)."""

from __future__ import annotations

import pytest

from tests.unit.calendar.samples import at, event, single
from trekd.calendar.facts import calendar_facts

DAY = 86400


def test_an_event() -> None:
    facts = calendar_facts(
        event(
            "DTSTART;TZID=Europe/Berlin:20240701T100000\nDTEND;TZID=Europe/Berlin:20240701T110000\n"
            "SUMMARY:Straße\\, 1\nCATEGORIES:Work,A\\,B\nX-OTHER:no\n"
            "ORGANIZER;CN=The Boss:MAILTO:Boss@Example.com\nATTENDEE:mailto:a@x.org\nATTENDEE:urn:uuid:1"
        )
    )
    assert facts.component == "VEVENT"
    assert facts.uid == "1"
    assert facts.spans == ((at("20240701T080000"), at("20240701T090000"), "B"),)
    assert facts.open_from is None
    assert not facts.is_floating
    assert facts.texts == (
        ("UID", "1"),
        ("SUMMARY", "strasse, 1"),
        ("CATEGORIES", "work"),
        ("CATEGORIES", "a,b"),
        ("ORGANIZER", "boss@example.com"),
        ("ORGANIZER", "the boss"),
        ("ATTENDEE", "a@x.org"),
        ("ATTENDEE", "urn:uuid:1"),
    )
    assert facts.organizer == "boss@example.com"
    assert facts.attendees == ("a@x.org",)


@pytest.mark.parametrize(
    ("lines", "letter"),
    [
        ("", "B"),
        ("STATUS:CONFIRMED\nTRANSP:OPAQUE", "B"),
        ("STATUS:TENTATIVE", "T"),
        ("STATUS:CANCELLED", "F"),
        ("TRANSP:TRANSPARENT", "F"),
        ("TRANSP:TRANSPARENT\nSTATUS:TENTATIVE", "F"),
    ],
)
def test_busy_letters(lines: str, letter: str) -> None:
    """RFC 4791 §7.10."""
    facts = calendar_facts(event(f"DTSTART:20240101T100000Z\nDURATION:PT1H\n{lines}"))
    assert [span[2] for span in facts.spans] == [letter]


def test_dates_and_local_times_are_floating() -> None:
    for lines in ("DTSTART;VALUE=DATE:20240101", "DTSTART:20240101T000000\nDURATION:P1D"):
        facts = calendar_facts(event(lines))
        assert facts.is_floating
        assert facts.spans == ((at("20240101"), at("20240102"), "B"),)


def test_an_endless_rule_is_open_behind_its_spans() -> None:
    facts = calendar_facts(event("DTSTART:20240101T100000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY"))
    assert len(facts.spans) == 400
    assert facts.open_from == at("20240101T100000") + 400 * DAY
    assert list(facts.spans) == sorted(facts.spans)


def test_birthdays_stay_within_the_horizon() -> None:
    facts = calendar_facts(event("DTSTART;VALUE=DATE:19600229\nRRULE:FREQ=YEARLY"))
    assert facts.spans[1][0] == at("19640229")
    assert facts.open_from is not None and facts.open_from > at("21000101")


def test_a_rule_that_ends_is_not_open() -> None:
    facts = calendar_facts(event("DTSTART:20240101T100000Z\nRRULE:FREQ=DAILY;COUNT=400"))
    assert len(facts.spans) == 400
    assert facts.open_from is None


def test_every_second_since_1970() -> None:
    facts = calendar_facts(event("DTSTART:19700101T000000Z\nRRULE:FREQ=SECONDLY"))
    assert len(facts.spans) == 400
    assert facts.open_from is not None and facts.open_from <= 400


def test_a_rule_that_never_comes_true_leaves_the_rest_open() -> None:
    facts = calendar_facts(event("DTSTART:20240101T000001Z\nRRULE:FREQ=SECONDLY;INTERVAL=2;BYSECOND=0"))
    assert facts.spans == ((at("20240101T000001"), at("20240101T000001"), "B"),)
    assert facts.open_from is not None and facts.open_from <= at("20240101T000001")


def test_an_override_moves_its_instance() -> None:
    facts = calendar_facts(
        event(
            "DTSTART:20240101T100000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=3",
            "RECURRENCE-ID:20240102T100000Z\nDTSTART:20240109T100000Z\nDURATION:PT2H\nSUMMARY:Later\nSTATUS:TENTATIVE",
        )
    )
    assert facts.spans == (
        (at("20240101T100000"), at("20240101T110000"), "B"),
        (at("20240103T100000"), at("20240103T110000"), "B"),
        (at("20240109T100000"), at("20240109T120000"), "T"),
    )
    assert ("SUMMARY", "later") in facts.texts


def test_free_busy_periods() -> None:
    facts = calendar_facts(
        single(
            "VFREEBUSY",
            "DTSTART:20240101T000000Z\nDTEND:20240102T000000Z\n"
            "FREEBUSY;FBTYPE=BUSY-UNAVAILABLE:20240101T100000Z/PT1H,20240101T150000Z/20240101T160000Z\n"
            "FREEBUSY:20240101T120000Z/PT30M",
        )
    )
    assert facts.spans == (
        (at("20240101"), at("20240102") + 1, "F"),
        (at("20240101T100000"), at("20240101T110000"), "U"),
        (at("20240101T120000"), at("20240101T123000"), "B"),
        (at("20240101T150000"), at("20240101T160000"), "U"),
    )


def test_a_task_without_times_is_always_there() -> None:
    (span,) = calendar_facts(single("VTODO", "SUMMARY:x")).spans
    assert span[0] < at("19000101") and span[1] > at("25000101")


def test_a_journal_without_start_is_never_there() -> None:
    assert calendar_facts(single("VJOURNAL", "SUMMARY:x")).spans == ()
