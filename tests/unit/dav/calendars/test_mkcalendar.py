"""L{trekd.dav.calendars.mkcalendar}, and extended MKCOL for calendars (RFC 4791 §5.3.1, RFC 5689 §3)."""

from __future__ import annotations

import pytest

from tests.fakes.calendars import CALENDAR, HOME, NAMESPACES, calendar, event
from tests.fakes.davsite import DAVClient, DAVHost, Reply
from trekd.dav.xml.names import caldav, dav

WORK = HOME + "work/"
PROPFIND = f"<D:propfind {NAMESPACES}><D:prop>%s</D:prop></D:propfind>"
TODOS = '<C:supported-calendar-component-set><C:comp name="VTODO"/></C:supported-calendar-component-set>'
CALENDAR_TYPE = "<D:resourcetype><D:collection/><C:calendar/></D:resourcetype>"


@pytest.fixture
def client() -> DAVClient:
    return DAVHost().client()


def body(properties: str, root: str = "C:mkcalendar") -> str:
    return f"<{root} {NAMESPACES}><D:set><D:prop>{properties}</D:prop></D:set></{root}>"


def components(client: DAVClient, path: str = WORK) -> list[str]:
    reply = client.request("PROPFIND", path, PROPFIND % "<C:supported-calendar-component-set/>", Depth="0")
    return [str(each.get("name")) for each in reply.find("//C:supported-calendar-component-set/C:comp")]


def statuses(reply: Reply) -> dict[str, str]:
    return {
        str(prop.tag): str(each.findtext("{DAV:}status"))[9:12]
        for each in reply.find("//D:propstat")
        for prop in each.find("{DAV:}prop")
    }


def test_a_plain_one(client: DAVClient) -> None:
    reply = client.request("MKCALENDAR", WORK)
    assert (reply.status, reply.headers["cache-control"]) == (201, "no-cache")
    found = client.request("PROPFIND", WORK, PROPFIND % "<D:resourcetype/>", Depth="0")
    assert [each.tag for each in found.find("//D:resourcetype/*")] == [dav("collection"), caldav("calendar")]
    assert components(client) == ["VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VAVAILABILITY"]


def test_with_properties(client: DAVClient) -> None:
    asked = body(
        f"<D:displayname>Work</D:displayname>{TODOS}"
        "<C:calendar-description xml:lang='en'>All of it</C:calendar-description>"
        '<x:calendar-color xmlns:x="http://apple.com/ns/ical/">#FF0000FF</x:calendar-color>'
    )
    assert client.request("MKCALENDAR", WORK, asked, Content_Type="application/xml").status == 201
    assert components(client) == ["VTODO"]
    wanted = "<D:displayname/><C:calendar-description/><x:calendar-color xmlns:x='http://apple.com/ns/ical/'/>"
    found = client.request("PROPFIND", WORK, PROPFIND % wanted, Depth="0")
    assert [each.text for each in found.find("//D:prop/*")] == ["Work", "All of it", "#FF0000FF"]
    assert client.request("PUT", WORK + "a", event("x")).condition == caldav("supported-calendar-component")
    assert client.request("PUT", WORK + "a", calendar("UID:x", kind="VTODO")).status == 201


def test_all_or_nothing(client: DAVClient) -> None:
    """RFC 4791 §5.3.1: one property that cannot be set, and there is no calendar."""
    asked = body("<D:displayname>Work</D:displayname><D:getetag>x</D:getetag>")
    reply = client.request("MKCALENDAR", WORK, asked)
    assert reply.xml.tag == caldav("mkcalendar-response")
    assert statuses(reply) == {dav("displayname"): "424", dav("getetag"): "403"}
    assert client.request("PROPFIND", WORK, "", Depth="0").status == 404


@pytest.mark.parametrize(
    "prop",
    [
        "<C:supported-calendar-component-set/>",
        '<C:supported-calendar-component-set><C:comp name="VCARD"/></C:supported-calendar-component-set>',
        "<C:calendar-timezone>Europe/Berlin</C:calendar-timezone>",
        "<C:max-resource-size>1</C:max-resource-size>",
    ],
)
def test_properties_that_cannot_be(client: DAVClient, prop: str) -> None:
    reply = client.request("MKCALENDAR", WORK, body(prop))
    assert set(statuses(reply).values()) == {"403"}
    assert client.request("PROPFIND", WORK, "", Depth="0").status == 404


def test_where_no_calendar_can_be(client: DAVClient) -> None:
    for path in ("/dav/files/alice@example.com/x/", "/dav/addressbooks/alice@example.com/x/", CALENDAR + "x/"):
        reply = client.request("MKCALENDAR", path)
        assert (reply.status, reply.condition) == (403, caldav("calendar-collection-location-ok"))
    assert client.request("MKCALENDAR", HOME + "none/x/").status == 409
    assert client.request("MKCALENDAR", HOME.replace("alice", "bob") + "x/").status == 403


def test_what_is_there_stays(client: DAVClient) -> None:
    assert client.request("MKCALENDAR", CALENDAR).status == 405


def test_bodies_that_are_none(client: DAVClient) -> None:
    assert client.request("MKCALENDAR", WORK, "hello", Content_Type="text/plain").status == 415
    assert client.request("MKCALENDAR", WORK, "<x/>").status == 400
    assert client.request("MKCALENDAR", WORK, "<x").status == 400


def test_extended_mkcol(client: DAVClient) -> None:
    """RFC 5689 §3: what a calendar takes can be said with MKCOL, too."""
    assert client.request("MKCOL", WORK, body(CALENDAR_TYPE + TODOS, "D:mkcol")).status == 201
    assert components(client) == ["VTODO"]
    wrong = '<C:supported-calendar-component-set><C:comp name="VCARD"/></C:supported-calendar-component-set>'
    refused = client.request("MKCOL", HOME + "other/", body(CALENDAR_TYPE + wrong, "D:mkcol"))
    assert statuses(refused)[caldav("supported-calendar-component-set")] == "403"


def test_what_it_takes_stays(client: DAVClient) -> None:
    """RFC 4791 §5.2.3: protected once the calendar is there."""
    update = f"<D:propertyupdate {NAMESPACES}><D:set><D:prop>{TODOS}</D:prop></D:set></D:propertyupdate>"
    reply = client.request("PROPPATCH", CALENDAR, update)
    assert statuses(reply) == {caldav("supported-calendar-component-set"): "403"}
    assert components(client, CALENDAR) == ["VEVENT"]
