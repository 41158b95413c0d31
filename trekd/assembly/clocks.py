"""
Two clocks: one that runs evenly, for how long things take, and the time of day, which somebody may set.

Twisted's reactor has only the second for both: after a step back of the time of day no timer would fire until that
time is reached again, and after a step forward all would at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def run_evenly(
    reactor: Any, time_of_day: Callable[[], float] = time.time, even: Callable[[], float] = time.monotonic
) -> TimeOfDay:
    """
    Let a reactor's timers and its C{seconds} run evenly from now on; both start at the time of day.

    @param even: seconds since any moment.
    @return: the time of day, beside the reactor's timers.
    """
    ahead = time_of_day() - even()
    reactor.seconds = lambda: even() + ahead
    return TimeOfDay(reactor, time_of_day)


class TimeOfDay:
    """
    The reactor for those who need dates: its timers, threads and all the rest, but C{seconds} is Unix time, which can
    go back and leap.
    """

    def __init__(self, reactor: Any, time_of_day: Callable[[], float]) -> None:
        self._reactor = reactor
        self.seconds = time_of_day

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)
