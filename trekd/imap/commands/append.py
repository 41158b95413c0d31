"""
APPEND (RFC 3501 §6.3.11) of one or several messages (RFC 3502), and REPLACE (RFC 8508): messages, or the parts that
they are put together of (RFC 4469), are streamed into the store as they come.
"""

from __future__ import annotations

from dataclasses import dataclass

from trekd.errors import (
    BadMessage,
    LimitExceeded,
    LimitReached,
    NoSuchMailbox,
    NoSuchMessage,
    NotPermitted,
    SyntaxFault,
)
from trekd.imap.commands.catenate import add_part, require_room
from trekd.imap.commands.expunge import completed
from trekd.imap.grammar.append import parse_append_end, parse_append_piece
from trekd.imap.grammar.commands import (
    Append,
    AppendMessage,
    AppendPiece,
    AppendStep,
    LiteralUse,
    MessageComplete,
    MessageURL,
    Replace,
)
from trekd.imap.grammar.fragments import (
    AppendEnded,
    CommandRefused,
    Event,
    MessageChunk,
    MessageEnded,
    MessageOffered,
)
from trekd.imap.grammar.tokens import ParseOptions
from trekd.imap.grammar.writing import appenduid
from trekd.imap.responses import TRY_CREATE
from trekd.imap.session import Session
from trekd.store.interfaces import Appended, IMessageSink, NewMessage
from trekd.values import UID, MailboxName


@dataclass(frozen=True, slots=True)
class AppendRequest:
    """
    APPEND when its first message is offered.

    @ivar offered: C{None} when all its parts are URLs.
    @ivar options: for reading what stands before the further messages.
    """

    command: Append
    offered: MessageOffered | None
    options: ParseOptions


async def append(session: Session, request: AppendRequest) -> bytes:
    """
    Take messages and add them to a mailbox, all or none.

    Whatever is wrong is said before the first octet of a message is asked for, where it can be known; a client
    that sends without asking has its octets swallowed.
    """
    command = request.command
    receiver = _Receiver(session, request.options)
    try:
        await session.store.mailbox(command.mailbox)
        await receiver.receive(command.piece, request.offered)
        appended = await session.store.append(command.mailbox, receiver.messages)
    except NoSuchMailbox:
        return bytes(TRY_CREATE)
    finally:
        session.wire.reader.abandon_append()
        receiver.discard()
    _note_arrivals(session, command.mailbox, appended)
    return b"OK [" + appenduid(appended.uid_validity, appended.uids) + b"] APPEND completed"


async def replace(session: Session, request: AppendRequest) -> bytes:
    """
    Take a message in the place of one that is in the selected mailbox, in one step (RFC 8508 §3.4).

    APPENDUID is told before the EXPUNGE response (RFC 8508 §4.3).
    """
    command = request.command
    assert isinstance(command, Replace)
    selected = session.mailbox
    receiver = _Receiver(session, request.options)
    try:
        if selected.read_only:
            raise NotPermitted
        positions = selected.positions(command.replaced, command.uid)
        if not positions:
            raise NoSuchMessage
        await session.store.mailbox(command.mailbox)
        await receiver.receive(command.piece, request.offered)
        if len(receiver.messages) != 1:
            raise SyntaxFault("one message")
        uid = UID(selected.view.uids[positions[0].start])
        appended = await session.store.replace(selected.id, uid, command.mailbox, receiver.messages[0])
    except NoSuchMailbox:
        return bytes(TRY_CREATE)
    finally:
        session.wire.reader.abandon_append()
        receiver.discard()
    _note_arrivals(session, command.mailbox, appended)
    selected.must_tell()
    session.wire.write(b"* OK [" + appenduid(appended.uid_validity, appended.uids) + b"] Replaced\r\n")
    return await completed(session, b"REPLACE completed")


def _note_arrivals(session: Session, mailbox: MailboxName, appended: Appended) -> None:
    selected = session.selected
    if selected is not None and selected.id == appended.mailbox:
        selected.must_look()
        selected.own_arrivals(appended.uids)
    session.caused(mailbox, arrived=len(appended.uids))


class _Receiver:
    """
    Takes the messages of one APPEND.

    @ivar messages: those received whole.
    """

    MAX_MESSAGES = 500
    """Small messages stay in memory until the command ends, so there cannot be many."""
    MAX_PARTS = 1000
    """Of all messages that are put together of parts."""
    MAX_URL = 8192

    def __init__(self, session: Session, options: ParseOptions) -> None:
        self.messages: list[NewMessage] = []
        self._session = session
        self._options = options
        self._sinks: list[IMessageSink] = []
        self._head = AppendMessage((), None)
        self._parts = 0

    async def receive(self, piece: AppendPiece, offered: MessageOffered | None) -> None:
        """
        Take the messages until the command ends.

        @param offered: the literal behind the piece.
        @raise SyntaxFault: something stands between or behind them that does not belong there.
        @raise MessageTooLarge: one of them is.
        @raise LimitReached: there are more than L{MAX_MESSAGES}, or L{MAX_PARTS}.
        @raise BadMessage: one is empty (RFC 3502 §6.3.11: a literal of no octets aborts the command).
        @raise BadURL: one names nothing.
        """
        while True:
            for step in piece.steps:
                await self._take(step)
            use = piece.literal
            if use is None or offered is None:
                return
            await self._receive_literal(use, offered)
            event = await self._event()
            if isinstance(event, MessageOffered):
                offered = event
                piece = parse_append_piece(event.fragments, use, self._options)
            else:
                assert isinstance(event, AppendEnded)
                piece = parse_append_end(event.rest, use, self._options)

    def discard(self) -> None:
        """Free what was received."""
        for sink in self._sinks:
            sink.discard()

    async def _take(self, step: AppendStep) -> None:
        if isinstance(step, MessageURL):
            await self._add_url(step.url)
        elif isinstance(step, MessageComplete):
            self._complete()
        else:
            if len(self._sinks) == self.MAX_MESSAGES:
                raise LimitReached
            self._head = step
            self._sinks.append(self._session.services.store.receive())

    async def _receive_literal(self, use: LiteralUse, offered: MessageOffered) -> None:
        if use is LiteralUse.MESSAGE:
            if not offered.size:
                raise BadMessage
            await self._fill(offered)
            self._complete()
        elif use is LiteralUse.TEXT:
            self._count_part()
            require_room(self._session, self._sinks[-1], offered.size)
            await self._fill(offered)
        else:
            await self._add_url(await self._url(offered))

    def _complete(self) -> None:
        """The message that began last came whole."""
        sink, head = self._sinks[-1], self._head
        if not sink.size:
            raise BadMessage
        self.messages.append(NewMessage(sink, flags=frozenset(head.flags), internal_date=head.internal_date))

    async def _add_url(self, url: bytes) -> None:
        self._count_part()
        await add_part(self._session, url, self._options, self._sinks[-1])

    def _count_part(self) -> None:
        self._parts += 1
        if self._parts > self.MAX_PARTS:
            raise LimitReached

    def _accept(self, offered: MessageOffered) -> None:
        wire = self._session.wire
        wire.reader.accept_literal()
        if offered.synchronising:
            wire.write(b"+ OK\r\n")

    async def _fill(self, offered: MessageOffered) -> None:
        self._accept(offered)
        sink = self._sinks[-1]
        while isinstance(event := await self._event(), MessageChunk):
            waiting = sink.write(event.octets)
            if waiting is not None:
                await waiting
        assert isinstance(event, MessageEnded)

    async def _url(self, offered: MessageOffered) -> bytes:
        """A URL that comes as a literal."""
        if offered.size > self.MAX_URL:
            raise LimitExceeded("url")
        self._accept(offered)
        url = b""
        while isinstance(event := await self._event(), MessageChunk):
            url += event.octets
        return url

    async def _event(self) -> Event | None:
        event = await self._session.wire.next_event()
        if isinstance(event, CommandRefused):
            if event.fatal:
                self._session.bye(b"That is more than this connection can take")
            raise event.fault
        return event
