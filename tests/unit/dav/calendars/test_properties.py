"""L{trekd.dav.calendars.properties} (RFC 4791 §5.2, §6.2)."""

from __future__ import annotations

import pytest

from tests.fakes.calendars import CALENDAR, HOME, NAMESPACES, TASKS, event
from tests.fakes.davsite import DAVClient, DAVHost
from trekd.dav.xml.names import caldav

ZONE = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VTIMEZONE\r\nTZID:%s\r\nEND:VTIMEZONE\r\nEND:VCALENDAR\r\n"
OWN_ZONE = ZONE.replace(
    "END:VTIMEZONE",
    "BEGIN:STANDARD\r\nDTSTART:19700101T000000\r\nTZOFFSETFROM:+0130\r\nTZOFFSETTO:+0130\r\nEND:STANDARD\r\nEND:VTIMEZONE",
)


@pytest.fixture
def client() -> DAVClient:
    return DAVHost().client()


def found(client: DAVClient, names: str, path: str = CALENDAR) -> dict[str, str]:
    """What a resource has of some properties: their text by name."""
    body = f"<D:propfind {NAMESPACES}><D:prop>{names}</D:prop></D:propfind>"
    reply = client.request("PROPFIND", path, body, Depth="0")
    has = reply.find("//D:propstat[contains(D:status, '200')]/D:prop/*")
    return {str(each.tag): "".join(map(str, each.itertext())) for each in has}


def set_zone(client: DAVClient, text: str) -> bool:
    update = f"<C:calendar-timezone><![CDATA[{text}]]></C:calendar-timezone>"
    body = f"<D:propertyupdate {NAMESPACES}><D:set><D:prop>{update}</D:prop></D:set></D:propertyupdate>"
    reply = client.request("PROPPATCH", CALENDAR, body)
    if b"200 OK" not in reply.body:
        assert reply.find("//D:error/C:valid-calendar-data")
    return b"200 OK" in reply.body


def test_limits_are_told(client: DAVClient) -> None:
    """RFC 4791 §5.2.5 to §5.2.9: as they are obeyed."""
    names = ("max-resource-size", "min-date-time", "max-date-time", "max-instances", "max-attendees-per-instance")
    told = found(client, "".join(f"<C:{name}/>" for name in names))
    assert [told[caldav(name)] for name in names] == [
        str(client.host.site.config.max_item), "15000101T000000Z", "99991231T235959Z", "20000", "2000",
    ]  # fmt: skip
    at_limit = event("x", *["ATTENDEE:mailto:a@example.com"] * 2000, start="15000101T000000Z")
    assert client.request("PUT", CALENDAR + "x", at_limit).status == 201


def test_data_and_collations(client: DAVClient) -> None:
    asked = "<C:supported-calendar-data/><C:supported-collation-set/>"
    body = f"<D:propfind {NAMESPACES}><D:prop>{asked}</D:prop></D:propfind>"
    reply = client.request("PROPFIND", CALENDAR, body, Depth="0")
    (data,) = reply.find("//C:supported-calendar-data/C:calendar-data")
    assert (data.get("content-type"), data.get("version")) == ("text/calendar", "2.0")
    # RFC 4791 §7.5: these two are required.
    assert {"i;ascii-casemap", "i;octet"} <= {each.text for each in reply.find("//C:supported-collation")}


def test_calendar_data_is_no_property(client: DAVClient) -> None:
    """RFC 4791 §9.6: it is for reports only."""
    client.request("PUT", CALENDAR + "x", event("x"))
    assert found(client, "<C:calendar-data/>", CALENDAR + "x") == {}


def test_other_resources_have_none(client: DAVClient) -> None:
    names = "<C:supported-calendar-component-set/><C:max-resource-size/><C:min-date-time/><C:calendar-home-set/>"
    for path in ("/dav/", HOME, "/dav/addressbooks/alice@example.com/contacts/", "/dav/files/alice@example.com/"):
        assert found(client, names, path) == {}


def test_a_home_tells_what_calendars_may_be_for(client: DAVClient) -> None:
    assert caldav("supported-calendar-component-sets") in found(client, "<C:supported-calendar-component-sets/>", HOME)


def test_discovery(client: DAVClient) -> None:
    """RFC 4791 §6.2.1, RFC 6638 §2.4.1."""
    told = found(
        client, "<C:calendar-home-set/><C:calendar-user-address-set/>", "/dav/principals/alice@example.com/"
    )
    assert told[caldav("calendar-home-set")] == HOME
    assert "mailto:alice@example.com" in told[caldav("calendar-user-address-set")]


def test_first_calendars_have_their_kind(client: DAVClient) -> None:
    body = f"<D:propfind {NAMESPACES}><D:prop><C:supported-calendar-component-set/></D:prop></D:propfind>"
    for path, kind in ((CALENDAR, "VEVENT"), (TASKS, "VTODO")):
        comps = client.request("PROPFIND", path, body, Depth="0").find("//C:comp")
        assert [each.get("name") for each in comps] == [kind]


@pytest.mark.parametrize(
    ("text", "name"), [(ZONE % "Europe/Berlin", "Europe/Berlin"), (OWN_ZONE % "Our own", None)]
)
def test_a_zone(client: DAVClient, text: str, name: str | None) -> None:
    """RFC 4791 §5.2.2; its name is told where it is one that everybody knows (RFC 7809 §5.2)."""
    assert set_zone(client, text)
    told = found(client, "<C:calendar-timezone/><C:calendar-timezone-id/>")
    assert told[caldav("calendar-timezone")].split() == text.split()
    assert told.get(caldav("calendar-timezone-id")) == name


@pytest.mark.parametrize(
    "text",
    [
        "", "Europe/Berlin", ZONE % "Europe/Berlin" + "\n" * 70_000,
        "BEGIN:VCALENDAR\nEND:VCALENDAR\n", event("x"), ZONE % "Nowhere/City",
        (ZONE % "Europe/Berlin").replace("BEGIN:VTIMEZONE", "BEGIN:VTIMEZONE\nTZID:x\nEND:VTIMEZONE\nBEGIN:VTIMEZONE"),
    ],
)  # fmt: skip
def test_what_is_no_zone(client: DAVClient, text: str) -> None:
    assert not set_zone(client, text)


def test_reports_are_announced(client: DAVClient) -> None:
    """RFC 4791 §7: on calendars and on what is in them."""
    client.request("PUT", CALENDAR + "x", event("x"))
    body = f"<D:propfind {NAMESPACES}><D:prop><D:supported-report-set/></D:prop></D:propfind>"
    for path in (CALENDAR, CALENDAR + "x"):
        reports = client.request("PROPFIND", path, body, Depth="0").find("//D:report/*")
        assert {caldav("calendar-query"), caldav("calendar-multiget")} <= {str(each.tag) for each in reports}
    assert "calendar-access" in client.request("OPTIONS", CALENDAR).headers["dav"]
