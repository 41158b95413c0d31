"""
What scheduling adds to the tables.
"""

from __future__ import annotations

from trekd.dav.nodes import HomeNode
from trekd.dav.scheduling import outbox, places
from trekd.dav.scheduling.changes import ScheduledChanges
from trekd.dav.scheduling.properties import PROPERTIES
from trekd.dav.tables import Members, Post, Rows
from trekd.store.collections import CollectionKind

ROWS = Rows(
    properties=PROPERTIES,
    kinds=(places.KIND,),
    changes={CollectionKind.CALENDAR: ScheduledChanges()},
    compliance=("calendar-auto-schedule",),
    posts=[Post(outbox.takes, outbox.perform)],
    members=[Members(HomeNode, places.in_home)],
)
