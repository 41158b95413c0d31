"""
The dispatcher: takes what is due, lane by lane, hands it to the courier, and settles what comes of it.

New mail is tried at once; what failed is tried when it is due.  A copy that was taken is claimed until its attempt is
settled on disk, so that it is never on its way twice.  Lanes in use are in memory, others only as
a time and a name.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from heapq import heapify, heappop, heappush
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from trekd.config.schema import QueueConfig
from trekd.errors import RemoteDeferred, RemoteUnreached
from trekd.queue.courier import MAX_RECIPIENTS, Courier
from trekd.queue.entries import LOCAL_LANE
from trekd.queue.flow import MailFlow
from trekd.queue.interfaces import Attempt, Entry, IRelay, LaneState, Selection
from trekd.queue.lanes import LOCAL_WINDOW, Group, Lane, grouped
from trekd.queue.lateness import Lateness
from trekd.queue.schedule import Schedule
from trekd.queue.settlement import Settlement
from trekd.queue.spool import Spool, unheard
from trekd.queue.suppression import Suppressions

log = Logger()

TAKE = 100
"""Entries taken from one lane at once."""

OPEN = 1000
"""Lanes looked at in one round, at most; others wait until these have had their turn."""

TURN = 60.0
"""Seconds between two looks at the whole, at most."""

GRACE = 20.0
"""Seconds for which a stop waits for what is under way."""

FORGET_AFTER = 2
"""The troubles of a lane are forgotten after so many times the longest wait between attempts."""

TURNED_BACK = 2.0
"""Seconds that the time of day may go back without notice."""

LEAPT = 600.0
"""Seconds that it may leap forward, before and after no time has passed, without notice."""


@dataclass(frozen=True, slots=True)
class Crew:
    """Those who do a dispatcher's work."""

    courier: Courier
    settlement: Settlement
    lateness: Lateness
    schedule: Schedule
    suppressions: Suppressions


class Dispatcher:
    """One for the whole queue."""

    def __init__(
        self, spool: Spool, crew: Crew, config: QueueConfig, clock: IReactorTime, even: Callable[[], float]
    ) -> None:
        """
        @param clock: the time of day, which may go back and leap, and timers, which do not.
        @param even: seconds by those timers.
        """
        self._spool = spool
        self._crew = crew
        self._config = config
        self._clock = clock
        self._even = even
        self._lanes: dict[str, Lane] = {}
        self._due: list[tuple[float, str]] = []
        self._open: dict[str, None] = {}
        self._filling: Lane | None = None
        self._active = 0
        self._running = False
        self._is_looking = False
        self._look_again = False
        self._timer: IDelayedCall | None = None
        self._soon: IDelayedCall | None = None
        self._under_way: set[Deferred[None]] = set()
        self._last_turn = 0.0
        self._last_seen = 0.0
        self._last_even = 0.0
        self._leapt = 0.0

    # Beginning and end

    def start(self) -> None:
        """Take up what waits, and from now on what comes."""
        self._running = True
        self._last_seen = self._last_turn = self._clock.seconds()
        self._last_even = self._even()
        self._spool.arrived = self.arrived
        self._track(self._begin())

    async def _begin(self) -> None:
        await self._crew.suppressions.load()
        now = self._clock.seconds()
        await self._spool.turn_back(now, now, now + 1.2 * self._config.retry_max)
        await self._load()
        self.wake()

    async def _load(self) -> None:
        """Learn of all lanes from the spool."""
        self._open.clear()
        for name, why, principal, since in await self._spool.closed_lanes():
            lane = self._lane(name)
            lane.closed = why
            lane.since = lane.since or since
            lane.told.add(principal)
        self._due = []
        lanes = await self._spool.lanes()
        # What arrived meanwhile is there already.
        self._due += [(due, name) for name, due in lanes]
        heapify(self._due)

    async def stop(self) -> None:
        """Begin nothing more, and wait a while for what is under way; what is not done by then is tried again."""
        self._running = False
        self._spool.arrived = unheard
        for one in (self._timer, self._soon):
            if one is not None and one.active():
                one.cancel()
        if self._under_way:
            waiting = DeferredList(list(self._under_way))
            last = self._clock.callLater(GRACE, self._give_up_waiting)
            await waiting
            if last.active():
                last.cancel()

    def _give_up_waiting(self) -> None:
        for one in list(self._under_way):
            one.cancel()

    def _track(self, work: Coroutine[Deferred[Any], Any, None]) -> None:
        """Let work run by itself; the end of the dispatcher waits for it."""
        deferred = Deferred.fromCoroutine(work)
        self._under_way.add(deferred)

        def done(result: Any) -> None:
            self._under_way.discard(deferred)
            if result is not None and not result.check(CancelledError):
                log.failure("the queue cannot be run", result)

        deferred.addBoth(done)

    # What is told to it

    def arrived(self, lane: str, due: float, new: tuple[Entry, ...] = ()) -> None:
        """Something waits in a lane; what can go at once need not be looked for on disk."""
        if not self._running:
            return
        known = self._lanes.get(lane)
        if due <= self._clock.seconds() and self._take_new(self._lane(lane), new):
            # First of all the client that sent it gets its answer.
            if self._soon is None:
                self._soon = self._clock.callLater(0, self._wake_now)
            return
        heappush(self._due, (due, lane))
        if known is not None and known.closed:
            known.has_more_to_hold = True
            if not known.is_holding:
                self._track(self._hold(known))
        elif due <= self._clock.seconds():
            self.wake()
        else:
            self._arm()

    def _take_new(self, lane: Lane, new: tuple[Entry, ...]) -> bool:
        """
        Claim what has just arrived, unless a look at the disk is under way that may find it as well.

        @return: whether it was claimed.
        """
        has_room = lane.is_local or self._active < self._config.concurrency
        if lane is self._filling or not has_room or not lane.takes_new(self._clock.seconds()):
            self._forget(lane)
            return False
        lane.claimed.update(entry.number for entry in new)
        lane.new.extend(new)
        self._open[lane.name] = None
        return True

    async def _hold(self, lane: Lane) -> None:
        """Hold what comes to a closed lane, however much comes at once."""
        lane.is_holding = True
        try:
            while lane.has_more_to_hold and lane.closed:
                lane.has_more_to_hold = False
                await self._crew.settlement.close(lane, lane.closed)
        finally:
            lane.is_holding = False

    def profile_changed(self, name: str) -> None:
        """An own-SMTP profile is another than it was: what its lane holds, or has tried, is tried again."""
        if self._running:
            self._track(self._reopen(f"profile:{name}"))

    async def _reopen(self, lane: str) -> None:
        hastened = await self._spool.hasten_tried(lane, self._clock.seconds())
        released = await self.reopen(lane)
        log.info("lane {lane} is open again, {count} copies go on", lane=lane, count=hastened + released)

    async def reopen(self, lane: str) -> int:
        """
        What was wrong with a lane may be right now, such as the password of an own-SMTP profile: try what is held for
        its sake.

        @return: how many copies were held.
        """
        known = self._lanes.get(lane)
        if known is not None:
            known.reopen()
        return await self.release(Selection(lane=lane))

    async def release(self, selection: Selection) -> int:
        """Let held copies go on at once, and the lanes that they wait in; returns how many."""
        now = self._clock.seconds()
        released = await self._spool.release(selection, now)
        still = {name for name, *_ in await self._spool.closed_lanes()}
        for lane in self._lanes.values():
            if lane.closed and lane.name not in still:
                lane.reopen()
        await self._forget_taken()
        return released

    async def retry(self, selection: Selection) -> int:
        """Try copies now, however their lanes are; returns how many were to wait longer."""
        hastened = await self._spool.hasten(selection, self._clock.seconds())
        for lane in self._lanes.values():
            if selection.lane in (None, lane.name):
                lane.rests_until = 0.0
        await self._forget_taken()
        return hastened

    @property
    def results(self) -> Mapping[str, int]:
        """Attempts since the start, by what came of them."""
        return self._crew.settlement.results

    def states(self) -> list[LaneState]:
        """Lanes that have troubles or something on its way."""
        now = self._clock.seconds()
        return [lane.state(now) for _, lane in sorted(self._lanes.items())]

    async def changed(self) -> None:
        """Copies were held or dropped."""
        await self._forget_taken()

    async def _forget_taken(self) -> None:
        for lane in self._lanes.values():
            lane.release_ready()
            lane.next_due = None
        await self._load()
        self.wake()

    def wake(self) -> None:
        """Look at what is due."""
        if not self._running:
            return
        self._look_again = True
        if not self._is_looking:
            self._is_looking = True
            self._track(self._look())

    def _wake_now(self) -> None:
        self._soon = None
        self.wake()

    # The round

    async def _look(self) -> None:
        try:
            while self._look_again and self._running:
                self._look_again = False
                now = await self._read_clock()
                self._open_due(now)
                await self._fill_open(now)
                if now - self._last_turn >= TURN:
                    self._last_turn = now
                    self._forget_unreached(now)
                    self._track(self._crew.lateness.look(self._lanes.get))
        finally:
            self._is_looking = False
            self._arm()

    async def _read_clock(self) -> float:
        """
        Now.  Where the time of day was put back, what waits is put back with it; where it leapt forward, what waits is
        no older for that, so that nothing is given up or called late which was hardly tried.
        """
        now, even = self._clock.seconds(), self._even()
        back, passed = self._last_seen - now, even - self._last_even
        self._last_seen, self._last_even = now, even
        leap = -back - passed
        if leap > LEAPT:
            log.warn("the clock leapt forward by {seconds} seconds", seconds=int(leap))
            self._leapt += leap
            for lane in self._lanes.values():
                lane.release_ready()
            await self._spool.turn_forward(now, leap)
            await self._load()
        if back > TURNED_BACK:
            log.warn("the clock went back by {seconds} seconds", seconds=int(back))
            await self._spool.turn_back(now, back, now)
            self._last_turn = min(self._last_turn, now)
            for lane in self._lanes.values():
                lane.rests_until = max(0.0, lane.rests_until - back)
                lane.since = min(lane.since, now)
            await self._load()
        return now

    def _open_due(self, now: float) -> None:
        while self._due and self._due[0][0] <= now and len(self._open) < OPEN:
            due, name = heappop(self._due)
            lane = self._lane(name)
            lane.next_due = due if lane.next_due is None else min(due, lane.next_due)
            self._open[name] = None

    async def _fill_open(self, now: float) -> None:
        """Give every open lane its turn, mail for here first, while there is room."""
        for name in [LOCAL_LANE, *self._open]:
            if not self._running or (name != LOCAL_LANE and self._active >= self._config.concurrency):
                return
            if name in self._open:
                del self._open[name]
                lane = self._filling = self._lane(name)
                try:
                    await self._fill(lane, now)
                finally:
                    self._filling = None
                self._leave(lane, now)
                self._forget(lane)

    async def _fill(self, lane: Lane, now: float) -> None:
        while self._running and lane.has_room(now):
            if not lane.is_local and self._active >= self._config.concurrency:
                return
            if not lane.ready:
                if not lane.new and (lane.next_due is None or lane.next_due > now):
                    return
                await self._refill(lane, now)
                continue
            lane.active += 1
            self._active += not lane.is_local
            self._track(self._attempt(lane, lane.ready.popleft()))

    async def _refill(self, lane: Lane, now: float) -> None:
        """Claim what a lane has due; what belongs elsewhere by now goes there."""
        if lane.new:
            found = tuple(lane.new)
            lane.new.clear()
        else:
            found = await self._take(lane, now)
        here: list[Entry] = []
        for entry in found:
            route, belongs = await self._crew.courier.place(entry)
            if belongs == lane.name and route == entry.recipient.route:
                here.append(entry)
            else:
                await self._spool.move(entry, route, belongs)
                lane.claimed.discard(entry.number)
                heappush(self._due, (entry.due, belongs))
                self._look_again = True
        lane.claimed.update(entry.number for entry in here)
        lane.ready.extend(grouped(tuple(here), MAX_RECIPIENTS))

    async def _take(self, lane: Lane, now: float) -> tuple[Entry, ...]:
        lane.next_due = None
        taken = await self._spool.take(lane.name, now, TAKE, frozenset(lane.claimed))
        if taken.next_due is not None:
            lane.next_due = taken.next_due if lane.next_due is None else min(lane.next_due, taken.next_due)
        return taken.entries

    def _leave(self, lane: Lane, now: float) -> None:
        """A lane has had its turn: it stays open, or is looked at again when it is time."""
        if lane.closed:
            return
        waits = bool(lane.ready or lane.new) or (lane.next_due is not None and lane.next_due <= now)
        if waits and lane.rests_until > now:
            heappush(self._due, (lane.rests_until, lane.name))
        elif waits:
            self._open[lane.name] = None
        elif lane.next_due is not None:
            heappush(self._due, (lane.next_due, lane.name))
            lane.next_due = None

    def _forget(self, lane: Lane) -> None:
        """Keep no lane in memory that has nothing to remember; never one that is being filled."""
        if lane.is_idle and lane is not self._filling and self._lanes.get(lane.name) is lane:
            del self._lanes[lane.name]

    def _forget_unreached(self, now: float) -> None:
        """Servers that nobody has tried for longer than mail waits between attempts: none waits for them any more."""
        for lane in list(self._lanes.values()):
            if lane.failures and now - lane.last_failed > FORGET_AFTER * self._config.retry_max and lane.is_empty:
                lane.failures = 0
                self._forget(lane)

    async def _attempt(self, lane: Lane, group: Group) -> None:
        leapt = self._leapt
        try:
            attempts = await self._crew.courier.carry(group)
            await self._read_clock()
            if leapt != self._leapt:
                group = tuple(replace(entry, since=entry.since + self._leapt - leapt) for entry in group)
            self._judge(lane, attempts)
            due = await self._crew.settlement.settle(lane, group, attempts)
            lane.claimed.difference_update(entry.number for entry in group)
            if due is not None:
                heappush(self._due, (due, lane.name))
        finally:
            lane.active -= 1
            self._active -= not lane.is_local
            self._forget(lane)
            self.wake()

    def _judge(self, lane: Lane, attempts: Sequence[Attempt]) -> None:
        """What an attempt says of its lane: only that no server was reached, or that it is too busy, is its fault."""
        if lane.is_local:
            return
        failures = [one.failure for one in attempts]
        unreached = [one for one in failures if isinstance(one, RemoteDeferred) and _blames_lane(one)]
        if len(unreached) < len(failures):
            lane.succeeded()
            return
        why = unreached[0].reply
        if lane.failed(why, self._crew.schedule, self._clock.seconds()):
            log.warn("lane {lane} rests, its server cannot be reached: {reason}", lane=lane.name, reason=why)

    def _lane(self, name: str) -> Lane:
        lane = self._lanes.get(name)
        if lane is None:
            lane = self._lanes[name] = Lane(name, self._config.lane_concurrency)
            if lane.is_local:
                lane.window = LOCAL_WINDOW
        return lane

    def _arm(self) -> None:
        """Wake when the next is due."""
        if not self._running:
            return
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        wait = self._due[0][0] - self._clock.seconds() if self._due and len(self._open) < OPEN else TURN
        self._timer = self._clock.callLater(max(0.0, min(wait, TURN)), self.wake)


def make_dispatcher(
    flow: MailFlow,
    relay: IRelay,
    schedule: Schedule,
    config: QueueConfig,
    clock: IReactorTime,
    even: Callable[[], float],
) -> Dispatcher:
    """
    A dispatcher of the flow's queue, and its crew.

    @param clock: see L{Dispatcher}, as for C{even}.
    """
    spool, suppressions = flow.outward.spool, flow.outward.suppressions
    settlement = Settlement(spool, schedule, flow.reports, suppressions, clock)
    lateness = Lateness(spool, schedule, flow.reports, settlement, clock)
    crew = Crew(Courier(flow, spool, relay), settlement, lateness, schedule, suppressions)
    return Dispatcher(spool, crew, config, clock, even)


def _blames_lane(failure: RemoteDeferred) -> bool:
    """No server was reached, or it takes nothing from us now (RFC 5321 §3.8)."""
    return isinstance(failure, RemoteUnreached) or not failure.host or failure.reply.startswith("421")
