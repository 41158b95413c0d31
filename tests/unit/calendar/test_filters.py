"""CALDAV:filter (RFC 4791 §9.7 to §9.9)."""

from __future__ import annotations

import pytest

from tests.unit.calendar.samples import at, event, single
from trekd.calendar.facts import calendar_facts
from trekd.calendar.filters import (
    CompFilter,
    ParamFilter,
    PropFilter,
    TextMatch,
    index_hint,
    index_question,
    index_text,
    matches,
)
from trekd.calendar.objects import CalendarObject
from trekd.calendar.overlap import is_within
from trekd.calendar.times import ALWAYS, FixedZone, Window
from trekd.calendar.zones import named_zone
from trekd.errors import UnsupportedCollation, UnsupportedFilter

MEETING = event(
    "DTSTART:20240102T100000Z\nDTEND:20240102T110000Z\nSUMMARY:Räte\\, Meeting\nDTSTAMP:20240101T000000Z\n"
    "ATTENDEE;PARTSTAT=NEEDS-ACTION;CN=Lisa:mailto:lisa@example.com\nATTENDEE;PARTSTAT=ACCEPTED:mailto:b@example.com\n"
    "BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT15M\nREPEAT:2\nDURATION:PT5M\nEND:VALARM"
)


def _asked(*comps: CompFilter, props: tuple[PropFilter, ...] = ()) -> CompFilter:
    return CompFilter("VCALENDAR", props=props, comps=comps)


def _window(start: str, end: str) -> Window:
    return Window(at(start) if start else None, at(end) if end else None)


def _in(found: CalendarObject, start: str, end: str, component: str = "") -> bool:
    """Asks the filter and the index, which have to agree."""
    window = _window(start, end)
    wanted = _asked(CompFilter(component or found.component, window=window))
    assert index_question(wanted) == (component or found.component, window)
    answer = matches(wanted, found)
    facts = calendar_facts(found)
    if facts.open_from is None:
        assert any(is_within(span, window) for span in facts.spans) == answer
    return answer


# --- Time ranges of components, row by row (RFC 4791 §9.9) ----------------------------------------


@pytest.mark.parametrize(
    ("kind", "lines", "inside", "outside"),
    [
        # VEVENT
        ("VEVENT", "DTSTART:20240102T100000Z\nDTEND:20240102T110000Z",
         [("20240102T105959", "20240103"), ("20240101", "20240102T100001")],
         [("20240102T110000", "20240103"), ("20240101", "20240102T100000")]),
        ("VEVENT", "DTSTART:20240102T100000Z\nDURATION:PT1H",
         [("20240102T105959", ""), ("", "20240102T100001")],
         [("20240102T110000", ""), ("", "20240102T100000")]),
        ("VEVENT", "DTSTART:20240102T100000Z\nDURATION:PT0S",
         [("20240102T100000", "20240102T100001")],
         [("20240102T100001", ""), ("", "20240102T100000")]),
        ("VEVENT", "DTSTART:20240102T100000Z",
         [("20240102T100000", "20240102T100001")],
         [("20240102T100001", ""), ("", "20240102T100000")]),
        ("VEVENT", "DTSTART;VALUE=DATE:20240102",
         [("20240102T235959", ""), ("", "20240102T000001")],
         [("20240103", ""), ("", "20240102")]),
        # VTODO
        ("VTODO", "DTSTART:20240102T100000Z\nDURATION:PT1H",
         [("20240102T110000", ""), ("", "20240102T100001")],
         [("20240102T110001", ""), ("", "20240102T100000")]),
        ("VTODO", "DTSTART:20240102T100000Z\nDUE:20240102T110000Z",
         [("20240102T105959", ""), ("", "20240102T100001")],
         [("20240102T110000", ""), ("", "20240102T100000")]),
        ("VTODO", "DTSTART:20240102T100000Z\nDUE:20240102T100000Z",
         [("20240102T100000", ""), ("", "20240102T100000")],
         [("20240102T100001", ""), ("", "20240102T095959")]),
        ("VTODO", "DTSTART:20240102T100000Z",
         [("20240102T100000", ""), ("", "20240102T100001")],
         [("20240102T100001", ""), ("", "20240102T100000")]),
        ("VTODO", "DUE:20240102T100000Z",
         [("20240102T095959", ""), ("", "20240102T100000")],
         [("20240102T100000", ""), ("", "20240102T095959")]),
        ("VTODO", "COMPLETED:20240103T000000Z\nCREATED:20240102T000000Z",
         [("20240103", ""), ("", "20240102")],
         [("20240103T000001", ""), ("", "20240101T235959")]),
        ("VTODO", "COMPLETED:20240103T000000Z",
         [("20240103", ""), ("", "20240103")],
         [("20240103T000001", ""), ("", "20240102T235959")]),
        ("VTODO", "CREATED:20240102T000000Z",
         [("20990103", ""), ("", "20240102T000001")],
         [("", "20240102")]),
        ("VTODO", "SUMMARY:x", [("20240101", "20240102"), ("19000101", ""), ("", "19000101")], []),
        # VJOURNAL
        ("VJOURNAL", "DTSTART:20240102T100000Z",
         [("20240102T100000", "20240102T100001")],
         [("20240102T100001", ""), ("", "20240102T100000")]),
        ("VJOURNAL", "DTSTART;VALUE=DATE:20240102",
         [("20240102T235959", ""), ("", "20240102T000001")],
         [("20240103", ""), ("", "20240102")]),
        ("VJOURNAL", "SUMMARY:x", [], [("20240101", ""), ("", "20240101")]),
        # VFREEBUSY
        ("VFREEBUSY", "DTSTART:20240102T100000Z\nDTEND:20240102T110000Z",
         [("20240102T110000", ""), ("", "20240102T100001")],
         [("20240102T110001", ""), ("", "20240102T100000")]),
        ("VFREEBUSY", "FREEBUSY:20240102T100000Z/PT1H,20240105T100000Z/PT1H",
         [("20240105T105959", ""), ("", "20240102T100001")],
         [("20240105T110000", ""), ("20240103", "20240104")]),
        ("VFREEBUSY", "SUMMARY:x", [], [("20240101", ""), ("", "20240101")]),
        # VAVAILABILITY (RFC 7953 §3.1)
        ("VAVAILABILITY", "DTSTART:20240102T100000Z\nDTEND:20240102T110000Z",
         [("20240102T105959", "")], [("20240102T110000", "")]),
        ("VAVAILABILITY", "SUMMARY:x", [("20240101", ""), ("", "20240101")], []),
    ],
)  # fmt: skip
def test_time_ranges(
    kind: str, lines: str, inside: list[tuple[str, str]], outside: list[tuple[str, str]]
) -> None:
    found = single(kind, lines)
    assert [pair for pair in inside if not _in(found, *pair)] == []
    assert [pair for pair in outside if _in(found, *pair)] == []


def test_another_kind_of_component_is_not_there() -> None:
    window = _window("20240101", "20250101")
    assert not matches(_asked(CompFilter("VTODO", window=window)), MEETING)
    assert matches(_asked(CompFilter("VTODO", is_not_defined=True)), MEETING)
    assert not matches(_asked(CompFilter("VEVENT", is_not_defined=True)), MEETING)
    assert matches(_asked(CompFilter("VEVENT")), MEETING)
    assert matches(_asked(), MEETING)


def test_floating_times_are_taken_in_the_given_zone() -> None:
    """RFC 4791 §7.3."""
    found = event("DTSTART;VALUE=DATE:20240102")
    wanted = _asked(CompFilter("VEVENT", window=_window("20240101T230000", "20240101T233000")))
    assert not matches(wanted, found)
    berlin = named_zone("Europe/Berlin")
    assert berlin is not None
    assert matches(wanted, found, berlin)
    assert not matches(wanted, found, FixedZone("west", -3600))


def test_a_moved_instance_is_found_where_it_is_now() -> None:
    found = event(
        "DTSTART:20240101T100000Z\nDURATION:PT1H\nRRULE:FREQ=WEEKLY\nEXDATE:20240115T100000Z",
        "RECURRENCE-ID:20240108T100000Z\nDTSTART:20240109T100000Z\nDURATION:PT1H\nSUMMARY:Moved",
    )
    assert not _in(found, "20240108", "20240109")
    assert _in(found, "20240109", "20240110")
    assert not _in(found, "20240115", "20240116")
    assert _in(found, "20240122", "20240123")


def test_all_conditions_have_to_hold_for_one_component() -> None:
    found = event(
        "DTSTART:20240101T100000Z\nDURATION:PT1H\nRRULE:FREQ=WEEKLY\nSUMMARY:Plain",
        "RECURRENCE-ID:20240108T100000Z\nDTSTART:20240109T100000Z\nDURATION:PT1H\nSUMMARY:Moved",
    )
    moved = (PropFilter("SUMMARY", match=TextMatch("moved")),)
    assert matches(_asked(CompFilter("VEVENT", window=_window("20240109", "20240110"), props=moved)), found)
    assert not matches(_asked(CompFilter("VEVENT", window=_window("20240101", "20240102"), props=moved)), found)


def test_what_cannot_be_decided_matches() -> None:
    """Every other second, but only where the seconds are odd."""
    found = event("DTSTART:20240101T000000Z\nRRULE:FREQ=SECONDLY;INTERVAL=2;BYSECOND=1")
    assert matches(_asked(CompFilter("VEVENT", window=_window("20240601", "20240701"))), found)


def test_every_second_since_1970_is_answered() -> None:
    found = event("DTSTART:19700101T000000Z\nRRULE:FREQ=SECONDLY")
    assert _in(found, "20240101", "20240102")
    assert not _in(found, "19690101", "19700101")


# --- Properties and parameters --------------------------------------------------------------------


def _property(*props: PropFilter) -> bool:
    return matches(_asked(CompFilter("VEVENT", props=props)), MEETING)


@pytest.mark.parametrize(
    ("match", "answer"),
    [
        (TextMatch("MEETING"), True),
        (TextMatch("meeting", "i;octet"), False),
        (TextMatch("te, M", "i;octet"), True),
        (TextMatch("RÄTE"), False),
        (TextMatch("RäTE", "default"), True),
        (TextMatch("RÄTE", "i;unicode-casemap"), True),
        (TextMatch("meeting", negate=True), False),
        (TextMatch("party", negate=True), True),
    ],
)
def test_text_matches(match: TextMatch, answer: bool) -> None:
    """RFC 4791 §7.5, §9.7.5."""
    assert _property(PropFilter("SUMMARY", match=match)) is answer


def test_an_unknown_collation_is_refused() -> None:
    with pytest.raises(UnsupportedCollation):
        TextMatch("x", "i;ascii-numeric")


def test_defined_and_not_defined() -> None:
    assert _property(PropFilter("SUMMARY"))
    assert not _property(PropFilter("LOCATION"))
    assert _property(PropFilter("LOCATION", is_not_defined=True))
    assert not _property(PropFilter("SUMMARY", is_not_defined=True))


def test_parameters_of_the_property_that_matches() -> None:
    """RFC 4791 §7.8.7: Lisa's participation status, not anybody's."""
    lisa = TextMatch("mailto:lisa@example.com")
    for status, answer in (("NEEDS-ACTION", True), ("ACCEPTED", False)):
        params = (ParamFilter("PARTSTAT", match=TextMatch(status)),)
        assert _property(PropFilter("ATTENDEE", match=lisa, params=params)) is answer
    assert not _property(PropFilter("ATTENDEE", match=lisa, params=(ParamFilter("CN", is_not_defined=True),)))
    assert _property(PropFilter("ATTENDEE", params=(ParamFilter("CN", is_not_defined=True),)))
    assert _property(PropFilter("ATTENDEE", params=(ParamFilter("CN"),)))
    assert not _property(PropFilter("ATTENDEE", params=(ParamFilter("ROLE"),)))


def test_time_ranges_of_properties() -> None:
    assert _property(PropFilter("DTSTAMP", window=_window("20240101", "20240102")))
    assert not _property(PropFilter("DTSTAMP", window=_window("20240102", "20240103")))
    assert not _property(PropFilter("COMPLETED", window=_window("20240101", "20250101")))
    with pytest.raises(UnsupportedFilter):
        PropFilter("SUMMARY", window=ALWAYS)


def test_ends_of_instances_by_a_duration() -> None:
    """RFC 4791 §9.9: the effective DTEND, of every instance."""
    found = event("DTSTART:20240101T100000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY")
    for name, start, answer in (
        ("DTEND", "20240301T110000", True),
        ("DTEND", "20240301T110001", False),
        ("DTSTART", "20240301T100000", True),
        ("DUE", "20240301T110000", False),
    ):
        prop = PropFilter(name, window=Window(at(start), at("20240301T120000")))
        assert matches(_asked(CompFilter("VEVENT", props=(prop,))), found) is answer


def test_properties_of_the_calendar() -> None:
    assert matches(_asked(props=(PropFilter("VERSION", match=TextMatch("2.0")),)), MEETING)
    assert not matches(_asked(props=(PropFilter("METHOD"),)), MEETING)


# --- Inner components -----------------------------------------------------------------------------


def _alarm(found: CalendarObject, start: str, end: str) -> bool:
    alarm = CompFilter("VALARM", window=_window(start, end))
    return matches(_asked(CompFilter(found.component, comps=(alarm,))), found)


def test_alarms_ring_again() -> None:
    """RFC 4791 §9.9: 9:45, 9:50 and 9:55."""
    assert _alarm(MEETING, "20240102T094500", "20240102T094501")
    assert _alarm(MEETING, "20240102T095459", "20240102T095501")
    assert not _alarm(MEETING, "20240102T095501", "20240103")
    assert not _alarm(MEETING, "20240102T094501", "20240102T095000")
    assert not _alarm(MEETING, "20240101", "20240102T094500")


def test_alarms_of_instances_and_of_ends() -> None:
    alarm = "BEGIN:VALARM\nTRIGGER;RELATED=END:PT10M\nEND:VALARM"
    found = event(f"DTSTART:20240102T100000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY\n{alarm}")
    assert _alarm(found, "20240601T111000", "20240601T111001")
    assert not _alarm(found, "20240601T111001", "20240602T111000")


def test_an_alarm_at_an_instant() -> None:
    alarm = "BEGIN:VALARM\nTRIGGER;VALUE=DATE-TIME:20230101T000000Z\nEND:VALARM"
    found = event(f"DTSTART:20240102T100000Z\nRRULE:FREQ=DAILY\n{alarm}")
    assert _alarm(found, "20230101", "20230102")
    assert not _alarm(found, "20240102", "20240103")


def test_a_task_rings_before_it_is_due() -> None:
    """RFC 4791 §7.8.5."""
    found = single("VTODO", "DUE:20240102T100000Z\nBEGIN:VALARM\nTRIGGER;RELATED=END:-PT1H\nEND:VALARM")
    assert _alarm(found, "20240102T090000", "20240102T090001")
    assert not _alarm(found, "20240102T100000", "20240102T100001")


def test_presence_of_inner_components() -> None:
    assert matches(_asked(CompFilter("VEVENT", comps=(CompFilter("VALARM"),))), MEETING)
    assert not matches(_asked(CompFilter("VEVENT", comps=(CompFilter("VALARM", is_not_defined=True),))), MEETING)
    display = CompFilter("VALARM", props=(PropFilter("ACTION", match=TextMatch("display")),))
    assert matches(_asked(CompFilter("VEVENT", comps=(display,))), MEETING)
    with pytest.raises(UnsupportedFilter):
        CompFilter("VTIMEZONE", window=ALWAYS)


def test_times_of_availability() -> None:
    found = single(
        "VAVAILABILITY",
        "BEGIN:AVAILABLE\nUID:2\nDTSTART:20240101T090000Z\nDTEND:20240101T170000Z\nRRULE:FREQ=DAILY\nEND:AVAILABLE",
    )
    for start, answer in (("20240201T160000", True), ("20240201T170000", False)):
        window = Window(at(start), at(start) + 60)
        wanted = _asked(CompFilter("VAVAILABILITY", comps=(CompFilter("AVAILABLE", window=window),)))
        assert matches(wanted, found) is answer


# --- What an index answers ------------------------------------------------------------------------


def test_questions_for_an_index() -> None:
    window = _window("20240101", "")
    timed = CompFilter("VEVENT", window=window)
    assert index_question(_asked(timed)) == ("VEVENT", window)
    assert index_question(_asked(CompFilter("VTODO"))) == ("VTODO", ALWAYS)
    assert index_question(_asked()) == ("", ALWAYS)
    summary = PropFilter("SUMMARY", match=TextMatch("Straße"))
    for wanted in (
        _asked(timed, CompFilter("VTODO")),
        _asked(CompFilter("VEVENT", window=window, props=(summary,))),
        _asked(CompFilter("VEVENT", comps=(CompFilter("VALARM"),))),
        _asked(CompFilter("VEVENT", is_not_defined=True)),
        _asked(CompFilter("VTIMEZONE")),
        _asked(props=(summary,)),
        timed,
    ):
        assert index_question(wanted) is None


def test_hints_for_an_index() -> None:
    window = _window("20240101", "")
    summary = PropFilter("SUMMARY", match=TextMatch("Straße"))
    narrow = _asked(CompFilter("VEVENT", window=window, props=(summary,)))
    assert index_hint(narrow) == ("VEVENT", window)
    assert index_text(narrow) == ("SUMMARY", "strasse")
    assert index_hint(_asked(CompFilter("VEVENT", is_not_defined=True))) == ("", ALWAYS)
    without = PropFilter("SUMMARY", match=TextMatch("x", negate=True))
    for prop in (without, PropFilter("CLASS", match=TextMatch("x"))):
        assert index_text(_asked(CompFilter("VEVENT", props=(prop,)))) is None


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("bob@example.com", "bob@example.com"),
        ("MAILTO:Bob@", "bob@"),
        ("to:b", "b"),
        ("mailto: b ", "b"),
        ("urn:uuid:1", "urn:uuid:1"),
        ("mailto:", None),
        ("ilt", None),
        ("a,b", None),
    ],
)
def test_what_the_index_knows_of_people(text: str, address: str | None) -> None:
    """It keeps addresses without their scheme."""
    asked = _asked(CompFilter("VEVENT", props=(PropFilter("ATTENDEE", match=TextMatch(text)),)))
    assert index_text(asked) == (None if address is None else ("ATTENDEE", address))


def test_many_overrides_with_alarms_are_looked_at_once_each() -> None:
    """Each override has one instance; the rule is not expanded for it."""
    alarm = "BEGIN:VALARM\nTRIGGER:-PT15M\nEND:VALARM"
    overrides = [
        f"RECURRENCE-ID:{20000101 + number // 20:08}T10{number % 20:02}00Z\nDTSTART:20240101T100000Z\n{alarm}"
        for number in range(400)
    ]
    found = event("DTSTART:19990101T100000Z\nRRULE:FREQ=DAILY", *overrides)
    assert _alarm(found, "20240101T094500", "20240101T094501")
    assert not _alarm(found, "20240102", "20240103")
