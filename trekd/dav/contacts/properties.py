"""
The properties of address books and of their owners (RFC 6352 §6.2, §7.1, §8.3.1).
"""

from __future__ import annotations

from trekd.calendar.folding import COLLATIONS
from trekd.calendar.vcard import VERSIONS
from trekd.dav.contacts.books import is_book
from trekd.dav.exchange import Exchange
from trekd.dav.live import accept_text
from trekd.dav.nodes import Node, PrincipalNode
from trekd.dav.paths import Location
from trekd.dav.tables import Property
from trekd.dav.xml.names import carddav
from trekd.dav.xml.writing import href, tags, text_element

HOME = "addressbooks"

_TYPE = tags(carddav("address-data-type"))[0][:-1]
_TYPES = b"".join(_TYPE + b' content-type="text/vcard" version="' + version.encode() + b'"/>' for version in VERSIONS)
_COLLATIONS = b"".join(text_element(carddav("supported-collation"), name) for name in COLLATIONS)


async def _home_set(exchange: Exchange, node: Node) -> bytes | None:
    if not isinstance(node, PrincipalNode) or node.owner is None:
        return None
    return href(Location((HOME, node.owner)).path(True))


async def _description(exchange: Exchange, node: Node) -> bytes | None:
    return None


async def _types(exchange: Exchange, node: Node) -> bytes | None:
    return _TYPES if is_book(node) else None


async def _collations(exchange: Exchange, node: Node) -> bytes | None:
    return _COLLATIONS if is_book(node) else None


async def _max_size(exchange: Exchange, node: Node) -> bytes | None:
    return b"%d" % exchange.site.config.max_item if is_book(node) else None


PROPERTIES = (
    Property(carddav("addressbook-home-set"), _home_set, lambda state: None),
    Property(carddav("addressbook-description"), _description, lambda state: None, check=accept_text),
    Property(carddav("supported-address-data"), _types, lambda state: None),
    Property(carddav("supported-collation-set"), _collations, lambda state: None),
    Property(carddav("max-resource-size"), _max_size, lambda state: None),
)
