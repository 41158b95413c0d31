"""
LOCK and UNLOCK (RFC 4918 §9.10, §9.11).
"""

from __future__ import annotations

import re

from trekd.dav.changes import Place, own_place, require_change, require_item_parent
from trekd.dav.conditions import submitted_tokens
from trekd.dav.errors import Fault
from trekd.dav.exchange import Answer, Exchange, xml_answer
from trekd.dav.locks import Lock, lock_elements
from trekd.dav.methods.put import read_new
from trekd.dav.nodes import CollectionNode, ItemNode, require
from trekd.dav.xml.names import dav
from trekd.dav.xml.requests import lockinfo
from trekd.dav.xml.writing import document, element
from trekd.errors import ConditionFailed
from trekd.portal.access import Permission
from trekd.store.collections import Condition

_TIMEOUT = re.compile(r"second-(\d{1,10})")


async def lock(exchange: Exchange) -> Answer:
    """Take a lock, or with no body let one last longer."""
    where = await own_place(exchange)
    if not exchange.body.size:
        return await _refresh(exchange, where)
    if exchange.depth == "1":
        raise Fault(400, text="A lock has Depth 0 or infinity.")
    wanted = lockinfo(await exchange.required_document())
    node = where.node
    if node is not None and not isinstance(node, CollectionNode | ItemNode):
        raise Fault(403, text="This cannot be locked.")
    await require(exchange, node or where.parent, Permission.BIND if node is None else Permission.WRITE)
    if node is None:
        # What is made needs the locks around it; a lock on what is there needs none.
        await require_change(exchange, where)
    table = exchange.site.locks
    is_folder = node is not None and node.is_collection
    asked = Lock(
        token="",
        root=where.real,
        is_folder=is_folder,
        is_deep=exchange.depth != "0",
        is_exclusive=wanted.is_exclusive,
        owner=wanted.owner,
        principal=exchange.principal,
        expires=0,
    )
    taken = table.take(asked, _seconds(exchange))
    try:
        is_new = node is None and await _make(exchange, where)
    except BaseException:
        table.release(taken)
        raise
    return _discovery(exchange, 201 if is_new else 200, where, (b"lock-token", f"<{taken.token}>".encode()))


async def unlock(exchange: Exchange) -> Answer:
    """Release a lock, by whoever took it or owns what is locked."""
    where = await own_place(exchange)
    token = exchange.header("lock-token").strip()
    if not (token.startswith("<") and token.endswith(">")):
        raise Fault(400, text="A Lock-Token is needed.")
    for found in exchange.site.locks.covering(where.real):
        if found.token == token[1:-1]:
            if found.principal != exchange.principal:
                # RFC 3744 §3.5: the owner ends the locks of others.
                await require(exchange, where.node or where.parent, Permission.UNLOCK)
            exchange.site.locks.release(found)
            return Answer(204)
    raise Fault(409, dav("lock-token-matches-request-uri"), "There is no such lock here.")


async def _refresh(exchange: Exchange, where: Place) -> Answer:
    """RFC 4918 §9.10.2."""
    table = exchange.site.locks
    tokens = submitted_tokens(exchange)
    mine = [each for each in table.covering(where.real) if each.token in tokens]
    if not mine or mine[0].principal != exchange.principal:
        raise Fault(412, dav("lock-token-matches-request-uri"), "The If field names no lock of this resource.")
    table.refresh(mine[0], _seconds(exchange))
    return _discovery(exchange, 200, where)


async def _make(exchange: Exchange, where: Place) -> bool:
    """Make an empty item at a place where nothing is (RFC 4918 §7.3); whether it was made."""
    parent = require_item_parent(where)
    exchange.body.discard()
    exchange.body.size = 0
    new = await read_new(exchange, parent, where.location.name)
    try:
        await parent.shelf.put(parent.state.id, new, Condition(is_absent=True))
    except ConditionFailed:
        return False
    return True


def _discovery(exchange: Exchange, status: int, where: Place, *headers: tuple[bytes, bytes]) -> Answer:
    table = exchange.site.locks
    found = element(dav("lockdiscovery"), lock_elements(table, table.covering(where.real)))
    return xml_answer(status, document(dav("prop"), found), *headers)


def _seconds(exchange: Exchange) -> int:
    """The first wish that can be understood, within our bound (RFC 4918 §10.7)."""
    most = exchange.site.config.lock_time
    for wish in exchange.header("timeout").lower().split(","):
        match = _TIMEOUT.fullmatch(wish.strip())
        if match is not None:
            return max(1, min(int(match[1]), most))
    return most
