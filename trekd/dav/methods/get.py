"""
GET and HEAD, whole, in part (RFC 9110 §14) or not at all (304).
"""

from __future__ import annotations

from trekd.dav.conditions import is_not_modified, require_conditions, require_if
from trekd.dav.errors import Fault
from trekd.dav.exchange import Answer, Exchange
from trekd.dav.live import http_date, quoted_etag, schedule_tag
from trekd.dav.methods.ranges import Parts, Span, pieces, read_ranges
from trekd.dav.nodes import CollectionNode, ItemNode, find_required, require
from trekd.portal.access import Permission
from trekd.store.collections import ItemState

_NOTHING_TO_SHOW = Answer(
    200, b"This is a WebDAV collection.\n", ((b"content-type", b"text/plain; charset=utf-8"),)
)


async def perform(exchange: Exchange) -> Answer:
    """Give an item's octets as they were stored, or what a collection shows."""
    node = await find_required(exchange)
    await require(exchange, node, Permission.READ)
    await require_if(exchange)
    if isinstance(node, CollectionNode):
        get = node.kind(exchange).get
        if get is not None:
            return await get(exchange, node)
    if not isinstance(node, ItemNode):
        return await node.get(exchange) or _NOTHING_TO_SHOW
    if exchange.header("if-match") or exchange.header("if-unmodified-since"):
        _require_match(exchange, node)
    if is_not_modified(exchange, node):
        return Answer(304, b"", validators(node.state))
    other_form = node.collection.kind(exchange).other_form
    given = None if other_form is None else await other_form(exchange, node)
    return given or await item_answer(exchange, node)


def _require_match(exchange: Exchange, node: ItemNode) -> None:
    """C{If-None-Match} is not for 412 here but for 304 (RFC 9110 §13.2.2)."""
    if not exchange.header("if-none-match"):
        require_conditions(exchange, node)


def validators(state: ItemState) -> tuple[tuple[bytes, bytes], ...]:
    """What caches need to know of an item."""
    fields = [
        (b"etag", quoted_etag(state)),
        (b"last-modified", http_date(state.modified)),
        (b"accept-ranges", b"bytes"),
        (b"cache-control", b"private, no-cache"),
    ]
    fields += schedule_tag(state)
    return tuple(fields)


async def item_answer(exchange: Exchange, node: ItemNode) -> Answer:
    """
    An item's octets, or the parts that GET asks for.

    @raise Fault: 416, all that is asked for lies outside.
    """
    state, source = await node.collection.shelf.item_source(node.collection.state.id, node.state.name)
    headers, media_type = validators(state), state.media_type.encode("ascii", "replace")
    spans = _spans(exchange, state)
    if spans is None:
        typed = (*headers, (b"content-type", media_type))
        return Answer(200, pieces(source, Span(0, state.size)), typed, state.size)
    if len(spans) == 1:
        span = spans[0]
        ranged = (*headers, (b"content-type", media_type), (b"content-range", span.content_range(state.size)))
        return Answer(206, pieces(source, span), ranged, span.end - span.start)
    parts = Parts(source, spans, state.size, media_type)
    return Answer(206, parts.pieces(), (*headers, (b"content-type", parts.media_type)), parts.size)


def _spans(exchange: Exchange, state: ItemState) -> tuple[Span, ...] | None:
    """
    The parts that are asked for, at least one; C{None} is all.

    @raise Fault: 416, they lie outside.
    """
    asked = exchange.header("range")
    if not asked or exchange.method != "GET":
        return None
    still = exchange.header("if-range").strip()
    if still and still not in (f'"{state.etag}"', http_date(state.modified).decode()):
        return None
    spans = read_ranges(asked, state.size)
    if spans == ():
        raise Fault(416, text="There is no such part.", headers=((b"content-range", b"bytes */%d" % state.size),))
    return spans
