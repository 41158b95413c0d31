"""
What scheduling adds to the tables.
"""

from __future__ import annotations

from trekd.dav.nodes import HomeNode
from trekd.dav.scheduling import places
from trekd.dav.scheduling.properties import PROPERTIES
from trekd.dav.tables import Members, Rows

ROWS = Rows(
    properties=PROPERTIES,
    kinds=(places.KIND,),
    members=[Members(HomeNode, places.in_home)],
)
