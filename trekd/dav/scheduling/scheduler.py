"""
Sending: to accounts of this host at once, to everybody else by mail; what became of it is told in the object.
"""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine, Sequence
from typing import Any

from twisted.internet.defer import Deferred, DeferredSemaphore, gatherResults
from twisted.logger import Logger

from trekd.dav.exchange import Site
from trekd.dav.scheduling.delivery import TRIES, Delivery
from trekd.dav.scheduling.journal import Entry, Journal, MemoryJournal, Message
from trekd.dav.scheduling.mailout import write_mail
from trekd.dav.scheduling.people import (
    FAILED,
    SENT,
    UNKNOWN,
    Found,
    Local,
    Nobody,
    Outside,
    find,
    status_of,
)
from trekd.dav.scheduling.planning import refreshed, with_statuses
from trekd.directory.interfaces import Account
from trekd.errors import CollectionRefused, ConditionFailed, TrekError
from trekd.queue.interfaces import IMailFlow, MailTransaction, Recipient
from trekd.store.collections import CollectionId, Condition, ICollections
from trekd.store.interfaces import InMemory
from trekd.values import Address

log = Logger()

AT_ONCE = 8
"""Accounts that are delivered to at the same time."""

WAITED_FOR = 50
"""Recipients up to which an answer waits for delivery; more are delivered to after it."""

MOST_REFRESHED = 50
"""Attendees up to which all are told of each answer."""


class Scheduler:
    """
    Sends messages.

    @ivar mail: C{None}: nobody is reached by mail.
    @ivar journal: what is under way.
    """

    def __init__(self, site: Site, mail: IMailFlow | None = None, journal: Journal | None = None) -> None:
        self.site = site
        self.mail = mail
        self.journal: Journal = journal or MemoryJournal()
        self._turns = DeferredSemaphore(AT_ONCE)
        self._running: set[Deferred[None]] = set()

    def start(self) -> None:
        """Send what was under way when the daemon ended."""
        self.in_background(self.recover())

    async def close(self) -> None:
        """Finish what is under way."""
        await gatherResults([self._ended(each) for each in self._running])

    def in_background(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something that nobody waits for."""
        running = Deferred.fromCoroutine(work)
        running.addErrback(lambda failure: log.failure("messages were not sent", failure))
        if not running.called:
            self._running.add(running)
            running.addBoth(lambda result: self._running.discard(running))

    @staticmethod
    def _ended(running: Deferred[None]) -> Deferred[None]:
        ended: Deferred[None] = Deferred()
        running.addBoth(lambda result: ended.callback(None))
        return ended

    async def shelf_of(self, account: Account) -> ICollections:
        """
        An account's collections.

        @raise Unavailable: they cannot be opened now.
        """
        store = await self.site.store.open(account.principal, self.site.quota(account))
        found: ICollections = ICollections(store)
        return found

    # --- Sending

    async def finish(self, account: Account, shelf: ICollections, entry: Entry, identifier: str) -> None:
        """
        Send the messages of a change that is stored, and tell in the object what became of them.

        @param account: whose calendar it is.
        """
        statuses = await self.send(account, entry.messages)
        if entry.tag:
            await self._record(shelf, entry, statuses)
        await self.journal.remove(identifier)

    async def send(self, account: Account, messages: Sequence[Message]) -> dict[str, str]:
        """
        Send messages, in their order to each recipient.

        @return: SCHEDULE-STATUS by recipient.
        """
        statuses: dict[str, str] = {}
        for message in messages:
            found = await self._every([self._find(account, who) for who in message.recipients])
            pairs = list(zip(message.recipients, found, strict=True))
            local = [(who, each) for who, each in pairs if isinstance(each, Local)]
            results = await self._every([self.deliver(each, message) for _, each in local])
            statuses.update(zip((who for who, _ in local), results, strict=True))
            statuses.update({who: each.status for who, each in pairs if isinstance(each, Nobody)})
            outside = {who: each for who, each in pairs if isinstance(each, Outside)}
            statuses.update(await self._post(account, message, outside))
        return statuses

    async def _find(self, account: Account, person: str) -> Found:
        return await find(self.site.directory, self.mail, account, person)

    async def _every(self, work: Sequence[Coroutine[Any, Any, Any]]) -> list[Any]:
        """A few at once; results in order."""

        async def one(each: Awaitable[Any]) -> Any:
            await self._turns.acquire()
            try:
                return await each
            finally:
                self._turns.release()

        return await gatherResults([Deferred.fromCoroutine(one(each)) for each in work])

    async def deliver(self, to: Local, message: Message, is_quiet: bool = False) -> str:
        """
        Deliver to an account of this host.

        @return: SCHEDULE-STATUS.
        """
        try:
            shelf = await self.shelf_of(to.account)
            delivery = Delivery(shelf, to.own, self.site.off_reactor, is_quiet)
            status = await delivery.deliver(message.octets)
        except TrekError:
            return FAILED
        except Exception:
            log.failure("a message cannot be delivered", principal=to.account.principal)
            return FAILED
        log.info(
            "{method} for {principal}: {status}",
            method=message.method,
            principal=to.account.principal,
            status=status,
        )
        if message.method == "REPLY" and delivery.changed is not None:
            self.in_background(self._refresh(to, shelf, delivery.changed, message))
        return status

    async def _refresh(
        self, to: Local, shelf: ICollections, place: tuple[CollectionId, str], reply: Message
    ) -> None:
        """Tell the other attendees of this host of an answer (RFC 6638 §4.2)."""
        found = await shelf.contents(place[0], (place[1],))
        if not found:
            return
        now = int(self.site.time_of_day())
        messages = await self.site.off_reactor(refreshed, found[0][1], reply.octets, to.own, now, MOST_REFRESHED)
        for message in messages:
            other = await find(self.site.directory, None, to.account, message.recipients[0])
            if isinstance(other, Local):
                await self.deliver(other, message, is_quiet=True)

    async def _post(self, account: Account, message: Message, outside: dict[str, Outside]) -> dict[str, str]:
        """One mail to everybody who is reached by mail."""
        if not outside or self.mail is None:
            return dict.fromkeys(outside, UNKNOWN)
        people = {str(each.address): each for each in outside.values()}
        recipients = tuple(Recipient(each.address, each.route) for each in people.values())
        try:
            sender, octets = await self.site.off_reactor(
                write_mail, account, [each.address for each in people.values()], message.octets,
                int(self.site.time_of_day()),
            )  # fmt: skip
            utf8 = _needs_utf8(sender, recipients)
            transaction = MailTransaction(sender, recipients, account.principal, smtputf8=utf8)
            outcomes = await self.mail.accept(transaction, InMemory(octets))
        except TrekError as error:
            return dict.fromkeys(outside, status_of(error))
        results = {
            str(each.recipient.address): SENT if each.failure is None else status_of(each.failure) for each in outcomes
        }
        return {who: results.get(str(each.address), FAILED) for who, each in outside.items()}

    async def _record(self, shelf: ICollections, entry: Entry, statuses: dict[str, str]) -> None:
        """Tell in an object what became of its messages, unless it was changed since (RFC 6638 §3.2.9)."""
        place = CollectionId(entry.collection)
        try:
            for _ in range(TRIES):
                found = await shelf.contents(place, (entry.name,))
                if not found or found[0][0].schedule_tag != entry.tag:
                    return
                new = await self.site.off_reactor(with_statuses, entry.name, found[0][1], statuses)
                if new is None:
                    return
                try:
                    await shelf.put(place, new, Condition(etags=(found[0][0].etag,)))
                except ConditionFailed:
                    continue
                return
        except CollectionRefused as error:
            log.info("statuses not told: {error}", principal=shelf.principal, error=type(error).__name__)

    # --- After a crash

    async def recover(self) -> None:
        """Send again what was under way, where the change that caused it was stored."""
        for identifier, entry in await self.journal.entries():
            try:
                await self._resume(identifier, entry)
            except TrekError as error:
                log.warn("messages wait for the next start: {error}", error=type(error).__name__)

    async def _resume(self, identifier: str, entry: Entry) -> None:
        account = await self.site.directory.find(Address.parse(entry.principal))
        if not isinstance(account, Account):
            await self.journal.remove(identifier)
            return
        shelf = await self.shelf_of(account)
        try:
            found = await shelf.items(CollectionId(entry.collection), (entry.name,))
        except CollectionRefused:
            found = ()
        is_stored = bool(found) and found[0].schedule_tag == entry.tag
        is_removed = not entry.tag and (not found or found[0].etag != entry.etag)
        if (entry.tag and is_stored) or is_removed:
            log.info("messages are sent that were under way", principal=account.principal)
            await self.finish(account, shelf, entry, identifier)
        else:
            await self.journal.remove(identifier)


def _needs_utf8(sender: Address, recipients: Sequence[Recipient]) -> bool:
    return not (str(sender) + "".join(str(each.address) for each in recipients)).isascii()


def scheduler_of(site: Site) -> Scheduler:
    """The host's one scheduler."""
    found = site.parts.get(Scheduler)
    if not isinstance(found, Scheduler):
        found = site.parts[Scheduler] = Scheduler(site)
    return found
