"""
Counting over a time that rolls: how many in any hour, in any day, and when there is room again.

Counts are kept by the minute, so that an account costs the same however much it sends; what was counted counts for
the whole time and up to a minute longer, never shorter.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

MINUTE = 60
HOUR = 3600
MINUTES_KEPT = 24 * 60 + 1
_HOURS_KEPT = 24


class RollingCount:
    """Counts of the last day.  All times are Unix seconds, and may jump."""

    def __init__(self, counts: Iterable[tuple[int, int]] = ()) -> None:
        """
        @param counts: minute (Unix time by 60) and count, by minute.
        """
        self._counts: deque[list[int]] = deque([minute, count] for minute, count in counts)
        self._total = sum(count for _, count in self._counts)

    def add(self, now: float, count: int = 1) -> int:
        """
        Count.

        @return: the minute, for L{take_back}.
        """
        self._settle(now)
        minute = int(now // MINUTE)
        if not self._counts or self._counts[-1][0] != minute:
            self._counts.append([minute, 0])
        self._counts[-1][1] += count
        self._total += count
        return minute

    def take_back(self, minute: int, count: int = 1) -> None:
        """What was counted did not happen."""
        for each in self._counts:
            if each[0] == minute:
                taken = min(count, each[1])
                each[1] -= taken
                self._total -= taken

    def used(self, now: float, hours: int) -> int:
        """What counts within the last hours (at most 24)."""
        self._settle(now)
        if hours == _HOURS_KEPT:
            return self._total
        total = 0
        for minute, count in reversed(self._counts):
            if _end(minute, hours) <= now:
                break
            total += count
        return total

    def frees(self, now: float, hours: int, wanted: int) -> float:
        """
        When so many of those counted will count no longer; C{now} for none, and a whole span when that many are not
        counted at all.
        """
        self._settle(now)
        if wanted <= 0:
            return now
        for minute, count in self._counts:
            if _end(minute, hours) > now:
                wanted -= count
                if wanted <= 0:
                    return float(_end(minute, hours))
        return float(_end(int(now // MINUTE), hours))

    def count_of(self, minute: int) -> int:
        """What was counted in one minute."""
        return next((count for each, count in self._counts if each == minute), 0)

    def _settle(self, now: float) -> None:
        """Forget what is older than a day; what seems to come from the future, after a clock was set back, is now's."""
        current = int(now // MINUTE)
        while self._counts and _end(self._counts[0][0], _HOURS_KEPT) <= now:
            self._total -= self._counts.popleft()[1]
        ahead = 0
        while self._counts and self._counts[-1][0] > current:
            ahead += self._counts.pop()[1]
        if ahead:
            if self._counts and self._counts[-1][0] == current:
                self._counts[-1][1] += ahead
            else:
                self._counts.append([current, ahead])


def _end(minute: int, hours: int) -> int:
    """When a minute's count stops to count."""
    return (minute + 1) * MINUTE + hours * HOUR
