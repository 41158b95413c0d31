"""trekctl's operations over a memory store and a directory in a dictionary, without threads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from twisted.internet.defer import maybeDeferred
from twisted.internet.task import Clock
from zope.interface import implementer

from tests.fakes.mime import PlainReader
from trekd.assembly.entries import entry_rules
from trekd.config.schema import PLANS, Config, LimitsConfig, ServerConfig
from trekd.directory.interfaces import (
    Account,
    DirectoryEntry,
    IAccountAdministration,
    IDirectory,
    NewAccount,
    Progress,
    is_possible_password,
    no_progress,
)
from trekd.errors import AccountExists, BadCredentials, NoSuchAccount, SyntaxFault
from trekd.portal.limits import ConnectionLedger
from trekd.portal.plans import Plans
from trekd.portal.prefixes import Prefixes
from trekd.store.memory.boxes import Limits
from trekd.store.memory.provider import MemoryStore
from trekd.values import Address
from trekd.web.collaborators import Collaborators
from trekd.web.operations import Operations


@implementer(IDirectory, IAccountAdministration)
class DictDirectory:
    """Accounts and passwords by principal."""

    def __init__(self) -> None:
        self.known: dict[str, Account] = {}
        self.passwords: dict[str, str | None] = {}

    async def authenticate(self, login: Address, password: str) -> Account:
        """See L{IDirectory}."""
        found = await self.find(login)
        if found is None or self.passwords[found.principal] != password:
            raise BadCredentials()
        return found

    async def find(self, address: Address) -> Account | None:
        """See L{IDirectory}."""
        for account in self.known.values():
            if address.principal in {each.principal for each in (account.address, *account.aliases)}:
                return account
        return None

    async def search(self, text: str, limit: int) -> tuple[DirectoryEntry, ...]:
        """See L{IDirectory}; finds nobody."""
        return ()

    async def describe(self, address: Address) -> DirectoryEntry | None:
        """See L{IDirectory}; finds nobody."""
        return None

    async def close(self) -> None:
        """See L{IDirectory}."""

    async def add(self, accounts: Sequence[NewAccount], progress: Progress = no_progress) -> None:
        """See L{IAccountAdministration}."""
        for done, new in enumerate(accounts, 1):
            if await self.find(new.address):
                raise AccountExists(str(new.address))
            if new.password is not None and not is_possible_password(new.password):
                raise SyntaxFault("password of 1 to 1024 octets without NUL")
            progress(done)
        for new in accounts:
            address = Address.parse(str(new.address).lower())
            self.known[address.principal] = Account(address, new.plan, new.display_name, quota=new.quota)
            self.passwords[address.principal] = new.password

    async def accounts(self) -> tuple[Account, ...]:
        """See L{IAccountAdministration}."""
        return tuple(self.known[name] for name in sorted(self.known))

    async def set_password(self, address: Address, password: str) -> None:
        """See L{IAccountAdministration}."""
        self._require(address)
        self.passwords[address.principal] = password

    async def change(self, account: Account) -> None:
        """See L{IAccountAdministration}."""
        self._require(account.address)
        self.known[account.principal] = account

    async def remove(self, address: Address) -> None:
        """See L{IAccountAdministration}."""
        self._require(address)
        del self.known[address.principal]

    def _require(self, address: Address) -> None:
        if address.principal not in self.known:
            raise NoSuchAccount(str(address))


class Administered:
    """
    Operations and all they work with.

    @ivar reloads: how often the configuration was read again; C{forgiven}: for whom failures were forgotten.
    """

    def __init__(self, **collaborators: Any) -> None:
        clock: Any = Clock()
        clock.callFromThread = lambda function, *args: function(*args)
        self.clock = clock
        self.config = replace(Config(ServerConfig("mail.example.com", ("example.com",))), plans=PLANS)
        self.directory = DictDirectory()
        self.store = MemoryStore(PlainReader(), clock, Limits(100, 100))
        plans = Plans(PLANS)
        self.ledger = ConnectionLedger(plans, LimitsConfig(), Prefixes(), clock)
        self.reloads = 0
        self.forgiven: list[str | None] = []
        settings: dict[str, Any] = {
            "config": lambda: self.config,
            "directory": self.directory,
            "administration": self.directory,
            "store": lambda: self.store,
            "quota": plans.quota,
            "ledger": self.ledger,
            "status": lambda: {"version": "1.2.3", "listeners": [["imaps", "tcp:993"]], "started": 0.0},
            "reload": self._reload,
            "failures": lambda: {"203.0.113.7": 3},
            "forgive": self.forgiven.append,
            "entries": entry_rules(maybeDeferred),
        }
        self.operations = Operations(Collaborators(**{**settings, **collaborators}))

    def _reload(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        self.reloads += 1
        return ("tls", "plans"), ("listen",)
