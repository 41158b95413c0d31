"""trekctl's operations on what accounts share, over real shares."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.fakes.administration import Administered
from tests.fakes.davsite import ALICE, BOB, DAVHost
from trekd.dav.sharing.administration import Shares
from trekd.errors import NoSuchAccount, NoSuchCollection, NotPermitted, SyntaxFault

EVENTS = "calendars/calendar"


class Office:
    """Operations over a host with Alice and Bob, who have logged in."""

    def __init__(self) -> None:
        self.dav = DAVHost()
        for name in (ALICE, BOB):
            self.dav.client(name).request("OPTIONS", "/dav/")
        self.host = Administered(directory=self.dav.directory, shares=Shares(self.dav.site))
        self.does = self.host.operations.shares

    def run(self, work: Any) -> Any:
        return self.dav.run(work)

    def give(self, grantee: str, right: str = "read", collection: str = EVENTS, owner: str = ALICE) -> Any:
        return self.run(self.does.give(owner, {"collection": collection, "grantee": grantee, "right": right}))


@pytest.fixture
def office() -> Iterator[Office]:
    yield Office()


def test_what_is_given_is_listed_and_shown(office: Office) -> None:
    assert office.give("Bob@example.com", "write") == {"collection": EVENTS, "grantee": BOB, "right": "write"}
    office.give("everybody", "freebusy")
    office.give(BOB, collection="addressbooks/contacts")
    mount = f"/dav/calendars/{BOB}/calendar-{ALICE}/"
    assert office.dav.client(BOB).request("PROPFIND", mount, Depth="0").status == 207
    assert office.run(office.does.list_all(ALICE)) == [
        {"collection": EVENTS, "grantee": "everybody", "right": "freebusy", "shown": False},
        {"collection": EVENTS, "grantee": BOB, "right": "write", "shown": True},
        {"collection": "addressbooks/contacts", "grantee": BOB, "right": "read", "shown": True},
    ]
    assert office.run(office.does.take(ALICE, EVENTS, BOB)) == {"collection": EVENTS, "grantee": BOB}
    assert office.dav.client(BOB).request("PROPFIND", mount, Depth="0").status == 404


def test_it_can_be_shown_again(office: Office) -> None:
    office.give(BOB)
    office.dav.client(BOB).request("DELETE", f"/dav/calendars/{BOB}/calendar-{ALICE}/")
    assert [each["shown"] for each in office.run(office.does.list_all(ALICE))] == [False]
    office.give(BOB)
    assert [each["shown"] for each in office.run(office.does.list_all(ALICE))] == [True]


def test_who_is_gone_can_be_taken_off(office: Office) -> None:
    office.give(BOB)
    del office.dav.directory.accounts[BOB]
    assert [each["grantee"] for each in office.run(office.does.list_all(ALICE))] == [BOB]
    office.run(office.does.take(ALICE, EVENTS, BOB))
    assert office.run(office.does.list_all(ALICE)) == []


def test_what_cannot_be(office: Office) -> None:
    with pytest.raises(NoSuchAccount):
        office.give("nobody@example.com")
    with pytest.raises(NoSuchAccount):
        office.give(BOB, owner="nobody@example.com")
    with pytest.raises(NotPermitted):
        office.give(ALICE)
    with pytest.raises(SyntaxFault):
        office.give(BOB, "own")
    office.run(office.does.give(BOB, {"collection": EVENTS, "grantee": ALICE, "right": "read"}))
    wrong = ("calendars/none", "calendars", "files/x", f"calendars/calendar-{BOB}", "calendars/notifications", "")
    for collection in wrong:
        with pytest.raises(NoSuchCollection):
            office.give(BOB, collection=collection)
    assert office.run(office.does.list_all(ALICE)) == []


def test_without_a_daemon_nothing_is_shared(office: Office) -> None:
    host = Administered(directory=office.dav.directory)
    with pytest.raises(NotPermitted):
        office.run(host.operations.shares.list_all(ALICE))
