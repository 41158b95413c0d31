"""
Access control entries (RFC 3744 §5.5): what an ACL request asks for, and what C{DAV:acl} shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from trekd.dav import privileges
from trekd.dav.errors import Fault
from trekd.dav.exchange import Exchange
from trekd.dav.nodes import CollectionNode, HomeNode, ItemNode, Node, PrincipalNode, principal_location
from trekd.dav.paths import Location, read_reference
from trekd.dav.rights import grants_of, known_account, proxy_grants
from trekd.dav.xml.names import caldav, dav
from trekd.dav.xml.reading import Element, child, elements, text
from trekd.dav.xml.writing import element, href
from trekd.errors import SyntaxFault
from trekd.portal.access import Permission, right_for
from trekd.store.collections import EVERYONE, CollectionKind, Right
from trekd.values import PrincipalId

MAX_ENTRIES = 1000
"""In one request."""

PROXY_GROUPS: Mapping[str, Right] = {"calendar-proxy-read": Right.READ, "calendar-proxy-write": Right.WRITE}
"""Groups below a principal, by name: to whom all of its calendars are open (caldav-proxy §5.2)."""

_SHOWN = {
    Right.FREEBUSY: (caldav("read-free-busy"),),
    Right.READ: (dav("read"),),
    Right.WRITE: (dav("read"), dav("write")),
}


def group_location(owner: PrincipalId, right: Right) -> Location:
    """Where one of an account's two groups of proxies is."""
    name = next(name for name, each in PROXY_GROUPS.items() if each is right)
    return principal_location(owner).child(name)


# What is shown


@dataclass(frozen=True, slots=True)
class Entry:
    """
    One C{DAV:ace}.

    @ivar principal: what stands in C{DAV:principal}.
    @ivar where: of a principal of ours; C{None}: it is none, or a property tells.
    @ivar inherited: from where; C{None}: it is the resource's own.
    """

    principal: bytes
    granted: tuple[str, ...]
    where: Location | None = None
    is_protected: bool = False
    inherited: bytes | None = None

    @property
    def octets(self) -> bytes:
        """As C{DAV:acl} shows it."""
        granted = b"".join(element(dav("privilege"), element(name)) for name in self.granted)
        parts = element(dav("principal"), self.principal) + element(dav("grant"), granted)
        if self.is_protected:
            parts += element(dav("protected"))
        if self.inherited is not None:
            parts += element(dav("inherited"), href(self.inherited))
        return element(dav("ace"), parts)


async def entries(exchange: Exchange, node: Node) -> list[Entry]:
    """Who may do what with a node."""
    everybody = Entry(element(dav("authenticated")), _SHOWN[Right.READ], is_protected=True)
    if node.owner is None:
        return [everybody]
    if isinstance(node, PrincipalNode):
        own = Entry(element(dav("self")), (dav("all"),), is_protected=True)
        return [own, everybody]
    owner = element(dav("property"), element(dav("owner")))
    found = [Entry(owner, (dav("all"),), principal_location(node.owner), is_protected=True)]
    collection = node.collection if isinstance(node, ItemNode) else node
    if isinstance(collection, CollectionNode):
        inherited = collection.path if isinstance(node, ItemNode) else None
        grants = await grants_of(exchange, collection.shelf, collection.state)
        found += [_given(grantee, right, inherited) for grantee, right in sorted(grants.items(), key=str)]
        if collection.state.kind in (CollectionKind.CALENDAR, CollectionKind.INBOX):
            home = collection.location.parent.path(True)
            found += _proxies(node.owner, await proxy_grants(exchange, collection.shelf), home)
    elif isinstance(collection, HomeNode) and CollectionKind.CALENDAR in collection.kinds:
        found += _proxies(node.owner, await proxy_grants(exchange, collection.shelf), None)
    return found


def _given(grantee: PrincipalId, right: Right, inherited: bytes | None) -> Entry:
    if grantee == EVERYONE:
        return Entry(element(dav("authenticated")), _SHOWN[right], inherited=inherited)
    where = principal_location(grantee)
    return Entry(href(where.path(True)), _SHOWN[right], where, inherited=inherited)


def _proxies(owner: PrincipalId, grants: Mapping[PrincipalId, Right], home: bytes | None) -> Iterable[Entry]:
    """The two groups, where somebody is in them; they are changed as groups, not here."""
    for right in PROXY_GROUPS.values():
        if right in grants.values():
            where = group_location(owner, right)
            yield Entry(href(where.path(True)), _SHOWN[right], where, is_protected=True, inherited=home)


# What is asked for


async def wanted(
    exchange: Exchange, root: Element, owner: PrincipalId, known: Mapping[PrincipalId, Right]
) -> dict[PrincipalId, Right]:
    """
    Read an ACL request (RFC 3744 §8.1).

    Entries that are protected or inherited, and the owner's, say nothing new and are passed over.

    @param known: who has a right now; they may stay even when their account is gone.
    @raise Fault: a precondition of RFC 3744 §8.1.1 does not hold.
    @raise SyntaxFault: it is no such request.
    """
    if root.tag != dav("acl"):
        raise SyntaxFault("acl")
    found: dict[PrincipalId, Permission] = {}
    for number, each in enumerate(elements(root)):
        if number >= MAX_ENTRIES:
            raise Fault(403, dav("limited-number-of-aces"), "These are too many entries.")
        if each.tag != dav("ace"):
            raise SyntaxFault("ace")
        if any(child(each, dav(mark)) is not None for mark in ("protected", "inherited")):
            continue
        allowed = _permission(each)
        principal = await _principal(exchange, each, owner, known)
        if principal != owner:
            found[principal] = found.get(principal, Permission.NONE) | allowed
    return {principal: _right(allowed) for principal, allowed in found.items()}


def _right(allowed: Permission) -> Right:
    right = right_for(allowed)
    if right is None:
        text = "Others are given read-free-busy, or read, or read and write."
        raise Fault(403, dav("no-ace-conflict"), text)
    return right


def _permission(entry: Element) -> Permission:
    if child(entry, dav("invert")) is not None:
        raise Fault(403, dav("no-invert"), "Entries for all but somebody are not kept.")
    forms = [each for each in elements(entry) if each.tag in (dav("grant"), dav("deny"))]
    if len(forms) != 1:
        raise SyntaxFault("grant or deny")
    if forms[0].tag == dav("deny"):
        raise Fault(403, dav("grant-only"), "Rights are given; what is not given is denied.")
    names = []
    for each in elements(forms[0]):
        inside = list(elements(each))
        if each.tag != dav("privilege") or len(inside) != 1:
            raise SyntaxFault("privilege")
        names.append(str(inside[0].tag))
    if not names:
        raise SyntaxFault("privilege")
    try:
        return privileges.permission(names)
    except KeyError:
        raise Fault(403, dav("not-supported-privilege"), "There is no such privilege here.") from None


async def _principal(
    exchange: Exchange, entry: Element, owner: PrincipalId, known: Mapping[PrincipalId, Right]
) -> PrincipalId:
    """
    Whom an entry is about.

    @raise Fault: nobody whom it can be about.
    """
    forms = [each for each in elements(entry) if each.tag == dav("principal")]
    inside = list(elements(forms[0])) if len(forms) == 1 else []
    if len(inside) != 1:
        raise SyntaxFault("principal")
    what = inside[0]
    if what.tag == dav("authenticated"):
        return EVERYONE
    if what.tag == dav("property") and child(what, dav("owner")) is not None:
        return owner
    if what.tag != dav("href"):
        raise Fault(403, dav("allowed-principal"), "Rights are for accounts, or for all who have logged in.")
    location = read_reference(text(what), exchange.header("host"))
    if location is not None and len(location.segments) == 2 and location.segments[0] == "principals":
        account = await known_account(exchange, location.name)
        if account is not None:
            return account.principal
        if location.name in known:
            return PrincipalId(location.name)
    raise Fault(403, dav("recognized-principal"), "There is no such principal.")
