"""
When to try again, and when to give up (STYLE §7): the one place that answers it (RFC 5321 §4.5.4.1).
"""

from __future__ import annotations

import random
from collections.abc import Callable

from trekd.config.schema import QueueConfig
from trekd.errors import Refused, TrekError


class Schedule:
    """Doubling waits with jitter, up to a greatest age."""

    def __init__(self, config: QueueConfig, jitter: Callable[[], float] = random.random) -> None:
        """
        @param jitter: from 0 to 1; spreads the attempts so that a crowd that failed together does not return
            so.
        """
        self._config = config
        self._jitter = jitter

    def next_attempt(self, failure: TrekError, attempts: int, arrived: float, now: float) -> float | None:
        """
        When to try again after a failure.

        @param attempts: made so far, this one included.
        @param arrived: when the message came, Unix seconds, as C{now} and the result.
        @return: C{None} to give up: the failure is permanent, or the message too old.
        """
        if isinstance(failure, Refused) or now - arrived >= self._config.max_age:
            return None
        wait = min(self._config.retry_first * 2.0 ** min(attempts - 1, 30), float(self._config.retry_max))
        return now + wait * (0.9 + 0.2 * self._jitter())
