"""
The rows that access control and sharing add to the tables.
"""

from __future__ import annotations

from trekd.dav import privileges
from trekd.dav.exchange import Exchange
from trekd.dav.nodes import CollectionNode, HomeNode, Node, PrincipalNode, permitted
from trekd.dav.paths import Location
from trekd.dav.rights import Grants, grants_of
from trekd.dav.sharing import acl, invitations, mounts, notifications, proxies, searches
from trekd.dav.sharing.entries import entries
from trekd.dav.sharing.proxies import ProxyNode
from trekd.dav.sharing.shares import is_shareable
from trekd.dav.tables import Members, Method, Post, Property, Report, Rows
from trekd.dav.xml.names import calendar_server, dav
from trekd.dav.xml.writing import element, escape, href
from trekd.errors import NotPermitted
from trekd.portal.access import Permission
from trekd.store.collections import EVERYONE, ItemState


async def _resource_type(exchange: Exchange, node: Node) -> bytes:
    """That others have a part in it is told to its owner (caldav-sharing §5.2.1)."""
    names = node.resource_type(exchange)
    grants: Grants = {}
    if isinstance(node, CollectionNode) and is_shareable(node) and node.owner == exchange.principal:
        grants = await grants_of(exchange, node.shelf, node.state)
    if any(grantee != EVERYONE for grantee in grants):
        names = (*names, calendar_server("shared-owner"))
    return b"".join(map(element, names))


async def _nothing(exchange: Exchange, node: Node) -> bytes:
    return b""


async def _of_items_only(exchange: Exchange, node: Node) -> bytes | None:
    return None


async def _supported_privileges(exchange: Exchange, node: Node) -> bytes:
    return privileges.supported()


async def _acl(exchange: Exchange, node: Node) -> bytes:
    """
    RFC 3744 §5.5.

    @raise NotPermitted: it is not for everybody (§3.6).
    """
    if node.owner is not None and Permission.READ_ACL not in await permitted(exchange, node):
        raise NotPermitted()
    return b"".join(each.octets for each in await entries(exchange, node))


async def _acl_restrictions(exchange: Exchange, node: Node) -> bytes:
    return element(dav("grant-only")) + element(dav("no-invert"))


def _is_principal(node: Node) -> bool:
    return isinstance(node, PrincipalNode | ProxyNode)


async def _principal_url(exchange: Exchange, node: Node) -> bytes | None:
    return href(node.path) if _is_principal(node) else None


async def _alternate_addresses(exchange: Exchange, node: Node) -> bytes | None:
    if isinstance(node, PrincipalNode):
        return href(b"mailto:" + escape(str(node.account.address)))
    return b"" if _is_principal(node) else None


async def _addresses(exchange: Exchange, node: Node) -> bytes | None:
    if not isinstance(node, PrincipalNode):
        return None
    account = node.account
    aliases = account.aliases if node.owner == exchange.principal else ()
    every = dict.fromkeys((account.address, *aliases))
    return b"".join(element(calendar_server("email-address"), escape(str(each))) for each in every)


async def _notification_url(exchange: Exchange, node: Node) -> bytes | None:
    if not isinstance(node, PrincipalNode) or node.owner != exchange.principal:
        return None
    return href(Location(("calendars", exchange.principal, notifications.NAME)).path(True))


def _of_no_item(state: ItemState) -> bytes | None:
    return None


PROPERTIES = (
    Property(dav("resourcetype"), _resource_type, lambda state: b"", in_allprop=True),
    Property(dav("group"), _nothing, is_shared=True),
    Property(dav("supported-privilege-set"), _supported_privileges, is_shared=True),
    Property(dav("acl"), _acl, is_shared=True),
    Property(dav("acl-restrictions"), _acl_restrictions, is_shared=True),
    Property(dav("inherited-acl-set"), _nothing, is_shared=True),
    Property(dav("principal-URL"), _principal_url, _of_no_item),
    Property(dav("alternate-URI-set"), _alternate_addresses, _of_no_item),
    Property(dav("group-membership"), proxies.memberships, _of_no_item),
    Property(proxies.MEMBERS, proxies.members, _of_no_item, check=proxies.check_members),
    Property(calendar_server("calendar-proxy-read-for"), proxies.reads_for, _of_no_item),
    Property(calendar_server("calendar-proxy-write-for"), proxies.writes_for, _of_no_item),
    Property(calendar_server("email-address-set"), _addresses, _of_no_item),
    Property(calendar_server("notification-URL"), _notification_url, _of_no_item),
    Property(notifications.TYPE, _of_items_only, notifications.type_of),
    Property(calendar_server("invite"), invitations.invite, _of_no_item),
    Property(calendar_server("allowed-sharing-modes"), invitations.allowed_modes, _of_no_item),
    Property(calendar_server("shared-url"), invitations.shared_url, _of_no_item),
)

REPORTS = (
    Report(dav("acl-principal-prop-set"), searches.acl_principals, lambda exchange, node: True),
    Report(dav("principal-match"), searches.principal_match, lambda exchange, node: node.is_collection),
    Report(dav("principal-property-search"), searches.principal_search, lambda exchange, node: node.is_collection),
    Report(dav("principal-search-property-set"), searches.searchable, lambda exchange, node: node.is_collection),
    Report(
        calendar_server("calendarserver-principal-search"),
        searches.token_search,
        lambda exchange, node: node.is_collection,
    ),
)

ROWS = Rows(
    methods=[Method("ACL", acl.perform, is_shareable)],
    properties=PROPERTIES,
    reports=REPORTS,
    compliance=(
        "access-control",
        "calendar-proxy",
        "calendarserver-sharing",
        "calendarserver-principal-search",
    ),
    members=[
        Members(HomeNode, mounts.in_home),
        Members(HomeNode, notifications.in_home),
        Members(PrincipalNode, proxies.below),
    ],
    posts=[Post(invitations.takes, invitations.perform)],
)
