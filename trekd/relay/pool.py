"""
Connections that wait for another message to the same place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from trekd.config.relay import RelayConfig
from trekd.relay.session import Session

FRESH_FOR = 5.0
"""Seconds after a message for which a server is believed to wait for the next one, as it said it did."""


@dataclass(slots=True)
class _Idle:
    """
    A session that waits, and the end of its patience.

    @ivar since: when it began to, Unix seconds.
    """

    session: Session
    ends: IDelayedCall
    since: float


class Pool:
    """Idle sessions by lane; what waited too long is closed."""

    def __init__(self, config: RelayConfig, clock: IReactorTime) -> None:
        self._config = config
        self._clock = clock
        self._lanes: dict[str, list[_Idle]] = {}
        self._closed = False

    def __len__(self) -> int:
        """Sessions that wait."""
        return sum(map(len, self._lanes.values()))

    async def take(self, lane: str, fits: Callable[[Session], bool]) -> Session | None:
        """
        A session that is alive, as its answer to RSET shows, or that of a moment ago to a message; the one used last,
        which has aged least.  Should it be dead all the same, another one is opened for the message.

        @param fits: whether a session is good enough for the message.
        """
        waiting = self._lanes.get(lane, [])
        for idle in reversed(list(waiting)):
            if idle not in waiting or not fits(idle.session):
                continue
            self._remove(lane, idle)
            if self._is_fresh(idle) or await idle.session.reset():
                return idle.session
            idle.session.quit()
            waiting = self._lanes.get(lane, [])
        return None

    def _is_fresh(self, idle: _Idle) -> bool:
        session, age = idle.session, self._clock.seconds() - idle.since
        return session.is_between and not session.broken and not session.wire.has_spoken and 0 <= age < FRESH_FOR

    def give(self, lane: str, session: Session) -> None:
        """Keep a session, or close it when it has done enough or too many wait."""
        spent = session.broken or session.sent >= self._config.max_messages
        if spent or self._closed or not self._config.idle_time or len(self) >= self._config.max_idle:
            session.quit()
            return
        ends = self._clock.callLater(self._config.idle_time, lambda: self._expire(lane, idle))
        idle = _Idle(session, ends, self._clock.seconds())
        self._lanes.setdefault(lane, []).append(idle)

    def close(self) -> None:
        """Say goodbye on every connection that waits; those in use close when they come back."""
        self._closed = True
        for lane, waiting in list(self._lanes.items()):
            for idle in list(waiting):
                self._remove(lane, idle)
                idle.session.quit()

    def _expire(self, lane: str, idle: _Idle) -> None:
        self._remove(lane, idle)
        idle.session.quit()

    def _remove(self, lane: str, idle: _Idle) -> None:
        waiting = self._lanes[lane]
        waiting.remove(idle)
        if not waiting:
            del self._lanes[lane]
        if idle.ends.active():
            idle.ends.cancel()
