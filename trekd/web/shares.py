"""
What C{trekctl share} can ask for.
"""

from __future__ import annotations

from trekd.errors import NotPermitted, SyntaxFault
from trekd.portal.interfaces import IShares
from trekd.store.collections import EVERYONE, Right
from trekd.values import PrincipalId
from trekd.web.bodies import full_address, object_of, text_of
from trekd.web.collaborators import Collaborators, Facts

EVERYBODY = "everybody"
"""What stands for all accounts of this host."""


class ShareOperations:
    """See L{trekd.web.operations}."""

    def __init__(self, collaborators: Collaborators) -> None:
        self._with = collaborators

    async def list_all(self, owner: str) -> list[Facts]:
        """Who else may do what with an account's calendars and address books."""
        account = await self._with.account(owner)
        return [
            {
                "collection": each.collection,
                "grantee": each.grantee or EVERYBODY,
                "right": each.right.value,
                "shown": each.is_shown,
            }
            for each in await self._shares().shares(account)
        ]

    async def give(self, owner: str, body: object) -> Facts:
        """
        Give C{grantee}, an address or C{everybody}, a C{right} to a C{collection} of an account.

        @raise SyntaxFault: there is no such right.
        """
        fields = object_of(body, "collection", "grantee", "right")
        account = await self._with.account(owner)
        name = text_of(fields, "grantee", "")
        grantee = EVERYONE if name == EVERYBODY else (await self._with.account(name)).principal
        if grantee == account.principal:
            raise NotPermitted("that is the owner, who may do everything")
        try:
            right = Right(text_of(fields, "right", ""))
        except ValueError:
            raise SyntaxFault(" or ".join(each.value for each in Right)) from None
        collection = text_of(fields, "collection", "")
        await self._shares().change(account, collection, grantee, right)
        return {"collection": collection, "grantee": grantee or EVERYBODY, "right": right.value}

    async def take(self, owner: str, collection: str, grantee: str) -> Facts:
        """Take what C{grantee}, who may have left the directory, was given."""
        account = await self._with.account(owner)
        who: PrincipalId = EVERYONE if grantee == EVERYBODY else full_address(grantee).principal
        await self._shares().change(account, collection, who, None)
        return {"collection": collection, "grantee": who or EVERYBODY}

    def _shares(self) -> IShares:
        """
        @raise NotPermitted: no daemon runs.
        """
        if self._with.shares is None:
            raise NotPermitted("no daemon runs")
        return self._with.shares
