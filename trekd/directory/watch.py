"""
Accounts that are logged in are looked up again from time to time: who may no longer log in is not left connected.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from trekd.directory.interfaces import Account
from trekd.errors import DirectoryDown
from trekd.values import Address, PrincipalId


class AccountWatch:
    """
    Asks the directory about each account with a session, one after the other; an outage ends no session.
    """

    log = Logger()

    def __init__(
        self,
        refresh: Callable[[Address], Awaitable[Account | None]],
        logged_in: Callable[[], Iterable[PrincipalId]],
        dismiss: Callable[[PrincipalId], object],
        clock: IReactorTime,
    ) -> None:
        """
        @param refresh: gives the account as it is now, C{None} when it may not log in.
        @param logged_in: gives the accounts with sessions.
        @param dismiss: ends the sessions of an account.
        """
        self._refresh = refresh
        self._logged_in = logged_in
        self._dismiss = dismiss
        self._loop = LoopingCall(lambda: Deferred.fromCoroutine(self.look()))
        self._loop.clock = clock

    def start(self, interval: float) -> None:
        """
        Begin.

        @param interval: seconds from the beginning of one round to the next.
        """
        self._loop.start(interval, now=False)

    def stop(self) -> None:
        """End, if it has begun."""
        if self._loop.running:
            self._loop.stop()

    async def look(self) -> None:
        """One round; never raises."""
        for principal in sorted(set(self._logged_in())):
            try:
                account = await self._refresh(Address.parse(principal))
            except DirectoryDown:
                return
            except Exception:
                self.log.failure("an account could not be looked up again", principal=principal)
                continue
            if account is None:
                self.log.info("{principal} may no longer log in: its sessions end", principal=principal)
                self._dismiss(principal)
