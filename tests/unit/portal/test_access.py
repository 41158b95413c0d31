"""Tests for trekd.portal.access."""

from __future__ import annotations

import pytest

from trekd.portal.access import ALL, GIVEN, Permission, permissions, right_for
from trekd.store.collections import EVERYONE, Right
from trekd.values import PrincipalId

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
