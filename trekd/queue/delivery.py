"""
Delivery into mailboxes of this server: who gets a copy, and the trace fields it begins with (RFC 5321 §4.4).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from twisted.logger import Logger

from trekd.directory.interfaces import Account, Status
from trekd.errors import (
    Broken,
    ConfigFault,
    LimitReached,
    MailboxExists,
    MailLoop,
    NoSuchMailbox,
    NoSuchRecipient,
    NotPermitted,
    Refused,
    TrekError,
)
from trekd.mime.header import field_values
from trekd.queue.routing import Found, Plans
from trekd.smtp.grammar.paths import write_path
from trekd.store.interfaces import IAccountStore, IMessageSink, IMessageSource, IStore, NewMessage
from trekd.values import INBOX, Address, MailboxName

log = Logger()

MAX_MEMBERS = 5000
"""Addresses that one recipient may stand for, groups in groups counted."""


@dataclass(frozen=True, slots=True)
class Expansion:
    """
    Whom one recipient stands for.

    @ivar accounts: each once.
    @ivar outside: addresses of which the directory knows nothing.
    """

    accounts: tuple[Account, ...]
    outside: tuple[Address, ...]

    @property
    def is_one(self) -> bool:
        """Whether it is one address by another name (RFC 3461 §5.2.7.2), and no list."""
        return len(self.accounts) + len(self.outside) == 1


async def expand(recipient: Address, find: Callable[[Address], Awaitable[Found | None]]) -> Expansion:
    """
    Follow aliases and groups to their ends; cycles end where they began.

    @raise NoSuchRecipient: nobody is there.
    @raise NotPermitted: only disabled accounts are there.
    @raise DirectoryDown: no verdict.
    """
    accounts: dict[str, Account] = {}
    outside: list[Address] = []
    disabled = False
    seen = {str(recipient).lower()}
    waiting = [recipient]
    while waiting:
        address = waiting.pop()
        found = await find(address)
        if found is None:
            if address != recipient:
                outside.append(address)
        elif isinstance(found, Account):
            disabled |= found.status is Status.DISABLED
            if found.status is not Status.DISABLED:
                accounts[found.principal] = found
        else:
            for member in getattr(found, "members", ()) or getattr(found, "targets", ()):
                if str(member).lower() not in seen and len(seen) < MAX_MEMBERS:
                    seen.add(str(member).lower())
                    waiting.append(member)
    if not accounts and not outside:
        raise NotPermitted if disabled else NoSuchRecipient
    return Expansion(tuple(accounts.values()), tuple(outside))


JUNK = MailboxName("Junk")
"""The mailbox for junk where none has that special use yet."""


@dataclass(frozen=True, slots=True)
class Copy:
    """
    What an account gets.

    @ivar header: the message's header, or more of it.
    @ivar junk: it goes to the mailbox whose special use is C{\\Junk} (RFC 6154 §2), made when there is none.
    """

    reverse_path: Address | None
    message: IMessageSource
    header: bytes
    junk: bool = False


class LocalDelivery:
    """
    Appends messages to mailboxes.

    @ivar results: deliveries by result.
    """

    def __init__(self, store: IStore, plans: Plans) -> None:
        self.results: Counter[str] = Counter()
        self._store = store
        self._plans = plans

    def receive(self) -> IMessageSink:
        """A new sink for one message."""
        return self._store.receive()

    async def deliver(self, account: Account, copy: Copy) -> TrekError | None:
        """
        Append a message to one of the account's mailboxes; durable when this returns C{None}.

        @return: why it was not appended; never raises.
        """
        failure = await self._deliver(account, copy)
        self.results["delivered" if failure is None else "refused" if isinstance(failure, Refused) else "deferred"] += 1
        return failure

    async def _deliver(self, account: Account, copy: Copy) -> TrekError | None:
        try:
            self._check_cycle(account, copy.header)
            store = await self._store.open(account.principal, self._plans.quota(account))
            prefix = f"Return-Path: {write_path(copy.reverse_path)}\r\nDelivered-To: {account.address}\r\n"
            mailbox = await _junk_mailbox(store) if copy.junk else INBOX
            message = NewMessage(copy.message, prefix.encode())
            try:
                await store.append(mailbox, [message])
            except NoSuchMailbox:
                # Somebody deleted it meanwhile.
                mailbox = INBOX
                await store.append(mailbox, [message])
        except Exception as error:
            if isinstance(error, TrekError) and not isinstance(error, Broken | ConfigFault):
                return error
            log.failure("delivery to {principal} failed", principal=account.principal)
            return error if isinstance(error, TrekError) else Broken()
        log.info(
            "delivered to {principal}, {mailbox}, from {sender}",
            principal=account.principal,
            mailbox=str(mailbox),
            sender=write_path(copy.reverse_path),
        )
        return None

    @staticmethod
    def _check_cycle(account: Account, header: bytes) -> None:
        """
        A message that was delivered here and came back goes round in circles.

        @raise MailLoop: it did.
        """
        own = str(account.address).lower().encode()
        if any(value.strip().lower() == own for value in field_values(header, b"delivered-to")):
            raise MailLoop


async def _junk_mailbox(store: IAccountStore) -> MailboxName:
    """The account's mailbox for junk; INBOX when it can have none."""
    for state in await store.mailboxes():
        if "\\Junk" in state.special_use:
            return state.name
    try:
        await store.create(JUNK, ("\\Junk",))
        await store.subscribe(JUNK)
    except MailboxExists:
        pass
    except LimitReached:
        return INBOX
    return JUNK
