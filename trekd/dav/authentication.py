"""
HTTP Basic (RFC 7617) through the portal; a connection that has logged in is not asked again for a while.
"""

from __future__ import annotations

import secrets
from base64 import b64decode
from binascii import Error as BadBase64
from hashlib import blake2b
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from twisted.internet.interfaces import IReactorTime

from trekd.dav.errors import REALM, Fault
from trekd.errors import BadCredentials
from trekd.portal.interfaces import ILease, IMailUser, PeerPassword

REMEMBERED = 120.0
"""Seconds for which a connection's credentials are not verified again."""


class Connection(Protocol):
    """What is needed of a connection (L{trekd.web.channel})."""

    peer: str
    session: str
    lease: ILease | None


class Logins:
    """Who is logged in on which connection."""

    def __init__(self, portal: Any, clock: IReactorTime) -> None:
        self._portal = portal
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._known: WeakKeyDictionary[Connection, tuple[bytes, IMailUser, float]] = WeakKeyDictionary()

    async def log_in(self, connection: Connection, authorization: str) -> IMailUser:
        """
        The account of a request.

        @param authorization: the field's value.
        @raise Fault: there are no credentials.
        @raise TrekError: what the portal refuses.
        """
        if not authorization:
            raise Fault(401, text="Log in with your full address.", headers=((b"www-authenticate", REALM),))
        digest = blake2b(authorization.encode("utf-8", "surrogateescape"), key=self._key).digest()
        known = self._known.get(connection)
        if known is not None and secrets.compare_digest(known[0], digest) and self._clock.seconds() < known[2]:
            return known[1]
        name, password = _basic(authorization)
        self._known.pop(connection, None)
        credentials = PeerPassword(name, password, connection.peer, "https", connection.session)
        _, avatar, _ = await self._portal.login(credentials, connection.lease, IMailUser)
        user: IMailUser = IMailUser(avatar)
        self._known[connection] = (digest, user, self._clock.seconds() + REMEMBERED)
        return user


def _basic(authorization: str) -> tuple[str, str]:
    """
    User name and password (RFC 7617 §2).

    @raise BadCredentials: it is another scheme, or broken.
    """
    scheme, _, token = authorization.strip().partition(" ")
    if scheme.lower() != "basic":
        raise BadCredentials()
    try:
        octets = b64decode(token.strip().encode("ascii"), validate=True)
    except (BadBase64, UnicodeEncodeError):
        raise BadCredentials() from None
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError:
        text = octets.decode("latin-1")
    name, colon, password = text.partition(":")
    if not colon:
        raise BadCredentials()
    return name, password
