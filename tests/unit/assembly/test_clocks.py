"""Timers that the time of day does not move."""

from __future__ import annotations

from twisted.internet.base import ReactorBase

from trekd.assembly.clocks import run_evenly


class Clocks:
    """What a kernel has: the time of day, and a clock that nobody sets."""

    def __init__(self) -> None:
        self.day = 1_700_000_000.0
        self.even = 50.0

    def pass_time(self, seconds: float) -> None:
        self.day += seconds
        self.even += seconds


class Timers(ReactorBase):
    """Twisted's own timers, without sockets or threads."""

    def installWaker(self) -> None:
        """None is needed."""

    def _initThreads(self) -> None:
        """None are."""


def test_timers_fire_in_their_time_whatever_is_set() -> None:
    for step in (-86_400.0, 86_400.0, 315_360_000.0):
        clocks, timers, fired = Clocks(), Timers(), list[str]()
        run_evenly(timers, lambda: clocks.day, lambda: clocks.even)  # noqa: B023
        timers.callLater(10, fired.append, "ten")
        clocks.day += step
        timers.callLater(5, fired.append, "five")
        clocks.pass_time(4.5)
        timers.runUntilCurrent()
        assert fired == []
        assert timers.timeout() == 0.5
        clocks.pass_time(1)
        timers.runUntilCurrent()
        assert fired == ["five"]
        clocks.pass_time(5)
        timers.runUntilCurrent()
        assert fired == ["five", "ten"]


def test_dates_follow_what_is_set_and_timers_are_the_reactors() -> None:
    clocks, timers = Clocks(), Timers()
    time_of_day = run_evenly(timers, lambda: clocks.day, lambda: clocks.even)
    assert timers.seconds() == time_of_day.seconds() == 1_700_000_000.0
    clocks.day -= 1_000_000
    assert timers.seconds() == 1_700_000_000.0
    assert time_of_day.seconds() == 1_699_000_000.0
    call = time_of_day.callLater(1, lambda: None)
    assert call in timers.getDelayedCalls()
    call.cancel()
