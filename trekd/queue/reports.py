"""
Who is told what became of a message, and when nobody is.

Only mail that an account submitted here is answered for: the reverse-path of other mail may be anybody's (no
backscatter).  Nothing is ever sent to the null path, and notices have it for their own (RFC 5321 §4.5.5, RFC 3461
§6.1), so that none begets another.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from trekd.directory.interfaces import Account
from trekd.errors import Broken, Refused, StoreCorrupt, TrekError, Unavailable
from trekd.queue.contents import PIECE
from trekd.queue.headers import read_header
from trekd.queue.interfaces import MailTransaction, Outcome, Recipient, Route
from trekd.queue.notices import MAX_HEADER, Action, Fate, Letter, Notice, make_boundary, tail
from trekd.queue.routing import LOCAL, Found
from trekd.store.interfaces import IMessageSink, IMessageSource, InMemory
from trekd.values import Address, PrincipalId

log = Logger()

FULL = 1024 * 1024
"""Octets up to which a message is returned whole to who asked for that (RFC 3461 §6.2)."""

_WANTED = {Action.FAILED: "FAILURE", Action.DELAYED: "DELAY"}
"""The keyword of NOTIFY that asks for a notice, SUCCESS for all others (RFC 3461 §4.1)."""


class Post(Protocol):
    """What of the mail flow a reporter uses."""

    async def resolve(self, account: Account | None, recipient: Address) -> Route:
        """The route to a recipient."""

    def receive(self) -> IMessageSink:
        """A new sink for one message."""

    async def post(self, transaction: MailTransaction, message: IMessageSource) -> tuple[Outcome, ...]:
        """Take a message that this host wrote itself."""


def wants(recipient: Recipient, action: Action) -> bool:
    """Whether a recipient's NOTIFY asks for a notice; without it, for those of failure and delay (RFC 3461 §4.1)."""
    keyword = _WANTED.get(action, "SUCCESS")
    return keyword in recipient.notify if recipient.notify else keyword != "SUCCESS"


@dataclass(slots=True)
class Reporter:
    """
    Writes notices and hands them to the mail flow.

    @ivar find: asks the directory for an address.
    @ivar sent: notices taken by the flow, by action.
    """

    post: Post
    find: Callable[[Address], Awaitable[Found | None]]
    hostname: str
    clock: IReactorTime
    sent: dict[str, int] = field(default_factory=dict)

    async def tell(
        self, transaction: MailTransaction, source: IMessageSource, fates: Sequence[Fate], arrived: float
    ) -> bool:
        """
        Tell the sender, if anybody is to be told.

        @param fates: all with the same action.
        @return: whether there is nothing more to do; never raises.
        """
        wanted = [fate for fate in fates if wants(fate.recipient, fate.action)]
        if not wanted or transaction.reverse_path is None or transaction.principal is None:
            return True
        try:
            return await self._send(transaction, source, wanted, arrived)
        except Unavailable:
            return False
        except Exception:
            log.failure("a notice cannot be sent")
            return False

    async def _send(
        self, transaction: MailTransaction, source: IMessageSource, fates: Sequence[Fate], arrived: float
    ) -> bool:
        assert transaction.reverse_path is not None and transaction.principal is not None
        header, is_whole = await self._returned(transaction, source, fates)
        is_ascii = header.isascii()
        notice = Notice(transaction, arrived, fates, self.hostname, self.clock.seconds(), is_whole, is_ascii)
        boundary = make_boundary()
        sink = self.post.receive()
        try:
            await _write(sink, notice.head(boundary))
            offset = 0
            while is_whole and (octets := await source.read(offset, PIECE)):
                is_ascii = is_ascii and octets.isascii()
                offset += len(octets)
                await _write(sink, octets)
            await _write(sink, (b"" if is_whole else header) + tail(boundary))
            recipient = await self._sender(transaction.reverse_path, transaction.principal)
            envelope = MailTransaction(
                None, (recipient,), smtputf8=notice.is_global, eight_bit=notice.is_global or not is_ascii
            )
            return self._judge(await self.post.post(envelope, sink), fates[0].action)
        finally:
            sink.discard()

    def _judge(self, outcomes: tuple[Outcome, ...], action: Action) -> bool:
        failure = outcomes[0].failure
        if failure is None:
            self.sent[action.value] = self.sent.get(action.value, 0) + 1
        elif not isinstance(failure, Unavailable | Broken):
            log.warn("a notice is taken by nobody: {reason}", reason=type(failure).__name__)
        return not isinstance(failure, Unavailable | Broken)

    async def _returned(
        self, transaction: MailTransaction, source: IMessageSource, fates: Sequence[Fate]
    ) -> tuple[bytes, bool]:
        """The message's header, and whether the whole message is returned (RFC 3461 §4.3)."""
        asked = transaction.ret.upper() == "FULL" and fates[0].action is Action.FAILED
        try:
            header = await read_header(source)
        except StoreCorrupt:
            log.error("a queued message is gone; its sender is told")
            return b"", False
        return header[:MAX_HEADER], asked and source.size <= FULL

    async def _sender(self, reverse_path: Address, principal: PrincipalId) -> Recipient:
        """
        Where the notice goes: to the reverse-path if the account may write there, else to the account.

        @raise Unavailable: it cannot be known now.
        """
        submitter = _address_of(principal)
        found = await self.find(submitter)
        try:
            if isinstance(found, Account):
                return Recipient(reverse_path, await self.post.resolve(found, reverse_path), ("NEVER",))
        except Refused:
            pass
        return Recipient(submitter, LOCAL)

    async def write_to(self, principal: PrincipalId, subject: str, text: str) -> TrekError | None:
        """
        Write a letter to an account of this server.

        @param text: paragraphs with CRLF line ends.
        @return: why it was not delivered.
        """
        notice = Letter(principal, subject, text, self.hostname, self.clock.seconds()).octets()
        transaction = MailTransaction(None, (Recipient(_address_of(principal), LOCAL),))
        try:
            return (await self.post.post(transaction, InMemory(notice)))[0].failure
        except TrekError as error:
            return error


def _address_of(principal: PrincipalId) -> Address:
    local, _, domain = principal.rpartition("@")
    return Address(local, domain)


async def _write(sink: IMessageSink, octets: bytes) -> None:
    waiting = sink.write(octets)
    if waiting is not None:
        await waiting
