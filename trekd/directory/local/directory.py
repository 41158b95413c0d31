"""
The embedded directory as the daemon sees it: the file's accounts, asked and verified off the reactor.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.logger import Logger
from zope.interface import implementer

from trekd.directory.interfaces import (
    Account,
    Alias,
    DirectoryEntry,
    Group,
    IAccountAdministration,
    IDirectory,
    IScramDirectory,
    NewAccount,
    Progress,
    ScramKeys,
    Status,
    no_progress,
)
from trekd.directory.local.accounts import Credentials, LocalAccounts
from trekd.directory.local.passwords import Passwords
from trekd.directory.local.scram import MIN_ITERATIONS, decoy_keys, make_keys, read_keys, write_keys
from trekd.directory.threads import Threads
from trekd.errors import BadCredentials, DirectoryDown, SyntaxFault
from trekd.values import Address


@implementer(IDirectory, IAccountAdministration, IScramDirectory)
class LocalDirectory:
    """
    Accounts of one SQLite file.

    One thread owns the file, so a lookup never waits behind a password; a few others hash, each taking 19 MiB and
    some 30 ms of a core at a time.  When too many logins wait, more are told C{DirectoryDown}.

    SCRAM keys stand beside each hash and are made with it.  An account that has none, or has them from another
    number of iterations, gets them when its password is known the next time.
    """

    log = Logger()

    def __init__(
        self,
        path: str,
        reactor: Any,
        hash_threads: int = 2,
        max_waiting: int = 200,
        scram_iterations: int = MIN_ITERATIONS,
    ) -> None:
        """
        Open the file, made when it is not there.

        @param scram_iterations: of SCRAM keys; 0 makes none.
        @raise ConfigFault: it cannot be used, or others may read it.
        """
        self._accounts = LocalAccounts(path)
        self._passwords = Passwords()
        self._iterations = scram_iterations
        self._secret = self._accounts.secret()
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
        await self._renew(found, encoded, password)
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

    # IScramDirectory

    async def scram_keys(self, login: str) -> tuple[Account | None, ScramKeys]:
        """See L{IScramDirectory.scram_keys}."""
        found = await self._lookups.run(self._find_login, login)
        keys = read_keys(found.scram) if found and found.scram else None
        if found is not None and keys is not None:
            return found.account, keys
        if found is not None and found.encoded is not None:
            self.log.info(
                "{principal} has no SCRAM keys yet; a login with PLAIN or a new password makes them",
                principal=found.account.principal,
            )
        return None, decoy_keys(self._secret, login, self._iterations or MIN_ITERATIONS)

    def _find_login(self, login: str) -> Credentials | None:
        try:
            return self._accounts.credentials(Address.parse(login))
        except SyntaxFault:
            return None

    async def _renew(self, found: Credentials, encoded: str, password: str) -> None:
        """Make hash and keys as they are made today; when that cannot be written, the login is right all the same."""
        keys = read_keys(found.scram) if found.scram else None
        has_keys = not self._iterations or (keys is not None and keys.iterations == self._iterations)
        if has_keys and not self._passwords.is_outdated(encoded):
            return
        try:
            scram = found.scram if has_keys else await self._keys(password)
            if self._passwords.is_outdated(encoded):
                renewed = await self._hashing.run(self._passwords.hash, password)
            else:
                renewed = encoded
            await self._lookups.run(self._accounts.renew, found.account.address, encoded, renewed, scram)
        except DirectoryDown as outage:
            self.log.warn(
                "keys of {principal} could not be renewed: {reason}",
                principal=found.account.principal,
                reason=str(outage),
            )

    async def _keys(self, password: str) -> str | None:
        """A new password's keys as text, C{None} when none are kept."""
        if not self._iterations:
            return None
        return write_keys(await self._hashing.run(make_keys, password, self._iterations))

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
            account = Account(address, new.plan, new.display_name, quota=new.quota)
            rows.append(Credentials(account, *await self._kept(new.password)))
            progress(len(rows))
        await self._lookups.run(self._accounts.add, rows)

    async def _kept(self, password: str | None) -> tuple[Any, str | None]:
        """
        What is kept of a new password: its hash and its keys.

        @raise SyntaxFault: nobody can have this password.
        """
        if password is None:
            return None, None
        encoded = await self._hashing.run(self._passwords.hash, password)
        return encoded, await self._keys(password)

    async def accounts(self) -> tuple[Account, ...]:
        """See L{IAccountAdministration.accounts}."""
        return await self._lookups.run(self._accounts.accounts)

    async def set_password(self, address: Address, password: str) -> None:
        """See L{IAccountAdministration.set_password}."""
        await self._lookups.run(self._accounts.set_password, address, *await self._kept(password))

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
