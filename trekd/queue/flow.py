"""
The mail flow: takes a message, delivers what is local, queues what is not, and answers for each recipient.

What cannot be told to the client any more, because another recipient's copy is already durable, is not lost:
it goes into the queue, is tried again, and ends in a mailbox or in a notice to the sender.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from twisted.internet.defer import Deferred, DeferredSemaphore, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from trekd.directory.interfaces import Account
from trekd.errors import Broken, MailboxFull, OverQuota, TrekError, Unavailable
from trekd.mailauth.interfaces import ISigner
from trekd.queue.delivery import Copy, Expansion, LocalDelivery, expand
from trekd.queue.filtering import NoWitness, Unfiltered, apply_filters
from trekd.queue.headers import author_domain, read_header
from trekd.queue.interfaces import (
    FILTERED,
    KEEP,
    Decision,
    Entry,
    IDeliveryFilter,
    IDeliveryWitness,
    IMailFlow,
    Incoming,
    IUsage,
    MailTransaction,
    Outcome,
    Recipient,
    Route,
    RouteKind,
)
from trekd.queue.notices import Action, Fate
from trekd.queue.reports import Reporter
from trekd.queue.routing import LOCAL, RELAY, Routing
from trekd.queue.spool import Spool
from trekd.queue.suppression import Suppressions
from trekd.store.interfaces import IMessageSink, IMessageSource, InMemory
from trekd.values import Address, PrincipalId

log = Logger()

MOST_AT_ONCE = 16
"""Deliveries of one message that run at the same time."""

MEMORY = 32 * 1024 * 1024
"""Octets that these may have in memory together, unless one message is larger."""

Asked = Mapping[PrincipalId, tuple[Account, Decision]]


@dataclass(frozen=True, slots=True)
class Failures:
    """
    What became of the copies of accounts.

    @ivar of: why an account got none, C{None} where all is durable.
    @ivar forwarded: accounts that failed after their forwards were durable.
    """

    of: Mapping[PrincipalId, TrekError | None]
    forwarded: frozenset[PrincipalId] = frozenset()

    def is_durable(self, account: Account) -> bool:
        """Whether something of what an account was to get is durable."""
        return self.of[account.principal] is None or account.principal in self.forwarded


@dataclass(frozen=True, slots=True)
class _Share:
    """
    What of a transaction belongs to one recipient.

    @ivar expansion: whom it stands for here, C{None} when its route leads elsewhere.
    @ivar failure: why it stands for nobody.
    @ivar asked: the accounts whose filters were asked, with what they said.
    """

    recipient: Recipient
    expansion: Expansion | None = None
    failure: TrekError | None = None
    asked: Asked = field(default_factory=dict)

    @property
    def is_outside(self) -> bool:
        """Whether its route leads elsewhere."""
        return self.expansion is None and self.failure is None

    def is_partly_durable(self, failures: Failures) -> bool:
        """Whether some of those it stands for got their copy, or get it through the queue in any case."""
        if self.expansion is None:
            return False
        accounts = self.expansion.accounts
        return bool(self.expansion.outside) or any(map(failures.is_durable, accounts))

    def copies(self, failures: Failures) -> list[tuple[Recipient, TrekError | None]]:
        """The copies not delivered, each with its failure; C{None} where the queue is the way."""
        if self.expansion is None:
            return [(self.recipient, self.failure)]
        member = self.recipient if self.expansion.is_one else _as_member(self.recipient)
        waiting: list[tuple[Recipient, TrekError | None]] = [
            (replace(member, address=address, route=RELAY), None) for address in self.expansion.outside
        ]
        for account in self.expansion.accounts:
            failure = failures.of[account.principal]
            if failure is not None:
                route = FILTERED if account.principal in failures.forwarded else LOCAL
                recipient = replace(member, address=account.address, route=route)
                waiting.append((recipient, failure))
        return waiting

    def success(self, failures: Failures) -> Fate | None:
        """What to tell whoever asked to be told of success (RFC 3461 §5.2.3, §5.2.7.3); its copies are durable."""
        if self.expansion is None:
            return None
        if not self.expansion.is_one:
            return Fate(self.recipient, Action.EXPANDED, "2.0.0")
        if None in [failures.of[account.principal] for account in self.expansion.accounts]:
            return Fate(self.recipient, Action.DELIVERED, "2.0.0")
        return None


def _as_member(recipient: Recipient) -> Recipient:
    """RFC 3461 §5.2.7.3 (c): NOTIFY goes on to several addresses without SUCCESS."""
    if "SUCCESS" not in recipient.notify:
        return recipient
    kept = tuple(word for word in recipient.notify if word != "SUCCESS")
    return replace(recipient, notify=kept or ("NEVER",))


@dataclass(frozen=True, slots=True)
class Outward:
    """What a message passes on its way out."""

    spool: Spool
    signer: ISigner
    suppressions: Suppressions
    usage: IUsage


@dataclass(frozen=True, slots=True)
class _Handover:
    """
    A message handed in.

    @ivar tellable: whoever hands it in learns of each recipient's failure, and can try again.
    @ivar ours: it was written here or submitted by an account, so it leaves with our signature.
    """

    transaction: MailTransaction
    source: IMessageSource
    header: bytes
    tellable: bool
    ours: bool

    @property
    def incoming(self) -> Incoming:
        """The message as filters see it."""
        return Incoming(self.transaction, self.header, self.ours and self.transaction.principal is None)


@implementer(IMailFlow)
class MailFlow:
    """
    See L{IMailFlow}.

    @ivar outward: what its messages pass on their way out.
    @ivar reports: tells senders what became of their mail.
    @ivar judge: asked for every account that would get a copy.
    @ivar witness: told of every copy that is delivered.
    """

    def __init__(self, routing: Routing, delivery: LocalDelivery, outward: Outward, clock: IReactorTime) -> None:
        self.reports = Reporter(self, routing.find, routing.hostname, clock)
        self.judge: IDeliveryFilter = Unfiltered()
        self.witness: IDeliveryWitness = NoWitness()
        self._routing = routing
        self._usage = outward.usage
        self._delivery = delivery
        self._spool = outward.spool
        self.outward = outward
        self._clock = clock

    @property
    def deliveries(self) -> Mapping[str, int]:
        """Deliveries into mailboxes since the start, by result."""
        return self._delivery.results

    async def resolve(
        self, account: Account | None, recipient: Address, accepted: Sequence[Recipient] = (), octets: int = 0
    ) -> Route:
        """See L{IMailFlow.resolve}."""
        route = await self._routing.resolve(account, recipient)
        if account is not None and route.kind is not RouteKind.LOCAL:
            self.outward.suppressions.check(account.principal, recipient)
            await self._usage.check(account, recipient, accepted, octets)
        return route

    async def recheck(self, principal: PrincipalId | None, recipient: Recipient) -> Route:
        """See L{Routing.recheck}."""
        return await self._routing.recheck(principal, recipient)

    def receive(self) -> IMessageSink:
        """See L{IMailFlow.receive}."""
        return self._delivery.receive()

    async def check_room(self, recipient: Address, octets: int) -> None:
        """See L{IMailFlow.check_room}."""
        try:
            found = await self._routing.find(self._routing.complete(recipient))
            if isinstance(found, Account):
                await self._delivery.check_room(found, octets)
        except (MailboxFull, OverQuota):
            raise
        except TrekError as error:
            log.info("room of {recipient} unknown: {reason}", recipient=str(recipient), reason=type(error).__name__)

    async def accept(self, transaction: MailTransaction, message: IMessageSource) -> tuple[Outcome, ...]:
        """See L{IMailFlow.accept}."""
        header = await read_header(message)
        submitted = transaction.principal is not None
        tellable = not submitted and not transaction.one_reply
        charge = await self._usage.charge(transaction, message.size)
        try:
            outcomes = await self._take(_Handover(transaction, message, header, tellable, ours=submitted))
        except BaseException:
            charge.refund()
            raise
        if all(one.failure is not None for one in outcomes if one.recipient.route.kind is not RouteKind.LOCAL):
            charge.refund()
        return outcomes

    async def post(self, transaction: MailTransaction, message: IMessageSource) -> tuple[Outcome, ...]:
        """
        Take a message that this host wrote itself, as L{accept} takes those of others.

        @return: one outcome per recipient, in order.
        """
        header = await read_header(message)
        return await self._take(_Handover(transaction, message, header, tellable=True, ours=True))

    async def retry(self, entry: Entry) -> TrekError | None:
        """
        Try a queued local copy again.

        @return: why it still is not delivered.
        """
        source = self._spool.content(entry)
        try:
            header = await read_header(source)
        except TrekError as error:
            return error
        transaction = replace(entry.transaction, hold_until=0.0)
        outcomes = await self._take(_Handover(transaction, source, header, tellable=True, ours=False))
        return outcomes[0].failure

    async def _take(self, given: _Handover) -> tuple[Outcome, ...]:
        transaction = given.transaction
        if transaction.hold_until > self._clock.seconds():
            failure = await self._queue(given, transaction.recipients)
            return tuple(Outcome(recipient, failure) for recipient in transaction.recipients)
        shares = [await self._share(given, recipient) for recipient in transaction.recipients]
        failures = await self._deliver(given, shares)
        waiting = _to_queue(shares, failures, given.tellable)
        queue_failure = await self._queue(given, waiting)
        queued = frozenset(one.address for one in waiting) if queue_failure is None else frozenset()
        verdicts = [_verdict(share, failures, queued, queue_failure) for share in shares]
        durable = [share for share, verdict in zip(shares, verdicts, strict=True) if verdict is None]
        await self._report(given, durable, failures)
        await self._reply(given, shares, failures)
        return tuple(Outcome(share.recipient, verdict) for share, verdict in zip(shares, verdicts, strict=True))

    async def _report(self, given: _Handover, shares: Sequence[_Share], failures: Failures) -> None:
        """Tell who asked for it that the copies are durable."""
        asked = [share for share in shares if "SUCCESS" in share.recipient.notify]
        fates = [fate for share in asked if (fate := share.success(failures)) is not None]
        for action in (Action.DELIVERED, Action.EXPANDED):
            if found := [fate for fate in fates if fate.action is action]:
                await self.reports.tell(given.transaction, InMemory(given.header), found, self._clock.seconds())

    async def pending(self) -> int:
        """See L{IMailFlow.pending}."""
        return await self._spool.count()

    async def _share(self, given: _Handover, recipient: Recipient) -> _Share:
        if recipient.route.kind is not RouteKind.LOCAL:
            return _Share(recipient)
        address = self._routing.complete(recipient.address)
        try:
            expansion = await expand(address, self._routing.find)
            if recipient.route == FILTERED:
                return _Share(recipient, expansion)
            filtered = await apply_filters(self.judge, self._routing.find, given.incoming, expansion)
            return _Share(recipient, filtered.expansion, asked=filtered.asked)
        except TrekError as error:
            return _Share(recipient, failure=error)
        except Exception:
            log.failure("recipient cannot be resolved")
            return _Share(recipient, failure=Broken())

    async def _deliver(self, given: _Handover, shares: Sequence[_Share]) -> Failures:
        """One copy for each account, however many recipients lead to it."""
        accounts = {
            account.principal: account
            for share in shares
            if share.expansion is not None
            for account in share.expansion.accounts
        }
        decisions = {principal: decision for share in shares for principal, (_, decision) in share.asked.items()}
        turns = DeferredSemaphore(max(1, min(MOST_AT_ONCE, MEMORY // (given.source.size + 1))))
        copy = Copy(given.transaction.reverse_path, given.source, given.header, given.transaction.junk)
        forwarded: set[PrincipalId] = set()

        async def deliver(account: Account) -> TrekError | None:
            decision = decisions.get(account.principal, KEEP)
            await turns.acquire()
            try:
                if decision.forwards:
                    failure = await self._forward(given, account, decision)
                    if failure is not None or not decision.keep:
                        return failure
                    forwarded.add(account.principal)
                failure = await self._delivery.deliver(account, copy)
                if failure is None:
                    await self._show(given, account)
                return failure
            finally:
                turns.release()

        results = await gatherResults([Deferred.fromCoroutine(deliver(one)) for one in accounts.values()])
        return Failures(dict(zip(accounts, results, strict=True)), frozenset(forwarded))

    async def _show(self, given: _Handover, account: Account) -> None:
        """Let the witness look; that it cannot is no failure of the message."""
        try:
            await self.witness.delivered(account, given.incoming, given.source)
        except Exception:
            log.failure("a delivered message was not looked at")

    async def _forward(self, given: _Handover, account: Account, decision: Decision) -> TrekError | None:
        """
        Queue an account's copies that leave; they carry its name, so that one that comes back is known.

        @return: why none was queued.
        """
        transaction = replace(
            given.transaction,
            reverse_path=decision.reverse_path,
            recipients=decision.forwards,
            principal=account.principal,
            # What nobody keeps is returned whole when it cannot be delivered.
            ret=given.transaction.ret if decision.keep else "FULL",
            hold_until=0.0,
        )
        trace = f"Delivered-To: {account.address}\r\n".encode()
        try:
            signature = await self._signature(given, decision.forwards)
            await self._spool.put(transaction, given.source, trace + signature, self._clock.seconds())
        except TrekError as error:
            return error
        except Exception:
            log.failure("a message cannot be forwarded")
            return Broken()
        log.info(
            "forwarded for {principal} to {recipients}",
            principal=account.principal,
            recipients=", ".join(str(one.address) for one in decision.forwards),
        )
        return None

    async def _reply(self, given: _Handover, shares: Sequence[_Share], failures: Failures) -> None:
        """Send what accounts' filters want to be sent; that it cannot be is no failure of the message."""
        asked = {principal: one for share in shares for principal, one in share.asked.items()}
        for account, decision in asked.values():
            if account.principal in failures.of and not failures.is_durable(account):
                continue
            try:
                for reply in await self.judge.replies(account, given.incoming, decision):
                    await self.post(reply.transaction, InMemory(reply.octets))
            except TrekError as error:
                log.warn("no answer for {principal}: {error}", principal=account.principal, error=type(error).__name__)
            except Exception:
                log.failure("an answer cannot be sent")

    async def _queue(self, given: _Handover, recipients: tuple[Recipient, ...]) -> TrekError | None:
        """
        Queue copies, signed when some of them leave.

        @return: why none was queued.
        """
        if not recipients:
            return None
        transaction = replace(given.transaction, recipients=recipients)
        try:
            signature = await self._signature(given, recipients)
            await self._spool.put(transaction, given.source, signature, self._clock.seconds())
        except TrekError as error:
            return error
        except Exception:
            log.failure("a message cannot be queued")
            return Broken()
        return None

    async def _signature(self, given: _Handover, recipients: tuple[Recipient, ...]) -> bytes:
        if not given.ours or all(one.route.kind is RouteKind.LOCAL for one in recipients):
            return b""
        domain = author_domain(given.header)
        return await self.outward.signer.sign(domain, given.source) if domain else b""


def _to_queue(shares: Sequence[_Share], failures: Failures, tellable: bool) -> tuple[Recipient, ...]:
    """
    Who gets a copy through the queue: outside recipients, and local ones whose failure nobody can be told.
    """
    durable = None in failures.of.values() or bool(failures.forwarded) or any(share.is_outside for share in shares)
    waiting: dict[Address, Recipient] = {}
    for share in shares:
        partly = share.is_partly_durable(failures)
        for recipient, failure in share.copies(failures):
            kept = partly or (not tellable and (durable or isinstance(failure, Unavailable)))
            if failure is None or kept:
                waiting.setdefault(recipient.address, recipient)
    return tuple(waiting.values())


def _verdict(
    share: _Share, failures: Failures, queued: frozenset[Address], queue_failure: TrekError | None
) -> TrekError | None:
    """Why a recipient got nothing: no copy delivered and none queued."""
    copies = share.copies(failures)
    delivered = share.expansion is not None and any(map(failures.is_durable, share.expansion.accounts))
    if delivered or any(recipient.address in queued for recipient, _ in copies):
        return None
    return next((failure for _, failure in copies if failure is not None), queue_failure)
