"""
Lanes by name, and what is taken from them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from trekd.queue.interfaces import Entry, Route, RouteKind
from trekd.values import Address

LOCAL_LANE = "local"
"""Where copies for mailboxes of this server wait."""

LaneOf = Callable[[Route, Address], str]
"""The lane of a copy, as L{trekd.queue.interfaces.IRelay.lane} names it."""


def plain_lane(route: Route, recipient: Address) -> str:
    """The lane as the route alone tells it."""
    if route.kind is RouteKind.LOCAL:
        return LOCAL_LANE
    if route.kind is RouteKind.OWN_SMTP:
        return f"profile:{route.profile}"
    return f"mx:{recipient.domain}"


@dataclass(frozen=True, slots=True)
class Taken:
    """
    What a lane has due.

    @ivar entries: of the highest priority first, then longest waiting first; those of a message together.
    @ivar next_due: when more is due, C{None} when nothing more waits there.
    """

    entries: tuple[Entry, ...]
    next_due: float | None
