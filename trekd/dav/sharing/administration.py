"""
What an administrator may do about shares, in the name of their owner.
"""

from __future__ import annotations

from zope.interface import implementer

from trekd.dav.bodies import Body
from trekd.dav.exchange import Exchange, Site
from trekd.dav.nodes import CollectionNode, HomeNode, find
from trekd.dav.paths import Location
from trekd.dav.rights import grants_of
from trekd.dav.sharing.shares import Change, is_shareable, share, shown_to
from trekd.directory.interfaces import Account
from trekd.errors import NoSuchCollection
from trekd.portal.access import Permission
from trekd.portal.interfaces import IMailUser, IShares, Share
from trekd.store.collections import EVERYONE, Right
from trekd.store.interfaces import IAccountStore
from trekd.values import PrincipalId

HOMES = ("calendars", "addressbooks")


@implementer(IMailUser)
class _Owner:
    """An account that is acted for."""

    def __init__(self, account: Account, store: IAccountStore) -> None:
        self.account = account
        self.store = store


@implementer(IShares)
class Shares:
    """See L{IShares}."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def shares(self, owner: Account) -> tuple[Share, ...]:
        """See L{IShares.shares}."""
        exchange = await self._exchange(owner)
        found: list[Share] = []
        for name in HOMES:
            home = await find(exchange, Location((name, owner.principal)))
            assert isinstance(home, HomeNode)
            for node in await home.collections(exchange, Permission.WRITE_ACL):
                found += await self._of(exchange, node)
        return tuple(found)

    async def change(self, owner: Account, collection: str, grantee: PrincipalId, right: Right | None) -> None:
        """See L{IShares.change}."""
        exchange = await self._exchange(owner)
        home, _, name = collection.partition("/")
        location = Location((home, owner.principal, name))
        node = await find(exchange, location) if home in HOMES and name else None
        if not isinstance(node, CollectionNode) or not is_shareable(node) or node.is_link:
            raise NoSuchCollection(collection)
        await share(exchange, node, Change({grantee: right}, is_invitation=True))

    async def _of(self, exchange: Exchange, node: CollectionNode) -> list[Share]:
        grants = await grants_of(exchange, node.shelf, node.state)
        where = f"{node.location.segments[0]}/{node.state.name}"
        return [
            Share(where, grantee, grants[grantee], grantee != EVERYONE and await shown_to(exchange, node, grantee))
            for grantee in sorted(grants)
        ]

    async def _exchange(self, owner: Account) -> Exchange:
        """What the owner themselves would ask with."""
        store = await self._site.store.open(owner.principal, self._site.quota(owner))
        return Exchange(self._site, _Owner(owner, store), "ACL", None, b"", "", {}, Body(0, None, _nobody))


async def _nobody() -> bool:
    return False
