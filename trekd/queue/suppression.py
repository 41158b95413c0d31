"""
Addresses that other servers do not know: an account that wrote to one is told so at once when it writes there again.

Each account has a list of its own, so that nobody can keep others from writing anywhere.  An entry ends after a
time, or when the operator removes it.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from trekd.errors import AddressSuppressed, RemoteRefused
from trekd.queue.interfaces import Suppression
from trekd.queue.spool import Spool
from trekd.values import Address, PrincipalId

log = Logger()

HARD = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10"})
"""Enhanced status codes that blame the address, whoever writes there (RFC 3463 §3.2, RFC 7505 §4.2)."""

MOST = 5000
"""Addresses on one account's list."""


class Suppressions:
    """All lists, in memory and in the queue's database."""

    def __init__(self, spool: Spool, seconds: int, clock: IReactorTime) -> None:
        """
        @param seconds: for which an entry lasts; 0 = nothing is ever suppressed.
        """
        self._spool = spool
        self._seconds = seconds
        self._clock = clock
        self._lists: dict[PrincipalId, dict[str, Suppression]] = {}

    async def load(self) -> None:
        """Read what is in the database, without what has ended."""
        for row in await self._spool.suppressed(self._clock.seconds()):
            one = Suppression(PrincipalId(row[0]), *row[1:])
            self._lists.setdefault(one.principal, {})[one.address] = one

    def check(self, principal: PrincipalId, recipient: Address) -> None:
        """
        @raise AddressSuppressed: the account may not write there now.
        """
        one = self._lists.get(principal, {}).get(str(recipient).lower())
        if one is not None and self._seconds and one.until > self._clock.seconds():
            raise AddressSuppressed(one.address, one.reply, one.until)

    async def bounced(self, principal: PrincipalId, recipient: Address, failure: RemoteRefused, now: float) -> None:
        """
        Remember an address if it is to blame for a refusal.

        @raise StoreFull: it is remembered only until the next start.
        """
        if not self._seconds or failure.status not in HARD:
            return
        address = str(recipient).lower()
        entries = self._lists.setdefault(principal, {})
        if len(entries) >= MOST and address not in entries:
            return
        one = Suppression(
            principal, address, now, now + self._seconds, failure.status, failure.host, failure.reply[:500]
        )
        entries[address] = one
        log.info("{principal} cannot write to {address} for a while", principal=principal, address=address)
        await self._spool.suppress((one.principal, one.address, one.since, one.until, one.status, one.host, one.reply))

    def entries(self, principal: PrincipalId | None = None) -> Sequence[Suppression]:
        """What is suppressed now, for one account or all, the latest first."""
        now = self._clock.seconds()
        lists = self._lists.values() if principal is None else [self._lists.get(principal, {})]
        found = [one for entries in lists for one in entries.values() if one.until > now]
        return sorted(found, key=lambda one: (-one.since, one.principal, one.address))

    async def remove(self, principal: PrincipalId | None, address: str | None) -> int:
        """
        Forget the entries of one account, of one address, or all.

        @return: how many.
        @raise StoreFull: they are forgotten only until the next start.
        """
        wanted = None if address is None else address.lower()
        gone = [
            one
            for entries in self._lists.values()
            for one in entries.values()
            if principal in (None, one.principal) and wanted in (None, one.address)
        ]
        for one in gone:
            del self._lists[one.principal][one.address]
        await self._spool.unsuppress([(one.principal, one.address) for one in gone])
        return len(gone)
