"""
What accounts have set, applied to their mail: forwarding and the automatic answer.

What C{trekctl} has set counts before what the directory says.  Only where an account itself may send does its mail go:
the route to each target is resolved for the account that forwards, so its plan and its own SMTP provider hold.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from trekd.directory.interfaces import Account
from trekd.errors import PlanForbidsRelay, Refused, TrekError
from trekd.filters.answer import write_answer, write_note
from trekd.filters.interfaces import MAX_TARGETS, Forwarding, ISettings, Vacation
from trekd.filters.restraint import is_automatic, is_named, is_person
from trekd.filters.srs import SenderRewriting
from trekd.mime.header import field_values
from trekd.queue.interfaces import (
    KEEP,
    Decision,
    IDeliveryFilter,
    Incoming,
    MailTransaction,
    Recipient,
    Reply,
    Route,
    RouteKind,
)
from trekd.values import Address

DAY = 86400.0

TOLD = 30 * DAY
"""Seconds after which an owner is told again that the mail is not forwarded."""

Resolve = Callable[[Account | None, Address], Awaitable[Route]]


@dataclass(frozen=True, slots=True)
class Post:
    """
    What a filter needs of the mail flow.

    @ivar resolve: as L{trekd.queue.interfaces.IMailFlow.resolve}.
    @ivar is_ours: whether senders of a domain are sent for by this host.
    """

    resolve: Resolve
    is_ours: Callable[[str], bool]
    hostname: str
    clock: IReactorTime


@implementer(IDeliveryFilter)
class AccountFilter:
    """See L{IDeliveryFilter}."""

    def __init__(self, settings: ISettings, rewriting: SenderRewriting, post: Post) -> None:
        self._settings = settings
        self._rewriting = rewriting
        self._post = post

    async def decide(self, account: Account, incoming: Incoming) -> Decision:
        """See L{IDeliveryFilter.decide}."""
        forwarding = await self.forwarding(account)
        # Junk would make others take this host for its source; what was forwarded before goes round in circles.
        if forwarding is None or incoming.transaction.junk or _was_here(account, incoming.header):
            return KEEP
        keep = forwarding.keep or incoming.is_ours
        forwards: list[Recipient] = []
        refused: list[tuple[Address, TrekError]] = []
        for target in forwarding.targets:
            try:
                route = await self._post.resolve(account, target)
            except Refused as error:
                refused.append((target, error))
            else:
                # RFC 3461 §5.2.7.1: the copy here is the delivery; without one the account hears of a failure.
                forwards.append(Recipient(target, route, ("NEVER",) if keep else ("FAILURE",)))
        reverse_path = self._reverse_path(account, incoming.transaction.reverse_path, forwards)
        return Decision(keep or not forwards, tuple(forwards), reverse_path, tuple(refused))

    async def replies(self, account: Account, incoming: Incoming, decision: Decision) -> tuple[Reply, ...]:
        """See L{IDeliveryFilter.replies}."""
        replies = [await self._note(account, decision), await self._answer(account, incoming)]
        return tuple(one for one in replies if one is not None)

    async def forwarding(self, account: Account) -> Forwarding | None:
        """
        Where an account's mail goes on to.

        @raise Unavailable: it cannot be known now.
        """
        chosen = await self._settings.forwarding(account.principal)
        if chosen is not None or not account.forwards:
            return chosen
        return Forwarding(account.forwards[:MAX_TARGETS], account.forward_keep)

    async def vacation(self, account: Account) -> Vacation | None:
        """
        The answer of an account.

        @raise Unavailable: it cannot be known now.
        """
        chosen = await self._settings.vacation(account.principal)
        return chosen if chosen is not None or not account.vacation else Vacation(account.vacation)

    def _reverse_path(self, account: Account, sender: Address | None, forwards: list[Recipient]) -> Address | None:
        """
        The sender of what leaves: who may be sent for from here stays; a provider of the account's takes its own
        address alone; others are rewritten.
        """
        if sender is None or self._post.is_ours(sender.domain) or sender.domain == account.address.domain:
            return sender
        if any(one.route.kind is RouteKind.OWN_SMTP for one in forwards):
            return account.address
        rewritten = self._rewriting.rewrite(sender, account.address.domain, self._post.clock.seconds())
        return rewritten if rewritten is not None else account.address

    async def _note(self, account: Account, decision: Decision) -> Reply | None:
        """Tell the owner, once in a while, that its plan keeps mail from being forwarded."""
        targets = [target for target, error in decision.refused if isinstance(error, PlanForbidsRelay)]
        if not targets:
            return None
        now = self._post.clock.seconds()
        if not await self._settings.claim(account.principal, "not forwarded", now, TOLD):
            return None
        octets = write_note(account, targets, self._post.hostname, now)
        return Reply(MailTransaction(None, (Recipient(account.address, Route(RouteKind.LOCAL)),)), octets)

    async def _answer(self, account: Account, incoming: Incoming) -> Reply | None:
        sender, now = incoming.transaction.reverse_path, self._post.clock.seconds()
        own = (account.address, *account.aliases)
        if sender is None or not is_person(sender) or incoming.transaction.junk or incoming.is_ours:
            return None
        if str(sender).lower() in {str(one).lower() for one in own}:
            return None
        vacation = await self.vacation(account)
        if vacation is None or not vacation.is_given(now):
            return None
        if is_automatic(incoming.header) or not is_named(incoming.header, own):
            return None
        try:
            route = await self._post.resolve(account, sender)
        except Refused:
            return None
        if not await self._settings.claim(account.principal, f"<{sender}>".lower(), now, vacation.days * DAY):
            return None
        octets = write_answer(account, sender, incoming.header, (vacation.subject, vacation.text), now)
        transaction = MailTransaction(
            None,
            (Recipient(sender, route, ("NEVER",)),),
            account.principal,
            smtputf8=not (str(sender) + str(account.address)).isascii(),
        )
        return Reply(transaction, octets)


def _was_here(account: Account, header: bytes) -> bool:
    own = str(account.address).lower().encode()
    return any(value.strip().lower() == own for value in field_values(header, b"delivered-to"))
