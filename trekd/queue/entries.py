"""
What waits in the queue: one entry for each recipient's copy, and the lane it waits in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from trekd.queue.interfaces import MailTransaction, Recipient, Route, RouteKind
from trekd.values import Address

LOCAL_LANE = "local"
"""Where copies for mailboxes of this server wait."""

HELD_BY_OPERATOR = "operator"
"""Held until somebody releases it."""

HELD_BY_LANE = "lane"
"""Held because nothing can be sent on its lane until something is changed there."""

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
class LastAttempt:
    """
    What became of an attempt that failed.

    @ivar failure: what the other side said, or what happened instead; one line.
    @ivar host: who said it, C{""} when nobody was reached.
    @ivar status: enhanced status code (RFC 3463).
    @ivar time: Unix seconds, 0 before the first attempt.
    """

    failure: str = ""
    host: str = ""
    status: str = ""
    time: float = 0.0


@dataclass(frozen=True, slots=True)
class Entry:
    """
    A recipient's copy that waits.

    @ivar number: names the row.
    @ivar message: identifier of the spooled message, shared by the recipients of its transaction.
    @ivar transaction: with this recipient alone.
    @ivar size: octets.
    @ivar arrived: Unix seconds, as the times below.
    @ivar since: from when on its age counts: its arrival, or its release when that is later (RFC 4865).
    @ivar due: when it is tried next.
    @ivar attempts: made so far.
    @ivar priority: 0 for mail, 1 for notices, which come last.
    @ivar noted: whether its sender was told of the delay.
    @ivar held_by: L{HELD_BY_OPERATOR}, L{HELD_BY_LANE} or C{""}; C{held}: why.
    """

    number: int
    message: str
    transaction: MailTransaction
    size: int
    arrived: float
    since: float
    lane: str
    due: float
    attempts: int
    priority: int
    noted: bool
    held_by: str
    held: str
    last: LastAttempt

    @property
    def recipient(self) -> Recipient:
        """Who waits for it."""
        return self.transaction.recipients[0]


@dataclass(frozen=True, slots=True)
class Selection:
    """
    Entries by what they have in common; what is not given does not matter.

    @ivar lane: the whole name of the lane.
    @ivar sender: the reverse-path or the submitting account, a C{domain} alone for all of it; C{recipient} likewise.
    @ivar message: identifier of a message, or the number of an entry.
    @ivar held: only held ones, or only others.
    """

    lane: str | None = None
    sender: str | None = None
    recipient: str | None = None
    message: str | None = None
    held: bool | None = None


EVERYTHING = Selection()


@dataclass(frozen=True, slots=True)
class Taken:
    """
    What a lane has due.

    @ivar entries: of the highest priority first, then longest waiting first; those of a message together.
    @ivar next_due: when more is due, C{None} when nothing more waits there.
    """

    entries: tuple[Entry, ...]
    next_due: float | None
