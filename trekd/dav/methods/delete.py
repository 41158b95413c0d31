"""
DELETE (RFC 4918 §9.6).
"""

from __future__ import annotations

from trekd.dav.changes import Place, own_place, require_change
from trekd.dav.conditions import condition
from trekd.dav.errors import Fault
from trekd.dav.exchange import Answer, Exchange
from trekd.dav.itemchanges import changes_in
from trekd.dav.nodes import CollectionNode, ItemNode, Node, require
from trekd.portal.access import Permission
from trekd.store.collections import ALWAYS, Condition


async def perform(exchange: Exchange) -> Answer:
    """Remove an item, or a collection and everything in it."""
    where = await own_place(exchange)
    if where.node is None:
        raise Fault(404, text="There is nothing at this address.")
    if where.node.is_collection and exchange.depth in ("0", "1"):
        raise Fault(400, text="A collection is removed with all in it.")
    await require_removal(exchange, where)
    await remove(exchange, where.node, condition(exchange))
    return Answer(204)


async def require_removal(exchange: Exchange, where: Place) -> None:
    """
    @raise Fault: what is there may not be removed.
    """
    node = where.node
    if isinstance(node, CollectionNode):
        if node.is_home:
            raise Fault(403, text="This collection stays.")
        if node.is_link:
            return
        await require(exchange, node, Permission.OWN if _is_top(node) else Permission.WRITE)
    elif not isinstance(node, ItemNode):
        raise Fault(403, text="This cannot be removed.")
    await require_change(exchange, where, is_deep=True)


async def remove(exchange: Exchange, node: Node, when: Condition = ALWAYS) -> None:
    """Remove it, with its locks."""
    if isinstance(node, ItemNode):
        await changes_in(exchange, node.collection).remove(exchange, node, when)
    elif isinstance(node, CollectionNode):
        if not node.is_link:
            await changes_in(exchange, node).clear(exchange, node)
        await node.remove(exchange)
    if not node.is_link:
        exchange.site.locks.forget_within(node.real)
    exchange.forget()


def _is_top(node: CollectionNode) -> bool:
    return node.state.parent is None
