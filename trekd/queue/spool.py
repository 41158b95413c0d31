"""
The durable queue for callers that must not block; see L{trekd.queue.spoolfile} for how it lies on disk.

Changes that come while others are being committed wait together and share the next commit: sixteen clients that send
at once cost one sync, not sixteen.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import Deferred, DeferredLock
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from trekd.errors import StoreFull, TrekError
from trekd.queue import contents
from trekd.queue.contents import INLINE, PIECE
from trekd.queue.entries import LaneOf, Taken, plain_lane
from trekd.queue.interfaces import EVERYTHING, Entry, LastAttempt, MailTransaction, Route, Selection
from trekd.queue.spoolfile import Change, SpoolFile
from trekd.store.interfaces import IMessageSource

log = Logger()

T = TypeVar("T")

BATCH = 256
"""Changes in one commit, at most."""

FRESH = 8 * 1024 * 1024
"""Octets of new messages that are kept in memory for their first attempt, all together."""


Arrived = Callable[[str, float, tuple[Entry, ...]], None]


def unheard(lane: str, due: float, new: tuple[Entry, ...]) -> None:
    """Nobody is told; what waits is found later."""


class RunInThread(Protocol):
    """Runs a blocking call elsewhere, such as C{partial(deferToThreadPool, reactor, pool)}."""

    def __call__(self, function: Callable[..., T], *args: Any) -> Awaitable[T]: ...


class Spool:
    """
    The queue.

    @ivar arrived: called after a commit with each lane that has something new, when that is due, and what it is.
    """

    def __init__(self, file: SpoolFile, run_in_thread: RunInThread, lane_of: LaneOf = plain_lane) -> None:
        """
        @param file: open already.
        """
        self.arrived: Arrived = unheard
        self._file = file
        self._thread = run_in_thread
        self._lane_of = lane_of
        self._looks = DeferredLock()
        self._changes: list[tuple[Change, Deferred[Any]]] = []
        self._is_committing = False
        self._committed: Deferred[None] | None = None
        self._fresh: dict[str, bytes] = {}
        self._fresh_size = 0

    async def put(self, transaction: MailTransaction, source: IMessageSource, prefix: bytes, now: float) -> str:
        """
        Queue a message for all recipients of C{transaction}; durable when this returns.  A large one is copied piece
        by piece.

        @param prefix: octets that stand before the message.
        @return: its identifier.
        @raise QueueFull: nothing was queued.
        @raise StoreFull: nothing was queued.
        @raise StoreCorrupt: the source is not there any more; nothing was queued.
        """
        id = self._file.new_id(now)
        lanes = tuple([self._lane_of(one.route, one.address) for one in transaction.recipients])
        size = len(prefix) + source.size
        if size <= INLINE:
            octets = prefix + await source.octets()
            new = await self._change(partial(self._file.add, id, transaction, lanes, octets, now))
            self._keep_fresh(id, octets)
        else:
            new = await self._put_large(id, prefix, source, partial(self._file.add, id, transaction, lanes, size, now))
        due = max(now, transaction.hold_until)
        for lane in dict.fromkeys(lanes):
            self.arrived(lane, due, tuple([entry for entry in new if entry.lane == lane]))
        return id

    async def _put_large(self, id: str, prefix: bytes, source: IMessageSource, add: Change) -> Sequence[Entry]:
        path = self._file.path(id)
        try:
            await self._thread(contents.create, path)
            offset, piece = 0, prefix
            while offset < source.size:
                octets = await source.read(offset, PIECE)
                if not octets:
                    raise StoreFull("a message in arrival is shorter than it was")
                offset += len(octets)
                await self._thread(contents.append, path, piece + octets)
                piece = b""
            await self._thread(contents.sync, path)
            added: Sequence[Entry] = await self._change(add)
            return added
        except OSError as error:
            log.error("a message cannot be queued: {reason}", reason=str(error))
            await self._thread(contents.remove, path)
            raise StoreFull from None
        except Exception:
            await self._thread(contents.remove, path)
            raise

    def content(self, entry: Entry) -> IMessageSource:
        """An entry's message; reading it raises L{StoreCorrupt <trekd.errors.StoreCorrupt>} when it is gone."""
        return SpooledMessage(self, entry.message, entry.size)

    def _keep_fresh(self, id: str, octets: bytes) -> None:
        """A message that is on disk and about to be tried need not be read from there; the oldest give way."""
        self._fresh[id] = octets
        self._fresh_size += len(octets)
        while self._fresh_size > FRESH:
            self._forget_fresh(next(iter(self._fresh)))

    def _forget_fresh(self, id: str) -> None:
        self._fresh_size -= len(self._fresh.pop(id, b""))

    async def octets(self, id: str) -> bytes | None:
        """A small message's octets, C{None} for one that has a file."""
        fresh = self._fresh.get(id)
        if fresh is not None:
            return fresh
        return await self._look(self._file.octets, id)

    async def piece(self, id: str, offset: int, length: int) -> bytes:
        """Octets of a large message; does not wait for anything else."""
        return await self._thread(self._file.piece, id, offset, length)

    # Looking

    async def take(self, lane: str, now: float, limit: int, without: frozenset[int] = frozenset()) -> Taken:
        """See L{SpoolFile.take}."""
        return await self._look(self._file.take, lane, now, limit, without)

    async def lanes(self) -> Sequence[tuple[str, float]]:
        """See L{SpoolFile.lanes}."""
        return await self._look(self._file.lanes)

    async def closed_lanes(self, lane: str | None = None) -> Sequence[tuple[str, str, str, float]]:
        """See L{SpoolFile.closed_lanes}."""
        return await self._look(self._file.closed_lanes, lane)

    async def older(self, noted: bool, since: float, limit: int) -> Sequence[Entry]:
        """See L{SpoolFile.older}."""
        return await self._look(self._file.older, noted, since, limit)

    async def entries(self, limit: int, selection: Selection = EVERYTHING) -> Sequence[Entry]:
        """At most C{limit} entries, oldest first."""
        return await self._look(self._file.entries, limit, selection)

    async def count(self) -> int:
        """How many recipients' copies wait."""
        return await self._look(self._file.count)

    async def census(self) -> Sequence[tuple[str, str, int, float]]:
        """See L{SpoolFile.census}."""
        return await self._look(self._file.census)

    async def _look(self, function: Callable[..., T], *args: Any) -> T:
        await self._looks.acquire()
        try:
            return await self._thread(function, *args)
        finally:
            self._looks.release()

    # Changing

    async def postpone(self, number: int, due: float, last: LastAttempt) -> None:
        """An attempt failed; try again at C{due}."""
        await self._change(partial(self._file.postpone, number, due, last))

    async def finish(self, entry: Entry) -> None:
        """An entry is done with."""
        self._forget_fresh(entry.message)
        await self._change(partial(self._file.finish, entry.number))

    async def note(self, entry: Entry) -> None:
        """The sender was told of the delay, or is not to be."""
        await self._change(partial(self._file.note, entry.number))

    async def move(self, entry: Entry, route: Route, lane: str) -> None:
        """An entry takes another route, or waits in another lane, from now on."""
        await self._change(partial(self._file.move, entry.number, route, lane))

    async def hold(self, selection: Selection, by: str, why: str) -> int:
        """Hold entries; returns how many."""
        return int(await self._change(partial(self._file.hold, selection, by, why)))

    async def release(self, selection: Selection, now: float) -> int:
        """Let held entries go on; returns how many."""
        return int(await self._change(partial(self._file.release, selection, now)))

    async def hasten(self, selection: Selection, now: float) -> int:
        """Entries are due at once; returns how many."""
        return int(await self._change(partial(self._file.hasten, selection, now)))

    async def hasten_tried(self, lane: str, now: float) -> int:
        """Entries of a lane that were tried before are due at once; returns how many."""
        return int(await self._change(partial(self._file.hasten_tried, lane, now)))

    async def drop(self, selection: Selection) -> int:
        """Remove entries without a word to anybody; returns how many."""
        dropped = int(await self._change(partial(self._file.drop, selection)))
        self._fresh.clear()
        self._fresh_size = 0
        return dropped

    async def turn_back(self, now: float, by: float, beyond: float) -> None:
        """See L{SpoolFile.turn_back}."""
        await self._change(partial(self._file.turn_back, now, by, beyond))

    async def turn_forward(self, now: float, by: float) -> None:
        """See L{SpoolFile.turn_forward}."""
        await self._change(partial(self._file.turn_forward, now, by))

    async def suppressed(self, now: float) -> Sequence[tuple[Any, ...]]:
        """See L{SpoolFile.suppressed}."""
        return await self._look(self._file.suppressed, now)

    async def suppress(self, row: tuple[Any, ...]) -> None:
        """See L{SpoolFile.suppress}."""
        await self._change(partial(self._file.suppress, row))

    async def unsuppress(self, keys: Sequence[tuple[str, str]]) -> None:
        """See L{SpoolFile.unsuppress}."""
        await self._change(partial(self._file.unsuppress, keys))

    async def _change(self, change: Change) -> Any:
        """
        Make a change together with whatever else waits; it is durable when this returns.

        @raise StoreFull: nothing was changed.
        """
        done: Deferred[Any] = Deferred()
        self._changes.append((change, done))
        if not self._is_committing:
            self._is_committing = True
            self._committed = Deferred.fromCoroutine(self._commit_all())
        return await done

    async def _commit_all(self) -> None:
        while self._changes:
            batch, self._changes = self._changes[:BATCH], self._changes[BATCH:]
            try:
                results = await self._thread(self._file.commit, [change for change, _ in batch])
            except TrekError as error:
                results = [error] * len(batch)
            except Exception as error:
                log.failure("the queue's changes failed")
                results = [error] * len(batch)
            for (_, done), result in zip(batch, results, strict=True):
                if isinstance(result, Exception):
                    done.errback(Failure(result))
                else:
                    done.callback(result)
        self._is_committing = False

    async def close(self) -> None:
        """Close the queue after what runs."""
        if self._committed is not None:
            await self._committed
        await self._looks.acquire()
        try:
            await self._thread(self._file.close)
        finally:
            self._looks.release()


@implementer(IMessageSource)
class SpooledMessage:
    """A queued message, read from where it lies; a small one is kept in memory once it was read."""

    def __init__(self, spool: Spool, id: str, size: int) -> None:
        self.size = size
        self._spool = spool
        self._id = id
        self._octets: bytes | None = None
        self._is_file = size > INLINE

    async def read(self, offset: int, length: int) -> bytes:
        """See L{IMessageSource.read}."""
        if not self._is_file and self._octets is None:
            self._octets = await self._spool.octets(self._id)
            self._is_file = self._octets is None
        if self._octets is not None:
            return self._octets[offset : offset + length]
        return await self._spool.piece(self._id, offset, min(length, max(0, self.size - offset)))

    async def octets(self) -> bytes:
        """See L{IMessageSource.octets}."""
        return await self.read(0, self.size)
