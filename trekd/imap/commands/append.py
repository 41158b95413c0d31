"""
APPEND (RFC 3501 §6.3.11) of one or several messages (RFC 3502), and REPLACE (RFC 8508): messages are streamed into
the store as they come.
"""

from __future__ import annotations

from dataclasses import dataclass

from trekd.errors import BadMessage, LimitReached, NoSuchMailbox, NoSuchMessage, NotPermitted, SyntaxFault
from trekd.imap.commands.expunge import completed
from trekd.imap.grammar.commands import Append, AppendMessage, Replace
from trekd.imap.grammar.fragments import (
    AppendEnded,
    CommandRefused,
    Event,
    MessageChunk,
    MessageEnded,
    MessageOffered,
)
from trekd.imap.grammar.parsing import parse_append_end, parse_append_message
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

    @ivar options: for reading what stands before the further messages.
    """

    command: Append
    offered: MessageOffered
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
        await receiver.receive(command.message, request.offered)
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
        await receiver.receive(command.message, request.offered)
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

    def __init__(self, session: Session, options: ParseOptions) -> None:
        self.messages: list[NewMessage] = []
        self._session = session
        self._options = options
        self._sinks: list[IMessageSink] = []

    async def receive(self, head: AppendMessage, offered: MessageOffered) -> None:
        """
        Take the messages offered until the command ends.

        @raise SyntaxFault: something stands between or behind them that does not belong there.
        @raise MessageTooLarge: one of them is.
        @raise LimitReached: there are more than L{MAX_MESSAGES}.
        @raise BadMessage: one is empty (RFC 3502 §6.3.11: a literal of no octets aborts the command).
        """
        next_offered: MessageOffered | None = offered
        while next_offered is not None:
            if not next_offered.size:
                raise BadMessage
            if len(self._sinks) == self.MAX_MESSAGES:
                raise LimitReached
            sink = self._session.services.store.receive()
            self._sinks.append(sink)
            self._accept(next_offered)
            await self._fill(sink)
            self.messages.append(
                NewMessage(sink, flags=frozenset(head.flags), internal_date=head.internal_date)
            )
            next_offered = await self._next()
            if next_offered is not None:
                head = parse_append_message(next_offered.fragments, self._options)

    def discard(self) -> None:
        """Free what was received."""
        for sink in self._sinks:
            sink.discard()

    def _accept(self, offered: MessageOffered) -> None:
        wire = self._session.wire
        wire.reader.accept_literal()
        if offered.synchronising:
            wire.write(b"+ OK\r\n")

    async def _fill(self, sink: IMessageSink) -> None:
        while isinstance(event := await self._event(), MessageChunk):
            waiting = sink.write(event.octets)
            if waiting is not None:
                await waiting
        assert isinstance(event, MessageEnded)

    async def _next(self) -> MessageOffered | None:
        """The next message, C{None} at the end of the command."""
        event = await self._event()
        if isinstance(event, MessageOffered):
            return event
        assert isinstance(event, AppendEnded)
        parse_append_end(event.rest)
        return None

    async def _event(self) -> Event | None:
        event = await self._session.wire.next_event()
        if isinstance(event, CommandRefused):
            if event.fatal:
                self._session.bye(b"That is more than this connection can take")
            raise event.fault
        return event
