"""
What was answered, for as long as it may be remembered.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from trekd.dns.message import Question, Reading

OVERHEAD = 1000
"""Octets of memory that an answer costs beside its own."""

FAILURE_TTL = 5.0
"""Seconds for which nobody is asked again what nobody could answer (RFC 9520 §3.2)."""


@dataclass(slots=True)
class _Entry:
    """C{reading} is C{None} for a failure; C{ends} in seconds of the clock."""

    reading: Reading | None
    ends: float

    @property
    def cost(self) -> int:
        return OVERHEAD + (4 * self.reading.octets if self.reading else 0)


class Cache:
    """
    Answers by question; the one that was not asked for longest goes first when they are too many.

    @param size: octets of memory, about.
    @param seconds: the clock.
    """

    def __init__(self, size: int, seconds: Callable[[], float]) -> None:
        self._size = size
        self._seconds = seconds
        self._entries: OrderedDict[Question, _Entry] = OrderedDict()
        self._cost = 0

    def find(self, question: Question) -> tuple[Reading | None, int] | None:
        """
        What is known.

        @return: the answer, or C{None} for a failure, and the seconds that are left of it; C{None} when the servers
            have to be asked.
        """
        entry = self._entries.get(question)
        if entry is None:
            return None
        left = entry.ends - self._seconds()
        if left <= 0:
            self._drop(question)
            return None
        self._entries.move_to_end(question)
        return entry.reading, int(left)

    def keep(self, question: Question, reading: Reading | None) -> None:
        """Remember an answer, or that there was none."""
        self._drop(question)
        ttl = FAILURE_TTL if reading is None else reading.ttl
        if ttl <= 0:
            return
        entry = _Entry(reading, self._seconds() + ttl)
        self._entries[question] = entry
        self._cost += entry.cost
        while self._cost > self._size:
            self._drop(next(iter(self._entries)))

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self._cost = 0

    def __len__(self) -> int:
        return len(self._entries)

    def _drop(self, question: Question) -> None:
        entry = self._entries.pop(question, None)
        if entry is not None:
            self._cost -= entry.cost
