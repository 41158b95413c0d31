"""
What waits too long: its sender is told once that it is late, and at last that it is given up.

An attempt that fails gives up by itself what is too old.  Here it is about copies that are not tried: their lane rests,
is closed, or their next attempt is still to come.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twisted.internet.interfaces import IReactorTime

from trekd.errors import RemoteDeferred
from trekd.queue.interfaces import Entry
from trekd.queue.lanes import Lane
from trekd.queue.notices import Action, Fate
from trekd.queue.reports import Reporter
from trekd.queue.schedule import Schedule
from trekd.queue.settlement import Settlement
from trekd.queue.spool import Spool

AT_ONCE = 200
"""Entries looked at in one turn."""

LaneNamed = Callable[[str], Lane | None]
"""Gives a lane that is in use."""


class Lateness:
    """Looks for what is late or too old."""

    def __init__(
        self, spool: Spool, schedule: Schedule, reports: Reporter, settlement: Settlement, clock: IReactorTime
    ) -> None:
        self._spool = spool
        self._schedule = schedule
        self._reports = reports
        self._settlement = settlement
        self._clock = clock

    async def look(self, lane_named: LaneNamed) -> None:
        """One turn."""
        now = self._clock.seconds()
        for noted in (True, False):
            old = await self._spool.older(noted, self._schedule.old_since(now), AT_ONCE)
            ended = [entry for entry in old if self._is_at_its_end(entry, lane_named(entry.lane), now)]
            for group in by_message(ended):
                await self._settlement.give_up(group, lambda entry: _last_failure(entry, lane_named(entry.lane)))
        since = self._schedule.late_since(now)
        if since is None:
            return
        late = await self._spool.older(False, since, AT_ONCE)
        waiting = [entry for entry in late if self._is_late(entry, lane_named(entry.lane), now)]
        for group in by_message(waiting):
            await self._tell(group, lane_named)

    def _is_at_its_end(self, entry: Entry, lane: Lane | None, now: float) -> bool:
        if lane is not None and entry.number in lane.claimed:
            return False
        if entry.held_by:
            return True
        probes = lane.probes if lane is not None and lane.is_troubled else 0
        waits = entry.due > now or bool(probes)
        return waits and self._schedule.is_too_old(entry.attempts + probes, entry.since, now)

    @staticmethod
    def _is_late(entry: Entry, lane: Lane | None, now: float) -> bool:
        """It was tried, or would have been were it not for its lane."""
        return bool(entry.attempts or entry.held_by) or (lane is not None and lane.is_troubled)

    async def _tell(self, group: Sequence[Entry], lane_named: LaneNamed) -> None:
        fates = []
        for entry in group:
            failure = _last_failure(entry, lane_named(entry.lane))
            fates.append(
                Fate(
                    entry.recipient,
                    Action.DELAYED,
                    failure.status if failure.status.startswith("4.") else "4.4.7",
                    "" if failure.host else failure.reply,
                    failure.reply,
                    failure.host,
                    entry.last.time,
                    self._schedule.end(entry.since),
                )
            )
        first = group[0]
        if await self._reports.tell(first.transaction, self._spool.content(first), fates, first.arrived):
            for entry in group:
                await self._spool.note(entry)


def _last_failure(entry: Entry, lane: Lane | None) -> RemoteDeferred:
    """Why a copy waits: what its last attempt met, or its lane."""
    if not entry.last.failure and lane is not None and lane.last_failure:
        return RemoteDeferred("", lane.last_failure, "4.4.1")
    return RemoteDeferred(entry.last.host, entry.last.failure or entry.held, entry.last.status or "4.4.7")


def by_message(entries: Sequence[Entry]) -> list[list[Entry]]:
    """Entries by message, in order."""
    groups: dict[str, list[Entry]] = {}
    for entry in entries:
        groups.setdefault(entry.message, []).append(entry)
    return list(groups.values())
