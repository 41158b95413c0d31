"""L{trekd.watchdog}: systemd hears from the reactor in time, and only when it asked."""

from __future__ import annotations

import os

import pytest
from twisted.internet.task import Clock

from trekd.watchdog import Watchdog


def signs_in_90_seconds(environment: dict[str, str]) -> list[str]:
    clock, said = Clock(), []
    watchdog = Watchdog(said.append, environment, clock)
    watchdog.start()
    clock.pump([1.0] * 90)
    watchdog.stop()
    clock.advance(1000)
    return said


def test_three_signs_come_in_the_time_for_one() -> None:
    environment = {"WATCHDOG_USEC": "90000000", "WATCHDOG_PID": str(os.getpid())}
    assert signs_in_90_seconds(environment) == ["WATCHDOG=1"] * 4


@pytest.mark.parametrize(
    "environment",
    [{}, {"WATCHDOG_USEC": "0"}, {"WATCHDOG_USEC": "soon"}, {"WATCHDOG_USEC": "90000000", "WATCHDOG_PID": "1"}],
)
def test_nobody_is_told_who_did_not_ask(environment: dict[str, str]) -> None:
    assert signs_in_90_seconds(environment) == []
