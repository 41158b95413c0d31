"""
The plugin that makes memory stores, and the store itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.plugin import IPlugin
from zope.interface import implementer

from trekd.errors import StoreBusy
from trekd.store.feed import ChangeFeed
from trekd.store.interfaces import ChangeListener, IMessageSink, IStore, IStoreProvider, MessageReader
from trekd.store.memory.account import MemoryAccount
from trekd.store.memory.boxes import Account, Limits
from trekd.store.sinks import MemorySink
from trekd.values import PrincipalId


@implementer(IPlugin, IStoreProvider)
class MemoryStoreProvider:
    """Makes stores for C{store.backend = "memory"}."""

    name = "memory"

    def make(self, config: Any, reader: MessageReader, reactor: Any) -> IStore:
        """An empty store with the limits of the configuration's C{[store]}."""
        return MemoryStore(reader, reactor, Limits(config.store.max_mailboxes, config.store.max_keywords))


@implementer(IStore)
class MemoryStore:
    """All accounts, in a dictionary."""

    def __init__(self, reader: MessageReader, reactor: Any, limits: Limits) -> None:
        """
        @param reactor: C{callFromThread} for change hints, C{seconds} for dates and UIDVALIDITY.
        """
        self.reader = reader
        self.feed = ChangeFeed(reactor.callFromThread)
        self.seconds: Callable[[], float] = reactor.seconds
        self._limits = limits
        self._accounts: dict[PrincipalId, Account] = {}
        self._closed = False

    async def open(self, principal: PrincipalId, quota: int = 0) -> MemoryAccount:
        """The account's store, made when it is not there."""
        self.require_open()
        account = self._accounts.get(principal)
        if account is None:
            account = self._accounts[principal] = Account.with_first_mailboxes(self._limits, int(self.seconds()))
        account.quota = quota
        return MemoryAccount(principal, account, self)

    async def accounts(self) -> tuple[PrincipalId, ...]:
        """The accounts opened so far, sorted."""
        self.require_open()
        return tuple(sorted(self._accounts))

    async def remove(self, principal: PrincipalId) -> None:
        """Forget an account; for whoever holds it, it has no mailboxes and takes none."""
        self.require_open()
        account = self._accounts.pop(principal, None)
        if account is not None:
            account.remove()

    def receive(self) -> IMessageSink:
        """A sink in memory."""
        self.require_open()
        return MemorySink()

    def subscribe(self, principal: PrincipalId, listener: ChangeListener) -> Callable[[], None]:
        """Hints after each change, in the reactor's next turn."""
        return self.feed.subscribe(principal, listener)

    async def close(self) -> None:
        """Refuse what is asked from now on; nothing is ever left to finish."""
        self._closed = True

    def require_open(self) -> None:
        """
        @raise StoreBusy: the store was closed.
        """
        if self._closed:
            raise StoreBusy("the store is closed")
