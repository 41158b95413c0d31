"""
Giving others a part in a collection, and taking it back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from trekd.dav.defaults import make_first_collections
from trekd.dav.errors import Fault
from trekd.dav.exchange import Exchange
from trekd.dav.nodes import CollectionNode
from trekd.dav.rights import shelf_of
from trekd.dav.sharing import notifications
from trekd.dav.xml.names import caldav, dav
from trekd.dav.xml.reading import parse, text
from trekd.dav.xml.writing import element, escape, standalone
from trekd.errors import CollectionExists, LimitReached
from trekd.portal.access import GIVEN, Permission
from trekd.store.collections import (
    EVERYONE,
    CollectionKind,
    CollectionState,
    ICollections,
    Mount,
    Right,
)
from trekd.values import PrincipalId

SHAREABLE = (CollectionKind.CALENDAR, CollectionKind.ADDRESS_BOOK)
MAX_GRANTS = 200
"""Others to whom one collection is open."""
MAX_MOUNTS = 500
"""Collections of others that one account shows."""
_MOST_NAMES = 100
_MAX_NAME = 200  # octets


@dataclass(frozen=True, slots=True)
class Change:
    """
    Who is to have which right.

    @ivar rights: C{None} takes it; who is not named keeps what they have.
    @ivar titles: what a collection is to be called in somebody's home.
    @ivar is_invitation: it is shown again to those who have it already but removed it from their homes.
    """

    rights: Mapping[PrincipalId, Right | None]
    titles: Mapping[PrincipalId, str] = field(default_factory=dict)
    is_invitation: bool = False


def is_shareable(node: object) -> bool:
    """Whether others can be given a part in it."""
    return isinstance(node, CollectionNode) and node.state.kind in SHAREABLE


def shows(right: Right | None) -> bool:
    """Whether who has the right sees the collection in their home."""
    return right is not None and Permission.READ in GIVEN[right]


async def share(exchange: Exchange, node: CollectionNode, change: Change) -> None:
    """
    Change who else may do what with a collection, and show it to those who may read it, in their homes.

    @param node: the owner's, who asks.
    @raise Fault: these are too many.
    @raise LimitReached: somebody is shown too many.
    @raise Unavailable: somebody's account does not answer; nothing changed.
    """
    before = await node.shelf.grants(node.state.id)
    after = {**before, **change.rights}
    if sum(right is not None for right in after.values()) > max(MAX_GRANTS, len(before)):
        raise Fault(403, dav("limited-number-of-aces"), "The collection is open to too many.")
    await node.shelf.grant(node.state.id, change.rights)
    try:
        for grantee, right in change.rights.items():
            is_new = change.is_invitation or not shows(before.get(grantee))
            if shows(right) and is_new and grantee != EVERYONE:
                await _invite(exchange, node, grantee, change.titles.get(grantee, ""))
    except BaseException:
        await node.shelf.grant(node.state.id, {grantee: before.get(grantee) for grantee in change.rights})
        raise
    for grantee, right in change.rights.items():
        if right != before.get(grantee) and grantee != EVERYONE:
            await _tell(exchange, node, grantee, right, change.titles.get(grantee, ""))
    exchange.forget()


async def show(exchange: Exchange, shelf: ICollections, node: CollectionNode, title: str = "") -> Mount:
    """
    Show a collection in somebody's home, under a name that is free there; one that is shown already stays as it is.

    @param shelf: whose home.
    @param node: the owner's.
    @raise LimitReached: they are shown too many.
    """
    await make_first_collections(shelf)
    mounts = await shelf.mounts()
    owner, collection = node.shelf.principal, node.state.id
    for mount in mounts:
        if (mount.owner, mount.collection) == (owner, collection):
            return mount
    if len(mounts) >= MAX_MOUNTS:
        raise LimitReached()
    # A path segment has a limit in octets.
    wanted = f"{node.state.name}-{owner}".encode()[-_MAX_NAME:].decode("utf-8", "ignore")
    properties = {dav("displayname"): standalone(dav("displayname"), escape(title or _title(exchange, node)))}
    if node.state.kind is CollectionKind.CALENDAR:
        # caldav-sharing §5.5.5: not one's own time until one says so.
        name = caldav("schedule-calendar-transp")
        properties[name] = standalone(name, element(caldav("transparent")))
    for number in range(1, _MOST_NAMES):
        name = wanted if number == 1 else f"{wanted}-{number}"
        mount = Mount(name, owner, collection, node.state.kind, properties)
        try:
            await shelf.mount(mount)
        except CollectionExists:
            continue
        return mount
    raise LimitReached()


async def shown_to(exchange: Exchange, node: CollectionNode, grantee: PrincipalId) -> bool:
    """Whether somebody has a collection in their home."""
    shelf = await shelf_of(exchange, grantee)
    if shelf is None:
        return False
    mounts: tuple[Mount, ...] = await exchange.once(("mounts of", grantee), shelf.mounts)
    return any((each.owner, each.collection) == (node.owner, node.state.id) for each in mounts)


def title_of(state: CollectionState) -> str:
    """What a collection's owner calls it."""
    kept = state.properties.get(dav("displayname"), "")
    return (text(parse(kept.encode())) if kept else "") or state.name


def _title(exchange: Exchange, node: CollectionNode) -> str:
    account = exchange.user.account
    return f"{title_of(node.state)} ({account.display_name or account.address})"


async def _invite(exchange: Exchange, node: CollectionNode, grantee: PrincipalId, title: str) -> None:
    shelf = await shelf_of(exchange, grantee)
    if shelf is not None:
        await show(exchange, shelf, node, title)


async def _tell(
    exchange: Exchange, node: CollectionNode, grantee: PrincipalId, right: Right | None, title: str
) -> None:
    """Let somebody know what became of a collection, and show it no longer to who may not read it."""
    shelf = await shelf_of(exchange, grantee)
    if shelf is None:
        return
    if not shows(right):
        await shelf.unmount(node.shelf.principal, node.state.id)
    await notifications.tell_of_share(exchange, shelf, node, right, title or title_of(node.state))
