"""
AUTH with PLAIN, LOGIN and the mechanisms of the portal, SCRAM-SHA-256 among them, inside TLS only (RFC 4954 §4,
RFC 4616, draft-murchison-sasl-login-00, RFC 5802).

Passwords and proofs are judged by the portal; here they are only taken apart.
"""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable

from trekd.errors import LimitExceeded, SyntaxFault, TrekError
from trekd.portal.interfaces import Caller, IPeerPassword, IPeerProof, IProofExchange, PeerPassword
from trekd.smtp import replies
from trekd.smtp.grammar.commands import Authenticate, base64_text
from trekd.smtp.grammar.reader import AUTH_LIMIT
from trekd.smtp.grammar.reply import reply
from trekd.smtp.session import Session


class Cancelled(Exception):
    """The client gave up the exchange with C{*}."""


async def auth(session: Session, request: Authenticate) -> None:
    """Log in; three failures end the connection."""
    if not session.service.is_submission:
        return session.send(replies.NOT_IMPLEMENTED)
    if not session.secure:
        return session.send(replies.NEED_TLS_TO_LOG_IN)
    if session.user is not None:
        return session.send(replies.BAD_SEQUENCE)
    try:
        await _exchange(session, request)
    except Cancelled:
        session.send(replies.LOGIN_CANCELLED)
    except LimitExceeded:
        return session.end(replies.LINE_WITHOUT_END) if session.stream.fatal else _too_long(session)
    return None


def _too_long(session: Session) -> None:
    session.send(replies.LOGIN_LINE_TOO_LONG)


async def _exchange(session: Session, request: Authenticate) -> None:
    """Run the mechanism that the client chose."""
    connection, service = session.connection, session.service.name
    mechanism = _MECHANISMS.get(request.mechanism)
    if mechanism is not None:
        username, password = await mechanism(session, request.initial)
        credentials = PeerPassword(username, password, connection.peer, service, connection.session)
        return await _log_in(session, credentials)
    caller = Caller(connection.peer, service, connection.session, connection.tls_state)
    exchange = session.site.mechanisms.begin(request.mechanism, caller)
    if exchange is None:
        return session.send(replies.NO_SUCH_MECHANISM)
    return await _prove(session, exchange, request.initial)


async def _prove(session: Session, exchange: IProofExchange, initial: bytes | None) -> None:
    """Two messages of the client, then our own proof, which it answers with nothing (RFC 5802 §5, RFC 4422 §3.4)."""
    message = initial if initial is not None else await _ask(session, b"")
    credentials = exchange.proof(await _ask(session, await exchange.challenge(message)))

    async def agree() -> None:
        if await _ask(session, credentials.answer):
            raise SyntaxFault("empty response")

    await _log_in(session, credentials, agree)


async def _log_in(
    session: Session,
    credentials: IPeerPassword | IPeerProof,
    agree: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """
    Log in.

    @param agree: what the client must agree to before it is logged in; whatever this raises ends the attempt.
    """
    try:
        user = await session.connection.log_in(credentials)
    except TrekError as error:
        session.log_our_fault(error)
        session.send(replies.login_answer(error))
        session.failed_logins += 1
        if session.failed_logins >= session.site.config.max_auth_failures:
            session.end(replies.TOO_MANY_ERRORS)
        return
    try:
        if agree is not None:
            await agree()
    except BaseException:
        session.connection.withdraw()
        raise
    session.user = user
    session.send(replies.LOGGED_IN)


async def plain(session: Session, initial: bytes | None) -> tuple[str, str]:
    """
    C{message = [authzid] UTF8NUL authcid UTF8NUL passwd} (RFC 4616 §2).

    @raise SyntaxFault: it is none, or it asks to act for somebody else.
    """
    response = initial if initial is not None else await _ask(session, b"")
    parts = response.split(b"\0")
    if len(parts) != 3 or parts[0] not in (b"", parts[1]):
        raise SyntaxFault("PLAIN message")
    return _text(parts[1]), _text(parts[2])


async def login(session: Session, initial: bytes | None) -> tuple[str, str]:
    """The two questions that Outlook and its kin want; an initial response is the user name."""
    username = initial if initial is not None else await _ask(session, b"Username:")
    return _text(username), _text(await _ask(session, b"Password:"))


_MECHANISMS = {"PLAIN": plain, "LOGIN": login}


async def _ask(session: Session, challenge: bytes) -> bytes:
    """Send a challenge and wait for the response (RFC 4954 §4)."""
    session.send(reply(334, None, base64.b64encode(challenge).decode()))
    line = await session.line(AUTH_LIMIT)
    if line == b"*":
        raise Cancelled
    try:
        text = line.decode("ascii")
    except UnicodeDecodeError:
        raise SyntaxFault("base64") from None
    return base64_text(text)


def _text(octets: bytes) -> str:
    """
    A user name or password (RFC 4616 §2).

    @raise SyntaxFault: it is not UTF-8, or has a NUL.
    """
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError:
        raise SyntaxFault("UTF-8") from None
    if "\0" in text:
        raise SyntaxFault("text without NUL")
    return text
