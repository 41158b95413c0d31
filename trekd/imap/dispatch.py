"""
Runs commands: one event of the reader in, one tagged response out.

The order of things is the same for all commands: state check, the command's own work, what happened in the
selected mailbox meanwhile, the tagged response; and of commands, that of their octets (quirk C{tagged-in-order}).  A
command that needs to wait for nothing is answered without a coroutine.
"""

from __future__ import annotations

from collections.abc import Awaitable

from trekd.errors import TrekError
from trekd.imap.commands.append import AppendRequest
from trekd.imap.commands.row import Row
from trekd.imap.commands.table import ROWS
from trekd.imap.grammar.append import parse_append
from trekd.imap.grammar.commands import Append, Command
from trekd.imap.grammar.fragments import (
    CommandOctets,
    CommandRefused,
    Event,
    LiteralRequested,
    MessageOffered,
    command_tag,
)
from trekd.imap.grammar.parsing import parse_command
from trekd.imap.grammar.tokens import ParseOptions
from trekd.imap.session import Session, State
from trekd.imap.wire import Hangup

_WRONG_STATE = {
    State.NOT_AUTHENTICATED: b"BAD Log in first",
    State.AUTHENTICATED: b"BAD Not while logged in without a selected mailbox",
    State.SELECTED: b"BAD Not in the selected state",
    State.LOGOUT: b"BAD The session has ended",
}


def start(session: Session, event: Event, options: ParseOptions) -> Awaitable[None] | None:
    """
    Take what begins a command.

    @return: C{None} when it is answered, else what to await before the next event is taken; that never raises
        but L{Hangup}.
    """
    if isinstance(event, CommandOctets):
        return _command(session, event, options)
    if isinstance(event, MessageOffered):
        return _append(session, event, options)
    if isinstance(event, LiteralRequested):
        session.wire.write(b"+ OK\r\n")
        session.wire.reader.accept_literal()
    elif isinstance(event, CommandRefused):
        session.refuse(event.tag, event.fault)
        if event.fatal:
            session.bye(b"That is more than this connection can take")
    return None


def _command(session: Session, event: CommandOctets, options: ParseOptions) -> Awaitable[None] | None:
    try:
        command = parse_command(event.fragments, options)
    except TrekError as error:
        session.refuse(command_tag(event.fragments), error)
        return None
    row = ROWS[type(command)]
    if session.state not in row.states:
        session.complete(command.tag, _wrong_state(session, row))
        return None
    request = AppendRequest(command, None, options) if isinstance(command, Append) else command
    return _run(session, command, row, request)


def _append(session: Session, event: MessageOffered, options: ParseOptions) -> Awaitable[None] | None:
    try:
        command = parse_append(event.fragments, options)
        row = ROWS[type(command)]
        if session.state not in row.states:
            session.wire.reader.refuse_literal()
            session.complete(command.tag, _wrong_state(session, row))
            return None
    except TrekError as error:
        session.wire.reader.refuse_literal()
        session.refuse(command_tag(event.fragments), error)
        return None
    return _run(session, command, row, AppendRequest(command, event, options))


def _wrong_state(session: Session, row: Row) -> bytes:
    if session.state is State.AUTHENTICATED and State.SELECTED in row.states:
        return b"BAD Select a mailbox first"
    return _WRONG_STATE[session.state]


def _run(session: Session, command: Command, row: Row, request: object) -> Awaitable[None] | None:
    """Run a command's function; answer at once when it did not need to wait."""
    try:
        text = row.function(session, request)
    except Exception as error:
        text = session.explain(error)
    if text is not None and not isinstance(text, bytes):
        return _await_end(session, command, row, text)
    if session.has_news(row.may_expunge(command)):
        return _end(session, command, row, text)
    if text is not None:
        session.complete(command.tag, text)
    return None


async def _await_end(session: Session, command: Command, row: Row, pending: Awaitable[bytes | None]) -> None:
    try:
        text = await pending
    except Hangup:
        raise
    except Exception as error:
        text = session.explain(error)
    if session.has_news(row.may_expunge(command)):
        await _end(session, command, row, text)
    elif text is not None:
        session.complete(command.tag, text)


async def _end(session: Session, command: Command, row: Row, text: bytes | None) -> None:
    """Announce what happened, then answer; an answer is owed even when the store cannot be read."""
    try:
        await session.announce(row.may_expunge(command), bool(getattr(command, "uid", False)))
    except Hangup:
        raise
    except Exception as error:
        session.explain(error)
    if text is not None:
        session.complete(command.tag, text)
