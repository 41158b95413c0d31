"""
The sync-collection report (RFC 6578).
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from trekd.dav.errors import ErrorAnswer, Fault
from trekd.dav.exchange import Answer, Exchange, xml_answer
from trekd.dav.methods.propfind import PREFER, applied
from trekd.dav.multistatus import status_response, streamed
from trekd.dav.nodes import CollectionNode, Node
from trekd.dav.properties import Selection
from trekd.dav.synctokens import since, sync_token
from trekd.dav.xml.names import dav
from trekd.dav.xml.reading import Element
from trekd.dav.xml.requests import sync_collection
from trekd.dav.xml.writing import text_element
from trekd.store.collections import ItemChanges

_TRUNCATED = ErrorAnswer(507, dav("number-of-matches-within-limits"))


def applies(exchange: Exchange, node: Node) -> bool:
    """Whether a collection of the kind can be synchronised."""
    return isinstance(node, CollectionNode) and node.kind(exchange).is_synced


async def perform(exchange: Exchange, node: Node, root: Element) -> Answer:
    """
    Tell what happened to the members of a collection behind a token.

    @raise Fault: the request is for more than one level, or for no collection of ours that is synchronised.
    @raise SyncTokenExpired: the client has to begin again.
    """
    assert isinstance(node, CollectionNode)
    wanted = sync_collection(root)
    # Quirk sync-depth-1: drafts had Depth in place of sync-level.
    level = wanted.level or ("1" if exchange.depth == "1" else "")
    if level == "infinite" or exchange.depth == "infinity":
        raise Fault(403, dav("sync-traversal-supported"), "Only members themselves are told of.")
    if level != "1":
        raise Fault(400, text="sync-level is 1 or infinite.")
    known = since(wanted.token, node.state)
    changes = await node.shelf.item_changes(node.state.id, known, wanted.limit)
    more = text_element(dav("sync-token"), sync_token(node.state, changes.modseq))
    pieces = _pieces(node, Selection(exchange, wanted.properties), changes)
    return xml_answer(207, streamed(pieces, more), PREFER, *applied(exchange))


async def _pieces(node: CollectionNode, selection: Selection, changes: ItemChanges) -> AsyncIterator[bytes]:
    async for piece in selection.of_items(node, changes.changed):
        yield piece
    gone = (status_response(node.location.child(name).path(False), 404) for name in changes.removed)
    yield b"".join(gone)
    if changes.is_truncated:
        # RFC 6578 §3.6
        yield status_response(node.path, 507, _TRUNCATED)
