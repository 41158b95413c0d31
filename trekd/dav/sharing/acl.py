"""
The ACL method (RFC 3744 §8.1).
"""

from __future__ import annotations

from trekd.dav.changes import own_place
from trekd.dav.conditions import submitted_tokens
from trekd.dav.exchange import Answer, Exchange
from trekd.dav.locks import require_unlocked
from trekd.dav.nodes import CollectionNode, find_required, require
from trekd.dav.sharing.entries import wanted
from trekd.dav.sharing.shares import Change, share
from trekd.portal.access import Permission


async def perform(exchange: Exchange) -> Answer:
    """Say who else may do what with a collection: exactly these, nobody else."""
    node = await find_required(exchange)
    await own_place(exchange)
    await require(exchange, node, Permission.WRITE_ACL)
    assert isinstance(node, CollectionNode)
    # RFC 3744 §7.5
    require_unlocked(exchange.site.locks, node.real, submitted_tokens(exchange), exchange.principal)
    before = await node.shelf.grants(node.state.id)
    asked = await wanted(exchange, await exchange.required_document(), node.shelf.principal, before)
    await share(exchange, node, Change({**dict.fromkeys(before), **asked}))
    return Answer(200)
