"""
The keys at hand: read from their files in a thread, kept in memory, and read again when they were changed here.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import DeferredLock
from twisted.logger import Logger
from zope.interface import implementer

from trekd.mailauth.interfaces import DomainKey, IDomainKeys
from trekd.mailauth.keys import KeyFiles, SigningKey

MOST_DOMAINS = 2000
"""Domains whose keys, or lack of keys, are remembered."""

log = Logger()


@implementer(IDomainKeys)
class Keyring:
    """
    See L{IDomainKeys}.

    @param in_thread: calls a function in a thread.
    """

    def __init__(self, files: KeyFiles, in_thread: Callable[..., Awaitable[Any]]) -> None:
        self._files = files
        self._in_thread = in_thread
        self._held: OrderedDict[str, tuple[SigningKey, ...]] = OrderedDict()
        self._changes = 0
        self._one_at_a_time = DeferredLock()

    async def signing(self, domain: str) -> tuple[SigningKey, ...]:
        """
        The keys that sign for a domain.

        @raise StoreFull: their files cannot be read.
        @raise StoreCorrupt: they hold no keys.
        @raise SyntaxFault: it is no domain.
        """
        held = self._held.get(domain)
        if held is not None:
            self._held.move_to_end(domain)
            return held
        changes = self._changes
        found: tuple[SigningKey, ...] = await self._in_thread(self._files.signing, domain)
        if changes == self._changes:  # else a change may have come after the files were read
            self._held[domain] = found
            if len(self._held) > MOST_DOMAINS:
                self._held.popitem(last=False)
        return found

    async def listed(self, domain: str | None = None) -> tuple[DomainKey, ...]:
        """See L{IDomainKeys.listed}."""
        found: tuple[DomainKey, ...] = await self._in_thread(self._files.listed, domain)
        return found

    async def published(self, domain: str) -> list[tuple[str, str]]:
        """See L{IDomainKeys.published}."""
        found: list[tuple[str, str]] = await self._in_thread(self._files.published, domain)
        return found

    async def create(self, domain: str, selector: str, algorithm: str) -> DomainKey:
        """See L{IDomainKeys.create}."""
        return await self._change("made", self._files.create, domain, selector, algorithm)

    async def use(self, domain: str, selector: str) -> DomainKey:
        """See L{IDomainKeys.use}."""
        return await self._change("chosen", self._files.use, domain, selector)

    async def remove(self, domain: str, selector: str) -> DomainKey:
        """See L{IDomainKeys.remove}."""
        return await self._change("removed", self._files.remove, domain, selector)

    async def _change(self, what: str, function: Callable[..., DomainKey], *arguments: str) -> DomainKey:
        await self._one_at_a_time.acquire()
        try:
            key: DomainKey = await self._in_thread(function, *arguments)
        finally:
            self._changes += 1
            self._held.clear()
            self._one_at_a_time.release()
        log.info("DKIM key {selector} of {domain} {what}", selector=key.selector, domain=key.domain, what=what)
        return key
