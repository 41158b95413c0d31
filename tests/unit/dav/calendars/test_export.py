"""L{trekd.dav.calendars.export}: a calendar as one file."""

from __future__ import annotations

import pytest

from tests.fakes.calendars import CALENDAR, NAMESPACES, event
from tests.fakes.davsite import DAVClient, DAVHost
from trekd.calendar.collection import split


@pytest.fixture
def client() -> DAVClient:
    return DAVHost().client()


def test_all_events_of_a_calendar(client: DAVClient) -> None:
    for number in range(250):
        client.request("PUT", f"{CALENDAR}{number}", event(f"u{number}", f"SUMMARY:{number}"))
    reply = client.request("GET", CALENDAR)
    assert (reply.status, reply.headers["content-type"].split(";")[0]) == (200, "text/calendar")
    assert sorted(each.uid for each in split(reply.body)) == sorted(f"u{number}" for number in range(250))


def test_name_and_colour(client: DAVClient) -> None:
    update = (
        "<D:displayname>Work, mine</D:displayname>"
        "<x:calendar-color xmlns:x='http://apple.com/ns/ical/'>#112233</x:calendar-color>"
    )
    body = f"<D:propertyupdate {NAMESPACES}><D:set><D:prop>{update}</D:prop></D:set></D:propertyupdate>"
    client.request("PROPPATCH", CALENDAR, body)
    lines = client.request("GET", CALENDAR).body.decode().splitlines()
    assert "X-WR-CALNAME:Work\\, mine" in lines
    assert "X-APPLE-CALENDAR-COLOR:#112233" in lines


def test_nothing_is_sent_twice(client: DAVClient) -> None:
    client.request("PUT", CALENDAR + "a", event("a"))
    etag = client.request("GET", CALENDAR).headers["etag"]
    again = client.request("GET", CALENDAR, If_None_Match=f'W/{etag}, "other"')
    assert (again.status, again.body, again.headers["etag"]) == (304, b"", etag)
    client.request("PUT", CALENDAR + "a", event("a", "SUMMARY:new"))
    assert client.request("GET", CALENDAR, If_None_Match=etag).status == 200
    head = client.request("HEAD", CALENDAR)
    assert (head.status, head.body) == (200, b"")


def test_only_for_those_who_may_read(client: DAVClient) -> None:
    assert client.host.client("bob@example.com").request("GET", CALENDAR).status == 403
