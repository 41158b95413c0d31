"""
When to try again, when to tell of a delay, and when to give up (STYLE §7): the one place that answers it (RFC 5321
§4.5.4.1).
"""

from __future__ import annotations

import random
from collections.abc import Callable

from trekd.config.schema import QueueConfig
from trekd.errors import Refused, TrekError

LEAST_ATTEMPTS = 3
"""However old a message is, it had so many before it is given up: a host that was down for days, or a clock that is
wrong, loses nobody's mail."""

LANE_FIRST = 60.0
"""Seconds that a lane rests whose server cannot be reached; they double with each failed probe."""

LANE_LONGEST = 1800.0
"""The longest such rest."""


class Schedule:
    """Doubling waits with jitter, up to a greatest age."""

    def __init__(self, config: QueueConfig, jitter: Callable[[], float] = random.random) -> None:
        """
        @param jitter: from 0 to 1; spreads the attempts so that a crowd that failed together does not return
            so.
        """
        self._config = config
        self._jitter = jitter

    def next_attempt(self, failure: TrekError, attempts: int, since: float, now: float) -> float | None:
        """
        When to try again after a failure.

        @param attempts: made so far, this one included.
        @param since: from when on the message's age counts, Unix seconds, as C{now} and the result.
        @return: C{None} to give up: the failure is permanent, or the message too old.
        """
        if isinstance(failure, Refused) or self.is_too_old(attempts, since, now):
            return None
        wait = min(self._config.retry_first * 2.0 ** min(attempts - 1, 30), float(self._config.retry_max))
        return now + self._spread(wait)

    def is_too_old(self, attempts: int, since: float, now: float) -> bool:
        """Whether no further attempt is worth while."""
        return attempts >= LEAST_ATTEMPTS and now - since >= self._config.max_age

    def rest(self, probes: int) -> float:
        """
        Seconds for which a lane is left alone.

        @param probes: attempts to reach its server that failed, from 1 on.
        """
        longest = min(LANE_LONGEST, float(self._config.retry_max))
        return self._spread(min(LANE_FIRST * 2.0 ** min(probes - 1, 30), longest))

    def late_since(self, now: float) -> float | None:
        """Mail whose age counts from then or before is late; C{None} when nobody is to be told."""
        return now - self._config.delay_notice if self._config.delay_notice else None

    def old_since(self, now: float) -> float:
        """Mail whose age counts from then or before is not tried any more, once it had its attempts."""
        return now - self._config.max_age

    def end(self, since: float) -> float:
        """When a message will be given up."""
        return since + self._config.max_age

    def _spread(self, wait: float) -> float:
        return wait * (0.9 + 0.2 * self._jitter())
