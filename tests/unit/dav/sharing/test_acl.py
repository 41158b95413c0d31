"""Tests for trekd.dav.sharing.acl and trekd.dav.sharing.entries: who may do what, and how it is said."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.fakes.davsite import ALICE, BOB, DAVClient, DAVHost
from tests.unit.dav.sharing.case import (
    BOOK,
    BUSY,
    CAROL,
    HOME,
    MOUNT,
    READ,
    WORK,
    WRITE,
    acl,
    entry,
    local_names,
    person,
    properties,
)
from tests.unit.dav.sharing.case import (
    host as make_host,
)
from trekd.store.collections import EVERYONE, CollectionKind, Right

EVERYBODY = "<authenticated/>"
OWNER = "<property><owner/></property>"


@pytest.fixture
def host() -> DAVHost:
    return make_host()


@pytest.fixture
def alice(host: DAVHost) -> DAVClient:
    return host.client(ALICE)


@pytest.fixture
def bob(host: DAVHost) -> DAVClient:
    return host.client(BOB)


def grants(host: DAVHost) -> dict[str, Right]:
    """What Alice gave of her calendar."""
    shelf = host.shelf(ALICE)
    return dict(host.run(shelf.grants(host.collection("calendar", CollectionKind.CALENDAR).id)))


@pytest.mark.parametrize(
    ("privileges", "right"),
    [
        ([READ], Right.READ),
        ([READ, BUSY, "<read-current-user-privilege-set/>"], Right.READ),
        ([BUSY], Right.FREEBUSY),
        ([READ, WRITE], Right.WRITE),
        ([READ, "<write-content/>", "<write-properties/>", "<bind/>", "<unbind/>"], Right.WRITE),
    ],
)
def test_rights_are_given(host: DAVHost, alice: DAVClient, privileges: Sequence[str], right: Right) -> None:
    """RFC 3744 §8.1: the list becomes what was sent."""
    reply = acl(alice, WORK, entry(person(BOB), *privileges))
    assert (reply.status, reply.body) == (200, b"")
    assert grants(host) == {BOB: right}
    assert acl(alice, WORK, entry(person(CAROL), READ)).status == 200
    assert grants(host) == {CAROL: Right.READ}
    assert acl(alice, WORK).status == 200
    assert grants(host) == {}


def test_entries_for_one_principal_add_up(host: DAVHost, alice: DAVClient) -> None:
    acl(alice, WORK, entry(person(BOB), READ), entry(person(BOB), WRITE), entry(EVERYBODY, BUSY))
    assert grants(host) == {BOB: Right.WRITE, EVERYONE: Right.FREEBUSY}


@pytest.mark.parametrize(
    ("given", "status", "condition"),
    [
        (entry(person(BOB), READ, form="deny"), 403, "grant-only"),
        (f"<ace><invert><principal>{person(BOB)}</principal></invert><grant/></ace>", 403, "no-invert"),
        (entry(person("nobody@example.com"), READ), 403, "recognized-principal"),
        (entry("<href>https://elsewhere.example/bob</href>", READ), 403, "recognized-principal"),
        (entry(f"<href>{WORK}</href>", READ), 403, "recognized-principal"),
        (entry("<all/>", READ), 403, "allowed-principal"),
        (entry("<unauthenticated/>", READ), 403, "allowed-principal"),
        (entry("<self/>", READ), 403, "allowed-principal"),
        (entry(person(BOB), "<fly/>"), 403, "not-supported-privilege"),
        (entry(person(BOB), WRITE), 403, "no-ace-conflict"),
        (entry(person(BOB), "<all/>"), 403, "no-ace-conflict"),
        (entry(person(BOB), READ, "<write-acl/>"), 403, "no-ace-conflict"),
        (entry(person(BOB), READ) * 1001, 403, "limited-number-of-aces"),
        (entry(person(BOB)), 400, ""),
        (f"<ace><principal>{person(BOB)}</principal></ace>", 400, ""),
        (f"<ace><principal>{person(BOB)}</principal><grant><read/></grant></ace>", 400, ""),
        (entry(person(BOB), READ).replace("</ace>", "<deny><privilege><read/></privilege></deny></ace>"), 400, ""),
        (entry("", READ), 400, ""),
        (entry("<href>no path</href>", READ), 400, ""),
        ("<x/>", 400, ""),
    ],
)
def test_lists_that_cannot_be(host: DAVHost, alice: DAVClient, given: str, status: int, condition: str) -> None:
    """RFC 3744 §8.1.1: nothing changes."""
    acl(alice, WORK, entry(person(CAROL), READ))
    reply = acl(alice, WORK, given)
    assert (reply.status, reply.condition) == (status, condition and f"{{DAV:}}{condition}")
    assert grants(host) == {CAROL: Right.READ}


def test_what_was_read_can_be_sent_back(host: DAVHost, alice: DAVClient) -> None:
    """The owner's entry, protected and inherited ones change nothing."""
    acl(alice, WORK, entry(person(BOB), READ, WRITE), entry(EVERYBODY, READ), entry(OWNER, "<all/>"))
    shown = properties(alice, WORK, "acl")
    octets = shown.body[shown.body.index(b"<D:acl>") :].partition(b"</D:acl>")[0] + b"</D:acl>"
    body = octets.replace(b"<D:acl>", b'<D:acl xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">')
    assert alice.request("ACL", WORK, body).status == 200
    assert grants(host) == {BOB: Right.WRITE, EVERYONE: Right.READ}


def test_who_is_gone_may_stay_on_the_list(host: DAVHost, alice: DAVClient) -> None:
    acl(alice, WORK, entry(person(BOB), READ))
    del host.directory.accounts[BOB]
    assert acl(alice, WORK, entry(person(BOB), READ), entry(person(CAROL), READ)).status == 200
    assert set(grants(host)) == {BOB, CAROL}
    assert acl(alice, WORK, entry(person(CAROL), READ)).status == 200
    assert set(grants(host)) == {CAROL}


def test_only_the_owner_gives(alice: DAVClient, bob: DAVClient) -> None:
    """RFC 3744 §3.8."""
    acl(alice, WORK, entry(person(BOB), READ, WRITE))
    for path in (WORK, MOUNT):
        reply = acl(bob, path, entry(person(CAROL), READ))
        assert (reply.status, reply.condition) == (403, "{DAV:}need-privileges")
        assert local_names(reply, "//D:privilege/*") == ["write-acl"]


def test_where_lists_are_kept(alice: DAVClient) -> None:
    alice.request("PUT", WORK + "1.ics", "one")
    allowed = {path: alice.request("OPTIONS", path).headers["allow"] for path in (WORK, BOOK, WORK + "1.ics")}
    assert ["ACL" in each for each in allowed.values()] == [True, True, False]
    assert acl(alice, WORK + "1.ics").status == 405
    assert acl(alice, f"/dav/files/{ALICE}/").status == 405
    assert "access-control" in alice.request("OPTIONS", "/dav/").headers["dav"].split(", ")


def test_a_lock_guards_the_list(host: DAVHost, alice: DAVClient) -> None:
    """RFC 3744 §7.5."""
    body = '<lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope><locktype><write/></locktype></lockinfo>'
    token = alice.request("LOCK", WORK, body).headers["lock-token"]
    assert acl(alice, WORK, entry(person(BOB), READ)).status == 423
    assert acl(alice, WORK, entry(person(BOB), READ), If=f"({token})").status == 200
    assert grants(host) == {BOB: Right.READ}


def test_the_list_as_the_owner_sees_it(alice: DAVClient, bob: DAVClient) -> None:
    """RFC 3744 §5.5, §5.6, §5.7, §5.2."""
    alice.request("PUT", WORK + "1.ics", "one")
    acl(alice, WORK, entry(person(BOB), READ, WRITE), entry(EVERYBODY, BUSY))
    reply = properties(alice, WORK, "acl", "acl-restrictions", "inherited-acl-set", "group")
    assert local_names(reply, "//D:ace/D:principal/*") == ["property", "authenticated", "href"]
    assert local_names(reply, "//D:ace[1]/*") == ["principal", "grant", "protected"]
    assert local_names(reply, "//D:ace[3]//D:privilege/*") == ["read", "write"]
    assert [each.text for each in reply.find("//D:ace[3]/D:principal/D:href")] == [f"/dav/principals/{BOB}/"]
    assert local_names(reply, "//D:acl-restrictions/*") == ["grant-only", "no-invert"]
    assert len(reply.find("//D:inherited-acl-set[not(*)] | //D:group[not(*)]")) == 2
    item = properties(alice, WORK + "1.ics", "acl")
    assert [each.text for each in item.find("//D:inherited/D:href")] == [WORK, WORK]
    others = properties(bob, WORK, "acl")
    assert not others.find("//D:acl/*"), "others are not told"
    assert others.find("//D:propstat[D:prop/D:acl]/D:status[contains(., '403')]")
    items = properties(bob, WORK, "acl", "getetag", depth="1")
    assert len(items.hrefs) == len(items.find("//D:status[contains(., '403')]")) == 2


@pytest.mark.parametrize("path", ["/dav/", "/dav/principals/", f"/dav/principals/{ALICE}/", f"/dav/calendars/{ALICE}/"])
def test_every_resource_has_the_properties(alice: DAVClient, path: str) -> None:
    """RFC 3744 §5."""
    wanted = ("supported-privilege-set", "current-user-privilege-set", "acl", "acl-restrictions", "inherited-acl-set")
    reply = properties(alice, path, *wanted, "principal-collection-set", "group")
    assert not reply.find("//D:status[contains(., '404')]")
    assert reply.find("//D:ace")


@pytest.mark.parametrize(
    ("privileges", "allowed"),
    [
        ([BUSY], ["read-free-busy"]),
        ([READ], ["read", "read-free-busy", "read-current-user-privilege-set"]),
    ],
)
def test_what_one_may_do_is_shown(
    alice: DAVClient, bob: DAVClient, privileges: Sequence[str], allowed: Sequence[str]
) -> None:
    """RFC 3744 §5.4."""
    acl(alice, WORK, entry(person(BOB), *privileges))
    reply = properties(bob, WORK, "current-user-privilege-set")
    if "read" in allowed:
        assert local_names(reply, "//D:privilege/*") == allowed
    else:
        assert (reply.status, local_names(reply, "//D:privilege/*")) == (403, ["read"])


def test_who_sees_only_busy_times_learns_no_names(alice: DAVClient, bob: DAVClient) -> None:
    alice.request("PUT", WORK + "1.ics", "one")
    acl(alice, WORK, entry(person(BOB), BUSY))
    for name in ("1.ics", "2.ics"):
        for method in ("GET", "PUT", "DELETE", "OPTIONS"):
            reply = bob.request(method, WORK + name)
            assert (reply.status, reply.condition) == (403, "{DAV:}need-privileges")
            assert b"href" not in reply.body
    assert not [href for href in properties(bob, HOME, "owner", depth="1").hrefs if ALICE in href]


def test_paths_that_are_closed_are_all_alike(alice: DAVClient, bob: DAVClient) -> None:
    """RFC 3744 §3: whether or not anything is there."""
    alice.request("PUT", WORK + "1.ics", "one")
    closed = [WORK, WORK + "1.ics", WORK + "2.ics", f"/dav/calendars/{ALICE}/x/", f"/dav/calendars/{ALICE}/"]
    closed += [path.replace(ALICE, "nobody@example.com") for path in closed] + [f"/dav/calendars/{ALICE}/proxies/"]

    def answers() -> set[tuple[str, int, bytes]]:
        methods = ("GET", "PROPFIND", "PUT", "DELETE", "OPTIONS", "MKCOL", "LOCK", "PROPPATCH", "REPORT", "ACL")
        found = set()
        for path in closed:
            for method in methods:
                reply = bob.request(method, path, "<x/>" if method in ("PUT", "REPORT") else b"")
                found.add((method, reply.status, reply.body))
        return found

    first = answers()
    assert {status for _, status, _ in first} == {403} and len(first) == 10
    acl(alice, f"/dav/calendars/{ALICE}/tasks/", entry(person(BOB), READ))
    closed.remove(f"/dav/calendars/{ALICE}/")
    assert answers() == first, "another calendar being open changes nothing"


def test_everybody_reads_by_the_owners_path(alice: DAVClient, bob: DAVClient) -> None:
    alice.request("PUT", WORK + "1.ics", "one")
    acl(alice, WORK, entry(EVERYBODY, READ))
    assert bob.request("GET", WORK + "1.ics").body == b"one"
    reply = properties(bob, f"/dav/calendars/{ALICE}/", "owner", depth="1")
    assert reply.hrefs == [f"/dav/calendars/{ALICE}/", WORK]
    assert bob.request("PUT", WORK + "1.ics", "two").status == 403
    assert not [href for href in properties(bob, HOME, "owner", depth="1").hrefs if ALICE in href]


def test_writers_use_the_owners_path(alice: DAVClient, bob: DAVClient) -> None:
    acl(alice, WORK, entry(person(BOB), READ, WRITE))
    assert bob.request("PUT", WORK + "1.ics", "one").status == 201
    assert bob.request("PUT", WORK + "1.ics", "two").status == 204
    assert bob.request("DELETE", WORK + "1.ics").status == 204
    reply = bob.request("DELETE", WORK)
    assert (reply.status, reply.condition) == (403, "{DAV:}need-privileges")
    assert bob.request("MOVE", WORK, Destination=f"/dav/calendars/{ALICE}/x/").status == 403
    assert bob.request("MKCOL", f"/dav/calendars/{ALICE}/x/").status == 403
