"""
How many answers of which kind servers gave.
"""

from __future__ import annotations

from collections import Counter
from threading import Lock


class Tally:
    """Counts answers by operation and name of the result code; may be used by several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._counts: Counter[tuple[str, str]] = Counter()

    def add(self, operation: str, result: object) -> None:
        """
        Count one answer.

        @param result: ldap3's name of the code; it has none for codes that RFC 4511 does not know.
        """
        with self._lock:
            self._counts[operation, str(result or "unknown")] += 1

    def counts(self) -> dict[tuple[str, str], int]:
        """The counts now."""
        with self._lock:
            return dict(self._counts)
