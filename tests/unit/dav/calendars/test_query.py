"""L{trekd.dav.calendars.query}: questions about a calendar (RFC 4791 §7.8, §9.5 to §9.9)."""

from __future__ import annotations

import pytest

from tests.fakes.calendars import (
    CALENDAR,
    HOME,
    JANUARY,
    NAMESPACES,
    TASKS,
    calendar,
    data_of,
    event,
    names,
    query_body,
    report,
)
from tests.fakes.davsite import DAVClient, DAVHost
from trekd.dav.calendars import query
from trekd.dav.xml.names import caldav

BERLIN = "BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VTIMEZONE\nTZID:Europe/Berlin\nEND:VTIMEZONE\nEND:VCALENDAR\n"
NEW_YORK = BERLIN.replace("Europe/Berlin", "America/New_York")


@pytest.fixture
def client() -> DAVClient:
    found = DAVHost().client()
    objects = {
        "single": event("single", "SUMMARY:Team Meeting", "LOCATION:Room 1"),
        "weekly": event("weekly", "RRULE:FREQ=WEEKLY", "SUMMARY:Jour fixe", start="20200106T100000Z"),
        "daily": event("daily", "RRULE:FREQ=DAILY", "SUMMARY:Stand-up", start="20100101T080000Z"),
        "floating": event("floating", "SUMMARY:Somewhere", start="20260201T003000"),
        "later": event("later", "SUMMARY:Later meeting", "ATTENDEE;CN=Bob:mailto:b@x.com", start="20260601T100000Z"),
    }
    for name, octets in objects.items():
        assert found.request("PUT", CALENDAR + name, octets).status == 201
    return found


def found(client: DAVClient, filter: str, more: str = "", path: str = CALENDAR, depth: str = "1") -> list[str]:
    return names(report(client, query_body(filter, "", more), path, depth))


def test_a_time_range(client: DAVClient) -> None:
    assert found(client, JANUARY) == ["daily", "single", "weekly"]


def test_everything_of_a_kind(client: DAVClient) -> None:
    assert found(client, "") == ["daily", "floating", "later", "single", "weekly"]
    assert names(report(client, query_body("", "", kind="VTODO"))) == []


def test_the_zone_of_floating_times(client: DAVClient) -> None:
    """RFC 4791 §7.3: the request's zone, else the calendar's."""
    assert "floating" in found(client, JANUARY, f"<C:timezone>{BERLIN}</C:timezone>")
    assert "floating" not in found(client, JANUARY, f"<C:timezone>{NEW_YORK}</C:timezone>")
    zone = f"<D:propertyupdate {NAMESPACES}><D:set><D:prop><C:calendar-timezone>{BERLIN}</C:calendar-timezone>"
    done = client.request("PROPPATCH", CALENDAR, zone + "</D:prop></D:set></D:propertyupdate>")
    assert b"200 OK" in done.body
    assert "floating" in found(client, JANUARY)
    assert "floating" not in found(client, JANUARY, f"<C:timezone>{NEW_YORK}</C:timezone>")


@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        ('<C:prop-filter name="UID"><C:text-match collation="i;octet">sing</C:text-match></C:prop-filter>', ["single"]),
        ('<C:prop-filter name="summary"><C:text-match>MEETING</C:text-match></C:prop-filter>', ["later", "single"]),
        ('<C:prop-filter name="SUMMARY"><C:text-match collation="i;octet">MEETING</C:text-match></C:prop-filter>', []),
        ('<C:prop-filter name="LOCATION"/>', ["single"]),
        ('<C:prop-filter name="RRULE"><C:is-not-defined/></C:prop-filter>', ["floating", "later", "single"]),
        (
            '<C:prop-filter name="SUMMARY"><C:text-match negate-condition="yes">meeting</C:text-match></C:prop-filter>',
            ["daily", "floating", "weekly"],
        ),
        (
            '<C:prop-filter name="ATTENDEE"><C:param-filter name="CN"><C:text-match>bob</C:text-match></C:param-filter>'
            "</C:prop-filter>",
            ["later"],
        ),
        ('<C:comp-filter name="VALARM"><C:is-not-defined/></C:comp-filter>' + JANUARY, ["daily", "single", "weekly"]),
        (JANUARY + '<C:prop-filter name="SUMMARY"><C:text-match>meeting</C:text-match></C:prop-filter>', ["single"]),
    ],
)
def test_conditions(client: DAVClient, filter: str, expected: list[str]) -> None:
    assert found(client, filter) == expected


def test_depth(client: DAVClient) -> None:
    """RFC 4791 §7.8: without Depth it is 0, the calendar itself, which is no calendar object."""
    assert found(client, JANUARY, depth="0") == []
    assert names(client.request("REPORT", CALENDAR, query_body(JANUARY, ""))) == []
    assert found(client, JANUARY, depth="infinity") == ["daily", "single", "weekly"]
    assert found(client, JANUARY, path=CALENDAR + "single", depth="0") == ["single"]
    assert found(client, JANUARY, path=CALENDAR + "later", depth="0") == []


def test_all_calendars_of_a_home(client: DAVClient) -> None:
    """RFC 4791 §7.2."""
    client.request("PUT", TASKS + "todo", calendar("UID:t", "DTSTAMP:20260101T000000Z", "SUMMARY:Buy", kind="VTODO"))
    assert names(report(client, query_body("", "", kind="VTODO"), HOME, "infinity")) == ["todo"]
    assert names(report(client, query_body("", "", kind="VTODO"), HOME, "1")) == []


def test_whole_data_and_properties(client: DAVClient) -> None:
    reply = report(client, query_body('<C:prop-filter name="LOCATION"/>'))
    got = client.request("GET", CALENDAR + "single")
    assert data_of(reply) == [got.body.decode()]
    assert [each.text for each in reply.find("//D:getetag")] == [got.headers["etag"]]


def test_expanded(client: DAVClient) -> None:
    """RFC 4791 §9.6.5: instances in UTC in place of a rule."""
    data = '<C:calendar-data><C:expand start="20260105T000000Z" end="20260107T000000Z"/></C:calendar-data>'
    range = '<C:time-range start="20260105T000000Z" end="20260107T000000Z"/>'
    reply = report(client, query_body(range, data))
    daily = dict(zip(names(reply), data_of(reply), strict=True))["daily"]
    assert "RRULE" not in daily
    assert daily.count("BEGIN:VEVENT") == 2
    assert "DTSTART:20260106T080000Z" in daily


def test_parts(client: DAVClient) -> None:
    """RFC 4791 §9.6.1, §9.6.4."""
    data = (
        '<C:calendar-data><C:comp name="VCALENDAR"><C:prop name="VERSION"/><C:comp name="VEVENT"><C:prop name="UID"/>'
        '<C:prop name="SUMMARY" novalue="yes"/></C:comp></C:comp></C:calendar-data>'
    )
    reply = report(client, query_body('<C:prop-filter name="LOCATION"/>', data))
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "BEGIN:VEVENT", "UID:single", "SUMMARY:", "END:VEVENT", "END:VCALENDAR"]
    assert data_of(reply)[0].splitlines() == lines


def test_overrides_only_where_they_matter(client: DAVClient) -> None:
    """RFC 4791 §9.6.6."""
    override = "\r\n".join(
        ("BEGIN:VEVENT", "UID:o", "DTSTAMP:20260101T000000Z", "RECURRENCE-ID:2026%s05T100000Z",
         "DTSTART:2026%s05T120000Z", "SUMMARY:moved", "END:VEVENT", "")
    )  # fmt: skip
    octets = event("o", "RRULE:FREQ=DAILY").replace(
        "END:VCALENDAR", override % ("02", "02") + override % ("03", "03") + "END:VCALENDAR"
    )
    assert client.request("PUT", CALENDAR + "o", octets).status == 201
    limit = '<C:limit-recurrence-set start="20260201T000000Z" end="20260301T000000Z"/>'
    reply = report(client, query_body('<C:prop-filter name="UID"><C:text-match>o</C:text-match></C:prop-filter>',
                                      f"<C:calendar-data>{limit}</C:calendar-data>"))  # fmt: skip
    shown = dict(zip(names(reply), data_of(reply), strict=True))["o"]
    assert ("RECURRENCE-ID:202602" in shown, "RECURRENCE-ID:202603" in shown) == (True, False)


def test_a_limit_is_told(client: DAVClient) -> None:
    """The answer says that there is more (RFC 4791 §7.8, number-of-matches-within-limits)."""
    reply = report(client, query_body("", "", "<D:limit><D:nresults>2</D:nresults></D:limit>"))
    assert reply.hrefs == [CALENDAR + "daily", CALENDAR + "floating", CALENDAR]
    assert [each.text for each in reply.find("//D:response[D:error]/D:status")] == ["HTTP/1.1 507 Insufficient Storage"]
    exact = report(client, query_body("", "", "<D:limit><D:nresults>5</D:nresults></D:limit>"))
    assert len(exact.hrefs) == 5


def test_our_own_limit(client: DAVClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query, "MOST_MATCHES", 3)
    assert report(client, query_body("")).hrefs[3:] == [CALENDAR]


@pytest.mark.parametrize(
    ("body", "condition"),
    [
        (f"<C:calendar-query {NAMESPACES}><D:prop/></C:calendar-query>", "valid-filter"),
        (query_body('<C:time-range start="20260101" end="20260201T000000Z"/>'), "valid-filter"),
        (query_body('<C:time-range start="20260201T000000Z" end="20260101T000000Z"/>'), "valid-filter"),
        (query_body("<C:time-range/>"), "valid-filter"),
        (query_body('<C:time-range start="14000101T000000Z"/>'), "min-date-time"),
        (query_body('<C:comp-filter name="VTODO"/>'), "valid-filter"),
        (query_body(f'<C:prop-filter name="SUMMARY">{JANUARY}</C:prop-filter>'), "valid-filter"),
        (query_body("", kind=""), "valid-filter"),
        (query_body("<C:nonsense/>"), "valid-filter"),
        (
            query_body('<C:prop-filter name="UID"><C:text-match collation="i;x">x</C:text-match></C:prop-filter>'),
            "supported-collation",
        ),
        (query_body('<C:prop-filter name="X"/>' * 1000), "supported-filter"),
        (
            query_body(f'<C:prop-filter name="UID"><C:text-match>{"x" * 5000}</C:text-match></C:prop-filter>'),
            "supported-filter",
        ),
        (query_body("", '<C:calendar-data content-type="text/plain"/>'), "supported-calendar-data"),
        (query_body("", '<C:calendar-data version="3.0"/>'), "supported-calendar-data"),
        (query_body("", "", "<C:timezone>Europe/Berlin</C:timezone>"), "valid-calendar-data"),
        (query_body("", "", f"<C:timezone>{event('x')}</C:timezone>"), "valid-calendar-data"),
    ],
)
def test_what_cannot_be_asked(client: DAVClient, body: str, condition: str) -> None:
    reply = report(client, body)
    assert (reply.status, reply.condition) == (403, caldav(condition))


def test_a_rule_that_never_ends_is_no_stall(client: DAVClient) -> None:
    """Every second since 1970: it is stored, found and told to be too much to expand."""
    octets = event("s", "RRULE:FREQ=SECONDLY", start="19700101T000000Z")
    assert client.request("PUT", CALENDAR + "s", octets).status == 201
    data = '<C:calendar-data><C:expand start="20260101T000000Z" end="20260201T000000Z"/></C:calendar-data>'
    reply = report(client, query_body(JANUARY, data))
    assert "s" in names(reply)
    assert reply.find("//D:propstat[D:status='HTTP/1.1 507 Insufficient Storage']/D:prop/C:calendar-data")
    assert len(data_of(reply)) == 4


def test_what_takes_too_long_is_answered_in_part(client: DAVClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query, "MOST_SECONDS", -1)
    reply = report(client, query_body('<C:prop-filter name="LOCATION"/>'))
    assert reply.hrefs == [CALENDAR + "single", CALENDAR]


def test_large_requests_are_read(client: DAVClient) -> None:
    """Their size is no reason to refuse them, and they are understood off the reactor."""
    spaces = " " * 70_000
    assert found(client, spaces + JANUARY) == ["daily", "single", "weekly"]


def test_others_cannot_ask(client: DAVClient) -> None:
    bob = client.host.client("bob@example.com")
    assert report(bob, query_body("")).status == 403
