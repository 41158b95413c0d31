"""
Messages that come by mail (RFC 6047): an answer changes the organizer's event, an invitation is in the calendar.

The mail itself is delivered before, untouched.  Only what verified senders say of themselves is entered: an organizer
of their own events, an attendee of their own part.  Verified is who has logged in to submit the mail, and whose domain
vouches for it (DMARC; SPF of that domain where there is no policy; whatever an MTA in front has found, where the
configuration says so).  Everything else stays a mail.  Deviates from RFC 6047 §2.2.2: S/MIME is not looked at; hardly
anybody's program signs, and DKIM says the same of a domain.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from twisted.logger import Logger
from zope.interface import implementer

from trekd.calendar.itip import person
from trekd.calendar.itipreceived import Received, read_message
from trekd.dav.scheduling.journal import Message
from trekd.dav.scheduling.people import Local, persons_of
from trekd.dav.scheduling.scheduler import Scheduler
from trekd.directory.interfaces import Account
from trekd.errors import CollectionRefused, StoreCorrupt, SyntaxFault, TrekError
from trekd.mime.addresses import from_addresses
from trekd.mime.encoded import decode, transfer_decoded
from trekd.mime.header import field_values
from trekd.mime.parameters import content_type
from trekd.mime.parts import Part, unpack
from trekd.mime.scanner import scan
from trekd.queue.interfaces import IDeliveryWitness, Incoming
from trekd.store.interfaces import IMessageSource
from trekd.values import Address, PrincipalId

log = Logger()

LARGEST = 2 * 1024 * 1024
"""Octets of a mail that is looked into."""

MOST_PARTS = 3
"""Messages in one mail that are entered."""

MOST_WAITING = 200
"""Mails that are looked into at the same time; others stay mails."""

_POSSIBLE = (b"multipart/", b"text/calendar")


@implementer(IDeliveryWitness)
class MailWitness:
    """See L{IDeliveryWitness}."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._waiting = 0

    async def delivered(self, account: Account, incoming: Incoming, message: IMessageSource) -> None:
        """See L{IDeliveryWitness.delivered}: what has a calendar in it is entered while the mail's sender goes on."""
        transaction = incoming.transaction
        is_possible = not incoming.is_ours and not transaction.junk and message.size <= LARGEST
        if not is_possible or not (transaction.principal or transaction.author) or not _may_hold(incoming.header):
            return
        if self._waiting >= MOST_WAITING:
            log.info("an invitation by mail is not entered, there are too many", principal=account.principal)
            return
        octets = await message.octets()
        if b"calendar" not in octets.lower():
            return
        self._waiting += 1
        self._scheduler.in_background(self._enter(account, incoming, octets))

    async def _enter(self, account: Account, incoming: Incoming, octets: bytes) -> None:
        try:
            found: Sequence[tuple[Received, bytes]] = await self._scheduler.site.off_reactor(messages_in, octets)
            for told, text in found:
                if await self._is_true(told, incoming):
                    message = Message(told.method, (account.principal,), text)
                    await self._scheduler.deliver(Local(account, persons_of(account)), message)
                else:
                    log.info("a {method} by mail is of nobody known", method=told.method, principal=account.principal)
        except TrekError as error:
            log.info("a mail is not entered: {error}", error=type(error).__name__, principal=account.principal)
        finally:
            self._waiting -= 1

    async def _is_true(self, told: Received, incoming: Incoming) -> bool:
        """Whether a message is from the one whose it is to send (RFC 6047 §2.2.1)."""
        line = told.found.organizer_line if told.is_of_organizer else told.respondent
        if line is None:
            return False
        who = person(line.value)
        transaction = incoming.transaction
        if transaction.principal is not None:
            sender = await self._account(transaction.principal)
            return sender is not None and who in persons_of(sender)
        authors = {each.lower() for each in from_addresses(incoming.header)}
        return authors == {who} and who.rpartition("@")[2] == transaction.author.lower()

    async def _account(self, principal: PrincipalId) -> Account | None:
        found = await self._scheduler.site.directory.find(Address.parse(principal))
        return found if isinstance(found, Account) else None


def _may_hold(header: bytes) -> bool:
    """Whether the header leaves room for a calendar in the body."""
    return any(value.strip().lower().startswith(_POSSIBLE) for value in field_values(header, b"content-type"))


def messages_in(octets: bytes) -> list[tuple[Received, bytes]]:
    """
    The scheduling messages in a mail, in their order, and the octets of each in UTF-8; those that are no messages are
    left out.
    """
    try:
        whole = unpack(scan(octets).parts)
    except StoreCorrupt:
        return []
    found: list[tuple[Received, bytes]] = []
    for part in _leaves(whole):
        kind = field_values(octets[part.header : part.body], b"content-type")
        if len(found) >= MOST_PARTS or not kind or content_type(kind[0]).media != b"text/calendar":
            continue
        text = decode(transfer_decoded(octets[part.body : part.end], part.encoding), part.charset or "utf-8").encode()
        try:
            told = read_message(text)
        except (CollectionRefused, SyntaxFault):
            continue
        # multipart/alternative may hold one message twice (RFC 6047 §2.4).
        if all(other.found.calendar != told.found.calendar for other, _ in found):
            found.append((told, text))
    return found


def _leaves(part: Part) -> Iterator[Part]:
    if not part.children:
        yield part
    for each in part.children:
        yield from _leaves(each)
