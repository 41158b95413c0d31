"""
The live properties of the core (RFC 4918 §15, RFC 3744 §4 and §5, RFC 4331, RFC 5397, RFC 5995, RFC 6578).
"""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import formatdate
from functools import lru_cache

from trekd.dav import privileges
from trekd.dav.exchange import Exchange
from trekd.dav.locks import lock_elements
from trekd.dav.nodes import (
    CollectionNode,
    HomeNode,
    ItemNode,
    Node,
    PrincipalNode,
    is_stored,
    permitted,
    principal_location,
)
from trekd.dav.synctokens import ctag_of, sync_token_of
from trekd.dav.tables import Property
from trekd.dav.xml.names import calendar_server, dav
from trekd.dav.xml.reading import Element
from trekd.dav.xml.writing import element, escape, href
from trekd.store.collections import ItemState

_LOCK_SCOPES = b"".join(
    element(
        dav("lockentry"),
        element(dav("lockscope"), element(dav(scope))) + element(dav("locktype"), element(dav("write"))),
    )
    for scope in ("exclusive", "shared")
)


@lru_cache(1000)
def http_date(seconds: int) -> bytes:
    """RFC 9110 §5.6.7."""
    return formatdate(seconds, usegmt=True).encode()


def _iso_date(seconds: int) -> bytes:
    """RFC 3339, as creationdate has it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ").encode()


def quoted_etag(state: ItemState) -> bytes:
    """The entity tag as a header field has it."""
    return b'"' + state.etag.encode() + b'"'


def schedule_tag(state: ItemState) -> tuple[tuple[bytes, bytes], ...]:
    """The header field of a scheduling object resource (RFC 6638 §8.2); none for others."""
    return ((b"schedule-tag", b'"' + state.schedule_tag.encode() + b'"'),) if state.schedule_tag else ()


def accept_text(node: Node, element: Element) -> None:
    """Any text will do."""


async def _resource_type(exchange: Exchange, node: Node) -> bytes:
    return b"".join(map(element, node.resource_type(exchange)))


async def _display_name(exchange: Exchange, node: Node) -> bytes | None:
    name = await node.display_name(exchange)
    return None if name is None else escape(name)


async def _last_modified(exchange: Exchange, node: Node) -> bytes | None:
    return http_date(node.state.modified) if isinstance(node, CollectionNode | ItemNode) else None


async def _creation_date(exchange: Exchange, node: Node) -> bytes | None:
    return _iso_date(node.state.created) if isinstance(node, CollectionNode | ItemNode) else None


async def _of_no_node(exchange: Exchange, node: Node) -> bytes | None:
    return None


async def _lock_discovery(exchange: Exchange, node: Node) -> bytes | None:
    if not is_stored(node):
        return None
    locks = exchange.site.locks
    return lock_elements(locks, locks.covering(node.real))


async def _supported_lock(exchange: Exchange, node: Node) -> bytes | None:
    return _LOCK_SCOPES if is_stored(node) else None


async def _current_user_principal(exchange: Exchange, node: Node) -> bytes:
    return href(principal_location(exchange.principal).path(True))


async def _principal_url(exchange: Exchange, node: Node) -> bytes | None:
    return href(node.path) if isinstance(node, PrincipalNode) else None


async def _owner(exchange: Exchange, node: Node) -> bytes:
    """Empty for what is the host's own (RFC 3744 §5.1)."""
    return b"" if node.owner is None else href(principal_location(node.owner).path(True))


async def _principal_collections(exchange: Exchange, node: Node) -> bytes:
    return href(b"/dav/principals/")


async def _privileges(exchange: Exchange, node: Node) -> bytes:
    return privileges.elements(await permitted(exchange, node))


async def _reports(exchange: Exchange, node: Node) -> bytes:
    names = [row.name for row in exchange.site.tables.reports.values() if row.applies(exchange, node)]
    return b"".join(element(dav("supported-report"), element(dav("report"), element(name))) for name in names)


def _has_quota(node: Node) -> bool:
    return isinstance(node, CollectionNode | HomeNode)


async def _used(exchange: Exchange) -> int:
    octets, _ = await exchange.once("usage", exchange.user.store.usage)
    return int(octets)


async def _quota_used(exchange: Exchange, node: Node) -> bytes | None:
    """Of the whole account, whose quota it is (RFC 4331 §4)."""
    return b"%d" % await _used(exchange) if _has_quota(node) and node.owner == exchange.principal else None


async def _quota_available(exchange: Exchange, node: Node) -> bytes | None:
    quota = exchange.site.quota(exchange.user.account)
    if not quota or not _has_quota(node) or node.owner != exchange.principal:
        return None
    return b"%d" % max(0, quota - await _used(exchange))


async def _sync_token(exchange: Exchange, node: Node) -> bytes | None:
    if isinstance(node, CollectionNode) and node.kind(exchange).is_synced:
        return escape(sync_token_of(node.state))
    return None


async def _ctag(exchange: Exchange, node: Node) -> bytes | None:
    return escape(ctag_of(node.state)) if isinstance(node, CollectionNode) else None


async def _add_member(exchange: Exchange, node: Node) -> bytes | None:
    if isinstance(node, CollectionNode) and node.kind(exchange).read_item is not None:
        return href(node.path + b"?add-member")
    return None


PROPERTIES = (
    Property(dav("resourcetype"), _resource_type, lambda state: b"", in_allprop=True),
    Property(dav("displayname"), _display_name, in_allprop=True, check=accept_text),
    Property(dav("getetag"), _of_no_node, quoted_etag, in_allprop=True),
    Property(dav("getcontentlength"), _of_no_node, lambda state: b"%d" % state.size, in_allprop=True),
    Property(dav("getcontenttype"), _of_no_node, lambda state: escape(state.media_type), in_allprop=True),
    Property(dav("getlastmodified"), _last_modified, lambda state: http_date(state.modified), in_allprop=True),
    Property(dav("creationdate"), _creation_date, lambda state: _iso_date(state.created), in_allprop=True),
    Property(dav("lockdiscovery"), _lock_discovery, in_allprop=True),
    Property(dav("supportedlock"), _supported_lock, is_shared=True, in_allprop=True),
    Property(dav("current-user-principal"), _current_user_principal, is_shared=True),
    Property(dav("principal-URL"), _principal_url, lambda state: None),
    Property(dav("owner"), _owner, is_shared=True),
    Property(dav("principal-collection-set"), _principal_collections, is_shared=True),
    Property(dav("current-user-privilege-set"), _privileges, is_shared=True),
    Property(dav("supported-report-set"), _reports, is_shared=True),
    Property(dav("quota-used-bytes"), _quota_used, lambda state: None),
    Property(dav("quota-available-bytes"), _quota_available, lambda state: None),
    Property(dav("sync-token"), _sync_token, lambda state: None),
    Property(dav("add-member"), _add_member, lambda state: None),
    Property(calendar_server("getctag"), _ctag, lambda state: None),
)
