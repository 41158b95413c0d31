"""
Properties of the calendar room: trees survive writing, and no octets make it raise what is not its own.
"""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.calendar.samples import BERLIN, octets
from trekd.calendar.collection import joined, split
from trekd.calendar.contentlines import Component, Property, escape, parse, split_values, unescape, write
from trekd.calendar.facts import calendar_facts
from trekd.calendar.filters import CompFilter, PropFilter, index_question, matches
from trekd.calendar.folding import fold
from trekd.calendar.objects import CalendarObject, read_calendar_object
from trekd.calendar.overlap import is_within
from trekd.calendar.recurrence import Bounds
from trekd.calendar.selection import Selection, select
from trekd.calendar.times import UTC, Window
from trekd.errors import CollectionRefused, SyntaxFault, TooManyInstances

NAMES = st.from_regex(r"[A-Z][A-Za-z0-9-]{0,8}", fullmatch=True).filter(
    lambda name: name.upper() not in ("BEGIN", "END")
)
TEXTS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0\r\n"), max_size=120)
PARAMETERS = st.tuples(
    NAMES,
    st.lists(
        st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0\r"), max_size=30), min_size=1
    ).map(tuple),
)
PROPERTIES = st.builds(Property, NAMES, TEXTS, st.lists(PARAMETERS, max_size=3).map(tuple), st.just("") | NAMES)
COMPONENTS = st.recursive(
    st.builds(Component, NAMES, st.lists(PROPERTIES, max_size=4).map(tuple)),
    lambda inner: st.builds(Component, NAMES, st.lists(PROPERTIES, max_size=2).map(tuple), st.lists(inner).map(tuple)),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(COMPONENTS)
def test_a_tree_survives_being_written(tree: Component) -> None:
    text = write(tree)
    assert parse(text) == tree
    assert parse(text.replace(b"\r\n", b"\n")) == tree
    assert all(len(line) <= 75 for line in text.split(b"\r\n"))


@settings(max_examples=150, deadline=None)
@given(
    st.binary(max_size=200)
    | st.lists(
        st.sampled_from(
            [
                b"BEGIN:",
                b"END:",
                b"X",
                b"\r\n",
                b";",
                b'"',
                b":",
                b" ",
                b"=",
                b",",
                b"\\",
                b"\xc3",
                b"\xa4",
                b"^",
                b"\r",
            ]
        )
    ).map(b"".join)
)
def test_no_octets_raise_anything_but_a_fault(text: bytes) -> None:
    for sample in (text, b"BEGIN:X\r\n" + text + b"\r\nEND:X\r\n"):
        try:
            tree = parse(sample)
        except SyntaxFault as fault:
            assert 0 <= fault.offset <= len(sample)
        else:
            assert parse(write(tree)) == tree


@settings(max_examples=100, deadline=None)
@given(TEXTS, TEXTS)
def test_text_survives_escaping(one: str, two: str) -> None:
    assert unescape(escape(one)) == one
    assert split_values(f"{escape(one)},{escape(two)}") == (escape(one), escape(two))
    assert fold(fold(one)) == fold(one)


# --- Objects of odd lines -------------------------------------------------------------------------

VALUES = st.sampled_from(
    [
        "20240101",
        "20240102T100000",
        "20240103T100000Z",
        "20240331T023000",
        "99991231T235959",
        "00010101",
        "P1D",
        "-PT5M",
        "PT1H",
        "P0D",
        "20240101T100000Z/PT1H",
        "20240101T100000Z/20231201T000000Z",
        "",
        "x",
        "19700101T000000Z",
    ]
)
RULES = st.sampled_from(
    [
        "FREQ=DAILY",
        "FREQ=SECONDLY",
        "FREQ=DAILY;COUNT=5",
        "FREQ=WEEKLY;UNTIL=20240301",
        "FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3",
        "FREQ=MONTHLY;BYSETPOS=-1;BYDAY=MO,FR",
        "FREQ=HOURLY;BYHOUR=1,2;UNTIL=20240110T000000Z",
        "FREQ=DAILY;INTERVAL=999999999",
        "FREQ=SECONDLY;BYSECOND=1;INTERVAL=2",
        "FREQ=YEARLY;BYWEEKNO=53",
        "FREQ=MINUTELY;BYSETPOS=1;BYSECOND=0,5",
        "FREQ=X",
    ]
)
ZONES = st.sampled_from(["", "", ";TZID=Europe/Berlin", ";TZID=Berlin by content", ";VALUE=DATE", ";TZID=Nowhere"])
LINES = st.one_of(
    st.tuples(
        st.sampled_from(["DTSTART", "DTEND", "DUE", "EXDATE", "RDATE", "RECURRENCE-ID", "COMPLETED", "CREATED"]),
        ZONES,
        VALUES,
    ).map(lambda parts: f"{parts[0]}{parts[1]}:{parts[2]}"),
    VALUES.map("DURATION:{}".format),
    VALUES.map("FREEBUSY:{}".format),
    RULES.map("RRULE:{}".format),
    VALUES.map("RECURRENCE-ID;RANGE=THISANDFUTURE:{}".format),
    VALUES.map("BEGIN:VALARM\nTRIGGER:{}\nREPEAT:3\nDURATION:PT1M\nEND:VALARM".format),
    VALUES.map("BEGIN:AVAILABLE\nDTSTART:{}\nRRULE:FREQ=DAILY\nEND:AVAILABLE".format),
    st.sampled_from(["SUMMARY:x", "STATUS:CANCELLED", "TRANSP:TRANSPARENT", "ATTENDEE;CN=a:mailto:b", "UID:2"]),
)
STARTS = st.tuples(ZONES, VALUES).map("DTSTART{0[0]}:{0[1]}".format)
KINDS = st.sampled_from(["VEVENT", "VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VAVAILABILITY"])
BOUNDS = Bounds(200, 3_000)


@st.composite
def texts(draw: st.DrawFn) -> bytes:
    """Calendar objects, many of them valid."""
    kind = draw(KINDS)
    components = [
        "\n".join([f"BEGIN:{kind}", "UID:1", draw(STARTS), *draw(st.lists(LINES, max_size=4)), f"END:{kind}\n"])
        for _ in range(draw(st.integers(1, 2)))
    ]
    return octets(BERLIN + "".join(components))


def _read(text: bytes) -> CalendarObject | None:
    try:
        return read_calendar_object(text)
    except CollectionRefused:
        return None


INSTANTS = st.none() | st.integers(1_703_000_000, 1_720_000_000) | st.sampled_from([-(10**12), 0, 10**12])


@settings(max_examples=300, deadline=None)
@given(texts(), INSTANTS, INSTANTS)
def test_whatever_can_be_read_can_be_asked(text: bytes, start: int | None, end: int | None) -> None:
    found = _read(text)
    if found is None:
        return
    window = Window(start, end)
    alarm = CompFilter("VALARM", window=window)
    props = tuple(PropFilter(name, window=window) for name in ("DTSTART", "DTEND", "DUE", "COMPLETED"))
    inner = (alarm, CompFilter("AVAILABLE", window=window))
    for asked in (CompFilter(found.component, props=(each,)) for each in props):
        matches(CompFilter("VCALENDAR", comps=(asked,)), found, UTC, BOUNDS)
    for each in inner:
        matches(CompFilter("VCALENDAR", comps=(CompFilter(found.component, comps=(each,)),)), found, UTC, BOUNDS)
    for wanted in (Selection(expand=window), Selection(limit_recurrence=window), Selection(limit_free_busy=window)):
        try:
            parse(select(wanted, found, UTC, BOUNDS))
        except TooManyInstances:
            pass


@settings(max_examples=300, deadline=None)
@given(texts(), INSTANTS, INSTANTS)
def test_spans_answer_what_a_filter_asks(text: bytes, start: int | None, end: int | None) -> None:
    """As long as they reach: a time range matches exactly when it overlaps one."""
    found = _read(text)
    if found is None or (start is None and end is None) or (start is not None and end is not None and end <= start):
        return
    facts = calendar_facts(found)
    assert list(facts.spans) == sorted(facts.spans)
    assert len(facts.spans) <= 400
    window = Window(start, end)
    wanted = CompFilter("VCALENDAR", comps=(CompFilter(found.component, window=window),))
    assert index_question(wanted) == (found.component, window)
    overlaps = any(is_within(span, window) for span in facts.spans)
    if overlaps or facts.open_from is None or (end is not None and end <= facts.open_from):
        assert matches(wanted, found, UTC, BOUNDS) == overlaps


@settings(max_examples=100, deadline=None)
@given(st.lists(texts(), max_size=3))
def test_a_calendar_can_be_taken_apart_again(several: list[bytes]) -> None:
    objects = []
    for number, text in enumerate(several):
        found = _read(text.replace(b"UID:1", b"UID:u%d" % number))
        if found is not None:
            objects.append(found)
    whole = b"".join(joined(each.calendar for each in objects))
    again = list(split(whole))
    assert [each.uid for each in again] == [each.uid for each in objects]
    assert all(each.fault is None for each in again)
    for each, was in zip(again, objects, strict=True):
        assert each.found is not None
        now, then = calendar_facts(each.found), calendar_facts(was)
        assert replace(now, uid="") == replace(then, uid="")
