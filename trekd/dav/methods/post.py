"""
POST (RFC 9110 §9.3.3): whatever extensions use it for.
"""

from __future__ import annotations

from trekd.dav.errors import Fault
from trekd.dav.exchange import Answer, Exchange
from trekd.dav.nodes import find_required


async def perform(exchange: Exchange) -> Answer:
    """Find the use that fits node, address and media type."""
    node = await find_required(exchange)
    for row in exchange.site.tables.posts:
        if row.applies(exchange, node):
            return await row.perform(exchange, node)
    raise Fault(405, text="POST to the address that the add-member property gives.")
