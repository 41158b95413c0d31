"""
The store's threads: bounded, and everything they find is handed to the reactor's thread.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread, get_native_id
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from trekd.errors import StoreBusy

T = TypeVar("T")

_READERS_NICE = 5
"""
How much readers stand back for the reactor's thread: where processors are few, long listings would otherwise keep it
from running for as long as the kernel's time slices are.
"""


def caught(error: BaseException | None = None) -> Failure:
    """C{error}, or what was caught just now, as Deferreds carry it."""
    return Failure(error)


class Threads:
    """
    Two pools, so that long reads never keep a commit waiting.

    Used in the reactor's thread.
    """

    def __init__(self, reactor: Any, readers: int, writers: int) -> None:
        """@param reactor: its C{callFromThread} is used."""
        self._reactor = reactor
        self._readers = _Pool("store reader", readers, _READERS_NICE)
        self._writers = _Pool("store writer", writers)
        self._running = 0
        self._closing: Deferred[None] | None = None

    def read(self, function: Callable[[], T]) -> Deferred[T]:
        """
        Call C{function} in a reader thread.

        @raise StoreBusy: the store is closed (as a failure of the Deferred).
        """
        return self._run(self._readers, function)

    def write(self, function: Callable[[], T]) -> Deferred[T]:
        """Call C{function} in a writer thread, as L{read}."""
        return self._run(self._writers, function)

    def hold(self) -> None:
        """Count work that is not in a thread yet: L{idle} waits for as many calls of L{release}."""
        self._running += 1

    def release(self) -> None:
        """End of what L{hold} announced."""
        self._running -= 1
        self._tell_if_idle()

    def idle(self) -> Deferred[None]:
        """Fires when nothing runs; what is asked later than this call may run still."""
        done: Deferred[None] = Deferred()
        if self._running:
            self._closing = done
        else:
            done.callback(None)
        return done

    def stop(self) -> None:
        """End the threads, which must be idle."""
        self._readers.stop()
        self._writers.stop()

    def _run(self, pool: _Pool, function: Callable[[], T]) -> Deferred[T]:
        done: Deferred[T] = Deferred()
        if pool.is_stopped:
            done.errback(StoreBusy("the store is closed"))
            return done

        def work() -> None:
            result: Any
            try:
                result = function()
            except BaseException:
                result = caught()
            self._reactor.callFromThread(self._finished, pool, done, result)

        self._running += 1
        pool.call(work)
        return done

    def _finished(self, pool: _Pool, done: Deferred[Any], result: Any) -> None:
        pool.calls -= 1
        self._running -= 1  # before the callbacks, which may wait for idleness themselves
        done.callback(result)  # a Failure makes it an errback
        self._tell_if_idle()

    def _tell_if_idle(self) -> None:
        if not self._running and self._closing is not None:
            closing, self._closing = self._closing, None
            closing.callback(None)


class _Pool:
    """
    Threads for one kind of work, started when they are needed first.

    They do not keep alive a process that ends without closing the store: replies are durable.  A queue of C{queue},
    not C{twisted.python.threadpool}: there, to hand over a call costs as much as a short commit.

    @ivar calls: those that wait or run; who made a call counts it out when it has ended.
    """

    def __init__(self, name: str, most: int, nice: int = 0) -> None:
        self.calls = 0
        self.is_stopped = False
        self._name = name
        self._most = most
        self._nice = nice
        self._queue: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._threads: list[Thread] = []

    def call(self, work: Callable[[], None]) -> None:
        """Call C{work}, which never raises, in one of the threads."""
        self.calls += 1
        self._queue.put(work)
        if len(self._threads) < min(self.calls, self._most):
            thread = Thread(target=self._serve, name=f"{self._name} {len(self._threads)}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """End the threads and wait for that."""
        self.is_stopped = True
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join()

    def _serve(self) -> None:
        if self._nice and sys.platform == "linux":  # elsewhere a priority is the whole process's
            mine = get_native_id()
            os.setpriority(os.PRIO_PROCESS, mine, min(19, os.getpriority(os.PRIO_PROCESS, mine) + self._nice))
        while (work := self._queue.get()) is not None:
            work()
            del work  # what it holds is freed now, not when the next call comes
