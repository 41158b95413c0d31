"""
What calendars add to the core's tables.
"""

from __future__ import annotations

from trekd.dav.calendars import export, freebusy, mkcalendar, multiget, query, storing
from trekd.dav.calendars.properties import COMPONENT_SET, PROPERTIES
from trekd.dav.nodes import COLLECTION
from trekd.dav.tables import Kind, Method, Report, Rows
from trekd.dav.xml.names import caldav
from trekd.portal.access import Permission
from trekd.store.collections import CollectionKind

ROWS = Rows(
    methods=(Method("MKCALENDAR", mkcalendar.perform, lambda node: False),),
    properties=PROPERTIES,
    reports=(
        Report(caldav("calendar-query"), query.perform, query.applies),
        Report(caldav("calendar-multiget"), multiget.perform, query.applies),
        # It answers 404 itself where others answer 403 (RFC 4791 §7.10).
        Report(caldav("free-busy-query"), freebusy.perform, freebusy.applies, Permission.NONE),
    ),
    kinds=(
        Kind(
            CollectionKind.CALENDAR,
            "calendars",
            (COLLECTION, caldav("calendar")),
            storing.read_item,
            suffix=".ics",
            require_fit=storing.require_fit,
            get=export.perform,
            uid_conflict=caldav("no-uid-conflict"),
            misplaced=caldav("calendar-collection-location-ok"),
            too_large=caldav("max-resource-size"),
            components_property=COMPONENT_SET,
            read_components=storing.read_components,
        ),
    ),
    compliance=("calendar-access",),
)
