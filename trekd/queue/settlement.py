"""
What follows an attempt: the copy is done with, waits for the next one, is held, or is given up with a notice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from trekd.errors import LaneClosed, Refused, RemoteDeferred, RemoteRefused, TrekError, Unavailable
from trekd.queue.entries import LOCAL_LANE
from trekd.queue.interfaces import HELD_BY_LANE, Attempt, Entry, LastAttempt, Selection
from trekd.queue.lanes import Group, Lane
from trekd.queue.notices import Action, Fate, failed
from trekd.queue.reports import Reporter
from trekd.queue.schedule import Schedule
from trekd.queue.spool import Spool
from trekd.queue.suppression import Suppressions
from trekd.smtp.grammar.paths import write_mailbox
from trekd.values import PrincipalId

log = Logger()

AGAIN = 10.0
"""Seconds until a change that the disk did not take is tried again."""

UNTOLD = 300.0
"""Seconds until a copy is looked at again whose sender could not be told that it is given up."""

Change = Callable[[], Awaitable[object]]

_CLOSED = """\
Your mail to other servers cannot be sent at the moment and waits here.\r
\r
Your own SMTP server, set up here as {lane}, cannot be used:\r
{why}\r
\r
Set the right server, user name and password, or ask your administrator to. Waiting mail\r
then goes out by itself; nothing needs to be sent again. What waits too long comes back to you.\r
"""


def told(failure: TrekError, now: float) -> LastAttempt:
    """A failure as it is kept and shown."""
    if isinstance(failure, RemoteRefused | RemoteDeferred):
        return LastAttempt(failure.reply[:1000], failure.host, failure.status, now)
    return LastAttempt(_words(type(failure).__name__), "", "5.0.0" if isinstance(failure, Refused) else "4.0.0", now)


def _words(name: str) -> str:
    """C{StoreBusy} as people say it."""
    return "".join(f" {one.lower()}" if one.isupper() else one for one in name).strip()


class Settlement:
    """
    Settles attempts.

    @ivar results: attempts by what came of them.
    """

    def __init__(
        self,
        spool: Spool,
        schedule: Schedule,
        reports: Reporter,
        suppressions: Suppressions,
        clock: IReactorTime,
    ) -> None:
        self.results: Counter[str] = Counter()
        self._spool = spool
        self._schedule = schedule
        self._reports = reports
        self._suppressions = suppressions
        self._clock = clock

    async def settle(self, lane: Lane, group: Group, attempts: Sequence[Attempt]) -> float | None:
        """
        Settle an attempt; durable when this returns.  While the disk refuses this waits, and the copies stay claimed,
        so that none is sent again.

        @return: when the first of the copies that stay is due.
        """
        now = self._clock.seconds()
        changes: list[Change] = []
        dues: list[float] = []
        passed_on: list[Fate] = []
        given_up: list[tuple[Entry, Fate]] = []
        for entry, attempt in zip(group, attempts, strict=True):
            failure = attempt.failure
            if failure is None:
                changes.append(partial(self._spool.finish, entry))
                passed_on += self._passed_on(entry, attempt, now)
                self._log(entry, "delivered", attempt.host, attempt.reply)
                continue
            due = self._schedule.next_attempt(failure, entry.attempts + 1, entry.since, now)
            if isinstance(failure, LaneClosed):
                self._log(entry, "held", failure.host, failure.reply)
                changes.append(partial(self._spool.postpone, entry.number, now, told(failure, now)))
                continue
            if due is None:
                given_up.append((entry, failed(entry.recipient, failure, now)))
                await self._suppress(entry, failure, now)
                continue
            dues.append(due)
            last = told(failure, now)
            changes.append(partial(self._spool.postpone, entry.number, due, last))
            self._log(entry, "deferred", last.host, last.failure)
        if passed_on:
            await self._tell(group[0], passed_on)
        more, untold = await self._give_up(given_up, now)
        await self.persist([*changes, *more])
        closed = next((one.failure for one in attempts if isinstance(one.failure, LaneClosed)), None)
        if closed is not None:
            await self.close(lane, closed.reply)
        return min([*dues, *untold], default=None)

    async def give_up(self, entries: Sequence[Entry], failure: Callable[[Entry], TrekError]) -> None:
        """Give up entries of one message without another attempt."""
        now = self._clock.seconds()
        fates = [(entry, failed(entry.recipient, failure(entry), entry.last.time)) for entry in entries]
        changes, _ = await self._give_up(fates, now)
        await self.persist(changes)

    async def _give_up(self, given_up: list[tuple[Entry, Fate]], now: float) -> tuple[list[Change], list[float]]:
        """Tell the sender first: what crashes in between tells twice, but loses nothing."""
        if not given_up:
            return [], []
        if not await self._tell(given_up[0][0], [fate for _, fate in given_up]):
            due = now + UNTOLD
            last = LastAttempt("the sender cannot be told now that it is given up", time=now)
            return [partial(self._spool.postpone, entry.number, due, last) for entry, _ in given_up], [due]
        for entry, fate in given_up:
            self._log(entry, "given up", fate.host, fate.reply or fate.reason)
        return [partial(self._spool.finish, entry) for entry, _ in given_up], []

    async def _tell(self, entry: Entry, fates: Sequence[Fate]) -> bool:
        return await self._reports.tell(entry.transaction, self._spool.content(entry), fates, entry.arrived)

    def _passed_on(self, entry: Entry, attempt: Attempt, now: float) -> list[Fate]:
        """RFC 3461 §5.2.2: where the next server knows nothing of DSN, the way ends here for the sender."""
        if entry.lane == LOCAL_LANE or attempt.dsn:
            return []
        return [Fate(entry.recipient, Action.RELAYED, "2.0.0", "", attempt.reply, attempt.host, now)]

    async def _suppress(self, entry: Entry, failure: TrekError, now: float) -> None:
        principal = entry.transaction.principal
        if principal is not None and isinstance(failure, RemoteRefused):
            try:
                await self._suppressions.bounced(principal, entry.recipient.address, failure, now)
            except Unavailable:
                log.warn("an address that bounced cannot be remembered now")

    async def close(self, lane: Lane, why: str) -> None:
        """Hold all that waits on a lane, and tell those whose mail it is, once."""
        if not lane.closed:
            log.error("lane {lane} is closed, its mail is held: {reason}", lane=lane.name, reason=why)
            lane.since = self._clock.seconds()
        lane.closed = why
        lane.release_ready()
        await self.persist([partial(self._spool.hold, Selection(lane=lane.name), HELD_BY_LANE, why)])
        for _, _, principal, _ in await self._spool.closed_lanes(lane.name):
            if principal and principal not in lane.told:
                lane.told.add(principal)
                text = _CLOSED.format(lane=lane.name.partition(":")[2] or lane.name, why=why)
                failure = await self._reports.write_to(PrincipalId(principal), "Your mail is waiting", text)
                if failure is not None:
                    log.warn("{principal} cannot be told of {lane}", principal=principal, lane=lane.name)

    async def persist(self, changes: Sequence[Change]) -> None:
        """Make changes, again and again until the disk takes them."""
        waiting = list(changes)
        while waiting:
            results = await gatherResults([Deferred.fromCoroutine(_is_taken(change)) for change in waiting])
            waiting = [change for change, is_taken in zip(waiting, results, strict=True) if not is_taken]
            if waiting:
                log.error("the queue cannot be changed; trying again in {seconds} seconds", seconds=AGAIN)
                await deferLater(self._clock, AGAIN, lambda: None)

    def _log(self, entry: Entry, result: str, host: str, reply: str) -> None:
        self.results[result] += 1
        log.info(
            "queued message {id} from {principal} to {recipient}, {lane}: {result}, {host} {reply}",
            id=entry.message,
            principal=entry.transaction.principal,
            recipient=write_mailbox(entry.recipient.address),
            lane=entry.lane,
            result=result,
            host=host or "-",
            reply=reply or "-",
        )


async def _is_taken(change: Change) -> bool:
    """Make one change; whether the disk took it."""
    try:
        await change()
    except Unavailable:
        return False
    return True
