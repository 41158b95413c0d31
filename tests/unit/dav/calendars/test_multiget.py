"""L{trekd.dav.calendars.multiget} (RFC 4791 §7.9)."""

from __future__ import annotations

import pytest

from tests.fakes.calendars import CALENDAR, HOME, TASKS, calendar, data_of, event, multiget_body, report
from tests.fakes.davsite import DAVClient, DAVHost, Reply
from trekd.dav.xml.names import caldav


@pytest.fixture
def client() -> DAVClient:
    found = DAVHost().client()
    for number in range(250):
        assert found.request("PUT", f"{CALENDAR}{number}.ics", event(str(number))).status == 201
    return found


def statuses(reply: Reply) -> dict[str, str]:
    """Status by path of what has no properties."""
    return {
        str(each.findtext("{DAV:}href")): str(each.findtext("{DAV:}status"))[9:12]
        for each in reply.find("/D:multistatus/D:response[D:status]")
    }


def test_any_number(client: DAVClient) -> None:
    wanted = [f"{CALENDAR}{number}.ics" for number in range(250)]
    reply = report(client, multiget_body(wanted))
    assert sorted(reply.hrefs) == sorted(wanted)
    assert sorted(data_of(reply)) == sorted(event(str(number)) for number in range(250))


def test_each_that_is_missing_is_told(client: DAVClient) -> None:
    strange = "/dav/calendars/alice@example.com/none/x.ics"
    wanted = [CALENDAR + "1.ics", CALENDAR + "none.ics", TASKS + "x", strange, CALENDAR, "::", CALENDAR + "../../x"]
    reply = report(client, multiget_body(wanted))
    assert data_of(reply) == [event("1")]
    found = statuses(reply)
    assert set(found.values()) == {"404"}
    assert {CALENDAR + "none.ics", TASKS + "x", strange} <= set(found)
    assert len(reply.hrefs) == len(wanted)


def test_both_forms_of_the_at_sign_and_whole_uris(client: DAVClient) -> None:
    path = "/dav/calendars/alice%40example.com/calendar/7.ics"
    reply = report(client, multiget_body([path, "https://mail.example.com" + CALENDAR + "8.ics"]))
    assert data_of(reply) == [event("7"), event("8")]


def test_calendars_of_a_home(client: DAVClient) -> None:
    client.request("PUT", TASKS + "t", calendar("UID:t", "DTSTAMP:20260101T000000Z", kind="VTODO"))
    reply = report(client, multiget_body([TASKS + "t", CALENDAR + "1.ics"]), HOME)
    assert reply.hrefs == [TASKS + "t", CALENDAR + "1.ics"]


def test_an_item_is_asked_for_itself(client: DAVClient) -> None:
    reply = report(client, multiget_body([CALENDAR + "1.ics"]), CALENDAR + "1.ics")
    assert data_of(reply) == [event("1")]


def test_nothing_of_others(client: DAVClient) -> None:
    path = CALENDAR.replace("alice", "bob") + "x"
    assert statuses(report(client, multiget_body([path]))) == {path: "404"}


def test_nothing_asked_for(client: DAVClient) -> None:
    assert report(client, multiget_body([])).status == 400


def test_another_media_type(client: DAVClient) -> None:
    reply = report(client, multiget_body([CALENDAR], '<C:calendar-data content-type="application/json"/>'))
    assert (reply.status, reply.condition) == (403, caldav("supported-calendar-data"))


def test_without_data(client: DAVClient) -> None:
    reply = report(client, multiget_body([CALENDAR + "1.ics"], ""))
    assert [len(reply.find("//D:getetag")), len(data_of(reply))] == [1, 0]
