"""
The queue in figures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from twisted.internet.interfaces import IReactorTime

from trekd.queue.dispatcher import Dispatcher
from trekd.queue.flow import MailFlow


@dataclass(frozen=True, slots=True)
class QueueFigures:
    """
    Figures of one moment; counts are since the start.

    @ivar waiting: copies by kind of route and by who holds them, C{""} for nobody.
    @ivar oldest: seconds since when the oldest of them waits, 0 without any.
    @ivar attempts: by result; C{notices}: by action; C{deliveries}: into mailboxes, by result.
    @ivar troubled: lanes that rest or are closed.
    """

    waiting: Mapping[tuple[str, str], int]
    oldest: float
    attempts: Mapping[str, int]
    notices: Mapping[str, int]
    deliveries: Mapping[str, int]
    troubled: int


async def queue_figures(flow: MailFlow, dispatcher: Dispatcher, clock: IReactorTime) -> QueueFigures:
    """
    Look at the queue.

    @raise StoreFull: it cannot be read.
    """
    census = await flow.outward.spool.census()
    since = min((row[3] for row in census), default=None)
    return QueueFigures(
        waiting={(kind, held_by): count for kind, held_by, count, _ in census},
        oldest=0.0 if since is None else max(0.0, clock.seconds() - since),
        attempts=dispatcher.results,
        notices=flow.reports.sent,
        deliveries=flow.deliveries,
        troubled=sum(bool(lane.closed or lane.rests_until) for lane in dispatcher.states()),
    )
