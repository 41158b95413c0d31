"""
OPTIONS (RFC 4918 §10.1, RFC 9110 §9.3.7).
"""

from __future__ import annotations

from trekd.dav.exchange import Answer, Exchange
from trekd.dav.nodes import find, require
from trekd.portal.access import Permission


def dav_header(exchange: Exchange) -> tuple[bytes, bytes]:
    """What we comply with."""
    return b"dav", ", ".join(exchange.site.tables.compliance).encode()


def allow_header(names: tuple[str, ...]) -> tuple[bytes, bytes]:
    """The methods that apply."""
    return b"allow", ", ".join(names).encode()


async def perform(exchange: Exchange) -> Answer:
    """Say what can be done here; where nothing is, what can make something."""
    node = await find(exchange, exchange.location)
    if node is not None:
        # RFC 3744 §3.1
        await require(exchange, node, Permission.READ)
    allowed = ("LOCK", "MKCOL", "OPTIONS", "PUT") if node is None else exchange.site.tables.allowed(node)
    return Answer(200, b"", (dav_header(exchange), allow_header(allowed), (b"ms-author-via", b"DAV")))
