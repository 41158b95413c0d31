"""
Group commit: operations of one account that become durable with one sync, in a writer thread.

Each of several has a savepoint, so that one that fails is undone alone; a commit that fails undoes them all.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from trekd.errors import StoreBusy
from trekd.store.collections import CollectionId, CollectionState
from trekd.store.interfaces import MailboxState, NewMessage
from trekd.store.sqlite import mailboxes, shelves
from trekd.store.sqlite.arrival import Arrivals
from trekd.store.sqlite.database import Database, changing
from trekd.store.sqlite.threads import caught
from trekd.store.sqlite.transactions import Transaction
from trekd.values import MailboxId

T = TypeVar("T")


class Operation(Generic[T]):
    """
    A change waiting for its commit.

    @ivar done: fires in the reactor's thread with what C{apply} returned, after the commit.
    @ivar octets: memory that it takes while it is worked on.
    """

    octets = 0

    def __init__(self, apply: Callable[[Transaction], T]) -> None:
        self.apply = apply
        self.done: Deferred[T] = Deferred()

    def gather(self) -> Awaitable[None] | None:
        """Get what the operation needs, in the reactor's thread, when its turn comes."""
        return None

    def prepare(self) -> None:
        """What can be done before the transaction, in the writer thread."""

    def abandon(self) -> None:
        """Undo what L{prepare} did, in the writer thread."""


class Append(Operation[T]):
    """An operation that adds messages."""

    def __init__(
        self, apply: Callable[[Transaction], T], messages: Sequence[NewMessage], arrivals: Arrivals
    ) -> None:
        super().__init__(apply)
        self._messages = messages
        self._arrivals = arrivals
        self.octets = sum(arrivals.memory(message) for message in messages)

    def gather(self) -> Awaitable[None]:
        """
        Read the sinks.

        @raise StoreFull: one could not keep its octets, or the file system refuses them.
        """
        return self._arrivals.gather(self._messages)

    def prepare(self) -> None:
        """Read the messages; from here on they take no more memory than their rows."""
        self._arrivals.prepare()

    def abandon(self) -> None:
        """Remove their files."""
        self._arrivals.abandon()


@dataclass(frozen=True, slots=True)
class Committed:
    """
    What a batch did.

    @ivar results: of each operation, a L{Failure} if it failed; an operation that failed changed nothing.
    @ivar states: of every mailbox that changed.
    @ivar deleted: mailboxes that are gone, with the modification sequence of that.
    @ivar arrived: the first new UID of mailboxes that got messages.
    @ivar shelves: every collection that changed; those of them that are gone are in C{shelves_gone}.
    @ivar freed: identifiers of messages whose files can be removed.
    @ivar is_account_changed: something of the account changed that is no mailbox's.
    """

    results: tuple[tuple[Operation[Any], object], ...]
    states: tuple[MailboxState, ...] = ()
    deleted: tuple[tuple[MailboxId, int], ...] = ()
    arrived: tuple[tuple[MailboxId, int], ...] = ()
    freed: tuple[str, ...] = ()
    shelves: tuple[CollectionState, ...] = ()
    shelves_gone: tuple[CollectionId, ...] = ()
    is_account_changed: bool = False


class Batch:
    """
    Operations on their way to one commit.

    @ivar prepared: those that can be applied.
    @ivar results: outcome so far.
    """

    def __init__(self, operations: Sequence[Operation[Any]]) -> None:
        self._results: dict[Operation[Any], object] = {}
        self._prepared: list[Operation[Any]] = []
        for operation in operations:
            try:
                operation.prepare()
            except Exception:
                self._fail(operation, caught())
            else:
                self._prepared.append(operation)

    def fail(self, why: Failure) -> Committed:
        """Nothing was committed: what did not fail by itself fails now."""
        for operation in self._prepared:
            if not isinstance(self._results.get(operation), Failure):
                self._fail(operation, why)
        return Committed(tuple(self._results.items()))

    def commit(
        self, database: Database, begin: Callable[[], Transaction], failpoint: Callable[[str], None]
    ) -> Committed:
        """
        Apply the operations and commit.

        @param begin: makes the transaction of one operation.
        @raise TrekError: nothing was committed; call L{fail}.
        """
        with changing(database):
            done = self._applied(begin)
            states = _states(database, done)
            collections = {each for transaction in done for each in transaction.shelves}
            shelved = shelves.those(database, collections) if collections else ()
            failpoint("before commit")
        failpoint("after commit")
        return Committed(
            tuple(self._results.items()),
            states,
            tuple(pair for transaction in done for pair in transaction.deleted.items()),
            tuple(pair for transaction in done for pair in transaction.arrived.items()),
            tuple(objectid for transaction in done for objectid in transaction.freed),
            shelved,
            tuple(collections.difference(state.id for state in shelved)),
            any(transaction.is_account_changed for transaction in done),
        )

    def _applied(self, begin: Callable[[], Transaction]) -> list[Transaction]:
        """What the operations did that did not fail; one alone needs no savepoint, and fails with the commit."""
        if len(self._prepared) == 1:
            alone = begin()
            self._results[self._prepared[0]] = self._prepared[0].apply(alone)
            return [alone]
        return [transaction for operation in self._prepared if (transaction := self._apply(operation, begin()))]

    def _apply(self, operation: Operation[Any], transaction: Transaction) -> Transaction | None:
        database = transaction.database
        database.execute("SAVEPOINT operation")
        try:
            self._results[operation] = operation.apply(transaction)
        except Exception:
            if not database.in_transaction:
                raise  # SQLite gave up the whole transaction
            database.execute("ROLLBACK TO operation")
            database.execute("RELEASE operation")
            self._fail(operation, caught())
            return None
        database.execute("RELEASE operation")
        return transaction

    def _fail(self, operation: Operation[Any], why: Failure) -> None:
        self._results[operation] = why
        operation.abandon()


def _states(database: Database, transactions: Sequence[Transaction]) -> tuple[MailboxState, ...]:
    """States of the mailboxes touched that exist; read only where the last to touch one does not know."""
    touched: dict[int, MailboxState | None] = {}
    for transaction in transactions:
        touched.update(transaction.touched)
    deleted = {mailbox for transaction in transactions for mailbox in transaction.deleted}
    known = tuple(state for state in touched.values() if state is not None and state.id not in deleted)
    unknown = [row for row, state in touched.items() if state is None]
    return known + mailboxes.states(database, unknown) if unknown else known


def failure_of_batch(error: Exception) -> Failure:
    """What each operation of a batch that could not be committed fails with."""
    return caught(StoreBusy(str(error)) if isinstance(error, OSError) else error)
