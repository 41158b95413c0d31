"""L{trekd.dav.calendars.freebusy} (RFC 4791 §7.10)."""

from __future__ import annotations

import pytest

from tests.fakes.calendars import CALENDAR, HOME, NAMESPACES, calendar, event, report
from tests.fakes.davsite import DAVClient, DAVHost
from trekd.dav.calendars import freebusy
from trekd.dav.xml.names import dav


@pytest.fixture
def client() -> DAVClient:
    return DAVHost().client()


def body(start: str = "20260105T000000Z", end: str = "20260107T000000Z") -> str:
    return f'<C:free-busy-query {NAMESPACES}><C:time-range start="{start}" end="{end}"/></C:free-busy-query>'


def busy(client: DAVClient, path: str = CALENDAR) -> list[str]:
    reply = report(client, body(), path)
    assert reply.status == 200
    assert reply.headers["content-type"].startswith("text/calendar")
    lines = reply.body.decode().splitlines()
    assert (lines.count("BEGIN:VFREEBUSY"), lines.count("DTSTART:20260105T000000Z")) == (1, 1)
    return [line.removeprefix("FREEBUSY;FBTYPE=") for line in lines if line.startswith("FREEBUSY")]


def put(client: DAVClient, name: str, octets: str, path: str = CALENDAR) -> None:
    assert client.request("PUT", path + name, octets).status == 201


def test_times_are_put_together(client: DAVClient) -> None:
    put(client, "a", event("a"))
    put(client, "b", event("b", start="20260105T103000Z"))
    put(client, "c", event("c", "STATUS:TENTATIVE", start="20260106T100000Z"))
    put(client, "d", event("d", "TRANSP:TRANSPARENT", start="20260106T150000Z"))
    put(client, "e", event("e", "STATUS:CANCELLED", start="20260106T160000Z"))
    assert busy(client) == [
        "BUSY:20260105T100000Z/20260105T113000Z",
        "BUSY-TENTATIVE:20260106T100000Z/20260106T110000Z",
    ]


def test_rules_and_floating_times(client: DAVClient) -> None:
    put(client, "r", event("r", "RRULE:FREQ=DAILY", start="20100101T080000Z"))
    put(client, "f", event("f", start="20260105T200000"))
    assert busy(client) == [
        "BUSY:20260105T080000Z/20260105T090000Z",
        "BUSY:20260105T200000Z/20260105T210000Z",
        "BUSY:20260106T080000Z/20260106T090000Z",
    ]


def test_a_time_is_cut_to_what_was_asked(client: DAVClient) -> None:
    put(client, "a", event("a", start="20260104T233000Z"))
    assert busy(client) == ["BUSY:20260105T000000Z/20260105T003000Z"]


def test_all_calendars_of_a_home(client: DAVClient) -> None:
    client.request("MKCALENDAR", HOME + "work/")
    put(client, "a", event("a"))
    put(client, "b", event("b", start="20260106T100000Z"), HOME + "work/")
    assert len(busy(client, HOME)) == 2


def test_availability(client: DAVClient) -> None:
    """RFC 7953 §5: what is not available is busy, and an event is more than that."""
    client.request("MKCALENDAR", HOME + "work/")
    hours = ("BEGIN:AVAILABLE", "UID:in", "DTSTAMP:20260101T000000Z", "DTSTART:20260105T090000Z", "DURATION:PT8H",
             "RRULE:FREQ=DAILY", "END:AVAILABLE")  # fmt: skip
    put(client, "v", calendar("UID:v", "DTSTAMP:20260101T000000Z", *hours, kind="VAVAILABILITY"), HOME + "work/")
    put(client, "a", event("a", start="20260105T083000Z"), HOME + "work/")
    assert busy(client, HOME + "work/") == [
        "BUSY-UNAVAILABLE:20260105T000000Z/20260105T083000Z",
        "BUSY:20260105T083000Z/20260105T093000Z",
        "BUSY-UNAVAILABLE:20260105T170000Z/20260106T090000Z",
        "BUSY-UNAVAILABLE:20260106T170000Z/20260107T000000Z",
    ]


def test_nothing_to_tell(client: DAVClient) -> None:
    assert busy(client) == []


def test_a_rule_that_never_ends(client: DAVClient) -> None:
    put(client, "s", event("s", "RRULE:FREQ=SECONDLY", start="19700101T000000Z"))
    reply = report(client, body())
    assert (reply.status, reply.condition) == (507, dav("number-of-matches-within-limits"))


def test_too_much_for_one_answer(client: DAVClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 4791 §7.10, number-of-matches-within-limits."""
    put(client, "f", event("f", "RRULE:FREQ=HOURLY", start="20260105T000000"))
    assert report(client, body()).status == 200
    monkeypatch.setattr(freebusy, "MOST_SPANS", 20)
    reply = report(client, body())
    assert (reply.status, reply.condition) == (507, dav("number-of-matches-within-limits"))


def test_objects_and_strangers(client: DAVClient) -> None:
    """RFC 4791 §7.10: 403 on an object; somebody who may not know is not told that there is a calendar."""
    put(client, "a", event("a"))
    assert report(client, body(), CALENDAR + "a").status == 403
    bob = client.host.client("bob@example.com")
    assert report(bob, body()).status in (403, 404)


@pytest.mark.parametrize(("start", "end"), [("20260107T000000Z", "20260105T000000Z"), ("x", "y")])
def test_no_time(client: DAVClient, start: str, end: str) -> None:
    assert report(client, body(start, end)).status == 403
    half = f'<C:free-busy-query {NAMESPACES}><C:time-range start="20260105T000000Z"/></C:free-busy-query>'
    assert report(client, half).status == 400
