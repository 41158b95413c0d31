"""
What calendar objects and questions about them may cost; the properties tell clients (RFC 4791 §5.2.5 to §5.2.9).
"""

from __future__ import annotations

from trekd.calendar.objects import OBJECT_LIMITS, ObjectLimits
from trekd.calendar.recurrence import Bounds
from trekd.calendar.times import LATEST

EARLIEST = -14831769600
"""The year 1500: programs write 1601 and 1604 for times and years that they do not know."""

LIMITS = ObjectLimits(OBJECT_LIMITS.tree, OBJECT_LIMITS.instances, OBJECT_LIMITS.attendees, EARLIEST, LATEST + 1)

SMALL = 4096
"""Octets up to which an object without recurrence is read where it is; anything else is read in a thread."""

BATCH = 250
"""Items whose octets are in memory at once, and L{BATCH_OCTETS} of them; a larger one comes alone."""
BATCH_OCTETS = 1024 * 1024

MOST_CONDITIONS = 500
"""In one filter."""

MOST_TEXT = 4096
"""Characters that one condition looks for."""

MOST_TIMEZONE = 64 * 1024
"""Characters of a VTIMEZONE."""

MOST_SECONDS = 20
"""That one question may take to look into objects; what was found until then is the answer."""

MOST_MATCHES = 100_000
"""Items in one answer; a client that wants more has to ask in parts."""

MOST_SPANS = 100_000
"""Busy times of one calendar in one answer."""

MOST_AVAILABILITY = 8 * 1024 * 1024
"""Octets of VAVAILABILITY components that count for one answer."""

MOST_EXPANDED = 64 * 1024 * 1024
"""Octets to which one object may be expanded."""


def expansion_bounds(size: int) -> Bounds:
    """
    How far an object may be expanded.

    @param size: its octets.
    """
    usual = Bounds()
    return Bounds(max(10, min(usual.instances, MOST_EXPANDED // max(size, 1))), usual.steps)
