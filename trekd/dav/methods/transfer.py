"""
COPY and MOVE (RFC 4918 §9.8, §9.9).

An item, and a collection that moves, change in one step.  A collection is copied item by item; what cannot be copied
is told in a multistatus, and the rest is there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from trekd.dav.changes import (
    Place,
    destination,
    own_place,
    place,
    require_change,
    require_item_parent,
    require_same_uid,
    stored,
)
from trekd.dav.errors import Fault, answer_to, is_expected
from trekd.dav.exchange import Answer, Exchange, xml_answer
from trekd.dav.itemchanges import changes_in
from trekd.dav.live import schedule_tag
from trekd.dav.methods.delete import remove, require_removal
from trekd.dav.multistatus import multistatus, status_response
from trekd.dav.nodes import CollectionNode, HomeNode, ItemNode, Node, require
from trekd.errors import NoSuchItem, Refused
from trekd.portal.access import Permission
from trekd.store.collections import ALWAYS, Condition, NewCollection, Stored


@dataclass(frozen=True, slots=True)
class Transfer:
    """
    What goes where.

    @ivar overwrite: what is there may be replaced (RFC 4918 §10.6).
    """

    source: Place
    target: Place
    overwrite: bool

    @property
    def status(self) -> int:
        """201 for something new, 204 in place of something else."""
        return 201 if self.target.node is None else 204


async def copy(exchange: Exchange) -> Answer:
    """Copy an item or a collection."""
    transfer, node = await _read(exchange)
    await require(exchange, node, Permission.READ)
    await _require_target(exchange, transfer)
    if isinstance(node, ItemNode):
        return await _transfer_item(exchange, transfer, node, is_move=False)
    assert isinstance(node, CollectionNode)
    if exchange.depth == "1":
        raise Fault(400, text="A collection is copied alone or with all in it.")
    if node.is_link:
        raise Fault(403, text="What somebody else shares is copied item by item.")
    await _clear_target(exchange, transfer)
    failures = await _copy_collection(exchange, node, transfer.target, is_deep=exchange.depth != "0")
    exchange.forget()
    if failures:
        return xml_answer(207, multistatus(failures))
    return Answer(transfer.status)


async def move(exchange: Exchange) -> Answer:
    """Move an item or a collection, or rename it."""
    transfer, node = await _read(exchange)
    if node.is_collection and exchange.depth in ("0", "1"):
        raise Fault(400, text="A collection is moved with all in it.")
    await require_removal(exchange, transfer.source)
    await _require_target(exchange, transfer)
    if isinstance(node, ItemNode):
        _require_stay(transfer, node)
        answer = await _transfer_item(exchange, transfer, node, is_move=True)
    else:
        assert isinstance(node, CollectionNode)
        await _clear_target(exchange, transfer)
        parent = transfer.target.parent
        inside = parent.state.id if isinstance(parent, CollectionNode) else None
        await node.move(exchange, inside, transfer.target.location.name)
        answer = Answer(transfer.status)
    if not node.is_link:
        exchange.site.locks.forget_within(node.real)
    exchange.forget()
    return answer


async def _read(exchange: Exchange) -> tuple[Transfer, Node]:
    """
    The two places of a request.

    @raise Fault: one of them cannot be.
    """
    source = await own_place(exchange)
    if source.node is None:
        raise Fault(404, text="There is nothing at this address.")
    if not isinstance(source.node, CollectionNode | ItemNode):
        raise Fault(403, text="This can be neither copied nor moved.")
    target = await place(exchange, destination(exchange))
    if target.location == source.location:
        raise Fault(403, text="The destination is the resource itself.")
    if target.location.is_within(source.location) or source.location.is_within(target.location):
        raise Fault(403, text="One of the two is inside the other.")
    overwrite = exchange.header("overwrite").strip().upper() or "T"
    if overwrite not in ("T", "F"):
        raise Fault(400, text="Overwrite is T or F.")
    return Transfer(source, target, overwrite == "T"), source.node


async def _require_target(exchange: Exchange, transfer: Transfer) -> None:
    """
    @raise Fault: nothing can be put there, or not this.
    """
    node, target = transfer.source.node, transfer.target
    if target.node is not None and not transfer.overwrite:
        raise Fault(412, text="The destination is taken.")
    if isinstance(node, ItemNode):
        if target.node is not None and target.node.is_collection:
            _require_replaceable(target.node)
        parent = target.parent
        if not isinstance(parent, CollectionNode):
            require_item_parent(target)
            raise Fault(403, text="Nothing can be put here.")
        if parent.state.kind is not node.collection.state.kind:
            raise Fault(403, text="Items stay in collections of their kind.")
        require_same_uid(exchange, parent, target.node, node.state.uid)
        fit = parent.kind(exchange).require_fit
        if fit is not None:
            fit(parent, node.state)
    else:
        assert isinstance(node, CollectionNode)
        _require_room(exchange, node, target)
    await require_change(exchange, target, is_deep=target.node is not None)


def _require_replaceable(node: Node) -> None:
    if not isinstance(node, CollectionNode | ItemNode) or (isinstance(node, CollectionNode) and node.is_home):
        raise Fault(403, text="This cannot be replaced.")


def _require_room(exchange: Exchange, node: CollectionNode, target: Place) -> None:
    """
    @raise Fault: a collection of that kind cannot be there, or replaces what stays.
    """
    parent, kind = target.parent, node.state.kind
    fits = isinstance(parent, HomeNode) and kind in parent.kinds and node.state.parent is None
    if isinstance(parent, CollectionNode):
        fits = parent.kind(exchange).has_inside and parent.state.kind is kind
    if node.is_home or not fits:
        raise Fault(403, node.kind(exchange).misplaced, "Such a collection cannot be there.")
    if parent.location.segments[:2] != node.location.segments[:2]:
        raise Fault(403, text="Collections stay in their account.")
    if target.node is not None:
        _require_replaceable(target.node)


def _require_stay(transfer: Transfer, node: ItemNode) -> None:
    """
    @raise Fault: somebody else shares the collection: items leave it by being copied and removed (caldav-sharing
        §5.5.5).
    """
    parent = transfer.target.parent
    is_same = isinstance(parent, CollectionNode) and parent.state.id == node.collection.state.id
    if node.collection.is_link and not is_same:
        raise Fault(403, text="Items stay in the collection that somebody else shares.")


async def _clear_target(exchange: Exchange, transfer: Transfer) -> None:
    """What is at the destination is removed first (RFC 4918 §9.8.4)."""
    if transfer.target.node is not None:
        await remove(exchange, transfer.target.node)


async def _transfer_item(exchange: Exchange, transfer: Transfer, node: ItemNode, *, is_move: bool) -> Answer:
    parent = transfer.target.parent
    assert isinstance(parent, CollectionNode)
    if transfer.target.node is not None and transfer.target.node.is_collection:
        await remove(exchange, transfer.target.node)
    shelf, name = node.collection.shelf, transfer.target.location.name
    changes = changes_in(exchange, node.collection)
    # Nobody else comes in between where nothing may be replaced.
    when = ALWAYS if transfer.overwrite else Condition(is_absent=True)
    if shelf.principal == parent.shelf.principal:
        change = changes.transfer(exchange, node, (parent, name), when, is_move)
        kept = await stored(exchange, parent, change)
    else:
        kept = await stored(exchange, parent, _copy_across(exchange, node, parent, name, when))
        if is_move:
            await changes.remove(exchange, node, Condition(etags=(node.state.etag,)))
    return Answer(204 if kept.replaced else transfer.status, b"", schedule_tag(kept.state))


async def _copy_across(
    exchange: Exchange, node: ItemNode, parent: CollectionNode, name: str, when: Condition
) -> Stored:
    """
    Copy an item to another account's collection, as if it had been put there.

    @raise NoSuchItem: it is gone.
    @raise Fault: it cannot be there.
    """
    found = await node.collection.shelf.contents(node.collection.state.id, (node.state.name,))
    read = parent.kind(exchange).read_item
    if not found or read is None:
        raise NoSuchItem()
    state, content = found[0]
    new = await read(exchange, parent, name, content)
    new = replace(new, media_type=state.media_type, properties=state.properties)
    return (await changes_in(exchange, parent).put(exchange, parent, new, when)).stored


async def _copy_collection(
    exchange: Exchange, node: CollectionNode, target: Place, *, is_deep: bool
) -> list[bytes]:
    """
    Copy a collection with its properties.

    @return: a response for each member that could not be copied.
    """
    shelf, parent = node.shelf, target.parent
    inside = parent.state.id if isinstance(parent, CollectionNode) else None
    state = node.state
    made = await shelf.create_collection(
        NewCollection(target.location.name, state.kind, inside, state.components, state.properties)
    )
    if not is_deep:
        return []
    failures: list[bytes] = []
    copied = CollectionNode(target.location, node.owner, shelf, made)
    for item in await shelf.items(state.id):
        try:
            await shelf.copy_item(state.id, item.name, made.id, item.name)
        except Exception as error:
            failures.append(_failure(copied.item(item).path, error))
    for member in await node.members(exchange):
        assert isinstance(member, CollectionNode)
        where = Place(target.location.child(member.location.name), copied, None)
        try:
            failures += await _copy_collection(exchange, member, where, is_deep=True)
        except Refused as error:
            failures.append(_failure(where.location.path(True), error))
    return failures


def _failure(path: bytes, error: Exception) -> bytes:
    """
    @raise Exception: it is our fault.
    """
    if not is_expected(error):
        raise error
    answer = answer_to(error)
    return status_response(path, answer.status, answer)
