"""Tests for trekd.dav.sharing.proxies (caldav-proxy)."""

from __future__ import annotations

import pytest

from tests.fakes.davsite import ALICE, BOB, DAVClient, DAVHost, Reply
from tests.unit.dav.sharing.case import (
    BOOK,
    CAROL,
    PRINCIPALS,
    WORK,
    local_names,
    person,
    properties,
)
from tests.unit.dav.sharing.case import (
    host as make_host,
)
from trekd.dav.sharing import proxies

OWN = f"{PRINCIPALS}{ALICE}/"
READERS, WRITERS = OWN + "calendar-proxy-read/", OWN + "calendar-proxy-write/"


@pytest.fixture
def host() -> DAVHost:
    return make_host()


@pytest.fixture
def alice(host: DAVHost) -> DAVClient:
    return host.client(ALICE)


@pytest.fixture
def bob(host: DAVHost) -> DAVClient:
    return host.client(BOB)


def set_members(client: DAVClient, group: str, *members: str, name: str = "group-member-set") -> Reply:
    """Make these the members."""
    inside = "".join(person(each) for each in members)
    change = f"<set><prop><{name}>{inside}</{name}></prop></set>"
    return client.request("PROPPATCH", group, f'<propertyupdate xmlns="DAV:">{change}</propertyupdate>')


def members(client: DAVClient, group: str) -> list[str]:
    """Who is in a group."""
    found = properties(client, group, "group-member-set").find("//D:group-member-set/D:href")
    return [str(each.text).split("/")[-2] for each in found]


def hrefs(client: DAVClient, path: str, name: str) -> list[str]:
    """The references in a property."""
    prefixed = name if ":" in name else f"D:{name}"
    return [str(each.text) for each in properties(client, path, name).find(f"//{prefixed}/D:href")]


def test_the_groups_are_below_the_principal(alice: DAVClient) -> None:
    """caldav-proxy §5.2; RFC 3744 §4."""
    reply = properties(alice, OWN, "resourcetype", "displayname", "principal-URL", depth="1")
    assert reply.hrefs == [OWN, READERS, WRITERS]
    kinds = local_names(reply, "//D:response[2]//D:resourcetype/*")
    assert kinds == ["collection", "principal", "calendar-proxy-read"]
    assert reply.find("//D:response[2]//D:displayname")[0].text
    assert [each.text for each in reply.find("//D:principal-URL/D:href")] == [OWN, READERS, WRITERS]
    assert "calendar-proxy" in alice.request("OPTIONS", OWN).headers["dav"].split(", ")


def test_a_proxy_reads_all_calendars(alice: DAVClient, bob: DAVClient) -> None:
    """caldav-proxy §5.4."""
    alice.request("PUT", WORK + "1.ics", "one")
    assert set_members(alice, READERS, BOB).status == 207
    assert (members(alice, READERS), members(alice, WRITERS)) == ([BOB], [])
    listing = properties(bob, f"/dav/calendars/{ALICE}/", "owner", depth="1").hrefs
    assert {f"/dav/calendars/{ALICE}/", WORK, f"/dav/calendars/{ALICE}/tasks/"} <= set(listing)
    assert bob.request("GET", WORK + "1.ics").body == b"one"
    assert bob.request("PUT", WORK + "1.ics", "two").status == 403
    assert bob.request("PROPFIND", BOOK, Depth="0").status == 403
    own = properties(bob, f"/dav/calendars/{BOB}/", "owner", depth="1").hrefs
    assert not [href for href in own if ALICE in href], "nothing is mounted"


def test_a_proxy_writes(alice: DAVClient, bob: DAVClient) -> None:
    set_members(alice, WRITERS, BOB)
    assert bob.request("PUT", WORK + "1.ics", "two").status == 201
    assert bob.request("DELETE", WORK).status == 403
    names = local_names(properties(bob, WORK, "current-user-privilege-set"), "//D:privilege/*")
    assert "write" in names and "all" not in names


def test_both_sides_see_it(alice: DAVClient, bob: DAVClient) -> None:
    """caldav-proxy §5.3; RFC 3744 §4.4."""
    set_members(alice, WRITERS, BOB)
    mine = f"{PRINCIPALS}{BOB}/"
    assert hrefs(bob, mine, "CS:calendar-proxy-write-for") == [OWN]
    assert hrefs(bob, mine, "CS:calendar-proxy-read-for") == []
    assert hrefs(bob, mine, "group-membership") == [WRITERS]
    assert hrefs(alice, mine, "group-membership") == [], "what others are is not told"
    assert members(bob, WRITERS) == [BOB]
    assert bob.request("PROPFIND", READERS, Depth="0").status == 404
    acl = properties(alice, WORK, "acl")
    assert [each.text for each in acl.find("//D:ace[D:inherited]/D:principal/D:href")] == [WRITERS]
    assert [each.text for each in acl.find("//D:inherited/D:href")] == [f"/dav/calendars/{ALICE}/"]


def test_members_move_and_go(alice: DAVClient, bob: DAVClient, host: DAVHost) -> None:
    set_members(alice, READERS, BOB, CAROL)
    set_members(alice, WRITERS, BOB)
    assert (members(alice, READERS), members(alice, WRITERS)) == ([CAROL], [BOB])
    set_members(alice, READERS)
    assert (members(alice, READERS), members(alice, WRITERS)) == ([], [BOB])
    removal = "<remove><prop><group-member-set/></prop></remove>"
    alice.request("PROPPATCH", WRITERS, f'<propertyupdate xmlns="DAV:">{removal}</propertyupdate>')
    assert members(alice, WRITERS) == []
    assert host.run(host.shelf(BOB).mounts()) == ()
    assert bob.request("PROPFIND", WORK, Depth="0").status == 403
    assert hrefs(bob, f"{PRINCIPALS}{BOB}/", "group-membership") == []


def test_what_cannot_be_set(alice: DAVClient, bob: DAVClient, monkeypatch: pytest.MonkeyPatch) -> None:
    assert set_members(alice, READERS, "nobody@example.com").condition == "{DAV:}recognized-principal"
    assert set_members(alice, READERS, name="x").condition == "{DAV:}cannot-modify-protected-property"
    set_members(alice, READERS, BOB)
    reply = set_members(bob, READERS, CAROL)
    assert (reply.status, reply.condition) == (403, "{DAV:}need-privileges")
    assert b"403 Forbidden" in set_members(alice, WORK).body
    monkeypatch.setattr(proxies, "MAX_GRANTS", 1)
    assert set_members(alice, READERS, BOB, CAROL).condition == "{DAV:}limited-number-of-aces"
    assert set_members(alice, READERS, CAROL, ALICE).status == 207
    assert members(alice, READERS) == [CAROL]


def test_the_match_report_finds_the_groups(alice: DAVClient, bob: DAVClient) -> None:
    """caldav-proxy §5.2, the example; RFC 3744 §9.3."""
    set_members(alice, WRITERS, BOB)
    body = '<principal-match xmlns="DAV:"><self/><prop><resourcetype/></prop></principal-match>'
    assert bob.request("REPORT", PRINCIPALS, body).hrefs == [f"{PRINCIPALS}{BOB}/", WRITERS]
