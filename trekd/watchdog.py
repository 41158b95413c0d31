"""
The sign of life that systemd waits for (sd_notify(3), C{WatchdogSec=} of the unit).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.task import LoopingCall

SIGNS = 3
"""Signs of life in the time that systemd waits for one: one that is late is no hang yet."""


class Watchdog:
    """Says that the reactor turns, as often as systemd asked for; never, when it asked for nothing."""

    def __init__(self, notify: Callable[[str], object], environment: Mapping[str, str], reactor: Any) -> None:
        """
        @param environment: with C{WATCHDOG_USEC} and C{WATCHDOG_PID} of systemd.
        """
        self._interval = _asked_for(environment) / SIGNS
        self._call = LoopingCall(notify, "WATCHDOG=1")
        self._call.clock = reactor

    def start(self) -> None:
        """Begin, with a sign at once."""
        if self._interval:
            self._call.start(self._interval)

    def stop(self) -> None:
        """End; systemd then waits by C{TimeoutStopSec=}."""
        if self._call.running:
            self._call.stop()


def _asked_for(environment: Mapping[str, str]) -> float:
    """Seconds that systemd waits for a sign of this process; 0 when it does not."""
    microseconds = environment.get("WATCHDOG_USEC", "")
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()) or not microseconds.isdecimal():
        return 0.0
    return int(microseconds) / 1e6
