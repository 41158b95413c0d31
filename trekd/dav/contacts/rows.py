"""
What CardDAV adds to the tables of DAV.
"""

from __future__ import annotations

from trekd.dav.contacts import directory, reports
from trekd.dav.contacts.books import UID_CONFLICT, other_form, read_item, whole_book
from trekd.dav.contacts.properties import HOME, PROPERTIES
from trekd.dav.nodes import COLLECTION, HomeNode
from trekd.dav.tables import Kind, Members, Report, Rows
from trekd.dav.xml.names import carddav
from trekd.store.collections import CollectionKind

ROWS = Rows(
    properties=PROPERTIES,
    reports=(
        Report(carddav("addressbook-query"), reports.query, reports.applies),
        Report(carddav("addressbook-multiget"), reports.multiget, reports.applies),
    ),
    kinds=(
        Kind(
            CollectionKind.ADDRESS_BOOK,
            HOME,
            (COLLECTION, carddav("addressbook")),
            read_item,
            suffix=".vcf",
            get=whole_book,
            uid_conflict=UID_CONFLICT,
            misplaced=carddav("addressbook-collection-location-ok"),
            too_large=carddav("max-resource-size"),
            other_form=other_form,
        ),
    ),
    branches={directory.NAME: directory.gateway},
    members=(Members(HomeNode, directory.in_home),),
    compliance=("addressbook",),
)
