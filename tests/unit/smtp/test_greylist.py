"""L{trekd.smtp.greylist}."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.task import Clock

from trekd.config.schema import ReceptionConfig
from trekd.errors import Greylisted
from trekd.smtp.greylist import Greylist
from trekd.values import Address

SENDER, RECIPIENT = Address("a", "elsewhere.example"), Address("bob", "example.com")
DAY = 86400


class World:
    """A greylist and its clock."""

    def __init__(self, **config: Any) -> None:
        self.clock = Clock()
        self.clock.advance(1_700_000_000)
        self.greylist = Greylist(ReceptionConfig(**config), self.clock)  # type: ignore[arg-type]

    def passes(self, client: str = "192.0.2.1", recipient: Address = RECIPIENT) -> bool:
        try:
            self.greylist.check(client, SENDER, recipient)
        except Greylisted:
            return False
        return True


def test_who_comes_back_in_time_passes_from_then_on() -> None:
    world = World()
    assert not world.passes()
    world.clock.advance(299)
    assert not world.passes()
    world.clock.advance(1)
    assert world.passes() and world.passes()
    world.clock.advance(35 * DAY)
    assert world.passes()
    world.clock.advance(37 * DAY)
    assert not world.passes()


def test_a_first_attempt_is_forgotten() -> None:
    world = World()
    assert not world.passes()
    world.clock.advance(3 * DAY)
    assert not world.passes()
    world.clock.advance(300)
    assert world.passes()


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("192.0.2.1", "192.0.2.200", True),
        ("192.0.2.1", "192.0.3.1", False),
        ("::ffff:192.0.2.1", "192.0.2.9", True),
        ("2001:db8::1", "2001:db8::2:0:0:9", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
    ],
)
def test_neighbours_of_one_network_are_one_sender(first: str, second: str, same: bool) -> None:
    """RFC 6647 §4.1."""
    world = World()
    assert not world.passes(first)
    world.clock.advance(300)
    assert world.passes(second) is same


def test_memory_is_bounded() -> None:
    world = World(greylist_entries=1000)
    assert not world.passes()
    for number in range(1000):
        assert not world.passes(recipient=Address(f"user{number}", "example.com"))
    world.clock.advance(300)
    assert not world.passes()
    assert world.passes(recipient=Address("user999", "example.com"))
    assert len(world.greylist._seen) == 1000
