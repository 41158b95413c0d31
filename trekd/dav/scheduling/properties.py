"""
The live properties of scheduling (RFC 6638 §2, §9).
"""

from __future__ import annotations

from trekd.dav import privileges
from trekd.dav.errors import Fault
from trekd.dav.exchange import Exchange
from trekd.dav.nodes import CollectionNode, Node, PrincipalNode, permitted
from trekd.dav.paths import Location
from trekd.dav.scheduling.places import (
    DEFAULT_CALENDAR,
    INBOX,
    OUTBOX,
    InboxNode,
    OutboxNode,
    check_default,
)
from trekd.dav.tables import Property
from trekd.dav.xml.names import caldav, dav
from trekd.dav.xml.reading import Element, elements, parse
from trekd.dav.xml.writing import element, escape, href
from trekd.portal.access import Permission
from trekd.store.collections import CollectionKind, CollectionState, ItemState

TRANSPARENCY = caldav("schedule-calendar-transp")

_DELIVER = (
    "schedule-deliver",
    "schedule-deliver-invite",
    "schedule-deliver-reply",
    "schedule-query-freebusy",
)
_SEND = ("schedule-send", "schedule-send-invite", "schedule-send-reply", "schedule-send-freebusy")


def _names(node: Node) -> tuple[str, ...]:
    """The privileges that a place of scheduling adds (RFC 6638 §6), the one that contains the others first."""
    if isinstance(node, InboxNode):
        return _DELIVER
    return _SEND if isinstance(node, OutboxNode) else ()


async def _current_privileges(exchange: Exchange, node: Node) -> bytes:
    allowed = await permitted(exchange, node)
    names = _names(node) if Permission.WRITE in allowed else ()
    more = b"".join(element(dav("privilege"), element(caldav(name))) for name in names)
    return privileges.elements(allowed) + more


async def _supported_privileges(exchange: Exchange, node: Node) -> bytes:
    """RFC 6638 §6.3: C{DAV:all} contains them."""
    names = _names(node)
    parts = tuple(privileges.Privilege(caldav(name), Permission.WRITE, "Schedule") for name in names[1:])
    if not parts:
        return privileges.supported()
    whole = privileges.Privilege(caldav(names[0]), Permission.WRITE, "Everything in scheduling", parts)
    tree = privileges.TREE
    return privileges.supported(
        privileges.Privilege(tree.name, tree.permission, tree.text, (*tree.parts, whole))
    )


async def _place(exchange: Exchange, node: Node, name: str) -> bytes | None:
    """Of oneself: nobody reads the messages of others."""
    if not isinstance(node, PrincipalNode) or node.owner != exchange.principal:
        return None
    return href(Location(("calendars", exchange.principal, name)).path(True))


async def _inbox(exchange: Exchange, node: Node) -> bytes | None:
    return await _place(exchange, node, INBOX)


async def _outbox(exchange: Exchange, node: Node) -> bytes | None:
    return await _place(exchange, node, OUTBOX)


async def _addresses(exchange: Exchange, node: Node) -> bytes | None:
    """RFC 6638 §2.4.1: the canonical address first; aliases are shown to their owner."""
    if not isinstance(node, PrincipalNode):
        return None
    account = node.account
    aliases = account.aliases if node.owner == exchange.principal else ()
    every = dict.fromkeys(str(each) for each in (account.address, *aliases))
    return b"".join(href(b"mailto:" + escape(each)) for each in every) + href(node.path)


async def _user_type(exchange: Exchange, node: Node) -> bytes | None:
    return b"INDIVIDUAL" if isinstance(node, PrincipalNode) else None


async def _default(exchange: Exchange, node: Node) -> bytes | None:
    if not isinstance(node, InboxNode):
        return None
    state = node.default()
    return None if state is None else href(node.location.parent.child(state.name).path(True))


def _is_calendar(node: Node) -> bool:
    return isinstance(node, CollectionNode) and node.state.kind is CollectionKind.CALENDAR


async def _transparency(exchange: Exchange, node: Node) -> bytes | None:
    return element(caldav("opaque")) if _is_calendar(node) else None


def _check_transparency(node: Node, value: Element) -> None:
    """
    @raise Fault: it is neither opaque nor transparent.
    """
    inside = [each.tag for each in elements(value)]
    if not _is_calendar(node) or inside not in ([caldav("opaque")], [caldav("transparent")]):
        raise Fault(409, text="A calendar is opaque or transparent.")


def is_transparent(state: CollectionState) -> bool:
    """Whether a calendar's events take no time (RFC 6638 §9.1)."""
    kept = state.properties.get(TRANSPARENCY)
    return kept is not None and [each.tag for each in elements(parse(kept.encode()))] == [caldav("transparent")]


def _tag(state: ItemState) -> bytes | None:
    return b'"' + escape(state.schedule_tag) + b'"' if state.schedule_tag else None


async def _of_items_only(exchange: Exchange, node: Node) -> bytes | None:
    return None


def _of_no_item(state: ItemState) -> bytes | None:
    return None


PROPERTIES = (
    Property(dav("current-user-privilege-set"), _current_privileges, is_shared=True),
    Property(dav("supported-privilege-set"), _supported_privileges, is_shared=True),
    Property(caldav("schedule-inbox-URL"), _inbox, _of_no_item),
    Property(caldav("schedule-outbox-URL"), _outbox, _of_no_item),
    Property(caldav("calendar-user-address-set"), _addresses, _of_no_item),
    Property(caldav("calendar-user-type"), _user_type, _of_no_item),
    Property(DEFAULT_CALENDAR, _default, _of_no_item, check=check_default),
    Property(TRANSPARENCY, _transparency, _of_no_item, check=_check_transparency),
    Property(caldav("schedule-tag"), _of_items_only, _tag),
)
