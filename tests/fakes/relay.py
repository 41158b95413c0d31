"""A relay that does what a test says, and remembers what it was given."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from zope.interface import implementer

from trekd.errors import TrekError
from trekd.queue.entries import plain_lane
from trekd.queue.interfaces import Attempt, IRelay, MailTransaction, Recipient, Route
from trekd.store.interfaces import IMessageSource
from trekd.values import Address


@implementer(IRelay)
class FakeRelay:
    """
    Takes everything, unless told otherwise.

    @ivar failures: by recipient or domain, what C{send} says of it.
    @ivar dsn: whether the next server knows of DSN.
    @ivar hold: when set, every attempt waits for a Deferred in C{waiting}.
    @ivar sent: transactions and octets, one for each attempt.
    @ivar most: attempts that were under way at once.
    """

    def __init__(self, lane: Callable[[Route, Address], str] = plain_lane) -> None:
        self.failures: dict[str, TrekError] = {}
        self.dsn = False
        self.hold = False
        self.waiting: list[Deferred[None]] = []
        self.sent: list[tuple[MailTransaction, bytes]] = []
        self.active = self.most = 0
        self._lane = lane

    def lane(self, route: Route, recipient: Address) -> str:
        return self._lane(route, recipient)

    async def send(self, transaction: MailTransaction, message: IMessageSource) -> tuple[Attempt, ...]:
        self.active += 1
        self.most = max(self.most, self.active)
        try:
            octets = await message.octets()
            self.sent.append((transaction, octets))
            if self.hold:
                turn: Deferred[None] = Deferred()
                self.waiting.append(turn)
                await turn
        finally:
            self.active -= 1
        return tuple(self._attempt(one) for one in transaction.recipients)

    def _attempt(self, recipient: Recipient) -> Attempt:
        address = recipient.address
        failure = self.failures.get(str(address)) or self.failures.get(address.domain)
        if failure is not None:
            return Attempt(recipient, failure)
        return Attempt(recipient, None, f"mx.{address.domain}", "250 2.0.0 OK", self.dsn)

    @property
    def recipients(self) -> list[str]:
        """Everybody to whom an attempt was made, in order."""
        return [str(one.address) for transaction, _ in self.sent for one in transaction.recipients]
