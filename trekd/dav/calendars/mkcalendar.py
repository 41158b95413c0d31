"""
MKCALENDAR (RFC 4791 §5.3.1).
"""

from __future__ import annotations

from trekd.dav.changes import own_place
from trekd.dav.errors import Fault
from trekd.dav.exchange import Answer, Exchange
from trekd.dav.methods.mkcol import make
from trekd.dav.nodes import HomeNode
from trekd.dav.xml.names import caldav, dav
from trekd.dav.xml.requests import PropertyChange, mkcol
from trekd.store.collections import CollectionKind


async def perform(exchange: Exchange) -> Answer:
    """
    Make a calendar with properties, all or nothing.

    @raise Fault: something is there, or no calendar can be.
    """
    where = await own_place(exchange)
    if where.node is not None:
        raise Fault(405, dav("resource-must-be-null"), "The name is taken.")
    kind = exchange.site.tables.kinds[CollectionKind.CALENDAR]
    if not isinstance(where.parent, HomeNode) or kind.kind not in where.parent.kinds:
        raise Fault(403, caldav("calendar-collection-location-ok"), "Calendars lie in calendar homes.")
    answer = await make(exchange, where, kind, await _properties(exchange), caldav("mkcalendar-response"))
    return answer.adding((b"cache-control", b"no-cache"))


async def _properties(exchange: Exchange) -> tuple[PropertyChange, ...]:
    """
    @raise Fault: 415, the body is no XML.
    """
    if not exchange.body.size:
        return ()
    media_type = exchange.header("content-type").partition(";")[0].strip().lower()
    if media_type not in ("", "text/xml", "application/xml"):
        raise Fault(415, text="The body of MKCALENDAR is XML or nothing.")
    return mkcol(await exchange.required_document(), caldav("mkcalendar"))
