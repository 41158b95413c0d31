"""Where recipients lead, by directory and plan."""

from pathlib import Path

import pytest

from tests.unit.queue.support import ALICE, NANO, PostOffice, address, run
from trekd.directory.interfaces import Account
from trekd.errors import (
    DirectoryDown,
    NoSuchRecipient,
    NotPermitted,
    PlanForbidsRelay,
    RelayDenied,
    TrekError,
)
from trekd.queue.interfaces import RouteKind
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
    """Gate of notes/smtp.md §7.4: no address form opens a relay."""
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
