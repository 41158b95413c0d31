"""
A memory of passwords that were right a moment ago, and of who has an address, before any directory.

Nothing is kept that tells a password: a MAC keyed with this process's random key stands for it, and never leaves
memory (notes: one login costs a directory milliseconds, DAV sends one with every request, and a phone opens five
connections at once).
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from hmac import compare_digest

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure
from zope.interface import implementer

from trekd.directory.found import FoundAddresses
from trekd.directory.interfaces import (
    Account,
    Alias,
    DirectoryEntry,
    Group,
    IAccountAdministration,
    IDirectory,
    NewAccount,
    Progress,
    Status,
    no_progress,
)
from trekd.errors import BadCredentials, DirectoryDown
from trekd.values import Address


@dataclass(frozen=True, slots=True)
class _Verified:
    """A right password, remembered: the account, the MAC of the password, and until when (clock seconds)."""

    account: Account
    mac: bytes
    expires: float


@implementer(IDirectory)
class CachedDirectory:
    """
    A directory whose verdicts on passwords are remembered, by login name.

    A password that is not the remembered one is asked of the directory, so that a new password works at once; an
    old one works until its time is over or L{flush}.  The same question asked by several connections at once is
    one question.
    """

    def __init__(
        self,
        directory: IDirectory,
        clock: IReactorTime,
        ttl: float = 300,
        negative_ttl: float = 10,
        size: int = 20_000,
        find_ttl: float = 0,
        stale: float = 0,
    ) -> None:
        """
        @param ttl: seconds for which a right password is remembered; 0 is not at all.
        @param negative_ttl: seconds for which a wrong one is.
        @param find_ttl: seconds for which it is remembered who has an address; 0 is not at all.
        @param stale: seconds after C{ttl} for which a right password and an account's address still count while
            the directory is down; a wrong password never does.
        @param size: entries of either kind; the least recently used go first.
        """
        self._directory = directory
        self._clock = clock
        self._ttl = ttl
        self._negative_ttl = negative_ttl
        self._size = size
        self._stale = stale
        self._found = FoundAddresses(directory, clock, find_ttl, negative_ttl, stale, size)
        self._key = secrets.token_bytes(32)
        self._verified: OrderedDict[str, _Verified] = OrderedDict()
        self._wrong: OrderedDict[bytes, float] = OrderedDict()
        self._asked: dict[bytes, list[Deferred[Account]]] = {}
        # Passwords judged from memory, and those that were not.
        self.hits = self.misses = 0

    async def authenticate(self, login: Address, password: str) -> Account:
        """See L{IDirectory.authenticate}."""
        name = str(login).lower()
        mac = self._mac(name, password)
        known = self._verified.get(name)
        if known is not None and compare_digest(known.mac, mac) and self._clock.seconds() < known.expires:
            self._verified.move_to_end(name)
            self.hits += 1
            return known.account
        if self._clock.seconds() < self._wrong.get(mac, 0.0):
            self.hits += 1
            raise BadCredentials()
        self.misses += 1
        answer: Deferred[Account] = Deferred()
        self._asked.setdefault(mac, []).append(answer)
        if len(self._asked[mac]) == 1:
            ensureDeferred(self._ask(login, name, password, mac))
        return await answer

    async def find(self, address: Address) -> Account | Group | Alias | None:
        """See L{IDirectory.find}."""
        return await self._found.find(address)

    async def refresh(self, address: Address) -> Account | None:
        """
        The account as the directory has it now, whatever is remembered.

        @param address: an account's canonical address.
        @return: C{None}, and nothing of it is remembered, when it is gone, renamed or may not log in.
        @raise DirectoryDown: no verdict; nothing was forgotten.
        """
        found = await self._found.ask(address)
        is_same = isinstance(found, Account) and found.principal == address.principal
        if isinstance(found, Account) and is_same and found.status is Status.ACTIVE:
            return found
        self.flush(address)
        return None

    async def search(self, text: str, limit: int) -> tuple[DirectoryEntry, ...]:
        """See L{IDirectory.search}."""
        return await self._directory.search(text, limit)

    async def describe(self, address: Address) -> DirectoryEntry | None:
        """See L{IDirectory.describe}."""
        return await self._directory.describe(address)

    async def close(self) -> None:
        """See L{IDirectory.close}."""
        await self._directory.close()
        self.flush()

    def flush(self, address: Address | None = None) -> None:
        """
        Forget what is known of an account, under all its names; C{None} is all accounts.

        A question that is on its way is answered, but its answer is not remembered.  Wrong passwords are
        forgotten of all accounts: they are kept without names.
        """
        self._asked = {}
        self._found.forget(address)
        if address is None:
            self._verified.clear()
            self._wrong.clear()
            return
        principal = address.principal
        stale = {name for name, entry in self._verified.items() if entry.account.principal == principal}
        stale.add(str(address).lower())
        for name in stale:
            self._verified.pop(name, None)
        self._wrong.clear()

    async def _ask(self, login: Address, name: str, password: str, mac: bytes) -> None:
        """Ask the directory, for all who wait for the same answer."""
        asked = self._asked
        verdict: Account | Failure
        try:
            verdict = await self._directory.authenticate(login, password)
            if asked is self._asked:
                self._remember(name, _Verified(verdict, mac, self._clock.seconds() + self._ttl))
                self._found.remember(verdict)
        except DirectoryDown as outage:
            verdict = self._stale_account(name, mac) or Failure(outage)
        except Exception as fault:
            verdict = Failure(fault)
            if isinstance(fault, BadCredentials) and asked is self._asked:
                self._remember_wrong(mac)
        for answer in asked.pop(mac):
            answer.callback(verdict)

    def _stale_account(self, name: str, mac: bytes) -> Account | None:
        """The account of a password that was right, not too long ago, when the directory was last up."""
        known = self._verified.get(name)
        if known is None or not compare_digest(known.mac, mac):
            return None
        return known.account if self._clock.seconds() < known.expires + self._stale else None

    def _remember(self, name: str, entry: _Verified) -> None:
        self._verified[name] = entry
        self._verified.move_to_end(name)
        if len(self._verified) > self._size:
            self._verified.popitem(last=False)

    def _remember_wrong(self, mac: bytes) -> None:
        self._wrong[mac] = self._clock.seconds() + self._negative_ttl
        if len(self._wrong) > self._size:
            self._wrong.popitem(last=False)

    def _mac(self, name: str, password: str) -> bytes:
        octets = name.encode() + b"\0" + password.encode("utf-8", "surrogatepass")
        return blake2b(octets, digest_size=32, key=self._key).digest()


@implementer(IAccountAdministration)
class CachedAdministration:
    """Changes accounts and lets the cache forget them, so that each change holds at once."""

    def __init__(self, administration: IAccountAdministration, cache: CachedDirectory) -> None:
        self._administration = administration
        self._cache = cache

    async def add(self, accounts: Sequence[NewAccount], progress: Progress = no_progress) -> None:
        """See L{IAccountAdministration.add}."""
        await self._administration.add(accounts, progress)
        self._cache.flush()

    async def accounts(self) -> tuple[Account, ...]:
        """See L{IAccountAdministration.accounts}."""
        return await self._administration.accounts()

    async def set_password(self, address: Address, password: str) -> None:
        """See L{IAccountAdministration.set_password}."""
        await self._administration.set_password(address, password)
        self._cache.flush(address)

    async def change(self, account: Account) -> None:
        """See L{IAccountAdministration.change}."""
        await self._administration.change(account)
        self._cache.flush(account.address)

    async def remove(self, address: Address) -> None:
        """See L{IAccountAdministration.remove}."""
        await self._administration.remove(address)
        self._cache.flush(address)
