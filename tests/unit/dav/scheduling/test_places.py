"""The scheduling inbox and outbox, and the properties of scheduling (RFC 6638 §2, §6, §9)."""

from __future__ import annotations

import pytest

from tests.fakes.davsite import BOB, DAVHost
from trekd.store.collections import CollectionKind, NewItem

HOME = "/dav/calendars/alice@example.com/"
C = "urn:ietf:params:xml:ns:caldav"


@pytest.fixture
def host() -> DAVHost:
    return DAVHost()


def propfind(*names: str) -> str:
    inside = "".join(f"<{name}/>" for name in names)
    return f'<D:propfind xmlns:D="DAV:" xmlns:C="{C}"><D:prop>{inside}</D:prop></D:propfind>'


def test_clients_find_where_messages_arrive_and_leave(host: DAVHost) -> None:
    """RFC 6638 §2.1.1, §2.2.1, §2.4."""
    names = ("C:schedule-inbox-URL", "C:schedule-outbox-URL", "C:calendar-user-address-set", "C:calendar-user-type")
    reply = host.client().request("PROPFIND", "/dav/principals/alice@example.com/", propfind(*names), Depth="0")
    assert reply.find("//C:schedule-inbox-URL/D:href/text()") == [HOME + "inbox/"]
    assert reply.find("//C:schedule-outbox-URL/D:href/text()") == [HOME + "outbox/"]
    assert reply.find("//C:calendar-user-address-set/D:href/text()") == [
        "mailto:alice@example.com",
        "/dav/principals/alice@example.com/",
    ]
    assert reply.find("//C:calendar-user-type/text()") == ["INDIVIDUAL"]


def test_the_places_of_others_are_theirs(host: DAVHost) -> None:
    reply = host.client(BOB).request(
        "PROPFIND", "/dav/principals/alice@example.com/", propfind("C:schedule-inbox-URL"), Depth="0"
    )
    assert reply.find("//C:schedule-inbox-URL/D:href") == []
    assert host.client(BOB).request("PROPFIND", HOME + "inbox/", Depth="0").status == 403


def test_inbox_and_outbox_are_in_the_home(host: DAVHost) -> None:
    reply = host.client().request("PROPFIND", HOME, propfind("D:resourcetype"), Depth="1")
    assert {HOME + "inbox/", HOME + "outbox/"} <= set(reply.hrefs)
    for name in ("inbox", "outbox"):
        shown = host.client().request("PROPFIND", HOME + name + "/", propfind("D:resourcetype"), Depth="0")
        assert len(shown.find(f"//D:resourcetype/C:schedule-{name}")) == 1
        assert len(shown.find("//D:resourcetype/D:collection")) == 1


def test_messages_can_be_read_synchronised_and_removed(host: DAVHost) -> None:
    client = host.client()
    client.request("PROPFIND", HOME, Depth="1")
    inbox = host.collection("inbox", CollectionKind.INBOX)
    host.run(host.shelf().put(inbox.id, NewItem("m.ics", b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n")))
    inside = "<D:sync-token/><D:sync-level>1</D:sync-level><D:prop/>"
    sync = f'<D:sync-collection xmlns:D="DAV:">{inside}</D:sync-collection>'
    assert client.request("REPORT", HOME + "inbox/", sync).hrefs == [HOME + "inbox/m.ics"]
    assert client.request("GET", HOME + "inbox/m.ics").status == 200
    assert client.request("DELETE", HOME + "inbox/m.ics").status == 204
    assert client.request("DELETE", HOME + "inbox/").status == 403
    assert client.request("PUT", HOME + "inbox/n.ics", "BEGIN:VCALENDAR").status == 403


@pytest.mark.parametrize(("name", "privilege"), [("inbox", "schedule-deliver-reply"), ("outbox", "schedule-send")])
def test_privileges_of_scheduling_are_told(host: DAVHost, name: str, privilege: str) -> None:
    """RFC 6638 §6."""
    names = propfind("D:current-user-privilege-set", "D:supported-privilege-set")
    reply = host.client().request("PROPFIND", f"{HOME}{name}/", names, Depth="0")
    assert len(reply.find(f"//D:current-user-privilege-set/D:privilege/C:{privilege}")) == 1
    assert len(reply.find(f"//D:supported-privilege-set//D:privilege/C:{privilege}")) == 1
    calendar = host.client().request("PROPFIND", f"{HOME}calendar/", names, Depth="0")
    assert calendar.find(f"//C:{privilege}") == []


def proppatch(name: str, inside: str) -> str:
    value = f"<C:{name}>{inside}</C:{name}>"
    return f'<D:propertyupdate xmlns:D="DAV:" xmlns:C="{C}"><D:set><D:prop>{value}</D:prop></D:set></D:propertyupdate>'


def test_the_default_calendar_can_be_chosen(host: DAVHost) -> None:
    """RFC 6638 §9.2, §4.3.1.2."""
    client = host.client()

    def default() -> list[object]:
        reply = client.request("PROPFIND", HOME + "inbox/", propfind("C:schedule-default-calendar-URL"), Depth="0")
        return reply.find("//C:schedule-default-calendar-URL/D:href/text()")

    assert default() == [HOME + "calendar/"]
    assert client.request("MKCALENDAR", HOME + "work/").status == 201
    name = "schedule-default-calendar-URL"
    chosen = proppatch(name, f"<D:href>https://mail.example.com{HOME}work/</D:href>")
    assert client.request("PROPPATCH", HOME + "inbox/", chosen).find("//D:status/text()") == ["HTTP/1.1 200 OK"]
    assert [str(each).endswith("/work/") for each in default()] == [True]
    for wrong in ("/dav/calendars/bob@example.com/calendar/", HOME + "tasks/", HOME + "none/", "%", "http://["):
        reply = client.request("PROPPATCH", HOME + "inbox/", proppatch(name, f"<D:href>{wrong}</D:href>"))
        assert len(reply.find("//D:error/C:valid-schedule-default-calendar-URL")) == 1, wrong


def test_a_calendar_can_take_no_time(host: DAVHost) -> None:
    """RFC 6638 §9.1."""
    client = host.client()
    reply = client.request("PROPFIND", HOME + "calendar/", propfind("C:schedule-calendar-transp"), Depth="0")
    assert len(reply.find("//C:schedule-calendar-transp/C:opaque")) == 1
    name = "schedule-calendar-transp"
    client.request("PROPPATCH", HOME + "calendar/", proppatch(name, "<C:transparent/>"))
    reply = client.request("PROPFIND", HOME + "calendar/", propfind("C:schedule-calendar-transp"), Depth="0")
    assert len(reply.find("//C:schedule-calendar-transp/C:transparent")) == 1
    wrong = client.request("PROPPATCH", HOME + "calendar/", proppatch(name, "<C:other/>"))
    assert "HTTP/1.1 409 Conflict" in wrong.find("//D:status/text()")
