"""calendar-query: what indexes answer is what the objects themselves say (RFC 4791 §9.7, §9.9)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.calendars import CALENDAR, HOME, calendar, names, query_body, report
from tests.fakes.davsite import DAVHost
from trekd.calendar.filters import matches
from trekd.calendar.objects import read_calendar_object
from trekd.dav.calendars.requests import calendar_query
from trekd.dav.calendars.timezones import read_timezone
from trekd.dav.xml.reading import parse

FIRST = datetime(2026, 1, 1, tzinfo=UTC)
ALL = HOME + "all/"
BERLIN = "BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VTIMEZONE\nTZID:Europe/Berlin\nEND:VTIMEZONE\nEND:VCALENDAR\n"
WORDS = ("Meeting", "meeting room", "Straße", "STRASSE", "a\\, b", "")

moments = st.integers(0, 60).map(lambda hours: FIRST + timedelta(hours=hours))
kinds = st.sampled_from(("VEVENT", "VEVENT", "VTODO", "VJOURNAL"))
starts = st.one_of(
    moments.map(lambda at: f"DTSTART:{at:%Y%m%dT%H%M%SZ}"),
    moments.map(lambda at: f"DTSTART:{at:%Y%m%dT%H%M%S}"),
    moments.map(lambda at: f"DTSTART;VALUE=DATE:{at:%Y%m%d}"),
    moments.map(lambda at: f"DTSTART;TZID=America/New_York:{at:%Y%m%dT%H%M%S}"),
)
rules = st.sampled_from(
    ["", *(f"RRULE:FREQ={rule}" for rule in ("DAILY", "WEEKLY;COUNT=4", "MONTHLY;BYDAY=-1FR", "HOURLY;INTERVAL=7"))]
)
lengths = st.sampled_from(("DURATION:PT1H", "DURATION:P2D", "DURATION:PT0S", ""))
people = st.sampled_from(("ATTENDEE;CN=Bob:mailto:bob@example.com", "ATTENDEE:mailto:Bobby@example.org", ""))
objects = st.tuples(
    kinds, st.one_of(starts, st.just("")), rules, lengths, people,
    st.sampled_from(WORDS),
)  # fmt: skip
windows = st.tuples(moments, st.integers(1, 12)).map(
    lambda pair: f'<C:time-range start="{utc(pair[0])}" end="{utc(pair[0] + timedelta(hours=pair[1]))}"/>'
)
texts = st.tuples(
    st.sampled_from(("SUMMARY", "ATTENDEE")),
    st.sampled_from(("meeting", "strasse", "bob", "mailto:bob", "a, b", "to")),
    st.sampled_from(("i;ascii-casemap", "i;octet", "i;unicode-casemap")),
    st.sampled_from(("yes", "no", "no")),
).map(
    lambda each: f'<C:prop-filter name="{each[0]}"><C:text-match collation="{each[2]}" negate-condition="{each[3]}">'
    f"{each[1]}</C:text-match></C:prop-filter>"
)
conditions = st.tuples(st.one_of(st.just(""), windows), st.one_of(st.just(""), texts)).map("".join)


def utc(moment: datetime) -> str:
    """As a time range has it."""
    return f"{moment:%Y%m%dT%H%M%SZ}"


def written(number: int, parts: tuple[str, ...]) -> tuple[str, str]:
    """A name and an object; without a start no rule and no length, which would need one."""
    kind, start, rule, length, person, word = parts
    is_timed = bool(start) or kind == "VEVENT"
    start = start or ("DTSTART:20260110T100000Z" if kind == "VEVENT" else "")
    if "VALUE=DATE" in start:
        length = "" if "PT" in length else length
        rule = "" if "HOURLY" in rule else rule
    lines = [f"UID:uid-{number}", "DTSTAMP:20260101T000000Z", start, person, f"SUMMARY:{word}" if word else ""]
    lines += [rule, "" if kind == "VJOURNAL" else length] if is_timed else []
    return str(number), calendar(*filter(None, lines), kind=kind)


@settings(max_examples=100)
@given(
    st.lists(objects, min_size=1, max_size=8),
    st.lists(st.tuples(kinds, conditions), min_size=1, max_size=8),
)
def test_indexes_and_objects_agree(parts: list[tuple[str, ...]], queries: list[tuple[str, str]]) -> None:
    client = DAVHost().client()
    client.request("MKCALENDAR", ALL)
    stored = dict(written(*each) for each in enumerate(parts))
    for name, octets in stored.items():
        assert client.request("PUT", ALL + name, octets).status == 201, octets
    zone = read_timezone(BERLIN)
    for kind, filter in queries:
        body = query_body(filter, "", f"<C:timezone>{BERLIN}</C:timezone>", kind)
        wanted = calendar_query(parse(body.encode())).filter
        expected = [
            name for name, octets in stored.items() if matches(wanted, read_calendar_object(octets.encode()), zone)
        ]
        assert sorted(names(report(client, body, ALL))) == sorted(expected), (kind, filter)


@settings(max_examples=100)
@given(st.binary(max_size=300), st.booleans())
def test_no_octets_break_a_calendar(octets: bytes, is_framed: bool) -> None:
    """Whatever comes is stored or refused with a reason; nothing is our fault."""
    client = DAVHost().client()
    if is_framed:
        octets = b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n" + octets + b"\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    reply = client.request("PUT", CALENDAR + "x", octets)
    assert reply.status in (201, 403)
    if reply.status == 403:
        assert reply.condition.startswith("{urn:ietf:params:xml:ns:caldav}")
