"""
Other accounts: who they are, what is theirs, and what who asks may do with it.

An account's calendars can be open to somebody as a whole (L{PROXIES}), and each collection by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from trekd.directory.interfaces import Account, Status
from trekd.errors import SyntaxFault
from trekd.portal.access import Permission, may_know, permissions
from trekd.store.collections import CollectionId, CollectionKind, CollectionState, ICollections, Right
from trekd.values import Address, PrincipalId

if TYPE_CHECKING:
    from trekd.dav.exchange import Exchange

PROXIES = "proxies"
"""
Name of the collection beside an account's file area whose grants hold for all of its calendars; nothing is in it.
"""

_PROXIED = (CollectionKind.CALENDAR, CollectionKind.INBOX)

Grants = Mapping[PrincipalId, Right]


async def account_of(exchange: Exchange, name: str) -> Account | None:
    """
    An account that is in use, by its address whatever the letter case; C{None} for any other name, an alias's and a
    disabled account's too.

    @raise DirectoryDown: no verdict.
    """
    try:
        address = Address.parse(name)
    except SyntaxFault:
        return None
    if address.principal == exchange.principal:
        return exchange.user.account

    async def find() -> Account | None:
        found = await exchange.site.directory.find(address)
        if not isinstance(found, Account) or found.status is Status.DISABLED or found.principal != address.principal:
            return None
        return found

    return await exchange.once(("account", address.principal), find)


async def known_account(exchange: Exchange, name: str) -> Account | None:
    """As L{account_of}, and C{None} for one that who asks may not know of."""
    account = await account_of(exchange, name)
    scope = exchange.site.config.directory_book
    return account if account is not None and may_know(exchange.user.account, account.address, scope) else None


async def shelf_of(exchange: Exchange, name: str) -> ICollections | None:
    """
    The collections of an account; C{None}: there is no such account.

    @raise Unavailable: nobody can tell, or the store does not answer.
    """
    account = await account_of(exchange, name)
    if account is None:
        return None
    principal = account.principal
    if principal == exchange.principal:
        return exchange.shelf

    async def opened() -> ICollections:
        found: ICollections = ICollections(await exchange.site.store.open(principal, exchange.site.quota(account)))
        return found

    return await exchange.once(("shelf", principal), opened)


async def grants_of(exchange: Exchange, shelf: ICollections, state: CollectionState) -> Grants:
    """What the owner of a collection gave to others, for this one alone."""
    found: Mapping[CollectionId, Grants] = await exchange.once(("grants", shelf.principal), shelf.all_grants)
    return found.get(state.id, {})


async def proxies_of(exchange: Exchange, shelf: ICollections) -> CollectionState | None:
    """The collection that stands for all of an account's calendars; C{None}: it was not needed yet."""
    for state in await exchange.collections(shelf):
        if state.parent is None and state.kind is CollectionKind.FILES and state.name == PROXIES:
            return state
    return None


async def proxy_grants(exchange: Exchange, shelf: ICollections) -> Grants:
    """To whom an account's calendars are open as a whole."""
    state = await proxies_of(exchange, shelf)
    return {} if state is None else await grants_of(exchange, shelf, state)


async def collection_permission(exchange: Exchange, shelf: ICollections, state: CollectionState) -> Permission:
    """What who asks may do with a collection."""
    if shelf.principal == exchange.principal:
        return permissions(exchange.principal, shelf.principal)
    grants = [await grants_of(exchange, shelf, state)]
    if state.kind in _PROXIED:
        grants.append(await proxy_grants(exchange, shelf))
    return permissions(exchange.principal, shelf.principal, *grants)


async def home_permission(
    exchange: Exchange, shelf: ICollections, kinds: tuple[CollectionKind, ...]
) -> Permission:
    """What who asks may do with an account's home: see it when there is something in it to see."""
    if shelf.principal == exchange.principal:
        return permissions(exchange.principal, shelf.principal)
    found = Permission.NONE
    if CollectionKind.CALENDAR in kinds:
        found = permissions(exchange.principal, shelf.principal, await proxy_grants(exchange, shelf))
    for state in await exchange.collections(shelf):
        if Permission.READ in found:
            break
        if state.parent is None and state.kind in kinds:
            inside = await collection_permission(exchange, shelf, state)
            found |= inside & (Permission.READ | Permission.SEE_BUSY)
    return found
