"""
From verified credentials to an avatar, counted by the ledger on the way.
"""

from __future__ import annotations

from typing import Any

from twisted.cred.portal import IRealm
from twisted.internet.defer import Deferred
from twisted.mail.interfaces import IAccountIMAP, IMessageDelivery
from zope.interface import Interface, implementer

from trekd.directory.interfaces import Account, IDirectory, Status
from trekd.errors import AccountSuspended, BadCredentials
from trekd.portal.avatar import MailUser
from trekd.portal.interfaces import ILease, IMailUser, Logout
from trekd.portal.plans import Plans
from trekd.store.interfaces import IStore
from trekd.values import Address

_OFFERED = (IAccountIMAP, IMessageDelivery, IMailUser)

Granted = tuple[type[Interface], object, Logout]


@implementer(IRealm)
class MailRealm:
    """
    Makes L{MailUser} avatars for C{IAccountIMAP}, C{IMessageDelivery} and L{IMailUser}.

    The mind is the connection's lease (L{ILease}); C{None}, from protocols that are not ours, is not counted.  Only
    C{IAccountIMAP} takes one of the plan's slots.
    """

    def __init__(self, directory: IDirectory, store: IStore, plans: Plans) -> None:
        self._directory = directory
        self._store = store
        self._plans = plans

    def requestAvatar(
        self, avatarId: bytes | tuple[()], mind: object, *interfaces: type[Interface]
    ) -> Deferred[Granted]:
        """
        See C{IRealm}.

        @raise NotImplementedError: none of the interfaces is offered.
        @raise TooManyConnections: the plan allows no more.
        @raise BadCredentials: the account is gone; L{AccountSuspended} when it may not log in any more.
        """
        wanted = next((interface for interface in interfaces if interface in _OFFERED), None)
        if wanted is None:
            raise NotImplementedError(f"avatars are offered for {', '.join(each.__name__ for each in _OFFERED)}")
        return Deferred.fromCoroutine(self._grant(avatarId, mind, wanted))

    async def _grant(self, avatar_id: bytes | tuple[()], mind: Any, wanted: type[Interface]) -> Granted:
        account = await self._account(avatar_id)
        lease = None if mind is None else ILease(mind)
        if lease is not None:
            await lease.log_in(account, wanted is IAccountIMAP)
        logout = _nothing_to_do if lease is None else lease.log_out
        try:
            store = await self._store.open(account.principal, self._plans.quota(account))
        except BaseException:
            logout()
            raise
        return wanted, MailUser(account, store), logout

    async def _account(self, avatar_id: bytes | tuple[()]) -> Account:
        """The account as it is now: it may have changed since the password was remembered."""
        if not isinstance(avatar_id, bytes):
            raise BadCredentials()
        account = await self._directory.find(Address.parse(avatar_id.decode()))
        if not isinstance(account, Account):
            raise BadCredentials()
        if account.status is not Status.ACTIVE:
            raise AccountSuspended(account.principal)
        return account


def _nothing_to_do() -> None:
    """Log out where nothing was counted."""
