"""
The avatar: an account that is logged in.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.mail.interfaces import IAccountIMAP, IMailboxIMAPInfo, IMessageDelivery
from zope.interface import implementer

from trekd.directory.interfaces import Account
from trekd.portal.interfaces import IMailUser
from trekd.store.interfaces import IAccountStore, MailboxState
from trekd.values import MailboxName


@implementer(IMailboxIMAPInfo)
class MailboxFacts:
    """What a plugin's listing sees of a mailbox."""

    def __init__(self, state: MailboxState) -> None:
        self._state = state

    def getFlags(self) -> tuple[str, ...]:
        """See C{IMailboxIMAPInfo}: the special-use attributes."""
        return self._state.special_use

    def getHierarchicalDelimiter(self) -> str:
        """See C{IMailboxIMAPInfo}."""
        return MailboxName.DELIMITER


@implementer(IMailUser, IAccountIMAP, IMessageDelivery)
class MailUser:
    """
    An account with its mailboxes.

    TrekMail's own sessions use L{store}; the Twisted interfaces are for plugins.  They do what those interfaces can
    express: mailboxes are made, removed, renamed, listed and subscribed to.  Messages are not: a stock mailbox hands
    out parsed message objects and fixed sequence numbers, and stock delivery has no route, so those methods raise
    C{NotImplementedError} and name what to use.  Names are decoded, as C{twisted.mail.imap4} hands them.
    """

    def __init__(self, account: Account, store: IAccountStore) -> None:
        self.account = account
        self.store = store

    # IAccountIMAP

    def addMailbox(self, name: str, mbox: object = None) -> Deferred[bool]:
        """See C{IAccountIMAP}; only mailboxes of the account's own store."""
        if mbox is not None:
            raise NotImplementedError("a mailbox cannot be mounted: every mailbox lives in the account's store")
        return self.create(name)

    def create(self, pathspec: str) -> Deferred[bool]:
        """See C{IAccountIMAP}."""
        return Deferred.fromCoroutine(self._create(MailboxName(pathspec)))

    def select(self, name: str, rw: bool = True) -> Deferred[object]:
        """See C{IAccountIMAP}; not possible here."""
        raise NotImplementedError("open mailboxes through IMailUser(avatar).store.open")

    def delete(self, name: str) -> Deferred[bool]:
        """See C{IAccountIMAP}."""
        return Deferred.fromCoroutine(self._delete(MailboxName(name)))

    def rename(self, oldname: str, newname: str) -> Deferred[bool]:
        """See C{IAccountIMAP}."""
        return Deferred.fromCoroutine(self._rename(MailboxName(oldname), MailboxName(newname)))

    def isSubscribed(self, name: str) -> Deferred[bool]:
        """See C{IAccountIMAP}."""
        return Deferred.fromCoroutine(self._is_subscribed(MailboxName(name)))

    def subscribe(self, name: str) -> Deferred[bool]:
        """See C{IAccountIMAP}."""
        return Deferred.fromCoroutine(self._subscribe(MailboxName(name)))

    def unsubscribe(self, name: str) -> Deferred[bool]:
        """See C{IAccountIMAP}."""
        return Deferred.fromCoroutine(self._unsubscribe(MailboxName(name)))

    def listMailboxes(self, ref: str, wildcard: str) -> Deferred[list[tuple[str, MailboxFacts]]]:
        """See C{IAccountIMAP}."""
        return Deferred.fromCoroutine(self._list(ref + wildcard))

    # IMessageDelivery

    def receivedHeader(self, helo: object, origin: object, recipients: object) -> bytes:
        """See C{IMessageDelivery}; not possible here."""
        raise NotImplementedError(_NO_DELIVERY)

    def validateFrom(self, helo: object, origin: object) -> object:
        """See C{IMessageDelivery}; not possible here."""
        raise NotImplementedError(_NO_DELIVERY)

    def validateTo(self, user: object) -> object:
        """See C{IMessageDelivery}; not possible here."""
        raise NotImplementedError(_NO_DELIVERY)

    async def _create(self, name: MailboxName) -> bool:
        await self.store.create(name)
        return True

    async def _delete(self, name: MailboxName) -> bool:
        await self.store.delete(name)
        return True

    async def _rename(self, source: MailboxName, target: MailboxName) -> bool:
        await self.store.rename(source, target)
        return True

    async def _is_subscribed(self, name: MailboxName) -> bool:
        return name in await self.store.subscriptions()

    async def _subscribe(self, name: MailboxName) -> bool:
        await self.store.subscribe(name)
        return True

    async def _unsubscribe(self, name: MailboxName) -> bool:
        await self.store.unsubscribe(name)
        return True

    async def _list(self, pattern: str) -> list[tuple[str, MailboxFacts]]:
        states = await self.store.mailboxes()
        return [(str(state.name), MailboxFacts(state)) for state in states if _matches(str(state.name), pattern)]


_NO_DELIVERY = "hand messages to TrekMail's mail flow (trekd.queue.interfaces.IMailFlow), which knows every route"


def _matches(name: str, pattern: str) -> bool:
    """
    Whether a mailbox's name matches a pattern with C{*} and C{%} (RFC 3501 §6.3.8).

    Takes time in proportion to name times pattern, whatever the pattern.
    """
    reached = {0}
    for symbol in pattern:
        if symbol == "*":
            reached = set(range(min(reached), len(name) + 1))
        elif symbol == "%":
            reached = _stretched(name, reached)
        else:
            reached = {at + 1 for at in reached if name[at : at + 1] == symbol}
        if not reached:
            return False
    return len(name) in reached


def _stretched(name: str, reached: set[int]) -> set[int]:
    """All positions reached from the given ones without crossing a delimiter."""
    positions: set[int] = set()
    inside = False
    for at in range(len(name) + 1):
        inside = at in reached or (inside and name[at - 1] != MailboxName.DELIMITER)
        if inside:
            positions.add(at)
    return positions
