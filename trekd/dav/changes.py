"""
What every change of the tree asks first: is the place free, who may, which locks and conditions.
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TypeVar

from trekd.dav.conditions import require_conditions, require_if, submitted_tokens
from trekd.dav.errors import Fault
from trekd.dav.exchange import Exchange
from trekd.dav.locks import require_unlocked
from trekd.dav.nodes import CollectionNode, HomeNode, ItemNode, Node, find, require
from trekd.dav.paths import Location, read_reference
from trekd.dav.xml.writing import href
from trekd.errors import UIDTaken
from trekd.portal.access import Permission

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Place:
    """
    Where something is, or is to be.

    @ivar parent: the collection or home around it.
    @ivar node: what is there now.
    """

    location: Location
    parent: Node
    node: Node | None

    @property
    def real(self) -> Location:
        """Where that is, whichever way leads to it (L{Node.real})."""
        return self.parent.real.child(self.location.name) if self.node is None else self.node.real


async def place(exchange: Exchange, location: Location | None) -> Place:
    """
    Look at a place that is to be changed.

    @raise Fault: 403 where nothing of the kind can be, 409 when the collection around it is missing (RFC 4918 §9.7.1).
    """
    if location is None or not location.segments:
        raise Fault(403, text="Nothing can be changed here.")
    parent = await find(exchange, location.parent)
    if parent is None:
        raise Fault(409, text="There is no such collection to put it into.")
    return Place(parent.location.child(location.name), parent, await parent.child(exchange, location.name))


def destination(exchange: Exchange) -> Location:
    """
    Where COPY and MOVE are to put something.

    @raise Fault: it is missing, or another server's (RFC 4918 §9.8.4).
    """
    value = exchange.header("destination")
    if not value:
        raise Fault(400, text="A Destination is needed.")
    location = read_reference(value, exchange.header("host"))
    if location is None:
        raise Fault(502, text="The destination is not on this server.")
    return location


async def own_place(exchange: Exchange) -> Place:
    """The place that the request is about; its conditions hold (RFC 4918 §10.4, RFC 9110 §13)."""
    found = await place(exchange, exchange.location)
    await require_if(exchange)
    require_conditions(exchange, found.node)
    return found


async def require_change(exchange: Exchange, where: Place, *, is_deep: bool = False) -> None:
    """
    Make sure that what is at a place may be changed, or something put there.

    @param is_deep: everything below goes, too.
    @raise Fault: 403 or 423.
    """
    if where.node is None:
        await require(exchange, where.parent, Permission.BIND)
    else:
        await require(exchange, where.node, Permission.UNBIND if is_deep else Permission.WRITE_CONTENT)
    require_unlocked(
        exchange.site.locks,
        where.real,
        submitted_tokens(exchange),
        exchange.principal,
        is_deep=is_deep,
        changes_parent=where.node is None or is_deep,
    )


async def stored(exchange: Exchange, parent: CollectionNode, change: Awaitable[T]) -> T:
    """
    What the store made of a new item.

    @raise Fault: another item has its UID; the client is told which (RFC 4791 §5.3.2.1, RFC 6352 §6.3.2.1).
    """
    try:
        return await change
    except UIDTaken as taken:
        condition = parent.kind(exchange).uid_conflict
        other = href(parent.location.child(taken.name).path(False)) if condition else b""
        raise Fault(409, condition, "Another item of the collection has the same UID.", other) from None


def require_same_uid(exchange: Exchange, parent: CollectionNode, there: Node | None, uid: str) -> None:
    """
    @raise Fault: what is there would be replaced by something with another UID (RFC 4791 §5.3.2.1, RFC 6352
        §6.3.2.1).
    """
    condition = parent.kind(exchange).uid_conflict
    if condition and isinstance(there, ItemNode) and there.state.uid != uid:
        raise Fault(409, condition, "What is at this address has another UID.", href(there.path))


def require_item_parent(where: Place) -> CollectionNode:
    """
    The collection that an item is to be put into.

    @raise Fault: 405 on a collection, 403 or 409 where no item can be.
    """
    if where.node is not None and where.node.is_collection:
        raise Fault(405, text="There is a collection at this address.")
    if isinstance(where.parent, CollectionNode):
        return where.parent
    if isinstance(where.parent, HomeNode):
        raise Fault(403, text="Only collections can be here.")
    if where.parent.is_collection:
        raise Fault(403, text="Nothing can be put here.")
    raise Fault(409, text="There is no such collection to put it into.")
