"""
Log lines about a directory that is not as it should be: each once in a while, not once for every login.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock

from twisted.logger import Logger

_INTERVAL = 300.0
_MAX_KNOWN = 1000


class Notices:
    """
    Says things once in five minutes; may be used by several threads.
    """

    log = Logger()

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._said: dict[str, float] = {}

    def error(self, text: str) -> None:
        """Something that keeps users out until an administrator mends it."""
        if self._is_due(text):
            self.log.error("LDAP: {text}", text=text)

    def warn(self, text: str) -> None:
        """Something that an administrator should mend."""
        if self._is_due(text):
            self.log.warn("LDAP: {text}", text=text)

    def tell(self, text: str) -> None:
        """Something that an administrator may want to know."""
        if self._is_due(text):
            self.log.info("LDAP: {text}", text=text)

    def _is_due(self, text: str) -> bool:
        now = self._clock()
        with self._lock:
            if now < self._said.get(text, now):
                return False
            if len(self._said) >= _MAX_KNOWN:
                self._said.clear()
            self._said[text] = now + _INTERVAL
            return True
