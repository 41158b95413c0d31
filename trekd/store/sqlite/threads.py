"""
The store's threads: bounded, and everything they find is handed to the reactor's thread.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from threading import Thread
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

from trekd.errors import StoreBusy

T = TypeVar("T")


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
        self._readers = _started("store readers", readers)
        self._writers = _started("store writers", writers)
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
        """Count work that is not in a thread yet: L{closed} waits for as many calls of L{release}."""
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

    def _run(self, pool: ThreadPool, function: Callable[[], T]) -> Deferred[T]:
        done: Deferred[T] = Deferred()
        if pool.joined:
            done.errback(StoreBusy("the store is closed"))
            return done

        def finished(good: bool, result: Any) -> None:
            self._reactor.callFromThread(self._finished, done, good, result)

        self.hold()
        pool.callInThreadWithCallback(finished, function)
        return done

    def _finished(self, done: Deferred[Any], good: bool, result: Any) -> None:
        self._running -= 1  # before the callbacks, which may wait for idleness themselves
        if good:
            done.callback(result)
        else:
            done.errback(result)
        self._tell_if_idle()

    def _tell_if_idle(self) -> None:
        if not self._running and self._closing is not None:
            closing, self._closing = self._closing, None
            closing.callback(None)


def _started(name: str, most: int) -> ThreadPool:
    """A pool whose threads do not keep alive a process that ends without closing the store: replies are durable."""
    pool = ThreadPool(0, most, name)
    pool.threadFactory = partial(Thread, daemon=True)  # type: ignore[assignment]
    pool.start()
    return pool
