"""
How much an account may send to other domains (its plan's limits), and how much it did.

Mail to addresses of this server is not counted.  Counting is one step between two turns of the reactor, however
many sessions an account has; what is counted is in memory at once and on disk some seconds later, so that a daemon
that is killed loses that much of it and no more.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from zope.interface import implementer

from trekd.config.schema import PlanConfig
from trekd.directory.interfaces import Account
from trekd.errors import (
    MessageTooLarge,
    StoreBusy,
    TooManyMessages,
    TooManyNewRecipients,
    TooManyRecipients,
    TrekError,
)
from trekd.queue.interfaces import Charge, IUsage, MailTransaction, Recipient, RouteKind, Usage, UsedOf
from trekd.queue.routing import Plans
from trekd.queue.spool import RunInThread
from trekd.queue.usagefile import Counted, UsageFile
from trekd.queue.windows import MINUTE, MINUTES_KEPT, RollingCount
from trekd.values import Address, PrincipalId

log = Logger()

T = TypeVar("T")

SAVE_INTERVAL = 2.0
"""Seconds between two writes, when there is something to write."""

MOST_TALLIES = 5000
"""Accounts whose counts are kept in memory."""

MOST_KNOWN = 1000
"""Recipients of one account that are known without asking the file."""


@dataclass(slots=True)
class _Tally:
    """
    One account's counts.

    @ivar account: as it was when it last asked; C{None} when it never did.
    @ivar known: digests of recipients written to, latest last.
    @ivar touched: minutes not written yet; C{met} and C{unmet} likewise.
    """

    principal: PrincipalId
    account: Account | None = None
    is_loaded: bool = False
    turn: DeferredLock = field(default_factory=DeferredLock)
    messages: RollingCount = field(default_factory=RollingCount)
    newcomers: RollingCount = field(default_factory=RollingCount)
    known: OrderedDict[int, None] = field(default_factory=OrderedDict)
    touched: set[int] = field(default_factory=set)
    met: set[int] = field(default_factory=set)
    unmet: set[int] = field(default_factory=set)

    def knows(self, recipient: int) -> bool:
        """Whether it wrote to a recipient, as far as memory goes."""
        return recipient in self.known or recipient in self.met

    def remember(self, recipients: Iterable[int]) -> None:
        """These are known; those used longest ago are left to the file."""
        for recipient in recipients:
            self.known[recipient] = None
            self.known.move_to_end(recipient)
        while len(self.known) > MOST_KNOWN:
            self.known.popitem(last=False)

    @property
    def is_clean(self) -> bool:
        """Whether all of it is on disk and nobody works with it."""
        return not (self.touched or self.met or self.unmet or self.turn.locked)


@dataclass(slots=True)
class _Charge:
    """See L{Charge}."""

    tally: _Tally
    minute: int
    newcomers: frozenset[int]

    def refund(self) -> None:
        """See L{Charge.refund}."""
        tally = self.tally
        tally.messages.take_back(self.minute)
        tally.newcomers.take_back(self.minute, len(self.newcomers))
        tally.touched.add(self.minute)
        tally.met -= self.newcomers
        tally.unmet |= self.newcomers
        for recipient in self.newcomers:
            tally.known.pop(recipient, None)


class _Free:
    """The charge for a message that leaves nothing to count."""

    def refund(self) -> None:
        """See L{Charge.refund}."""


@implementer(IUsage)
class UsageLedger:
    """See L{IUsage}."""

    def __init__(self, file: UsageFile, plans: Plans, clock: IReactorTime, run_in_thread: RunInThread) -> None:
        """
        @param file: open already.
        """
        self._file = file
        self._plans = plans
        self._clock = clock
        self._thread = run_in_thread
        self._turn = DeferredLock()
        self._tallies: OrderedDict[PrincipalId, _Tally] = OrderedDict()
        self._loop = LoopingCall(lambda: Deferred.fromCoroutine(self._save()))
        self._loop.clock = clock
        self._is_failing = False

    async def check(
        self, account: Account, recipient: Address, accepted: Sequence[Recipient], octets: int = 0
    ) -> None:
        """See L{IUsage.check}."""
        tally = await self._tally(account.principal)
        tally.account = account
        plan, now = self._plans.of(account), self._clock.seconds()
        _check_size(plan, octets)
        others = _outside(accepted)
        if plan.recipients_per_message and len(others) >= plan.recipients_per_message:
            raise TooManyRecipients(plan.recipients_per_message)
        _check_messages(tally, plan, now)
        allowed = plan.new_recipients_per_day
        used = tally.newcomers.used(now, 24)
        if not allowed or used + len(others) < allowed:
            return
        # Only now does it matter who is new.
        own = self._digest(tally, recipient)
        wanted = {self._digest(tally, each.address) for each in others} | {own}
        new = await self._newcomers(tally, wanted)
        if own in new and used + len(new) > allowed:
            raise _too_many_newcomers(tally, now, allowed, len(new) - 1)

    async def charge(self, transaction: MailTransaction, size: int) -> Charge:
        """See L{IUsage.charge}."""
        outside = _outside(transaction.recipients)
        if transaction.principal is None or not outside:
            return _Free()
        tally = await self._tally(transaction.principal)
        await tally.turn.acquire()
        try:
            wanted = {self._digest(tally, each.address) for each in outside}
            new = await self._newcomers(tally, wanted)
            now = self._clock.seconds()
            if tally.account is None:
                raise StoreBusy("the account was not checked first, or long ago")
            _check(tally, self._plans.of(tally.account), now, size, len(new))
            minute = tally.messages.add(now)
            tally.newcomers.add(now, len(new))
            tally.touched.add(minute)
            tally.met |= wanted
            tally.unmet -= wanted
            tally.remember(wanted)
            return _Charge(tally, minute, new)
        finally:
            tally.turn.release()

    async def of(self, account: Account) -> Usage:
        """See L{IUsage.of}."""
        tally = await self._tally(account.principal)
        plan, now = self._plans.of(account), self._clock.seconds()
        hour = UsedOf(tally.messages.used(now, 1), plan.hourly)
        day = UsedOf(tally.messages.used(now, 24), plan.messages_per_day)
        newcomers = UsedOf(tally.newcomers.used(now, 24), plan.new_recipients_per_day)
        return Usage(
            account.principal,
            hour,
            day,
            newcomers,
            messages_free=max(_free_at(tally.messages, now, 1, hour), _free_at(tally.messages, now, 24, day)),
            newcomers_free=_free_at(tally.newcomers, now, 24, newcomers),
        )

    async def top(self, most: int) -> tuple[tuple[PrincipalId, int, int], ...]:
        """See L{IUsage.top}."""
        await self._save()
        since = int(self._clock.seconds() // MINUTE) - MINUTES_KEPT + 1
        rows = await self._run(self._file.top, since, most)
        return tuple((PrincipalId(principal), messages, new) for principal, messages, new in rows)

    def start(self) -> None:
        """Begin to write what is counted."""
        self._loop.start(SAVE_INTERVAL, now=False)
        Deferred.fromCoroutine(self._prune())

    async def stop(self) -> None:
        """Write the rest and close."""
        if self._loop.running:
            self._loop.stop()
        await self._save()
        await self._run(self._file.close)

    async def _tally(self, principal: PrincipalId) -> _Tally:
        """
        An account's counts.

        @raise StoreBusy: they cannot be read.
        """
        tally = self._tallies.get(principal)
        if tally is None:
            tally = self._tallies[principal] = _Tally(principal)
        self._tallies.move_to_end(principal)
        if not tally.is_loaded:
            await tally.turn.acquire()
            try:
                await self._load(tally)
            finally:
                tally.turn.release()
            self._forget_clean()
        return tally

    async def _load(self, tally: _Tally) -> None:
        if tally.is_loaded:
            return
        since = int(self._clock.seconds() // MINUTE) - MINUTES_KEPT
        rows = await self._run(self._file.load, tally.principal, since)
        tally.messages = RollingCount((minute, messages) for minute, messages, _ in rows)
        tally.newcomers = RollingCount((minute, new) for minute, _, new in rows)
        tally.is_loaded = True

    def _forget_clean(self) -> None:
        """Keep memory bounded; what is on disk can be read again."""
        excess = len(self._tallies) - MOST_TALLIES
        for principal in list(self._tallies)[: max(0, excess)]:
            if self._tallies[principal].is_clean:
                del self._tallies[principal]

    async def _newcomers(self, tally: _Tally, recipients: Iterable[int]) -> frozenset[int]:
        """Which of these the account never wrote to."""
        unsure = [each for each in recipients if not tally.knows(each)]
        if not unsure:
            return frozenset()
        known = await self._run(self._file.known, tally.principal, unsure)
        tally.remember(known - tally.unmet)
        return frozenset(each for each in unsure if each in tally.unmet or not (each in known or tally.knows(each)))

    def _digest(self, tally: _Tally, recipient: Address) -> int:
        """A recipient in 63 bits, which tell nobody who it is."""
        text = f"{tally.principal}\0{str(recipient).lower()}".encode("utf-8", "surrogatepass")
        return int.from_bytes(blake2b(text, digest_size=8, key=self._file.salt).digest(), "big") >> 1

    async def _save(self) -> None:
        """Write what changed; when that fails it is kept and written with the next."""
        changed = [each for each in self._tallies.values() if each.touched or each.met or each.unmet]
        if not changed:
            return
        changes = [_counted(tally) for tally in changed]
        for tally in changed:
            tally.touched, tally.met, tally.unmet = set(), set(), set()
        try:
            await self._run(self._file.save, changes, int(self._clock.seconds() // MINUTE))
            self._is_failing = False
        except TrekError as error:
            for tally, each in zip(changed, changes, strict=True):
                tally.touched |= {minute for minute, _, _ in each.minutes}
                tally.met |= set(each.met) - tally.unmet
                tally.unmet |= set(each.unmet) - tally.met
            if not self._is_failing:
                log.error("what accounts sent cannot be written: {reason}", reason=str(error))
            self._is_failing = True

    async def _prune(self) -> None:
        try:
            await self._run(self._file.prune, int(self._clock.seconds() // MINUTE))
        except TrekError as error:
            log.error("old recipients cannot be forgotten: {reason}", reason=str(error))

    async def _run(self, function: Callable[..., T], *arguments: Any) -> T:
        await self._turn.acquire()
        try:
            return await self._thread(function, *arguments)
        finally:
            self._turn.release()


def _outside(recipients: Sequence[Recipient]) -> list[Recipient]:
    return [each for each in recipients if each.route.kind is not RouteKind.LOCAL]


def _check(tally: _Tally, plan: PlanConfig, now: float, size: int, new: int) -> None:
    _check_size(plan, size)
    _check_messages(tally, plan, now)
    allowed = plan.new_recipients_per_day
    if allowed and new and tally.newcomers.used(now, 24) + new > allowed:
        raise _too_many_newcomers(tally, now, allowed, new - 1)


def _check_size(plan: PlanConfig, size: int) -> None:
    if plan.message_size and size > plan.message_size:
        raise MessageTooLarge(plan.message_size)


def _check_messages(tally: _Tally, plan: PlanConfig, now: float) -> None:
    """One more message must have room in the day and in the hour."""
    for hours, allowed in ((24, plan.messages_per_day), (1, plan.hourly)):
        used = tally.messages.used(now, hours)
        if allowed and used >= allowed:
            raise TooManyMessages(used, allowed, hours, tally.messages.frees(now, hours, used - allowed + 1))


def _too_many_newcomers(tally: _Tally, now: float, allowed: int, others: int) -> TooManyNewRecipients:
    """
    @param others: new recipients of the same message that have room.
    """
    used = tally.newcomers.used(now, 24)
    frees = tally.newcomers.frees(now, 24, used + others - allowed + 1)
    return TooManyNewRecipients(min(used + others, max(used, allowed)), allowed, 24, frees)


def _free_at(count: RollingCount, now: float, hours: int, used: UsedOf) -> float:
    """When one more has room; C{now} when it has."""
    return count.frees(now, hours, used.used - used.allowed + 1) if used.allowed else now


def _counted(tally: _Tally) -> Counted:
    return Counted(
        tally.principal,
        tuple((each, tally.messages.count_of(each), tally.newcomers.count_of(each)) for each in tally.touched),
        tuple(tally.met),
        tuple(tally.unmet),
    )
