"""
What the parts of the collections' suite share: fixtures, and short ways to ask.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from tests.contract.storecase import StoreCase
from tests.fakes.running import PumpedReactor
from trekd.store.collections import CollectionId, CollectionKind, ICollections, NewCollection, NewItem
from trekd.store.interfaces import IAccountStore

HOUR = 3600


@dataclass(frozen=True)
class Facts:
    """Facts of an item, an event unless told."""

    uid: str = ""
    component: str = "VEVENT"
    spans: tuple[tuple[int, int, str], ...] = ()
    open_from: int | None = None
    is_floating: bool = False
    texts: tuple[tuple[str, str], ...] = ()


class CollectionCase(StoreCase):
    """An account with a calendar for each test."""

    @pytest.fixture
    def shelf(self, alice: IAccountStore) -> ICollections:
        """The account's collections."""
        return ICollections(alice)

    @pytest.fixture
    def calendar(self, reactor: PumpedReactor, shelf: ICollections) -> CollectionId:
        """An empty calendar."""
        return reactor.run(make(shelf, "work"))


async def make(
    shelf: ICollections,
    name: str,
    kind: CollectionKind = CollectionKind.CALENDAR,
    parent: CollectionId | None = None,
) -> CollectionId:
    """Make a collection."""
    return (await shelf.create_collection(NewCollection(name, kind, parent))).id


def item(name: str, content: bytes = b"x", **facts: object) -> NewItem:
    """An item; its UID is its name unless told."""
    return NewItem(name, content, Facts(**{"uid": name, **facts}), "text/calendar")  # type: ignore[arg-type]


def spans(*times: tuple[int, int], letter: str = "B") -> tuple[tuple[int, int, str], ...]:
    """Busy spans."""
    return tuple((start, end, letter) for start, end in times)


async def names_in(shelf: ICollections, collection: CollectionId) -> list[str]:
    """Names of the items."""
    return [state.name for state in await shelf.items(collection)]


async def tree(shelf: ICollections) -> Sequence[tuple[str, CollectionId | None]]:
    """Names and parents of the collections."""
    return [(state.name, state.parent) for state in await shelf.collections()]
