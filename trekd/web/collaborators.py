"""
What the operations of C{trekctl} work with, and the questions that all of them ask.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trekd.config.schema import Config
from trekd.directory.interfaces import Account, IAccountAdministration, IDirectory, IDirectoryDiagnosis
from trekd.dns.interfaces import IResolver
from trekd.errors import NoSuchAccount, NotPermitted
from trekd.filters.interfaces import ISettings
from trekd.mailauth.interfaces import IDomainKeys
from trekd.portal.interfaces import ILedger, IShares
from trekd.queue.interfaces import IQueueControl, IUsage
from trekd.relay.interfaces import IDemands, IProbe, IProfileAdministration, ITLSCounts
from trekd.store.interfaces import IAccountStore, IStore
from trekd.values import Address, PrincipalId
from trekd.web.bodies import full_address

if TYPE_CHECKING:
    from trekd.web.entries import EntryRules

Facts = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Collaborators:
    """
    What the operations work with.

    @ivar config: gives the configuration in force.
    @ivar administration: C{None} when the directory is not ours to change.
    @ivar store: gives the store.
    @ivar quota: gives an account's quota in octets, 0 for no limit.
    @ivar ledger: C{None} when no daemon runs; likewise the others below.
    @ivar status: gives what C{trekctl status} shows beside the sessions: version, start, listeners.
    @ivar reload: gives the sections taken over, and those that need a restart.
    @ivar failures: gives failed logins that count, by address prefix or account.
    @ivar forgive: lets those of one prefix or account, or all, no longer count.
    @ivar diagnosis: C{None} when the directory has nothing to say about how it answers.
    @ivar flush: forgets what is remembered of an account, or all.
    @ivar settings: gives what accounts have set about their incoming mail.
    @ivar keys: the keys that mail is signed with; files are enough for them.
    @ivar resolver: C{None} where no names are looked up.
    @ivar sts_policy: gives our own MTA-STS policy as it is served.
    @ivar demands: C{None} when no daemon runs; likewise C{counts}.
    @ivar queue: the mail that waits.
    @ivar entries: what calendars and address books hold; C{None}: there are none.
    @ivar lanes: gives the state of queue lanes that are known, by lane: C{open}, C{since} (Unix seconds), C{reply}.
    @ivar shares: C{None} when no daemon runs.
    """

    config: Callable[[], Config]
    directory: IDirectory
    administration: IAccountAdministration | None
    store: Callable[[], IStore]
    quota: Callable[[Account], int]
    ledger: ILedger | None = None
    status: Callable[[], Facts] = dict
    reload: Callable[[], tuple[tuple[str, ...], tuple[str, ...]]] = lambda: ((), ())
    failures: Callable[[], Mapping[str, int]] = dict
    forgive: Callable[[str | None], None] = lambda key: None
    diagnosis: IDirectoryDiagnosis | None = None
    flush: Callable[[Address | None], None] = lambda address: None
    settings: Callable[[], ISettings | None] = lambda: None
    keys: IDomainKeys | None = None
    resolver: IResolver | None = None
    sts_policy: Callable[[], bytes] = bytes
    demands: IDemands | None = None
    counts: ITLSCounts | None = None
    queue: IQueueControl | None = None
    profiles: IProfileAdministration | None = None
    probe: IProbe | None = None
    usage: IUsage | None = None
    lanes: Callable[[], Mapping[str, Facts]] = dict
    entries: EntryRules | None = None
    shares: IShares | None = None

    def required_ledger(self) -> ILedger:
        """
        The ledger.

        @raise NotPermitted: no daemon runs.
        """
        if self.ledger is None:
            raise NotPermitted("no daemon runs")
        return self.ledger

    def required_settings(self) -> ISettings:
        """
        What accounts have set.

        @raise NotPermitted: no daemon runs.
        """
        settings = self.settings()
        if settings is None:
            raise NotPermitted("no daemon runs")
        return settings

    def required_administration(self) -> IAccountAdministration:
        """
        What changes accounts.

        @raise NotPermitted: they are kept elsewhere.
        """
        if self.administration is None:
            backend = self.config().directory.backend
            raise NotPermitted(f"accounts are kept in the {backend} directory; change them there")
        return self.administration

    def required_keys(self) -> IDomainKeys:
        """
        The signing keys.

        @raise NotPermitted: they are not to be had here.
        """
        if self.keys is None:
            raise NotPermitted("there are no signing keys here")
        return self.keys

    async def account(self, address: str) -> Account:
        """
        The account that an address means.

        @raise NoSuchAccount: there is none; L{SyntaxFault} for what is no full address.
        """
        found = await self.directory.find(full_address(address))
        if not isinstance(found, Account):
            raise NoSuchAccount(address)
        return found

    async def open_store(self, account: Account) -> IAccountStore:
        """An account's mail."""
        return await self.store().open(account.principal, self.quota(account))

    async def stored(self, address: str) -> PrincipalId:
        """The account with mail that an address means; it may have left the directory."""
        parsed = full_address(address)
        found = await self.directory.find(parsed)
        principal = found.principal if isinstance(found, Account) else parsed.principal
        if principal not in await self.store().accounts() and not isinstance(found, Account):
            raise NoSuchAccount(address)
        return principal

    async def open_stored(self, principal: PrincipalId) -> IAccountStore:
        """An account's mail, also when the account has left the directory."""
        found = await self.directory.find(full_address(principal))
        if isinstance(found, Account) and found.principal == principal:
            return await self.open_store(found)
        return await self.store().open(principal)

    def check_served(self, address: Address) -> None:
        """
        See that an address is in a domain of ours.

        @raise NotPermitted: it is not.
        """
        domains = self.config().server.domains
        if address.domain not in domains and "*" not in domains:
            raise NotPermitted(f"{address}: {address.domain} is not one of [server] domains ({', '.join(domains)})")
