"""Tests for trekd.dav.sharing.mounts and trekd.dav.sharing.shares: what is shared, in the other's home."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.fakes.davsite import ALICE, BOB, DAVClient, DAVHost
from tests.unit.dav.sharing.case import (
    BOOK,
    CAROL,
    HOME,
    MOUNT,
    PRINCIPALS,
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
from trekd.dav.sharing import shares
from trekd.directory.interfaces import Status
from trekd.errors import StoreBusy
from trekd.store.collections import CollectionKind, NewCollection
from trekd.values import PrincipalId

LOCK = '<lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope><locktype><write/></locktype></lockinfo>'
SYNC = '<sync-collection xmlns="DAV:"><sync-token>%s</sync-token><sync-level>1</sync-level><prop><getetag/></prop>'
SYNC += "</sync-collection>"


@pytest.fixture
def host() -> DAVHost:
    return make_host()


@pytest.fixture
def alice(host: DAVHost) -> DAVClient:
    return host.client(ALICE)


@pytest.fixture
def bob(host: DAVHost) -> DAVClient:
    return host.client(BOB)


def shown(client: DAVClient, home: str = HOME) -> list[str]:
    """What of Alice's is in a home."""
    return [href for href in properties(client, home, "owner", depth="1").hrefs if ALICE in href]


def set_name(client: DAVClient, path: str, name: str) -> int:
    """Call a collection something."""
    inside = f"<set><prop><displayname>{name}</displayname></prop></set>"
    reply = client.request("PROPPATCH", path, f'<propertyupdate xmlns="DAV:">{inside}</propertyupdate>')
    assert reply.status in (207, 403)
    return 403 if reply.status == 403 or b"403 Forbidden" in reply.body else 200


def name_of(client: DAVClient, path: str) -> str:
    """What it is called."""
    return str(properties(client, path, "displayname").find("//D:displayname")[0].text)


def test_what_is_shared_appears_and_goes(alice: DAVClient, bob: DAVClient) -> None:
    acl(alice, WORK, entry(person(BOB), READ))
    assert shown(bob) == [MOUNT]
    reply = properties(bob, MOUNT, "resourcetype", "owner", "displayname", "CS:shared-url")
    assert local_names(reply, "//D:resourcetype/*") == ["collection", "calendar", "shared"]
    assert [each.text for each in reply.find("//D:owner/D:href")] == [f"{PRINCIPALS}{ALICE}/"]
    assert [each.text for each in reply.find("//CS:shared-url/D:href")] == [WORK]
    assert name_of(bob, MOUNT) == f"Calendar ({ALICE})"
    acl(alice, WORK)
    assert shown(bob) == []
    assert bob.request("PROPFIND", MOUNT, Depth="0").status == 404
    assert bob.request("PROPFIND", WORK, Depth="0").status == 403


def test_address_books_are_shared_alike(alice: DAVClient, bob: DAVClient) -> None:
    acl(alice, BOOK, entry(person(BOB), READ, WRITE))
    home = f"/dav/addressbooks/{BOB}/"
    assert shown(bob, home) == [f"{home}contacts-{ALICE}/"]
    assert bob.request("PUT", f"{home}contacts-{ALICE}/1.vcf", "one").status == 201
    assert alice.request("GET", BOOK + "1.vcf").body == b"one"
    assert shown(bob) == []


def test_a_reader_reads_and_does_not_write(alice: DAVClient, bob: DAVClient) -> None:
    """RFC 3744 §7.1.1: what is lacking is named."""
    alice.request("PUT", WORK + "1.ics", "one")
    acl(alice, WORK, entry(person(BOB), READ))
    assert bob.request("GET", MOUNT + "1.ics").body == b"one"
    assert properties(bob, MOUNT, "getetag", depth="1").hrefs == [MOUNT, MOUNT + "1.ics"]
    lacking = {
        ("PUT", MOUNT + "2.ics"): "bind",
        ("PUT", MOUNT + "1.ics"): "write-content",
        ("DELETE", MOUNT + "1.ics"): "unbind",
        ("LOCK", MOUNT + "1.ics"): "write",
        ("PROPPATCH", MOUNT + "1.ics"): "write-properties",
    }
    for (method, path), name in lacking.items():
        reply = bob.request(method, path, LOCK if method == "LOCK" else "x")
        assert (reply.status, reply.condition) == (403, "{DAV:}need-privileges"), method
        assert local_names(reply, "//D:privilege/*") == [name], method
    assert alice.request("GET", WORK + "1.ics").body == b"one"


def test_a_writer_writes_on_the_owners_shelf(host: DAVHost, alice: DAVClient, bob: DAVClient) -> None:
    acl(alice, WORK, entry(person(BOB), READ, WRITE))
    assert bob.request("PUT", MOUNT + "1.ics", "one", If_None_Match="*").status == 201
    assert bob.request("PUT", MOUNT + "1.ics", "two", If_None_Match="*").status == 412
    assert bob.request("POST", MOUNT + "?add-member", "three", Content_Type="text/plain").status == 201
    assert bob.request("DELETE", MOUNT + "1.ics").status == 204
    assert host.run(host.shelf(ALICE).collections())[0].items == 1
    assert all(each.octets == 0 for each in host.run(host.shelf(BOB).collections()) if each.name == "calendar")


def test_changes_are_synchronised_through_the_mount(alice: DAVClient, bob: DAVClient) -> None:
    """RFC 6578 §3.2."""
    acl(alice, WORK, entry(person(BOB), READ))
    token = bob.request("REPORT", MOUNT, SYNC % "").find("/D:multistatus/D:sync-token")[0].text
    alice.request("PUT", WORK + "1.ics", "one")
    reply = bob.request("REPORT", MOUNT, SYNC % token)
    assert reply.hrefs == [MOUNT + "1.ics"]
    alice.request("DELETE", WORK + "1.ics")
    again = bob.request("REPORT", MOUNT, SYNC % reply.find("/D:multistatus/D:sync-token")[0].text)
    assert again.hrefs == [MOUNT + "1.ics"] and again.find("//D:status[contains(., '404')]")


def test_the_owners_quota_counts(host: DAVHost) -> None:
    small = make_host(quota=100)
    alice, bob = small.client(ALICE), small.client(BOB)
    acl(alice, WORK, entry(person(BOB), READ, WRITE))
    assert bob.request("PUT", MOUNT + "1.ics", "x" * 101).status == 507
    assert bob.request("PUT", MOUNT + "1.ics", "x" * 90).status == 201
    assert alice.request("PUT", WORK + "2.ics", "x" * 20).status == 507
    assert not properties(bob, MOUNT, "quota-used-bytes").find("//D:quota-used-bytes/text()")


def test_each_has_properties_of_their_own(alice: DAVClient, bob: DAVClient) -> None:
    """caldav-sharing §5.5.3: who may only read, too."""
    acl(alice, WORK, entry(person(BOB), READ))
    assert set_name(bob, MOUNT, "Hers") == 200
    assert (name_of(bob, MOUNT), name_of(alice, WORK)) == ("Hers", "Calendar")
    set_name(alice, WORK, "Mine")
    assert (name_of(bob, MOUNT), name_of(alice, WORK)) == ("Hers", "Mine")
    removal = "<remove><prop><displayname/></prop></remove>"
    bob.request("PROPPATCH", MOUNT, f'<propertyupdate xmlns="DAV:">{removal}</propertyupdate>')
    assert name_of(bob, MOUNT) == "Mine"
    assert set_name(bob, WORK, "Ours") == 403


def test_removing_it_from_a_home_removes_nothing_else(alice: DAVClient, bob: DAVClient) -> None:
    """caldav-sharing §5.4.2."""
    alice.request("PUT", WORK + "1.ics", "one")
    acl(alice, WORK, entry(person(BOB), READ))
    assert bob.request("DELETE", MOUNT).status == 204
    assert shown(bob) == []
    assert alice.request("GET", WORK + "1.ics").body == b"one"
    assert bob.request("GET", WORK + "1.ics").body == b"one"
    acl(alice, WORK, entry(person(BOB), READ, WRITE))
    assert shown(bob) == [], "a change of rights does not bring it back"
    assert "invite-declined" in local_names(properties(alice, WORK, "CS:invite"), "//CS:user/*")


def test_it_can_be_renamed_in_a_home(alice: DAVClient, bob: DAVClient) -> None:
    acl(alice, WORK, entry(person(BOB), READ))
    assert bob.request("MOVE", MOUNT, Destination=HOME + "hers/").status == 201
    assert [href for href in properties(bob, HOME, "owner", depth="1").hrefs if "hers" in href] == [HOME + "hers/"]
    assert alice.request("PROPFIND", WORK, Depth="0").status == 207
    set_name(bob, HOME + "hers/", "Hers")
    alice.request("MOVE", WORK, Destination=f"/dav/calendars/{ALICE}/job/")
    assert name_of(bob, HOME + "hers/") == "Hers"
    reply = properties(bob, HOME + "hers/", "CS:shared-url")
    assert [each.text for each in reply.find("//CS:shared-url/D:href")] == [f"/dav/calendars/{ALICE}/job/"]


def test_collections_stay_in_their_account(alice: DAVClient, bob: DAVClient, host: DAVHost) -> None:
    acl(alice, WORK, entry(person(BOB), READ, WRITE))
    before = host.run(host.shelf(ALICE).collections())
    for source in (MOUNT, WORK):
        assert bob.request("COPY", source, Destination=HOME + "copy/").status == 403
    assert bob.request("MOVE", MOUNT, Destination=f"/dav/calendars/{ALICE}/copy/").status == 403
    assert bob.request("MOVE", HOME + "tasks/", Destination=f"/dav/calendars/{ALICE}/copy/").status == 403
    assert bob.request("COPY", HOME + "tasks/", Destination=MOUNT).status == 204, "it takes the mount's place"
    assert host.run(host.shelf(ALICE).collections()) == before


def test_items_are_copied_between_accounts(alice: DAVClient, bob: DAVClient) -> None:
    """caldav-sharing §5.5.5: they are not moved out of what is shared."""
    acl(alice, WORK, entry(person(BOB), READ, WRITE))
    alice.request("PUT", WORK + "1.ics", "one", Content_Type="text/calendar")
    own = HOME + "calendar/"
    assert bob.request("COPY", MOUNT + "1.ics", Destination=own + "1.ics").status == 201
    reply = bob.request("GET", own + "1.ics")
    assert (reply.body, reply.headers["content-type"]) == (b"one", "text/calendar")
    assert bob.request("MOVE", MOUNT + "1.ics", Destination=own + "2.ics").status == 403
    assert bob.request("MOVE", MOUNT + "1.ics", Destination=MOUNT + "2.ics").status == 201
    assert bob.request("MOVE", own + "1.ics", Destination=MOUNT + "3.ics").status == 201
    assert bob.request("MOVE", MOUNT + "3.ics", Destination=MOUNT + "2.ics", Overwrite="F").status == 412
    assert bob.request("GET", own + "1.ics").status == 404
    assert alice.request("GET", WORK + "3.ics").body == b"one"
    assert alice.request("GET", WORK + "2.ics").body == b"one"


def test_a_lock_holds_whichever_way_leads_to_it(alice: DAVClient, bob: DAVClient) -> None:
    """RFC 4918 §7."""
    acl(alice, WORK, entry(person(BOB), READ, WRITE))
    alice.request("PUT", WORK + "1.ics", "one")
    token = alice.request("LOCK", WORK + "1.ics", LOCK).headers["lock-token"]
    for path in (MOUNT, WORK):
        assert bob.request("PUT", path + "1.ics", "two").status == 423
        assert bob.request("PUT", path + "1.ics", "two", If=f"({token})").status == 423
    assert bob.request("DELETE", MOUNT).status == 204, "one's own view of it is not locked"
    assert alice.request("PUT", WORK + "1.ics", "two", If=f"({token})").status == 204
    alice.request("UNLOCK", WORK + "1.ics", Lock_Token=token)
    mine = bob.request("LOCK", WORK + "1.ics", LOCK).headers["lock-token"]
    assert alice.request("PUT", WORK + "1.ics", "three").status == 423
    assert bob.request("UNLOCK", WORK + "1.ics", Lock_Token=mine).status == 204


def test_what_is_new_in_a_locked_collection(alice: DAVClient, bob: DAVClient) -> None:
    """RFC 4918 §7.4: the lock of the collection is that of the place, also where nothing is yet."""
    acl(alice, WORK, entry(person(BOB), READ, WRITE))
    token = bob.request("LOCK", MOUNT, LOCK).headers["lock-token"]
    assert bob.request("PUT", MOUNT + "1.ics", "one").status == 423
    assert alice.request("PUT", WORK + "1.ics", "one").status == 423
    assert bob.request("PUT", MOUNT + "1.ics", "one", If=f"({token})").status == 201
    assert bob.request("PUT", WORK + "2.ics", "one", If=f"<{MOUNT}> ({token})").status == 201


def test_conditions_open_few_accounts(alice: DAVClient) -> None:
    named = " ".join(f"</dav/files/{number}@example.com/> (<urn:x>)" for number in range(11))
    assert alice.request("PUT", WORK + "1.ics", "one", If=named).status == 400
    assert alice.request("PUT", WORK + "1.ics", "one", If=named.partition(" </")[0]).status == 412


def test_the_owner_ends_locks_of_others(alice: DAVClient, bob: DAVClient) -> None:
    """RFC 3744 §3.5."""
    acl(alice, WORK, entry(person(BOB), READ, WRITE))
    alice.request("PUT", WORK + "1.ics", "one")
    token = bob.request("LOCK", MOUNT + "1.ics", LOCK).headers["lock-token"]
    assert alice.request("UNLOCK", WORK + "1.ics", Lock_Token=token).status == 204
    token = alice.request("LOCK", WORK + "1.ics", LOCK).headers["lock-token"]
    reply = bob.request("UNLOCK", MOUNT + "1.ics", Lock_Token=token)
    assert (reply.status, local_names(reply, "//D:privilege/*")) == (403, ["unlock"])


def test_names_that_are_taken_are_avoided(host: DAVHost, alice: DAVClient, bob: DAVClient) -> None:
    taken = NewCollection(f"calendar-{ALICE}", CollectionKind.CALENDAR)
    host.run(host.shelf(BOB).create_collection(taken))
    acl(alice, WORK, entry(person(BOB), READ))
    assert shown(bob) == [MOUNT, f"{HOME}calendar-{ALICE}-2/"]


def test_who_never_logged_in_keeps_their_first_collections(host: DAVHost, alice: DAVClient) -> None:
    fresh = make_host()
    alice = fresh.client(ALICE)
    fresh.run(fresh.store.remove(PrincipalId(BOB)))
    acl(alice, WORK, entry(person(BOB), READ))
    names = properties(fresh.client(BOB), HOME, "owner", depth="1").hrefs
    assert {HOME + "calendar/", HOME + "tasks/", MOUNT} <= set(names)


def test_what_is_gone_is_not_shown(host: DAVHost, alice: DAVClient, bob: DAVClient) -> None:
    acl(alice, WORK, entry(person(BOB), READ))
    acl(alice, f"/dav/calendars/{ALICE}/tasks/", entry(person(BOB), READ))
    assert len(shown(bob)) == 2
    assert alice.request("DELETE", WORK).status == 204
    assert shown(bob) == [f"{HOME}tasks-{ALICE}/"]
    assert len(host.run(host.shelf(BOB).mounts())) == 1
    assert bob.request("GET", MOUNT + "1.ics").status == 404
    account = host.directory.accounts[ALICE]
    host.directory.accounts[ALICE] = replace(account, status=Status.DISABLED)
    assert shown(bob) == []
    assert bob.request("PROPFIND", f"/dav/calendars/{ALICE}/tasks/", Depth="0").status == 403
    host.directory.accounts[ALICE] = account
    assert shown(bob) == [f"{HOME}tasks-{ALICE}/"], "an account that is in use again is shown again"
    host.run(host.store.remove(PrincipalId(ALICE)))
    assert shown(bob) == []


def test_a_store_that_does_not_answer_is_no_reason_to_forget(
    host: DAVHost, alice: DAVClient, bob: DAVClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clients remove what is missing from a listing."""
    acl(alice, WORK, entry(person(BOB), READ))
    opened = host.store.open

    async def fail(principal: PrincipalId, quota: int = 0) -> object:
        if principal == ALICE:
            raise StoreBusy()
        return await opened(principal, quota)

    monkeypatch.setattr(host.store, "open", fail)
    assert bob.request("PROPFIND", HOME, Depth="1").status == 503
    assert bob.request("PROPFIND", HOME + "calendar/", Depth="1").status == 207
    monkeypatch.undo()
    assert shown(bob) == [MOUNT]


def test_nothing_is_given_that_cannot_be_shown(
    host: DAVHost, alice: DAVClient, bob: DAVClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shares, "MAX_MOUNTS", 1)
    acl(alice, f"/dav/calendars/{ALICE}/tasks/", entry(person(BOB), READ))
    acl(alice, WORK, entry(person(CAROL), READ))
    assert acl(alice, WORK, entry(person(BOB), READ)).status == 507
    assert bob.request("PROPFIND", WORK, Depth="0").status == 403
    invited = properties(alice, WORK, "CS:invite").find("//CS:user/D:href")
    assert [each.text for each in invited] == [f"mailto:{CAROL}"]


def test_there_are_only_so_many(alice: DAVClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 3744 §8.1.1."""
    monkeypatch.setattr(shares, "MAX_GRANTS", 1)
    reply = acl(alice, WORK, entry(person(BOB), READ), entry(person(CAROL), READ))
    assert (reply.status, reply.condition) == (403, "{DAV:}limited-number-of-aces")
    assert acl(alice, WORK, entry(person(BOB), READ)).status == 200
