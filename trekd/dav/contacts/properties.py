"""
The properties of address books and of their owners (RFC 6352 §6.2, §7.1, §8.3.1).
"""

from __future__ import annotations

from trekd.calendar.folding import COLLATIONS
from trekd.calendar.vcard import VERSIONS
from trekd.dav.contacts.books import is_book, media_type
from trekd.dav.contacts.directory import NAME, DirectoryBook, DirectoryCard, is_shown
from trekd.dav.contacts.entries import card_name
from trekd.dav.exchange import Exchange
from trekd.dav.live import accept_text, quoted_etag
from trekd.dav.nodes import HomeNode, Node, PrincipalNode
from trekd.dav.paths import Location
from trekd.dav.tables import Property
from trekd.dav.xml.names import carddav, dav
from trekd.dav.xml.writing import escape, href, tags, text_element
from trekd.store.collections import CollectionKind

HOME = "addressbooks"

_TYPE = tags(carddav("address-data-type"))[0][:-1]
_TYPES = b"".join(_TYPE + b' content-type="text/vcard" version="' + version.encode() + b'"/>' for version in VERSIONS)
_COLLATIONS = b"".join(text_element(carddav("supported-collation"), name) for name in COLLATIONS)


async def _home_set(exchange: Exchange, node: Node) -> bytes | None:
    if not isinstance(node, PrincipalNode) or node.owner is None:
        return None
    return href(Location((HOME, node.owner)).path(True))


async def _principal_address(exchange: Exchange, node: Node) -> bytes | None:
    """The card of who asks; others are found by searching (RFC 6352 §7.1.2)."""
    if not isinstance(node, PrincipalNode) or node.owner != exchange.principal or not is_shown(exchange):
        return None
    return href(Location((NAME, card_name(exchange.user.account.address))).path(False))


async def _gateway(exchange: Exchange, node: Node) -> bytes | None:
    """draft-daboo-carddav-directory-gateway-02, section 3; on homes as well, where some programs look."""
    if not isinstance(node, PrincipalNode | HomeNode) or not is_shown(exchange):
        return None
    if isinstance(node, HomeNode) and CollectionKind.ADDRESS_BOOK not in node.kinds:
        return None
    return href(Location((NAME,)).path(True))


async def _description(exchange: Exchange, node: Node) -> bytes | None:
    return b"The people of this organisation" if isinstance(node, DirectoryBook) else None


def _is_book(node: Node) -> bool:
    return is_book(node) or isinstance(node, DirectoryBook)


async def _types(exchange: Exchange, node: Node) -> bytes | None:
    return _TYPES if _is_book(node) else None


async def _collations(exchange: Exchange, node: Node) -> bytes | None:
    return _COLLATIONS if _is_book(node) else None


async def _max_size(exchange: Exchange, node: Node) -> bytes | None:
    return b"%d" % exchange.site.config.max_item if is_book(node) else None


async def _etag(exchange: Exchange, node: Node) -> bytes | None:
    return b'"' + node.card.etag.encode() + b'"' if isinstance(node, DirectoryCard) else None


async def _media_type(exchange: Exchange, node: Node) -> bytes | None:
    return media_type("3.0").encode() if isinstance(node, DirectoryCard) else None


PROPERTIES = (
    # Those of the core, which knows stored items only.
    Property(dav("getetag"), _etag, quoted_etag, in_allprop=True),
    Property(dav("getcontenttype"), _media_type, lambda state: escape(state.media_type), in_allprop=True),
    Property(carddav("principal-address"), _principal_address, lambda state: None),
    Property(carddav("directory-gateway"), _gateway, lambda state: None),
    Property(carddav("addressbook-home-set"), _home_set, lambda state: None),
    Property(carddav("addressbook-description"), _description, lambda state: None, check=accept_text),
    Property(carddav("supported-address-data"), _types, lambda state: None),
    Property(carddav("supported-collation-set"), _collations, lambda state: None),
    Property(carddav("max-resource-size"), _max_size, lambda state: None),
)
