"""
One attempt to hand copies on: into mailboxes here, or to the relay.
"""

from __future__ import annotations

from dataclasses import replace

from twisted.logger import Logger

from trekd.errors import Broken, TrekError
from trekd.queue.entries import LOCAL_LANE
from trekd.queue.flow import MailFlow
from trekd.queue.interfaces import Attempt, Entry, IRelay, RouteKind
from trekd.queue.lanes import Group
from trekd.queue.spool import Spool

log = Logger()

MAX_RECIPIENTS = 100
"""Recipients of one transaction: every server takes so many (RFC 5321 §4.5.3.1.8)."""


class Courier:
    """Knows who carries what."""

    def __init__(self, flow: MailFlow, spool: Spool, relay: IRelay) -> None:
        self._flow = flow
        self._spool = spool
        self._relay = relay

    def lane(self, entry: Entry) -> str:
        """The lane to which an entry belongs now; routes may have changed since it came."""
        route = entry.recipient.route
        if route.kind is RouteKind.LOCAL:
            return LOCAL_LANE
        return self._relay.lane(route, entry.recipient.address)

    async def carry(self, group: Group) -> tuple[Attempt, ...]:
        """
        One attempt for recipients of one message.

        @return: one for each, in order; never raises.
        """
        try:
            if group[0].recipient.route.kind is RouteKind.LOCAL:
                return tuple([Attempt(entry.recipient, await self._flow.retry(entry)) for entry in group])
            recipients = tuple(entry.recipient for entry in group)
            transaction = replace(group[0].transaction, recipients=recipients)
            return tuple(await self._relay.send(transaction, self._spool.content(group[0])))
        except Exception as error:
            if not isinstance(error, TrekError):
                log.failure("queued message {id} cannot be tried", id=group[0].message)
            failure = error if isinstance(error, TrekError) else Broken()
            return tuple(Attempt(entry.recipient, failure) for entry in group)
