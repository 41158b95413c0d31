"""
One account's changes in their order, up to a batch at a time in a writer thread.

Everything but L{WriteQueue._work} runs in the reactor's thread.  A batch costs one hop to a writer thread and one back;
only where something remains to be done after the commit, the results travel ahead of the thread's return.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from trekd.errors import StoreBusy, TrekError
from trekd.store.sqlite import upkeep
from trekd.store.sqlite.arrival import remove_bodies
from trekd.store.sqlite.batches import Batch, Committed, Operation, failure_of_batch
from trekd.store.sqlite.connections import Connections
from trekd.store.sqlite.database import Database
from trekd.store.sqlite.indexing import Indexer
from trekd.store.sqlite.paths import AccountFiles
from trekd.store.sqlite.threads import Threads, caught
from trekd.store.sqlite.transactions import Limits, Transaction
from trekd.store.sqlite.views import KnownViews

T = TypeVar("T")

BATCH_OPERATIONS = 64
BATCH_OCTETS = 8 * 1024 * 1024
WAITING_OPERATIONS = 512
"""An account with so many changes waiting takes no more."""


@dataclass(frozen=True, slots=True)
class Workshop:
    """
    What all accounts' queues share.

    @ivar seconds: now, in Unix seconds.
    @ivar failpoint: called with the names of moments at which tests kill the process.
    """

    threads: Threads
    connections: Connections
    views: KnownViews
    limits: Limits
    seconds: Callable[[], float]
    call_in_reactor: Callable[..., object]
    threshold: int
    failpoint: Callable[[str], None]
    indexer: Indexer


class WriteQueue:
    """The changes of one account."""

    _log = Logger()

    def __init__(self, files: AccountFiles, shop: Workshop, committed: Callable[[Committed], None]) -> None:
        """
        @param committed: called in the reactor's thread after each batch, before its operations' results are
            delivered.
        """
        self.quota = 0
        self._files = files
        self._shop = shop
        self._committed = committed
        self._waiting: deque[Operation[Any]] = deque()
        self._busy = False
        self._written = 0
        self._spacious = False

    def submit(self, operation: Operation[T]) -> Deferred[T]:
        """
        Add a change; its C{done} is returned, and fails with C{StoreBusy} when too many are waiting.
        """
        if len(self._waiting) >= WAITING_OPERATIONS:
            operation.done.errback(StoreBusy("too many changes of this account are waiting"))
            return operation.done
        self._waiting.append(operation)
        if not self._busy:
            self._busy = True
            self._shop.threads.hold()
            self._start()
        return operation.done

    def _start(self) -> None:
        """Take a batch to a writer thread."""
        working = ensureDeferred(self._next_batch())
        working.addErrback(lambda why: self._log.failure("a batch of {who} broke", why, who=self._files.principal))
        working.addCallback(self._worked)

    def _worked(self, committed: Committed | None) -> None:
        """The next batch is in its thread before the results of this one are delivered."""
        more = bool(self._waiting)
        if more:
            self._start()
        else:
            self._busy = False
        if committed is not None:
            self._deliver(committed)
        if not more:
            self._shop.threads.release()

    async def _next_batch(self) -> Committed | None:
        """
        Have a batch worked on; what cannot be gathered fails by itself.

        @return: what is to be delivered.
        """
        batch: list[Operation[Any]] = []
        octets = 0
        while self._waiting and len(batch) < BATCH_OPERATIONS:
            if batch and octets + self._waiting[0].octets > BATCH_OCTETS:
                break
            operation = self._waiting.popleft()
            octets += operation.octets
            try:
                gathering = operation.gather()
                if gathering is not None:
                    await gathering
            except Exception:
                operation.done.errback(caught())
            else:
                batch.append(operation)
        if not batch:
            return None
        more = bool(self._waiting)
        return await self._shop.threads.write(lambda: self._work(batch, octets, more))

    def _work(self, operations: list[Operation[Any]], octets: int, more: bool) -> Committed | None:
        """
        Commit a batch, then do what can wait.  In a writer thread.

        @param more: other operations are waiting already.
        @return: what is to be delivered; C{None} when that is on its way.
        """
        batch = Batch(operations)
        self._shop.failpoint("prepared")
        committed: Committed | None = None
        is_on_its_way = False
        try:
            with self._shop.connections.lent(self._files) as database:
                before = database.changes
                committed = batch.commit(database, lambda: self._transaction(database), self._shop.failpoint)
                self._written += octets + 8192 * (database.changes - before)
                self._spacious = self._spacious or bool(committed.freed) or database.changes - before > 100
                if committed.freed or self._is_upkeep_due(more):
                    self._shop.call_in_reactor(self._deliver, committed)
                    is_on_its_way = True
                    self._follow_up(database, committed, more)
        except Exception as error:
            if committed is None:
                return batch.fail(failure_of_batch(error))
            self._log.failure("what follows a commit of {who} failed", who=self._files.principal)
        return None if is_on_its_way else committed

    def _follow_up(self, database: Database, committed: Committed, more: bool) -> None:
        """What can wait, while the results are on their way."""
        self._shop.failpoint("delivered")
        remove_bodies(self._files, committed.freed)
        self._keep_up(database, more)
        self._shop.failpoint("kept up")

    def _is_upkeep_due(self, more: bool) -> bool:
        return (self._spacious and not more) or self._written > _checkpoint_at(more)

    def _keep_up(self, database: Database, more: bool) -> None:
        """Upkeep, less of it while others wait.  An error is only logged: the replies are true."""
        try:
            if self._written > _checkpoint_at(more):
                upkeep.forget_expunged(database)
                upkeep.renew_snapshots(database)
                self._written = 0 if upkeep.checkpoint(database) else upkeep.CHECKPOINT_OCTETS // 2
            if self._spacious and not more:
                self._spacious = upkeep.give_back_pages(database)
        except TrekError:
            self._log.failure("upkeep of {who} failed", who=self._files.principal)

    def _transaction(self, database: Database) -> Transaction:
        shop = self._shop
        return Transaction(database, self._files, shop.views, shop.limits, shop.seconds(), self.quota)

    def _deliver(self, committed: Committed) -> None:
        self._committed(committed)
        for operation, result in committed.results:
            if isinstance(result, Failure):
                operation.done.errback(result)
            else:
                operation.done.callback(result)


def _checkpoint_at(more: bool) -> int:
    """Octets written after which the log is moved into the database, later while others wait."""
    return upkeep.CHECKPOINT_OCTETS * (4 if more else 1)
