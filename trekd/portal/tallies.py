"""
Counting in bounded memory: what happened lately, and how often.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Recent(OrderedDict[K, V], Generic[K, V]):
    """A mapping that drops the entries put longest ago when it grows past its size."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._most = size

    def put(self, key: K, value: V) -> None:
        """Set an entry, as the one put last."""
        self[key] = value
        self.move_to_end(key)
        if len(self) > self._most:
            self.popitem(last=False)


class Tally:
    """
    A count over a sliding window: this window's, and the last one's as far as the window still covers it.
    """

    __slots__ = ("_before", "_now", "_start")

    def __init__(self, time: float) -> None:
        self._start = time
        self._now = self._before = 0

    def add(self, time: float, window: float) -> None:
        """Count one more."""
        self._roll(time, window)
        self._now += 1

    def value(self, time: float, window: float) -> float:
        """The count now."""
        self._roll(time, window)
        return self._now + self._before * (1 - (time - self._start) / window)

    def _roll(self, time: float, window: float) -> None:
        passed = (time - self._start) // window
        if passed >= 1:
            self._before = self._now if passed == 1 else 0
            self._now = 0
            self._start += passed * window
