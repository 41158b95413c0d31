"""
MKCOL (RFC 4918 §9.3), plain and extended (RFC 5689).
"""

from __future__ import annotations

from collections.abc import Sequence

from trekd.dav.changes import Place, own_place, require_change
from trekd.dav.errors import ErrorAnswer, Fault, answer_to
from trekd.dav.exchange import Answer, Exchange, xml_answer
from trekd.dav.multistatus import propstat
from trekd.dav.nodes import COLLECTION, CollectionNode, HomeNode
from trekd.dav.propertychanges import judged, require_room
from trekd.dav.tables import Kind
from trekd.dav.xml.names import dav
from trekd.dav.xml.reading import names
from trekd.dav.xml.requests import PropertyChange, mkcol
from trekd.dav.xml.writing import document, element
from trekd.store.collections import CollectionId, CollectionKind, CollectionState, NewCollection
from trekd.values import ModSeq

_NO_TYPE = ErrorAnswer(403, dav("valid-resourcetype"), "Collections of this type cannot be here.")


async def perform(exchange: Exchange) -> Answer:
    """Make a collection."""
    where = await own_place(exchange)
    if where.node is not None:
        raise Fault(405, dav("resource-must-be-null"), "The name is taken.")
    changes = await _properties(exchange)
    wanted = frozenset(
        name for change in changes if change.name == dav("resourcetype") for name in names(change.element)
    )
    kind = kind_for(exchange, where, wanted or frozenset([COLLECTION]))
    return await make(exchange, where, kind, changes, dav("mkcol-response"))


async def _properties(exchange: Exchange) -> tuple[PropertyChange, ...]:
    """
    @raise Fault: 415, the body is something else than an extended MKCOL (RFC 4918 §9.3.1).
    """
    if not exchange.body.size:
        return ()
    media_type = exchange.header("content-type").partition(";")[0].strip().lower()
    if media_type not in ("", "text/xml", "application/xml"):
        raise Fault(415, text="The body of MKCOL is XML or nothing.")
    return mkcol(await exchange.required_document())


def kind_for(exchange: Exchange, where: Place, wanted: frozenset[str]) -> Kind | None:
    """The kind of collection that has these types and can be at that place; C{None}: there is none."""
    for kind in exchange.site.tables.kinds.values():
        if kind.can_be_made and frozenset(kind.resource_type) == wanted and _can_hold(exchange, where, kind):
            return kind
    return None


def _can_hold(exchange: Exchange, where: Place, kind: Kind) -> bool:
    parent = where.parent
    if isinstance(parent, HomeNode):
        return kind.kind in parent.kinds
    return isinstance(parent, CollectionNode) and parent.kind(exchange).has_inside and parent.state.kind is kind.kind


async def make(
    exchange: Exchange,
    where: Place,
    kind: Kind | None,
    changes: Sequence[PropertyChange],
    answer_name: str,
) -> Answer:
    """
    Make a collection with properties, all or nothing (RFC 5689 §3).

    @param kind: C{None}: the type that was asked for cannot be there.
    @param answer_name: root of the answer that says which property was refused.
    """
    if not isinstance(where.parent, CollectionNode | HomeNode):
        raise Fault(403, text="Nothing can be put here.")
    await require_change(exchange, where)
    said = kind.components_property if kind is not None else ""
    settable = [change for change in changes if change.name not in (dav("resourcetype"), said)]
    state = _sketch(where, kind)
    refused: dict[str, ErrorAnswer] = {}
    components: tuple[str, ...] = ()
    if kind is None:
        if not changes:
            raise Fault(403, _NO_TYPE.condition, _NO_TYPE.text)
        refused[dav("resourcetype")] = _NO_TYPE
    else:
        node = CollectionNode(where.location, where.parent.owner, where.parent.shelf, state)
        refused = judged(exchange, node, settable)
        try:
            components = _components(kind, changes)
        except Fault as fault:
            refused[said] = answer_to(fault)
    if refused:
        return _refusal(exchange, changes, refused, answer_name)
    assert kind is not None
    values = {change.name: change.serialised for change in settable}
    require_room(values)
    parent = where.parent.state.id if isinstance(where.parent, CollectionNode) else None
    new = NewCollection(where.location.name, kind.kind, parent, components, values)
    await where.parent.shelf.create_collection(new)
    exchange.forget()
    return Answer(201)


def _components(kind: Kind, changes: Sequence[PropertyChange]) -> tuple[str, ...]:
    """What may be stored in the collection; nothing said is anything."""
    components: tuple[str, ...] = ()
    for change in changes:
        if change.name == kind.components_property and change.element is not None and kind.read_components is not None:
            components = kind.read_components(change.element)
    return components


def _sketch(where: Place, kind: Kind | None) -> CollectionState:
    """The collection as it will be, for those who judge its properties."""
    what = CollectionKind.FILES if kind is None else kind.kind
    return CollectionState(CollectionId(""), None, where.location.name, what, (), ModSeq(0), 0, 0, 0, 0)


def _refusal(
    exchange: Exchange, changes: Sequence[PropertyChange], refused: dict[str, ErrorAnswer], answer_name: str
) -> Answer:
    """Which properties were in the way; the others failed with them (RFC 5689 §3.5)."""
    others = b"".join(element(change.name) for change in changes if change.name not in refused)
    parts = [propstat(error.status, element(name), error) for name, error in refused.items()]
    if others:
        parts.append(propstat(424, others))
    status = 403 if len(refused) == 1 and dav("resourcetype") in refused else 424
    return xml_answer(status, document(answer_name, b"".join(parts)))
