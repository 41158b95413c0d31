"""Tests for trekd.dav.sharing.invitations and trekd.dav.sharing.notifications (caldav-sharing)."""

from __future__ import annotations

import pytest

from tests.fakes.davsite import ALICE, BOB, DAVClient, DAVHost, Reply
from tests.unit.dav.sharing.case import (
    CAROL,
    HOME,
    MOUNT,
    READ,
    WORK,
    XML,
    acl,
    entry,
    local_names,
    properties,
)
from tests.unit.dav.sharing.case import (
    host as make_host,
)
from trekd.dav.sharing import notifications
from trekd.errors import LimitReached
from trekd.store.collections import CollectionKind, Right

NOTES = HOME + "notifications/"


@pytest.fixture
def host() -> DAVHost:
    return make_host()


@pytest.fixture
def alice(host: DAVHost) -> DAVClient:
    return host.client(ALICE)


@pytest.fixture
def bob(host: DAVHost) -> DAVClient:
    return host.client(BOB)


def post(client: DAVClient, path: str, root: str, inside: str, media_type: str = XML) -> Reply:
    """A document of Calendar Server's."""
    body = f'<CS:{root} xmlns:D="DAV:" xmlns:CS="http://calendarserver.org/ns/">{inside}</CS:{root}>'
    return client.request("POST", path, body, Content_Type=media_type)


def invite(client: DAVClient, who: str, access: str = "read", path: str = WORK) -> Reply:
    """Share with one."""
    inside = f"<D:href>{who}</D:href><CS:summary>Shared workspace</CS:summary><CS:{access}/>"
    return post(client, path, "share", f"<CS:set>{inside}</CS:set>")


def grants(host: DAVHost) -> dict[str, Right]:
    """What Alice gave of her calendar."""
    return dict(host.run(host.shelf(ALICE).grants(host.collection("calendar", CollectionKind.CALENDAR).id)))


def notes(client: DAVClient, home: str = NOTES) -> list[Reply]:
    """An account's notifications."""
    return [client.request("GET", href) for href in properties(client, home, "getetag", depth="1").hrefs[1:]]


@pytest.mark.parametrize(
    "who", ["mailto:bob@example.com", "MAILTO:Bob@Example.com", "/dav/principals/bob@example.com/", "mailto:%s"]
)
def test_who_is_invited_sees_it_at_once(host: DAVHost, alice: DAVClient, bob: DAVClient, who: str) -> None:
    """caldav-sharing §5.3.2.1."""
    reply = invite(alice, who.replace("%s", BOB), "read-write")
    assert (reply.status, reply.body) == (200, b"")
    assert grants(host) == {BOB: Right.WRITE}
    shown = properties(bob, MOUNT, "displayname", "resourcetype", "C:schedule-calendar-transp")
    assert [each.text for each in shown.find("//D:displayname")] == ["Shared workspace"]
    assert "shared" in local_names(shown, "//D:resourcetype/*")
    assert local_names(shown, "//C:schedule-calendar-transp/*") == ["transparent"]


def test_an_alias_leads_to_its_account(host: DAVHost, alice: DAVClient) -> None:
    assert invite(alice, "mailto:cc@example.com").status == 403
    host.directory.accounts["cc@example.com"] = host.directory.accounts[CAROL]
    assert invite(alice, "mailto:cc@example.com").status == 200
    assert grants(host) == {CAROL: Right.READ}


def test_the_owner_sees_to_whom_it_is_open(alice: DAVClient, bob: DAVClient) -> None:
    """caldav-sharing §5.2."""
    invite(alice, f"mailto:{CAROL}")
    invite(alice, f"mailto:{BOB}", "read-write")
    bob.request("DELETE", MOUNT)
    reply = properties(alice, WORK, "CS:invite", "CS:allowed-sharing-modes", "resourcetype")
    assert [each.text for each in reply.find("//CS:user/D:href")] == [f"mailto:{BOB}", f"mailto:{CAROL}"]
    assert local_names(reply, "//CS:user[1]/*") == ["href", "invite-declined", "access"]
    assert local_names(reply, "//CS:user[2]/*") == ["href", "common-name", "invite-accepted", "access"]
    assert local_names(reply, "//CS:access/*") == ["read-write", "read"]
    assert local_names(reply, "//CS:allowed-sharing-modes/*") == ["can-be-shared"]
    assert "shared-owner" in local_names(reply, "//D:resourcetype/*")


def test_others_see_the_owner_and_themselves(host: DAVHost, alice: DAVClient, bob: DAVClient) -> None:
    """caldav-sharing §5.2.2: not each other."""
    invite(alice, f"mailto:{CAROL}")
    invite(alice, f"mailto:{BOB}")
    for path in (MOUNT, WORK):
        reply = properties(bob, path, "CS:invite", "CS:allowed-sharing-modes")
        assert local_names(reply, "//CS:invite/*") == ["organizer", "user"]
        hrefs = [each.text for each in reply.find("//CS:invite//D:href")]
        assert hrefs == [f"mailto:{ALICE}", f"mailto:{BOB}"]
        assert not reply.find("//CS:can-be-shared")


def test_several_at_once_and_removal(host: DAVHost, alice: DAVClient, bob: DAVClient) -> None:
    """caldav-sharing §5.3.2.2."""
    invite(alice, f"mailto:{BOB}")
    carol = f"<CS:set><D:href>mailto:{CAROL}</D:href><CS:read-write/></CS:set>"
    removal = f"<CS:remove><D:href>mailto:{BOB}</D:href></CS:remove>"
    assert post(alice, WORK, "share", carol + removal).status == 200
    assert grants(host) == {CAROL: Right.WRITE}
    assert bob.request("PROPFIND", MOUNT, Depth="0").status == 404
    del host.directory.accounts[CAROL]
    shown = properties(alice, WORK, "CS:invite")
    assert "invite-invalid" in local_names(shown, "//CS:user/*")
    assert post(alice, WORK, "share", removal.replace(BOB, CAROL)).status == 200
    assert grants(host) == {}
    assert "shared-owner" not in local_names(properties(alice, WORK, "resourcetype"), "//D:resourcetype/*")


@pytest.mark.parametrize(
    ("who", "status", "condition"),
    [
        ("mailto:nobody@example.com", 403, "{DAV:}recognized-principal"),
        ("mailto:bob", 403, "{DAV:}recognized-principal"),
        ("/dav/calendars/bob@example.com/", 403, "{DAV:}recognized-principal"),
        (f"mailto:{ALICE}", 403, "{DAV:}allowed-principal"),
        ("", 400, ""),
    ],
)
def test_who_cannot_be_invited(host: DAVHost, alice: DAVClient, who: str, status: int, condition: str) -> None:
    """All or nothing."""
    good = f"<CS:set><D:href>mailto:{BOB}</D:href><CS:read/></CS:set>"
    reply = post(alice, WORK, "share", f"{good}<CS:set><D:href>{who}</D:href><CS:read/></CS:set>")
    assert (reply.status, reply.condition) == (status, condition)
    assert grants(host) == {}


def test_documents_that_are_none(alice: DAVClient) -> None:
    home = f"/dav/calendars/{ALICE}/"
    assert post(alice, WORK, "share", "").status == 400
    assert post(alice, WORK, "invite-reply", "").status == 403
    assert post(alice, home, "share", "").status == 403
    assert post(alice, home, "invite-reply", "").status == 400
    assert post(alice, WORK, "share", "", media_type="text/plain").status == 405
    assert post(alice, f"/dav/files/{ALICE}/", "share", "").status == 405


def test_only_the_owner_invites(alice: DAVClient, bob: DAVClient) -> None:
    invite(alice, f"mailto:{BOB}", "read-write")
    for path in (MOUNT, WORK):
        reply = invite(bob, f"mailto:{CAROL}", path=path)
        assert (reply.status, reply.condition) == (403, "{DAV:}need-privileges")


def reply_to(client: DAVClient, answer: str, source: str = WORK, home: str = HOME) -> Reply:
    """Answer an invitation."""
    inside = f"<D:href>mailto:{BOB}</D:href><CS:invite-{answer}/><CS:hosturl><D:href>{source}</D:href></CS:hosturl>"
    return post(client, home, "invite-reply", inside + "<CS:in-reply-to>x</CS:in-reply-to>")


def test_who_declined_can_accept_again(alice: DAVClient, bob: DAVClient) -> None:
    """caldav-sharing §5.4.1."""
    invite(alice, f"mailto:{BOB}")
    assert reply_to(bob, "declined").status == 200
    assert bob.request("PROPFIND", MOUNT, Depth="0").status == 404
    reply = reply_to(bob, "accepted")
    assert (reply.status, str(reply.xml.tag)) == (200, "{http://calendarserver.org/ns/}shared-as")
    assert [each.text for each in reply.find("/CS:shared-as/D:href")] == [MOUNT]
    assert bob.request("PROPFIND", MOUNT, Depth="0").status == 207
    told = notes(alice, f"/dav/calendars/{ALICE}/notifications/")
    assert [local_names(each, "//CS:invite-reply/*")[:2] for each in told] == [["href", "invite-accepted"]]


def test_nobody_accepts_what_was_not_offered(alice: DAVClient, bob: DAVClient) -> None:
    for source in (WORK, "/dav/calendars/nobody@example.com/x/", HOME + "calendar/", "https://elsewhere.example/"):
        for answer in ("accepted", "declined"):
            reply = reply_to(bob, answer, source)
            assert (reply.status, reply.condition) == (403, "{DAV:}need-privileges")
    assert reply_to(alice, "accepted", home=HOME).status == 403
    acl(alice, WORK, entry("<authenticated/>", READ))
    assert reply_to(bob, "accepted").status == 200, "what is open to all can be shown at home"
    assert bob.request("PROPFIND", MOUNT, Depth="0").status == 207


def test_notifications_tell_what_happened(alice: DAVClient, bob: DAVClient) -> None:
    """caldav-sharing §4, §6.15: one for each collection."""
    where = properties(bob, f"/dav/principals/{BOB}/", "CS:notification-URL")
    assert [each.text for each in where.find("//CS:notification-URL/D:href")] == [NOTES]
    assert notes(bob) == []
    invite(alice, f"mailto:{BOB}", "read-write")
    (note,) = notes(bob)
    assert note.headers["content-type"].startswith("application/xml")
    names = ["uid", "href", "invite-accepted", "access", "hosturl", "organizer", "summary"]
    assert local_names(note, "//CS:invite-notification/*") == [*names, "supported-calendar-component-set"]
    assert [each.text for each in note.find("//CS:hosturl/D:href")] == [WORK]
    listing = properties(bob, NOTES, "CS:notificationtype", "resourcetype", depth="1")
    assert local_names(listing, "//CS:notificationtype/*") == ["invite-notification"]
    assert local_names(listing, "//D:resourcetype/*") == ["collection", "notification"]
    post(alice, WORK, "share", f"<CS:remove><D:href>mailto:{BOB}</D:href></CS:remove>")
    (note,) = notes(bob)
    assert "invite-deleted" in local_names(note, "//CS:invite-notification/*")


def test_notifications_are_read_and_removed_only(alice: DAVClient, bob: DAVClient, host: DAVHost) -> None:
    """caldav-notifications §4."""
    invite(alice, f"mailto:{BOB}")
    (href,) = properties(bob, NOTES, "getetag", depth="1").hrefs[1:]
    assert bob.request("PUT", NOTES + "x.xml", "x").status == 403
    assert bob.request("DELETE", NOTES).status == 403
    assert bob.request("POST", NOTES + "?add-member", "x").status == 403
    bob.request("PUT", f"/dav/files/{BOB}/x", "x")
    for method in ("COPY", "MOVE"):
        assert bob.request(method, f"/dav/files/{BOB}/x", Destination=NOTES + "x").status == 403
    assert bob.request("MKCOL", NOTES + "x").status == 403
    assert bob.request("PROPFIND", f"/dav/files/{BOB}/notifications/", Depth="0").status == 404
    sync = "<sync-token/><sync-level>1</sync-level><prop><getetag/></prop>"
    reply = bob.request("REPORT", NOTES, f'<sync-collection xmlns="DAV:">{sync}</sync-collection>')
    assert reply.hrefs == [href]
    assert bob.request("DELETE", href).status == 204
    assert alice.request("PROPFIND", NOTES, Depth="0").status == 403


def test_there_is_room_for_so_many_notifications(
    alice: DAVClient, bob: DAVClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """caldav-notifications §6."""
    monkeypatch.setattr(notifications, "MAX_NOTIFICATIONS", 1)
    invite(alice, f"mailto:{BOB}")
    assert invite(alice, f"mailto:{BOB}", path=f"/dav/calendars/{ALICE}/tasks/").status == 200
    assert len(notes(bob)) == 1


def test_there_may_be_no_room_for_them_at_all(bob: DAVClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home is listed all the same."""

    async def fail(shelf: object) -> object:
        raise LimitReached()

    monkeypatch.setattr(notifications, "_make", fail)
    assert NOTES not in properties(bob, HOME, "owner", depth="1").hrefs
    monkeypatch.undo()
    assert NOTES in properties(bob, HOME, "owner", depth="1").hrefs


def test_a_full_account_is_shared_with_all_the_same(host: DAVHost) -> None:
    small = make_host(quota=10)
    assert invite(small.client(ALICE), f"mailto:{BOB}").status == 200
    bob = small.client(BOB)
    assert bob.request("PROPFIND", MOUNT, Depth="0").status == 207
    assert notes(bob) == []
