"""
A few threads for work that blocks, with a bounded queue before them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from trekd.errors import DirectoryDown

P = ParamSpec("P")
T = TypeVar("T")


class Threads:
    """
    Runs functions in threads of its own; all methods are called in the reactor's thread.

    @ivar waiting: functions that run or wait now.
    """

    def __init__(self, reactor: Any, name: str, threads: int, max_waiting: int) -> None:
        self._reactor = reactor
        self._pool = ThreadPool(0, threads, name)
        self._pool.start()
        self._allowed = threads + max_waiting
        self._idle: Deferred[None] | None = None
        self._closed = False
        self.waiting = 0

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """
        Call the function in a thread.

        @raise DirectoryDown: too many wait already, or the threads have ended.
        """
        if self._closed or self.waiting >= self._allowed:
            raise DirectoryDown("closed" if self._closed else "too many requests wait")
        self.waiting += 1
        try:
            result: T = await deferToThreadPool(self._reactor, self._pool, function, *args, **kwargs)
            return result
        finally:
            self.waiting -= 1
            if self._idle is not None and not self.waiting:
                self._idle.callback(None)

    async def close(self) -> None:
        """Take nothing more, wait for what was accepted, end the threads; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        if self.waiting:
            self._idle = Deferred()
            await self._idle
        self._pool.stop()
