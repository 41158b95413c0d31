"""
PROPPATCH (RFC 4918 §9.2): all of the changes or none.
"""

from __future__ import annotations

from collections.abc import Sequence

from trekd.dav.changes import own_place
from trekd.dav.conditions import submitted_tokens
from trekd.dav.errors import ErrorAnswer
from trekd.dav.exchange import Answer, Exchange, xml_answer
from trekd.dav.locks import require_unlocked
from trekd.dav.methods.propfind import PREFER, applied
from trekd.dav.multistatus import multistatus, propstat, propstat_response
from trekd.dav.nodes import Node, find_required, require
from trekd.dav.propertychanges import judged, require_room
from trekd.dav.xml.requests import PropertyChange, propertyupdate
from trekd.dav.xml.writing import element
from trekd.portal.access import Permission


async def perform(exchange: Exchange) -> Answer:
    """Set and remove properties."""
    node = await find_required(exchange)
    await own_place(exchange)
    # What is kept for a link is the asking one's own.
    await require(exchange, node, Permission.READ if node.is_link else Permission.WRITE_PROPERTIES)
    changes = propertyupdate(await exchange.required_document())
    if not node.is_link:
        require_unlocked(exchange.site.locks, node.real, submitted_tokens(exchange), exchange.principal)
    names = tuple(dict.fromkeys(change.name for change in changes))
    refused = judged(exchange, node, changes)
    if refused:
        return xml_answer(207, multistatus([_refusal(node, names, refused)]))
    await _apply(exchange, node, changes)
    exchange.forget()
    if exchange.is_minimal:
        # RFC 8144 §2.2
        return Answer(200, b"", (PREFER, *applied(exchange)))
    done = propstat(200, b"".join(map(element, names)))
    return xml_answer(207, multistatus([propstat_response(node.path, done)]), PREFER)


async def _apply(exchange: Exchange, node: Node, changes: Sequence[PropertyChange]) -> None:
    """The last change of a property counts."""
    final = {change.name: change for change in changes}
    values = {name: change.serialised for name, change in final.items() if change.element is not None}
    removed = [name for name, change in final.items() if change.element is None]
    kept = {name: value for name, value in (node.dead_properties or {}).items() if name not in removed}
    require_room({**kept, **values})
    await node.change_properties(exchange, values, removed)


def _refusal(node: Node, names: Sequence[str], refused: dict[str, ErrorAnswer]) -> bytes:
    """Which changes were in the way; the others failed with them (RFC 4918 §9.2.1)."""
    parts = [propstat(error.status, element(name), error) for name, error in refused.items()]
    others = b"".join(element(name) for name in names if name not in refused)
    if others:
        parts.append(propstat(424, others))
    return propstat_response(node.path, *parts)
