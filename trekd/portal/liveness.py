"""
Which connections have nobody at the other end any more (DESIGN §6).

A peer is asked a question that its kernel answers by itself: a heartbeat that has to be acknowledged, or, where the
protocol allows none, a keepalive probe; a connection with output in flight has asked already.  Whoever acknowledges
lives, however idle its program, also with a shut window.  Silence counts from a look that showed the question on its
way: a reactor that was busy cannot make a living peer look dead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from weakref import WeakSet

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from zope.interface import implementer

from trekd.portal.interfaces import IConnection, IProbe
from trekd.portal.kernel import TCPState, hasten_keepalive, look

SETTLE = 0.1
"""Seconds in which a question leaves the process; near peers have answered by then."""
SHORTEST, LONGEST = 1.0, 3.0
"""Seconds that a login waits for acknowledgements."""
ROUND_TRIPS = 8
"""Smoothed round trips that it waits where that is longer."""
SWEEP_PATIENCE = 30.0
"""Seconds that the sweep waits: nobody needs the slot, and a train leaves its tunnel."""
_PROBES = 2
"""Unanswered probes that prove a peer gone; one can get lost."""
SLICE = 0.002
"""Seconds of looking, asking or aborting before the reactor does something else."""


@dataclass(frozen=True, slots=True)
class _Suspect:
    """
    A peer that did not answer at once.

    @ivar state: as the question was on its way.
    """

    connection: IConnection
    state: TCPState
    time: float

    def is_silent(self, now: TCPState, time: float) -> bool:
        """Whether the question is unanswered still."""
        # Acknowledged nothing since, in kernel time and in octets; a tenth is for clocks that disagree.
        expected = self.state.since_ack + 900 * (time - self.time)
        if now.since_ack < expected or now.acked != self.state.acked:
            return False
        return self.state.waits_for_ack or now.probes >= _PROBES


class _Pace:
    """Gives the reactor its turn when a loop over many connections has taken long enough."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._until = clock.seconds() + SLICE

    async def keep(self) -> None:
        """Go on, at once or when it is our turn again."""
        if self._clock.seconds() >= self._until:
            await deferLater(self._clock, 0)
            self._until = self._clock.seconds() + SLICE


@implementer(IProbe)
class LivenessProbe:
    """
    Finds vanished peers, for logins and for the sweep.
    """

    log = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self.found = 0
        self._ended: WeakSet[IConnection] = WeakSet()
        # Who is being asked: seconds between keepalive probes, 0 where a heartbeat asks.
        self._intervals: dict[IConnection, int] = {}
        self._usual_times: dict[IConnection, Callable[[], None]] = {}

    async def reclaim(self, connections: Sequence[IConnection], wanted: int) -> Sequence[IConnection]:
        """See L{IProbe.reclaim}."""
        silent = await self._silent(connections, wanted)
        # Another login, or the sweep, may have ended some meanwhile; a transport goes one turn after its abort.
        return self._abort([one for one in silent if one not in self._ended][:wanted])

    async def sweep(self, connections: Sequence[IConnection], silence: float) -> None:
        """
        Abort every connection whose peer has vanished.

        @param silence: seconds; who acknowledged anything within them is not asked.  Nothing is sent but what the
            kernel sends by itself.
        """
        pace = _Pace(self._clock)
        quiet: list[IConnection] = []
        for one in connections:
            state = look(one.kernel_socket())
            if state is not None and state.since_ack >= 1000 * silence:
                quiet.append(one)
            await pace.keep()
        for one in await self._silent(quiet, len(quiet), min(silence, SWEEP_PATIENCE)):
            # The verdict may be as old as it takes to abort all the others.
            state = look(one.kernel_socket())
            if one not in self._ended and state is not None and state.since_ack >= 1000 * SHORTEST:
                self._abort((one,))
            await pace.keep()

    async def _silent(
        self, connections: Iterable[IConnection], wanted: int, patience: float = 0.0
    ) -> list[IConnection]:
        """
        Ask peers and wait for answers; those that gave none, longest silent first.

        @param wanted: no more than so many are waited for.
        @param patience: seconds; 0 for a login, which sends heartbeats and waits as long as each peer may need.
        """
        pace, start = _Pace(self._clock), self._clock.seconds()
        asked: list[IConnection] = []
        mine: list[IConnection] = []
        try:
            for one in connections:
                if self._ask(one, patience, mine):
                    asked.append(one)
                await pace.keep()
            return await self._wait(asked, start, wanted, patience) if asked else []
        finally:
            pace = _Pace(self._clock)
            for one in mine:
                del self._intervals[one]
                self._usual_times.pop(one, _nothing_to_do)()
                await pace.keep()

    def _ask(self, connection: IConnection, patience: float, mine: list[IConnection]) -> bool:
        """
        Ask one peer, unless it has just been heard; whether an answer is to be waited for.

        @param mine: gets the connection when nobody else was asking it.
        """
        handle = connection.kernel_socket()
        state = look(handle)
        if handle is None or state is None:
            return False
        interval = max(1, int((patience or LONGEST) / 4))
        if state.has_output or self._intervals.get(connection, interval + 1) <= interval:
            return True
        if state.since_ack < 1000 * SHORTEST:
            return False
        if not patience and connection.heartbeat():
            interval = 0
        else:
            usual = hasten_keepalive(handle, interval)
            self._usual_times.setdefault(connection, usual)
        if connection not in self._intervals:
            mine.append(connection)
        self._intervals[connection] = interval
        return True

    async def _wait(
        self, asked: Sequence[IConnection], start: float, wanted: int, patience: float
    ) -> list[IConnection]:
        """
        Wait for those asked.

        @param start: when the first was asked.
        """
        await deferLater(self._clock, SETTLE)
        pace = _Pace(self._clock)
        suspects: list[tuple[float, _Suspect]] = []
        for one in asked:
            suspect = self._suspect(one, start)
            if suspect is not None:
                suspects.append((patience or self._patience(suspect), suspect))
            await pace.keep()
        silent: list[tuple[int, IConnection]] = []
        waited = 0.0
        for due in sorted({seconds for seconds, _ in suspects}):
            await deferLater(self._clock, due - waited)
            waited, silent = due, []
            for seconds, suspect in suspects:
                now = self._still_silent(suspect) if seconds <= due else None
                if now is not None:
                    silent.append((now.since_ack, suspect.connection))
                await pace.keep()
            if len(silent) >= wanted:
                break
        return [connection for _, connection in sorted(silent, key=lambda pair: -pair[0])]

    def _patience(self, suspect: _Suspect) -> float:
        """Seconds to wait for an answer at a login; a keepalive probe that got lost is repeated after one."""
        if self._intervals.get(suspect.connection):
            return LONGEST
        return min(max(SHORTEST, ROUND_TRIPS * suspect.state.round_trip), LONGEST)

    def _suspect(self, connection: IConnection, start: float) -> _Suspect | None:
        """A peer as it is now, unless it has answered since the start."""
        state, time = look(connection.kernel_socket()), self._clock.seconds()
        if state is not None and (state.has_output or state.since_ack >= 1000 * (time - start)):
            return _Suspect(connection, state, time)
        return None

    def _still_silent(self, suspect: _Suspect) -> TCPState | None:
        now = look(suspect.connection.kernel_socket())
        return now if now is not None and suspect.is_silent(now, self._clock.seconds()) else None

    def _abort(self, connections: Sequence[IConnection]) -> Sequence[IConnection]:
        for one in connections:
            self.log.info(
                "ghost: {service} peer {peer} has vanished",
                service=one.service,
                peer=one.peer,
                session=one.session,
            )
            self._ended.add(one)
            one.abort()
        self.found += len(connections)
        return connections


def _nothing_to_do() -> None:
    """For connections whose keepalive was not touched."""


class Sweep:
    """Looks for vanished peers again and again, without any login."""

    def __init__(
        self,
        probe: LivenessProbe,
        connections: Callable[[], Sequence[IConnection]],
        interval: Callable[[], float],
        clock: IReactorTime,
    ) -> None:
        """
        @param connections: gives those to look at.
        @param interval: gives the seconds until the next look.
        """
        self._probe = probe
        self._connections = connections
        self._interval = interval
        self._clock = clock
        self._next: IDelayedCall | None = None

    def start(self) -> None:
        """Look for the first time after one interval."""
        self._next = self._clock.callLater(self._interval(), self._look)

    def stop(self) -> None:
        """Look no more."""
        if self._next is not None and self._next.active():
            self._next.cancel()

    def _look(self) -> None:
        # From one beginning to the next, so that a sweep that waits for answers does not put off the next one.
        self.start()
        looking = Deferred.fromCoroutine(self._probe.sweep(self._connections(), self._interval()))
        looking.addErrback(lambda failure: self._probe.log.failure("the sweep for ghosts failed", failure))
