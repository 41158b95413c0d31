"""
Accounts' filters on the way of a message into mailboxes: whom it reaches when some accounts forward theirs.

Forwards between accounts of this server are followed here, like aliases, so that circles have an end: an account whose
copy would go to nobody else keeps it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

from zope.interface import implementer

from trekd.directory.interfaces import Account
from trekd.errors import Refused
from trekd.queue.delivery import MAX_MEMBERS, Expansion, expand
from trekd.queue.interfaces import (
    KEEP,
    Decision,
    IDeliveryFilter,
    IDeliveryWitness,
    Incoming,
    Recipient,
    Reply,
    RouteKind,
)
from trekd.queue.routing import Found
from trekd.store.interfaces import IMessageSource
from trekd.values import Address, PrincipalId

Find = Callable[[Address], Awaitable[Found | None]]


@implementer(IDeliveryFilter)
class Unfiltered:
    """Keeps everything."""

    async def decide(self, account: Account, incoming: Incoming) -> Decision:
        """See L{IDeliveryFilter.decide}."""
        return KEEP

    async def replies(self, account: Account, incoming: Incoming, decision: Decision) -> tuple[Reply, ...]:
        """See L{IDeliveryFilter.replies}."""
        return ()


@implementer(IDeliveryWitness)
class NoWitness:
    """Looks at nothing."""

    async def delivered(self, account: Account, incoming: Incoming, message: IMessageSource) -> None:
        """See L{IDeliveryWitness.delivered}."""


@dataclass(frozen=True, slots=True)
class Filtered:
    """
    Whom a recipient stands for after the filters.

    @ivar expansion: accounts that keep a copy or send one out, and addresses elsewhere.
    @ivar asked: every account whose filter was asked; the C{forwards} of its decision are those that leave.
    """

    expansion: Expansion
    asked: Mapping[PrincipalId, tuple[Account, Decision]]


async def apply_filters(judge: IDeliveryFilter, find: Find, incoming: Incoming, expansion: Expansion) -> Filtered:
    """
    Ask the filters of all accounts that a message reaches.

    @raise Unavailable: one of them, or the directory, gave no verdict.
    """
    asked: dict[PrincipalId, tuple[Account, Decision]] = {}
    outside = list(expansion.outside)
    waiting = deque(expansion.accounts)
    while waiting:
        account = waiting.popleft()
        if account.principal in asked:
            continue
        decision = await judge.decide(account, incoming)
        leaving = tuple(one for one in decision.forwards if one.route.kind is not RouteKind.LOCAL)
        reached = await _expand(decision.forwards, find) if len(asked) < MAX_MEMBERS else Expansion((), ())
        outside += reached.outside
        waiting += reached.accounts
        others = [one for one in reached.accounts if one.principal != account.principal]
        goes_on = bool(leaving or reached.outside) or any(_gets_it(asked.get(one.principal)) for one in others)
        # Who forwards to others and to itself keeps a copy.
        keep = decision.keep or not goes_on or len(others) < len(reached.accounts)
        asked[account.principal] = account, replace(decision, keep=keep, forwards=leaving)
    reached_accounts = tuple(account for account, decision in asked.values() if decision.keep or decision.forwards)
    return Filtered(Expansion(reached_accounts, tuple(dict.fromkeys(outside))), asked)


def _gets_it(asked: tuple[Account, Decision] | None) -> bool:
    """Whether an account keeps a copy, or will be asked after the one that forwards to it."""
    return asked is None or asked[1].keep


async def _expand(forwards: tuple[Recipient, ...], find: Find) -> Expansion:
    """Whom local forwards stand for; what stands for nobody any more is left out."""
    accounts: list[Account] = []
    outside: list[Address] = []
    for one in forwards:
        if one.route.kind is RouteKind.LOCAL:
            try:
                found = await expand(one.address, find)
            except Refused:
                continue
            accounts += found.accounts
            outside += found.outside
    return Expansion(tuple(accounts), tuple(outside))
