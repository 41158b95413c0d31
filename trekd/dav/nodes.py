"""
What a path leads to.

A node knows its members and children; extensions add nodes of their own through branches of the root
(L{trekd.dav.tables}) and by subclassing.  What somebody may do with a node L{trekd.portal.access} decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from trekd.dav import privileges, rights
from trekd.dav.errors import Fault
from trekd.dav.paths import Location
from trekd.dav.xml.names import dav
from trekd.dav.xml.writing import element
from trekd.directory.interfaces import Account
from trekd.errors import NotPermitted
from trekd.portal.access import ALL, VISIT, Permission, permissions
from trekd.store.collections import CollectionId, CollectionKind, CollectionState, ICollections, ItemState, Properties
from trekd.values import PrincipalId

if TYPE_CHECKING:
    from trekd.dav.exchange import Answer, Exchange
    from trekd.dav.tables import Kind

COLLECTION = dav("collection")
FILES = "files"
"""Name of the one collection that is an account's file area."""


@dataclass(frozen=True, slots=True)
class Node:
    """
    A resource.

    @ivar owner: whose it is; C{None}: the host's own.
    @cvar is_link: it shows a collection that lies elsewhere, which stays when the link goes.
    @cvar keeps_properties: clients can set some.
    """

    location: Location
    owner: PrincipalId | None

    is_collection: ClassVar[bool] = True
    is_link: ClassVar[bool] = False
    keeps_properties: ClassVar[bool] = False

    @property
    def path(self) -> bytes:
        """Its address, as who asks knows it."""
        return self.location.path(self.is_collection)

    @property
    def real(self) -> Location:
        """Where it lies, whichever way leads to it: what its locks are kept for."""
        return self.location

    def resource_type(self, exchange: Exchange) -> tuple[str, ...]:
        """Expanded names for C{DAV:resourcetype}."""
        return (COLLECTION,) if self.is_collection else ()

    @property
    def dead_properties(self) -> Properties | None:
        """Serialised elements by name; C{None} where nothing can be kept."""
        return None

    async def permission(self, exchange: Exchange) -> Permission:
        """What who asks may do with it."""
        return permissions(exchange.principal, self.owner)

    async def display_name(self, exchange: Exchange) -> str | None:
        """What people call it, as long as they have not said so."""
        return None

    async def change_properties(
        self, exchange: Exchange, values: Properties, removed: Sequence[str] = ()
    ) -> None:
        """
        Set properties to serialised elements, and remove others, all in one change.

        @raise NotPermitted: none are kept.
        """
        raise NotPermitted()

    async def get(self, exchange: Exchange) -> Answer | None:
        """What GET gives; C{None}: what its kind does, if it has one."""
        return None

    async def child(self, exchange: Exchange, name: str) -> Node | None:
        """The member of that name, and what is reachable below without being listed."""
        return next((node for node in await self.members(exchange) if node.location.name == name), None)

    async def members(self, exchange: Exchange) -> Sequence[Node]:
        """What PROPFIND with Depth 1 shows beside the node itself; items of collections are asked for apart."""
        return await self.added(exchange)

    async def added(self, exchange: Exchange, name: str | None = None) -> Sequence[Node]:
        """The members that extensions add, all or the one of a name."""
        rows = [row for row in exchange.site.tables.members if isinstance(self, row.inside)]
        found = [node for row in rows for node in await row.find(exchange, self, name)]
        return [node for node in found if name in (None, node.location.name)]


@dataclass(frozen=True, slots=True)
class RootNode(Node):
    """C{/dav/}."""

    async def child(self, exchange: Exchange, name: str) -> Node | None:
        """The branch of that name."""
        branch = exchange.site.tables.branches.get(name)
        return None if branch is None else branch(exchange)

    async def members(self, exchange: Exchange) -> Sequence[Node]:
        """All branches."""
        found = (branch(exchange) for branch in exchange.site.tables.branches.values())
        return [node for node in found if node is not None]


@dataclass(frozen=True, slots=True)
class BareNode(Node):
    """A path beside the mount at which clients look for the principal."""

    bare_path: bytes

    @property
    def path(self) -> bytes:
        """The path as it was asked for."""
        return self.bare_path


@dataclass(frozen=True, slots=True)
class PrincipalsNode(Node):
    """C{/dav/principals/}."""

    async def child(self, exchange: Exchange, name: str) -> Node | None:
        """The principal with that address, if who asks may know of it."""
        account = await rights.known_account(exchange, name)
        return None if account is None else principal_node(account)

    async def members(self, exchange: Exchange) -> Sequence[Node]:
        """The own principal; the others are searched for."""
        return [principal_node(exchange.user.account)]


@dataclass(frozen=True, slots=True)
class PrincipalNode(Node):
    """C{/dav/principals/ADDRESS/}."""

    account: Account

    def resource_type(self, exchange: Exchange) -> tuple[str, ...]:
        """A collection, because clients expect one, and a principal (RFC 3744 §4)."""
        return (COLLECTION, dav("principal"))

    async def permission(self, exchange: Exchange) -> Permission:
        """Others may look."""
        return ALL if self.owner == exchange.principal else VISIT

    async def display_name(self, exchange: Exchange) -> str | None:
        """As the directory has it (RFC 3744 §4)."""
        return self.account.display_name or str(self.account.address)


@dataclass(frozen=True, slots=True)
class HomesNode(Node):
    """
    C{/dav/calendars/} and the like.

    @ivar kinds: of the collections that lie in each home.
    """

    kinds: tuple[CollectionKind, ...]

    async def child(self, exchange: Exchange, name: str) -> Node | None:
        """
        The home of that account.

        @raise NotPermitted: it is somebody else's, and nothing in it is to be seen; or nobody's: the two are not told
            apart.
        """
        shelf = await rights.shelf_of(exchange, name)
        if shelf is None:
            raise NotPermitted()
        node = await home_node(exchange, self.location.child(shelf.principal), self.kinds, shelf)
        is_own = shelf.principal == exchange.principal
        if not is_own and (node is None or await node.permission(exchange) is Permission.NONE):
            raise NotPermitted()
        return node

    async def members(self, exchange: Exchange) -> Sequence[Node]:
        """The own home."""
        node = await self.child(exchange, exchange.principal)
        return [] if node is None else [node]


@dataclass(frozen=True, slots=True)
class HomeNode(Node):
    """
    An account's calendars, or address books.

    @ivar shelf: where they are kept.
    """

    kinds: tuple[CollectionKind, ...]
    shelf: ICollections

    async def permission(self, exchange: Exchange) -> Permission:
        """Others see it when there is something in it for them."""
        return await rights.home_permission(exchange, self.shelf, self.kinds)

    async def child(self, exchange: Exchange, name: str) -> Node | None:
        """
        The member of that name.

        @raise NotPermitted: the home is somebody else's, and there is nothing of that name to be seen.
        """
        found = [node for node in await self._all(exchange) if node.location.name == name]
        if self.owner == exchange.principal:
            nodes: Sequence[Node] = found or await self.added(exchange, name)
            return nodes[0] if nodes else None
        if not found or await found[0].permission(exchange) is Permission.NONE:
            raise NotPermitted()
        return found[0]

    async def members(self, exchange: Exchange) -> Sequence[Node]:
        """The account's collections of these kinds, those that who asks may read."""
        collections = await self.collections(exchange, Permission.READ)
        return [*collections, *await self.added(exchange)] if self.owner == exchange.principal else collections

    async def collections(self, exchange: Exchange, permission: Permission) -> list[CollectionNode]:
        """The account's own collections for which who asks has a permission."""
        return [node for node in await self._all(exchange) if permission in await node.permission(exchange)]

    async def _all(self, exchange: Exchange) -> list[CollectionNode]:
        return [
            CollectionNode(self.location.child(state.name), self.owner, self.shelf, state)
            for state in await exchange.collections(self.shelf)
            if state.parent is None and state.kind in self.kinds
        ]


@dataclass(frozen=True, slots=True)
class CollectionNode(Node):
    """
    A stored collection.

    @ivar is_home: it is the account's file area itself, which stays.
    """

    shelf: ICollections
    state: CollectionState
    is_home: bool = False

    keeps_properties: ClassVar[bool] = True

    def kind(self, exchange: Exchange) -> Kind:
        """The row of its kind."""
        return exchange.site.tables.kinds[self.state.kind]

    def resource_type(self, exchange: Exchange) -> tuple[str, ...]:
        """As its kind says."""
        return self.kind(exchange).resource_type

    @property
    def dead_properties(self) -> Properties:
        """As they are stored."""
        return self.state.properties

    async def permission(self, exchange: Exchange) -> Permission:
        """As its owner says."""
        return await rights.collection_permission(exchange, self.shelf, self.state)

    async def display_name(self, exchange: Exchange) -> str | None:
        """Its name."""
        return None if self.is_home else self.state.name

    async def change_properties(
        self, exchange: Exchange, values: Properties, removed: Sequence[str] = ()
    ) -> None:
        """See L{Node.change_properties}."""
        await self.shelf.change_collection_properties(self.state.id, values, removed)

    async def remove(self, exchange: Exchange) -> None:
        """Remove it with everything in it."""
        await self.shelf.remove_collection(self.state.id)

    async def move(self, exchange: Exchange, parent: CollectionId | None, name: str) -> None:
        """
        Give it another name or, within its account, another parent.

        @raise CollectionExists: the name is taken.
        """
        await self.shelf.move_collection(self.state.id, parent, name)

    async def child(self, exchange: Exchange, name: str) -> Node | None:
        """
        A collection inside, or an item.

        @raise NotPermitted: who asks may not know what is in it.
        """
        if Permission.READ not in await self.permission(exchange):
            raise NotPermitted()
        if self.kind(exchange).has_inside:
            for node in await self.members(exchange):
                if node.location.name == name:
                    return node
        found = await self.shelf.items(self.state.id, (name,))
        return self.item(found[0]) if found else None

    async def members(self, exchange: Exchange) -> Sequence[Node]:
        """The collections inside; its items are L{ICollections.items}."""
        if not self.kind(exchange).has_inside:
            return await self.added(exchange)
        return [
            replace(self, location=self.location.child(state.name), state=state, is_home=False)
            for state in await exchange.collections(self.shelf)
            if state.parent == self.state.id
        ]

    def item(self, state: ItemState) -> ItemNode:
        """The node of an item of it."""
        return ItemNode(self.location.child(state.name), self.owner, self, state)


@dataclass(frozen=True, slots=True)
class ItemNode(Node):
    """An item of a stored collection."""

    collection: CollectionNode
    state: ItemState

    is_collection: ClassVar[bool] = False
    keeps_properties: ClassVar[bool] = True

    @property
    def real(self) -> Location:
        """In the collection."""
        return self.collection.real.child(self.state.name)

    @property
    def dead_properties(self) -> Properties:
        """As they are stored."""
        return self.state.properties

    async def permission(self, exchange: Exchange) -> Permission:
        """The collection's."""
        return await self.collection.permission(exchange)

    async def change_properties(
        self, exchange: Exchange, values: Properties, removed: Sequence[str] = ()
    ) -> None:
        """See L{Node.change_properties}."""
        collection = self.collection
        await collection.shelf.change_item_properties(collection.state.id, self.state.name, values, removed)


def is_stored(node: Node) -> bool:
    """Whether it is a collection or an item that a store holds."""
    return isinstance(node, CollectionNode | ItemNode)


def is_item(node: Node) -> bool:
    """Whether it is an item."""
    return isinstance(node, ItemNode)


def is_stored_collection(node: Node) -> bool:
    """Whether it is a collection that a store holds."""
    return isinstance(node, CollectionNode)


def keeps_properties(node: Node) -> bool:
    """Whether clients can set some of its properties."""
    return node.keeps_properties


def is_any(node: Node) -> bool:
    """Whether it is there."""
    return True


def principal_location(principal: PrincipalId) -> Location:
    """Where a principal is."""
    return Location(("principals", principal))


def principal_node(account: Account) -> PrincipalNode:
    """An account as a principal."""
    return PrincipalNode(principal_location(account.principal), account.principal, account)


async def home_node(
    exchange: Exchange, location: Location, kinds: tuple[CollectionKind, ...], shelf: ICollections
) -> Node | None:
    """An account's home of some kinds; of files it is itself a stored collection."""
    owner: PrincipalId = shelf.principal
    if CollectionKind.FILES not in kinds:
        return HomeNode(location, owner, kinds, shelf)
    for state in await exchange.collections(shelf):
        if state.parent is None and state.kind is CollectionKind.FILES and state.name == FILES:
            return CollectionNode(location, owner, shelf, state, is_home=True)
    return None


async def find(exchange: Exchange, location: Location | None) -> Node | None:
    """
    What is at a place; C{None}: nothing.

    @param location: C{None} for a path beside the mount.
    @raise NotPermitted: it is in somebody else's part of the tree.
    """
    if location is None:
        # Quirk guessed-paths
        return BareNode(Location(), None, exchange.path)
    return await exchange.once(("node", location), lambda: _find(exchange, location))


async def _find(exchange: Exchange, location: Location) -> Node | None:
    node: Node | None = RootNode(Location(), None)
    for segment in location.segments:
        if node is None:
            return None
        node = await node.child(exchange, segment)
    return node


async def find_required(exchange: Exchange) -> Node:
    """
    What the request is about.

    @raise Fault: there is nothing.
    """
    node = await find(exchange, exchange.location)
    if node is None:
        raise Fault(404, text="There is nothing at this address.")
    return node


async def permitted(exchange: Exchange, node: Node) -> Permission:
    """What who asks may do with a node."""
    return await node.permission(exchange)


async def require(exchange: Exchange, node: Node, permission: Permission) -> None:
    """
    @raise Fault: who asks may not do this (RFC 3744 §7.1.1).
    """
    allowed = await node.permission(exchange)
    if permission in allowed:
        return
    content = element(dav("href"), node.path) + privileges.lacking(permission & ~allowed)
    raise Fault(403, dav("need-privileges"), "You may not do this.", element(dav("resource"), content))
