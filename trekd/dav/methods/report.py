"""
REPORT (RFC 3253 §3.6).
"""

from __future__ import annotations

from trekd.dav.errors import Fault
from trekd.dav.exchange import Answer, Exchange
from trekd.dav.nodes import find_required, require
from trekd.dav.xml.names import dav
from trekd.portal.access import Permission


async def perform(exchange: Exchange) -> Answer:
    """Find the report that the body asks for."""
    node = await find_required(exchange)
    root = await exchange.required_document()
    row = exchange.site.tables.reports.get(str(root.tag))
    if row is None or not row.applies(exchange, node):
        await require(exchange, node, Permission.READ)
        raise Fault(403, dav("supported-report"), "There is no such report here.")
    await require(exchange, node, row.permission)
    return await row.perform(exchange, node, root)
