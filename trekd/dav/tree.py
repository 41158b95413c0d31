"""
The one place that joins the core and its extensions.
"""

from __future__ import annotations

from trekd.dav.calendars import rows as calendars
from trekd.dav.contacts import rows as contacts
from trekd.dav.exchange import Exchange
from trekd.dav.live import PROPERTIES
from trekd.dav.methods import (
    delete,
    get,
    listing,
    lock,
    mkcol,
    options,
    post,
    propfind,
    proppatch,
    put,
    report,
    transfer,
)
from trekd.dav.nodes import (
    COLLECTION,
    HomesNode,
    Node,
    PrincipalsNode,
    is_any,
    is_item,
    is_stored,
    keeps_properties,
)
from trekd.dav.paths import Location
from trekd.dav.reports import expand_property, sync_collection
from trekd.dav.scheduling import rows as scheduling
from trekd.dav.sharing import rows as sharing
from trekd.dav.tables import Kind, Method, Post, Report, Rows, Tables, joined
from trekd.dav.xml.names import carddav, dav
from trekd.store.collections import CollectionKind

METHODS = (
    Method("OPTIONS", options.perform, is_any),
    Method("GET", get.perform, is_any),
    Method("HEAD", get.perform, is_any),
    Method("PROPFIND", propfind.perform, is_any),
    Method("PROPPATCH", proppatch.perform, keeps_properties),
    Method("REPORT", report.perform, is_any),
    Method("PUT", put.perform, is_item),
    Method("POST", post.perform, lambda node: node.is_collection),
    Method("DELETE", delete.perform, is_stored),
    Method("MKCOL", mkcol.perform, lambda node: False),
    Method("COPY", transfer.copy, is_stored),
    Method("MOVE", transfer.move, is_stored),
    Method("LOCK", lock.lock, is_stored),
    Method("UNLOCK", lock.unlock, is_stored),
)

REPORTS = (
    Report(dav("expand-property"), expand_property.perform, lambda exchange, node: True),
    Report(dav("sync-collection"), sync_collection.perform, sync_collection.applies),
)

KINDS = (
    Kind(
        CollectionKind.FILES,
        "files",
        (COLLECTION,),
        put.read_file,
        max_item="max_file",
        has_inside=True,
        is_synced=False,
        get=listing.perform,
    ),
    Kind(CollectionKind.ADDRESS_BOOK, "addressbooks", (COLLECTION, carddav("addressbook")), suffix=".vcf"),
)


def _homes(name: str, *kinds: CollectionKind) -> HomesNode:
    return HomesNode(Location((name,)), None, kinds)


def _principals(exchange: Exchange) -> Node:
    return PrincipalsNode(Location(("principals",)), None)


CORE = Rows(
    methods=METHODS,
    properties=PROPERTIES,
    reports=REPORTS,
    kinds=KINDS,
    branches={
        "principals": _principals,
        "calendars": lambda exchange: _homes("calendars", CollectionKind.CALENDAR),
        "addressbooks": lambda exchange: _homes("addressbooks", CollectionKind.ADDRESS_BOOK),
        "files": lambda exchange: _homes("files", CollectionKind.FILES),
    },
    compliance=("1", "2", "3", "extended-mkcol"),
    posts=[Post(put.is_new_member, put.add_member)],
)


def tables() -> Tables:
    """All of DAV."""
    return joined(CORE, calendars.ROWS, contacts.ROWS, sharing.ROWS, scheduling.ROWS)
