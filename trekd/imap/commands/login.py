"""
LOGIN (RFC 3501 §6.2.3), and what it shares with AUTHENTICATE.
"""

from __future__ import annotations

from typing import Any

from twisted.cred.error import UnauthorizedLogin
from twisted.mail.interfaces import IAccountIMAP

from trekd.errors import BadCredentials, TooManyConnections, TrekError
from trekd.imap.grammar.commands import Login
from trekd.imap.responses import answer
from trekd.imap.session import Session
from trekd.imap.wire import Hangup
from trekd.portal.interfaces import IMailUser, PeerPassword

PRIVACY_REQUIRED = b"NO [PRIVACYREQUIRED] Use TLS before logging in"
"""Passwords travel inside TLS only (RFC 3501 §6.2.3, LOGINDISABLED; RFC 5530 §3)."""


async def login(session: Session, command: Login) -> bytes | None:
    """Log in with a password."""
    if not session.wire.is_secure:
        return PRIVACY_REQUIRED
    return await log_in(session, command.tag, command.username, command.password)


async def log_in(session: Session, tag: bytes, username: str, password: bytes) -> bytes | None:
    """
    Verify a password and enter the authenticated state, for LOGIN and every mechanism alike.

    Whoever fails too often, or has too many connections, is told and disconnected.

    @param password: UTF-8; anything else is wrong.
    """
    try:
        await _enter(session, username, password)
    except (TooManyConnections, BadCredentials) as error:
        session.refuse(tag, error)
        _count_failure(session, error)
        return None
    return b"OK [CAPABILITY " + session.capabilities + b"] Logged in"


async def _enter(session: Session, username: str, password: bytes) -> None:
    wire = session.wire
    try:
        credentials: Any = PeerPassword(username, password.decode(), wire.peer, "imap", wire.session)
        _, avatar, logout = await session.services.portal.login(credentials, session.lease, IAccountIMAP)
    except (UnauthorizedLogin, UnicodeDecodeError):
        raise BadCredentials from None
    if wire.is_closed:
        logout()
        raise Hangup
    session.enter(IMailUser(avatar), logout)


def _count_failure(session: Session, error: TrekError) -> None:
    if isinstance(error, TooManyConnections):
        session.bye(answer(error).text.removeprefix(b"[UNAVAILABLE] "))
        return
    session.login_failures += 1
    if session.login_failures >= session.config.max_auth_failures:
        session.bye(b"Too many failed logins")
