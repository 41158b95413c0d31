"""
LOGIN (RFC 3501 §6.2.3), and what it shares with AUTHENTICATE.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.cred.error import UnauthorizedLogin
from twisted.mail.interfaces import IAccountIMAP

from trekd.errors import BadCredentials, TooManyConnections, TrekError
from trekd.imap.grammar.commands import Login
from trekd.imap.responses import answer
from trekd.imap.session import Session
from trekd.imap.wire import Hangup
from trekd.portal.interfaces import IMailUser, IPeerPassword, IPeerProof, PeerPassword

PRIVACY_REQUIRED = b"NO [PRIVACYREQUIRED] Use TLS before logging in"
"""Passwords travel inside TLS only (RFC 3501 §6.2.3, LOGINDISABLED; RFC 5530 §3)."""


async def login(session: Session, command: Login) -> bytes | None:
    """Log in with a password."""
    if not session.wire.is_secure:
        return PRIVACY_REQUIRED
    return await log_in(session, command.tag, command.username, command.password)


async def log_in(session: Session, tag: bytes, username: str, password: bytes) -> bytes | None:
    """
    Verify a password and enter the authenticated state.

    @param password: UTF-8; anything else is wrong.
    """
    wire = session.wire
    text = password.decode("utf-8", "surrogateescape")
    return await enter(session, tag, PeerPassword(username, text, wire.peer, "imap", wire.session))


async def enter(
    session: Session,
    tag: bytes,
    credentials: IPeerPassword | IPeerProof,
    agree: Callable[[], Awaitable[None]] | None = None,
) -> bytes | None:
    """
    Verify credentials and enter the authenticated state, for LOGIN and every mechanism alike.

    Whoever fails too often, or has too many connections, is told and disconnected.

    @param agree: what the client must agree to before it is logged in; whatever this raises ends the attempt.
    """
    try:
        await _enter(session, credentials, agree)
    except (TooManyConnections, BadCredentials) as error:
        session.refuse(tag, error)
        _count_failure(session, error)
        return None
    return b"OK [CAPABILITY " + session.capabilities + b"] Logged in"


async def _enter(
    session: Session, credentials: Any, agree: Callable[[], Awaitable[None]] | None
) -> None:
    try:
        _, avatar, logout = await session.services.portal.login(credentials, session.lease, IAccountIMAP)
    except UnauthorizedLogin:
        raise BadCredentials from None
    try:
        if agree is not None:
            await agree()
        if session.wire.is_closed:
            raise Hangup
    except BaseException:
        logout()
        raise
    session.enter(IMailUser(avatar), logout)


def _count_failure(session: Session, error: TrekError) -> None:
    if isinstance(error, TooManyConnections):
        session.bye(answer(error).text.removeprefix(b"[UNAVAILABLE] "))
        return
    session.login_failures += 1
    if session.login_failures >= session.config.max_auth_failures:
        session.bye(b"Too many failed logins")
