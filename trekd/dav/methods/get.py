"""
GET and HEAD, whole, in part (RFC 9110 §14) or not at all (304).
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

from trekd.dav.conditions import is_not_modified, require_conditions, require_if
from trekd.dav.errors import Fault
from trekd.dav.exchange import Answer, Exchange
from trekd.dav.live import http_date, quoted_etag, schedule_tag
from trekd.dav.nodes import CollectionNode, ItemNode, find_required, require
from trekd.portal.access import Permission
from trekd.store.collections import ItemState
from trekd.store.interfaces import IMessageSource

PIECE = 64 * 1024
"""Octets of a large item that are in memory at once."""

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


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
        return Answer(200, b"This is a WebDAV collection.\n", ((b"content-type", b"text/plain; charset=utf-8"),))
    if exchange.header("if-match") or exchange.header("if-unmodified-since"):
        _require_match(exchange, node)
    if is_not_modified(exchange, node):
        return Answer(304, b"", validators(node.state))
    other_form = node.collection.kind(exchange).other_form
    found = None if other_form is None else await other_form(exchange, node)
    return found or await _octets(exchange, node)


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


async def _octets(exchange: Exchange, node: ItemNode) -> Answer:
    state, source = await node.collection.shelf.item_source(node.collection.state.id, node.state.name)
    headers = (*validators(state), (b"content-type", state.media_type.encode("ascii", "replace")))
    part = _part(exchange, state)
    if part is None:
        return Answer(200, _pieces(source, 0, state.size), headers, state.size)
    start, end = part
    span = (b"content-range", b"bytes %d-%d/%d" % (start, end - 1, state.size))
    return Answer(206, _pieces(source, start, end), (*headers, span), end - start)


def _part(exchange: Exchange, state: ItemState) -> tuple[int, int] | None:
    """
    The part that is asked for: from, to before; C{None} is all, also where several are asked for.

    @raise Fault: 416, it lies outside.
    """
    match = _RANGE.fullmatch(exchange.header("range").replace(" ", "").lower())
    if match is None or match[1] == match[2] == "" or exchange.method != "GET":
        return None
    still = exchange.header("if-range").strip()
    if still and still not in (f'"{state.etag}"', http_date(state.modified).decode()):
        return None
    if match[1]:
        start, end = int(match[1]), min(int(match[2]) + 1, state.size) if match[2] else state.size
        if match[2] and int(match[2]) < start:
            return None
    else:
        start, end = max(0, state.size - int(match[2])), state.size
    if start >= end:
        raise Fault(416, text="There is no such part.", headers=((b"content-range", b"bytes */%d" % state.size),))
    return start, end


async def _pieces(source: IMessageSource, start: int, end: int) -> AsyncIterator[bytes]:
    at = start
    while at < end:
        piece = await source.read(at, min(PIECE, end - at))
        if not piece:
            return
        at += len(piece)
        yield piece
