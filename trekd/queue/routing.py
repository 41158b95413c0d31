"""
Where a recipient's copy goes (DESIGN §7): one answer for every producer of mail.
"""

from __future__ import annotations

from typing import Protocol

from trekd.config.schema import PlanConfig, ServerConfig
from trekd.directory.interfaces import Account, Alias, Group, IDirectory, Status
from trekd.errors import NoSuchRecipient, NotPermitted, PlanForbidsRelay, ProfileGone, RelayDenied
from trekd.queue.interfaces import IProfiles, Recipient, Route, RouteKind
from trekd.values import Address, PrincipalId

LOCAL = Route(RouteKind.LOCAL)
RELAY = Route(RouteKind.RELAY)

ROUTE_PATIENCE = 24 * 3600.0
"""Seconds for which a copy waits that lost its route, before its sender is told (5.7.1)."""

Found = Account | Group | Alias


class Plans(Protocol):
    """What an account may use."""

    def of(self, account: Account) -> PlanConfig:
        """The plan that applies to the account."""

    def quota(self, account: Account) -> int:
        """The account's quota in octets, 0 for no limit."""


class Routing:
    """
    Answers by directory and plan; the account asked for is the authenticated one, never the reverse-path's.

    @ivar hostname: this host's.
    """

    def __init__(
        self, directory: IDirectory, server: ServerConfig, plans: Plans, profiles: IProfiles, help: str = ""
    ) -> None:
        """
        @param help: where users read how to set up their own SMTP provider.
        """
        self.hostname = server.hostname
        self._directory = directory
        self._profiles = profiles
        self._help = help
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
        return found

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
        return await self._outside(account)

    async def resolve_own(self, recipient: Address) -> Route:
        """
        The route for mail of this host itself, such as a postmaster's notices: no account's, so by the server.

        @raise NoSuchRecipient: the domain is ours, the address is nobody's.
        @raise NotPermitted: the recipient's account is disabled.
        @raise DirectoryDown: no verdict.
        """
        try:
            return await self.resolve(None, recipient)
        except RelayDenied:
            return RELAY

    async def recheck(self, principal: PrincipalId | None, recipient: Recipient) -> Route:
        """
        The route that a waiting copy takes now, asked before each attempt: its sender may have another profile since,
        and what a plan or a profile allowed when the message came may be gone.

        @param principal: the submitter, C{None} for mail of this host or of other servers.
        @return: the route, which may differ from the recipient's.
        @raise ProfileGone: it was to take the sender's own SMTP provider, and there is none any more.
        @raise PlanForbidsRelay: the plan was lowered.  After either, hold the copy for L{ROUTE_PATIENCE}.
        @raise Unavailable: no verdict; try again later, by no other route.
        """
        route = recipient.route
        if route.kind is RouteKind.LOCAL or principal is None:
            return route
        account = await self.find(Address.parse(principal))
        current = await self._outside(account) if isinstance(account, Account) else RELAY
        if route.kind is RouteKind.OWN_SMTP and current.kind is not RouteKind.OWN_SMTP:
            raise ProfileGone(route.profile)
        return current

    def _is_ours(self, domain: str, account: Account | None) -> bool:
        """Whether a domain is served here: with C{*} at least the submitter's own is."""
        return domain in self._domains or (account is not None and account.address.domain == domain)

    async def _outside(self, account: Account | None) -> Route:
        """The account's own profile, its domain's, the default; then its plan; then the server's way."""
        if account is None:
            raise RelayDenied
        profile = await self._profiles.assigned(account)
        if profile:
            return Route(RouteKind.OWN_SMTP, profile)
        if self._plans.of(account).outbound == "own-smtp-only":
            raise PlanForbidsRelay(str(account.address), self._help)
        return RELAY
