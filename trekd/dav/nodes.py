"""
What a path leads to.

A node knows its members and children; extensions add nodes of their own through branches of the root
(L{trekd.dav.tables}) and by subclassing.  What somebody may do with a node L{trekd.portal.access} decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from trekd.dav.errors import Fault
from trekd.dav.paths import Location
from trekd.dav.xml.names import dav
from trekd.dav.xml.writing import element
from trekd.errors import NotPermitted, SyntaxFault
from trekd.portal.access import Permission, permissions
from trekd.store.collections import CollectionKind, CollectionState, ICollections, ItemState, Properties
from trekd.values import Address, PrincipalId

if TYPE_CHECKING:
    from trekd.dav.exchange import Exchange
    from trekd.dav.tables import Kind

COLLECTION = dav("collection")
FILES = "files"
"""Name of the one collection that is an account's file area."""


@dataclass(frozen=True, slots=True)
class Node:
    """
    A resource.

    @ivar owner: whose it is; C{None}: the host's own.
    """

    location: Location
    owner: PrincipalId | None

    is_collection: ClassVar[bool] = True

    @property
    def path(self) -> bytes:
        """Its one address."""
        return self.location.path(self.is_collection)

    def resource_type(self, exchange: Exchange) -> tuple[str, ...]:
        """Expanded names for C{DAV:resourcetype}."""
        return (COLLECTION,) if self.is_collection else ()

    @property
    def dead_properties(self) -> Properties | None:
        """Serialised elements by name; C{None} where nothing can be kept."""
        return None

    async def child(self, exchange: Exchange, name: str) -> Node | None:
        """The member of that name, and what is reachable below without being listed."""
        return next((node for node in await self.members(exchange) if node.location.name == name), None)

    async def members(self, exchange: Exchange) -> Sequence[Node]:
        """What PROPFIND with Depth 1 shows beside the node itself; items of collections are asked for apart."""
        return ()


@dataclass(frozen=True, slots=True)
class RootNode(Node):
    """C{/dav/}."""

    async def child(self, exchange: Exchange, name: str) -> Node | None:
        """The branch of that name."""
        branch = exchange.site.tables.branches.get(name)
        return None if branch is None else branch(exchange)

    async def members(self, exchange: Exchange) -> Sequence[Node]:
        """All branches."""
        return [branch(exchange) for branch in exchange.site.tables.branches.values()]


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
        """The principal with that address; others than one's own are not shown."""
        return principal_node(require_own(exchange, name))

    async def members(self, exchange: Exchange) -> Sequence[Node]:
        """The own principal."""
        return [principal_node(exchange.principal)]


@dataclass(frozen=True, slots=True)
class PrincipalNode(Node):
    """C{/dav/principals/ADDRESS/}."""

    def resource_type(self, exchange: Exchange) -> tuple[str, ...]:
        """A collection, because clients expect one, and a principal (RFC 3744 §4)."""
        return (COLLECTION, dav("principal"))


@dataclass(frozen=True, slots=True)
class HomesNode(Node):
    """
    C{/dav/calendars/} and the like.

    @ivar kinds: of the collections that lie in each home.
    """

    kinds: tuple[CollectionKind, ...]

    async def child(self, exchange: Exchange, name: str) -> Node | None:
        """The home of that account; others than one's own are not told from those that do not exist."""
        owner = require_own(exchange, name)
        return await home_node(exchange, self.location.child(owner), self.kinds, exchange.shelf)

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

    async def members(self, exchange: Exchange) -> Sequence[Node]:
        """The account's collections of these kinds."""
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

    async def child(self, exchange: Exchange, name: str) -> Node | None:
        """A collection inside, or an item."""
        if self.kind(exchange).has_inside:
            for node in await self.members(exchange):
                if node.location.name == name:
                    return node
        found = await self.shelf.items(self.state.id, (name,))
        return self.item(found[0]) if found else None

    async def members(self, exchange: Exchange) -> Sequence[Node]:
        """The collections inside; its items are L{ICollections.items}."""
        if not self.kind(exchange).has_inside:
            return ()
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

    @property
    def dead_properties(self) -> Properties:
        """As they are stored."""
        return self.state.properties


def is_stored(node: Node) -> bool:
    """Whether it is a collection or an item that a store holds."""
    return isinstance(node, CollectionNode | ItemNode)


def is_item(node: Node) -> bool:
    """Whether it is an item."""
    return isinstance(node, ItemNode)


def is_stored_collection(node: Node) -> bool:
    """Whether it is a collection that a store holds."""
    return isinstance(node, CollectionNode)


def is_any(node: Node) -> bool:
    """Whether it is there."""
    return True


def require_own(exchange: Exchange, name: str) -> PrincipalId:
    """
    The account that a path's segment names, whatever its letter case.

    @raise NotPermitted: it is somebody else's, or nobody's: the two are not told apart.
    """
    try:
        principal = Address.parse(name).principal
    except SyntaxFault:
        raise NotPermitted() from None
    if principal != exchange.principal:
        raise NotPermitted()
    return principal


def principal_location(principal: PrincipalId) -> Location:
    """Where a principal is."""
    return Location(("principals", principal))


def principal_node(principal: PrincipalId) -> PrincipalNode:
    """A principal."""
    return PrincipalNode(principal_location(principal), principal)


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
    return permissions(exchange.principal, node.owner)


_PRIVILEGES = {
    Permission.SEE_BUSY: "{urn:ietf:params:xml:ns:caldav}read-free-busy",
    Permission.READ: dav("read"),
    Permission.WRITE: dav("write"),
    Permission.OWN: dav("all"),
}


async def require(exchange: Exchange, node: Node, permission: Permission) -> None:
    """
    @raise Fault: who asks may not do this (RFC 3744 §7.1.1).
    """
    if permission in await permitted(exchange, node):
        return
    privilege = element(dav("privilege"), element(_PRIVILEGES[permission]))
    content = element(dav("href"), node.path) + privilege
    raise Fault(403, dav("need-privileges"), "You may not do this.", element(dav("resource"), content))
