"""
AUTHENTICATE (RFC 3501 §6.2.2) with an initial response (RFC 4959): PLAIN (RFC 4616), LOGIN
(draft-murchison-sasl-login-00), and the mechanisms of the portal, SCRAM-SHA-256 among them (RFC 5802).
"""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable

from trekd.errors import SyntaxFault
from trekd.imap.commands.login import PRIVACY_REQUIRED, enter, log_in
from trekd.imap.grammar.commands import Authenticate
from trekd.imap.grammar.fragments import CommandRefused, ContinuationLine
from trekd.imap.grammar.parsing import sasl_response
from trekd.imap.session import Session
from trekd.portal.interfaces import Caller, IProofExchange

Exchange = Callable[[Session, Authenticate], Awaitable[bytes | None]]

AUTHORIZATION_FAILED = b"NO [AUTHORIZATIONFAILED] Acting for another user is not possible"


class _Cancelled(Exception):
    """The client sent C{*} instead of a response."""


async def authenticate(session: Session, command: Authenticate) -> bytes | None:
    """Log in by a SASL mechanism."""
    if not session.wire.is_secure:
        return PRIVACY_REQUIRED
    mechanism = MECHANISMS.get(command.mechanism)
    exchange = None if mechanism else _begin(session, command.mechanism)
    try:
        if mechanism is not None:
            return await mechanism(session, command)
        if exchange is not None:
            return await _prove(session, command, exchange)
        return b"NO [CANNOT] Unknown mechanism"
    except _Cancelled:
        return b"BAD AUTHENTICATE cancelled"


async def _plain(session: Session, command: Authenticate) -> bytes | None:
    """message = [authzid] UTF8NUL authcid UTF8NUL passwd (RFC 4616 §2)."""
    message = command.initial_response
    if message is None:
        message = await _respond(session, b"")
    pieces = message.split(b"\0")
    if len(pieces) != 3:
        raise SyntaxFault("message of PLAIN")
    authorize_as, name, password = pieces
    if authorize_as not in (b"", name):
        return AUTHORIZATION_FAILED
    return await log_in(session, command.tag, _utf8(name), password)


async def _login(session: Session, command: Authenticate) -> bytes | None:
    """User name and password, each asked for; some clients send the name at once."""
    name = command.initial_response
    if name is None:
        name = await _respond(session, b"VXNlciBOYW1lAA==")
    password = await _respond(session, b"UGFzc3dvcmQA")
    return await log_in(session, command.tag, _utf8(name), password)


MECHANISMS: dict[str, Exchange] = {"PLAIN": _plain, "LOGIN": _login}


def _begin(session: Session, mechanism: str) -> IProofExchange | None:
    wire = session.wire
    return session.services.mechanisms.begin(mechanism, Caller(wire.peer, "imap", wire.session, wire.tls_state))


async def _prove(session: Session, command: Authenticate, exchange: IProofExchange) -> bytes | None:
    """Two messages of the client, then our own proof, which it answers with nothing (RFC 5802 §5, RFC 4422 §3.4)."""
    message = command.initial_response
    if message is None:
        message = await _respond(session, b"")
    challenge = await exchange.challenge(message)
    credentials = exchange.proof(await _respond(session, base64.b64encode(challenge)))

    async def agree() -> None:
        if await _respond(session, base64.b64encode(credentials.answer)):
            raise SyntaxFault("empty response")

    return await enter(session, command.tag, credentials, agree)


async def _respond(session: Session, challenge: bytes) -> bytes:
    """
    Send a challenge and wait for the response.

    @param challenge: in base64, on one line whatever its length.
    """
    wire = session.wire
    wire.reader.expect_line()
    wire.write(b"+ " + challenge + b"\r\n")
    event = await wire.next_event()
    if isinstance(event, CommandRefused):
        raise event.fault
    if not isinstance(event, ContinuationLine):
        raise SyntaxFault("SASL response")
    # A command in the place of a response is no base64 (quirk logout-in-exchange).
    response = sasl_response(event.octets)
    if response is None:
        raise _Cancelled
    return response


def _utf8(octets: bytes) -> str:
    try:
        return octets.decode()
    except UnicodeDecodeError:
        raise SyntaxFault("UTF-8") from None
