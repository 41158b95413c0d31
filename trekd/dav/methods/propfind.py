"""
PROPFIND (RFC 4918 §9.1) with Depth 0 and 1.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from trekd.dav.errors import Fault
from trekd.dav.exchange import Answer, Exchange, xml_answer
from trekd.dav.multistatus import streamed
from trekd.dav.nodes import CollectionNode, Node, find_required, require
from trekd.dav.properties import Selection
from trekd.dav.xml.names import dav
from trekd.dav.xml.requests import propfind
from trekd.portal.access import Permission
from trekd.store.collections import ItemState

PREFER = (b"vary", b"Prefer, Brief")


async def perform(exchange: Exchange) -> Answer:
    """Give properties of a resource and, with Depth 1, its members."""
    depth = exchange.depth or "infinity"
    node = await find_required(exchange)
    await require(exchange, node, Permission.READ)
    wanted = propfind(await exchange.document())
    if depth == "infinity" and node.is_collection:
        raise Fault(403, dav("propfind-finite-depth"), "Ask with Depth 0 or 1.")
    selection = Selection(exchange, wanted)
    members: Sequence[Node] = ()
    states: Sequence[ItemState] = ()
    if depth == "1":
        members = await node.members(exchange)
        states = await node.shelf.items(node.state.id) if isinstance(node, CollectionNode) else ()
    # RFC 8144 §4: the collection itself is left out.
    has_root = depth == "0" or "depth-noroot" not in exchange.preferences
    pieces = _pieces(selection, node, has_root, members, states)
    return xml_answer(207, streamed(pieces), PREFER, *applied(exchange, "depth-noroot" if not has_root else ""))


def applied(exchange: Exchange, *others: str) -> tuple[tuple[bytes, bytes], ...]:
    """C{Preference-Applied} (RFC 7240 §3), where there is something to say."""
    words = [word for word in others if word] + (["return=minimal"] if exchange.is_minimal else [])
    return ((b"preference-applied", ", ".join(words).encode()),) if words else ()


async def _pieces(
    selection: Selection, node: Node, has_root: bool, members: Sequence[Node], states: Sequence[ItemState]
) -> AsyncIterator[bytes]:
    if has_root:
        yield await selection.of(node)
    for member in members:
        yield await selection.of(member)
    if isinstance(node, CollectionNode):
        async for piece in selection.of_items(node, states):
            yield piece
