"""
Where a recipient's copy goes (DESIGN §7): one answer for every producer of mail.
"""

from __future__ import annotations

from typing import Protocol

from twisted.logger import Logger

from trekd.config.schema import PlanConfig, ServerConfig
from trekd.directory.interfaces import Account, Alias, Group, IDirectory, Status
from trekd.errors import NoSuchRecipient, NotPermitted, PlanForbidsRelay, RelayDenied
from trekd.queue.interfaces import Route, RouteKind
from trekd.values import Address

LOCAL = Route(RouteKind.LOCAL)
RELAY = Route(RouteKind.RELAY)

Found = Account | Group | Alias

_ROLES = frozenset({"postmaster", "abuse"})

log = Logger()


class Plans(Protocol):
    """What an account may use."""

    def of(self, account: Account) -> PlanConfig:
        """The plan that applies to the account."""

    def quota(self, account: Account) -> int:
        """The account's quota in octets, 0 for no limit."""


class Routing:
    """
    Answers by directory and plan; the account asked for is the authenticated one, never the reverse-path's.
    """

    def __init__(self, directory: IDirectory, server: ServerConfig, plans: Plans) -> None:
        self._directory = directory
        self._domains = frozenset(domain.lower() for domain in server.domains)
        self._postmaster = Address.parse(server.postmaster)
        self._plans = plans

    def complete(self, address: Address) -> Address:
        """C{Postmaster} without a domain is this host's (RFC 5321 §4.5.1)."""
        return address if address.domain else self._postmaster

    async def find(self, address: Address) -> Found | None:
        """
        Who gets mail for an address, its C{+tag} disregarded when nobody has the whole (RFC 5233 §1).

        @raise DirectoryDown: no verdict.
        """
        found = await self._directory.find(address)
        if found is None and address.without_tag != address:
            found = await self._directory.find(address.without_tag)
        if found is None and address.local.lower() in _ROLES and address.domain in self._domains:
            return await self._role(address)
        return found

    async def _role(self, address: Address) -> Alias | None:
        """An address that every domain has to have stands for this host's postmaster (RFC 5321 §4.5.1, RFC 2142 §2)."""
        target = self._postmaster
        if target == address or (target.domain in self._domains and await self._directory.find(target) is None):
            log.warn("mail for {address} is refused: [server] postmaster has no account", address=str(address))
            return None
        return Alias(address, (target,))

    async def resolve(self, account: Account | None, recipient: Address) -> Route:
        """See L{trekd.queue.interfaces.IMailFlow.resolve}."""
        recipient = self.complete(recipient)
        if recipient.domain in self._domains or "*" in self._domains:
            found = await self.find(recipient)
            if isinstance(found, Account) and found.status is Status.DISABLED:
                raise NotPermitted
            if found is not None:
                return LOCAL
            if self._is_ours(recipient.domain, account):
                raise NoSuchRecipient
        return self._outside(account)

    def _is_ours(self, domain: str, account: Account | None) -> bool:
        """Whether a domain is served here: with C{*} at least the submitter's own is."""
        return domain in self._domains or (account is not None and account.address.domain == domain)

    def _outside(self, account: Account | None) -> Route:
        if account is None:
            raise RelayDenied
        if self._plans.of(account).outbound == "own-smtp-only":
            raise PlanForbidsRelay
        return RELAY
