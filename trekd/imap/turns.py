"""
Who may write how much before the others get their turn.

Encrypting and handing over a listing is work for the reactor's thread, and many sessions with much to say would keep
it for many milliseconds while others wait for the answer to NOOP.  So large output asks here first: in each turn of
the reactor so many octets may be written, whoever writes them; the rest waits in the order of asking.
"""

from __future__ import annotations

from collections import deque

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

OCTETS = 128 * 1024
"""In one turn of the reactor: well under a millisecond of its time, TLS included."""


class Turns:
    """Shared by all sessions of a listener."""

    def __init__(self, reactor: IReactorTime) -> None:
        self._reactor = reactor
        self._left = OCTETS
        self._waiting: deque[tuple[Deferred[None], int]] = deque()
        self._is_scheduled = False

    def take(self, octets: int) -> Deferred[None] | None:
        """
        Ask to write so many octets.

        @return: C{None} when that may be done at once.
        """
        self._schedule()
        if self._left > 0 and not self._waiting:
            self._left -= octets
            return None
        turn: Deferred[None] = Deferred()
        self._waiting.append((turn, octets))
        return turn

    def _schedule(self) -> None:
        if not self._is_scheduled:
            self._is_scheduled = True
            self._reactor.callLater(0, self._next)

    def _next(self) -> None:
        """The next turn of the reactor."""
        self._is_scheduled = False
        self._left = OCTETS
        while self._waiting and self._left > 0:
            turn, octets = self._waiting.popleft()
            self._left -= octets
            turn.callback(None)
        if self._left < OCTETS:
            self._schedule()
