"""
What accounts have set, for callers that must not block; see L{trekd.filters.settingsfile} for how it lies on disk.

Which accounts have set anything is known without a look at the disk: mail for all others waits for nothing here.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from twisted.internet.defer import DeferredLock
from twisted.logger import Logger
from zope.interface import implementer

from trekd.errors import StoreFull
from trekd.filters.interfaces import Forwarding, ISettings, Vacation
from trekd.filters.settingsfile import SettingsFile
from trekd.values import PrincipalId

log = Logger()

T = TypeVar("T")


class RunInThread(Protocol):
    """Runs a blocking call elsewhere."""

    def __call__(self, function: Callable[..., T], *args: object) -> Awaitable[T]: ...


@implementer(ISettings)
class Settings:
    """See L{ISettings}."""

    def __init__(self, file: SettingsFile, run_in_thread: RunInThread) -> None:
        """
        @param file: open already.
        """
        self._file = file
        self._thread = run_in_thread
        self._turn = DeferredLock()
        self._forwarding = file.forwarding_accounts()
        self._vacation = file.vacation_accounts()

    async def forwarding(self, principal: PrincipalId) -> Forwarding | None:
        """See L{ISettings.forwarding}."""
        return await self._run(self._file.forwarding, principal) if principal in self._forwarding else None

    async def set_forwarding(self, principal: PrincipalId, forwarding: Forwarding | None) -> None:
        """See L{ISettings.set_forwarding}."""
        await self._run(self._file.set_forwarding, principal, forwarding)
        _mark(self._forwarding, principal, forwarding)

    async def vacation(self, principal: PrincipalId) -> Vacation | None:
        """See L{ISettings.vacation}."""
        return await self._run(self._file.vacation, principal) if principal in self._vacation else None

    async def set_vacation(self, principal: PrincipalId, vacation: Vacation | None) -> None:
        """See L{ISettings.set_vacation}."""
        await self._run(self._file.set_vacation, principal, vacation)
        _mark(self._vacation, principal, vacation)

    async def claim(self, principal: PrincipalId, what: str, now: float, seconds: float) -> bool:
        """See L{ISettings.claim}."""
        return await self._run(self._file.claim, principal, what, now, seconds)

    async def forget(self, principal: PrincipalId) -> None:
        """See L{ISettings.forget}."""
        await self._run(self._file.forget, principal)
        self._forwarding.discard(principal)
        self._vacation.discard(principal)

    async def close(self) -> None:
        """See L{ISettings.close}."""
        await self._turn.acquire()
        try:
            self._file.close()
        finally:
            self._turn.release()

    async def _run(self, function: Callable[..., T], *arguments: object) -> T:
        await self._turn.acquire()
        try:
            return await self._thread(function, *arguments)
        except sqlite3.Error as error:
            log.error("the settings of accounts cannot be used: {reason}", reason=str(error))
            raise StoreFull from None
        finally:
            self._turn.release()


def _mark(accounts: set[PrincipalId], principal: PrincipalId, setting: object | None) -> None:
    if setting is None:
        accounts.discard(principal)
    else:
        accounts.add(principal)
