"""
How items of a collection change: the seam by which an extension sees a change before it is stored, and may complete it.

Methods ask L{changes_in}; a kind without a row of its own has its items stored as they come.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from trekd.dav.exchange import Exchange
from trekd.store.collections import ALWAYS, Condition, NewItem, Stored

if TYPE_CHECKING:
    from trekd.dav.nodes import CollectionNode, ItemNode


@dataclass(frozen=True, slots=True)
class Kept:
    """
    What became of an item that was stored.

    @ivar is_as_sent: its octets are those that came (RFC 4791 §5.3.4).
    """

    stored: Stored
    is_as_sent: bool = True


class ItemChanges(Protocol):
    """Changes of the items of one kind of collection; each is durable when it returns, or nothing changed."""

    async def put(
        self, exchange: Exchange, collection: CollectionNode, new: NewItem, when: Condition = ALWAYS
    ) -> Kept:
        """As L{ICollections.put <trekd.store.collections.ICollections.put>}."""

    async def remove(self, exchange: Exchange, node: ItemNode, when: Condition = ALWAYS) -> None:
        """As L{ICollections.remove_item <trekd.store.collections.ICollections.remove_item>}."""

    async def transfer(
        self, exchange: Exchange, node: ItemNode, target: tuple[CollectionNode, str], when: Condition, is_move: bool
    ) -> Stored:
        """
        Copy or move within one account.

        @param target: the collection, and the name in it; C{when} is of that name.
        """

    async def clear(self, exchange: Exchange, node: CollectionNode) -> None:
        """A collection is about to be removed with all in it, after this."""


class PlainChanges:
    """See L{ItemChanges}: nobody looks."""

    async def put(
        self, exchange: Exchange, collection: CollectionNode, new: NewItem, when: Condition = ALWAYS
    ) -> Kept:
        """See L{ItemChanges.put}."""
        return Kept(await collection.shelf.put(collection.state.id, new, when))

    async def remove(self, exchange: Exchange, node: ItemNode, when: Condition = ALWAYS) -> None:
        """See L{ItemChanges.remove}."""
        await node.collection.shelf.remove_item(node.collection.state.id, node.state.name, when)

    async def transfer(
        self, exchange: Exchange, node: ItemNode, target: tuple[CollectionNode, str], when: Condition, is_move: bool
    ) -> Stored:
        """See L{ItemChanges.transfer}."""
        shelf, (parent, name) = node.collection.shelf, target
        do = shelf.move_item if is_move else shelf.copy_item
        stored: Stored = await do(node.collection.state.id, node.state.name, parent.state.id, name, when)
        return stored

    async def clear(self, exchange: Exchange, node: CollectionNode) -> None:
        """See L{ItemChanges.clear}."""


PLAIN = PlainChanges()


def changes_in(exchange: Exchange, collection: CollectionNode) -> ItemChanges:
    """How the items of a collection change."""
    return exchange.site.tables.changes.get(collection.state.kind, PLAIN)
