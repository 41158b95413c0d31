"""
A store of which one call fails: to see what a session does about it.

Run a scenario once without a failure and look at C{calls}; then again for each of them::

    store = FailingStore(MemoryStore(...), fail_at=3, error=StoreBusy())
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from functools import wraps
from typing import Any

from zope.interface import directlyProvides

from trekd.errors import StoreBusy
from trekd.store.interfaces import IAccountStore, IStore, Listing
from trekd.values import PrincipalId

_NEVER_FAIL = frozenset(("receive", "subscribe", "close"))


class FailingStore:
    """
    Passes everything on to another store, and lets one call fail before anything is done.

    Calls of the store and of all accounts that it opened count together, each piece of a listing as a call of its
    own; C{receive}, the store's C{subscribe} and C{close} neither count nor fail.

    @ivar calls: names of the calls so far, C{account.append} or C{store.open}; of the failed one too.
    """

    def __init__(self, store: IStore, fail_at: int | None = None, error: Exception | None = None) -> None:
        """
        @param fail_at: 0-based number of the call that fails; C{None} for none.
        @param error: what it raises, C{StoreBusy} unless told.
        """
        self.calls: list[str] = []
        self.fail_at = fail_at
        self.error = StoreBusy() if error is None else error
        self._store = store
        directlyProvides(self, IStore)

    async def open(self, principal: PrincipalId, quota: int = 0) -> Any:
        """The account, whose calls count here."""
        self.count("store.open")
        return _FailingAccount(self, await self._store.open(principal, quota))

    def count(self, call: str) -> None:
        """Count a call, and raise if it is the one that fails."""
        self.calls.append(call)
        if len(self.calls) - 1 == self.fail_at:
            raise self.error

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)
        return _counted(self, "store." + name, method) if name in IStore and name not in _NEVER_FAIL else method


class _FailingAccount:
    """An account of a failing store."""

    def __init__(self, store: FailingStore, account: IAccountStore) -> None:
        self.principal = account.principal
        self._store = store
        self._account = account
        directlyProvides(self, IAccountStore)

    async def list_messages(self, view: Any, positions: Any, template: Any) -> AsyncIterator[Listing]:
        """Pass pieces on; each counts, and so does the end."""
        self._store.count("account.list_messages")
        async for piece in self._account.list_messages(view, positions, template):
            yield piece
            self._store.count("account.list_messages")

    def __getattr__(self, name: str) -> Any:
        return _counted(self._store, "account." + name, getattr(self._account, name))


def _counted(store: FailingStore, call: str, method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    async def counted(*arguments: Any, **keywords: Any) -> Any:
        store.count(call)
        return await method(*arguments, **keywords)

    return counted
