"""
C{Prefer: return=representation} (RFC 7240 §4.2, RFC 8144 §3): who changes an item gets it with the answer.
"""

from __future__ import annotations

from trekd.dav.changes import destination
from trekd.dav.errors import answer_to
from trekd.dav.exchange import Answer, Exchange
from trekd.dav.methods.get import item_answer
from trekd.dav.nodes import ItemNode, find, permitted
from trekd.dav.paths import Location, read_path
from trekd.errors import NotPermitted
from trekd.portal.access import Permission

WANTED = "return=representation"

_APPLIED = (b"preference-applied", WANTED.encode())
_AT_DESTINATION = ("COPY", "MOVE")
_METHODS = ("PUT", "POST", *_AT_DESTINATION)


async def represented(exchange: Exchange, answer: Answer) -> Answer:
    """The answer to a change that was made, with what is there now where that is wanted (RFC 8144 §3.1)."""
    if not _is_wanted(exchange) or answer.body or answer.status not in (200, 201, 204):
        return answer
    added = dict(answer.headers).get(b"location")
    if exchange.method in _AT_DESTINATION:
        location: Location | None = destination(exchange)
    else:
        location = exchange.location if added is None else read_path(added)
    found = await _found(exchange, location)
    if found is None:
        return answer
    known = {name for name, _ in found.headers}
    others = tuple(pair for pair in answer.headers if pair[0] not in known)
    return Answer(201 if answer.status == 201 else 200, found.body, found.headers + others, found.size)


async def represented_failure(exchange: Exchange, error: Exception) -> Answer | None:
    """What is there in place of what a condition asked for (RFC 8144 §3.2); C{None}: the error is told as it is."""
    if not _is_wanted(exchange) or exchange.method != "PUT" or answer_to(error).status != 412:
        return None
    try:
        found = await _found(exchange, exchange.location)
    except NotPermitted:
        return None
    return None if found is None else Answer(412, found.body, found.headers, found.size)


def _is_wanted(exchange: Exchange) -> bool:
    return exchange.method in _METHODS and WANTED in exchange.preferences


async def _found(exchange: Exchange, location: Location | None) -> Answer | None:
    """An item as GET gives it, and where it is."""
    exchange.forget()
    node = await find(exchange, location)
    if not isinstance(node, ItemNode) or Permission.READ not in await permitted(exchange, node):
        return None
    return (await item_answer(exchange, node)).adding((b"content-location", node.path), _APPLIED, (b"vary", b"Prefer"))
