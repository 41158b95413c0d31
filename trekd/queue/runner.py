"""
Tries queued local copies again until they are delivered or given up.

Outside copies wait in the same queue for the relay.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from trekd.errors import Broken, StoreCorrupt, TrekError, Unavailable
from trekd.queue.entries import LOCAL_LANE, Entry, LastAttempt
from trekd.queue.flow import MailFlow
from trekd.queue.headers import read_header
from trekd.queue.interfaces import MailTransaction, Recipient
from trekd.queue.notices import failure_notice
from trekd.queue.routing import LOCAL
from trekd.queue.schedule import Schedule
from trekd.queue.spool import Spool
from trekd.values import Address

log = Logger()

INTERVAL = 30.0
"""Seconds between two looks at the queue."""

BATCH = 100
"""Entries taken at once."""


class LocalRunner:
    """One loop over the queue's local entries."""

    def __init__(
        self, flow: MailFlow, spool: Spool, schedule: Schedule, hostname: str, clock: IReactorTime
    ) -> None:
        self._flow = flow
        self._spool = spool
        self._schedule = schedule
        self._hostname = hostname
        self._clock = clock
        self._loop = LoopingCall(lambda: Deferred.fromCoroutine(self._pass()))
        self._loop.clock = clock
        self._ended: Deferred[LoopingCall] | None = None

    def start(self) -> None:
        """Look at the queue now and then again and again."""
        self._ended = self._loop.start(INTERVAL)

    async def stop(self) -> None:
        """Finish the pass that runs."""
        if self._loop.running:
            self._loop.stop()
        if self._ended is not None:
            await self._ended

    async def _pass(self) -> None:
        """Take what is due; a fault of ours ends neither the loop nor, at one entry, the pass."""
        try:
            for entry in (await self._spool.take(LOCAL_LANE, self._clock.seconds(), BATCH)).entries:
                await self._guarded(entry)
        except Exception:
            log.failure("the queue cannot be run")

    async def _guarded(self, entry: Entry) -> None:
        try:
            await self._try(entry)
        except Exception:
            log.failure("queued message {id} cannot be tried", id=entry.message)
            now = self._clock.seconds()
            await self._spool.postpone(entry.number, now + INTERVAL, LastAttempt(Broken.__name__, time=now))

    async def _try(self, entry: Entry) -> None:
        failure = await self._flow.retry(entry)
        if failure is None:
            return await self._finish(entry, "delivered")
        now = self._clock.seconds()
        due = self._schedule.next_attempt(failure, entry.attempts + 1, entry.arrived, now)
        if due is None and await self._notify(entry, failure):
            return await self._finish(entry, "given up")
        last = LastAttempt(type(failure).__name__, time=now)
        return await self._spool.postpone(entry.number, due or now + INTERVAL, last)

    async def _finish(self, entry: Entry, end: str) -> None:
        await self._spool.finish(entry)
        recipient = str(entry.recipient.address)
        log.info("queued message {id} to {recipient}: {end}", id=entry.message, recipient=recipient, end=end)

    async def _notify(self, entry: Entry, failure: TrekError) -> bool:
        """
        Tell the account that submitted the message, if it wants to know.

        Mail from elsewhere gets no notice: its reverse-path may be anybody's; the null path gets none either
        (RFC 5321 §4.5.5).

        @return: whether there is nothing more to do.
        """
        transaction = entry.transaction
        if transaction.reverse_path is None or transaction.principal is None:
            return True
        if "NEVER" in entry.recipient.notify:
            return True
        try:
            content = await read_header(self._spool.content(entry))
        except StoreCorrupt:
            log.error("queued message {id} is gone; its sender is told", id=entry.message)
            content = b""
        notice = failure_notice(entry, content, failure, self._hostname, self._clock.seconds())
        local, _, domain = transaction.principal.rpartition("@")
        sink = self._flow.receive()
        try:
            sink.write(notice)
            submitter = Recipient(Address(local, domain), LOCAL)
            outcomes = await self._flow.accept(MailTransaction(None, (submitter,)), sink)
        finally:
            sink.discard()
        return not isinstance(outcomes[0].failure, Unavailable | Broken)
