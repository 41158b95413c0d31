"""
Collections of others in an account's homes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

from trekd.dav.exchange import Exchange
from trekd.dav.nodes import CollectionNode, HomeNode, Node
from trekd.dav.paths import Location
from trekd.dav.rights import shelf_of
from trekd.dav.xml.names import calendar_server
from trekd.portal.access import Permission
from trekd.store.collections import CollectionId, CollectionState, Mount, Properties


@dataclass(frozen=True, slots=True)
class MountNode(CollectionNode):
    """
    A collection of somebody else's in the home of who asks.

    @ivar state: the owner's, with the asking one's own properties in front of the owner's.
    """

    mount: Mount = field(kw_only=True)

    is_link: ClassVar[bool] = True

    @property
    def real(self) -> Location:
        """In the owner's home."""
        return Location((self.location.segments[0], self.mount.owner, self.state.name))

    def resource_type(self, exchange: Exchange) -> tuple[str, ...]:
        """As its kind says, and that it is somebody else's (caldav-sharing §5.2.1)."""
        return (*CollectionNode.resource_type(self, exchange), calendar_server("shared"))

    async def change_properties(
        self, exchange: Exchange, values: Properties, removed: Sequence[str] = ()
    ) -> None:
        """Each account has its own properties of what is shared (caldav-sharing §5.5.3)."""
        kept = {name: value for name, value in self.mount.properties.items() if name not in removed}
        await exchange.shelf.mount(replace(self.mount, properties={**kept, **values}))

    async def remove(self, exchange: Exchange) -> None:
        """Show it no longer."""
        await exchange.shelf.unmount(self.mount.owner, self.mount.collection)

    async def move(self, exchange: Exchange, parent: CollectionId | None, name: str) -> None:
        """Show it under another name."""
        await exchange.shelf.mount(replace(self.mount, name=name))


async def mounts_of(exchange: Exchange) -> tuple[Mount, ...]:
    """What the account of who asks shows of others, looked up once."""
    found: tuple[Mount, ...] = await exchange.once("mounts", exchange.shelf.mounts)
    return found


async def in_home(exchange: Exchange, home: HomeNode, name: str | None) -> Sequence[Node]:
    """
    The collections of others in one's own home, all or the one of a name.

    @raise Unavailable: an owner's account does not answer.  A home without what is shared in it would have clients
        forget it.
    """
    found = []
    for mount in await mounts_of(exchange):
        if mount.kind in home.kinds and name in (None, mount.name):
            node = await _node(exchange, home, mount)
            if node is not None:
                found.append(node)
    return found


async def _node(exchange: Exchange, home: HomeNode, mount: Mount) -> MountNode | None:
    """
    What is mounted; C{None}: there is nothing any more.

    A mount whose collection is gone, or is open to the account no longer, goes itself; one whose owner is out of use
    stays, unseen.
    """
    shelf = await shelf_of(exchange, mount.owner)
    if shelf is None:
        return None
    for state in await exchange.collections(shelf):
        if state.id == mount.collection and state.kind is mount.kind:
            node = MountNode(
                home.location.child(mount.name), mount.owner, shelf, _own_view(state, mount), mount=mount
            )
            if Permission.READ in await node.permission(exchange):
                return node
    await exchange.shelf.unmount(mount.owner, mount.collection)
    return None


def _own_view(state: CollectionState, mount: Mount) -> CollectionState:
    return replace(state, properties={**state.properties, **mount.properties})
