"""Where recipients lead, by directory and plan."""

from pathlib import Path

import pytest

from tests.unit.queue.support import ALICE, BOB, NANO, PostOffice, address, run
from trekd.directory.interfaces import Account
from trekd.errors import (
    DirectoryDown,
    NoSuchRecipient,
    NotPermitted,
    PlanForbidsRelay,
    ProfileGone,
    RelayDenied,
    StoreBusy,
    TrekError,
    Unavailable,
)
from trekd.queue.interfaces import Recipient, Route, RouteKind
from trekd.queue.routing import LOCAL, RELAY
from trekd.smtp.grammar.paths import POSTMASTER
from trekd.values import Address


@pytest.fixture
def office(tmp_path: Path) -> PostOffice:
    return PostOffice(tmp_path)


@pytest.mark.parametrize(
    "recipient",
    [
        address("alice@example.com"),
        address("ALICE@example.com"),
        address("alice+tag@example.com"),
        address("asleep@example.com"),
        address("team@example.com"),
        address("out@example.com"),
        POSTMASTER,
    ],
)
@pytest.mark.parametrize("account", [None, NANO])
def test_local_addresses_are_everybodys(office: PostOffice, account: Account | None, recipient: Address) -> None:
    assert run(office.flow.resolve(account, recipient)).kind is RouteKind.LOCAL


@pytest.mark.parametrize(
    ("account", "recipient", "error"),
    [
        (None, Address("friend", "elsewhere.example"), RelayDenied),
        (None, Address("a", "[192.0.2.1]"), RelayDenied),
        (NANO, Address("friend", "elsewhere.example"), PlanForbidsRelay),
        (NANO, Address("a", "[192.0.2.1]"), PlanForbidsRelay),
        (ALICE, Address("nobody", "example.com"), NoSuchRecipient),
        (None, Address("nobody", "example.com"), NoSuchRecipient),
        (None, Address("alice%elsewhere.example", "example.com"), NoSuchRecipient),
        (None, Address("alice@elsewhere.example", "example.com"), NoSuchRecipient),
        (None, Address("elsewhere.example!alice", "example.com"), NoSuchRecipient),
        (ALICE, Address("gone", "example.com"), NotPermitted),
        (Account(address("x@example.com"), "lost"), Address("a", "b.example"), PlanForbidsRelay),
    ],
)
def test_refusals(office: PostOffice, account: Account | None, recipient: Address, error: type[TrekError]) -> None:
    """No address form opens a relay."""
    with pytest.raises(error):
        run(office.flow.resolve(account, recipient))


def test_outside_goes_to_the_relay_when_the_plan_allows(office: PostOffice) -> None:
    assert run(office.flow.resolve(ALICE, address("friend@elsewhere.example"))).kind is RouteKind.RELAY


def test_an_outage_is_no_verdict(office: PostOffice) -> None:
    office.directory.go_down()
    with pytest.raises(DirectoryDown):
        run(office.flow.resolve(ALICE, address("bob@example.com")))


def test_with_a_star_the_directory_says_which_domains_are_ours(tmp_path: Path) -> None:
    office = PostOffice(tmp_path, domains=("*",))
    assert run(office.flow.resolve(None, address("bob@example.com"))).kind is RouteKind.LOCAL
    with pytest.raises(NoSuchRecipient):
        run(office.flow.resolve(ALICE, address("nobody@example.com")))
    assert run(office.flow.resolve(ALICE, address("friend@elsewhere.example"))).kind is RouteKind.RELAY


OUTSIDE = address("friend@elsewhere.example")
ACME = Route(RouteKind.OWN_SMTP, "acme")


def test_outside_mail_takes_the_assigned_profile_on_every_plan(office: PostOffice) -> None:
    """Nano may send with a profile, and other plans may have one too (DESIGN §7)."""
    office.profiles.assignments = {"example.com": "ours", "alice@example.com": "acme"}
    assert run(office.flow.resolve(ALICE, OUTSIDE)) == ACME
    assert run(office.flow.resolve(NANO, OUTSIDE)) == Route(RouteKind.OWN_SMTP, "ours")
    assert run(office.flow.resolve(NANO, address("bob@example.com"))) == LOCAL, "local mail never leaves"
    with pytest.raises(RelayDenied):
        run(office.flow.resolve(None, OUTSIDE))


def test_without_the_profiles_nothing_leaves(office: PostOffice) -> None:
    """Never the server's route because the store did not answer."""
    office.profiles.failure = StoreBusy()
    for account in (ALICE, NANO):
        with pytest.raises(Unavailable):
            run(office.flow.resolve(account, OUTSIDE))
    with pytest.raises(Unavailable):
        run(office.routing.recheck(ALICE.principal, Recipient(OUTSIDE, ACME)))
    assert run(office.flow.resolve(ALICE, address("bob@example.com"))) == LOCAL


def test_the_plans_refusal_knows_whom_and_where_to_read(office: PostOffice) -> None:
    with pytest.raises(PlanForbidsRelay) as error:
        run(office.flow.resolve(NANO, OUTSIDE))
    assert (error.value.address, error.value.help) == ("nano@example.com", "https://help.example.com")


def test_a_waiting_copy_follows_its_sender_to_another_profile(office: PostOffice) -> None:
    office.profiles.assignments = {"alice@example.com": "new"}
    new = Route(RouteKind.OWN_SMTP, "new")
    assert run(office.routing.recheck(ALICE.principal, Recipient(OUTSIDE, ACME))) == new
    assert run(office.routing.recheck(ALICE.principal, Recipient(OUTSIDE, RELAY))) == new


@pytest.mark.parametrize("account", [ALICE, address("left@example.com")])
def test_a_copy_whose_profile_is_gone_takes_no_other_route(office: PostOffice, account: Account | Address) -> None:
    """Neither on a plan that may send any way, nor when the account itself is gone."""
    principal = account.principal
    with pytest.raises(ProfileGone) as error:
        run(office.routing.recheck(principal, Recipient(OUTSIDE, ACME)))
    assert error.value.profile == "acme"


def test_a_copy_of_a_lowered_plan_is_held(office: PostOffice) -> None:
    for route in (RELAY, ACME):
        with pytest.raises(PlanForbidsRelay):
            run(office.routing.recheck(NANO.principal, Recipient(OUTSIDE, route)))
    assert run(office.routing.recheck(ALICE.principal, Recipient(OUTSIDE, RELAY))) == RELAY


def test_mail_of_nobody_keeps_its_route(office: PostOffice) -> None:
    assert run(office.routing.recheck(None, Recipient(OUTSIDE, RELAY))) == RELAY
    assert run(office.routing.recheck(ALICE.principal, Recipient(BOB.address, LOCAL))) == LOCAL


def test_the_hosts_own_mail_goes_by_the_server(office: PostOffice) -> None:
    office.profiles.assignments = {"*": "acme"}
    assert run(office.routing.resolve_own(OUTSIDE)) == RELAY
    assert run(office.routing.resolve_own(address("bob@example.com"))) == LOCAL
    with pytest.raises(NoSuchRecipient):
        run(office.routing.resolve_own(address("nobody@example.com")))


@pytest.mark.parametrize("local", ["abuse", "Postmaster", "postmaster+list"])
def test_every_domain_has_its_roles(tmp_path: Path, local: str) -> None:
    """RFC 5321 §4.5.1, RFC 2142 §2: they stand for this host's postmaster, until somebody has the address."""
    office = PostOffice(tmp_path, ("example.com", "example.org"))
    recipient = Address(local, "example.org")
    if "+" in local:
        with pytest.raises(NoSuchRecipient):
            run(office.flow.resolve(None, recipient))
        return
    (outcome,) = office.accept(f"{local}@example.org")
    assert outcome.failure is None
    assert len(office.post.box("alice@example.com").messages) == 1
    office.directory.entries[f"{local.lower()}@example.org"] = Account(recipient, "pro")
    (outcome,) = office.accept(f"{local}@example.org")
    assert len(office.post.box("alice@example.com").messages) == 1


def test_without_a_postmaster_roles_are_nobody(office: PostOffice) -> None:
    del office.directory.entries["postmaster@example.com"]
    for local in ("postmaster", "abuse"):
        with pytest.raises(NoSuchRecipient):
            run(office.flow.resolve(None, Address(local, "example.com")))
