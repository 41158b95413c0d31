"""
Groups of principals to whom all calendars of an account are open (caldav-proxy): one reads, the other writes too.

Membership is a grant on the collection L{PROXIES <trekd.dav.rights.PROXIES>} of the account, and a mount of it in the
member's, which is shown nowhere and tells whose proxy the member is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from trekd.dav.defaults import make_first_collections
from trekd.dav.errors import Fault
from trekd.dav.exchange import Exchange
from trekd.dav.nodes import COLLECTION, Node, PrincipalNode, principal_location
from trekd.dav.paths import read_reference
from trekd.dav.rights import PROXIES, known_account, proxies_of, proxy_grants, shelf_of
from trekd.dav.sharing.entries import PROXY_GROUPS, group_location
from trekd.dav.sharing.mounts import mounts_of
from trekd.dav.sharing.shares import MAX_GRANTS, MAX_MOUNTS
from trekd.dav.xml.names import calendar_server, dav
from trekd.dav.xml.reading import Element, elements, parse, text
from trekd.dav.xml.writing import href
from trekd.errors import CollectionExists, LimitReached
from trekd.portal.access import ALL, VISIT, Permission
from trekd.store.collections import CollectionKind, CollectionState, Mount, NewCollection, Properties, Right
from trekd.values import PrincipalId

MEMBERS = dav("group-member-set")


@dataclass(frozen=True, slots=True)
class ProxyNode(Node):
    """
    C{/dav/principals/ADDRESS/calendar-proxy-read/}, or C{-write}.

    @ivar right: what its members have.
    """

    right: Right

    keeps_properties: ClassVar[bool] = True

    def resource_type(self, exchange: Exchange) -> tuple[str, ...]:
        """A principal, of this sort (caldav-proxy §5.2)."""
        return (COLLECTION, dav("principal"), calendar_server(self.location.name))

    async def permission(self, exchange: Exchange) -> Permission:
        """It is there for its owner and its members."""
        return ALL if self.owner == exchange.principal else VISIT

    async def display_name(self, exchange: Exchange) -> str | None:
        """Never empty (RFC 3744 §4)."""
        return f"{self.location.name} of {self.owner}"

    async def change_properties(
        self, exchange: Exchange, values: Properties, removed: Sequence[str] = ()
    ) -> None:
        """
        Set the members; nothing else is kept.

        @raise Fault: a member is no account, or something else was to be kept.
        """
        if {*values, *removed} != {MEMBERS}:
            raise Fault(403, dav("cannot-modify-protected-property"), "Groups keep no properties but their members.")
        wanted: list[PrincipalId] = []
        if MEMBERS in values:
            wanted = [await _member(exchange, each) for each in elements(parse(values[MEMBERS].encode()))]
        await _set_members(exchange, self.right, dict.fromkeys(each for each in wanted if each != self.owner))


async def below(exchange: Exchange, node: PrincipalNode, name: str | None) -> Sequence[Node]:
    """The groups of an account, those that who asks may know of."""
    if name is not None and name not in PROXY_GROUPS:
        return []
    shelf = await shelf_of(exchange, node.account.principal)
    if shelf is None:
        return []
    own = node.owner == exchange.principal
    right = None if own else (await proxy_grants(exchange, shelf)).get(exchange.principal)
    return [
        ProxyNode(node.location.child(group), node.owner, each)
        for group, each in PROXY_GROUPS.items()
        if own or each is right
    ]


async def members(exchange: Exchange, node: Node) -> bytes | None:
    """C{DAV:group-member-set} (RFC 3744 §4.3)."""
    if not isinstance(node, ProxyNode) or node.owner is None:
        return None
    shelf = await shelf_of(exchange, node.owner)
    grants = {} if shelf is None else await proxy_grants(exchange, shelf)
    found = (each for each in sorted(grants) if grants[each] is node.right)
    return b"".join(href(principal_location(each).path(True)) for each in found)


async def memberships(exchange: Exchange, node: Node) -> bytes | None:
    """C{DAV:group-membership} (RFC 3744 §4.4); of others nobody learns it."""
    if isinstance(node, ProxyNode):
        return b""
    if not isinstance(node, PrincipalNode):
        return None
    found = await _principals(exchange) if node.owner == exchange.principal else {}
    return b"".join(href(group_location(owner, right).path(True)) for owner, right in found.items())


async def groups_of(exchange: Exchange) -> list[Node]:
    """The groups that who asks is a member of."""
    found = (await _principals(exchange)).items()
    return [ProxyNode(group_location(owner, right), owner, right) for owner, right in found]


async def reads_for(exchange: Exchange, node: Node) -> bytes | None:
    """C{CS:calendar-proxy-read-for} (caldav-proxy §5.3.1)."""
    return await _is_proxy_for(exchange, node, Right.READ)


async def writes_for(exchange: Exchange, node: Node) -> bytes | None:
    """C{CS:calendar-proxy-write-for} (caldav-proxy §5.3.2)."""
    return await _is_proxy_for(exchange, node, Right.WRITE)


def check_members(node: Node, element: Element) -> None:
    """
    @raise Fault: the node is no group whose members are set, or they are not given as references.
    """
    if not isinstance(node, ProxyNode):
        raise Fault(403, dav("cannot-modify-protected-property"), "This is no group.")
    if any(each.tag != dav("href") for each in elements(element)):
        raise Fault(409, text="Members are given by their addresses.")


async def _is_proxy_for(exchange: Exchange, node: Node, right: Right) -> bytes | None:
    if not isinstance(node, PrincipalNode):
        return None
    found = await _principals(exchange) if node.owner == exchange.principal else {}
    owners = (owner for owner, each in found.items() if each is right)
    return b"".join(href(principal_location(owner).path(True)) for owner in owners)


async def _principals(exchange: Exchange) -> Mapping[PrincipalId, Right]:
    """Whose calendars are open to who asks."""
    found: dict[PrincipalId, Right] = {}
    for mount in await mounts_of(exchange):
        if mount.kind is CollectionKind.FILES:
            shelf = await shelf_of(exchange, mount.owner)
            right = None if shelf is None else (await proxy_grants(exchange, shelf)).get(exchange.principal)
            if right is not None:
                found[mount.owner] = right
    return found


async def _member(exchange: Exchange, reference: Element) -> PrincipalId:
    """
    @raise Fault: it is no account.
    """
    location = read_reference(text(reference), exchange.header("host"))
    if location is not None and len(location.segments) == 2 and location.segments[0] == "principals":
        account = await known_account(exchange, location.name)
        if account is not None:
            return account.principal
    raise Fault(403, dav("recognized-principal"), "There is no such principal.")


async def _set_members(exchange: Exchange, right: Right, wanted: Mapping[PrincipalId, None]) -> None:
    """
    Make these, and nobody else, the members of a group of who asks.

    @raise Fault: these are too many.
    @raise LimitReached: somebody is a proxy of too many.
    """
    state = await _collection(exchange)
    before = await exchange.shelf.grants(state.id)
    gone = [each for each, had in before.items() if had is right and each not in wanted]
    if len({*before, *wanted}) - len(gone) > MAX_GRANTS:
        raise Fault(403, dav("limited-number-of-aces"), "These are too many members.")
    for each in wanted:
        if each not in before:
            await _mount(exchange, each, state)
    changes: dict[PrincipalId, Right | None] = {**dict.fromkeys(gone), **dict.fromkeys(wanted, right)}
    await exchange.shelf.grant(state.id, changes)
    for each in gone:
        shelf = await shelf_of(exchange, each)
        if shelf is not None:
            await shelf.unmount(exchange.principal, state.id)
    exchange.forget()


async def _collection(exchange: Exchange) -> CollectionState:
    """What the grants are kept for."""
    found = await proxies_of(exchange, exchange.shelf)
    while found is None:
        try:
            found = await exchange.shelf.create_collection(NewCollection(PROXIES, CollectionKind.FILES))
        except CollectionExists:
            exchange.forget()
            found = await proxies_of(exchange, exchange.shelf)
    return found


async def _mount(exchange: Exchange, member: PrincipalId, state: CollectionState) -> None:
    shelf = await shelf_of(exchange, member)
    if shelf is None:
        return
    await make_first_collections(shelf)
    if len(await shelf.mounts()) >= MAX_MOUNTS:
        raise LimitReached()
    # The name is the owner's address: no file area has it.
    await shelf.mount(Mount(exchange.principal, exchange.principal, state.id, CollectionKind.FILES))
