"""
REPORT (RFC 3253 §3.6).
"""

from __future__ import annotations

from trekd.dav.errors import Fault
from trekd.dav.exchange import Answer, Exchange
from trekd.dav.nodes import find_required, require
from trekd.dav.xml.names import dav
from trekd.errors import NotPermitted
from trekd.portal.access import Permission


async def perform(exchange: Exchange) -> Answer:
    """Find the report that the body asks for."""
    root = await exchange.document()
    row = None if root is None else exchange.site.tables.reports.get(str(root.tag))
    try:
        node = await find_required(exchange)
    except NotPermitted:
        if row is None or row.permission is not Permission.NONE:
            raise
        # RFC 4791 §7.10
        raise Fault(404, text="There is nothing at this address.") from None
    if root is None:
        raise Fault(400, text="A body is needed.")
    if row is None or not row.applies(exchange, node):
        await require(exchange, node, Permission.READ)
        raise Fault(403, dav("supported-report"), "There is no such report here.")
    await require(exchange, node, row.permission)
    return await row.perform(exchange, node, root)
