"""What failed logins cost."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from trekd.config.schema import LimitsConfig
from trekd.errors import TooManyFailures
from trekd.portal.guessing import Guessing
from trekd.portal.prefixes import Prefixes

PEER, OTHER = "203.0.113.7", "198.51.100.1"
ALICE, BOB = "alice@example.com", "bob@example.com"
LIMITS = LimitsConfig(
    failures_per_ip=5, failures_per_account=8, failure_window=600, failure_delay=2, failure_delay_max=15
)


def make(clock: Clock, size: int = 1000, trusted: tuple[str, ...] = ()) -> Guessing:
    return Guessing(LIMITS, Prefixes(64, trusted), clock, size)


def test_delay_doubles_up_to_the_longest() -> None:
    guessing = make(Clock())
    assert [guessing.failed(PEER, ALICE, f"guess {n}") for n in range(6)] == [2, 4, 8, 15, 15, 15]


def test_prefix_with_too_many_failures_is_told_to_try_later_and_recovers() -> None:
    clock = Clock()
    guessing = make(clock)
    for number in range(5):
        guessing.check(PEER, f"user{number}")
        guessing.failed(PEER, f"user{number}", "x")
    with pytest.raises(TooManyFailures):
        guessing.check(PEER, BOB)
    guessing.check(OTHER, BOB)
    clock.advance(599)
    with pytest.raises(TooManyFailures):
        guessing.check(PEER, BOB)
    clock.advance(200)
    guessing.check(PEER, BOB)
    clock.advance(1200)
    assert guessing.failures() == {}


def test_whole_ipv6_prefix_is_one_peer() -> None:
    guessing = make(Clock())
    for number in range(5):
        guessing.failed(f"2001:db8::{number}", f"user{number}", "x")
    with pytest.raises(TooManyFailures):
        guessing.check("2001:db8::ffff", BOB)


def test_account_guessed_from_many_addresses_is_closed_to_strangers_only() -> None:
    guessing = make(Clock())
    guessing.succeeded(OTHER, ALICE)
    for number in range(8):
        guessing.failed(f"192.0.2.{number}", ALICE, f"guess {number}")
    with pytest.raises(TooManyFailures):
        guessing.check("192.0.2.99", ALICE)
    guessing.check(OTHER, ALICE)
    guessing.check("192.0.2.99", BOB)


def test_same_wrong_password_again_is_no_new_guess() -> None:
    """A phone that still has the old password must not shut out the office behind the same address."""
    clock = Clock()
    guessing = make(clock)
    assert [guessing.failed(PEER, ALICE, "old") for _ in range(50)] == [2] * 50
    guessing.check(PEER, BOB)
    assert guessing.failures() == {PEER: 1, ALICE: 1}


def test_trusted_and_local_peers_count_by_account_only() -> None:
    guessing = make(Clock(), trusted=("203.0.113.0/24",))
    for number in range(20):
        guessing.failed(PEER, f"user{number}", "x")
        guessing.failed("", f"user{number}", "y")
    guessing.check(PEER, BOB)
    guessing.check("", BOB)
    assert PEER not in guessing.failures()


def test_administrator_can_forgive() -> None:
    guessing = make(Clock())
    for number in range(5):
        guessing.failed(PEER, ALICE, f"guess {number}")
    guessing.forget(PEER)
    guessing.check(PEER, BOB)
    assert guessing.failures() == {ALICE: 5}
    guessing.forget()
    assert guessing.failures() == {}


def test_memory_is_bounded() -> None:
    guessing = make(Clock(), size=100)
    for number in range(1000):
        guessing.failed(f"10.0.{number // 250}.{number % 250}", f"user{number}", "x")
        guessing.succeeded(PEER, f"user{number}")
    for kept in (guessing._by_prefix, guessing._by_account, guessing._guesses, guessing._welcome):
        assert len(kept) == 100


def test_strange_text_is_no_surprise() -> None:
    guessing = make(Clock())
    assert guessing.failed("not an address", "\udcff\0", "\udcff") == 2
    guessing.check("not an address", "\udcff\0")
