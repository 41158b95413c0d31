"""L{trekd.dav.calendars.storing}: what a calendar takes (RFC 4791 §5.3.2.1)."""

from __future__ import annotations

import pytest

from tests.fakes.calendars import CALENDAR, HOME, TASKS, calendar, event
from tests.fakes.davsite import DAVClient, DAVHost
from trekd.config.schema import DAVConfig
from trekd.dav.xml.names import caldav


@pytest.fixture
def client() -> DAVClient:
    return DAVHost(DAVConfig(max_item=400_000)).client()


def refusal(client: DAVClient, octets: str | bytes, path: str = CALENDAR + "a.ics", **headers: str) -> tuple[int, str]:
    reply = client.request("PUT", path, octets, **headers)
    return reply.status, reply.condition


def test_octets_come_back_as_they_were_sent(client: DAVClient) -> None:
    """RFC 4791 §5.3.4: so the etag that PUT gives may be strong."""
    sent = event("x", "X-ODD;X-A=b:c", "summary:Lower\r\n  case").replace("\r\n", "\n").encode()
    put = client.request("PUT", CALENDAR + "a.ics", sent, Content_Type="text/calendar; charset=utf-8")
    got = client.request("GET", CALENDAR + "a.ics")
    assert (put.status, got.body) == (201, sent)
    assert got.headers["etag"] == put.headers["etag"]
    assert got.headers["content-type"].startswith("text/calendar")
    assert client.request("PUT", CALENDAR + "a.ics", sent).status == 204


@pytest.mark.parametrize("uid", ["../../etc/passwd", "a/b", ".", "ü", "a" * 1000, "%2e%2e", "x y"])
def test_an_uid_is_no_path(client: DAVClient, uid: str) -> None:
    assert client.request("PUT", CALENDAR + "a.ics", event(uid)).status == 201
    assert client.request("GET", CALENDAR + "a.ics").status == 200


@pytest.mark.parametrize("name", ["a%20b%25.ics", "%C3%BC.ics", "noending", "a;b=c,d.ics", "%22%3C%26.ics"])
def test_a_name_may_be_odd(client: DAVClient, name: str) -> None:
    assert client.request("PUT", CALENDAR + name, event("x")).status == 201
    listed = client.request("PROPFIND", CALENDAR, "", Depth="1").hrefs[1]
    assert client.request("GET", listed).status == 200


@pytest.mark.parametrize(
    ("octets", "condition"),
    [
        ("", "valid-calendar-data"),
        ("hello", "valid-calendar-data"),
        (b"\xff\xfe\x00", "valid-calendar-data"),
        ("BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n", "valid-calendar-data"),
        (event("x", start="20261332T000000Z"), "valid-calendar-data"),
        (event("x", "RRULE:FREQ=SOMETIMES"), "valid-calendar-data"),
        (event("x").replace("VERSION:2.0", "VERSION:1.0"), "valid-calendar-data"),
        (event("x").replace("VERSION:2.0", "METHOD:REQUEST"), "valid-calendar-object-resource"),
        (event("x").replace("UID:x\r\n", ""), "valid-calendar-object-resource"),
        (event("x").replace("DTSTART:", "DTSTART;TZID=Nowhere:").replace("Z\r\nDUR", "\r\nDUR"),
         "valid-calendar-object-resource"),
        (calendar("UID:x", "DTSTAMP:20260101T000000Z", kind="VTODO"), "supported-calendar-component"),
        (calendar("UID:x", kind="X-THING"), "supported-calendar-component"),
        (event("x", start="14991231T000000Z"), "min-date-time"),
        (event("x", "RRULE:FREQ=DAILY;COUNT=1000000"), "max-instances"),
        (event("x", "RDATE:" + "20260101T000000Z," * 20_000), "max-instances"),
        (event("x", *["ATTENDEE:mailto:a@example.com"] * 2001), "max-attendees-per-instance"),
        (event("x", "DESCRIPTION:" + "x" * 400_000), "max-resource-size"),
    ],
)  # fmt: skip
def test_what_cannot_be_stored(client: DAVClient, octets: str | bytes, condition: str) -> None:
    assert refusal(client, octets) == (403, caldav(condition))
    assert client.request("GET", CALENDAR + "a.ics").status == 404


@pytest.mark.parametrize("media_type", ["text/html", "application/json", "text/calendar; version=1.0", "x"])
def test_other_media_types(client: DAVClient, media_type: str) -> None:
    assert refusal(client, event("x"), Content_Type=media_type) == (415, caldav("supported-calendar-data"))


def test_two_kinds_in_one_object(client: DAVClient) -> None:
    both = event("x").replace("END:VCALENDAR", "BEGIN:VTODO\r\nUID:x\r\nEND:VTODO\r\nEND:VCALENDAR")
    assert refusal(client, both)[1] == caldav("valid-calendar-object-resource")


def test_a_time_beyond_the_calendar(client: DAVClient) -> None:
    late = event("x", start="99991231T235900").replace("DTSTART:", "DTSTART;TZID=America/New_York:")
    assert refusal(client, late) == (403, caldav("max-date-time"))


def test_an_uid_is_taken_once(client: DAVClient) -> None:
    """RFC 4791 §5.3.2.1, no-uid-conflict: the client learns which item has it."""
    client.request("PUT", CALENDAR + "a%20b.ics", event("x"))
    reply = client.request("PUT", CALENDAR + "other.ics", event("x"))
    assert (reply.status, reply.condition) == (409, caldav("no-uid-conflict"))
    assert [each.text for each in reply.find("//C:no-uid-conflict/D:href")] == [CALENDAR + "a%20b.ics"]
    assert client.request("PUT", CALENDAR + "a%20b.ics", event("x", "SUMMARY:new")).status == 204


def test_zones_by_name(client: DAVClient) -> None:
    """Clients name a zone without describing it; Windows has names of its own."""
    zones = ("Europe/Berlin", "W. Europe Standard Time", "/mozilla.org/20050126_1/Europe/Berlin")
    for number, zone in enumerate(zones):
        octets = event(str(number), start="20260105T100000").replace("DTSTART:", f"DTSTART;TZID={zone}:")
        assert client.request("PUT", f"{CALENDAR}{number}.ics", octets).status == 201


def test_every_kind_in_a_calendar_for_all(client: DAVClient) -> None:
    assert client.request("MKCALENDAR", HOME + "all/").status == 201
    for kind in ("VTODO", "VJOURNAL", "VFREEBUSY", "VAVAILABILITY"):
        octets = calendar(f"UID:{kind}", "DTSTAMP:20260101T000000Z", kind=kind)
        assert client.request("PUT", f"{HOME}all/{kind}.ics", octets).status == 201


def test_a_calendar_takes_only_its_kind_from_others(client: DAVClient) -> None:
    """COPY and MOVE obey what PUT obeys (RFC 4791 §5.3.2.1)."""
    client.request("PUT", CALENDAR + "a.ics", event("x"))
    for method in ("COPY", "MOVE"):
        reply = client.request(method, CALENDAR + "a.ics", Destination=TASKS + "a.ics")
        assert (reply.status, reply.condition) == (403, caldav("supported-calendar-component"))
    assert client.request("GET", CALENDAR + "a.ics").status == 200


def test_a_copy_beside_itself_breaks_the_uid(client: DAVClient) -> None:
    client.request("PUT", CALENDAR + "a.ics", event("x"))
    reply = client.request("COPY", CALENDAR + "a.ics", Destination=CALENDAR + "b.ics")
    assert reply.condition == caldav("no-uid-conflict")
    assert client.request("MOVE", CALENDAR + "a.ics", Destination=CALENDAR + "b.ics").status == 201


def test_add_member(client: DAVClient) -> None:
    """RFC 5995 §3.1."""
    reply = client.request("POST", CALENDAR + "?add-member", event("x"), Content_Type="text/calendar")
    assert reply.status == 201
    assert reply.headers["location"].endswith(".ics")
    assert client.request("GET", reply.headers["location"]).body.decode() == event("x")


def test_a_large_object(client: DAVClient) -> None:
    """It goes through the store's file, and comes back the same."""
    octets = event("x", "DESCRIPTION:" + "y" * 150_000)
    assert client.request("PUT", CALENDAR + "a.ics", octets).status == 201
    assert client.request("GET", CALENDAR + "a.ics").body.decode() == octets


def test_an_object_keeps_its_uid(client: DAVClient) -> None:
    """RFC 4791 §5.3.2.1, no-uid-conflict: neither PUT, COPY nor MOVE puts another object in its place."""
    client.request("MKCALENDAR", HOME + "other/")
    client.request("PUT", CALENDAR + "a.ics", event("x"))
    client.request("PUT", HOME + "other/b.ics", event("y"))
    assert refusal(client, event("y")) == (409, caldav("no-uid-conflict"))
    for method in ("COPY", "MOVE"):
        reply = client.request(method, HOME + "other/b.ics", Destination=CALENDAR + "a.ics")
        assert reply.condition == caldav("no-uid-conflict")
    assert client.request("GET", CALENDAR + "a.ics").body.decode() == event("x")
