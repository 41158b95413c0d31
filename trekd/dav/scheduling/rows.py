"""
What scheduling adds to the tables.
"""

from __future__ import annotations

from trekd.dav.nodes import HomeNode
from trekd.dav.scheduling import places
from trekd.dav.scheduling.changes import ScheduledChanges
from trekd.dav.scheduling.properties import PROPERTIES
from trekd.dav.tables import Members, Rows
from trekd.store.collections import CollectionKind

ROWS = Rows(
    properties=PROPERTIES,
    kinds=(places.KIND,),
    changes={CollectionKind.CALENDAR: ScheduledChanges()},
    compliance=("calendar-auto-schedule",),
    members=[Members(HomeNode, places.in_home)],
)
