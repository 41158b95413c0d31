"""
The embedded directory as the daemon sees it: the file's accounts, asked and verified off the reactor.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from zope.interface import implementer

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
from trekd.directory.local.accounts import Credentials, LocalAccounts
from trekd.directory.local.passwords import Passwords
from trekd.directory.threads import Threads
from trekd.errors import BadCredentials
from trekd.values import Address


@implementer(IDirectory, IAccountAdministration)
class LocalDirectory:
    """
    Accounts of one SQLite file.

    One thread owns the file, so a lookup never waits behind a password; a few others hash, each taking 19 MiB and
    some 30 ms of a core at a time.  When too many logins wait, more are told C{DirectoryDown}.
    """

    def __init__(self, path: str, reactor: Any, hash_threads: int = 2, max_waiting: int = 200) -> None:
        """
        Open the file, made when it is not there.

        @raise ConfigFault: it cannot be used, or others may read it.
        """
        self._accounts = LocalAccounts(path)
        self._passwords = Passwords()
        self._lookups = Threads(reactor, "directory", 1, 10 * max_waiting)
        self._hashing = Threads(reactor, "passwords", hash_threads, max_waiting)

    # IDirectory

    async def authenticate(self, login: Address, password: str) -> Account:
        """See L{IDirectory.authenticate}."""
        found = await self._lookups.run(self._accounts.credentials, login)
        encoded = found.encoded if found else None
        right = await self._hashing.run(self._passwords.verify, encoded, password)
        if found is None or encoded is None or not right:
            raise BadCredentials()
        if self._passwords.is_outdated(encoded):
            renewed = await self._hashing.run(self._passwords.hash, password)
            await self._lookups.run(self._accounts.renew_hash, found.account.address, encoded, renewed)
        return found.account

    async def find(self, address: Address) -> Account | Group | Alias | None:
        """See L{IDirectory.find}."""
        return await self._lookups.run(self._accounts.find, address)

    async def search(self, text: str, limit: int) -> tuple[DirectoryEntry, ...]:
        """See L{IDirectory.search}."""
        return await self._lookups.run(self._accounts.search, text, limit)

    async def describe(self, address: Address) -> DirectoryEntry | None:
        """See L{IDirectory.describe}."""
        account = await self._lookups.run(self._accounts.find, address)
        if account is None or account.status is Status.DISABLED:
            return None
        return DirectoryEntry(account.address, account.display_name)

    async def close(self) -> None:
        """See L{IDirectory.close}."""
        await self._hashing.close()
        await self._lookups.close()
        self._accounts.close()

    # IAccountAdministration

    async def add(self, accounts: Sequence[NewAccount], progress: Progress = no_progress) -> None:
        """See L{IAccountAdministration.add}; passwords are hashed one by one, so that logins go on."""
        canonical = [_canonical(each.address) for each in accounts]
        await self._lookups.run(self._accounts.check_free, canonical)
        rows = []
        for address, new in zip(canonical, accounts, strict=True):
            encoded = None if new.password is None else await self._hashing.run(self._passwords.hash, new.password)
            rows.append(Credentials(Account(address, new.plan, new.display_name, quota=new.quota), encoded))
            progress(len(rows))
        await self._lookups.run(self._accounts.add, rows)

    async def accounts(self) -> tuple[Account, ...]:
        """See L{IAccountAdministration.accounts}."""
        return await self._lookups.run(self._accounts.accounts)

    async def set_password(self, address: Address, password: str) -> None:
        """See L{IAccountAdministration.set_password}."""
        encoded = await self._hashing.run(self._passwords.hash, password)
        await self._lookups.run(self._accounts.set_password, address, encoded)

    async def change(self, account: Account) -> None:
        """See L{IAccountAdministration.change}."""
        await self._lookups.run(self._accounts.change, account)

    async def remove(self, address: Address) -> None:
        """See L{IAccountAdministration.remove}."""
        await self._lookups.run(self._accounts.remove, address)


def _canonical(address: Address) -> Address:
    """
    The address in lower case.

    @raise SyntaxFault: it is too long in lower case.
    """
    return Address.parse(str(address).lower())
