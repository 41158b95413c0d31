"""
Runs coroutines that hop through threads to their end, with neither a global reactor nor sleeping.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from queue import Empty, SimpleQueue
from threading import get_ident
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from zope.interface import implementer

T = TypeVar("T")


@implementer(IReactorFromThreads)
class PumpedReactor:
    """
    The part of a reactor that a store uses: C{callFromThread}, and C{seconds} of a clock that stands still.

    Calls wait until L{run} or L{settle} makes them, in the thread that calls those.

    @ivar now: what C{seconds} returns, Unix seconds; set it to let time pass.
    @ivar thread: identifier of the thread in which calls are made.
    """

    def __init__(self, patience: float = 60.0) -> None:
        """
        @param patience: seconds for which L{run} waits for one call before it gives up.
        """
        self.now = 1_700_000_000.0
        self.thread = get_ident()
        self._patience = patience
        self._calls: SimpleQueue[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]] = SimpleQueue()

    def seconds(self) -> float:
        """Now, in Unix seconds."""
        return self.now

    def callFromThread(self, callable: Callable[..., Any], *args: object, **kwargs: object) -> None:
        """Queue a call; any thread."""
        self._calls.put((callable, args, kwargs))

    def run(self, awaitable: Awaitable[T]) -> T:
        """
        Start the awaitable and make calls until it is done.

        @return: its result; what it raises is raised.
        @raise TimeoutError: nothing happened for too long.
        """
        return self.finish(self.start(awaitable))

    def start(self, awaitable: Awaitable[T]) -> Deferred[T]:
        """Start the awaitable, up to its first wait; end it with L{finish}."""

        async def awaited() -> T:
            return await awaitable

        return Deferred.fromCoroutine(awaited())

    def finish(self, started: Deferred[T]) -> T:
        """Make calls until what L{start} returned is done, as in L{run}."""
        outcome: list[tuple[bool, Any]] = []
        started.addCallbacks(lambda result: outcome.append((True, result)), lambda why: outcome.append((False, why)))
        while not outcome:
            self._make_call(self._patience)
        good, result = outcome[0]
        if not good:
            result.raiseException()
        return result  # type: ignore[no-any-return]

    def settle(self) -> None:
        """Make the calls that are queued now, and those that they queue."""
        while not self._calls.empty():
            self._make_call(0.0)

    def until(self, true: Callable[[], bool]) -> None:
        """
        Make calls until C{true()}.

        @raise TimeoutError: nothing happened for too long.
        """
        end = time.monotonic() + self._patience
        while not true():
            self._make_call(end - time.monotonic())

    def _make_call(self, patience: float) -> None:
        assert get_ident() == self.thread, "pumped from a thread that is not the reactor's"
        try:
            function, arguments, keywords = self._calls.get(timeout=max(patience, 0.001))
        except Empty:
            raise TimeoutError("nothing was called in the reactor's thread") from None
        function(*arguments, **keywords)
