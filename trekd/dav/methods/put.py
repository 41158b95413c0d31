"""
PUT (RFC 4918 §9.7) and POST to a collection's add-member address (RFC 5995).
"""

from __future__ import annotations

import uuid
from dataclasses import replace

from trekd.dav.changes import Place, own_place, require_change, require_item_parent, require_same_uid, stored
from trekd.dav.conditions import condition, require_if
from trekd.dav.errors import Fault
from trekd.dav.exchange import Answer, Exchange
from trekd.dav.itemchanges import Kept, changes_in
from trekd.dav.live import http_date, quoted_etag, schedule_tag
from trekd.dav.nodes import CollectionNode, Node
from trekd.store.collections import Condition, NewItem
from trekd.store.interfaces import IMessageSource


async def perform(exchange: Exchange) -> Answer:
    """Store the body under the request's name."""
    where = await own_place(exchange)
    parent = require_item_parent(where)
    if exchange.header("content-range"):
        raise Fault(400, text="Parts of a resource cannot be put.")
    await require_change(exchange, where)
    new = await read_new(exchange, parent, where.location.name)
    require_same_uid(exchange, parent, where.node, new.facts.uid)
    # Somebody may have locked it while the body was read.
    await require_change(exchange, where)
    kept = await stored(exchange, parent, changes_in(exchange, parent).put(exchange, parent, new, condition(exchange)))
    return _stored(204 if kept.stored.replaced else 201, kept)


def is_new_member(exchange: Exchange, node: Node) -> bool:
    """Whether a request is a POST to the address that C{DAV:add-member} gives."""
    return isinstance(node, CollectionNode) and exchange.query == "add-member"


async def add_member(exchange: Exchange, node: CollectionNode) -> Answer:
    """Store the body under a name that we choose."""
    name = str(uuid.uuid4()) + node.kind(exchange).suffix
    where = Place(node.location.child(name), node, None)
    await require_if(exchange)
    await require_change(exchange, where)
    new = await read_new(exchange, node, name)
    change = changes_in(exchange, node).put(exchange, node, new, Condition(is_absent=True))
    return _stored(201, await stored(exchange, node, change)).adding((b"location", where.location.path(False)))


async def read_new(exchange: Exchange, collection: CollectionNode, name: str) -> NewItem:
    """
    What the body is as an item of a collection.

    @raise Fault: it cannot be stored there.
    """
    kind = collection.kind(exchange)
    if kind.read_item is None:
        raise Fault(403, text="Nothing can be put here.")
    if exchange.header("content-encoding").lower() not in ("", "identity"):
        raise Fault(415, text="Bodies are taken without content encoding.")
    limit: int = getattr(exchange.site.config, kind.max_item)
    if kind.too_large and exchange.body.size > limit:
        raise Fault(403, kind.too_large, f"At most {limit} octets are taken.")
    exchange.body.require(limit)
    return await kind.read_item(exchange, collection, name, await exchange.body.content())


def _stored(status: int, kept: Kept) -> Answer:
    """What was stored as it came has its etag told; a client has to read again what was not (RFC 4791 §5.3.4)."""
    state = kept.stored.state
    headers = [(b"etag", quoted_etag(state)), (b"last-modified", http_date(state.modified))] if kept.is_as_sent else []
    return Answer(status, b"", (*headers, *schedule_tag(state)))


async def read_file(
    exchange: Exchange, collection: CollectionNode, name: str, content: bytes | IMessageSource
) -> NewItem:
    """See L{trekd.dav.tables.Reader}: a file is anything."""
    new = NewItem(name, content)
    media_type = exchange.header("content-type").strip()
    is_usable = media_type.isascii() and media_type.isprintable() and 0 < len(media_type) <= 200
    return replace(new, media_type=media_type) if is_usable else new
