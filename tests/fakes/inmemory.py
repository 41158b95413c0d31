"""A whole reactor in memory: clock, ports that nobody can reach, and threads whose work is done at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure


class _AtOnce:
    """A thread pool without threads."""

    def callInThreadWithCallback(
        self, onResult: Callable[[bool, Any], None], func: Callable[..., Any], *args: Any, **kw: Any
    ) -> None:
        """Call, and tell the result."""
        try:
            result = func(*args, **kw)
        except Exception:
            onResult(False, Failure())
        else:
            onResult(True, result)


class ThreadsAtOnce:
    """Takes the place of L{Threads <trekd.store.sqlite.threads.Threads>}: calls functions where it is asked to."""

    def __init__(self, *_: object) -> None:
        pass

    def read(self, function: Callable[[], Any]) -> Deferred[Any]:
        """Call."""
        return maybeDeferred(function)

    def stop(self) -> None:
        """There is nothing to end."""


class InMemoryReactor(MemoryReactorClock):
    """What a composed daemon needs of a reactor."""

    def callFromThread(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Call."""
        function(*arguments)

    def getThreadPool(self) -> _AtOnce:
        """See L{_AtOnce}."""
        return _AtOnce()
