"""Calendars that are shared, with all that calendars answer (RFC 4791)."""

from __future__ import annotations

import pytest

from tests.fakes.calendars import JANUARY, NAMESPACES, event, multiget_body, names, query_body, report
from tests.fakes.davsite import ALICE, BOB, DAVClient, DAVHost
from tests.unit.dav.sharing.case import BUSY, HOME, MOUNT, READ, WORK, WRITE, acl, entry, person

OWN = HOME + "calendar/"
ALICES = f"/dav/calendars/{ALICE}/"
RANGE = '<C:time-range start="20260105T000000Z" end="20260107T000000Z"/>'


@pytest.fixture
def host() -> DAVHost:
    found = DAVHost()
    for name in (ALICE, BOB):
        found.client(name).request("OPTIONS", "/dav/")
    return found


@pytest.fixture
def alice(host: DAVHost) -> DAVClient:
    client = host.client(ALICE)
    assert client.request("PUT", WORK + "1.ics", event("one")).status == 201
    return client


@pytest.fixture
def bob(host: DAVHost) -> DAVClient:
    return host.client(BOB)


def busy(client: DAVClient, path: str) -> tuple[int, bool]:
    """The status of a free-busy-query, and whether somebody is busy."""
    reply = report(client, f"<C:free-busy-query {NAMESPACES}>{RANGE}</C:free-busy-query>", path)
    return reply.status, b"FREEBUSY;FBTYPE=BUSY" in reply.body


def test_busy_times_can_be_all_that_one_sees(alice: DAVClient, bob: DAVClient) -> None:
    """RFC 4791 §6.1.1, §7.10: who may not has nothing there."""
    assert busy(bob, WORK) == busy(bob, ALICES) == (404, False)
    acl(alice, WORK, entry(person(BOB), BUSY))
    assert busy(bob, WORK) == busy(bob, ALICES) == (200, True)
    assert busy(bob, ALICES + "tasks/") == (404, False)
    assert report(bob, query_body(JANUARY), WORK).status == 403
    assert report(bob, multiget_body([WORK + "1.ics"]), WORK).status == 403
    assert bob.request("GET", WORK + "1.ics").status == 403


def test_what_others_share_is_not_ones_own_time(alice: DAVClient, bob: DAVClient) -> None:
    """caldav-sharing §5.5.5."""
    acl(alice, WORK, entry(person(BOB), READ))
    assert busy(bob, HOME) == (200, False)
    assert busy(bob, MOUNT) == (200, True)


def test_queries_through_the_mount(alice: DAVClient, bob: DAVClient) -> None:
    acl(alice, WORK, entry(person(BOB), READ))
    bob.request("PUT", OWN + "2.ics", event("two"))
    assert report(bob, query_body(JANUARY), MOUNT).hrefs == [MOUNT + "1.ics"]
    everything = report(bob, query_body(JANUARY), HOME, depth="infinity")
    assert sorted(names(everything)) == ["1.ics", "2.ics"]
    found = report(bob, multiget_body([MOUNT + "1.ics", MOUNT + "9.ics", WORK + "1.ics"]), MOUNT)
    assert [str(each.text).split()[1] for each in found.find("//D:status")] == ["404", "200", "404"]


def test_people_who_are_found_can_be_invited(alice: DAVClient) -> None:
    """RFC 6638 §2.4.1: what a program puts into an invitation is in the answer to its search."""
    wanted = "<D:property-search><D:prop><D:displayname/></D:prop><D:match>bob</D:match></D:property-search>"
    wanted += "<D:prop><C:calendar-user-address-set/></D:prop>"
    body = f"<D:principal-property-search {NAMESPACES}>{wanted}</D:principal-property-search>"
    reply = alice.request("REPORT", "/dav/principals/", body)
    addresses = [each.text for each in reply.find("//C:calendar-user-address-set/D:href")]
    assert addresses == [f"mailto:{BOB}", f"/dav/principals/{BOB}/"]


def test_rules_of_calendars_hold_for_those_who_share(alice: DAVClient, bob: DAVClient) -> None:
    """RFC 4791 §5.3.2.1: the UID is the calendar's, wherever it is seen."""
    acl(alice, WORK, entry(person(BOB), READ, WRITE))
    reply = bob.request("PUT", MOUNT + "2.ics", event("one"))
    assert (reply.status, reply.condition) == (409, "{urn:ietf:params:xml:ns:caldav}no-uid-conflict")
    assert [each.text for each in reply.find("//D:href")] == [MOUNT + "1.ics"]
    bob.request("PUT", OWN + "1.ics", event("one"))
    for method in ("COPY", "MOVE"):
        reply = bob.request(method, OWN + "1.ics", Destination=MOUNT + "2.ics")
        assert (reply.status, reply.condition) == (409, "{urn:ietf:params:xml:ns:caldav}no-uid-conflict")
    assert bob.request("GET", OWN + "1.ics").status == 200
    assert bob.request("PUT", OWN + "3.ics", event("three")).status == 201
    assert bob.request("MOVE", OWN + "3.ics", Destination=MOUNT + "3.ics").status == 201
    assert report(alice, query_body(JANUARY), WORK).hrefs == [WORK + "1.ics", WORK + "3.ics"]
    tasks = ALICES + "tasks/"
    acl(alice, tasks, entry(person(BOB), READ, WRITE))
    reply = bob.request("COPY", OWN + "1.ics", Destination=f"{HOME}tasks-{ALICE}/1.ics")
    assert (reply.status, reply.condition) == (403, "{urn:ietf:params:xml:ns:caldav}supported-calendar-component")
