"""Tests for trekd.portal.access."""

from __future__ import annotations

import pytest

from trekd.directory.interfaces import Account
from trekd.portal.access import ALL, GIVEN, Permission, may_know, permissions, right_for
from trekd.store.collections import EVERYONE, Right
from trekd.values import Address, PrincipalId

ALICE, BOB, CAROL = (PrincipalId(f"{name}@example.com") for name in ("alice", "bob", "carol"))
SEE, READ, WRITE, OWN = Permission.SEE_BUSY, Permission.READ, Permission.WRITE, Permission.OWN


@pytest.mark.parametrize(
    ("who", "grants", "allowed"),
    [
        (ALICE, [], SEE | READ | WRITE | OWN),
        (ALICE, [{ALICE: Right.FREEBUSY}], SEE | READ | WRITE | OWN),
        (BOB, [], Permission.NONE),
        (BOB, [{CAROL: Right.WRITE}], Permission.NONE),
        (BOB, [{BOB: Right.FREEBUSY}], SEE),
        (BOB, [{BOB: Right.READ}], SEE | READ),
        (BOB, [{BOB: Right.WRITE}], SEE | READ | WRITE),
        (BOB, [{EVERYONE: Right.FREEBUSY}], SEE),
        (BOB, [{EVERYONE: Right.FREEBUSY, BOB: Right.READ}], SEE | READ),
        (BOB, [{EVERYONE: Right.WRITE, BOB: Right.FREEBUSY}], SEE | READ | WRITE),
        (BOB, [{BOB: Right.FREEBUSY}, {BOB: Right.WRITE}], SEE | READ | WRITE),
        (BOB, [{}, {BOB: Right.READ}], SEE | READ),
    ],
)
def test_what_is_allowed(who: PrincipalId, grants: list[dict[PrincipalId, Right]], allowed: Permission) -> None:
    assert permissions(who, ALICE, *grants) == allowed


def test_what_is_the_hosts_own_can_be_read() -> None:
    assert permissions(BOB, None) == SEE | READ


@pytest.mark.parametrize(
    ("address", "scope", "is_known"),
    [
        ("x@example.com", "domain", True),
        ("x@example.net", "domain", True),
        ("x@example.org", "domain", False),
        ("x@example.org", "all", True),
        ("x@example.com", "off", True),
        ("x@example.org", "off", False),
    ],
)
def test_whom_an_account_may_know_of(address: str, scope: str, is_known: bool) -> None:
    asker = Account(Address("alice", "example.com"), "nano", aliases=(Address("alice", "example.net"),))
    assert may_know(asker, Address.parse(address), scope) is is_known


def test_nobody_gets_what_is_the_owners_alone() -> None:
    for allowed in GIVEN.values():
        assert not allowed & OWN


@pytest.mark.parametrize(
    ("allowed", "right"),
    [
        (SEE, Right.FREEBUSY),
        (SEE | READ, Right.READ),
        (SEE | READ | WRITE, Right.WRITE),
        (WRITE, None),
        (SEE | READ | Permission.BIND, None),
        (ALL, None),
        (Permission.NONE, None),
    ],
)
def test_rights_by_what_they_allow(allowed: Permission, right: Right | None) -> None:
    assert right_for(allowed) is right
